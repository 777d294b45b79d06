//! Scorers: what a learner gets in place of a reward.
//!
//! - [`self_play`]: each trajectory's win proportion, by an oracle's answers. No model.
//! - [`relabelled`]: the same against a queue, for trajectories in replay too.
//! - [`reward_model`]: a reward learned from the same answers, as baseline.
//! - [`llm_direct`]: what a language model rates each trajectory, without comparisons.
//! - [`task_reward`]: the task's own reward, as skyline.
//!
//! All stand behind one trait, so methods differ in nothing else.

use std::fmt;

#[cfg(feature = "burn")]
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[cfg(feature = "burn")]
use crate::device::rollout;
use crate::learner::LearnerState;
use crate::oracle::{OracleError, Queries};
use crate::rollout::{Episode, Rollout};

mod equivalence;
pub mod llm_direct;
pub mod opponents;
mod ranking;
pub mod relabelled;
pub mod reward_model;
pub mod safety;
pub mod self_play;
pub mod task_reward;

/// Which scorer a run uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScorerKind {
    /// Win proportions by the oracle.
    #[default]
    SelfPlay,
    /// A reward model fitted to the oracle's answers, round by round: the baseline.
    RewardModel,
    /// A language model's rating of each trajectory.
    LlmDirect,
    /// The task's reward: the skyline.
    TaskReward,
}

impl ScorerKind {
    /// Its name in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::SelfPlay => "self_play",
            Self::RewardModel => "reward_model",
            Self::LlmDirect => "llm_direct",
            Self::TaskReward => "task_reward",
        }
    }

    /// Its section of a configuration, where it has one.
    pub fn section(self) -> Option<&'static str> {
        match self {
            // A rating is paid out as a win proportion is.
            Self::SelfPlay | Self::LlmDirect => Some("self_play"),
            Self::RewardModel => Some("reward_model"),
            Self::TaskReward => None,
        }
    }

    /// Whether its scores have a known scale, as win proportions and ratings have.
    pub fn known_scale(self) -> bool {
        match self {
            Self::SelfPlay | Self::LlmDirect => true,
            Self::RewardModel | Self::TaskReward => false,
        }
    }
}

impl fmt::Display for ScorerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

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

impl Batch<'_> {
    /// The iteration of trajectories that are scored for validation, past all of training's: nothing is learned from
    /// them.
    pub const VALIDATION: u64 = u64::MAX;
}

/// Turns trajectories into scores.
pub trait Scorer: Send {
    /// One score per step, `[Σ T]`, trajectories concatenated in order.
    ///
    /// # Errors
    /// The oracle's.
    fn score(&mut self, batch: &Batch<'_>) -> Result<Vec<f32>, OracleError>;

    /// The scores of trajectories where they are, on a device, `[N, T]`; `None` where they must come to the host.
    #[cfg(feature = "burn")]
    fn score_on_device(&mut self, _rollout: &resident::Rollout) -> Option<Result<Tensor<2>, OracleError>> {
        None
    }

    /// Gives the next batch opponents of its own, K from each of its states; a scorer that compares nobody takes none.
    fn meet(&mut self, _opponents: Rollout) {}

    /// Gives the next batch what deployed policies did, which it asks about first; a scorer without rounds takes none.
    fn deploy(&mut self, _deployed: Rollout) {}

    /// After [`score`](Self::score), scores of today for all that a replay may still hold, oldest steps first, this
    /// iteration's last; `None` where scores stay what they were.
    ///
    /// # Errors
    /// The oracle's.
    fn rescore(&mut self, _batch: &Batch<'_>) -> Result<Option<Vec<f32>>, OracleError> {
        Ok(None)
    }

    /// Whether the scores of this iteration are the first of another kind, so that values learned from earlier ones
    /// mean nothing.
    fn changed_kind(&self) -> bool {
        false
    }

    /// What has been asked of the oracle so far.
    fn queries(&self) -> Queries;

    /// How the model is, for a scorer that learns one.
    fn model_report(&self) -> Option<ModelReport> {
        None
    }

    /// What this iteration's fit predicts of held-out comparisons, where there was one.
    fn held_out(&self) -> &[HeldOut] {
        &[]
    }

    /// What a checkpoint must hold of the scorer.
    ///
    /// # Errors
    /// Where the log of comparisons cannot be made durable.
    fn save(&mut self) -> Result<ScorerState, OracleError>;

    /// Goes on from a checkpoint of a scorer of the same shape.
    ///
    /// # Errors
    /// Which part does not fit.
    fn load(&mut self, state: ScorerState) -> Result<(), String>;
}

/// How a learned reward model is: counts over the run, and the newest fit where this iteration made one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ModelReport {
    /// Rounds that asked.
    pub rounds: u64,
    /// Of them those that nobody answered.
    pub unanswered: u64,
    /// Networks that diverged and were given fresh weights.
    pub restarts: u64,
    /// Cross-entropy of the fit's last epoch, in nats a comparison.
    pub loss: Option<f32>,
    /// Share of the held-out comparisons predicted right, ties apart.
    pub accuracy: Option<f32>,
    /// Expected calibration error on the held-out comparisons.
    pub calibration: Option<f32>,
    /// Where the comparisons are split: what the model makes of this iteration's trajectories, and the other model.
    pub split: Option<SplitScores>,
}

/// Mean summed rewards of trajectories by the models of both halves of the comparisons: log-odds over a trajectory of the
/// same length that each scores as those about which was asked last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SplitScores {
    /// By the model that the policy is trained on.
    pub train: f32,
    /// By the other.
    pub test: f32,
}

/// A row of `reward_model.csv`: a held-out comparison as a round's fit predicts it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    /// From 1.
    pub round: u64,
    /// Summed predicted rewards of the first segment.
    pub score_a: f64,
    /// Of the second.
    pub score_b: f64,
    /// P(a ≻ b) as the oracle said it.
    pub p_a_wins: f32,
}

impl From<&HeldOut> for reward_model::model::Predicted {
    fn from(row: &HeldOut) -> Self {
        Self { score_a: row.score_a, score_b: row.score_b, p: row.p_a_wins }
    }
}

/// A scorer's part of a checkpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScorerState {
    /// Counts of comparisons.
    pub queries: Queries,
    /// Length of the log of comparisons, in bytes.
    pub log_bytes: u64,
    /// The queue of opponents, oldest first; before it, trajectories in replay that are scored anew. Of a reward model:
    /// the trajectories it keeps.
    pub queue: Vec<Episode>,
    /// What is known of these against the queue.
    pub answers: Vec<f32>,
    /// Weights, moments, answered comparisons and counts of a reward model.
    pub model: Option<LearnerState>,
}
