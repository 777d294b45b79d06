//! Proximal policy optimisation (Schulman et al. 2017).
//!
//! This file has advantages, epochs and minibatches. An `Engine` computes the gradient steps: `fused` on the host, or Burn
//! tensors on a device. Tests compare the two engines.

use rayon::prelude::*;
use spo_envs::{ActionSpace, Spec};

use super::{Learner, LearnerBatch, LearnerState, UpdateContext, UpdateInput, UpdateMetrics};
use crate::base::device::Device;
use crate::base::random::{Stream, stream};
use crate::learner::advantage;
use crate::policy::{Acting, Activation, Head, Mlp, Normalizer, Policy, Tape};
use crate::rollout::steps::per_episode_mut;
pub use config::{Baseline, HeadKind, NormalizeScores, PpoConfig};
use fused::FusedEngine;
use minibatches::Minibatches;
use objective::{AdamMoments, Columns, Engine, FIGURES, Figures, Objective};
pub use regression::PolicyLoss;
use regression::Trajectories;

#[cfg(feature = "burn")]
pub(crate) mod burn;
mod config;
mod fused;
mod minibatches;
mod objective;
mod regression;

/// The properties of a run's scores that PPO must know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScoreTraits {
    /// Whether their scale is known. Win proportions have a known scale.
    pub known_scale: bool,
    /// Whether steps have costs. Costs have their own critic.
    pub costs: bool,
}

/// The PPO learner. Its engine computes the gradient steps.
pub struct Ppo<E = Box<dyn Engine>> {
    config: PpoConfig,
    /// Whether scores are divided by the running standard deviation of their discounted sums.
    normalize_scores: bool,
    objective: Objective,
    /// The policy without its weights, which the engine holds.
    template: Policy,
    /// Statistics of the discounted sums of scores and, if there are costs, of costs.
    score_stats: Normalizer,
    engine: E,
}

/// Advantages and targets from the scores or from the costs, `[N]` each.
struct Estimate {
    advantages: Vec<f32>,
    /// The targets of the critic; zeros without a critic.
    targets: Vec<f32>,
}

/// An iteration's steps, prepared for the learner's networks.
struct NormalizedBatch<'a> {
    batch: &'a LearnerBatch<'a>,
    /// Normalised observations of each episode, without the final one.
    obs: Vec<(Vec<f32>, Vec<f32>)>,
    /// All weights.
    params: Vec<f32>,
}

impl Ppo {
    /// A new learner for a task; its first weights depend only on `seed`.
    pub fn new(spec: &Spec, config: PpoConfig, scores: ScoreTraits, device: Device, seed: u64) -> Self {
        Self::with_engine(spec, config, scores, seed, |objective, params| match device {
            Device::Cpu => Box::new(FusedEngine::new(objective, params)),
            #[cfg(feature = "burn")]
            Device::Burn(device) => Box::new(burn::TensorEngine::new(objective, device, &params)),
        })
    }
}

impl<E: Engine> Ppo<E> {
    /// A new learner; `make` builds its engine from the objective and the first weights.
    fn with_engine(
        spec: &Spec,
        config: PpoConfig,
        scores: ScoreTraits,
        seed: u64,
        make: impl FnOnce(Objective, Vec<f32>) -> E,
    ) -> Self {
        let head = match (&spec.action, config.head) {
            (ActionSpace::Discrete(_), _) => Head::Categorical,
            (_, HeadKind::ClippedGaussian) => Head::ClippedGaussian,
            (_, HeadKind::TanhGaussian) => Head::TanhGaussian,
        };
        let normalize_scores = match config.normalize_scores {
            NormalizeScores::Auto => !scores.known_scale,
            chosen => chosen == NormalizeScores::On,
        };
        let mut rng = stream(seed, Stream("weights"), 0, 0);
        let actor = Policy::network(spec, head, &config.hidden_sizes, Activation::Tanh);
        // The first policy is almost uniform; the critic has unit scale (Andrychowicz et al. 2021, section 3.2).
        let mut params = actor.init(0.01, &mut rng);
        params.resize(params.len() + Policy::log_stds(head, actor.outputs()), config.log_std_init);
        let critic = (config.baseline == Baseline::Critic)
            .then(|| Mlp::new(spec.obs_dim, &config.hidden_sizes, 1, Activation::Tanh));
        let signals = 1 + usize::from(scores.costs);
        if let Some(critic) = &critic {
            (0..signals).for_each(|_| params.extend(critic.init(1.0, &mut rng)));
        }
        let template = Policy {
            mlp: actor.clone(),
            params: Vec::new(),
            normalizer: Normalizer::identity(spec.obs_dim),
            head,
            action: spec.action.clone(),
        };
        let objective = Objective {
            actor,
            head,
            critics: if critic.is_some() { signals } else { 0 },
            critic,
            policy_loss: config.policy_loss,
            eta: config.eta,
            clip: config.clip,
            entropy_coef: config.entropy_coef,
            value_coef: config.value_coef,
            max_grad_norm: config.max_grad_norm,
        };
        let engine = make(objective.clone(), params);
        let score_stats = Normalizer::identity(signals);
        Self { config, normalize_scores, objective, template, score_stats, engine }
    }

