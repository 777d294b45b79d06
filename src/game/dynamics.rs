//! Self-play in theory: Hedge against its own iterates (Swamy et al. 2024, section 3; Freund & Schapire 1997), and the
//! loop that all dynamics share.
//!
//! Steps η are in units of margins A = 2P − 1: η here equals 2η in win rates P.

use super::PreferenceMatrix;

/// The result of a dynamic.
#[derive(Clone, Debug, PartialEq)]
pub struct SelfPlayRun {
    /// The mean of π_1 … π_T, `[n]`. It approaches the minimax winner.
    pub average: Vec<f64>,
    /// π_T, `[n]`.
    pub last: Vec<f64>,
}

impl SelfPlayRun {
    /// Runs T iterations: π_1 is `start`, and π_{t+1} is `next(π_t)`.
    pub(super) fn iterate(
        iterations: usize,
        start: Vec<f64>,
        mut next: impl FnMut(&[f64]) -> Vec<f64>,
    ) -> Self {
        let mut average = vec![0.0; start.len()];
        let mut last = start;
        for t in 0..iterations {
            if t > 0 {
                last = next(&last);
            }
            average.iter_mut().zip(&last).for_each(|(a, p)| *a += p / iterations as f64);
        }
        Self { average, last }
    }
}

/// The step √(2 ln n / T). With this step, the exploitability of the average of T iterates is at most √(2 ln n / T).
pub fn hedge_step(options: usize, iterations: usize) -> f64 {
    (2.0 * (options as f64).ln() / iterations as f64).sqrt()
}

/// π exp(η r), normalised: a step of mirror ascent with the entropy as mirror map.
pub(super) fn exponentiated(policy: &[f64], rewards: &[f64], step: f64) -> Vec<f64> {
    normalized(policy.iter().zip(rewards).map(|(p, r)| p * (step * r).exp()).collect())
}

/// Divides weights by their sum.
pub(super) fn normalized(mut weights: Vec<f64>) -> Vec<f64> {
    let sum: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|w| *w /= sum);
    weights
}

impl PreferenceMatrix {
    /// The uniform mixture, `[n]`: Hedge's usual start.
    pub fn uniform(&self) -> Vec<f64> {
        vec![1.0 / self.len() as f64; self.len()]
    }

    /// The mixture (1, 2, …, n) / Σ, `[n]`: a start that, unlike the uniform one, is not often an equilibrium or a fixed
    /// point already.
    pub fn uneven(&self) -> Vec<f64> {
        normalized((1..=self.len()).map(|k| k as f64).collect())
    }

    /// Hedge: π_{t+1} ∝ π_t exp(η A π_t).
    pub fn hedge(&self, iterations: usize, step: f64, start: Vec<f64>) -> SelfPlayRun {
        SelfPlayRun::iterate(iterations, start, |p| exponentiated(p, &self.margins_against(p), step))
    }

    /// Optimistic Hedge: π_{t+1} ∝ π_t exp(η (2 A π_t − A π_{t−1})). Its last iterate converges too
    /// (Daskalakis & Panageas 2019).
    pub fn optimistic(&self, iterations: usize, step: f64, start: Vec<f64>) -> SelfPlayRun {
        let mut before = self.margins_against(&start);
        SelfPlayRun::iterate(iterations, start, |p| {
            let now = self.margins_against(p);
            let ahead: Vec<f64> = now.iter().zip(&before).map(|(now, before)| 2.0 * now - before).collect();
            before = now;
            exponentiated(p, &ahead, step)
        })
    }

    /// Extragradient (mirror-prox, Nemirovski 2004; in preference games EGPO, Zhou et al. 2025): a look-ahead step to π̂,
    /// then a step from π_t with the margins at π̂: π_{t+1} ∝ π_t exp(η A π̂) with π̂ ∝ π_t exp(η A π_t). The last iterate
    /// converges.
    pub fn extragradient(&self, iterations: usize, step: f64, start: Vec<f64>) -> SelfPlayRun {
        SelfPlayRun::iterate(iterations, start, |p| {
            let tried = exponentiated(p, &self.margins_against(p), step);
            exponentiated(p, &self.margins_against(&tried), step)
        })
    }
}
