//! Scorers: what a learner gets in place of a reward.
//!
//! - [`self_play`]: each trajectory's win proportion, by an oracle's answers. No model.
//! - [`relabelled`]: the same against a queue, for trajectories in replay too.
//! - [`task_reward`]: the task's own reward, as skyline.
//!
//! All stand behind one trait, so methods differ in nothing else.

use crate::oracle::{OracleError, Queries};
use crate::rollout::{Episode, Rollout};

mod ranking;
pub mod relabelled;
pub mod self_play;
pub mod task_reward;

/// One iteration's trajectories, and which random streams to draw from.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The trajectories.
    pub rollout: &'a Rollout,
    /// The run's seed.
    pub seed: u64,
    /// The iteration.
    pub iteration: u64,
}

/// Turns trajectories into scores.
pub trait Scorer: Send {
    /// One score per step, `[Σ T]`, trajectories concatenated in order.
    ///
    /// # Errors
    /// The oracle's.
    fn score(&mut self, batch: &Batch<'_>) -> Result<Vec<f32>, OracleError>;

    /// After [`score`](Self::score), scores of today for all that a replay may still hold, oldest steps first, this
    /// iteration's last; `None` where scores stay what they were.
    ///
    /// # Errors
    /// The oracle's.
    fn rescore(&mut self, _batch: &Batch<'_>) -> Result<Option<Vec<f32>>, OracleError> {
        Ok(None)
    }

    /// What has been asked of the oracle so far.
    fn queries(&self) -> Queries;

    /// What a checkpoint must hold of the scorer.
    ///
    /// # Errors
    /// Where the log of comparisons cannot be made durable.
    fn save(&mut self) -> Result<ScorerState, OracleError>;

    /// Goes on from a checkpoint.
    fn load(&mut self, state: ScorerState);
}

/// A scorer's part of a checkpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScorerState {
    /// Counts of comparisons.
    pub queries: Queries,
    /// Length of the log of comparisons, in bytes.
    pub log_bytes: u64,
    /// The queue of opponents, oldest first; before it, trajectories in replay that are scored anew.
    pub queue: Vec<Episode>,
    /// What is known of these against the queue.
    pub answers: Vec<f32>,
}
