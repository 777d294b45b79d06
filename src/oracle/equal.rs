//! Ties (B-Pref, Lee et al. 2021, section 4.1).

use rand::Rng;

use super::decorator::{Decorator, map_preferences};
use super::structure::Structure;
use super::{Answer, Oracle, OracleError, Pair};

/// Calls two trajectories equal if |R_a − R_b| < ε · |mean return of the batch|.
///
/// The mean is of the present batch, so it is on-policy and in proportion to the length of what is compared, and
/// ε enters once.
pub struct Equal {
    /// ε; B-Pref: 0.1.
    pub threshold: f64,
}

impl Decorator for Equal {
    fn compare(
        &self,
        inner: &mut dyn Oracle,
        pairs: &[Pair<'_>],
        rng: &mut dyn Rng,
    ) -> Result<Vec<Answer>, OracleError> {
        let answers = inner.compare(pairs, rng)?;
        let threshold = self.threshold * mean_return(pairs).abs();
        Ok(map_preferences(answers, |i, p| {
            let gap = (pairs[i].a.task_return() - pairs[i].b.task_return()).abs();
            Answer::Prefer(if gap < threshold { 0.5 } else { p })
        }))
    }

    /// Returns do not change what is safe.
    fn verdict(&self, safe: bool, _: &mut dyn Rng) -> bool {
        safe
    }

    /// Whether a pair ties depends on the whole batch.
    fn structure<'a>(&'a self, inner: Structure<'a>) -> Structure<'a> {
        Structure { constraint: inner.constraint, ..Structure::default() }
    }
}

/// Mean task return over both sides of all pairs.
pub(super) fn mean_return(pairs: &[Pair<'_>]) -> f64 {
    let sum: f64 = pairs.iter().map(|p| p.a.task_return() + p.b.task_return()).sum();
    sum / (2 * pairs.len()).max(1) as f64
}
