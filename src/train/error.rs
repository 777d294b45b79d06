//! What can end a training.

use spo_envs::EnvError;

use crate::base::tensors::FileError;
use crate::device::DeviceError;
use crate::oracle::OracleError;
use crate::train::config::ConfigError;
use crate::train::reference::ReferenceError;

/// What can end a training.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The environment.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// The initial policy.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The oracle.
    #[error(transparent)]
    Oracle(#[from] OracleError),
    /// The device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A file of the run directory.
    #[error(transparent)]
    File(#[from] FileError),
    /// A checkpoint of another configuration.
    #[error("the checkpoint does not fit this run: {0}")]
    Checkpoint(String),
    /// A score is not finite.
    #[error(
        "the scores diverged at iteration {iteration}: the first is {value}; with a reward model, lower \
         reward_model.learning_rate or set reward_model.normalize_inputs=true"
    )]
    Score {
        /// The iteration.
        iteration: u64,
        /// The first score that is not.
        value: f32,
    },
    /// The weights or losses are no longer finite.
    #[error(
        "training diverged at iteration {iteration}: {what} is {value}; lower the learner's learning_rate, or ppo.clip, or raise minibatch_size"
    )]
    Diverged {
        /// The iteration.
        iteration: u64,
        /// Which figure.
        what: &'static str,
        /// Its value.
        value: f32,
    },
    /// The configuration demands environments on the device, and that is not possible.
    #[error("env_device=device is not possible here: {0}; use env_device=auto or env_device=host")]
    EnvDevice(&'static str),
    /// The device went away, or ran out of memory.
    #[error(
        "the device failed at iteration {iteration}: {why}; the checkpoint is of the iteration before, and \
         `spo train --resume` continues from it; if memory was short, lower rollout.num_states or ppo.minibatch_size"
    )]
    DeviceLost {
        /// The iteration.
        iteration: u64,
        /// What the libraries below said.
        why: String,
    },
}
