//! A backend whose trajectories and scores only the loop knows.

use super::state::RunState;
use super::{Record, Timing, TrainError};
use crate::device::{Backend, Parts};
use crate::learner::{Learner, LearnerState};
use crate::policy::Policy;
use crate::scorer::Scorer;
use crate::scorer::safety::Safety;

/// A [`Backend`] of any types.
pub(super) trait AnyBackend: Send {
    /// One iteration of a run; `None` where the budget of comparisons does not cover it.
    fn iterate(&mut self, run: &mut RunState) -> Result<Option<(Record, Timing)>, TrainError>;

    /// As [`Backend::learner`].
    fn learner(&self) -> &dyn Learner;

    /// As [`Backend::scorer`].
    fn scorer(&self) -> &dyn Scorer;

    /// As [`Backend::safety`].
    fn safety(&self) -> Option<&Safety>;

    /// As [`Backend::parts`].
    fn parts(&mut self) -> Parts<'_>;

    /// As [`Backend::saved`].
    fn saved(&self) -> (Policy, LearnerState);
}

impl<B: Backend> AnyBackend for B {
    fn iterate(&mut self, run: &mut RunState) -> Result<Option<(Record, Timing)>, TrainError> {
        run.iterate(self)
    }

    fn learner(&self) -> &dyn Learner {
        Backend::learner(self)
    }

    fn scorer(&self) -> &dyn Scorer {
        Backend::scorer(self)
    }

    fn safety(&self) -> Option<&Safety> {
        Backend::safety(self)
    }

    fn parts(&mut self) -> Parts<'_> {
        Backend::parts(self)
    }

    fn saved(&self) -> (Policy, LearnerState) {
        Backend::saved(self)
    }
}
