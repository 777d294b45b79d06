//! Labels: a single rater's yes or no instead of a probability.

use rand::{Rng, RngExt};

use super::{Answer, Oracle, OracleError, Pair, map_preferences};
use crate::game::PreferenceMatrix;

/// Draws 1 with probability P(a ≻ b), else 0. A tie (exactly ½) stays a tie.
pub struct Labels {
    /// Whose probabilities are drawn from.
    pub inner: Box<dyn Oracle>,
}

impl Oracle for Labels {
    fn inner(&mut self) -> Vec<&mut dyn Oracle> {
        vec![&mut *self.inner]
    }

    fn compare(&mut self, pairs: &[Pair<'_>], rng: &mut dyn Rng) -> Result<Vec<Answer>, OracleError> {
        let answers = self.inner.compare(pairs, rng)?;
        Ok(map_preferences(answers, |_, p| {
            Answer::Prefer(if p == 0.5 { 0.5 } else { f32::from(u8::from(rng.random::<f32>() < p)) })
        }))
    }
    fn game(&self) -> Option<PreferenceMatrix> {
        self.inner.game()
    }
}
