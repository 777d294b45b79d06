//! Tests of the command and of what stands behind it, one module a concern: `cargo test -p spo-cli resume`.

mod audit;
mod cli;
mod common;
#[cfg(unix)]
mod experiment;
#[cfg(unix)]
mod judge;
#[cfg(unix)]
mod llm;
mod mujoco;
#[cfg(unix)]
mod pages;
mod play;
#[cfg(unix)]
mod reference;
#[cfg(unix)]
mod resume;
#[cfg(unix)]
mod rlhf;
mod safety;
mod tensorboard;
mod tournament;
