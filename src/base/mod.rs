//! What every other folder builds on: random streams, statistics, SIMD loops, tensor files.
//!
//! - [`random`]: named random streams, one for each use, all derived from the run's seed.
//! - [`stats`]: means, intervals, bootstrap.
//! - [`table`]: CSV files that only grow, taken up at a checkpoint.
//! - [`tensors`]: safetensors files that are written whole or not at all.
//! - [`nearest`](mod@nearest): the nearest name to a misspelt one, for error messages.
//! - [`toml_error`]: what is wrong with a TOML text, with the nearest right key.

pub mod nearest;
pub mod random;
pub(crate) mod simd;
pub mod stats;
pub mod table;
pub mod tensors;
pub mod toml_error;
