//! A preference that depends on the whole trajectory: return, under a constraint on the share of time in a region.

use rand::Rng;

use super::structure::Structure;
use super::{Answer, Oracle, OracleError, Pair, returns::hard};
use crate::rollout::Trajectory;

/// The share of steps with a cost (in a region, above a speed) should lie in [low, high]. The trajectory whose share is
/// closer to the interval wins. If both are equally far from it, as when both lie inside, the larger return wins.
///
/// No sum of rewards of single steps gives this order. It is a design of this project: the paper's own is not known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeShare {
    /// Smallest share, in [0, 1].
    pub low: f64,
    /// Largest share, in [low, 1].
    pub high: f64,
}

impl TimeShare {
    /// How far the share of costly steps lies outside the interval.
    fn miss(&self, t: Trajectory<'_>) -> f64 {
        let costly = t.costs.iter().filter(|&&cost| cost > 0.0).count();
        let share = costly as f64 / t.len().max(1) as f64;
        (self.low - share).max(share - self.high).max(0.0)
    }

    /// Whether the share of costly steps lies inside the interval.
    pub fn keeps(&self, t: Trajectory<'_>) -> bool {
        self.miss(t) == 0.0
    }
}

impl Oracle for TimeShare {
    fn compare(&mut self, pairs: &[Pair<'_>], _: &mut dyn Rng) -> Result<Vec<Answer>, OracleError> {
        let answer = |p: &Pair<'_>| match hard(-self.miss(p.a), -self.miss(p.b)) {
            0.5 => hard(p.a.task_return(), p.b.task_return()),
            decided => decided,
        };
        Ok(pairs.iter().map(|p| Answer::Prefer(answer(p))).collect())
    }

    fn structure(&self) -> Structure<'_> {
        Structure { constraint: Some(*self), ..Structure::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trajectories_by_hand() {
        let costs = [[1.0, 1.0, 1.0, 1.0], [1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.0], [0.0; 4]];
        let rewards = [[9.0; 4], [2.0, 2.0, 2.0, 2.0], [1.0, 1.0, 1.0, 4.0], [8.0; 4]];
        let at = |i: usize| Trajectory {
            obs: &[],
            final_obs: &[],
            actions: &[],
            rewards: &rewards[i],
            costs: &costs[i],
            origin: None,
        };
        let share = TimeShare { low: 0.25, high: 0.5 };
        assert_eq!([0, 1, 2, 3].map(|i| share.keeps(at(i))), [false, true, true, false]);
        let mut rng = crate::base::random::stream(0, crate::base::random::Stream("test"), 0, 0);
        let mut p = |a, b| {
            let pair = [Pair { a: at(a), b: at(b) }];
            { share }.compare(&pair, &mut rng).unwrap()[0]
        };
        // Shares 1, ½, ¼, 0 miss [¼, ½] by ½, 0, 0, ¼; returns 36, 8, 7, 32.
        assert_eq!(p(1, 0), Answer::Prefer(1.0), "kept to, whatever the return");
        assert_eq!(p(1, 2), Answer::Prefer(1.0), "both keep to it: 8 against 7");
        assert_eq!(p(3, 0), Answer::Prefer(1.0), "missed by less");
        assert_eq!(p(0, 3), Answer::Prefer(0.0));
        assert_eq!(p(2, 2), Answer::Prefer(0.5));
    }
}
