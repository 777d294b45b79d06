//! Scorers make the scores that replace the reward for the learner.
//!
//! - [`self_play`]: the win proportion of each trajectory, from an oracle's answers. It needs no model.
//! - [`relabelled`]: the same against a queue of opponents, with new scores for the trajectories in a replay buffer.
//! - [`reward_model`]: a reward model that is fitted to the same kind of answers; a baseline.
//! - [`llm_direct`]: a language model's rating of each trajectory, without comparisons.
//! - [`task_reward`]: the task's own reward; the skyline, which comparisons are measured against.
//!
//! [`safety`] adds the costs of trajectories, judged by a second oracle, and the weight of these costs.
//!
//! All scorers implement the trait [`Scorer`], so runs with different methods are the same in everything else.

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
    /// Win proportions from the oracle's answers.
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

    /// Its section of a configuration, if it has one.
    pub fn section(self) -> Option<&'static str> {
        match self {
            // A rating is divided among the steps like a win proportion.
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

    /// What it gets from `oracle`, in words.
    pub fn signal(self, oracle: &str) -> String {
        match self {
            Self::SelfPlay => format!("comparisons by `{oracle}`"),
            Self::RewardModel => format!("a reward model of comparisons by `{oracle}`"),
            Self::LlmDirect => format!("ratings by `{oracle}`"),
            Self::TaskReward => "the task reward (skyline)".into(),
        }
    }

    /// Whether its scores have a known scale. Win proportions and ratings have one.
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

/// The purpose that trajectories are scored for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// For the update of an iteration.
    Training {
        /// The iteration, from 0.
        iteration: u64,
    },
    /// For a choice among policies. The scorer learns nothing from these trajectories.
    Validation,
}

/// Trajectories to score, and everything that their scores depend on. `R` is the type of the trajectories: on the host or on a
/// device.
#[derive(Debug)]
pub struct Batch<'a, R = Rollout> {
    /// The trajectories.
    pub rollout: &'a R,
    /// Opponents from a rollout of their own, K from each of the same initial states. Each trajectory is compared with those from
    /// its state instead of the scorer's own opponents. A scorer that makes no comparisons ignores them.
    pub opponents: Option<&'a Rollout>,
    /// Trajectories of deployed policies, if this iteration begins a round of RLHF: a reward model queries comparisons of these.
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

    /// Trajectories that a choice among policies is based on.
    pub fn validation(rollout: &'a R, seed: u64) -> Self {
        Self { rollout, opponents: None, deployed: None, seed, purpose: Purpose::Validation }
    }

    /// The same batch with its trajectories in another place.
    pub fn with_rollout<'b, T>(&self, rollout: &'b T) -> Batch<'b, T>
    where
        'a: 'b,
    {
        let Self { opponents, deployed, seed, purpose, .. } = *self;
        Batch { rollout, opponents, deployed, seed, purpose }
    }

    /// The random stream `name` of this batch; `index` distinguishes several uses of it.
    pub fn stream(&self, name: Stream, index: u64) -> ChaCha8Rng {
        let iteration = match self.purpose {
            Purpose::Training { iteration } => iteration,
            // Beyond all iterations of training.
            Purpose::Validation => u64::MAX,
        };
        stream(self.seed, name, iteration, index)
    }

    /// Whether these trajectories only serve a choice among policies.
    pub fn is_validation(&self) -> bool {
        self.purpose == Purpose::Validation
    }
}

/// The scores of a batch, and what is reported with them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scored {
    /// One score for each step, `[Σ T]`, the trajectories one after the other.
    pub scores: Vec<f32>,
    /// New scores for every step that the replay buffer may still hold, oldest first, ending with this batch's. `None` if the
    /// scores of past steps have not changed.
    pub renewed: Option<Vec<f32>>,
    /// Whether these scores are the first on another scale, so that values learned from earlier scores are useless.
    pub reward_scale_changed: bool,
    /// The state of the scorer's model, if it learns one.
    pub model: Option<ModelReport>,
    /// What the model predicts of held-out comparisons, if it was fitted on this batch.
    pub held_out: Vec<HeldOut>,
}

impl From<Vec<f32>> for Scored {
    /// Only scores.
    fn from(scores: Vec<f32>) -> Self {
        Self { scores, ..Self::default() }
    }
}

/// Turns trajectories into scores.
pub trait Scorer: Send {
    /// The scores of a batch. If the batch is for training, the scorer may store what later batches need, such as opponents.
    ///
    /// # Errors
    /// The oracle's.
    fn score(&mut self, batch: &Batch<'_>) -> Result<Scored, OracleError>;

    /// Counts of the queries to the oracle so far.
    fn queries(&self) -> Queries;

    /// The scorer's part of a checkpoint.
    ///
    /// # Errors
    /// If the log of comparisons cannot be synced to disk.
    fn save(&mut self) -> Result<ScorerState, OracleError>;

    /// Continues from a checkpoint of a scorer of the same shape.
    ///
    /// # Errors
    /// A message that names the part that does not fit.
    fn load(&mut self, state: ScorerState) -> Result<(), String>;
}

/// Counts of a reward model over a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelCounts {
    /// Rounds of comparisons.
    pub rounds: u64,
    /// Rounds without a single answer, which did not change the model.
    pub unanswered: u64,
    /// Networks that diverged and were reset to fresh weights.
    pub restarts: u64,
}

/// The state of a learned reward model: counts over the run, and the newest fit if this iteration made one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ModelReport {
    /// Counts over the run.
    pub counts: ModelCounts,
    /// Cross-entropy of the fit's last epoch, in nats per comparison.
    pub loss: Option<f32>,
    /// Share of the held-out comparisons that are predicted correctly, without ties.
    pub accuracy: Option<f32>,
    /// Expected calibration error on the held-out comparisons.
    pub calibration: Option<f32>,
    /// With `split`: scores of this iteration's trajectories by this model and by the second model.
    pub split: Option<SplitScores>,
}

/// Mean summed rewards of trajectories by the models of both halves of the comparisons. They are log-odds against a trajectory of
/// the same length whose steps have the mean reward, by the same model, of the trajectories that were compared last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SplitScores {
    /// The score by the model that the policy is trained on.
    pub train: f32,
    /// The score by the second model.
    pub test: f32,
}

/// A row of `reward_model.csv`: the prediction of a held-out comparison by a round's fit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    /// The round, from 1.
    pub round: u64,
    /// Summed predicted rewards of the first segment.
    pub score_a: f64,
    /// Summed predicted rewards of the second segment.
    pub score_b: f64,
    /// P(a ≻ b), the oracle's answer.
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
    /// Counts of the queries.
    pub queries: Queries,
    /// Length of the log of comparisons, in bytes.
    pub log_bytes: u64,
    /// The trajectories that the scorer stores, oldest first. Self-play stores its queue of opponents or, with optimism, the
    /// trajectories of the previous iteration. With relabelling it stores all that are in the replay buffer; the last ones are the
    /// queue. A reward model stores those that it may compare.
    pub episodes: Vec<Episode>,
    /// Known answers about these trajectories against the queue.
    pub answers: Vec<f32>,
    /// Weights, moments, answered comparisons and counts of a reward model.
    pub model: Option<LearnerState>,
}
