//! Burn's backend: environments live where the learner computes. Thousands step at once, and only a few numbers an iteration
//! travel to the host.
//!
//! - `backend`: the backend;
//! - `memory`: how many environments a device takes;
//! - `task`: the equations of a task over `column`s of environments;
//! - `noise`: random numbers as functions of a key and a place;
//! - `rollout`: trajectories on the device;
//! - `scores`: their win proportions, where the longer return wins.
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
