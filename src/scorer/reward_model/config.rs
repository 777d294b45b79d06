//! The reward model's section of a configuration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::Output;
use super::queries::Sampling;
use super::schedule::{Schedule, Shape};

/// How a reward model is fitted, and which comparisons it is fitted to. The defaults were chosen on Pendulum; the models
/// of B-Pref and of imitation are `configs/reward_*.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RewardModelConfig {
    /// Steps in a compared segment, which may begin anywhere; 0 compares whole trajectories.
    pub segment_length: usize,
    /// Widths of the hidden layers.
    #[schemars(inner(range(min = 1, max = 16384)), extend("source" = "B-Pref: three of 256; imitation: two of 32"))]
    pub hidden_sizes: Vec<usize>,
    /// Networks in the ensemble, whose mean is the reward.
    #[schemars(range(min = 1, max = 100), extend("source" = "B-Pref: 3; imitation: 5"))]
    pub ensemble_size: usize,
    /// What bounds a predicted reward.
    #[schemars(extend("source" = "B-Pref: tanh; imitation: linear"))]
    pub output: Output,
    /// Differences of summed rewards are cut to plus or minus this in the loss; 0 cuts nothing.
    #[schemars(range(min = 0), extend("source" = "imitation: 50"))]
    pub logit_clip: f32,
    /// Weight of the mean square of summed rewards in the loss.
    #[schemars(range(min = 0), extend("source" = "Dai et al. 2023: 0.001"))]
    pub regularization_coef: f32,
    /// Whether the model's inputs are normalised by running statistics.
    #[schemars(extend("source" = "imitation: true; B-Pref: false"))]
    pub normalize_inputs: bool,
    /// Whether scores are predicted rewards minus their mean, divided by their spread, both on recent trajectories.
    #[schemars(extend("source" = "Christiano et al. 2017, section 2.2.1; imitation: true; B-Pref: false"))]
    pub standardize_rewards: bool,
    /// Adam's step size.
    #[schemars(extend("exclusiveMinimum" = 0), extend("source" = "B-Pref: 0.0003; imitation: 0.001"))]
    pub learning_rate: f64,
    /// Comparisons in a minibatch.
    #[schemars(range(min = 1), extend("source" = "B-Pref: 128; imitation: 32"))]
    pub minibatch_size: usize,
    /// Largest number of passes over the kept comparisons in a fit.
    #[schemars(range(min = 1), extend("source" = "B-Pref: 200; imitation: 3"))]
    pub epochs: usize,
    /// Largest number of passes in the first fit; 0 means as many as in the others.
    #[schemars(extend("source" = "imitation: 200 times as many"))]
    pub first_epochs: usize,
    /// A fit stops after a pass that predicts more than this share of the comparisons correctly; 1 never stops it.
    #[schemars(extend("exclusiveMinimum" = 0), extend("maximum" = 1), extend("source" = "B-Pref: 0.97"))]
    pub stop_accuracy: f32,
    /// Whether every fit starts from fresh weights.
    pub restart: bool,
    /// Largest number of comparisons kept, the newest.
    #[schemars(range(min = 1))]
    pub dataset_size: usize,
    /// Share of the answers that are held out, for accuracy and calibration.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub held_out_share: f32,
    /// Iterations from one round of comparisons to the next.
    #[schemars(range(min = 1), extend("source" = "B-Pref: 5000 steps"))]
    pub fit_every: u64,
    /// Which pairs of segments are compared.
    pub query_sampling: Sampling,
    /// Comparisons in a round until the budget is spent; 0 spreads the budget over the run, or asks one per trajectory
    /// where there is no budget.
    #[schemars(range(max = 100000), extend("source" = "B-Pref: 128"))]
    pub queries_per_round: u64,
    /// How the budget is spread over the run.
    #[schemars(extend("source" = "imitation: hyperbolic"))]
    pub query_schedule: Shape,
    /// Share of the budget that the first round asks beforehand.
    #[schemars(range(min = 0, max = 1), extend("source" = "imitation: 0.1"))]
    pub query_first_share: f32,
    /// Steps before the first round, which are scored by how far a state lies from those seen.
    #[schemars(extend("source" = "PEBBLE"))]
    pub pretrain_steps: u64,
    /// Whether every fit's predictions of the held-out comparisons are written to `reward_model.csv`.
    pub log_predictions: bool,
    /// R, rounds of iterated online RLHF, equal parts of the run's steps. Each round deploys the newest policies, asks its
    /// share of the budget about their trajectories, fits the model from fresh weights to all answers so far, and trains
    /// the policy from the reference policy again. 1 asks everything about the reference policy; 0 follows the keys above.
    #[schemars(extend("source" = "Bai et al. 2022, section 4.5"))]
    pub rlhf_rounds: u64,
    /// In rounds: how many policies of the last round are deployed at once, each for an iteration's trajectories.
    #[schemars(range(min = 1, max = 1000))]
    pub deployed_policies: usize,
    /// In rounds: whether the model learns from half of the comparisons and a second model from the others. `metrics.csv`
    /// then has what both predict of the policy's trajectories.
    #[schemars(extend("source" = "Bai et al. 2022, section 4.2"))]
    pub split: bool,
}

