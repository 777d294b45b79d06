//! Mistakes (B-Pref, Lee et al. 2021, section 4.1).

use rand::{Rng, RngExt};

use super::{Answer, Oracle, OracleError, Pair, SafetyQuery, map_preferences};
use crate::game::PreferenceMatrix;

/// Flips each answer, and each verdict of safety, with probability ε. A tie stays a tie.
pub struct Mistake {
    /// Who is mistaken.
    pub inner: Box<dyn Oracle>,
    /// ε in [0, 1]; B-Pref: 0.1.
    pub rate: f64,
}

impl Oracle for Mistake {
    fn inner(&mut self) -> Vec<&mut dyn Oracle> {
        vec![&mut *self.inner]
    }

    fn compare(&mut self, pairs: &[Pair<'_>], rng: &mut dyn Rng) -> Result<Vec<Answer>, OracleError> {
        let answers = self.inner.compare(pairs, rng)?;
        Ok(map_preferences(answers, |_, p| {
            Answer::Prefer(if rng.random_bool(self.rate) { 1.0 - p } else { p })
        }))
    }

    fn verdicts(
        &mut self,
        shown: &[SafetyQuery<'_>],
        rng: &mut dyn Rng,
    ) -> Result<Vec<Option<bool>>, OracleError> {
        let right = self.inner.verdicts(shown, rng)?;
        Ok(right.into_iter().map(|verdict| verdict.map(|safe| safe != rng.random_bool(self.rate))).collect())
    }

    fn game(&self) -> Option<PreferenceMatrix> {
        let right = self.inner.game()?;
        PreferenceMatrix::mixed(&[(1.0 - self.rate, right.clone()), (self.rate, right.flipped())])
    }
}
