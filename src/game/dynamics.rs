//! Self-play in theory: Hedge against its own iterates (Swamy et al. 2024, section 3; Freund & Schapire 1997).

use super::PreferenceMatrix;

/// Where a dynamic ended.
#[derive(Clone, Debug, PartialEq)]
pub struct SelfPlayRun {
    /// The mean of π_1 … π_T, `[n]`: what approaches the minimax winner.
    pub average: Vec<f64>,
    /// π_T, `[n]`.
    pub last: Vec<f64>,
}

/// √(2 ln n / T): with it the average of T iterates is exploitable by at most as much.
pub fn hedge_step(options: usize, iterations: usize) -> f64 {
    (2.0 * (options as f64).ln() / iterations as f64).sqrt()
}

impl PreferenceMatrix {
    /// Hedge: π_1 uniform, π_{t+1} ∝ π_t exp(η A π_t), in units of margins.
    pub fn hedge(&self, iterations: usize, step: f64) -> SelfPlayRun {
        self.multiplicative_weights(iterations, step, vec![1.0 / self.len() as f64; self.len()], 0.0)
    }

    /// Optimistic Hedge: π_{t+1} ∝ π_t exp(η (2 A π_t − A π_{t−1})) from `start`; its last iterate converges too
    /// (Daskalakis & Panageas 2019).
    pub fn optimistic(&self, iterations: usize, step: f64, start: Vec<f64>) -> SelfPlayRun {
        self.multiplicative_weights(iterations, step, start, 1.0)
    }

    fn multiplicative_weights(
        &self,
        iterations: usize,
        step: f64,
        start: Vec<f64>,
        optimism: f64,
    ) -> SelfPlayRun {
        let mut policy = start;
        let mut average = vec![0.0; self.len()];
        let mut before = self.margins_against(&policy);
        let mut last = policy.clone();
        for _ in 0..iterations {
            last.clone_from(&policy);
            average.iter_mut().zip(&policy).for_each(|(a, p)| *a += p / iterations as f64);
            let reward = self.margins_against(&policy);
            for ((p, now), old) in policy.iter_mut().zip(&reward).zip(&before) {
                *p *= (step * (now + optimism * (now - old))).exp();
            }
            let sum: f64 = policy.iter().sum();
            policy.iter_mut().for_each(|p| *p /= sum);
            before = reward;
        }
        SelfPlayRun { average, last }
    }
}
