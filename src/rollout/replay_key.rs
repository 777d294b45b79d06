//! The data from which a trajectory can be replayed: its start and its actions.

use crate::rollout::{Start, Trajectory};

/// The data to replay a trajectory: reset with the start's random stream, then step through the actions.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayKey {
    /// The start of its episode.
    pub start: Start,
    /// Steps of the episode before the trajectory.
    pub first: usize,
    /// Actions from the episode's first step to the trajectory's last, `[first + T, action_dim]`.
    pub actions: Vec<f32>,
}

/// A trajectory that cannot be replayed, since it does not know what its episode began from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has no origin, so it cannot be replayed")]
pub struct UnknownOrigin;

impl ReplayKey {
    /// The key of a trajectory from a rollout.
    ///
    /// # Errors
    /// [`UnknownOrigin`] if the trajectory does not know what its episode began from.
    pub fn new(trajectory: Trajectory<'_>) -> Result<Self, UnknownOrigin> {
        let origin = trajectory.origin.ok_or(UnknownOrigin)?;
        let dim = match trajectory.len() {
            0 => origin.before.len().max(1),
            steps => trajectory.actions.len() / steps,
        };
        // A window after the end of an episode is empty; it begins where the episode ends.
        let first = if trajectory.is_empty() { usize::MAX } else { origin.before.len() / dim };
        Ok(Self { start: origin.start, first, actions: [origin.before, trajectory.actions].concat() })
    }

    /// A checksum that identifies the trajectory: 64-bit FNV-1a (Fowler, Noll & Vo).
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
