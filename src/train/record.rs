//! What a training records: a row an iteration, and the summary at its end.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::scorer::ModelCounts;
use crate::train::config::TrainedResult;

/// One row of `metrics.csv`: nothing in it depends on the clock.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// From 1.
    pub iteration: u64,
    /// Environment steps so far.
    pub env_steps: u64,
    /// Comparisons asked so far.
    pub queries: u64,
    /// Of them answered.
    pub answered: u64,
    /// Of them ties.
    pub tied: u64,
    /// Of them abstentions.
    pub abstained: u64,
    /// Mean task return of this iteration's (sampled) trajectories.
    pub return_mean: f64,
    /// Their standard deviation.
    pub return_std: f64,
    /// Their mean length in steps.
    pub length_mean: f64,
    /// Mean over trajectories of their summed scores: the mean win proportion.
    pub score_mean: f64,
    /// Their standard deviation: the spread of win proportions.
    pub score_spread: f64,
    /// Entropy of the policy, in nats.
    pub entropy: f32,
    /// KL(old ‖ new).
    pub approx_kl: f32,
    /// Share of ratios clipped.
    pub clip_fraction: f32,
    /// The clipped surrogate.
    pub policy_loss: f32,
    /// The critic's loss.
    pub value_loss: f32,
    /// Gradient norm before clipping.
    pub grad_norm: f32,
    /// Passes over the data.
    pub epochs: f32,
    /// The price of a nat of entropy.
    #[serde(default)]
    pub temperature: f32,
    /// Cross-entropy of the reward model's fit, in nats a comparison; empty in an iteration without a fit.
    #[serde(default)]
    pub reward_loss: Option<f32>,
    /// Share of held-out comparisons that the reward model predicts right, likewise.
    #[serde(default)]
    pub reward_accuracy: Option<f32>,
    /// The reward model's expected calibration error on held-out comparisons, likewise.
    #[serde(default)]
    pub reward_calibration: Option<f32>,
    /// KL(π ‖ π₀) in nats a step, from the policy that acted to the initial one, at states that it visited.
    #[serde(default)]
    pub kl_to_init: f64,
    /// Where comparisons are split: mean summed reward by the model that the policy is trained on, less what that model gives
    /// on average to as many steps of the trajectories last asked about; in log-odds.
    #[serde(default)]
    pub reward_train_score: Option<f32>,
    /// Likewise by the model of the other half.
    #[serde(default)]
    pub reward_test_score: Option<f32>,
    /// The round of iterated RLHF, from 1; 0 where there are none.
    #[serde(default)]
    pub rlhf_round: u64,
    /// Mean total cost, by the task, of this iteration's trajectories.
    #[serde(default)]
    pub cost_mean: f64,
    /// With a safety oracle: share of these trajectories that are unsafe, by its verdicts, by the cost model or by the
    /// task's own cost, as the scorer has it; empty where none was judged.
    #[serde(default)]
    pub unsafe_share: Option<f64>,
    /// Likewise: λ, the weight of the costs' advantages in this iteration's update.
    #[serde(default)]
    pub multiplier: Option<f64>,
    /// Comparisons asked of the safety oracle so far.
    #[serde(default)]
    pub safety_queries: u64,
    /// Verdicts on single trajectories or segments asked of it so far.
    #[serde(default)]
    pub safety_verdicts: u64,
    /// The cost model's loss, in nats a comparison with its two verdicts; empty in an iteration without a fit.
    #[serde(default)]
    pub cost_loss: Option<f32>,
}

/// Wall-clock seconds of an iteration's phases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// From 1.
    pub iteration: u64,
    /// Stepping and acting.
    pub rollout: f64,
    /// Oracle and win proportions.
    pub score: f64,
    /// The learner.
    pub update: f64,
    /// All of training so far.
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
    /// Comparisons asked.
    pub queries: u64,
    /// Seconds of training.
    pub seconds: f64,
    /// Environment steps a second of training.
    pub steps_per_second: f64,
    /// The run's seed.
    pub seed: u64,
    /// Where the learner computed.
    pub device: String,
    /// The environment.
    pub env: String,
    /// Which policy was evaluated: last, best or average.
    pub result: TrainedResult,
    /// Whether training ended because the budget of comparisons was spent.
    pub budget_spent: bool,
    /// What happened to the reward model, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward_model: Option<ModelCounts>,
    /// Where the oracle is a game over options: total variation between the result and the game's minimax winner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimax_distance: Option<f64>,
    /// Likewise: what a best reply gains against the result, in margins 2P − 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exploitability: Option<f64>,
    /// Where the oracle puts a constraint above all else: the share of evaluation episodes that keep to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraint_kept: Option<f64>,
    /// Where there is a safety oracle: mean total cost, by the task, over the evaluation episodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_cost_mean: Option<f64>,
    /// Likewise: half width of its 95 % interval (Student's t over episodes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_cost_ci95: Option<f64>,
    /// Likewise: share of the evaluation episodes that the oracle takes for unsafe, of those that it judges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_unsafe_share: Option<f64>,
    /// Comparisons and verdicts asked of the safety oracle in training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safety_queries: Option<u64>,
    /// The program's commit, as far as it knows; see [`COMMIT`](crate::train::run::COMMIT).
    #[serde(default)]
    pub commit: Option<String>,
    /// What happened on the way to the oracle's answers since the last start or resumption, counted by kind, such as
    /// `restarts` of a program.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notes: BTreeMap<String, u64>,
}
