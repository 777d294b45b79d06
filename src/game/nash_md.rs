//! Nash-MD: self-play against a mixture with a reference policy (Munos et al. 2024, "Nash Learning from Human
//! Feedback").

use super::PreferenceMatrix;
use super::dynamics::{SelfPlayRun, exponentiated, normalized};

/// A penalty τ KL(π ‖ μ) on the policy.
#[derive(Clone, Debug, PartialEq)]
pub struct KlPenalty {
    /// μ, `[n]`, positive everywhere.
    pub reference: Vec<f64>,
    /// τ, the penalty per nat of KL(π ‖ μ), in win rates.
    pub tau: f64,
}

impl KlPenalty {
    /// The geometric mixture π^{1−ητ} μ^{ητ}, normalised, with step η (their section 5).
    pub fn mixture(&self, policy: &[f64], step: f64) -> Vec<f64> {
        let share = step * self.tau;
        let mix = |(p, m): (&f64, &f64)| p.powf(1.0 - share) * m.powf(share);
        normalized(policy.iter().zip(&self.reference).map(mix).collect())
    }
}

impl PreferenceMatrix {
    /// Nash-MD: π_{t+1} ∝ μ_t exp(η P μ_t). The mixture μ_t of π_t with the reference is both the opponent and the centre
    /// of the step. `step` η is in win rates, and η τ is at most 1.
    ///
    /// The last iterate converges to τ log π/μ = P μ_t + constant. With η → 0 (their η_t = 2 / (τ (t + 2))) that is the
    /// equilibrium of P(π ≻ π') − τ KL(π ‖ μ) + τ KL(π' ‖ μ). The larger τ, the further it is from the minimax winner.
    pub fn nash_md(&self, iterations: usize, step: f64, start: Vec<f64>, penalty: &KlPenalty) -> SelfPlayRun {
        SelfPlayRun::iterate(iterations, start, |p| {
            let opponent = penalty.mixture(p, step);
            exponentiated(&opponent, &self.win_rates_against(&opponent), step)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::game::builtin;

    #[test]
    fn the_mixture_by_hand() {
        // ητ = ½: √(0.8 · 0.2) = 0.4 and √(0.2 · 0.8) = 0.4.
        let penalty = KlPenalty { reference: vec![0.2, 0.8], tau: 0.5 };
        for weight in penalty.mixture(&[0.8, 0.2], 1.0) {
            assert!((weight - 0.5).abs() < 1e-12);
        }
    }

    #[test]
    fn the_last_iterate_is_the_regularised_equilibrium() {
        for name in ["cycle", "condorcet_is_not_borda"] {
            let game = builtin(name).unwrap();
            let penalty = KlPenalty { reference: vec![0.2, 0.3, 0.5], tau: 0.2 };
            // How much τ log π/μ − P π' varies over the options: 0 at the equilibrium.
            let spread = |last: &[f64], opponent: &[f64]| {
                let rates = game.win_rates_against(opponent);
                let gap = |i: usize| penalty.tau * (last[i] / penalty.reference[i]).ln() - rates[i];
                let gaps = [0, 1, 2].map(gap);
                gaps.iter().map(|g| (g - gaps[0]).abs()).fold(0.0, f64::max)
            };
            let settled =
                |step: f64| game.nash_md((200.0 / step) as usize, step, game.uniform(), &penalty).last;
            let last = settled(0.5);
            assert!(spread(&last, &penalty.mixture(&last, 0.5)) < 1e-9, "{name}: {last:?}");
            // Against itself, it gets smaller with the step.
            let apart = [0.5, 0.05, 0.005].map(|step| spread(&settled(step), &settled(step)));
            assert!(apart[1] < 0.2 * apart[0] && apart[2] < 0.2 * apart[1], "{name}: {apart:?}");
        }
    }

    #[test]
    fn with_a_small_penalty_the_last_iterate_comes_near_the_minimax_winner() {
        let game = builtin("cycle").unwrap();
        let far = |tau: f64| {
            let penalty = KlPenalty { reference: game.uniform(), tau };
            game.minimax_distance(&game.nash_md(20_000, 0.5, game.uniform(), &penalty).last).unwrap()
        };
        let distances = [0.3, 0.1, 0.03, 0.01].map(far);
        assert!(distances.windows(2).all(|pair| pair[1] < 0.8 * pair[0]), "{distances:?}");
        assert!(distances[3] < 0.03, "{distances:?}");
    }
}
