//! A safety oracle that sees the task's cost.

use rand::Rng;

use super::structure::{Structure, Utility};
use super::{Answer, Oracle, OracleError, Pair, SafetyJudge, SafetyQuery, returns::hard};

/// The trajectory with the smaller total cost is safer; equal costs tie. A trajectory is safe if its total cost is at
/// most `limit`.
///
/// A window of n of an episode's T steps may cost limit · n / T, so that a trajectory is safe if all its windows are.
pub struct Cost {
    /// The limit for a whole trajectory, in units of the task's cost.
    pub limit: f64,
}

impl Oracle for Cost {
    fn compare(&mut self, pairs: &[Pair<'_>], _: &mut dyn Rng) -> Result<Vec<Answer>, OracleError> {
        Ok(pairs.iter().map(|p| Answer::Prefer(hard(p.b.total_cost(), p.a.total_cost()))).collect())
    }

    fn structure(&self) -> Structure<'_> {
        Structure {
            utility: Some(Utility::Other(Box::new(|t| -t.total_cost()))),
            cost_limit: Some(self.limit),
            ..Structure::default()
        }
    }

    fn safety_judge(&mut self) -> Option<&mut dyn SafetyJudge> {
        Some(self)
    }
}

impl SafetyJudge for Cost {
    fn verdicts(
        &mut self,
        queries: &[SafetyQuery<'_>],
        _: &mut dyn Rng,
    ) -> Result<Vec<Option<bool>>, OracleError> {
        Ok(queries.iter().map(|q| Some(q.trajectory.total_cost() <= self.limit * q.share)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::{Stream, stream};
    use crate::rollout::Trajectory;

    #[test]
    fn trajectories_and_windows_by_hand() {
        let (costs, rewards) = ([1.0, 0.0, 1.0, 1.0], [0.0; 4]);
        let steps = |from: usize, to: usize| Trajectory {
            obs: &[],
            final_obs: &[],
            actions: &[],
            rewards: &rewards[from..to],
            costs: &costs[from..to],
            origin: None,
        };
        let mut rng = stream(0, Stream("test"), 0, 0);
        let mut cost = Cost { limit: 2.0 };
        let mut p = |a, b| cost.compare(&[Pair { a, b }], &mut rng).unwrap()[0];
        assert_eq!(p(steps(0, 2), steps(2, 4)), Answer::Prefer(1.0), "1 against 2");
        assert_eq!(p(steps(2, 4), steps(0, 2)), Answer::Prefer(0.0));
        assert_eq!(p(steps(0, 1), steps(3, 4)), Answer::Prefer(0.5));
        // 3 of 2 in all. Each half may cost 1, of which the first takes 1 and the second 2. Three steps may cost 1.5.
        let mut safe = |from, to, limit| {
            let shown = [SafetyQuery { trajectory: steps(from, to), share: (to - from) as f64 / 4.0 }];
            Cost { limit }.verdicts(&shown, &mut rng).unwrap()[0]
        };
        assert_eq!([safe(0, 4, 2.0), safe(0, 4, 3.0)], [Some(false), Some(true)]);
        assert_eq!(
            [safe(0, 2, 2.0), safe(2, 4, 2.0), safe(0, 3, 2.0)],
            [Some(true), Some(false), Some(false)]
        );
        assert_eq!([safe(1, 2, 0.0), safe(0, 1, 0.0)], [Some(true), Some(false)]);
    }
}
