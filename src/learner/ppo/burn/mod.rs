//! PPO on Burn tensors: the reference for the host's loops, and the way to a GPU.
//!
//! - `layers`: a network as slices of one flat tensor of weights;
//! - `tensor`: the gradient steps;
//! - `actor`: the policy, for rollouts that stay on the device;
//! - `update`: an update from trajectories that are on the device already.

mod actor;
mod layers;
mod tensor;
mod update;

pub(crate) use actor::Actor;
pub(super) use tensor::TensorEngine;
pub(crate) use update::{DeviceBatch, DevicePpo};