impl Default for RewardModelConfig {
    fn default() -> Self {
        Self {
            segment_length: 10,
            hidden_sizes: vec![64, 64],
            ensemble_size: 1,
            output: Output::Linear,
            logit_clip: 0.0,
            regularization_coef: 0.0,
            normalize_inputs: true,
            standardize_rewards: true,
            learning_rate: 1e-3,
            minibatch_size: 64,
            epochs: 10,
            first_epochs: 0,
            stop_accuracy: 0.97,
            restart: false,
            dataset_size: 5_000,
            held_out_share: 0.1,
            fit_every: 1,
            query_sampling: Sampling::Uniform,
            queries_per_round: 0,
            query_schedule: Shape::Constant,
            query_first_share: 0.0,
            pretrain_steps: 0,
            log_predictions: false,
            rlhf_rounds: 0,
            deployed_policies: 4,
            split: false,
        }
    }
}

/// What a run gives a [`Schedule`]: its sizes and its budget.
#[derive(Clone, Copy, Debug)]
pub struct RunSize {
    /// Trajectories in an iteration.
    pub trajectories: u64,
    /// Most steps of a trajectory.
    pub horizon: u64,
    /// Steps of the run.
    pub total_steps: u64,
    /// Most comparisons of the run, if there is a limit.
    pub budget: Option<u64>,
}

impl RewardModelConfig {
    /// The keys that rounds of RLHF, which have a schedule of their own, do not read.
    pub const SCHEDULE_KEYS: [&str; 6] = [
        "fit_every",
        "restart",
        "queries_per_round",
        "query_schedule",
        "query_first_share",
        "pretrain_steps",
    ];

    /// Which pairs are compared, in words.
    pub fn pairs(&self) -> String {
        let unit = match self.segment_length {
            0 => "whole trajectories".to_string(),
            steps => format!("segments of {steps} steps"),
        };
        let how = match self.query_sampling {
            Sampling::Uniform => "at random",
            Sampling::Disagreement => "by the largest disagreement of the ensemble",
            Sampling::Entropy => "by the largest uncertainty of the model",
        };
        format!("{unit} from any two recent trajectories, beginning at any step, chosen {how}")
    }

    /// Whether a fit starts from fresh weights.
    pub(super) fn restarts(&self) -> bool {
        self.restart || self.rlhf_rounds > 0
    }

    /// Most passes over the comparisons, in the first fit or in a later one. A fit from fresh weights in a round of RLHF is
    /// always a first one.
    pub(super) fn passes(&self, first: bool) -> usize {
        match self.first_epochs {
            0 => self.epochs,
            most if first || self.rlhf_rounds > 0 => most,
            _ => self.epochs,
        }
    }

    /// When to ask, and how many comparisons.
    pub fn schedule(&self, run: RunSize) -> Schedule {
        Schedule {
            shape: self.query_schedule,
            first_share: f64::from(self.query_first_share),
            per_round: Some(self.queries_per_round).filter(|&n| n > 0),
            every: self.fit_every,
            budget: run.budget,
            trajectories: run.trajectories,
            iteration_steps: run.trajectories * run.horizon,
            total_steps: run.total_steps,
            pretrain_steps: self.pretrain_steps,
            rounds: self.rlhf_rounds,
        }
    }
}
