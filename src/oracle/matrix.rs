//! A preference matrix as oracle: the exact games, played by one-step trajectories.

use rand::Rng;

use super::structure::Structure;
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
        let option = |t: Trajectory<'_>| option(t, options).ok_or_else(|| self.no_option(t));
        pairs.iter().map(|p| Ok(Answer::Prefer(self.0.p(option(p.a)?, option(p.b)?) as f32))).collect()
    }

    /// A class for each option.
    fn structure(&self) -> Structure<'_> {
        Structure {
            class: Some(Box::new(|t| option(t, self.0.len()))),
            game: Some(Box::new(|| Some(self.0.clone()))),
            ..Structure::default()
        }
    }
}

impl Matrix {
    /// The error for a trajectory whose first action is none of the options.
    fn no_option(&self, t: Trajectory<'_>) -> OracleError {
        let options = self.0.len();
        let found = match t.actions.first() {
            Some(action) => format!("the trajectory's first action is {action}"),
            None => "the trajectory has no action".into(),
        };
        OracleError::Failed(format!(
            "the game has options 0 to {}, but {found}; train it on `options-{options}`",
            options - 1
        ))
    }
}
