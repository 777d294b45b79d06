//! Proximal policy optimisation (Schulman et al. 2017).
//!
//! Advantages, epochs and minibatches are here; the arithmetic of a gradient step is an `Engine`'s: `fused` on the
//! host, or Burn tensors on a device, which the first is tested against.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use spo_envs::Spec;

use super::{Experience, Learner, LearnerState, Losses, Moment, Steps};
use crate::advantage;
use crate::device::Device;
use crate::policy::{Activation, Head, Mlp, Normalizer, Policy, Tape};
use crate::random::{Stream, stream};
use fused::FusedEngine;
use minibatches::Minibatches;
use objective::{AdamMoments, Columns, Engine, FIGURES, Objective};
pub use regression::PolicyLoss;
use regression::Trajectories;

mod fused;
mod minibatches;
mod objective;
mod regression;
#[cfg(feature = "burn")]
mod tensor;

/// How scores become advantages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// A trajectory's total score against its group's mean and spread; no critic.
    Group,
    /// Generalised advantage estimation with a critic.
    #[default]
    Critic,
}

/// PPO's hyperparameters.
#[derive(Clone, Debug, PartialEq)]
pub struct PpoConfig {
    /// Widths of the hidden layers, of actor and critic alike.
    pub hidden: Vec<usize>,
    /// The action head.
    pub head: Head,
    /// Initial log standard deviation of the latent action.
    pub initial_log_std: f32,
    /// Adam's step size.
    pub learning_rate: f64,
    /// Whether the step size falls linearly to 0 over the run.
    pub learning_rate_decay: bool,
    /// Passes over each iteration's steps.
    pub epochs: usize,
    /// Rows a minibatch; a regression takes whole groups, as many as reach it.
    pub minibatch: usize,
    /// What the policy's update minimises.
    pub policy_loss: PolicyLoss,
    /// η of a regression.
    pub eta: f32,
    /// The clip range ε of the ratio.
    pub clip: f32,
    /// Stops the epochs once KL(old ‖ new) passes it; 0 never stops.
    pub target_kl: f32,
    /// Weight of the entropy bonus.
    pub entropy_bonus: f32,
    /// Weight of the critic's loss.
    pub value_weight: f32,
    /// Largest global gradient norm.
    pub max_grad_norm: f32,
    /// Advantages from the group or from a critic.
    pub baseline: Baseline,
    /// Whether advantages are scaled to unit spread.
    pub normalize_advantage: bool,
    /// Whether observations are normalised by running statistics.
    pub normalize_obs: bool,
    /// Whether scores are divided by the running spread of their discounted sums, for the critic's sake.
    pub normalize_scores: bool,
    /// γ of the advantage estimate.
    pub discount: f32,
    /// λ of the advantage estimate.
    pub gae_lambda: f32,
}

/// The learner.
pub struct Ppo {
    config: PpoConfig,
    objective: Objective,
    /// The policy but for its weights, which are the engine's.
    template: Policy,
    /// Statistics of discounted sums of scores.
    score_stats: Normalizer,
    engine: Box<dyn Engine>,
}

impl Ppo {
    /// A fresh learner on a task; its first weights depend on `seed` alone.
    pub fn new(spec: &Spec, config: PpoConfig, device: Device, seed: u64) -> Self {
        let mut rng = stream(seed, Stream("weights"), 0, 0);
        let actor = Policy::network(spec, config.head, &config.hidden, Activation::Tanh);
        // A near-uniform first policy, a critic of unit scale (Andrychowicz et al. 2021, section 3.2).
        let mut params = actor.init(0.01, &mut rng);
        params.resize(params.len() + Policy::log_stds(config.head, actor.outputs()), config.initial_log_std);
        let critic = (config.baseline == Baseline::Critic)
            .then(|| Mlp::new(spec.obs_dim, &config.hidden, 1, Activation::Tanh));
        if let Some(critic) = &critic {
            params.extend(critic.init(1.0, &mut rng));
        }
        let template = Policy {
            mlp: actor.clone(),
            params: Vec::new(),
            normalizer: Normalizer::identity(spec.obs_dim),
            head: config.head,
            action: spec.action.clone(),
        };
        let objective = Objective {
            actor,
            head: config.head,
            critic,
            policy_loss: config.policy_loss,
            eta: config.eta,
            clip: config.clip,
            entropy_bonus: config.entropy_bonus,
            value_weight: config.value_weight,
            max_grad_norm: config.max_grad_norm,
        };
        let engine: Box<dyn Engine> = match device {
            Device::Cpu => Box::new(FusedEngine::new(objective.clone(), params)),
            #[cfg(feature = "burn")]
            Device::Burn(device) => Box::new(tensor::TensorEngine::new(objective.clone(), device, &params)),
        };
        Self { config, objective, template, score_stats: Normalizer::identity(1), engine }
    }

