//! What is needed to replay a trajectory: its start and its actions.

use crate::rollout::{Start, Trajectory};

/// What is needed to replay a trajectory: reset with the start's stream, step through the actions.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayKey {
    /// What its episode began from.
    pub start: Start,
    /// Steps of the episode before it.
    pub first: usize,
    /// Actions from the episode's first step to the trajectory's last, `[first + T, action_dim]`.
    pub actions: Vec<f32>,
}

/// A trajectory that cannot be replayed, since it does not know what its episode began from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has no origin, so it cannot be replayed")]
pub struct UnknownOrigin;

impl ReplayKey {
    /// The key of a trajectory that a rollout made.
    ///
    /// # Errors
    /// [`UnknownOrigin`] where the trajectory does not know what its episode began from.
    pub fn new(trajectory: Trajectory<'_>) -> Result<Self, UnknownOrigin> {
        let origin = trajectory.origin.ok_or(UnknownOrigin)?;
        let dim = match trajectory.len() {
            0 => origin.before.len().max(1),
            steps => trajectory.actions.len() / steps,
        };
        // What comes after the end of an episode is empty, and begins where that ends.
        let first = if trajectory.is_empty() { usize::MAX } else { origin.before.len() / dim };
        Ok(Self { start: origin.start, first, actions: [origin.before, trajectory.actions].concat() })
    }

    /// A checksum of the whole, by which the trajectory is known: FNV-1a of 64 bits (Fowler, Noll & Vo).
    pub fn id(&self) -> i64 {
        let start = self.start_json();
        let first = (self.first as u64).to_le_bytes();
        let bytes = start.bytes().chain(first).chain(self.action_bytes());
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }) as i64
    }

    pub(crate) fn start_json(&self) -> String {
        serde_json::to_string(&self.start).expect("plain numbers")
    }

    pub(crate) fn action_bytes(&self) -> Vec<u8> {
        self.actions.iter().flat_map(|v| v.to_le_bytes()).collect()
    }
}
