//! Self-play by regression: SPPO and REBEL. Their update is a least-squares fit instead of a step of Hedge.
//!
//! Both fit the change of log-probabilities x = log π/π_t to the win rates r = P π_t against the current policy. In a
//! matrix game the fit is exact, so the result shows the method alone.

use super::PreferenceMatrix;
use super::dynamics::{SelfPlayRun, exponentiated, normalized};

/// SPPO's loss of the next policy, E_{y~π_t} (log π(y)/π_t(y) − η (P(y ≻ π_t) − ½))² (Wu et al. 2024, Algorithm 1).
pub fn sppo_loss(game: &PreferenceMatrix, policy: &[f64], next: &[f64], step: f64) -> f64 {
    let rates = game.win_rates_against(policy);
    let terms = policy.iter().zip(next).zip(rates);
    terms.map(|((p, q), rate)| p * ((q / p).ln() - step * (rate - 0.5)).powi(2)).sum()
}

/// REBEL's loss of the next policy, E_{y,y'~π_t} ((x(y) − x(y')) / η − (r(y) − r(y')))² with x = log π/π_t and r the win
/// rate against π_t (Gao et al. 2024, Algorithm 1).
pub fn rebel_loss(game: &PreferenceMatrix, policy: &[f64], next: &[f64], step: f64) -> f64 {
    let rates = game.win_rates_against(policy);
    let gap = |i: usize| (next[i] / policy[i]).ln() / step - rates[i];
    let pairs = (0..game.len()).flat_map(|i| (0..game.len()).map(move |j| (i, j)));
    pairs.map(|(i, j)| policy[i] * policy[j] * (gap(i) - gap(j)).powi(2)).sum()
}

impl PreferenceMatrix {
    /// SPPO: π_{t+1} minimises [`sppo_loss`] over all distributions. `step` η is in win rates.
    pub fn sppo(&self, iterations: usize, step: f64, start: Vec<f64>) -> SelfPlayRun {
        SelfPlayRun::iterate(iterations, start, |p| self.sppo_step(p, step))
    }

    /// With targets g = η (r − ½) and E_{π_t} g = 0, the minimum under Σ π_t e^x = 1 satisfies x + λ e^x = g for some λ ≥ 0
    /// (Lagrange multiplier). To first order λ = 0, and the step equals Hedge's.
    fn sppo_step(&self, policy: &[f64], step: f64) -> Vec<f64> {
        let targets: Vec<f64> = self.win_rates_against(policy).iter().map(|r| step * (r - 0.5)).collect();
        let mut lambda = 0.0;
        let mut growth: Vec<f64> = targets.iter().map(|g| g.exp()).collect();
        // Newton's method from the left of the root of a falling convex function: it never passes the root.
        for _ in 0..100 {
            let excess = policy.iter().zip(&growth).map(|(p, e)| p * e).sum::<f64>() - 1.0;
            if excess.abs() < 1e-15 {
                break;
            }
            let slope: f64 = policy.iter().zip(&growth).map(|(p, e)| p * e * e / (1.0 + lambda * e)).sum();
            lambda += excess / slope;
            growth.iter_mut().zip(&targets).for_each(|(e, g)| *e = root(*g, lambda, *e));
        }
        normalized(policy.iter().zip(growth).map(|(p, e)| p * e).collect())
    }

    /// REBEL: π_{t+1} minimises [`rebel_loss`]. The minimum is 0, reached by Hedge's step π_{t+1} ∝ π_t exp(η P π_t) (their
    /// section 4: mirror descent). `step` η is in win rates.
    pub fn rebel(&self, iterations: usize, step: f64, start: Vec<f64>) -> SelfPlayRun {
        SelfPlayRun::iterate(iterations, start, |p| exponentiated(p, &self.win_rates_against(p), step))
    }
}

/// The root e of log e + λ e = g, by Newton's method from a guess.
fn root(g: f64, lambda: f64, mut e: f64) -> f64 {
    for _ in 0..50 {
        let next = e * (1.0 + g - e.ln()) / (1.0 + lambda * e);
        if (next - e).abs() <= 1e-15 * e {
            break;
        }
        e = next;
    }
    e
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::game::builtin;

    /// Shifts probability along a direction that keeps the sum, a little at a time.
    fn slope(loss: impl Fn(&[f64]) -> f64, at: &[f64], direction: [f64; 3]) -> f64 {
        let h = 1e-5;
        let moved = |by: f64| loss(&at.iter().zip(direction).map(|(p, d)| p + by * d).collect::<Vec<f64>>());
        (moved(h) - moved(-h)) / (2.0 * h)
    }

    #[test]
    fn each_step_is_where_its_loss_is_level_and_nowhere_lower() {
        let game = builtin("cycle").unwrap();
        let start = vec![0.5, 0.2, 0.3];
        for step in [0.5, 2.0, 8.0] {
            let sppo = game.sppo(2, step, start.clone()).last;
            let rebel = game.rebel(2, step, start.clone()).last;
            assert!((sppo.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let sppo_of = |next: &[f64]| sppo_loss(&game, &start, next, step);
            let rebel_of = |next: &[f64]| rebel_loss(&game, &start, next, step);
            for direction in [[1.0, -1.0, 0.0], [0.0, 1.0, -1.0]] {
                assert!(slope(sppo_of, &sppo, direction).abs() < 1e-6, "step {step}");
                assert!(slope(rebel_of, &rebel, direction).abs() < 1e-6, "step {step}");
            }
            assert!(rebel_of(&rebel) < 1e-24, "REBEL's fit is exact");
            for other in [&start, &rebel, &vec![1.0 / 3.0; 3]] {
                assert!(sppo_of(&sppo) <= sppo_of(other), "step {step}");
            }
        }
    }

    #[test]
    fn the_losses_by_hand() {
        // Two options, P(a ≻ b) = 0.9; π_t = (½, ½): win rates ½ + 0.2 and ½ − 0.2. From (½, ½) to (¾, ¼):
        // x = (log 1.5, log 0.5).
        let game =
            PreferenceMatrix::new(vec!["a".into(), "b".into()], vec![0.5, 0.9, 0.1, 0.5], "two").unwrap();
        let (p, q) = ([0.5, 0.5], [0.75, 0.25]);
        let (up, down) = (1.5f64.ln(), 0.5f64.ln());
        let sppo = 0.5 * (up - 2.0 * 0.2).powi(2) + 0.5 * (down + 2.0 * 0.2).powi(2);
        assert!((sppo_loss(&game, &p, &q, 2.0) - sppo).abs() < 1e-12);
        // Two of the four ordered pairs have different options, each with the gap (x_a − x_b) / 2 − 0.4.
        let rebel = 2.0 * 0.25 * ((up - down) / 2.0 - 0.4f64).powi(2);
        assert!((rebel_loss(&game, &p, &q, 2.0) - rebel).abs() < 1e-12);
    }

    #[test]
    fn rebel_is_hedge_and_sppo_nearly_so() {
        let game = builtin("cycle").unwrap();
        let start = vec![0.5, 0.2, 0.3];
        // η in margins equals 2η in win rates.
        let hedge = game.hedge(500, 0.05, start.clone());
        let rebel = game.rebel(500, 0.1, start.clone());
        let sppo = game.sppo(500, 0.1, start);
        for i in 0..3 {
            assert!((hedge.last[i] - rebel.last[i]).abs() < 1e-9);
            assert!((hedge.average[i] - sppo.average[i]).abs() < 0.02, "{hedge:?} {sppo:?}");
        }
    }
}
