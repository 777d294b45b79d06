//! A preference matrix as oracle: an exact game, played by one-step trajectories.

use std::path::PathBuf;

use rand::Rng;

use super::structure::Structure;
use super::{Answer, Oracle, OracleError, Pair};
use crate::game::{self, PreferenceMatrix};
use crate::rollout::Trajectory;

/// Where a game comes from: the text after `game:`.
#[derive(Clone, Debug, PartialEq)]
pub enum GameSource {
    /// A built-in game, or a ranking such as `a>b>c`.
    Known(PreferenceMatrix),
    /// A CSV file, read when the oracle is made.
    File(PathBuf),
}

impl GameSource {
    /// Parses the text after `game:`.
    ///
    /// # Errors
    /// What is wrong, and how to correct it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(matrix) = game::builtin(text) {
            return Ok(Self::Known(matrix));
        }
        if text.ends_with(".csv") {
            return Ok(Self::File(text.into()));
        }
        if text.contains('>') {
            let ranking = text.split('>').map(|name| name.trim().to_string()).collect();
            let matrix = PreferenceMatrix::from_rankings(&[(1.0, ranking)]);
            return matrix.map(Self::Known).map_err(|e| e.to_string());
        }
        Err(format!(
            "no game `{text}`; expected a ranking such as a>b>c, a .csv file or one of {}",
            game::BUILTIN.join(", ")
        ))
    }

    /// The matrix of the game.
    ///
    /// # Errors
    /// What is wrong with its file.
    pub fn load(&self) -> Result<PreferenceMatrix, String> {
        match self {
            Self::Known(matrix) => Ok(matrix.clone()),
            Self::File(path) => PreferenceMatrix::from_csv_path(path).map_err(|e| e.to_string()),
        }
    }
}

/// P(a ≻ b) is looked up by the options of two trajectories, which are their first actions.
pub struct Matrix(pub PreferenceMatrix);

/// The option that a trajectory chose; `None` if its first action is no option from 0 to `options` − 1.
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
    /// The error for a trajectory whose first action is no option of the game.
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
