//! Win proportions by sorting, for oracles that decide by a number. The result is that of all pairs.

use crate::oracle::metered::DerivedCounts;

/// The number that the oracle decides by, and whether the window is empty.
type Contestant = (f64, bool);

/// Contestants, sorted once.
pub(super) struct Ranking {
    sorted: Vec<f64>,
    /// How many are of empty windows.
    empty: usize,
}

impl Ranking {
    pub fn new(contestants: impl Iterator<Item = Contestant>) -> Self {
        let mut empty = 0;
        let mut sorted: Vec<f64> = contestants
            .map(|(utility, is_empty)| {
                empty += usize::from(is_empty);
                utility
            })
            .collect();
        sorted.sort_unstable_by(f64::total_cmp);
        Self { sorted, empty }
    }

    /// The win proportion of a contestant against all of the ranking, itself excepted if it is `one_of_them`; ½ without
    /// opponents. Counts the comparisons in `decided`, except those of two empty windows, which the oracle is not asked.
    pub fn proportion(
        &self,
        (utility, is_empty): Contestant,
        one_of_them: bool,
        decided: &mut DerivedCounts,
    ) -> f64 {
        let itself = usize::from(one_of_them);
        let below = self.sorted.partition_point(|u| *u < utility);
        let equal = self.sorted[below..].partition_point(|u| *u <= utility) - itself;
        let opponents = self.sorted.len() - itself;
        let unasked = if is_empty { self.empty - itself } else { 0 };
        decided.asked += (opponents - unasked) as u64;
        decided.tied += (equal - unasked) as u64;
        if opponents == 0 { 0.5 } else { (below as f64 + 0.5 * equal as f64) / opponents as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proportions_by_hand() {
        let ranking = Ranking::new([3.0, -0.0, 5.0, 3.0].into_iter().map(|u| (u, false)));
        let mut decided = DerivedCounts::default();
        // Among themselves: 3 beats −0 and ties with the other 3: 1.5 / 3. 0 equals −0.
        assert_eq!(ranking.proportion((3.0, false), true, &mut decided), 0.5);
        assert_eq!(ranking.proportion((0.0, false), false, &mut decided), 0.125);
        assert_eq!(ranking.proportion((5.0, false), true, &mut decided), 1.0);
        assert_eq!(decided, DerivedCounts { asked: 3 + 4 + 3, tied: 1 + 1 });
        assert_eq!(
            Ranking::new([(7.0, false)].into_iter()).proportion((7.0, false), true, &mut decided),
            0.5
        );
    }

    #[test]
    fn two_empty_windows_tie_unasked() {
        let ranking = Ranking::new([(0.0, true), (0.0, true), (2.0, false)].into_iter());
        let mut decided = DerivedCounts::default();
        // One tie and one loss: ½ / 2. Only the loss was a question.
        assert_eq!(ranking.proportion((0.0, true), true, &mut decided), 0.25);
        assert_eq!(decided, DerivedCounts { asked: 1, tied: 0 });
        assert_eq!(ranking.proportion((2.0, false), true, &mut decided), 1.0);
        assert_eq!(decided, DerivedCounts { asked: 3, tied: 0 });
    }
}
