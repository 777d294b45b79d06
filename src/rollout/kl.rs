//! The Kullback–Leibler divergence between a policy and a reference policy on visited states, and log ratios.
//!
//! Both are computed for the latent action, before squashing or clipping. Squashing changes neither of them; clipping
//! can only make the KL smaller.

use rayon::prelude::*;

use crate::policy::{Head, LOG_SQRT_2PI, LOG_STD_BOUNDS, Policy, Tape};
use crate::rollout::Rollout;

/// A policy's distributions over latents at some observations, row by row.
enum Latents {
    /// Log-probabilities of the options, `[rows, options]`.
    Options(Vec<f32>),
    /// Means and log standard deviations, `[rows, dim]` each.
    Gaussians { mean: Vec<f32>, log_std: Vec<f32> },
}

impl Latents {
    /// The distributions at `obs` `[rows, obs_dim]`, as the task gave them (not normalised).
    fn new(policy: &Policy, obs: &[f32]) -> Self {
        let mut normalized = vec![0.0; obs.len()];
        policy.normalizer.scale().apply(obs, &mut normalized);
        let (network, own) = policy.params.split_at(policy.mlp.params());
        let mut tape = Tape::default();
        let out = policy.mlp.forward(network, &normalized, &mut tape);
        let width = policy.mlp.outputs();
        match policy.head {
            Head::Categorical => Self::Options(out.chunks_exact(width).flat_map(log_softmax).collect()),
            Head::SquashedGaussian => {
                let halves = || out.chunks_exact(width).map(|row| row.split_at(width / 2));
                let bounded = |l: &f32| l.clamp(LOG_STD_BOUNDS.0, LOG_STD_BOUNDS.1);
                Self::Gaussians {
                    mean: halves().flat_map(|(mean, _)| mean).copied().collect(),
                    log_std: halves().flat_map(|(_, log_std)| log_std).map(bounded).collect(),
                }
            }
            Head::TanhGaussian | Head::ClippedGaussian => Self::Gaussians {
                mean: out.to_vec(),
                log_std: own.iter().copied().cycle().take(out.len()).collect(),
            },
        }
    }
}

fn log_softmax(logits: &[f32]) -> impl Iterator<Item = f32> + '_ {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let log_sum = max + logits.iter().map(|l| (l - max).exp()).sum::<f32>().ln();
    logits.iter().map(move |l| l - log_sum)
}

impl Policy {
    /// log π of each row's latent, `[rows]`; `obs` is `[rows, obs_dim]`, `latents` `[rows, action_dim]`.
    pub fn log_probs(&self, obs: &[f32], latents: &[f32]) -> Vec<f32> {
        let rows = obs.len() / self.mlp.inputs();
        let dim = latents.len() / rows.max(1);
        match Latents::new(self, obs) {
            Latents::Options(log_probs) => {
                let options = self.mlp.outputs();
                latents.iter().enumerate().map(|(row, &u)| log_probs[row * options + u as usize]).collect()
            }
            Latents::Gaussians { mean, log_std } => {
                let density = |((u, mean), log_std): ((&f32, &f32), &f32)| {
                    let z = (u - mean) * (-log_std).exp();
                    -0.5 * z * z - log_std - LOG_SQRT_2PI
                };
                let densities: Vec<f32> = latents.iter().zip(&mean).zip(&log_std).map(density).collect();
                densities.chunks_exact(dim).map(|row| row.iter().sum()).collect()
            }
        }
    }

