//! Which trajectories of a group are compared: all pairs, or a random sample of them.

use rand::{Rng, seq::index};

/// Every pair (i, j), i < j, of `members`.
pub fn all_pairs(members: &[usize]) -> Vec<(usize, usize)> {
    members.iter().enumerate().flat_map(|(at, &i)| members[at + 1..].iter().map(move |&j| (i, j))).collect()
}

/// For each of `members`, `m` others, drawn without replacement. Each unordered pair appears once, in the order of its
/// first draw; its answer counts for both sides.
pub fn sampled_pairs(members: &[usize], m: usize, rng: &mut dyn Rng) -> Vec<(usize, usize)> {
    let others = members.len().saturating_sub(1);
    let mut pairs = Vec::with_capacity(members.len() * m.min(others));
    let mut seen = std::collections::HashSet::new();
    for at in 0..members.len() {
        for other in index::sample(rng, others, m.min(others)) {
            // The draw is among the others: skip the member itself.
            let other = if other < at { other } else { other + 1 };
            if seen.insert((at.min(other), at.max(other))) {
                pairs.push((members[at], members[other]));
            }
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn pairs_are_of_distinct_members_and_unique() {
        assert_eq!(all_pairs(&[4, 5, 7]), [(4, 5), (4, 7), (5, 7)]);
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
        let pairs = sampled_pairs(&[10, 11, 12, 13, 14], 2, &mut rng);
        assert!(pairs.len() >= 5 && pairs.len() <= 10);
        for (at, &(i, j)) in pairs.iter().enumerate() {
            assert_ne!(i, j);
            assert!(!pairs[..at].contains(&(i, j)) && !pairs[..at].contains(&(j, i)));
        }
        // More opponents than there are: all pairs.
        assert_eq!(sampled_pairs(&[0, 1, 2], 9, &mut rng).len(), 3);
        assert!(sampled_pairs(&[3], 2, &mut rng).is_empty());
    }
}
