//! The policy on the host: a small network on plain slices, for acting, evaluation and export.
//!
//! A learner keeps the same numbers as tensors; a policy is a snapshot of them. It acts the same on every device. A
//! mixture of policies is a `Vec`.

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};
use spo_envs::{ActionSpace, Spec};

mod mixture;
pub mod mlp;
pub mod normalizer;
pub mod policy_file;
pub mod shape;
pub mod snapshots;
pub mod state;
pub(crate) mod weights;

pub use crate::policy::mlp::{Activation, Mlp, Tape};
pub use crate::policy::normalizer::{Normalizer, Scale};

/// How the network's output becomes an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Head {
    /// a = mid + half · tanh(u), u ~ N(μ, σ²).
    TanhGaussian,
    /// a = clip(mid + half · u, low, high), u ~ N(μ, σ²).
    ClippedGaussian,
    /// Like `TanhGaussian`, but the network also gives log σ: the second half of its outputs, clipped to
    /// [`LOG_STD_BOUNDS`].
    SquashedGaussian,
    /// a ~ softmax(logits), the index of an option.
    Categorical,
}

/// How a policy chooses actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acting {
    /// Sample from the policy.
    Sample,
    /// Take the policy's mode: the Gaussian's mean, or the most likely option.
    Mode,
    /// Sample uniformly from the whole action space and ignore the policy.
    Uniform,
}

/// Observation normaliser, network and action head.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The network: obs_dim → hidden layers → logits, means, or means and log standard deviations.
    pub mlp: Mlp,
    /// The network's weights, followed by `log_std` `[action_dim]` for heads whose network does not give it.
    pub params: Vec<f32>,
    /// Statistics that normalise observations.
    pub normalizer: Normalizer,
    /// The action head.
    pub head: Head,
    /// The action space: bounds, or the options of a categorical head.
    pub action: ActionSpace,
}

/// log √(2π)
pub(crate) const LOG_SQRT_2PI: f32 = 0.918_938_5;
/// log √(2πe), the entropy of a unit Gaussian in nats.
pub(crate) const UNIT_ENTROPY: f32 = 1.418_938_5;

/// Bounds of a log standard deviation that the network gives (the code of Haarnoja et al. 2018; SB3's `LOG_STD_MIN` and
/// `LOG_STD_MAX`).
pub const LOG_STD_BOUNDS: (f32, f32) = (-20.0, 2.0);

impl Policy {
    /// The network of a policy for a task: its layer sizes.
    pub fn network(spec: &Spec, head: Head, hidden: &[usize], activation: Activation) -> Mlp {
        let dim = match &spec.action {
            ActionSpace::Continuous { low, .. } => low.len(),
            ActionSpace::Discrete(options) => *options,
        };
        Mlp::new(spec.obs_dim, hidden, Self::outputs(head, dim), activation)
    }

    /// Number of outputs of a network for actions of `dim` numbers (or options).
    pub fn outputs(head: Head, dim: usize) -> usize {
        if head == Head::SquashedGaussian { 2 * dim } else { dim }
    }

    /// Number of outputs of a network for an action space; `None` where its bounds do not fit each other.
    pub(crate) fn outputs_for(head: Head, action: &ActionSpace) -> Option<usize> {
        match action {
            ActionSpace::Continuous { low, high } => {
                (low.len() == high.len()).then(|| Self::outputs(head, low.len()))
            }
            ActionSpace::Discrete(options) => Some(*options),
        }
    }

    /// Number of log standard deviations stored after the network's weights.
    pub fn log_stds(head: Head, outputs: usize) -> usize {
        match head {
            Head::Categorical | Head::SquashedGaussian => 0,
            Head::TanhGaussian | Head::ClippedGaussian => outputs,
        }
    }

    /// Buffers for [`act`](Self::act), to reuse during an episode.
    pub fn scratch(&self) -> Scratch {
        Scratch { scale: self.normalizer.scale(), obs: vec![0.0; self.mlp.inputs()], tape: Tape::default() }
    }

