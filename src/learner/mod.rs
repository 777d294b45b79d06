//! Learners improve a policy from the scores of its trajectories.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::{Acting, Policy};
use crate::rollout::steps::per_episode;
use crate::rollout::{Episode, Rollout};

pub mod advantage;
pub mod ars;
pub mod ppo;
pub mod sac;

pub use crate::policy::state::LearnerState;

/// Which learner a run uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LearnerKind {
    /// Proximal policy optimisation: on-policy.
    #[default]
    Ppo,
    /// Soft actor-critic: off-policy, continuous actions only.
    Sac,
    /// Augmented random search: noise in the weights, for whole trajectories; continuous actions only.
    Ars,
}

impl LearnerKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ppo, Self::Sac, Self::Ars];

    /// Its name, which is also the name of its section of a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ppo => "ppo",
            Self::Sac => "sac",
            Self::Ars => "ars",
        }
    }
}

impl fmt::Display for LearnerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An episode as a learner sees it, without the task's reward and cost.
#[derive(Clone, Copy, Debug)]
pub struct Experience<'a> {
    /// `[T, obs_dim]`, as the task gave them.
    pub obs: &'a [f32],
    /// `[obs_dim]`.
    pub final_obs: &'a [f32],
    /// `[T, action_dim]`.
    pub latents: &'a [f32],
    /// `[T]`.
    pub log_probs: &'a [f32],
    /// Whether the task ended the episode, and not its time limit.
    pub terminated: bool,
}

/// The episodes of one iteration. Scores have the same order.
#[derive(Clone, Debug)]
pub struct LearnerBatch<'a> {
    /// The episodes; those from one initial state follow each other.
    pub episodes: Vec<Experience<'a>>,
    /// K, trajectories per initial state.
    pub per_state: usize,
}

impl<'a> LearnerBatch<'a> {
    /// The number of steps of each episode.
    fn lengths(&self) -> impl Iterator<Item = usize> {
        self.episodes.iter().map(|e| e.log_probs.len())
    }

    /// Each episode with its part of a list of numbers for all steps, `[Σ T]`.
    fn with<'s>(&'s self, signal: &'s [f32]) -> Vec<(&'s Experience<'a>, &'s [f32])> {
        self.episodes.iter().zip(per_episode(signal, self.lengths())).collect()
    }

    /// The sum of such a list over each episode.
    fn totals(&self, signal: &[f32]) -> Vec<f32> {
        per_episode(signal, self.lengths()).map(|own| own.iter().sum()).collect()
    }
}

impl<'a> From<&'a Rollout> for LearnerBatch<'a> {
    fn from(rollout: &'a Rollout) -> Self {
        let view = |e: &'a Episode| Experience {
            obs: &e.obs,
            final_obs: &e.final_obs,
            latents: &e.latents,
            log_probs: &e.log_probs,
            terminated: e.terminated,
        };
        Self { episodes: rollout.episodes.iter().map(view).collect(), per_state: rollout.per_state }
    }
}

/// The costs of an iteration's steps, and their weight.
#[derive(Clone, Copy, Debug)]
pub struct Costs<'a> {
    /// The cost of each step, `[Σ T]`: less is better.
    pub scores: &'a [f32],
    /// λ, the weight of the costs' advantages beside that of the scores'.
    pub multiplier: f32,
}

/// Everything that an update learns from.
#[derive(Clone, Copy, Debug)]
pub struct UpdateInput<'a> {
    /// The iteration's steps.
    pub batch: &'a LearnerBatch<'a>,
    /// Their scores, `[Σ T]`.
    pub scores: &'a [f32],
    /// The costs of the steps, in training with safety.
    pub costs: Option<Costs<'a>>,
    /// New scores of the steps before this batch, oldest first; the last is of the step just before the batch. `None` if those
    /// scores have not changed. Only a learner with a replay buffer needs them.
    pub replay_scores: Option<&'a [f32]>,
    /// Whether the scores have another scale than before, so that a critic that learns from replayed steps must start from fresh
    /// weights. The policy stays.
    pub reset_critics: bool,
    /// Random streams and progress.
    pub context: UpdateContext,
}

impl<'a> UpdateInput<'a> {
    /// An update from only steps and their scores.
    pub fn new(batch: &'a LearnerBatch<'a>, scores: &'a [f32], context: UpdateContext) -> Self {
        Self { batch, scores, costs: None, replay_scores: None, reset_critics: false, context }
    }
}

/// The figures of an update: means over its minibatches.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct UpdateMetrics {
    /// PPO: the clipped surrogate. SAC: α log π − min Q. ARS: the mean score, negative.
    pub policy_loss: f32,
    /// Half the mean squared error of the critic; of two critics the sum (SAC: the mean); 0 without a critic.
    pub value_loss: f32,
    /// Entropy of the policy, in nats. PPO: of the Gaussian before squashing or clipping; SAC: of the squashed action
    /// in (−1, 1), estimated at the replayed states. ARS: of its policy if actions are sampled.
    pub entropy: f32,
    /// KL(old ‖ new) by Schulman's k3 estimator: mean of (ratio − 1) − log ratio. ARS: KL of the distribution of the perturbed
    /// weights, ‖Δθ‖² / 2ν².
    pub approx_kl: f32,
    /// Share of ratios outside the clip range.
    pub clip_fraction: f32,
    /// Norm of the gradient before clipping. SAC: of the last gradient; ARS: of the step before it is multiplied by α.
    pub grad_norm: f32,
    /// Passes over the data. PPO: until the target KL stopped them; SAC: over the content of the replay buffer; ARS: 1.
    pub epochs: f32,
    /// The weight of a nat of entropy: SAC's α, PPO's entropy coefficient.
    pub temperature: f32,
}

/// Which random streams an update draws from, and how far the run is.
#[derive(Clone, Copy, Debug)]
pub struct UpdateContext {
    /// The run's seed.
    pub seed: u64,
    /// The iteration.
    pub iteration: u64,
    /// Share of the run's steps that are done, in [0, 1].
    pub progress: f64,
}

/// Improves a policy from scores.
///
/// Arguments and results are slices on the host; an implementation can store its own numbers on a device.
pub trait Learner: Send {
    /// A copy of the current policy.
    fn policy(&self) -> Policy;

    /// Starts from a policy of the same shape instead of random weights.
    ///
    /// # Panics
    /// If the policy has another number of weights.
    fn start_from(&mut self, policy: &Policy);

    /// How to act in the next iteration's rollout.
    fn acting(&self) -> Acting;

    /// The policies for the next iteration's rollout, one for each of `count` trajectories, if the learner explores with perturbed
    /// weights. `None` if [`policy`](Self::policy) acts in all trajectories.
    fn perturbed_policies(&self, count: usize, context: UpdateContext) -> Option<Vec<Policy>>;

    /// One update from one iteration's steps and their scores.
    fn update(&mut self, input: UpdateInput<'_>) -> UpdateMetrics;

    /// The learner's part of a checkpoint.
    fn save(&self) -> LearnerState;

    /// Continues from a checkpoint of a learner of the same shape.
    ///
    /// # Errors
    /// A message that names the part with the wrong length.
    fn load(&mut self, state: &LearnerState) -> Result<(), String>;
}
