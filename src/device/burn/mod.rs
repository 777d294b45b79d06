//! Burn's backend: environments are on the learner's device. Thousands step at once, and only a few numbers per iteration
//! are copied to the host.
//!
//! - `backend`: the backend;
//! - `memory`: how many environments fit into a device's memory;
//! - `task`: the equations of a task over `column`s of environments;
//! - `noise`: random numbers as functions of a key and an index;
//! - `rollout`: trajectories on the device;
//! - `scores`: their win proportions, where the larger return wins.
//!
//! The update is the learner's, in `learner/ppo/burn`.

mod backend;
mod column;
mod memory;
mod noise;
mod rollout;
mod scores;
mod task;

pub(crate) use backend::{Burn, DeviceScorer};
pub(crate) use memory::check_memory;
pub(crate) use task::{Task, task};

#[cfg(test)]
pub(crate) use {column::Column, noise::Noise, task::Stepped};
#[cfg(test)]
mod tests;
