//! What is learned: an actor, two critics with their targets, and the temperature.

use super::super::LearnerState;
use crate::mlp::{Mlp, Tape};
use crate::simd::{AdamStep, adam};

/// Adam's ε (Kingma & Ba 2015; the default of PyTorch, and so of CleanRL's and SB3's SAC).
const ADAM_EPSILON: f64 = 1e-8;

/// Weights, their gradient and Adam's moments.
pub(super) struct Weights {
    pub params: Vec<f32>,
    pub gradient: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
}

impl Weights {
    pub fn new(params: Vec<f32>) -> Self {
        let zeros = vec![0.0; params.len()];
        Self { gradient: zeros.clone(), first: zeros.clone(), second: zeros, params }
    }

    /// The `time`-th step of Adam, from 1.
    pub fn step(&mut self, time: u64, rate: f64) {
        let step = AdamStep::new(time, rate, ADAM_EPSILON, 1.0);
        adam(step, &self.gradient, &mut self.first, &mut self.second, &mut self.params);
    }

    fn parts(&self) -> [(&'static str, &Vec<f32>); 3] {
        [("params", &self.params), ("adam.moment_1", &self.first), ("adam.moment_2", &self.second)]
    }

    fn save(&self, name: &str, state: &mut LearnerState) {
        for (part, values) in self.parts() {
            state.tensors.insert(format!("{name}.{part}"), values.clone());
        }
    }

    fn load(&mut self, name: &str, state: &LearnerState) -> Result<(), String> {
        let length = self.params.len();
        let get = |part: &str| state.tensor(&format!("{name}.{part}"), length).map(<[f32]>::to_vec);
        (self.params, self.first, self.second) =
            (get("params")?, get("adam.moment_1")?, get("adam.moment_2")?);
        Ok(())
    }
}

/// One of the two critics, its target, and what an update finds out about it.
pub(super) struct Critic {
    pub online: Weights,
    pub target: Vec<f32>,
    /// Q(s, ã) at the actor's own actions, `[rows]`.
    pub values: Vec<f32>,
    /// ∂Q(s, ã)/∂(s, ã), `[rows, obs_dim + action_dim]`.
    pub slopes: Vec<f32>,
    /// Sum over the rows of ½ (Q − y)².
    pub loss: f32,
    pub d_output: Vec<f32>,
    pub tape: Tape,
}

impl Critic {
    pub fn new(params: Vec<f32>) -> Self {
        Self {
            target: params.clone(),
            online: Weights::new(params),
            values: Vec::new(),
            slopes: Vec::new(),
            loss: 0.0,
            d_output: Vec::new(),
            tape: Tape::default(),
        }
    }

    /// θ' ← (1 − τ) θ' + τ θ
    pub fn follow(&mut self, tau: f32) {
        self.target.iter_mut().zip(&self.online.params).for_each(|(t, p)| *t += tau * (p - *t));
    }
}

/// All of it.
pub(super) struct Networks {
    /// obs → [μ | log σ]
    pub actor_mlp: Mlp,
    pub actor: Weights,
    /// [obs | action] → Q
    pub critic_mlp: Mlp,
    pub critics: [Critic; 2],
    /// log α, one number.
    pub log_temperature: Weights,
    /// Updates made.
    pub updates: u64,
}

impl Networks {
    /// α
    pub fn temperature(&self) -> f32 {
        self.log_temperature.params[0].exp()
    }

    /// Norm of the newest gradient, of actor and critics together.
    pub fn grad_norm(&self) -> f32 {
        let all = [&self.actor, &self.critics[0].online, &self.critics[1].online];
        all.iter().flat_map(|w| &w.gradient).map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt() as f32
    }

    pub fn save(&self, state: &mut LearnerState) {
        state.counters.insert("updates".into(), self.updates);
        self.actor.save("actor", state);
        self.log_temperature.save("log_temperature", state);
        for (i, critic) in self.critics.iter().enumerate() {
            critic.online.save(&format!("critic.{i}"), state);
            state.tensors.insert(format!("critic.{i}.target"), critic.target.clone());
        }
    }

    pub fn load(&mut self, state: &LearnerState) -> Result<(), String> {
        self.updates = state.counter("updates")?;
        self.actor.load("actor", state)?;
        self.log_temperature.load("log_temperature", state)?;
        for (i, critic) in self.critics.iter_mut().enumerate() {
            critic.online.load(&format!("critic.{i}"), state)?;
            critic.target = state.tensor(&format!("critic.{i}.target"), critic.target.len())?.to_vec();
        }
        Ok(())
    }
}