    /// KL(self ‖ reference) in nats, the mean over the rows of `obs` `[rows, obs_dim]`; `None` between a discrete and a
    /// continuous policy.
    ///
    /// For options Σ p log p/q; for Gaussians Σ log σ_q/σ_p + (σ_p² + (μ_p − μ_q)²) / 2σ_q² − ½ over dimensions.
    pub fn kl(&self, reference: &Self, obs: &[f32]) -> Option<f64> {
        let rows = (obs.len() / self.mlp.inputs()).max(1) as f64;
        let sum: f64 = match (Latents::new(self, obs), Latents::new(reference, obs)) {
            (Latents::Options(p), Latents::Options(q)) => {
                let nats = |(p, q): (&f32, &f32)| f64::from(*p).exp() * (f64::from(*p) - f64::from(*q));
                p.iter().zip(&q).map(nats).sum()
            }
            (Latents::Gaussians { mean: m, log_std: s }, Latents::Gaussians { mean: n, log_std: t }) => {
                let nats = |(((m, s), n), t): (((&f32, &f32), &f32), &f32)| {
                    let [m, s, n, t] = [m, s, n, t].map(|x| f64::from(*x));
                    t - s + ((2.0 * s).exp() + (m - n).powi(2)) / (2.0 * (2.0 * t).exp()) - 0.5
                };
                m.iter().zip(&s).zip(&n).zip(&t).map(nats).sum()
            }
            _ => return None,
        };
        // Rounding can make it slightly negative between equal policies.
        Some((sum / rows).max(0.0))
    }
}

/// s_t − λ (log π(a_t|x_t) − log π₀(a_t|x_t)) of every step `[Σ T]`, for the reference policy π₀. Its expectation is
/// s_t − λ KL(π ‖ π₀) (Bai et al. 2022, section 4.1).
///
/// The penalty uses the sampled actions. The KL in closed form would not depend on the action, so it would give no policy
/// gradient for this step.
pub(crate) fn penalised(scores: &[f32], rollout: &Rollout, reference: &Policy, lambda: f32) -> Vec<f32> {
    let log_probs: Vec<Vec<f32>> =
        rollout.episodes.par_iter().map(|e| reference.log_probs(&e.obs, &e.latents)).collect();
    let own = rollout.episodes.iter().flat_map(|e| &e.log_probs);
    let ratios = own.zip(log_probs.iter().flatten()).map(|(own, reference)| own - reference);
    scores.iter().zip(ratios).map(|(score, ratio)| score - lambda * ratio).collect()
}

/// Largest number of states in an estimate, so that it takes a small part of an iteration's time.
const VISITED: usize = 512;

