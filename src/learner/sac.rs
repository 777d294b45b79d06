//! Soft actor-critic (Haarnoja et al. 2018): off-policy, from a replay of past steps.
//!
//! `replay` keeps the steps, `networks` holds what is learned, `update` is one gradient update of all of it. On the
//! host only. Actions are in units of half the action range: a = tanh u in (−1, 1).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use spo_envs::Spec;

use super::{Learner, LearnerState, UpdateContext, UpdateInput, UpdateMetrics};
use crate::base::random::{Stream, stream};
use crate::policy::weights::Weights;
use crate::policy::{Acting, Activation, Head, Mlp, Normalizer, Policy};
use networks::{Critic, Networks};
use replay::Replay;
use update::{Engine, FIGURES};

mod networks;
mod replay;
mod update;

/// The temperature α, the price of a nat of entropy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "toml::Value", into = "toml::Value")]
pub enum Temperature {
    /// Learned, so that the entropy meets a target of −dim(A) nats (Haarnoja et al. 2018b, section 5).
    #[default]
    Auto,
    /// Held at a value.
    Fixed(f32),
}

impl FromStr for Temperature {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            number => number
                .parse()
                .map(Self::Fixed)
                .map_err(|_| format!("`{text}` is no temperature; expected `auto` or a number such as 0.2")),
        }
    }
}

impl fmt::Display for Temperature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => write!(f, "auto"),
            Self::Fixed(alpha) => write!(f, "{alpha}"),
        }
    }
}

impl TryFrom<toml::Value> for Temperature {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Self, String> {
        value.as_str().map_or_else(|| value.to_string(), str::to_string).parse()
    }
}

impl From<Temperature> for toml::Value {
    fn from(temperature: Temperature) -> Self {
        Self::String(temperature.to_string())
    }
}

/// SAC's hyperparameters.
#[derive(Clone, Debug, PartialEq)]
pub struct SacConfig {
    /// Widths of the hidden layers, of actor and critics alike.
    pub hidden: Vec<usize>,
    /// Adam's step size, for actor, critics and temperature.
    pub learning_rate: f64,
    /// Rows a gradient update.
    pub minibatch: usize,
    /// Most steps that replay holds.
    pub replay: usize,
    /// Gradient updates an environment step.
    pub updates_per_step: f64,
    /// Steps that act uniformly, before the first update.
    pub learning_starts: u64,
    /// γ
    pub discount: f32,
    /// τ, the share of the critics that goes into their targets at each update.
    pub tau: f32,
    /// α
    pub temperature: Temperature,
    /// Scores are multiplied by it (the reward scale of Haarnoja et al. 2018, section 5.2).
    pub score_scale: f32,
    /// Whether observations are normalised by running statistics.
    pub normalize_obs: bool,
}

/// The learner.
pub struct Sac {
    config: SacConfig,
    /// The policy but for its weights.
    template: Policy,
    networks: Networks,
    engine: Engine,
    replay: Replay,
}

impl Sac {
    /// A fresh learner on a task of continuous actions; its first weights depend on `seed` alone.
    pub fn new(spec: &Spec, config: SacConfig, seed: u64) -> Self {
        let mut rng = stream(seed, Stream("weights"), 0, 0);
        let (obs_dim, action_dim) = (spec.obs_dim, spec.action.dim());
        let actor = Policy::network(spec, Head::SquashedGaussian, &config.hidden, Activation::Relu);
        let critic = Mlp::new(obs_dim + action_dim, &config.hidden, 1, Activation::Relu);
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
        let replay = Replay::new(config.replay, obs_dim, action_dim);
        Self { engine: Engine::new(&config), config, template, networks, replay }
    }

    /// Gives the critics fresh weights.
    fn reset_critics(&mut self, context: UpdateContext) {
        let mut rng = stream(context.seed, Stream("critics"), context.iteration, 0);
        let mlp = &self.networks.critic_mlp;
        self.networks.critics = [(); 2].map(|()| Critic::new(mlp.init_uniform(&mut rng)));
    }

    /// Makes gradient updates from what replay holds; 0 make none.
    ///
    /// # Panics
    /// Where replay is empty.
    pub fn learn(&mut self, updates: u64, context: UpdateContext) -> UpdateMetrics {
        let mut rng = stream(context.seed, Stream("replay"), context.iteration, 0);
        let scale = self.template.normalizer.scale();
        let Self { engine, networks, replay, .. } = self;
        let mut sums = [0.0; FIGURES];
        // Once within the pool, an update's tasks are shared without waking it anew.
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
        let rows = (updates * self.config.minibatch as u64) as f32;
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
        // Whole updates fall due as steps go by, so that none is lost to rounding.
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
