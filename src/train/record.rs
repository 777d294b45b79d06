//! What a run records: a row for each iteration, and a summary at its end.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::scorer::ModelCounts;
use crate::train::config::TrainedResult;

/// One row of `metrics.csv`. It does not depend on the clock, so the same seed gives the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The iteration, from 1.
    pub iteration: u64,
    /// Environment steps so far.
    pub env_steps: u64,
    /// Comparisons queried so far.
    pub queries: u64,
    /// How many of them were answered.
    pub answered: u64,
    /// How many of them were ties.
    pub tied: u64,
    /// How many of them were abstentions.
    pub abstained: u64,
    /// Mean task return of this iteration's trajectories, whose actions are sampled.
    pub return_mean: f64,
    /// Their standard deviation.
    pub return_std: f64,
    /// Their mean length in steps.
    pub length_mean: f64,
    /// Mean over trajectories of their summed scores. For self-play this is the mean win proportion.
    pub score_mean: f64,
    /// Standard deviation of their summed scores. For self-play this is the spread of win proportions.
    pub score_spread: f64,
    /// Entropy of the policy, in nats.
    pub entropy: f32,
    /// KL(old ‖ new) of the update, in nats.
    pub approx_kl: f32,
    /// PPO: share of the probability ratios that were clipped.
    pub clip_fraction: f32,
    /// The policy's loss.
    pub policy_loss: f32,
    /// The critic's loss.
    pub value_loss: f32,
    /// Gradient norm before clipping.
    pub grad_norm: f32,
    /// Passes over the data.
    pub epochs: f32,
    /// SAC: the temperature α, the weight of a nat of entropy.
    #[serde(default)]
    pub temperature: f32,
    /// Cross-entropy of the reward model's fit, in nats per comparison; empty in an iteration without a fit.
    #[serde(default)]
    pub reward_loss: Option<f32>,
    /// Share of held-out comparisons that the reward model predicts correctly; empty in an iteration without a fit.
    #[serde(default)]
    pub reward_accuracy: Option<f32>,
    /// Expected calibration error of the reward model on held-out comparisons; empty in an iteration without a fit.
    #[serde(default)]
    pub reward_calibration: Option<f32>,
    /// KL(π ‖ π₀) in nats per step, of the policy π that acted and the reference policy π₀, at the states that π visited.
    #[serde(default)]
    pub kl_to_init: f64,
    /// With `reward_model.split`: mean summed reward by the model that the policy is trained on, in log-odds. The average reward
    /// of as many steps of the trajectories that were last compared, by the same model, is subtracted.
    #[serde(default)]
    pub reward_train_score: Option<f32>,
    /// The same by the model of the other half of the comparisons.
    #[serde(default)]
    pub reward_test_score: Option<f32>,
    /// The round of iterated RLHF, from 1; 0 if the run does not use rounds.
    #[serde(default)]
    pub rlhf_round: u64,
    /// Mean total cost of this iteration's trajectories, as the task reports it.
    #[serde(default)]
    pub cost_mean: f64,
    /// With a safety oracle: share of these trajectories that are unsafe. With self-play the oracle judges them, with a reward
    /// model the cost model, with the task's reward its own cost. Empty if no trajectory was judged.
    #[serde(default)]
    pub unsafe_share: Option<f64>,
    /// With a safety oracle: λ, the weight of the costs' advantages in this iteration's update.
    #[serde(default)]
    pub multiplier: Option<f64>,
    /// Comparisons queried from the safety oracle so far.
    #[serde(default)]
    pub safety_queries: u64,
    /// Verdicts on single trajectories or segments queried from the safety oracle so far.
    #[serde(default)]
    pub safety_verdicts: u64,
    /// The cost model's loss, in nats per comparison with its two verdicts; empty in an iteration without a fit.
    #[serde(default)]
    pub cost_loss: Option<f32>,
}

/// Wall-clock seconds of an iteration's phases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// The iteration, from 1.
    pub iteration: u64,
    /// The rollout: stepping environments and choosing actions.
    pub rollout: f64,
    /// The oracle and the scores.
    pub score: f64,
    /// The learner's update.
    pub update: f64,
    /// Seconds of training so far, other work included.
    pub seconds: f64,
}

/// How well the trained result does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Mean task return over the evaluation episodes.
    pub eval_return_mean: f64,
    /// Half width of its 95 % interval (Student's t over episodes).
    pub eval_return_ci95: f64,
    /// Evaluation episodes.
    pub eval_episodes: usize,
    /// Environment steps of training.
    pub env_steps: u64,
    /// Comparisons queried in training.
    pub queries: u64,
    /// Seconds of training.
    pub seconds: f64,
    /// Environment steps per second of training.
    pub steps_per_second: f64,
    /// The run's seed.
    pub seed: u64,
    /// The device that the learner computed on.
    pub device: String,
    /// The environment.
    pub env: String,
    /// Which policy was evaluated: last, best or average.
    pub result: TrainedResult,
    /// Whether training ended because the budget of comparisons was used up.
    pub budget_spent: bool,
    /// Counts of the reward model, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward_model: Option<ModelCounts>,
    /// If the oracle is a game over options: total variation distance between the result and the game's minimax winner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimax_distance: Option<f64>,
    /// If the oracle is a game over options: the margin 2P − 1 of a best response against the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exploitability: Option<f64>,
    /// If the oracle has a constraint on trajectories: the share of evaluation episodes that keep to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraint_kept: Option<f64>,
    /// With a safety oracle: mean total cost of the evaluation episodes, as the task reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_cost_mean: Option<f64>,
    /// Half width of its 95 % interval (Student's t over episodes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_cost_ci95: Option<f64>,
    /// With a safety oracle: share of the judged evaluation episodes that it judges unsafe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_unsafe_share: Option<f64>,
    /// Comparisons and verdicts queried from the safety oracle in training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safety_queries: Option<u64>,
    /// The commit that the program was built from, if known; see [`COMMIT`](crate::train::run::COMMIT).
    #[serde(default)]
    pub commit: Option<String>,
    /// The oracle's events since the run was started or resumed, counted by kind, such as `restarts` of a judge program.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notes: BTreeMap<String, u64>,
}