/// KL(policy ‖ reference) in nats per step, the mean over evenly spaced states of a rollout.
pub(crate) fn on_visited(policy: &Policy, reference: &Policy, rollout: &Rollout) -> f64 {
    let stride = rollout.steps().div_ceil(VISITED).max(1);
    let rows = rollout.episodes.iter().flat_map(|e| e.obs.chunks_exact(e.final_obs.len()));
    let obs: Vec<f32> = rows.step_by(stride).flatten().copied().collect();
    policy.kl(reference, &obs).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Activation, Mlp, Normalizer};
    use crate::rollout::Episode;
    use spo_envs::ActionSpace;

    /// A linear policy on one observation that is always 1: its outputs are `outputs` (the biases are 0), followed by its
    /// `own` log standard deviations.
    fn policy(head: Head, outputs: &[f32], own: &[f32]) -> Policy {
        let params = [outputs, &vec![0.0; outputs.len()], own].concat();
        let action = match head {
            Head::Categorical => ActionSpace::Discrete(outputs.len()),
            Head::SquashedGaussian => ActionSpace::uniform(outputs.len() / 2, -1.0, 1.0),
            _ => ActionSpace::uniform(outputs.len(), -1.0, 1.0),
        };
        let mlp = Mlp::new(1, &[], outputs.len(), Activation::Tanh);
        Policy { mlp, params, normalizer: Normalizer::identity(1), head, action }
    }

    #[test]
    fn gaussians_by_hand() {
        // N(1, 2²) against N(0, 1): log ½ + (4 + 1) / 2 − ½ = 2 − log 2; a second dimension of equals adds 0.
        let p = policy(Head::ClippedGaussian, &[1.0, 3.0], &[2f32.ln(), 0.0]);
        let q = policy(Head::ClippedGaussian, &[0.0, 3.0], &[0.0, 0.0]);
        assert!((p.kl(&q, &[1.0]).unwrap() - (2.0 - 2f64.ln())).abs() < 1e-6);
        assert_eq!(p.kl(&p, &[1.0, 1.0]), Some(0.0));
        // The same as outputs of the network.
        let p = policy(Head::SquashedGaussian, &[1.0, 3.0, 2f32.ln(), 0.0], &[]);
        let q = policy(Head::SquashedGaussian, &[0.0, 3.0, 0.0, 0.0], &[]);
        assert!((p.kl(&q, &[1.0]).unwrap() - (2.0 - 2f64.ln())).abs() < 1e-6);
        // log N(2; 1, 2²) = −½ (½)² − log 2 − log √2π
        let at = p.log_probs(&[1.0, 1.0], &[2.0, 3.0, 1.0, 3.0]);
        let unit = 0.918_938_5;
        assert!((at[0] - (-0.125 - 2f32.ln() - 2.0 * unit)).abs() < 1e-5, "{at:?}");
        assert!((at[1] - (-(2f32.ln()) - 2.0 * unit)).abs() < 1e-5, "{at:?}");
    }

    #[test]
    fn options_by_hand() {
        // (¾, ¼) against (½, ½): ¾ log 1.5 + ¼ log 0.5.
        let p = policy(Head::Categorical, &[3f32.ln(), 0.0], &[]);
        let q = policy(Head::Categorical, &[0.0, 0.0], &[]);
        assert!((p.kl(&q, &[1.0]).unwrap() - (0.75 * 1.5f64.ln() + 0.25 * 0.5f64.ln())).abs() < 1e-6);
        let at = p.log_probs(&[1.0, 1.0], &[0.0, 1.0]);
        assert!((at[0] - 0.75f32.ln()).abs() < 1e-6 && (at[1] - 0.25f32.ln()).abs() < 1e-6);
        assert_eq!(p.kl(&policy(Head::ClippedGaussian, &[0.0], &[0.0]), &[1.0]), None);
    }

    #[test]
    fn the_penalty_and_the_kl_of_a_rollout_by_hand() {
        // π = (¾, ¼), π₀ = (½, ½); options 0, then 1: log ratios log 1.5 and log 0.5.
        let p = policy(Head::Categorical, &[3f32.ln(), 0.0], &[]);
        let initial = policy(Head::Categorical, &[0.0, 0.0], &[]);
        let (obs, latents) = (vec![1.0, 1.0], vec![0.0, 1.0]);
        let log_probs = p.log_probs(&obs, &latents);
        let rewards = vec![0.0; 2];
        let episode =
            Episode { obs, latents, log_probs, rewards, final_obs: vec![1.0], ..Episode::default() };
        let rollout = Rollout { episodes: vec![episode], per_state: 1 };
        let scores = penalised(&[1.0, 0.25], &rollout, &initial, 2.0);
        let expected = [1.0 - 2.0 * 1.5f32.ln(), 0.25 - 2.0 * 0.5f32.ln()];
        assert!(scores.iter().zip(expected).all(|(s, e)| (s - e).abs() < 1e-6), "{scores:?}");
        let kl = 0.75 * 1.5f64.ln() + 0.25 * 0.5f64.ln();
        assert!((on_visited(&p, &initial, &rollout) - kl).abs() < 1e-6);
    }

    /// The policy gradient of the penalty, E_π[∇ log π · log π/π₀], is the gradient of the KL itself. A penalty of the KL
    /// in closed form would not depend on the action and would give no gradient.
    #[test]
    fn the_penalty_on_sampled_log_ratios_reduces_the_kl() {
        let (logits, reference) = ([0.3f32, -0.4, 0.8], policy(Head::Categorical, &[0.5, 0.1, -0.6], &[]));
        let at = |logits: &[f32]| policy(Head::Categorical, logits, &[]);
        let here = at(&logits);
        let log_p = here.log_probs(&[1.0; 3], &[0.0, 1.0, 2.0]);
        let log_q = reference.log_probs(&[1.0; 3], &[0.0, 1.0, 2.0]);
        for k in 0..3 {
            // ∂ log π(a) / ∂ logit_k = [a = k] − π(k)
            let score = |a: usize| f32::from(u8::from(a == k)) - log_p[k].exp();
            let gradient: f32 = (0..3).map(|a| log_p[a].exp() * score(a) * (log_p[a] - log_q[a])).sum();
            let moved = |by: f32| {
                let mut logits = logits;
                logits[k] += by;
                at(&logits).kl(&reference, &[1.0]).unwrap()
            };
            let difference = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            assert!((difference - f64::from(gradient)).abs() < 1e-4, "{k}: {difference} against {gradient}");
        }
    }
}
