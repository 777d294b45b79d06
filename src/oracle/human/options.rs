//! How people are asked. They answer at a web page, which is part of the command.

use std::time::Duration;

/// `human`, with its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Human {
    /// After so long without any action by a person, training continues with the answers there are, at least one. `None`
    /// waits for all answers.
    pub patience: Option<Duration>,
    /// How many different people must answer a pair.
    pub votes: u32,
}

impl Default for Human {
    fn default() -> Self {
        // After the same time, rl-teacher gives a clip to another person.
        Self { patience: Some(Duration::from_secs(120)), votes: 1 }
    }
}

/// The form, as help shows it.
pub const FORM: &str = "human(wait=T,votes=N)";

impl Human {
    /// Parses a description of an oracle; `None` if it names another oracle than people.
    ///
    /// ```
    /// use std::time::Duration;
    /// use spo::oracle::human::Human;
    ///
    /// let asked = Human::parse("human(wait=10m, votes=2)").unwrap().unwrap();
    /// assert_eq!((asked.patience, asked.votes), (Some(Duration::from_secs(600)), 2));
    /// assert!(Human::parse("return").is_none());
    /// ```
    ///
    /// # Errors
    /// What is wrong, and how to correct it.
    pub fn parse(text: &str) -> Option<Result<Self, String>> {
        let rest = text.trim().strip_prefix("human")?.trim_start();
        if rest.is_empty() {
            return Some(Ok(Self::default()));
        }
        if let Some(options) = rest.strip_prefix('(').and_then(|r| r.strip_suffix(')')) {
            return Some(Self::options(options));
        }
        // `humane` is another word.
        let alone = rest.starts_with(['(', '|', '+', '=']);
        alone.then(|| {
            Err(format!(
                "people are asked alone, without other judges and without decorators; expected `{FORM}`"
            ))
        })
    }

    fn options(text: &str) -> Result<Self, String> {
        let mut human = Self::default();
        for option in text.split(',').map(str::trim).filter(|o| !o.is_empty()) {
            let (key, value) = option.split_once('=').map_or((option, ""), |(k, v)| (k.trim(), v.trim()));
            match key {
                "wait" => human.patience = patience(value)?,
                "votes" => {
                    let votes = value.parse().ok().filter(|v| (1..=100).contains(v));
                    human.votes = votes.ok_or_else(|| {
                        format!("`votes` is `{value}`; expected a whole number from 1 to 100")
                    })?;
                }
                _ => return Err(format!("`human` has no option `{key}`; expected `wait` or `votes`")),
            }
        }
        Ok(human)
    }
}

fn patience(text: &str) -> Result<Option<Duration>, String> {
    if text == "forever" {
        return Ok(None);
    }
    let units = [("h", 3600.0), ("m", 60.0), ("s", 1.0), ("", 1.0)];
    let seconds = units.iter().find_map(|(unit, seconds)| {
        let count: f64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        Some(count * seconds)
    });
    match seconds {
        // At most a year; for longer waits there is `forever`.
        Some(seconds) if (0.0..=31_536_000.0).contains(&seconds) => {
            Ok(Some(Duration::from_secs_f64(seconds)))
        }
        _ => Err(format!("`wait` is `{text}`; expected a time such as 90s, 10m, 2h, or forever")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_wrong_ones_get_the_mend() {
        assert_eq!(Human::parse("human"), Some(Ok(Human::default())));
        assert_eq!(Human::parse(" human() "), Some(Ok(Human::default())));
        let of = |text: &str| Human::parse(text).unwrap().unwrap().patience;
        assert_eq!(of("human(wait=forever)"), None);
        for (text, seconds) in [("0", 0), ("90s", 90), ("1.5m", 90), ("2 h", 7200)] {
            assert_eq!(of(&format!("human(wait={text})")), Some(Duration::from_secs(seconds)), "{text}");
        }
        for (bad, expected) in [
            ("human(wait=soon)", "90s, 10m, 2h"),
            ("human(wait=-1s)", "90s, 10m, 2h"),
            ("human(wait=nan)", "90s, 10m, 2h"),
            ("human(wait=1e99h)", "90s, 10m, 2h"),
            ("human(votes=0)", "from 1 to 100"),
            ("human(votes)", "from 1 to 100"),
            ("human(vote=2)", "expected `wait` or `votes`"),
            ("human | mistake=0.1", "asked alone"),
            ("human + return", "asked alone"),
            ("human(wait=1s) | labels", "asked alone"),
            ("human(", "asked alone"),
        ] {
            let message = Human::parse(bad).unwrap().unwrap_err();
            assert!(message.contains(expected), "{bad}: {message}");
        }
        for other in ["return", "humane", "0.5*human + return", ""] {
            assert_eq!(Human::parse(other), None, "{other}");
        }
    }
}