    /// Chooses an action for one observation `[obs_dim]`.
    ///
    /// Writes the latent and the action, `[action_dim]` each, and returns log π(latent). It ignores squashing and
    /// clipping, because they cancel in a ratio of two policies at the same latent.
    pub fn act(
        &self,
        obs: &[f32],
        acting: Acting,
        rng: &mut dyn Rng,
        scratch: &mut Scratch,
        latent: &mut [f32],
        action: &mut [f32],
    ) -> f32 {
        if acting == Acting::Uniform {
            return self.act_uniformly(rng, latent, action);
        }
        let out = self.forward(obs, scratch);
        match &self.action {
            ActionSpace::Discrete(_) => {
                let probs = softmax(out);
                let choice = match acting {
                    Acting::Sample => draw(&probs, rng.random()),
                    _ => argmax(&probs),
                };
                latent[0] = choice as f32;
                action[0] = choice as f32;
                probs[choice].ln()
            }
            ActionSpace::Continuous { low, high } => {
                let own = &self.params[self.mlp.params()..];
                let mut log_prob = 0.0;
                for i in 0..low.len() {
                    let log_std = match self.head {
                        Head::SquashedGaussian => {
                            out[low.len() + i].clamp(LOG_STD_BOUNDS.0, LOG_STD_BOUNDS.1)
                        }
                        _ => own[i],
                    };
                    let noise: f32 = match acting {
                        Acting::Sample => rng.sample(StandardNormal),
                        _ => 0.0,
                    };
                    latent[i] = out[i] + log_std.exp() * noise;
                    log_prob -= 0.5 * noise * noise + log_std + LOG_SQRT_2PI;
                    let unit = if self.squashes() { latent[i].tanh() } else { latent[i] };
                    action[i] = within(low[i], high[i], unit);
                }
                log_prob
            }
        }
    }

    /// [`act`](Self::act) with [`Acting::Uniform`]; returns the log-density of the uniform action at the latent.
    fn act_uniformly(&self, rng: &mut dyn Rng, latent: &mut [f32], action: &mut [f32]) -> f32 {
        match &self.action {
            ActionSpace::Discrete(options) => {
                let choice = rng.random_range(0..*options) as f32;
                (latent[0], action[0]) = (choice, choice);
                -(*options as f32).ln()
            }
            ActionSpace::Continuous { low, high } => {
                let mut log_prob = 0.0;
                for i in 0..low.len() {
                    let unit: f32 = rng.random_range(-1.0..1.0);
                    log_prob -= std::f32::consts::LN_2;
                    latent[i] = unit;
                    if self.squashes() {
                        // −1 itself has no latent, so take the nearest number above it.
                        let unit = unit.max(f32::EPSILON - 1.0);
                        latent[i] = unit.atanh();
                        log_prob += (1.0 - unit * unit).ln();
                    }
                    action[i] = within(low[i], high[i], unit);
                }
                log_prob
            }
        }
    }

    fn squashes(&self) -> bool {
        matches!(self.head, Head::TanhGaussian | Head::SquashedGaussian)
    }

    /// Probabilities of the options at one observation; `None` for continuous actions.
    pub fn probabilities(&self, obs: &[f32]) -> Option<Vec<f32>> {
        let mut scratch = self.scratch();
        let out = self.forward(obs, &mut scratch);
        (self.head == Head::Categorical).then(|| softmax(out))
    }

    fn forward<'s>(&self, obs: &[f32], scratch: &'s mut Scratch) -> &'s [f32] {
        scratch.scale.apply(obs, &mut scratch.obs);
        self.mlp.forward(&self.params[..self.mlp.params()], &scratch.obs, &mut scratch.tape)
    }
}

/// Maps [−1, 1] to the bounds.
fn within(low: f32, high: f32, unit: f32) -> f32 {
    let (mid, half) = (0.5 * (low + high), 0.5 * (high - low));
    (mid + half * unit).clamp(low, high)
}

/// Buffers of one thread that acts with one policy.
pub struct Scratch {
    scale: Scale,
    obs: Vec<f32>,
    tape: Tape,
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exp: Vec<f32> = logits.iter().map(|l| (l - max).exp()).collect();
    let sum: f32 = exp.iter().sum();
    exp.into_iter().map(|e| e / sum).collect()
}

/// The first option at which the cumulative probability passes `u` in [0, 1).
fn draw(probs: &[f32], u: f32) -> usize {
    let mut cumulative = 0.0;
    probs
        .iter()
        .position(|p| {
            cumulative += p;
            u < cumulative
        })
        // Rounding can leave the sum just below u: take the last option with a positive probability.
        .unwrap_or_else(|| probs.iter().rposition(|&p| p > 0.0).unwrap_or(0))
}

fn argmax(values: &[f32]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}
