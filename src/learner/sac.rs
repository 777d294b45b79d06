//! Soft actor-critic (Haarnoja et al. 2018): off-policy, from a replay buffer of past steps.
//!
//! `replay` stores the steps, `networks` has the networks and the temperature, and `update` is one gradient update of these. It
//! runs only on the host. Actions are in units of half the action range: a = tanh u in (−1, 1).

use spo_envs::Spec;

use super::{Learner, LearnerState, UpdateContext, UpdateInput, UpdateMetrics};
use crate::base::random::{Stream, stream};
use crate::policy::weights::Weights;
use crate::policy::{Acting, Activation, Head, Mlp, Normalizer, Policy};
pub use config::{SacConfig, Temperature};
use networks::{Critic, Networks};
use replay::Replay;
use update::{Engine, FIGURES};

mod config;
mod networks;
mod replay;
mod update;

/// The learner.
pub struct Sac {
    config: SacConfig,
    /// The policy without its weights.
    template: Policy,
    networks: Networks,
    engine: Engine,
    replay: Replay,
}

impl Sac {
    /// A new learner for a task with continuous actions; its first weights depend only on `seed`.
    pub fn new(spec: &Spec, config: SacConfig, seed: u64) -> Self {
        let mut rng = stream(seed, Stream("weights"), 0, 0);
        let (obs_dim, action_dim) = (spec.obs_dim, spec.action.dim());
        let actor = Policy::network(spec, Head::SquashedGaussian, &config.hidden_sizes, Activation::Relu);
        let critic = Mlp::new(obs_dim + action_dim, &config.hidden_sizes, 1, Activation::Relu);
        let networks = Networks {
            actor: Weights::new(actor.init_uniform(&mut rng)),
            critics: [(); 2].map(|()| Critic::new(critic.init_uniform(&mut rng))),
            log_temperature: Weights::new(vec![match config.temperature {
                // α = 1, as CleanRL and SB3 begin.
                Temperature::Auto => 0.0,
                Temperature::Fixed(alpha) => alpha.ln(),
            }]),
            updates: 0,
            actor_mlp: actor.clone(),
            critic_mlp: critic,
        };
        let template = Policy {
            mlp: actor,
            params: Vec::new(),
            normalizer: Normalizer::identity(obs_dim),
            head: Head::SquashedGaussian,
            action: spec.action.clone(),
        };
        let replay = Replay::new(config.buffer_size, obs_dim, action_dim);
        Self { engine: Engine::new(&config), config, template, networks, replay }
    }

    /// Resets the critics to fresh weights.
    fn reset_critics(&mut self, context: UpdateContext) {
        let mut rng = stream(context.seed, Stream("critics"), context.iteration, 0);
        let mlp = &self.networks.critic_mlp;
        self.networks.critics = [(); 2].map(|()| Critic::new(mlp.init_uniform(&mut rng)));
    }

    /// Makes this number of gradient updates from the replay buffer.
    ///
    /// # Panics
    /// If the buffer is empty.
    pub fn learn(&mut self, updates: u64, context: UpdateContext) -> UpdateMetrics {
        let mut rng = stream(context.seed, Stream("replay"), context.iteration, 0);
        let scale = self.template.normalizer.scale();
        let Self { engine, networks, replay, .. } = self;
        let mut sums = [0.0; FIGURES];
        // Run inside the thread pool, so that it is woken only once for all updates.
        rayon::scope(|_| {
            for _ in 0..updates {
                let figures = engine.update(networks, replay, &scale, &mut rng);
                sums.iter_mut().zip(figures).for_each(|(sum, x)| *sum += f64::from(x));
            }
        });
        let [value_loss, policy_loss, entropy, temperature] =
            sums.map(|sum| (sum / updates.max(1) as f64) as f32);
        if updates == 0 {
            // The uniform policy's entropy, on (−1, 1).
            let entropy = self.template.action.dim() as f32 * std::f32::consts::LN_2;
            return UpdateMetrics {
                entropy,
                temperature: self.networks.temperature(),
                ..UpdateMetrics::default()
            };
        }
        let rows = (updates * self.config.minibatch_size as u64) as f32;
        UpdateMetrics {
            value_loss,
            policy_loss,
            entropy,
            temperature,
            grad_norm: self.networks.grad_norm(),
            epochs: rows / self.replay.len() as f32,
            ..UpdateMetrics::default()
        }
    }
}

impl Learner for Sac {
    fn policy(&self) -> Policy {
        Policy { params: self.networks.actor.params.clone(), ..self.template.clone() }
    }

    fn start_from(&mut self, policy: &Policy) {
        self.networks.actor.params.copy_from_slice(&policy.params);
        self.template.normalizer = policy.normalizer.clone();
    }

    fn acting(&self) -> Acting {
        if self.replay.seen() < self.config.learning_starts { Acting::Uniform } else { Acting::Sample }
    }

    fn perturbed_policies(&self, _: usize, _: UpdateContext) -> Option<Vec<Policy>> {
        None
    }

    fn update(&mut self, input: UpdateInput<'_>) -> UpdateMetrics {
        let UpdateInput { batch, scores, context, .. } = input;
        if let Some(scores) = input.replay_scores {
            self.replay.relabel(scores, self.config.score_scale);
        }
        if input.reset_critics {
            self.reset_critics(context);
        }
        let before = self.replay.seen();
        for (episode, own) in batch.with(scores) {
            self.replay.push(episode, own, self.config.score_scale);
            if self.config.normalize_obs {
                self.template.normalizer.update(episode.obs);
            }
        }
        let seen = self.replay.seen();
        // Count the updates that are due since the start, so that none is lost to rounding.
        let due = |steps: u64| (self.config.updates_per_step * steps as f64) as u64;
        let updates = if seen < self.config.learning_starts { 0 } else { due(seen) - due(before) };
        self.learn(updates, context)
    }

    fn save(&self) -> LearnerState {
        let mut state = LearnerState {
            tensors: Default::default(),
            counters: Default::default(),
            normalizer: self.template.normalizer.clone(),
            score_stats: Normalizer::identity(1),
        };
        self.networks.save(&mut state);
        self.replay.save(&mut state);
        state
    }

    fn load(&mut self, state: &LearnerState) -> Result<(), String> {
        state.check_normalizer(self.template.mlp.inputs())?;
        self.networks.load(state)?;
        self.replay.load(state)?;
        self.template.normalizer = state.normalizer.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
