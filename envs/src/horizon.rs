//! Tasks with another episode length.

use rand::Rng;

use crate::env::{Env, EnvError, Frame, Spec, Step};

/// The largest N in `id@N`.
pub(crate) const MOST_STEPS: usize = 1_000_000;

/// A task with another horizon: `id@N` in the registry.
pub(crate) struct WithHorizon {
    env: Box<dyn Env>,
    spec: Spec,
}

impl WithHorizon {
    /// `env` with episodes of `horizon` steps.
    pub fn new(env: Box<dyn Env>, horizon: usize) -> Self {
        let spec = Spec { id: format!("{}@{horizon}", env.spec().id), horizon, ..env.spec().clone() };
        Self { env, spec }
    }
}

impl Env for WithHorizon {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn reset(&mut self, rng: &mut dyn Rng, obs: &mut [f32]) {
        self.env.reset(rng, obs);
    }

    fn restore(&mut self, state: &[f64], obs: &mut [f32]) -> Result<(), EnvError> {
        self.env.restore(state, obs)
    }

    fn step(&mut self, action: &[f32], obs: &mut [f32]) -> Step {
        self.env.step(action, obs)
    }

    fn fault(&self) -> Option<&str> {
        self.env.fault()
    }

    fn has_equations(&self) -> bool {
        self.env.has_equations()
    }

    fn parts(&self) -> &[(&'static str, usize)] {
        self.env.parts()
    }

    fn frame(&self) -> Frame {
        self.env.frame()
    }
}
