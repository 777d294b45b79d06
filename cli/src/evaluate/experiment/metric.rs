//! The metrics of an experiment.

use serde::{Deserialize, Serialize};

use crate::evaluate::tournament::Standing;
use spo::train::Summary;

/// A number of a run, from its summary or from a tournament of the runs of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Mean task return of the result over the evaluation episodes.
    #[default]
    EvalReturn,
    /// Total variation between the result and the game's exact minimax winner.
    MinimaxDistance,
    /// The margin 2P − 1 of a best response against the result.
    Exploitability,
    /// Share of evaluation episodes that keep to the constraint of the oracle.
    ConstraintKept,
    /// Mean total cost of the evaluation episodes, for runs with a safety oracle.
    EvalCost,
    /// Share of the evaluation episodes that the safety oracle judges unsafe.
    UnsafeShare,
    /// Mean win rate against the results of the task's other runs.
    WinRate,
    /// The largest margin 2P − 1 by which the result of another run of the task beats it.
    HeldOutExploitability,
    /// How much the final positions lie in one direction from the origin: 1 if all in one direction, 0 if evenly around.
    Concentration,
}

impl Metric {
    /// Whether it needs a tournament of the task's runs.
    pub fn is_played(self) -> bool {
        matches!(self, Self::WinRate | Self::HeldOutExploitability | Self::Concentration)
    }

    /// Its value in a run, if the summary or the tournament (standing and concentration) has it.
    pub fn value(self, summary: &Summary, played: Option<&(Standing, f64)>) -> Option<f64> {
        match self {
            Self::EvalReturn => Some(summary.eval_return_mean),
            Self::MinimaxDistance => summary.minimax_distance,
            Self::Exploitability => summary.exploitability,
            Self::ConstraintKept => summary.constraint_kept,
            Self::EvalCost => summary.eval_cost_mean,
            Self::UnsafeShare => summary.eval_unsafe_share,
            Self::WinRate => played.map(|(standing, _)| standing.win_rate),
            Self::HeldOutExploitability => played.map(|(standing, _)| standing.exploitability),
            Self::Concentration => played.map(|(_, concentration)| *concentration),
        }
    }

    /// Whether lower is better.
    pub fn is_a_loss(self) -> bool {
        !matches!(self, Self::EvalReturn | Self::ConstraintKept | Self::WinRate)
    }

    /// Its column in `runs.csv`; the same name as in `summary.json`, if it is there.
    pub fn key(self) -> &'static str {
        match self {
            Self::EvalReturn => "eval_return_mean",
            Self::MinimaxDistance => "minimax_distance",
            Self::Exploitability => "exploitability",
            Self::ConstraintKept => "constraint_kept",
            Self::EvalCost => "eval_cost_mean",
            Self::UnsafeShare => "eval_unsafe_share",
            Self::WinRate => "win_rate",
            Self::HeldOutExploitability => "held_out_exploitability",
            Self::Concentration => "concentration",
        }
    }

    /// Its name in a table.
    pub fn title(self) -> &'static str {
        match self {
            Self::EvalReturn => "return",
            Self::MinimaxDistance => "distance to the minimax winner",
            Self::Exploitability => "exploitability",
            Self::ConstraintKept => "share that keeps the constraint",
            Self::EvalCost => "cost",
            Self::UnsafeShare => "share that is unsafe",
            Self::WinRate => "win rate against the other runs",
            Self::HeldOutExploitability => "exploitability by the other runs",
            Self::Concentration => "concentration of final headings",
        }
    }
}
