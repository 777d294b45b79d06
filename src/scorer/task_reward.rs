//! The skyline: the task's own reward.

use super::{Batch, Scorer, ScorerState};
use crate::oracle::{OracleError, Queries};

/// Scores each step by its task reward, as ordinary reinforcement learning does. Asks nobody.
pub struct TaskReward;

impl Scorer for TaskReward {
    fn score(&mut self, batch: &Batch<'_>) -> Result<Vec<f32>, OracleError> {
        Ok(batch.rollout.episodes.iter().flat_map(|e| &e.rewards).copied().collect())
    }

    #[cfg(feature = "burn")]
    fn score_on_device(
        &mut self,
        rollout: &crate::device::rollout::Rollout,
    ) -> Option<Result<burn::tensor::Tensor<2>, OracleError>> {
        Some(Ok(rollout.rewards.clone()))
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
