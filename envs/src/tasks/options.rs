//! A single choice among n options: the task for preference games.

use rand::Rng;

use crate::env::{ActionSpace, Env, EnvError, Frame, Spec, Step};

/// Observation: always 1. Action: the index of an option. The reward is 0: only the oracle judges the options.
pub struct Options {
    spec: Spec,
}

impl Options {
    /// A choice among `n` options.
    pub fn new(n: usize) -> Self {
        let id = format!("options-{n}");
        Self { spec: Spec { id, obs_dim: 1, action: ActionSpace::Discrete(n), horizon: 1, dt: 0.0 } }
    }
}

impl Env for Options {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn reset(&mut self, _: &mut dyn Rng, obs: &mut [f32]) {
        obs[0] = 1.0;
    }

    fn restore(&mut self, state: &[f64], obs: &mut [f32]) -> Result<(), EnvError> {
        if !state.is_empty() {
            return Err(EnvError::State { id: self.spec.id.clone(), want: "0 finite numbers".into() });
        }
        obs[0] = 1.0;
        Ok(())
    }

    fn step(&mut self, _: &[f32], obs: &mut [f32]) -> Step {
        obs[0] = 1.0;
        Step { terminated: true, ..Step::default() }
    }

    /// There is nothing to draw.
    fn frame(&self) -> Frame {
        Frame::default()
    }
}
