//! Continuous-control tasks for learning from preferences.
//!
//! - [`Env`]: the trait that every task implements; [`Spec`] holds its shapes, bounds and horizon.
//! - [`registry`] and [`make`]: the tasks by name; `HalfCheetah-v5@200` is HalfCheetah-v5 with episodes of 200 steps.
//! - [`Checked`]: a task wrapped in shape checks and a time limit. Rollouts step this type.
//! - [`trace`]: steps a task through a recorded trajectory, to compare it with another simulator.
//! - [`tasks`]: the tasks in pure Rust; [`dynamics`]: their equations, for a host or a device.
//! - [`mujoco`]: the tasks of Gymnasium and DM Control, on the MuJoCo library, which is loaded at run time.
//!
//! ```
//! use rand::SeedableRng;
//!
//! let mut env = spo_envs::Checked::new(spo_envs::make("pendulum")?);
//! let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
//! let mut obs = vec![0.0; env.spec().obs_dim];
//! env.reset(&mut rng, &mut obs)?;
//! let step = env.step(&[0.5], &mut obs)?;
//! assert!(step.reward <= 0.0 && !step.terminated);
//! # Ok::<(), spo_envs::EnvError>(())
//! ```
#![warn(missing_docs)]
#![deny(unsafe_code)]

mod checked;
pub mod dynamics;
mod env;
mod horizon;
pub mod mujoco;
mod registry;
pub mod tasks;
pub mod trace;

pub use checked::Checked;
pub use env::{ActionSpace, Env, EnvError, Frame, Shape, Spec, Step};
pub use registry::{Entry, WithDynamics, make, registry, with_dynamics};
