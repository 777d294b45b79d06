//! A preference matrix as oracle: the exact games, played by one-step trajectories.

use rand::Rng;

use super::{Answer, Oracle, OracleError, Pair};
use crate::game::PreferenceMatrix;
use crate::rollout::Trajectory;

/// P(a ≻ b) looked up by the options (first actions) of two trajectories.
pub struct Matrix(pub PreferenceMatrix);

impl Oracle for Matrix {
    fn compare(&mut self, pairs: &[Pair<'_>], _: &mut dyn Rng) -> Result<Vec<Answer>, OracleError> {
        let options = self.0.len();
        let option = |t: Trajectory<'_>| match t.actions.first() {
            Some(&a) if a >= 0.0 && a.fract() == 0.0 && (a as usize) < options => Ok(a as usize),
            other => Err(OracleError::Failed(format!(
                "the game has options 0 to {}, the trajectory's first action is {other:?}; \
                 train it on `options-{options}`",
                options - 1
            ))),
        };
        pairs.iter().map(|p| Ok(Answer::Prefer(self.0.p(option(p.a)?, option(p.b)?) as f32))).collect()
    }
    fn game(&self) -> Option<PreferenceMatrix> {
        Some(self.0.clone())
    }
}
