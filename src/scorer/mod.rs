//! Scorers: what a learner gets in place of a reward.
//!
//! - [`self_play`]: each trajectory's win proportion, by an oracle's answers. No model.
//! - [`relabelled`]: the same against a queue, with new scores for trajectories in replay.
//! - [`reward_model`]: a reward learned from the same answers, as baseline.
//! - [`llm_direct`]: a language model's rating of each trajectory, without comparisons.
//! - [`task_reward`]: the task's own reward, as skyline.
//!
//! - [`safety`]: what trajectories cost, by a second oracle, and the price of that.
//!
//! All stand behind one trait, so methods differ in nothing else.

use std::fmt;

use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::random::{Stream, stream};
use crate::oracle::{OracleError, Queries};
use crate::policy::state::LearnerState;
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

    /// What a policy is trained on, in words.
    pub fn description(self) -> &'static str {
        match self {
            Self::SelfPlay => "self-play: win proportions by the oracle's answers",
            Self::RewardModel => "a reward model fitted to the oracle's answers",
            Self::LlmDirect => "a language model's ratings",
            Self::TaskReward => "the task's own reward: a skyline",
        }
    }

    /// What `oracle` gives it, in words.
    pub fn signal(self, oracle: &str) -> String {
        match self {
            Self::SelfPlay => format!("comparisons by `{oracle}`"),
            Self::RewardModel => format!("a reward model of comparisons by `{oracle}`"),
            Self::LlmDirect => format!("ratings by `{oracle}`"),
            Self::TaskReward => "the task reward (skyline)".into(),
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

/// What trajectories are scored for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// For the update of an iteration.
    Training {
        /// The iteration, from 0.
        iteration: u64,
    },
    /// For a choice among policies: nothing is learned from them.
    Validation,
}

/// Trajectories to score, and everything that their scores depend on. `R` is where they are: on the host, or on a device.
#[derive(Debug)]
pub struct Batch<'a, R = Rollout> {
    /// The trajectories.
    pub rollout: &'a R,
    /// Opponents rolled out apart, K from each of the same initial states: each trajectory is compared with those of its state,
    /// in place of the scorer's own opponents. A scorer that compares nothing has no use for them.
    pub opponents: Option<&'a Rollout>,
    /// Trajectories of deployed policies, where this iteration begins a round of RLHF: a reward model asks about these.
    pub deployed: Option<&'a Rollout>,
    /// The run's seed.
    pub seed: u64,
    /// What the scores are for.
    pub purpose: Purpose,
}

impl<'a, R> Batch<'a, R> {
    /// The trajectories of a training iteration, from 0.
    pub fn training(rollout: &'a R, seed: u64, iteration: u64) -> Self {
        Self { rollout, opponents: None, deployed: None, seed, purpose: Purpose::Training { iteration } }
    }

    /// Trajectories to choose among policies by.
    pub fn validation(rollout: &'a R, seed: u64) -> Self {
        Self { rollout, opponents: None, deployed: None, seed, purpose: Purpose::Validation }
    }

    /// The same questions about the same trajectories elsewhere.
    pub fn with_rollout<'b, T>(&self, rollout: &'b T) -> Batch<'b, T>
    where
        'a: 'b,
    {
        let Self { opponents, deployed, seed, purpose, .. } = *self;
        Batch { rollout, opponents, deployed, seed, purpose }
    }

    /// The random stream `name` of this batch; `index` tells several uses of it apart.
    pub fn stream(&self, name: Stream, index: u64) -> ChaCha8Rng {
        let iteration = match self.purpose {
            Purpose::Training { iteration } => iteration,
            // Past all iterations of training.
            Purpose::Validation => u64::MAX,
        };
        stream(self.seed, name, iteration, index)
    }

    /// Whether nothing is learned from these trajectories.
    pub fn is_validation(&self) -> bool {
        self.purpose == Purpose::Validation
    }
}

/// The scores of a batch, and what is reported beside them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scored {
    /// One score a step, `[Σ T]`, trajectories one after the other.
    pub scores: Vec<f32>,
    /// Scores of today for every step that a replay may still hold, oldest first and ending with this batch's; `None` where the
    /// scores of past steps stay as they were.
    pub renewed: Option<Vec<f32>>,
    /// Whether these scores are the first on another scale, so that values learned from earlier ones mean nothing.
    pub reward_scale_changed: bool,
    /// The state of the model, of a scorer that learns one.
    pub model: Option<ModelReport>,
    /// What this batch's fit predicts of held-out comparisons, where there was a fit.
    pub held_out: Vec<HeldOut>,
}

impl From<Vec<f32>> for Scored {
    /// Scores and nothing else.
    fn from(scores: Vec<f32>) -> Self {
        Self { scores, ..Self::default() }
    }
}

/// Turns trajectories into scores.
pub trait Scorer: Send {
    /// The scores of a batch. Of a batch for training the scorer may keep what later batches need, such as opponents.
    ///
    /// # Errors
    /// The oracle's.
    fn score(&mut self, batch: &Batch<'_>) -> Result<Scored, OracleError>;

    /// What has been asked of the oracle so far.
    fn queries(&self) -> Queries;

    /// Everything that a checkpoint must hold of the scorer.
    ///
    /// # Errors
    /// If the log of comparisons cannot be made durable.
    fn save(&mut self) -> Result<ScorerState, OracleError>;

    /// Continues from a checkpoint of a scorer of the same shape.
    ///
    /// # Errors
    /// Which part does not fit.
    fn load(&mut self, state: ScorerState) -> Result<(), String>;
}

/// Counts of a reward model over a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelCounts {
    /// Rounds of comparisons.
    pub rounds: u64,
    /// Of them those without a single answer, after which the model stayed as it was.
    pub unanswered: u64,
    /// Networks that diverged and were given fresh weights.
    pub restarts: u64,
}

/// The state of a learned reward model: counts over the run, and the newest fit where this iteration made one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ModelReport {
    /// Over the run.
    pub counts: ModelCounts,
    /// Cross-entropy of the fit's last epoch, in nats a comparison.
    pub loss: Option<f32>,
    /// Share of the held-out comparisons predicted right, ties apart.
    pub accuracy: Option<f32>,
    /// Expected calibration error on the held-out comparisons.
    pub calibration: Option<f32>,
    /// Where the comparisons are split: scores of this iteration's trajectories by this model and by the other.
    pub split: Option<SplitScores>,
}

/// Mean summed rewards of trajectories by the models of both halves of the comparisons: log-odds over a trajectory of the
/// same length that scores, by the same model, as those asked about last.
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
    /// The trajectories that the scorer keeps, oldest first: of self-play its queue of opponents or, with optimism, the
    /// previous iteration's; of a replay that is scored again all of it, ending with the queue; of a reward model those that it
    /// asks about.
    pub episodes: Vec<Episode>,
    /// Known answers about these against the queue.
    pub answers: Vec<f32>,
    /// Weights, moments, answered comparisons and counts of a reward model.
    pub model: Option<LearnerState>,
}
