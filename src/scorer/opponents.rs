//! The opponents of a trajectory.

use std::fmt;
use std::str::FromStr;

use rand::{Rng, seq::index};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The opponents of each trajectory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum Opponents {
    /// All others from the same initial state: K (K − 1) / 2 comparisons a state.
    #[default]
    Group,
    /// m others from the same initial state, drawn without replacement: at most K · m comparisons a state.
    Sampled(usize),
    /// The last B trajectories of earlier iterations, first in first out (the paper's form): B comparisons a
    /// trajectory.
    Queue(usize),
}

impl FromStr for Opponents {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let count = |n: &str| n.parse().ok().filter(|&n: &usize| n > 0);
        let parsed = match text.split_once('=') {
            None if text == "group" => Some(Self::Group),
            Some(("sampled", m)) => count(m).map(Self::Sampled),
            Some(("queue", b)) => count(b).map(Self::Queue),
            _ => None,
        };
        parsed.ok_or_else(|| {
            format!("`{text}` names no opponents; expected `group`, `sampled=4` or `queue=128`")
        })
    }
}

impl fmt::Display for Opponents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group => write!(f, "group"),
            Self::Sampled(m) => write!(f, "sampled={m}"),
            Self::Queue(b) => write!(f, "queue={b}"),
        }
    }
}

impl TryFrom<String> for Opponents {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Opponents> for String {
    fn from(opponents: Opponents) -> Self {
        opponents.to_string()
    }
}

/// Every pair (i, j), i < j, of `members`.
pub fn all_pairs(members: &[usize]) -> Vec<(usize, usize)> {
    members.iter().enumerate().flat_map(|(at, &i)| members[at + 1..].iter().map(move |&j| (i, j))).collect()
}

/// For each of `members`, m others; each unordered pair once, first drawn first. An answer counts for both sides.
pub fn sampled_pairs(members: &[usize], m: usize, rng: &mut dyn Rng) -> Vec<(usize, usize)> {
    let others = members.len().saturating_sub(1);
    let mut pairs = Vec::with_capacity(members.len() * m.min(others));
    let mut seen = std::collections::HashSet::new();
    for at in 0..members.len() {
        for other in index::sample(rng, others, m.min(others)) {
            // Draw among the others: skip oneself.
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

    #[test]
    fn text_round_trips_and_errs() {
        for text in ["group", "sampled=4", "queue=128"] {
            assert_eq!(text.parse::<Opponents>().unwrap().to_string(), text);
        }
        for bad in ["", "queue", "queue=0", "sampled=-1", "rank"] {
            assert!(bad.parse::<Opponents>().is_err(), "{bad}");
        }
    }
}
