//! The simulator without a task: what a step costs at least.

use super::models::model_of;
use super::native::{Simulation, Source};
use super::{failed, gym};
use crate::env::EnvError;

/// A bare `mj_step` loop on the model of one of Gymnasium's tasks: nothing is observed, nothing judged.
pub struct Bare {
    sim: Simulation,
    frame_skip: usize,
}

impl Bare {
    /// The loop of the task `id`, such as `HalfCheetah-v5`.
    ///
    /// # Errors
    /// [`EnvError::Unknown`], [`EnvError::Mujoco`].
    pub fn open(id: &str) -> Result<Self, EnvError> {
        let task = gym::TASKS.iter().find(|task| task.id == id);
        let task = task.ok_or_else(|| EnvError::Unknown { id: id.into(), nearest: None })?;
        let model = model_of(task.id, &Source { file: task.model, others: &[], damping: None });
        let sim = model.and_then(Simulation::new).map_err(failed(task.id))?;
        Ok(Self { sim, frame_skip: task.frame_skip })
    }

    /// Back to the model's initial state.
    pub fn reset(&mut self) {
        self.sim.reset();
    }

    /// As many physics steps as a step of the task has, under one action.
    pub fn step(&mut self, action: &[f32]) {
        self.sim.set_control(action);
        self.sim.step(self.frame_skip);
    }
}
