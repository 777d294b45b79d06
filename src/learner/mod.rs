//! Learners: policy and scores in, a better policy out.

#[cfg(feature = "burn")]
use crate::device::rollout::{self, Actor};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::{Acting, Policy};
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

    /// Its name, which is its section of a configuration too.
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

/// An episode as a learner sees it: no task reward, no cost.
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
    /// Ended for a reason of the task, not by the clock.
    pub terminated: bool,
}

/// The steps of one iteration, in the order of their scores.
#[derive(Clone, Debug)]
pub struct Steps<'a> {
    /// Those of one initial state side by side.
    pub episodes: Vec<Experience<'a>>,
    /// K, trajectories per initial state.
    pub per_state: usize,
    /// What the steps cost, where that is held against their scores.
    pub costs: Option<Costs<'a>>,
}

/// What an iteration's steps cost by a scorer of safety, and how that counts.
#[derive(Clone, Copy, Debug)]
pub struct Costs<'a> {
    /// Of each step, `[Σ T]`: less is better.
    pub scores: &'a [f32],
    /// λ, the weight of the costs' advantages beside that of the scores'.
    pub multiplier: f32,
}

impl<'a> Steps<'a> {
    /// Each episode with its part of a signal `[Σ T]`.
    fn with<'s>(&'s self, signal: &'s [f32]) -> Vec<(&'s Experience<'a>, &'s [f32])> {
        let mut rest = signal;
        let part = |e: &'s Experience<'a>| {
            let (own, tail) = rest.split_at(e.log_probs.len());
            rest = tail;
            (e, own)
        };
        self.episodes.iter().map(part).collect()
    }

    /// The sum of a signal over each episode.
    fn totals(&self, signal: &[f32]) -> Vec<f32> {
        self.with(signal).iter().map(|(_, own)| own.iter().sum()).collect()
    }
}

impl<'a> From<&'a Rollout> for Steps<'a> {
    fn from(rollout: &'a Rollout) -> Self {
        let view = |e: &'a Episode| Experience {
            obs: &e.obs,
            final_obs: &e.final_obs,
            latents: &e.latents,
            log_probs: &e.log_probs,
            terminated: e.terminated,
        };
        Self {
            episodes: rollout.episodes.iter().map(view).collect(),
            per_state: rollout.per_state,
            costs: None,
        }
    }
}

/// What an update reports, means over its minibatches.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct UpdateMetrics {
    /// PPO: the clipped surrogate. SAC: α log π − min Q. ARS: the mean score, negative.
    pub policy_loss: f32,
    /// Half the mean squared error of the critic, of two the sum (SAC: the mean); 0 without one.
    pub value_loss: f32,
    /// Entropy of the policy, in nats. PPO: of the Gaussian before squashing or clipping; SAC: of the squashed action
    /// in (−1, 1), estimated at the replayed states. ARS: of the noise that its policy has where it is sampled.
    pub entropy: f32,
    /// KL(old ‖ new) by Schulman's k3 estimator: mean of (ratio − 1) − log ratio. ARS: of the weights searched, ‖Δθ‖² / 2ν².
    pub approx_kl: f32,
    /// Share of ratios outside the clip range.
    pub clip_fraction: f32,
    /// Norm of the gradient before clipping; SAC: of the last update's; ARS: of the step before α.
    pub grad_norm: f32,
    /// Passes over the data. PPO: before the target KL stopped them; SAC: over what replay held; ARS: 1.
    pub epochs: f32,
    /// The price of a nat of entropy: SAC's α, PPO's entropy bonus.
    pub temperature: f32,
}

/// Which random streams an update draws from, and how far the run is.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The run's seed.
    pub seed: u64,
    /// The iteration.
    pub iteration: u64,
    /// Share of the run's steps that are done, in [0, 1].
    pub progress: f64,
}

/// Improves a policy from scores.
///
/// Narrow on purpose: host slices in and out, so that an implementation may hold its numbers where it likes.
pub trait Learner: Send {
    /// A snapshot of the present policy.
    fn policy(&self) -> Policy;

    /// Begins from a policy of the same shape instead of its own first weights.
    ///
    /// # Panics
    /// Where its weights are more or fewer.
    fn start_from(&mut self, policy: &Policy);

    /// How to act in the next iteration's rollout.
    fn acting(&self) -> Acting {
        Acting::Sample
    }

    /// Who acts in the next iteration's rollout, one policy a trajectory of `count`; `None` where [`policy`](Self::policy)
    /// does in all of them.
    fn perturbed_policies(&self, _count: usize, _moment: Moment) -> Option<Vec<Policy>> {
        None
    }

    /// Takes new scores for the steps of earlier iterations, oldest first and ending with the newest of them; a
    /// learner without a memory has no use for them.
    fn relabel(&mut self, _scores: &[f32]) {}

    /// Forgets what states are worth, where the learner keeps that from one iteration to the next in a critic of
    /// replayed steps: the scores are of another kind from now on. The policy stays.
    fn forget_values(&mut self, _moment: Moment) {}

    /// One update from one iteration's steps and their scores, `[Σ T]`.
    fn update(&mut self, steps: &Steps<'_>, scores: &[f32], moment: Moment) -> UpdateMetrics;

    /// Itself, where it can learn from trajectories that are on its device already.
    #[cfg(feature = "burn")]
    fn on_device(&mut self) -> Option<&mut dyn OnDevice> {
        None
    }

    /// All that a checkpoint must hold.
    fn save(&self) -> LearnerState;

    /// Goes on from a checkpoint of a learner of the same shape.
    ///
    /// # Errors
    /// Which part has the wrong length.
    fn load(&mut self, state: &LearnerState) -> Result<(), String>;
}

/// Learns where its trajectories are, on a device.
#[cfg(feature = "burn")]
pub trait OnDevice {
    /// Where that is.
    fn device(&mut self) -> burn::tensor::Device;

    /// The present policy, and all that a checkpoint must hold: the weights travel once.
    fn snapshot(&self) -> (Policy, LearnerState);

    /// What acts in the next rollout.
    fn actor(&mut self) -> Actor;

    /// One update from one iteration's trajectories and their scores, `[N, T]`.
    fn learn(
        &mut self,
        rollout: &resident::Rollout,
        scores: burn::tensor::Tensor<2>,
        moment: Moment,
    ) -> UpdateMetrics;
}
