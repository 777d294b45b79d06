//! A learner's part of a checkpoint: tensors and counters by name.

use std::collections::BTreeMap;

use super::normalizer::Normalizer;

/// A learner's part of a checkpoint, on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnerState {
    /// Weights, moments and similar numbers by name, each as a flat vector.
    pub tensors: BTreeMap<String, Vec<f32>>,
    /// Whole numbers by name.
    pub counters: BTreeMap<String, u64>,
    /// Observation statistics.
    pub normalizer: Normalizer,
    /// Score statistics: of one number, or of two with costs.
    pub score_stats: Normalizer,
}

impl LearnerState {
    /// The tensor `name` with `length` numbers.
    ///
    /// # Errors
    /// A message that names the tensor if it is missing or has another length.
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
    /// A message that names the counter if it is missing.
    pub fn counter(&self, name: &str) -> Result<u64, String> {
        self.counters.get(name).copied().ok_or_else(|| format!("it has no `{name}`"))
    }

    /// Checks that the observation statistics have `obs_dim` numbers.
    ///
    /// # Errors
    /// A message with both sizes if they differ.
    pub fn check_normalizer(&self, obs_dim: usize) -> Result<(), String> {
        let (mean, var) = (self.normalizer.mean.len(), self.normalizer.var.len());
        if (mean, var) == (obs_dim, obs_dim) {
            return Ok(());
        }
        Err(format!("its observation statistics have {mean} numbers, this configuration needs {obs_dim}"))
    }
}
