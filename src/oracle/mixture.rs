//! A population of raters.

use rand::Rng;

use super::{Answer, Oracle, OracleError, Pair};
use crate::game::PreferenceMatrix;
use crate::rollout::Trajectory;

/// P(a ≻ b) = Σ_i w_i P_i(a ≻ b): the share of a population that prefers a, the weights normalised to 1.
///
/// A rater who abstains leaves the others' weights; all abstain, so does the population.
pub struct Mixture {
    /// (weight, rater); weights positive.
    pub raters: Vec<(f64, Box<dyn Oracle>)>,
}

impl Oracle for Mixture {
    fn inner(&mut self) -> Vec<&mut dyn Oracle> {
        self.raters.iter_mut().map(|(_, rater)| &mut **rater as &mut dyn Oracle).collect()
    }

    fn compare(&mut self, pairs: &[Pair<'_>], rng: &mut dyn Rng) -> Result<Vec<Answer>, OracleError> {
        let mut sums = vec![(0.0, 0.0); pairs.len()];
        for (weight, rater) in &mut self.raters {
            for (sum, answer) in sums.iter_mut().zip(rater.compare(pairs, rng)?) {
                if let Answer::Prefer(p) = answer {
                    sum.0 += *weight * f64::from(p);
                    sum.1 += *weight;
                }
            }
        }
        Ok(sums
            .into_iter()
            .map(|(p, total)| if total > 0.0 { Answer::Prefer((p / total) as f32) } else { Answer::Abstain })
            .collect())
    }

    /// Of raters who all tell the same kinds apart.
    fn kind(&self, trajectory: Trajectory<'_>) -> Option<usize> {
        let mut kinds = self.raters.iter().map(|(_, rater)| rater.kind(trajectory));
        let first = kinds.next()??;
        kinds.all(|kind| kind == Some(first)).then_some(first)
    }

    fn game(&self) -> Option<PreferenceMatrix> {
        let games = self.raters.iter().map(|(weight, rater)| Some((*weight, rater.game()?)));
        PreferenceMatrix::mixed(&games.collect::<Option<Vec<_>>>()?)
    }
}
