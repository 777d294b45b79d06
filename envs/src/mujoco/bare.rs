//! The simulator without a task, to measure the smallest cost of a step.

use super::models::model_of;
use super::native::{Simulation, Source};
use super::{env_error, gym};
use crate::env::EnvError;

/// A bare `mj_step` loop on the model of a Gymnasium task. It computes no observation and no reward.
pub struct BareSimulation {
    sim: Simulation,
    frame_skip: usize,
}

impl BareSimulation {
    /// The simulation of the task `id`, such as `HalfCheetah-v5`.
    ///
    /// # Errors
    /// [`EnvError::Unknown`] if Gymnasium has no such task, [`EnvError::Mujoco`] if MuJoCo cannot be opened.
    pub fn open(id: &str) -> Result<Self, EnvError> {
        let task = gym::TASKS.iter().find(|task| task.id == id);
        let task = task.ok_or_else(|| EnvError::Unknown { id: id.into(), nearest: None })?;
        let model = model_of(task.id, &Source { file: task.model, others: &[], damping: None });
        let sim = model.and_then(Simulation::new).map_err(env_error(task.id))?;
        Ok(Self { sim, frame_skip: task.frame_skip })
    }

    /// Returns to the model's initial state.
    pub fn reset(&mut self) {
        self.sim.reset();
    }

    /// Makes the physics steps of one task step with `action`, `[action_dim]`.
    pub fn step(&mut self, action: &[f32]) {
        self.sim.set_control(action);
        self.sim.step(self.frame_skip);
    }
}
