//! The objective of an update, and the trait for engines that minimise it.

use std::ops::Range;

use super::regression::{PolicyLoss, Trajectories};
use crate::policy::mlp::Mlp;
use crate::policy::{Head, Policy};

/// Adam's ε, as in OpenAI baselines and CleanRL.
pub(super) const ADAM_EPSILON: f64 = 1e-5;

/// The networks, and the constants of
/// L = −E[min(ρ A, clip(ρ, 1 ± ε) A)] + c_v ½ E[(V − target)²] − c_e H[π] (Schulman et al. 2017, equation 9), or with one
/// of the other policy losses in place of its first term.
///
/// Weights are one flat vector `[actor | log_std | critics]`.
#[derive(Clone, Debug)]
pub struct Objective {
    pub actor: Mlp,
    pub head: Head,
    /// The shape of the critics: one for the scores and, if there are costs, one for the costs. Both losses have the weight c_v.
    pub critic: Option<Mlp>,
    /// The number of critics.
    pub critics: usize,
    pub policy_loss: PolicyLoss,
    /// η of a regression.
    pub eta: f32,
    /// ε
    pub clip: f32,
    /// c_e
    pub entropy_coef: f32,
    /// c_v
    pub value_coef: f32,
    /// Largest global gradient norm.
    pub max_grad_norm: f32,
}

impl Objective {
    /// Number of actor weights with the log standard deviations. The critics' weights follow.
    pub fn actor_params(&self) -> usize {
        self.actor.params() + Policy::log_stds(self.head, self.actor.outputs())
    }

    /// Number of all weights.
    pub fn params(&self) -> usize {
        self.critic_weights(self.critics).start
    }

    /// The range of the weights of a critic; the first critic is 0.
    pub fn critic_weights(&self, place: usize) -> Range<usize> {
        let each = self.critic.as_ref().map_or(0, Mlp::params);
        let start = self.actor_params() + place * each;
        start..start + each
    }

    /// L, computed from a minibatch's figures.
    #[cfg(test)]
    pub fn loss(&self, figures: &[f32]) -> f32 {
        figures[0] + self.value_coef * figures[1] - self.entropy_coef * figures[2]
    }
}

/// One iteration's steps on the host, N rows.
pub struct Columns {
    /// Normalised, `[N, obs_dim]`.
    pub obs: Vec<f32>,
    /// `[N, action_dim]`
    pub latents: Vec<f32>,
    /// Under the policy that acted, `[N]`.
    pub log_probs: Vec<f32>,
    /// `[N]`
    pub advantages: Vec<f32>,
    /// The targets of each critic, `[N]`.
    pub targets: Vec<Vec<f32>>,
    /// Of a regression; empty without one.
    pub trajectories: Trajectories,
}

/// The number of [`Figures`].
pub const FIGURES: usize = 6;

/// Policy loss, value loss (of two critics the sum), entropy, KL, clip fraction (means over a minibatch), gradient norm before clipping.
pub type Figures = [f32; FIGURES];

/// Adam's moments; empty before the first step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AdamMoments {
    pub first: Vec<f32>,
    pub second: Vec<f32>,
    /// Steps made.
    pub time: u64,
}

/// Computes the gradient steps of an update.
pub trait Engine: Send {
    /// The weights, on the host.
    fn params(&self) -> Vec<f32>;

    /// One gradient step for each minibatch, clipped to the global norm.
    fn epoch(&mut self, columns: &Columns, minibatches: &[&[usize]], rate: f64) -> Vec<Figures>;

    /// Adam's moments, for a checkpoint.
    fn moments(&self) -> AdamMoments;

    /// Continues from weights and moments of the right lengths.
    fn load(&mut self, params: &[f32], moments: &AdamMoments);

    /// L and its gradient on the rows of `order`.
    #[cfg(test)]
    fn loss_and_gradient(&mut self, columns: &Columns, order: &[usize]) -> (f32, Vec<f32>);
}

impl Engine for Box<dyn Engine> {
    fn params(&self) -> Vec<f32> {
        (**self).params()
    }

    fn epoch(&mut self, columns: &Columns, minibatches: &[&[usize]], rate: f64) -> Vec<Figures> {
        (**self).epoch(columns, minibatches, rate)
    }

    fn moments(&self) -> AdamMoments {
        (**self).moments()
    }

    fn load(&mut self, params: &[f32], moments: &AdamMoments) {
        (**self).load(params, moments);
    }

    #[cfg(test)]
    fn loss_and_gradient(&mut self, columns: &Columns, order: &[usize]) -> (f32, Vec<f32>) {
        (**self).loss_and_gradient(columns, order)
    }
}
