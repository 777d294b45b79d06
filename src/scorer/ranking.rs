//! Win proportions by sorting, for oracles that decide by a number: what all pairs would give, without the pairs.

use crate::oracle::counted::Decided;

/// A contest of utilities, sorted once.
pub(super) struct Ranking {
    sorted: Vec<f64>,
}

impl Ranking {
    pub fn new(mut utilities: Vec<f64>) -> Self {
        utilities.sort_unstable_by(f64::total_cmp);
        Self { sorted: utilities }
    }

    /// How many are below `utility`, and how many equal to it.
    fn place(&self, utility: f64) -> (usize, usize) {
        let below = self.sorted.partition_point(|u| *u < utility);
        let equal = self.sorted[below..].partition_point(|u| *u <= utility);
        (below, equal)
    }

    /// The win proportion of `utility` against all of the ranking, less itself if it is `one_of_them`; ½ against
    /// nobody. Counts the comparisons in `decided`.
    pub fn proportion(&self, utility: f64, one_of_them: bool, decided: &mut Decided) -> f64 {
        let (below, equal) = self.place(utility);
        let (equal, opponents) =
            if one_of_them { (equal - 1, self.sorted.len() - 1) } else { (equal, self.sorted.len()) };
        decided.asked += opponents as u64;
        decided.tied += equal as u64;
        if opponents == 0 { 0.5 } else { (below as f64 + 0.5 * equal as f64) / opponents as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proportions_by_hand() {
        let ranking = Ranking::new(vec![3.0, -0.0, 5.0, 3.0]);
        let mut decided = Decided::default();
        // Among themselves: 3 beats −0 and ties with the other 3: 1.5 / 3. 0 equals −0.
        assert_eq!(ranking.proportion(3.0, true, &mut decided), 0.5);
        assert_eq!(ranking.proportion(0.0, false, &mut decided), 0.125);
        assert_eq!(ranking.proportion(5.0, true, &mut decided), 1.0);
        assert_eq!(decided, Decided { asked: 3 + 4 + 3, tied: 1 + 1 });
        assert_eq!(Ranking::new(vec![7.0]).proportion(7.0, true, &mut decided), 0.5);
    }
}
