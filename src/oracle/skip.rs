//! Skipping (B-Pref, Lee et al. 2021, section 4.1).

use rand::Rng;

use super::decorator::{Decorator, map_preferences};
use super::equal::mean_return;
use super::structure::Structure;
use super::{Answer, Oracle, OracleError, Pair};

/// Abstains if neither trajectory shows enough to judge: max(R_a, R_b) < ε · mean return of the batch.
///
/// The mean is of the present batch, so it is on-policy and in proportion to the length of what is compared, and
/// ε enters once. B-Pref's rule assumes rewards that are not negative; if the mean return is not positive, nothing is
/// skipped.
pub struct Skip {
    /// ε; B-Pref: 0.1.
    pub threshold: f64,
}

impl Decorator for Skip {
    fn compare(
        &self,
        inner: &mut dyn Oracle,
        pairs: &[Pair<'_>],
        rng: &mut dyn Rng,
    ) -> Result<Vec<Answer>, OracleError> {
        let answers = inner.compare(pairs, rng)?;
        let mean = mean_return(pairs);
        Ok(map_preferences(answers, |i, p| {
            let best = pairs[i].a.task_return().max(pairs[i].b.task_return());
            if mean > 0.0 && best < self.threshold * mean { Answer::Abstain } else { Answer::Prefer(p) }
        }))
    }

    /// Returns do not change what is safe.
    fn verdict(&self, safe: bool, _: &mut dyn Rng) -> bool {
        safe
    }

    /// Whether a pair is skipped depends on the whole batch.
    fn structure<'a>(&'a self, inner: Structure<'a>) -> Structure<'a> {
        Structure { constraint: inner.constraint, ..Structure::default() }
    }
}
