//! The networks: an actor and two critics with their targets; and the temperature.

use super::super::LearnerState;
use crate::policy::mlp::{Mlp, Tape};
use crate::policy::weights::Weights;

/// One of the two critics, its target, and its results in an update.
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

/// The networks and the temperature.
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

    /// Norm of the last gradient, of actor and critics together.
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
