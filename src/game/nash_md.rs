//! Nash-MD: self-play against an opponent that is drawn towards a reference policy (Munos et al. 2024, "Nash Learning
//! from Human Feedback").

use super::PreferenceMatrix;
use super::dynamics::{SelfPlayRun, exponentiated, normalized};

/// Where a policy is held, and how firmly.
#[derive(Clone, Debug, PartialEq)]
pub struct Anchor {
    /// μ, `[n]`, positive everywhere.
    pub reference: Vec<f64>,
    /// τ, the price of a nat of KL(π ‖ μ), in win rates.
    pub strength: f64,
}

impl Anchor {
    /// The geometric mixture π^{1−ητ} μ^{ητ}, normalised, at the step η (their section 5).
    pub fn mixed(&self, policy: &[f64], step: f64) -> Vec<f64> {
        let share = step * self.strength;
        let mix = |(p, m): (&f64, &f64)| p.powf(1.0 - share) * m.powf(share);
        normalized(policy.iter().zip(&self.reference).map(mix).collect())
    }
}

impl PreferenceMatrix {
    /// Nash-MD: π_{t+1} ∝ μ_t exp(η P μ_t), where μ_t is π_t mixed with the reference, as opponent and as centre of the
    /// step alike. `step` η is in win rates, and η τ at most 1.
    ///
    /// The last iterate settles where τ log π/μ = P μ_t + constant. With η → 0 (their η_t = 2 / (τ (t + 2))) that is the
    /// equilibrium of P(π ≻ π') − τ KL(π ‖ μ) + τ KL(π' ‖ μ), which lies off the minimax winner as far as the anchor
    /// holds it.
    pub fn nash_md(&self, iterations: usize, step: f64, start: Vec<f64>, anchor: &Anchor) -> SelfPlayRun {
        SelfPlayRun::of(iterations, start, |p| {
            let opponent = anchor.mixed(p, step);
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
        let anchor = Anchor { reference: vec![0.2, 0.8], strength: 0.5 };
        for weight in anchor.mixed(&[0.8, 0.2], 1.0) {
            assert!((weight - 0.5).abs() < 1e-12);
        }
    }

    #[test]
    fn the_last_iterate_is_the_regularised_equilibrium() {
        for name in ["cycle", "condorcet_is_not_borda"] {
            let game = builtin(name).unwrap();
            let anchor = Anchor { reference: vec![0.2, 0.3, 0.5], strength: 0.2 };
            // How much τ log π/μ − P π' varies over the options: 0 where nobody gains by leaving.
            let spread = |last: &[f64], opponent: &[f64]| {
                let rates = game.win_rates_against(opponent);
                let gap = |i: usize| anchor.strength * (last[i] / anchor.reference[i]).ln() - rates[i];
                let gaps = [0, 1, 2].map(gap);
                gaps.iter().map(|g| (g - gaps[0]).abs()).fold(0.0, f64::max)
            };
            let settled =
                |step: f64| game.nash_md((200.0 / step) as usize, step, game.uniform(), &anchor).last;
            let last = settled(0.5);
            assert!(spread(&last, &anchor.mixed(&last, 0.5)) < 1e-9, "{name}: {last:?}");
            // Against itself, the less the smaller the step.
            let apart = [0.5, 0.05, 0.005].map(|step| spread(&settled(step), &settled(step)));
            assert!(apart[1] < 0.2 * apart[0] && apart[2] < 0.2 * apart[1], "{name}: {apart:?}");
        }
    }

    #[test]
    fn a_light_anchor_lets_the_last_iterate_come_near_the_minimax_winner() {
        let game = builtin("cycle").unwrap();
        let far = |strength: f64| {
            let anchor = Anchor { reference: game.uniform(), strength };
            game.minimax_distance(&game.nash_md(20_000, 0.5, game.uniform(), &anchor).last).unwrap()
        };
        let distances = [0.3, 0.1, 0.03, 0.01].map(far);
        assert!(distances.windows(2).all(|pair| pair[1] < 0.8 * pair[0]), "{distances:?}");
        assert!(distances[3] < 0.03, "{distances:?}");
    }
}
