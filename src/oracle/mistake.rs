//! Mistakes (B-Pref, Lee et al. 2021, section 4.1).

use rand::{Rng, RngExt};

use super::decorator::{Decorator, map_preferences};
use super::structure::{Game, Structure};
use super::{Answer, Oracle, OracleError, Pair};
use crate::game::PreferenceMatrix;

/// Flips each answer, and each verdict of safety, with probability ε. A tie stays a tie.
pub struct Mistake {
    /// ε in [0, 1]; B-Pref: 0.1.
    pub rate: f64,
}

impl Decorator for Mistake {
    fn compare(
        &self,
        inner: &mut dyn Oracle,
        pairs: &[Pair<'_>],
        rng: &mut dyn Rng,
    ) -> Result<Vec<Answer>, OracleError> {
        let answers = inner.compare(pairs, rng)?;
        Ok(map_preferences(answers, |_, p| {
            Answer::Prefer(if rng.random_bool(self.rate) { 1.0 - p } else { p })
        }))
    }

    fn verdict(&self, safe: bool, rng: &mut dyn Rng) -> bool {
        safe != rng.random_bool(self.rate)
    }

    /// The expected answers are those of the game (1 − ε) P + ε Pᵀ.
    fn structure<'a>(&'a self, inner: Structure<'a>) -> Structure<'a> {
        let game = inner.game.map(|game| -> Game<'a> {
            Box::new(move || {
                let right = game()?;
                PreferenceMatrix::mixed(&[(1.0 - self.rate, right.clone()), (self.rate, right.flipped())])
            })
        });
        Structure { game, constraint: inner.constraint, ..Structure::default() }
    }
}
