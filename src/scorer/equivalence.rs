//! Win proportions among few kinds, for oracles that tell no two trajectories of a kind apart: what all pairs would give,
//! from one answer a pair of kinds.

use std::collections::BTreeMap;

use crate::oracle::metered::DerivedCounts;

/// A group, counted by kind.
pub(super) struct EquivalenceClasses {
    /// The first member of each kind, and how many there are.
    kinds: Vec<(usize, u64)>,
    /// Of each member, in order, the place of its kind.
    places: Vec<usize>,
}

impl EquivalenceClasses {
    /// Of `members`, whose kinds `kind_of` knows.
    pub fn new(members: impl IntoIterator<Item = usize>, kind_of: impl Fn(usize) -> usize) -> Self {
        let (mut kinds, mut seen) = (Vec::new(), BTreeMap::new());
        let place = |member: usize| {
            let place = *seen.entry(kind_of(member)).or_insert_with(|| {
                kinds.push((member, 0));
                kinds.len() - 1
            });
            kinds[place].1 += 1;
            place
        };
        let places = members.into_iter().map(place).collect();
        Self { kinds, places }
    }

    /// A member of each kind.
    pub fn kinds(&self) -> impl Iterator<Item = usize> + '_ {
        self.kinds.iter().map(|&(first, _)| first)
    }

    /// The win proportion of one who meets all members, from P(one ≻ kind) of the [`kinds`](Self::kinds), and how many of
    /// these comparisons tie.
    pub fn against(&self, answers: &[f32]) -> (f64, u64) {
        let (mut won, mut tied) = (0.0, 0);
        for (&p, &(_, of_kind)) in answers.iter().zip(&self.kinds) {
            won += f64::from(p) * of_kind as f64 / self.places.len() as f64;
            tied += if p == 0.5 { of_kind } else { 0 };
        }
        (won, tied)
    }

    /// A member of each of two kinds, for every pair of kinds i ≤ j, row by row.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let kinds = &self.kinds;
        (0..kinds.len()).flat_map(move |i| (i..kinds.len()).map(move |j| (kinds[i].0, kinds[j].0)))
    }

    /// The win proportion of each member against all others, from P(i ≻ j) of the [`pairs`](Self::pairs); ½ against
    /// nobody. Counts the comparisons in `decided`.
    pub fn proportions(&self, answers: &[f32], decided: &mut DerivedCounts) -> Vec<f64> {
        let (n, others) = (self.kinds.len(), self.places.len() as u64 - 1);
        let mut won = vec![0.0; n];
        let mut answers = answers.iter();
        for i in 0..n {
            for j in i..n {
                let p = *answers.next().expect("an answer a pair of kinds");
                let (own, theirs) = (self.kinds[i].1, self.kinds[j].1);
                let met = if i == j { own * (own - 1) / 2 } else { own * theirs };
                decided.asked += met;
                decided.tied += if p == 0.5 { met } else { 0 };
                if i == j {
                    // Each of such a pair is on either side once.
                    won[i] += 0.5 * (own - 1) as f64;
                } else {
                    won[i] += theirs as f64 * f64::from(p);
                    won[j] += own as f64 * f64::from(1.0 - p);
                }
            }
        }
        let proportion = |&place: &usize| if others == 0 { 0.5 } else { won[place] / others as f64 };
        self.places.iter().map(proportion).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proportions_by_hand() {
        // Members 5, 6, 7, 8 of kinds 1, 0, 1, 2.
        let census = EquivalenceClasses::new([5, 6, 7, 8], |member| [1, 0, 1, 2][member - 5]);
        let pairs: Vec<_> = census.pairs().collect();
        assert_eq!(pairs, [(5, 5), (5, 6), (5, 8), (6, 6), (6, 8), (8, 8)]);
        // Kind 1 beats kind 0 by 0.75 and ties with kind 2, which kind 0 beats.
        let mut decided = DerivedCounts::default();
        let won = census.proportions(&[0.5, 0.75, 0.5, 0.5, 1.0, 0.5], &mut decided);
        // (½ + ¾ + ½) / 3, (2 · ¼ + 1) / 3, as the first, (2 · ½ + 0) / 3.
        let expected = [1.75, 1.5, 1.75, 1.0].map(|sum| sum / 3.0);
        assert!(won.iter().zip(expected).all(|(w, e)| (w - e).abs() < 1e-12), "{won:?}");
        // 6 pairs: one of kind 1 with itself and two with kind 2 are ties.
        assert_eq!(decided, DerivedCounts { asked: 6, tied: 3 });
        // One who beats kind 1 by 0.75 and kind 2 surely, and ties with kind 0: (2 · ¾ + ½ + 1) / 4.
        assert_eq!(census.kinds().collect::<Vec<_>>(), [5, 6, 8]);
        assert_eq!(census.against(&[0.75, 0.5, 1.0]), (0.75, 1));
        assert_eq!(EquivalenceClasses::new([3], |_| 0).proportions(&[0.5], &mut decided), [0.5]);
        assert_eq!(decided.asked, 6);
    }
}
