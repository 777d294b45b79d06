//! The policy on a device.

use burn::tensor::{Device, Tensor};

use super::layers::Layers;
use crate::base::device::burn::row;
use crate::policy::normalizer::{self, CLIP};

/// A Gaussian policy on a device.
pub(crate) struct Actor {
    /// The mean latent `[N, action_dim]` of normalised observations `[N, obs_dim]`.
    pub(super) mean: Layers,
    /// `[action_dim]`
    pub log_std: Tensor<1>,
    /// Normalises observations.
    pub(super) scale: Scale,
    /// Whether latents are squashed by tanh; otherwise they are clipped.
    pub(super) squashes: bool,
}

impl Actor {
    /// The mean latent `[N, action_dim]` at observations `[N, obs_dim]`, as the task gave them.
    pub fn mean(&self, obs: Tensor<2>) -> Tensor<2> {
        self.mean.apply(self.scale.apply(obs))
    }

    /// The latents, squashed if the policy squashes them.
    pub fn squash(&self, latents: Tensor<2>) -> Tensor<2> {
        if self.squashes { latents.tanh() } else { latents }
    }
}

/// Means and standard deviations of observations, `[1, obs_dim]`.
#[derive(Clone)]
pub(crate) struct Scale {
    mean: Tensor<2>,
    std: Tensor<2>,
}

impl Scale {
    /// A copy on the device.
    pub fn new(scale: &normalizer::Scale, device: &Device) -> Self {
        Self { mean: row(&scale.mean, device), std: row(&scale.std, device) }
    }

    /// Normalises rows `[rows, obs_dim]`, as [`normalizer::Scale::apply`] does.
    pub fn apply(&self, obs: Tensor<2>) -> Tensor<2> {
        ((obs - self.mean.clone()) / self.std.clone()).clamp(-CLIP, CLIP)
    }
}
