//! Rejection sampling: the best of several trajectories from each state, by a reward (a baseline of Bai et al. 2022).
//!
//! It needs no training. A policy trained on the same reward should beat it.

use serde::Serialize;

use spo::base::stats;
use spo::policy::{Acting, Policy};
use spo::rollout::{self, EnvFactory, Phase, Request, Rollout};
use spo::train::{TrainError, Trainer};

/// The ranking of the trajectories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RankedBy {
    /// The run's reward model, from its latest checkpoint.
    RewardModel,
    /// The task's own reward: the upper limit of any ranking.
    TrueReturn,
}

/// The returns of the best trajectories, and of all.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BestOf {
    /// N, the number of trajectories from each state.
    pub best_of: usize,
    /// The ranking.
    pub ranked_by: RankedBy,
    /// Mean task return of the best of N, over the states.
    pub best_return_mean: f64,
    /// Half width of its 95 % interval (Student's t over states).
    pub best_return_ci95: f64,
    /// Mean task return of all samples.
    pub sampled_return_mean: f64,
}

/// Samples `count` trajectories from each of `states` states, and takes the best of each by the reward model of `judge`,
/// or by the true return if there is none.
///
/// # Errors
/// The task's error.
pub fn best_of(
    policies: &[Policy],
    factory: &EnvFactory,
    judge: Option<&mut Trainer>,
    (seed, states, count): (u64, usize, usize),
) -> Result<BestOf, TrainError> {
    let request = Request {
        seed,
        phase: Phase::Evaluate,
        iteration: 0,
        states,
        per_state: count,
        acting: Acting::Sample,
    };
    let rollout = rollout::collect(policies, factory, &request)?;
    let returns = rollout.returns();
    let (ranked_by, worth) = match judge {
        Some(judge) => (RankedBy::RewardModel, judge.judge(&rollout)?),
        None => (RankedBy::TrueReturn, returns.clone()),
    };
    let best = picked(&rollout, &worth, &returns);
    Ok(BestOf {
        best_of: count,
        ranked_by,
        best_return_mean: stats::mean(&best),
        best_return_ci95: stats::ci95(&best),
        sampled_return_mean: stats::mean(&returns),
    })
}

/// The return of each state's trajectory with the highest score; the first one if several are equal.
fn picked(rollout: &Rollout, worth: &[f64], returns: &[f64]) -> Vec<f64> {
    let first_best = |group: &[f64]| (1..group.len()).fold(0, |b, i| if group[i] > group[b] { i } else { b });
    let groups = worth.chunks(rollout.per_state).zip(returns.chunks(rollout.per_state));
    groups.map(|(worth, returns)| returns[first_best(worth)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_gives_the_return_of_the_trajectory_with_the_highest_score() {
        let rollout = Rollout { episodes: Vec::new(), per_state: 3 };
        let (worth, returns) = ([0.1, 0.9, 0.9, 5.0, -1.0, 2.0], [10.0, 20.0, 30.0, 1.0, 2.0, 3.0]);
        assert_eq!(picked(&rollout, &worth, &returns), [20.0, 1.0]);
        assert_eq!(picked(&rollout, &returns, &returns), [30.0, 3.0]);
    }
}
