//! What an experiment measures its runs by.

use serde::{Deserialize, Serialize};

use crate::train::Summary;

/// One number of a run's summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Mean task return of the result over the evaluation episodes.
    #[default]
    EvalReturn,
    /// Total variation between the result and the game's exact minimax winner.
    MinimaxDistance,
    /// What a best reply gains against the result, in margins 2P − 1.
    Exploitability,
}

impl Metric {
    /// Its value in a run, where the run has it.
    pub fn of(self, summary: &Summary) -> Option<f64> {
        match self {
            Self::EvalReturn => Some(summary.eval_return_mean),
            Self::MinimaxDistance => summary.minimax_distance,
            Self::Exploitability => summary.exploitability,
        }
    }

    /// Whether less is better.
    pub fn is_a_loss(self) -> bool {
        self != Self::EvalReturn
    }

    /// In a table.
    pub fn title(self) -> &'static str {
        match self {
            Self::EvalReturn => "return",
            Self::MinimaxDistance => "distance to the minimax winner",
            Self::Exploitability => "exploitability",
        }
    }
}
