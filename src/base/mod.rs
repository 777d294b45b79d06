//! What every other folder builds on: random streams, statistics, SIMD loops, tensor files, devices.
//!
//! - [`random`]: named random streams, one for each use, all derived from the run's seed.
//! - [`stats`]: means, intervals, bootstrap.
//! - [`device`]: the devices that a learner can compute on.
//! - [`tensors`]: safetensors files that are written whole or not at all.
//! - [`nearest`](mod@nearest): the nearest name to a misspelt one, for error messages.

pub mod device;
pub mod nearest;
pub mod random;
pub(crate) mod simd;
pub mod stats;
pub mod tensors;
pub mod toml_error;
