//! Win proportions among equivalence classes, for oracles that give the same answers about all trajectories of a class. The
//! result is that of all pairs, from one answer for each pair of classes.

use std::collections::BTreeMap;

use crate::oracle::metered::DerivedCounts;

/// A group, counted by class.
pub(super) struct EquivalenceClasses {
    /// The first member of each class, and how many there are.
    classes: Vec<(usize, u64)>,
    /// The place of each member's class, in order.
    places: Vec<usize>,
}

impl EquivalenceClasses {
    /// Counts `members`; `class` is the class of a member.
    pub fn new(members: impl IntoIterator<Item = usize>, class: impl Fn(usize) -> usize) -> Self {
        let (mut classes, mut seen) = (Vec::new(), BTreeMap::new());
        let place = |member: usize| {
            let place = *seen.entry(class(member)).or_insert_with(|| {
                classes.push((member, 0));
                classes.len() - 1
            });
            classes[place].1 += 1;
            place
        };
        let places = members.into_iter().map(place).collect();
        Self { classes, places }
    }

    /// One member of each class.
    pub fn representatives(&self) -> impl Iterator<Item = usize> + '_ {
        self.classes.iter().map(|&(first, _)| first)
    }

    /// The win proportion of a trajectory that is compared with all members, from its P(own ≻ other) against each of the
    /// [`representatives`](Self::representatives), and how many of these comparisons tie.
    pub fn against(&self, answers: &[f32]) -> (f64, u64) {
        let (mut won, mut tied) = (0.0, 0);
        for (&p, &(_, count)) in answers.iter().zip(&self.classes) {
            won += f64::from(p) * count as f64 / self.places.len() as f64;
            tied += if p == 0.5 { count } else { 0 };
        }
        (won, tied)
    }

    /// Representatives of every pair of classes i ≤ j, row by row.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let classes = &self.classes;
        (0..classes.len()).flat_map(move |i| (i..classes.len()).map(move |j| (classes[i].0, classes[j].0)))
    }

    /// The win proportion of each member against all others, from P(i ≻ j) of the [`pairs`](Self::pairs); ½ without
    /// others. Counts the comparisons in `decided`.
    pub fn proportions(&self, answers: &[f32], decided: &mut DerivedCounts) -> Vec<f64> {
        let (n, others) = (self.classes.len(), self.places.len() as u64 - 1);
        let mut won = vec![0.0; n];
        let mut answers = answers.iter();
        for i in 0..n {
            for j in i..n {
                let p = *answers.next().expect("an answer for each pair of classes");
                let (own, theirs) = (self.classes[i].1, self.classes[j].1);
                let pairs = if i == j { own * (own - 1) / 2 } else { own * theirs };
                decided.asked += pairs;
                decided.tied += if p == 0.5 { pairs } else { 0 };
                if i == j {
                    // Each of the two counts the tie as half a win.
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
        // Members 5, 6, 7, 8 of classes 1, 0, 1, 2.
        let classes = EquivalenceClasses::new([5, 6, 7, 8], |member| [1, 0, 1, 2][member - 5]);
        let pairs: Vec<_> = classes.pairs().collect();
        assert_eq!(pairs, [(5, 5), (5, 6), (5, 8), (6, 6), (6, 8), (8, 8)]);
        // Class 1 beats class 0 with 0.75 and ties with class 2, which class 0 beats.
        let mut decided = DerivedCounts::default();
        let won = classes.proportions(&[0.5, 0.75, 0.5, 0.5, 1.0, 0.5], &mut decided);
        // (½ + ¾ + ½) / 3, (2 · ¼ + 1) / 3, as the first, (2 · ½ + 0) / 3.
        let expected = [1.75, 1.5, 1.75, 1.0].map(|sum| sum / 3.0);
        assert!(won.iter().zip(expected).all(|(w, e)| (w - e).abs() < 1e-12), "{won:?}");
        // 6 pairs: one of class 1 with itself and two with class 2 are ties.
        assert_eq!(decided, DerivedCounts { asked: 6, tied: 3 });
        // Another beats class 1 with 0.75 and class 2 with 1, and ties with class 0: (2 · ¾ + ½ + 1) / 4.
        assert_eq!(classes.representatives().collect::<Vec<_>>(), [5, 6, 8]);
        assert_eq!(classes.against(&[0.75, 0.5, 1.0]), (0.75, 1));
        assert_eq!(EquivalenceClasses::new([3], |_| 0).proportions(&[0.5], &mut decided), [0.5]);
        assert_eq!(decided.asked, 6);
    }
}
