//! What is known of an oracle beside its answers, so that work can be saved and a result can be measured.

use super::time_share::TimeShare;
use crate::game::PreferenceMatrix;
use crate::rollout::Trajectory;

/// What is known of an oracle beside its answers. The default knows nothing, and is right for every oracle.
///
/// [`Oracle::structure`](super::Oracle::structure) returns it; a [decorator](super::decorator::Decorator) makes its own
/// from that of the oracle that it decorates. It borrows from the oracle and is cheap to make: what takes time is a
/// function that runs when its value is needed.
#[derive(Default)]
pub struct Structure<'a> {
    /// The number that alone decides: the larger wins, equal numbers tie, nothing is drawn at random. All pairs of K
    /// trajectories are then compared by sorting K numbers, with the same answers.
    pub utility: Option<Utility<'a>>,
    /// The equivalence class of a trajectory, where an answer depends on the two classes alone, is not drawn at random,
    /// and two of a class tie. All pairs of K trajectories of few classes are then decided by one answer for each pair
    /// of classes.
    pub class: Option<Class<'a>>,
    /// The game over options that the answers are in expectation: its exact solution is what a training is measured by.
    pub game: Option<Game<'a>>,
    /// The constraint on a whole trajectory that the answers put above all else: a trained result is measured by how
    /// often it keeps to it.
    pub constraint: Option<TimeShare>,
    /// Of a safety oracle: the limit on a trajectory's total cost, in units of the task's cost, where that alone decides
    /// what is safe.
    pub cost_limit: Option<f64>,
}

/// The number by which an oracle decides.
pub enum Utility<'a> {
    /// The task return, which a device can compute by itself.
    TaskReturn,
    /// Another one.
    Other(Box<dyn Fn(Trajectory<'_>) -> f64 + 'a>),
}

impl Utility<'_> {
    /// The number of a trajectory.
    pub fn value(&self, trajectory: Trajectory<'_>) -> f64 {
        match self {
            Self::TaskReturn => trajectory.task_return(),
            Self::Other(utility) => utility(trajectory),
        }
    }
}

/// The equivalence class of a trajectory; `None` for one that is of no class.
pub type Class<'a> = Box<dyn Fn(Trajectory<'_>) -> Option<usize> + 'a>;

/// Computes the game; `None` where there turns out to be none.
pub type Game<'a> = Box<dyn Fn() -> Option<PreferenceMatrix> + 'a>;

impl Structure<'_> {
    /// The game over options, computed; `None` where there is none.
    pub fn preference_matrix(&self) -> Option<PreferenceMatrix> {
        self.game.as_ref().and_then(|game| game())
    }
}
