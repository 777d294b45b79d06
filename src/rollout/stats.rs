//! Figures of one iteration's trajectories.

use super::Rollout;
use crate::base::stats;

/// What an iteration's trajectories were like. The deviations are of the population, the score of a trajectory is the sum of its
/// steps' scores.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RolloutStats {
    /// Mean task return.
    pub return_mean: f64,
    /// Its standard deviation.
    pub return_std: f64,
    /// Mean length, in steps.
    pub length_mean: f64,
    /// Mean score.
    pub score_mean: f64,
    /// Its standard deviation.
    pub score_spread: f64,
    /// Mean total cost, by the task.
    pub cost_mean: f64,
    /// KL(π ‖ π₀) in nats a step, at states that the trajectories visited.
    pub kl_to_init: f64,
}

impl RolloutStats {
    /// Of trajectories on the host, their scores `[Σ T]` and a divergence.
    pub fn new(rollout: &Rollout, scores: &[f32], kl_to_init: f64) -> Self {
        let (returns, totals) = (rollout.returns(), rollout.totals(scores));
        Self {
            return_mean: stats::mean(&returns),
            return_std: stats::std_dev(&returns),
            length_mean: rollout.steps() as f64 / rollout.episodes.len() as f64,
            score_mean: stats::mean(&totals),
            score_spread: stats::std_dev(&totals),
            cost_mean: stats::mean(&rollout.total_costs()),
            kl_to_init,
        }
    }
}
