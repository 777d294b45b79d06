//! Environments that live where the learner computes: thousands step at once, and only a few numbers an iteration travel to the
//! host.
//!
//! - `task`: the equations of a task over `column`s of environments;
//! - `noise`: random numbers as functions of a key and a place;
//! - `rollout`: trajectories on the device;
//! - `scores`: their win proportions, where the longer return wins.
//!
//! The update is the learner's, `learner/ppo/resident.rs`.

mod collect;
mod column;
mod noise;
mod scores;
mod task;

pub use collect::{Actor, Rollout};
pub(crate) use collect::{Scale, Streams, host};
#[cfg(all(test, feature = "flex"))]
pub(crate) use column::Column;
pub(crate) use noise::{Noise, arange};
pub(crate) use scores::{AT_ONCE, win_proportions};
#[cfg(all(test, feature = "flex"))]
pub(crate) use task::Stepped;
pub(crate) use task::{Task, task};

#[cfg(test)]
mod tests;
