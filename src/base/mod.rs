//! The foundation of all other folders: random streams, statistics, SIMD loops, files, devices.
//!
//! - [`random`]: named random streams, one per use, all derived from the run's seed.
//! - [`stats`]: means, intervals, bootstrap.
//! - [`device`]: the devices that a learner can compute on.
//! - [`table`]: CSV files that only grow, opened again at the length that a checkpoint has.
//! - [`tensors`]: safetensors files, written atomically.
//! - [`nearest`](mod@nearest): the closest match for a misspelt name, for error messages.
//! - [`toml_error`]: what is wrong with a TOML text, with the nearest right key.

pub mod device;
pub mod nearest;
pub mod random;
pub(crate) mod simd;
pub mod stats;
pub mod table;
pub mod tensors;
pub mod toml_error;