    /// Σ_k γ^k s_{t−k} at every step of every episode, `[Σ T]`. Scores are divided by the standard deviation of these sums, so that
    /// the critic's targets have unit scale (OpenAI baselines' `VecNormalize`).
    fn discounted_sums(&self, batch: &LearnerBatch<'_>, scores: &[f32]) -> Vec<f32> {
        let mut sums = scores.to_vec();
        for own in per_episode_mut(&mut sums, batch.lengths()) {
            own.iter_mut().fold(0.0, |sum, s| {
                *s += self.config.discount * sum;
                *s
            });
        }
        sums
    }

    /// The scores and, if there are any, the costs.
    fn signals<'a>(input: &UpdateInput<'a>) -> Vec<&'a [f32]> {
        std::iter::once(input.scores).chain(input.costs.map(|costs| costs.scores)).collect()
    }

    /// Merges an iteration's discounted sums into the statistics of scores and costs.
    fn observe_scores(&mut self, input: &UpdateInput<'_>) {
        let signals = Self::signals(input);
        let sums: Vec<Vec<f32>> =
            signals.iter().map(|signal| self.discounted_sums(input.batch, signal)).collect();
        let rows = (0..input.scores.len()).flat_map(|row| sums.iter().map(move |of_signal| of_signal[row]));
        self.score_stats.update(&rows.collect::<Vec<_>>());
    }

    /// The policy's part of all weights.
    fn acting_by(&self, mut params: Vec<f32>) -> Policy {
        params.truncate(self.objective.actor_params());
        Policy { params, ..self.template.clone() }
    }

    /// Adam's current step size.
    fn learning_rate(&self, context: UpdateContext) -> f64 {
        self.config.learning_rate * if self.config.learning_rate_decay { 1.0 - context.progress } else { 1.0 }
    }

    /// Makes passes over the data, each a call of `epoch`, until there are enough or KL(old ‖ new) is too large. Returns their
    /// figures.
    fn epochs(&mut self, mut epoch: impl FnMut(&mut Self) -> Vec<Figures>) -> UpdateMetrics {
        let (mut sums, mut steps_made, mut epochs) = ([0.0; FIGURES], 0.0, 0.0);
        for _ in 0..self.config.epochs {
            let figures = epoch(self);
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
        let [policy_loss, value_loss, entropy, approx_kl, clip_fraction, grad_norm] =
            sums.map(|sum| sum / steps_made);
        let temperature = self.config.entropy_coef;
        UpdateMetrics {
            policy_loss,
            value_loss,
            entropy,
            approx_kl,
            clip_fraction,
            grad_norm,
            epochs,
            temperature,
        }
    }

    /// Normalises observations, evaluates the critics and estimates advantages, all on the host.
    fn columns(&self, input: &UpdateInput<'_>) -> Columns {
        let UpdateInput { batch, scores, costs, .. } = *input;
        let scale = self.template.normalizer.scale();
        let normalized = |obs: &[f32]| {
            let mut out = vec![0.0; obs.len()];
            scale.apply(obs, &mut out);
            out
        };
        let obs = batch.episodes.par_iter().map(|e| (normalized(e.obs), normalized(e.final_obs))).collect();
        let seen = NormalizedBatch { batch, obs, params: self.engine.params() };
        let signals = Self::signals(input);
        let mut estimates: Vec<Estimate> =
            signals.iter().enumerate().map(|(place, signal)| self.estimate(&seen, signal, place)).collect();
        let mut advantages = std::mem::take(&mut estimates[0].advantages);
        if let (Some(costs), [_, of_costs]) = (costs, &estimates[..]) {
            advantage::price(&mut advantages, &of_costs.advantages, costs.multiplier);
        }

        let rows = scores.len();
        let mut columns = Columns {
            obs: Vec::with_capacity(rows * self.template.mlp.inputs()),
            latents: Vec::new(),
            log_probs: Vec::with_capacity(rows),
            advantages,
            targets: estimates.into_iter().map(|estimate| estimate.targets).collect(),
            trajectories: Trajectories::default(),
        };
        if self.config.policy_loss != PolicyLoss::Ppo {
            let of_row = batch.episodes.iter().enumerate().flat_map(|(at, e)| vec![at; e.log_probs.len()]);
            let scores = batch.totals(scores);
            columns.trajectories =
                Trajectories { of_row: of_row.collect(), scores, per_state: batch.per_state };
        }
        for (e, (obs, _)) in batch.episodes.iter().zip(seen.obs) {
            columns.obs.extend(obs);
            columns.latents.extend_from_slice(e.latents);
            columns.log_probs.extend_from_slice(e.log_probs);
        }
        columns
    }

    /// Advantages from the scores (`place` 0) or costs (1), and the targets of their critic.
    fn estimate(&self, seen: &NormalizedBatch<'_>, signal: &[f32], place: usize) -> Estimate {
        let (batch, normalize) = (seen.batch, self.config.normalize_advantage);
        let Some(mlp) = &self.objective.critic else {
            let group = advantage::group(&batch.totals(signal), batch.per_state, normalize);
            let of_steps = batch.episodes.iter().zip(group).map(|(e, a)| vec![a; e.log_probs.len()]);
            return Estimate { advantages: of_steps.flatten().collect(), targets: vec![0.0; signal.len()] };
        };
        let weights = &seen.params[self.objective.critic_weights(place)];
        let score_scale = if self.normalize_scores { self.score_stats.std().nth(place) } else { None };
        let (gamma, lambda) = (self.config.discount, self.config.gae_lambda);
        let per_episode: Vec<(Vec<f32>, Vec<f32>)> = (batch.with(signal).par_iter())
            .zip(&seen.obs)
            .map(|((e, own), (obs, final_obs))| {
                let mut tape = Tape::default();
                let values = mlp.forward(weights, obs, &mut tape).to_vec();
                let last = mlp.forward(weights, final_obs, &mut tape)[0];
                let own: Vec<f32> = own.iter().map(|s| s / score_scale.unwrap_or(1.0)).collect();
                let advantages = advantage::gae(&own, &values, last, e.terminated, gamma, lambda);
                let targets = advantages.iter().zip(&values).map(|(a, v)| a + v).collect();
                (advantages, targets)
            })
            .collect();
        let (advantages, targets): (Vec<_>, Vec<_>) = per_episode.into_iter().unzip();
        let (mut advantages, targets) = (advantages.concat(), targets.concat());
        if place > 0 && signal.iter().all(|cost| *cost == signal[0]) {
            // If all steps cost the same, the advantages are only the critic's error. Scaling it to unit spread would add noise.
            advantages.fill(0.0);
        } else if normalize {
            advantage::standardize(&mut advantages);
        }
        Estimate { advantages, targets }
    }
}

