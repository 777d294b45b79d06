//! Labels: the yes or no of a single rater instead of a probability.

use rand::{Rng, RngExt};

use super::decorator::{Decorator, map_preferences};
use super::structure::Structure;
use super::{Answer, Oracle, OracleError, Pair};

/// Draws 1 with probability P(a ≻ b), else 0. A tie (exactly ½) stays a tie.
pub struct Labels;

impl Decorator for Labels {
    fn compare(
        &self,
        inner: &mut dyn Oracle,
        pairs: &[Pair<'_>],
        rng: &mut dyn Rng,
    ) -> Result<Vec<Answer>, OracleError> {
        let answers = inner.compare(pairs, rng)?;
        Ok(map_preferences(answers, |_, p| {
            Answer::Prefer(if p == 0.5 { 0.5 } else { f32::from(u8::from(rng.random::<f32>() < p)) })
        }))
    }

    /// A verdict is a yes or no already.
    fn verdict(&self, safe: bool, _: &mut dyn Rng) -> bool {
        safe
    }

    /// The mean of a draw is the probability, so the expected answers stay the same.
    fn structure<'a>(&'a self, inner: Structure<'a>) -> Structure<'a> {
        Structure { game: inner.game, constraint: inner.constraint, ..Structure::default() }
    }
}