    /// Σ_k γ^k s_{t−k} at every step of every episode, `[Σ T]`: their spread is the scale of what the critic
    /// learns, whatever the scores' own (OpenAI baselines' `VecNormalize`).
    fn discounted_sums(&self, steps: &Steps<'_>, scores: &[f32]) -> Vec<f32> {
        let mut sums = scores.to_vec();
        let mut rest = &mut sums[..];
        for e in &steps.episodes {
            let (own, tail) = rest.split_at_mut(e.log_probs.len());
            rest = tail;
            own.iter_mut().fold(0.0, |sum, s| {
                *s += self.config.discount * sum;
                *s
            });
        }
        sums
    }

    /// Normalises observations, evaluates the critic and estimates advantages, all on the host.
    fn columns(&self, steps: &Steps<'_>, scores: &[f32]) -> Columns {
        let params = self.engine.params();
        let critic =
            self.objective.critic.as_ref().map(|mlp| (mlp, &params[self.objective.actor_params()..]));
        let (gamma, lambda) = (self.config.discount, self.config.gae_lambda);
        let score_scale = if self.config.normalize_scores { self.score_stats.std().next() } else { None };
        let scale = self.template.normalizer.scale();
        let normalized = |obs: &[f32]| {
            let mut out = vec![0.0; obs.len()];
            scale.apply(obs, &mut out);
            out
        };
        let mut rest = scores;
        let parts: Vec<(&Experience<'_>, &[f32])> = steps
            .episodes
            .iter()
            .map(|e| {
                let (own, tail) = rest.split_at(e.log_probs.len());
                rest = tail;
                (e, own)
            })
            .collect();
        let totals: Vec<f32> = parts.iter().map(|(_, own)| own.iter().sum()).collect();
        let group = advantage::group(&totals, steps.per_state, self.config.normalize_advantage);

        let per_episode: Vec<(Vec<f32>, Vec<f32>, Vec<f32>)> = parts
            .par_iter()
            .zip(&group)
            .map(|((e, own), &group_advantage)| {
                let obs = normalized(e.obs);
                let Some((mlp, weights)) = critic else {
                    return (obs, vec![group_advantage; own.len()], vec![0.0; own.len()]);
                };
                let mut tape = Tape::default();
                let values = mlp.forward(weights, &obs, &mut tape).to_vec();
                let last = mlp.forward(weights, &normalized(e.final_obs), &mut tape)[0];
                let own: Vec<f32> = own.iter().map(|s| s / score_scale.unwrap_or(1.0)).collect();
                let advantages = advantage::gae(&own, &values, last, e.terminated, gamma, lambda);
                let targets = advantages.iter().zip(&values).map(|(a, v)| a + v).collect();
                (obs, advantages, targets)
            })
            .collect();

        let rows = scores.len();
        let mut columns = Columns {
            obs: Vec::with_capacity(rows * self.template.mlp.inputs()),
            latents: Vec::new(),
            log_probs: Vec::with_capacity(rows),
            advantages: Vec::with_capacity(rows),
            targets: Vec::with_capacity(rows),
            trajectories: Trajectories::default(),
        };
        if self.config.policy_loss != PolicyLoss::Ppo {
            let of_row = parts.iter().enumerate().flat_map(|(at, (e, _))| vec![at; e.log_probs.len()]);
            columns.trajectories =
                Trajectories { of_row: of_row.collect(), scores: totals, per_state: steps.per_state };
        }
        for ((e, _), (obs, advantages, targets)) in parts.iter().zip(per_episode) {
            columns.obs.extend(obs);
            columns.latents.extend_from_slice(e.latents);
            columns.log_probs.extend_from_slice(e.log_probs);
            columns.advantages.extend(advantages);
            columns.targets.extend(targets);
        }
        if critic.is_some() && self.config.normalize_advantage {
            advantage::standardize(&mut columns.advantages);
        }
        columns
    }
}

impl Learner for Ppo {
    fn policy(&self) -> Policy {
        let mut params = self.engine.params();
        params.truncate(self.objective.actor_params());
        Policy { params, ..self.template.clone() }
    }

