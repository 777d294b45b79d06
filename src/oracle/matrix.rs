//! A preference matrix as oracle: the exact games, played by one-step trajectories.

use rand::Rng;

use super::{Answer, Oracle, OracleError, Pair};
use crate::game::PreferenceMatrix;
use crate::rollout::Trajectory;

/// P(a ≻ b) looked up by the options (first actions) of two trajectories.
pub struct Matrix(pub PreferenceMatrix);

/// The option that a trajectory chose, one of so many.
fn option(t: Trajectory<'_>, options: usize) -> Option<usize> {
    let chosen = t.actions.first().filter(|a| a.fract() == 0.0 && (0.0..options as f32).contains(*a));
    chosen.map(|&a| a as usize)
}

impl Oracle for Matrix {
    fn compare(&mut self, pairs: &[Pair<'_>], _: &mut dyn Rng) -> Result<Vec<Answer>, OracleError> {
        let options = self.0.len();
        let option = |t: Trajectory<'_>| {
            option(t, options).ok_or_else(|| {
                OracleError::Failed(format!(
                    "the game has options 0 to {}, the trajectory's first action is {:?}; \
                     train it on `options-{options}`",
                    options - 1,
                    t.actions.first()
                ))
            })
        };
        pairs.iter().map(|p| Ok(Answer::Prefer(self.0.p(option(p.a)?, option(p.b)?) as f32))).collect()
    }

    fn kind(&self, trajectory: Trajectory<'_>) -> Option<usize> {
        option(trajectory, self.0.len())
    }

    fn game(&self) -> Option<PreferenceMatrix> {
        Some(self.0.clone())
    }
}
