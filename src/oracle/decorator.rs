//! Decorators: they change the answers of another oracle. Each one has its own file.

use rand::Rng;
use spo_envs::Spec;

use super::structure::Structure;
use super::{Answer, Oracle, OracleError, OracleEvents, Pair, SafetyJudge, SafetyQuery};

/// A change of another oracle's answers. Every method is required, so that a new decorator cannot pass something on
/// unchanged by accident.
pub trait Decorator: Send {
    /// Asks `inner` and changes its answers: one per pair, in order.
    ///
    /// # Errors
    /// Those of `inner`.
    fn compare(
        &self,
        inner: &mut dyn Oracle,
        pairs: &[Pair<'_>],
        rng: &mut dyn Rng,
    ) -> Result<Vec<Answer>, OracleError>;

    /// Changes a verdict: whether a trajectory is safe.
    fn verdict(&self, safe: bool, rng: &mut dyn Rng) -> bool;

    /// What is known of the decorated oracle, from what is known of `inner`. A decorator that draws at random, or whose
    /// answer depends on other pairs of the batch, must drop the utility and the classes.
    fn structure<'a>(&'a self, inner: Structure<'a>) -> Structure<'a>;
}

/// An oracle whose answers a decorator changes.
pub struct Decorated<D> {
    /// The oracle that is asked.
    pub inner: Box<dyn Oracle>,
    /// What changes the answers.
    pub decorator: D,
}

impl<D: Decorator> Oracle for Decorated<D> {
    fn prepare(&mut self, task: &Spec, events: &OracleEvents) -> Result<(), OracleError> {
        self.inner.prepare(task, events)
    }

    fn compare(&mut self, pairs: &[Pair<'_>], rng: &mut dyn Rng) -> Result<Vec<Answer>, OracleError> {
        self.decorator.compare(&mut *self.inner, pairs, rng)
    }

    fn structure(&self) -> Structure<'_> {
        self.decorator.structure(self.inner.structure())
    }

    fn safety_judge(&mut self) -> Option<&mut dyn SafetyJudge> {
        self.inner.safety_judge()?;
        Some(self)
    }
}

impl<D: Decorator> SafetyJudge for Decorated<D> {
    fn verdicts(
        &mut self,
        queries: &[SafetyQuery<'_>],
        rng: &mut dyn Rng,
    ) -> Result<Vec<Option<bool>>, OracleError> {
        let inner = self.inner.safety_judge().ok_or(OracleError::NoSafetyJudge)?;
        let verdicts = inner.verdicts(queries, rng)?;
        Ok(verdicts.into_iter().map(|verdict| Some(self.decorator.verdict(verdict?, rng))).collect())
    }
}

/// Changes every `Prefer` of the inner oracle's answers.
pub(super) fn map_preferences(
    answers: Vec<Answer>,
    mut change: impl FnMut(usize, f32) -> Answer,
) -> Vec<Answer> {
    answers
        .into_iter()
        .enumerate()
        .map(|(i, answer)| match answer {
            Answer::Prefer(p) => change(i, p),
            Answer::Abstain => Answer::Abstain,
        })
        .collect()
}