    fn start_from(&mut self, policy: &Policy) {
        let mut params = self.engine.params();
        params[..self.objective.actor_params()].copy_from_slice(&policy.params);
        self.engine.load(&params, &AdamMoments::default());
        self.template.normalizer = policy.normalizer.clone();
    }

    fn update(&mut self, steps: &Steps<'_>, scores: &[f32], moment: Moment) -> Losses {
        if self.config.normalize_scores {
            self.score_stats.update(&self.discounted_sums(steps, scores));
        }
        let columns = self.columns(steps, scores);
        let mut minibatches = match self.config.policy_loss {
            PolicyLoss::Ppo => Minibatches::rows(scores.len()),
            _ => Minibatches::groups(columns.trajectories.groups()),
        };
        let mut rng = stream(moment.seed, Stream("shuffle"), moment.iteration, 0);
        let decay = if self.config.learning_rate_decay { 1.0 - moment.progress } else { 1.0 };
        let learning_rate = self.config.learning_rate * decay;

        let (mut sums, mut steps_made, mut epochs) = ([0.0; FIGURES], 0.0, 0.0);
        for _ in 0..self.config.epochs {
            minibatches.shuffle(&mut rng);
            let cuts = minibatches.cut(self.config.minibatch);
            let figures = self.engine.epoch(&columns, &cuts, learning_rate);
            let count = figures.len() as f32;
            let mut kl = 0.0;
            for row in figures {
                sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
                kl += row[3] / count;
            }
            steps_made += count;
            epochs += 1.0;
            if self.config.target_kl > 0.0 && kl > self.config.target_kl {
                break;
            }
        }
        if self.config.normalize_obs {
            steps.episodes.iter().for_each(|e| self.template.normalizer.update(e.obs));
        }
        let [policy_loss, value_loss, entropy, approx_kl, clip_fraction, grad_norm] =
            sums.map(|sum| sum / steps_made);
        let temperature = self.config.entropy_bonus;
        Losses { policy_loss, value_loss, entropy, approx_kl, clip_fraction, grad_norm, epochs, temperature }
    }

    fn save(&self) -> LearnerState {
        let AdamMoments { first, second, time } = self.engine.moments();
        LearnerState {
            tensors: [("params", self.engine.params()), ("adam.moment_1", first), ("adam.moment_2", second)]
                .map(|(name, values)| (name.to_string(), values))
                .into(),
            counters: [("adam.time".to_string(), time)].into(),
            normalizer: self.template.normalizer.clone(),
            score_stats: self.score_stats.clone(),
        }
    }

    fn load(&mut self, state: &LearnerState) -> Result<(), String> {
        let (weights, time) = (self.objective.params(), state.counter("adam.time")?);
        let moments = if time == 0 { 0 } else { weights };
        let params = state.tensor("params", weights)?;
        let first = state.tensor("adam.moment_1", moments)?.to_vec();
        let second = state.tensor("adam.moment_2", moments)?.to_vec();
        state.check_normalizer(self.template.mlp.inputs())?;
        self.engine.load(params, &AdamMoments { first, second, time });
        self.template.normalizer = state.normalizer.clone();
        self.score_stats = state.score_stats.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
