//! Running mean and standard deviation of observations.

use serde::{Deserialize, Serialize};

/// Observation statistics, merged batch by batch (Chan et al. 1979, parallel variance).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normalizer {
    /// Number of rows; with 0 rows, nothing is normalised.
    pub count: f64,
    /// Means, `[obs_dim]`.
    pub mean: Vec<f64>,
    /// Population variances, `[obs_dim]`.
    pub var: Vec<f64>,
}

/// Normalised observations are clipped at this many standard deviations (OpenAI baselines' `VecNormalize`).
pub const CLIP: f32 = 10.0;

/// Added to every variance, so that a constant observation is divided by 1e-4 and not by 0.
pub const MIN_VAR: f64 = 1e-8;

impl Normalizer {
    /// Statistics that change nothing.
    pub fn identity(obs_dim: usize) -> Self {
        Self { count: 0.0, mean: vec![0.0; obs_dim], var: vec![1.0; obs_dim] }
    }

    /// Standard deviations, bounded away from zero, `[obs_dim]`.
    pub fn std(&self) -> impl Iterator<Item = f32> + '_ {
        self.var.iter().map(|v| (v + MIN_VAR).sqrt() as f32)
    }

    /// Mean and standard deviation in single precision, to normalise observations.
    pub fn scale(&self) -> Scale {
        Scale { mean: self.mean.iter().map(|&m| m as f32).collect(), std: self.std().collect() }
    }

    /// Merges the rows of `obs`, `[n, obs_dim]`.
    pub fn update(&mut self, obs: &[f32]) {
        let dim = self.mean.len();
        let n = (obs.len() / dim) as f64;
        if n == 0.0 {
            return;
        }
        let mut mean = vec![0.0; dim];
        for row in obs.chunks_exact(dim) {
            mean.iter_mut().zip(row).for_each(|(m, &x)| *m += f64::from(x) / n);
        }
        let mut var = vec![0.0; dim];
        for row in obs.chunks_exact(dim) {
            var.iter_mut().zip(row).zip(&mean).for_each(|((v, &x), m)| *v += (f64::from(x) - m).powi(2) / n);
        }
        self.merge(n, &mean, &var);
    }

    /// Merges `n` rows with a known mean and population variance, `[obs_dim]` each.
    pub fn merge(&mut self, n: f64, mean: &[f64], var: &[f64]) {
        let total = self.count + n;
        for d in 0..self.mean.len() {
            let delta = mean[d] - self.mean[d];
            let seen = if self.count == 0.0 { 0.0 } else { self.var[d] * self.count };
            self.var[d] = (seen + var[d] * n + delta * delta * self.count * n / total) / total;
            self.mean[d] += delta * n / total;
        }
        self.count = total;
    }
}

/// Mean and standard deviation of each observation, `[obs_dim]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    /// Means, `[obs_dim]`.
    pub mean: Vec<f32>,
    /// Standard deviations, `[obs_dim]`, above 0.
    pub std: Vec<f32>,
}

impl Scale {
    /// Writes the normalised `obs`, one or more rows, into `out` of the same length.
    pub fn apply(&self, obs: &[f32], out: &mut [f32]) {
        let dim = self.mean.len();
        for (row, to) in obs.chunks_exact(dim).zip(out.chunks_exact_mut(dim)) {
            for (((x, y), mean), std) in row.iter().zip(to).zip(&self.mean).zip(&self.std) {
                *y = ((x - mean) / std).clamp(-CLIP, CLIP);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_batches_equals_one_batch() {
        let rows = [1.0, 10.0, 2.0, 30.0, 6.0, 20.0];
        let (mut whole, mut parts) = (Normalizer::identity(2), Normalizer::identity(2));
        whole.update(&rows);
        parts.update(&rows[..2]);
        parts.update(&rows[2..]);
        // Column 0: mean (1+2+6)/3 = 3, variance (4+1+9)/3 = 14/3.
        assert!((whole.mean[0] - 3.0).abs() < 1e-12 && (whole.var[0] - 14.0 / 3.0).abs() < 1e-12);
        for d in 0..2 {
            assert!((whole.mean[d] - parts.mean[d]).abs() < 1e-12);
            assert!((whole.var[d] - parts.var[d]).abs() < 1e-12);
        }
        let mut out = [0.0; 2];
        whole.scale().apply(&[3.0, 20.0], &mut out);
        assert_eq!(out, [0.0, 0.0]);
    }
}