impl<E: Engine> Learner for Ppo<E> {
    fn policy(&self) -> Policy {
        self.acting_by(self.engine.params())
    }

    fn start_from(&mut self, policy: &Policy) {
        let mut params = self.engine.params();
        params[..self.objective.actor_params()].copy_from_slice(&policy.params);
        self.engine.load(&params, &AdamMoments::default());
        self.template.normalizer = policy.normalizer.clone();
    }

    fn acting(&self) -> Acting {
        Acting::Sample
    }

    fn perturbed_policies(&self, _: usize, _: UpdateContext) -> Option<Vec<Policy>> {
        None
    }

    fn update(&mut self, input: UpdateInput<'_>) -> UpdateMetrics {
        let UpdateInput { batch, scores, context, .. } = input;
        if self.normalize_scores {
            self.observe_scores(&input);
        }
        let columns = self.columns(&input);
        let mut minibatches = match self.config.policy_loss {
            PolicyLoss::Ppo => Minibatches::rows(scores.len()),
            _ => Minibatches::groups(columns.trajectories.groups()),
        };
        let mut rng = stream(context.seed, Stream("shuffle"), context.iteration, 0);
        let learning_rate = self.learning_rate(context);

        let losses = self.epochs(|ppo| {
            minibatches.shuffle(&mut rng);
            let cuts = minibatches.cut(ppo.config.minibatch_size);
            ppo.engine.epoch(&columns, &cuts, learning_rate)
        });
        if self.config.normalize_obs {
            batch.episodes.iter().for_each(|e| self.template.normalizer.update(e.obs));
        }
        losses
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
        if state.score_stats.mean.len() != self.score_stats.mean.len() {
            return Err("its statistics are of scores with costs, this configuration's of scores alone, or \
                        the other way round"
                .into());
        }
        self.engine.load(params, &AdamMoments { first, second, time });
        self.template.normalizer = state.normalizer.clone();
        self.score_stats = state.score_stats.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
