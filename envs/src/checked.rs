//! A task wrapped in shape checks and its time limit.

use rand::Rng;

use crate::env::{ActionSpace, Env, EnvError, Frame, Spec, Step};

/// A task that refuses invalid actions and truncates each episode at its horizon.
///
/// The task's own outputs are checked too. So a bug in a task of your own shows at the step where it happens, and
/// not later as a diverged network.
pub struct Checked {
    env: Box<dyn Env>,
    /// Steps of the current episode; `None` before a reset and after the end.
    steps: Option<usize>,
}

impl Checked {
    /// Wraps a task. Call [`reset`](Self::reset) before the first step.
    pub fn new(env: Box<dyn Env>) -> Self {
        Self { env, steps: None }
    }

    /// Shapes, bounds and horizon.
    pub fn spec(&self) -> &Spec {
        self.env.spec()
    }

    /// Begins an episode and writes its first observation, `[obs_dim]`.
    ///
    /// # Errors
    /// [`EnvError::Shape`] if `obs` has the wrong length, [`EnvError::Simulation`] if the simulator failed,
    /// [`EnvError::NotFinite`] if the task's observation is not finite.
    pub fn reset(&mut self, rng: &mut dyn Rng, obs: &mut [f32]) -> Result<(), EnvError> {
        self.shape("observation", obs.len(), self.spec().obs_dim)?;
        self.env.reset(rng, obs);
        self.begin(obs)
    }

    /// Begins an episode in a given state and writes its observation, `[obs_dim]`.
    ///
    /// # Errors
    /// [`EnvError::Shape`], [`EnvError::State`], [`EnvError::Simulation`], [`EnvError::NotFinite`].
    pub fn restore(&mut self, state: &[f64], obs: &mut [f32]) -> Result<(), EnvError> {
        self.shape("observation", obs.len(), self.spec().obs_dim)?;
        self.env.restore(state, obs)?;
        self.begin(obs)
    }

    fn begin(&mut self, obs: &[f32]) -> Result<(), EnvError> {
        self.steps = None;
        fault(&*self.env, None)?;
        self.finite("observation", obs)?;
        self.steps = Some(0);
        Ok(())
    }

    /// Advances by one step and writes the observation, `[obs_dim]`. The episode is truncated at the horizon.
    ///
    /// # Errors
    /// [`EnvError`]: no episode has begun, a slice has the wrong length, a number is not finite, the option does not
    /// exist, or the simulator failed.
    pub fn step(&mut self, action: &[f32], obs: &mut [f32]) -> Result<Step, EnvError> {
        let Some(steps) = self.steps else {
            return Err(EnvError::NotReset { id: self.spec().id.clone() });
        };
        self.shape("observation", obs.len(), self.spec().obs_dim)?;
        self.check_action(action)?;
        let mut step = self.env.step(action, obs);
        // After an error the episode is over.
        self.steps = None;
        fault(&*self.env, Some(steps))?;
        self.check_outcome(obs, step)?;
        step.truncated = !step.terminated && (step.truncated || steps + 1 >= self.spec().horizon);
        self.steps = (!step.terminated && !step.truncated).then_some(steps + 1);
        Ok(step)
    }

    /// Checks that the task accepts this action, `[action_dim]`.
    ///
    /// # Errors
    /// [`EnvError::Shape`], [`EnvError::NotFinite`], [`EnvError::Option`].
    pub fn check_action(&self, action: &[f32]) -> Result<(), EnvError> {
        let spec = self.spec();
        self.shape("action", action.len(), spec.action.dim())?;
        self.finite("action", action)?;
        match spec.action {
            ActionSpace::Discrete(options)
                if action[0].fract() != 0.0 || !(0.0..options as f32).contains(&action[0]) =>
            {
                Err(EnvError::Option { id: spec.id.clone(), value: action[0], options })
            }
            _ => Ok(()),
        }
    }

    /// Checks that the task's outputs are finite.
    ///
    /// # Errors
    /// [`EnvError::NotFinite`].
    pub fn check_outcome(&self, obs: &[f32], step: Step) -> Result<(), EnvError> {
        self.finite("observation", obs)?;
        self.finite("reward", &[step.reward])?;
        self.finite("cost", &[step.cost])
    }

    /// The current state as lines and circles.
    pub fn frame(&self) -> Frame {
        self.env.frame()
    }

    fn shape(&self, what: &'static str, got: usize, want: usize) -> Result<(), EnvError> {
        if got == want {
            Ok(())
        } else {
            Err(EnvError::Shape { id: self.spec().id.clone(), what, got, want })
        }
    }

    fn finite(&self, what: &'static str, values: &[f32]) -> Result<(), EnvError> {
        match values.iter().position(|v| !v.is_finite()) {
            None => Ok(()),
            Some(index) => {
                Err(EnvError::NotFinite { id: self.spec().id.clone(), what, index, value: values[index] })
            }
        }
    }
}

/// The task's [`Env::fault`] as an error.
pub(crate) fn fault(env: &dyn Env, step: Option<usize>) -> Result<(), EnvError> {
    match env.fault() {
        None => Ok(()),
        Some(why) => Err(EnvError::Simulation { id: env.spec().id.clone(), step, why: why.into() }),
    }
}
