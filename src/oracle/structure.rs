//! What is known of an oracle beside its answers. It saves comparisons, and says how to measure a trained result.

use super::time_share::TimeShare;
use crate::game::PreferenceMatrix;
use crate::rollout::Trajectory;

/// What is known of an oracle beside its answers. The default says nothing, and is right for every oracle.
///
/// [`Oracle::structure`](super::Oracle::structure) returns it. A [decorator](super::decorator::Decorator) transforms the
/// one of the oracle that it decorates. It borrows from the oracle and is cheap to make: the game, which takes time, is
/// a function that runs only when the game is needed.
#[derive(Default)]
pub struct Structure<'a> {
    /// The number that alone decides: the larger wins, equal numbers tie, nothing is drawn at random. All pairs of K
    /// trajectories are then compared by sorting K numbers, with the same answers.
    pub utility: Option<Utility<'a>>,
    /// The equivalence class of a trajectory. An answer depends only on the two classes, is not drawn at random, and two
    /// trajectories of one class tie. One answer for each pair of classes then decides all pairs of K trajectories.
    pub class: Option<Class<'a>>,
    /// The game over options whose matrix has the expected answers. A trained result is compared with its exact solution.
    pub game: Option<Game<'a>>,
    /// The constraint on a whole trajectory that comes before everything else. A trained result is measured by how often
    /// it meets the constraint.
    pub constraint: Option<TimeShare>,
    /// Of a safety oracle: the limit on a trajectory's total cost, in units of the task's cost, if this limit alone
    /// decides what is safe.
    pub cost_limit: Option<f64>,
}

/// The number by which an oracle decides.
pub enum Utility<'a> {
    /// The task return, which a device can compute by itself.
    TaskReturn,
    /// Another number.
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

/// The equivalence class of a trajectory; `None` if it belongs to none.
pub type Class<'a> = Box<dyn Fn(Trajectory<'_>) -> Option<usize> + 'a>;

/// Computes the game; `None` if there is none after all, such as in a mixture of games with different options.
pub type Game<'a> = Box<dyn Fn() -> Option<PreferenceMatrix> + 'a>;

impl Structure<'_> {
    /// The matrix of the game over options; `None` if there is no game.
    pub fn preference_matrix(&self) -> Option<PreferenceMatrix> {
        self.game.as_ref().and_then(|game| game())
    }
}
