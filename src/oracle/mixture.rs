//! A population of raters.

use rand::Rng;
use spo_envs::Spec;

use super::structure::{Class, Game, Structure};
use super::{Answer, Oracle, OracleError, OracleEvents, Pair};
use crate::game::PreferenceMatrix;

/// P(a ≻ b) = Σ_i w_i P_i(a ≻ b): the share of a population that prefers a, the weights normalised to 1.
///
/// If a rater abstains, the others' weights are normalised without it. If all abstain, so does the population.
pub struct Mixture {
    /// (weight, rater); weights are above 0.
    pub raters: Vec<(f64, Box<dyn Oracle>)>,
}

impl Oracle for Mixture {
    fn prepare(&mut self, task: &Spec, events: &OracleEvents) -> Result<(), OracleError> {
        self.raters.iter_mut().try_for_each(|(_, rater)| rater.prepare(task, events))
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

    /// Classes if all raters have the same ones; the mean game if all raters play one.
    fn structure(&self) -> Structure<'_> {
        let raters = || self.raters.iter().map(|(weight, rater)| (*weight, rater.structure()));
        let classes: Option<Vec<Class<'_>>> = raters().map(|(_, of)| of.class).collect();
        let class = classes.map(|classes| -> Class<'_> {
            Box::new(move |t| {
                let mut classes = classes.iter().map(|class| class(t));
                let first = classes.next()??;
                classes.all(|class| class == Some(first)).then_some(first)
            })
        });
        let games: Option<Vec<(f64, Game<'_>)>> =
            raters().map(|(weight, of)| Some((weight, of.game?))).collect();
        let game = games.map(|games| -> Game<'_> {
            Box::new(move || {
                let games = games.iter().map(|(weight, game)| Some((*weight, game()?)));
                PreferenceMatrix::mixed(&games.collect::<Option<Vec<_>>>()?)
            })
        });
        Structure { class, game, ..Structure::default() }
    }
}
