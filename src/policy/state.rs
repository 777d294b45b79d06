//! What a checkpoint holds of a learner: tensors and counters by name.

use std::collections::BTreeMap;

use super::normalizer::Normalizer;

/// A learner's part of a checkpoint, on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnerState {
    /// Weights, moments and the like by name, flat.
    pub tensors: BTreeMap<String, Vec<f32>>,
    /// Whole numbers by name.
    pub counters: BTreeMap<String, u64>,
    /// Observation statistics.
    pub normalizer: Normalizer,
    /// Score statistics, of one number; with costs of two.
    pub score_stats: Normalizer,
}

impl LearnerState {
    /// The tensor `name`, which must have `length` numbers.
    ///
    /// # Errors
    /// Which tensor is missing or of another length.
    pub fn tensor(&self, name: &str, length: usize) -> Result<&[f32], String> {
        let values = self.tensors.get(name).ok_or_else(|| format!("it has no `{name}`"))?;
        if values.len() != length {
            return Err(format!("`{name}` has {} numbers, this configuration needs {length}", values.len()));
        }
        Ok(values)
    }

    /// The counter `name`.
    ///
    /// # Errors
    /// That it is missing.
    pub fn counter(&self, name: &str) -> Result<u64, String> {
        self.counters.get(name).copied().ok_or_else(|| format!("it has no `{name}`"))
    }

    /// Whether the observation statistics are of observations of `obs_dim` numbers.
    ///
    /// # Errors
    /// That they are not.
    pub fn check_normalizer(&self, obs_dim: usize) -> Result<(), String> {
        let (mean, var) = (self.normalizer.mean.len(), self.normalizer.var.len());
        if (mean, var) == (obs_dim, obs_dim) {
            return Ok(());
        }
        Err(format!("its statistics are of {mean} observations, this configuration needs {obs_dim}"))
    }
}
