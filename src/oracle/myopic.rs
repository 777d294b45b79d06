//! Myopia (B-Pref, Lee et al. 2021, section 4.1).

use rand::Rng;

use super::decorator::Decorator;
use super::structure::Structure;
use super::{Answer, Oracle, OracleError, Pair};
use crate::rollout::Trajectory;

/// Shows the inner oracle rewards that are discounted into the past: Σ_t γ^{T−1−t} r_t; the last step has weight 1.
pub struct Myopic {
    /// γ in (0, 1]; B-Pref: 0.9.
    pub discount: f64,
}

impl Decorator for Myopic {
    fn compare(
        &self,
        inner: &mut dyn Oracle,
        pairs: &[Pair<'_>],
        rng: &mut dyn Rng,
    ) -> Result<Vec<Answer>, OracleError> {
        let discounted = |t: Trajectory<'_>| -> Vec<f32> {
            let mut weight = 1.0;
            let mut rewards: Vec<f32> = t
                .rewards
                .iter()
                .rev()
                .map(|&r| {
                    let faded = (f64::from(r) * weight) as f32;
                    weight *= self.discount;
                    faded
                })
                .collect();
            rewards.reverse();
            rewards
        };
        let rewards: Vec<_> = pairs.iter().map(|p| (discounted(p.a), discounted(p.b))).collect();
        let shown: Vec<Pair<'_>> = pairs
            .iter()
            .zip(&rewards)
            .map(|(p, (a, b))| Pair {
                a: Trajectory { rewards: a, ..p.a },
                b: Trajectory { rewards: b, ..p.b },
            })
            .collect();
        inner.compare(&shown, rng)
    }

    /// Rewards do not change what is safe.
    fn verdict(&self, safe: bool, _: &mut dyn Rng) -> bool {
        safe
    }

    /// The utility and the classes of the inner oracle would need the discounted rewards too.
    fn structure<'a>(&'a self, inner: Structure<'a>) -> Structure<'a> {
        Structure { constraint: inner.constraint, ..Structure::default() }
    }
}
