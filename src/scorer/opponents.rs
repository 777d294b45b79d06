//! The opponents of a trajectory.

use std::fmt;
use std::str::FromStr;

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

#[cfg(test)]
mod tests {
    use super::*;

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
