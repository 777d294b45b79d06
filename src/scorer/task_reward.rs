//! The skyline: the task's own reward.

use super::{Batch, Scored, Scorer, ScorerState};
use crate::oracle::{OracleError, Queries};

/// The score of each step is its task reward, as in ordinary reinforcement learning. It does not use the oracle.
pub struct TaskReward;

impl Scorer for TaskReward {
    fn score(&mut self, batch: &Batch<'_>) -> Result<Scored, OracleError> {
        let rewards: Vec<f32> = batch.rollout.episodes.iter().flat_map(|e| &e.rewards).copied().collect();
        Ok(rewards.into())
    }

    fn queries(&self) -> Queries {
        Queries::default()
    }

    fn save(&mut self) -> Result<ScorerState, OracleError> {
        Ok(ScorerState::default())
    }

    fn load(&mut self, _: ScorerState) -> Result<(), String> {
        Ok(())
    }
}
