//! Divides an iteration's rows into the minibatches of an epoch.

use std::ops::Range;

use rand::Rng;
use rand::seq::SliceRandom;

/// Rows in an order that is shuffled for every epoch.
pub(super) enum Minibatches {
    /// Single rows.
    Rows(Vec<usize>),
    /// Whole groups of trajectories.
    Groups {
        /// Shuffled.
        groups: Vec<Range<usize>>,
        /// The groups' rows, one after the other.
        order: Vec<usize>,
    },
}

impl Minibatches {
    /// Of single rows.
    pub fn rows(count: usize) -> Self {
        Self::Rows((0..count).collect())
    }

    /// Of whole groups.
    pub fn groups(groups: Vec<Range<usize>>) -> Self {
        Self::Groups { order: Vec::new(), groups }
    }

    /// A new order.
    pub fn shuffle(&mut self, rng: &mut impl Rng) {
        match self {
            Self::Rows(order) => order.shuffle(rng),
            Self::Groups { groups, order } => {
                groups.shuffle(rng);
                *order = groups.iter().cloned().flatten().collect();
            }
        }
    }

    /// Minibatches of `size` rows, or of the whole groups that are needed to reach `size`.
    pub fn cut(&self, size: usize) -> Vec<&[usize]> {
        match self {
            Self::Rows(order) => order.chunks(size).collect(),
            Self::Groups { groups, order } => {
                let (mut cuts, mut rest, mut length) = (Vec::new(), &order[..], 0);
                for group in groups {
                    length += group.len();
                    if length >= size {
                        let (minibatch, tail) = rest.split_at(length);
                        cuts.push(minibatch);
                        (rest, length) = (tail, 0);
                    }
                }
                if !rest.is_empty() {
                    cuts.push(rest);
                }
                cuts
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::{Stream, stream};

    #[test]
    fn groups_stay_whole_and_every_row_comes_once() {
        let ranges = vec![0..3, 3..4, 4..9, 9..11];
        let mut minibatches = Minibatches::groups(ranges.clone());
        let mut rng = stream(0, Stream("test"), 0, 0);
        let mut orders = Vec::new();
        for _ in 0..20 {
            minibatches.shuffle(&mut rng);
            let cuts = minibatches.cut(4);
            let mut all = cuts.concat();
            orders.push(all.clone());
            for range in &ranges {
                let holders: Vec<_> = cuts.iter().filter(|cut| cut.contains(&range.start)).collect();
                assert_eq!(holders.len(), 1);
                let at = holders[0].iter().position(|&row| row == range.start).unwrap();
                assert!(holders[0][at..].starts_with(&range.clone().collect::<Vec<_>>()), "{cuts:?}");
            }
            assert!(cuts.iter().rev().skip(1).all(|cut| cut.len() >= 4), "{cuts:?}");
            all.sort();
            assert_eq!(all, (0..11).collect::<Vec<_>>());
        }
        assert!(orders.windows(2).any(|pair| pair[0] != pair[1]));
    }
}
