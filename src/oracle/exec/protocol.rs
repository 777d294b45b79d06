//! Version 1 of the protocol: the lines that trainer and judge send to each other, one JSON object each.
//!
//! `docs/oracle-protocol.md` describes it for people who write a judge.

use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::Answer;
use crate::rollout::Trajectory;

/// The version of the protocol.
pub const VERSION: u32 = 1;

/// A part of a trajectory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Observations before each step, `[T, obs_dim]`.
    Obs,
    /// The observation after the last step, `[obs_dim]`.
    FinalObs,
    /// Actions, `[T, action_dim]`.
    Actions,
    /// Task rewards, `[T]`.
    Rewards,
    /// Safety costs, `[T]`.
    Costs,
}

impl Part {
    /// Every part, in the order in which they are sent.
    pub const ALL: [Self; 5] = [Self::Obs, Self::FinalObs, Self::Actions, Self::Rewards, Self::Costs];

    fn name(self) -> &'static str {
        match self {
            Self::Obs => "obs",
            Self::FinalObs => "final_obs",
            Self::Actions => "actions",
            Self::Rewards => "rewards",
            Self::Costs => "costs",
        }
    }

    /// The numbers of this part, row by row.
    pub fn numbers<'a>(self, t: &Trajectory<'a>) -> &'a [f32] {
        match self {
            Self::Obs => t.obs,
            Self::FinalObs => t.final_obs,
            Self::Actions => t.actions,
            Self::Rewards => t.rewards,
            Self::Costs => t.costs,
        }
    }
}

/// A message from the trainer.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Request<'a> {
    /// The first message: what the task is.
    Hello {
        protocol: u32,
        env: &'a str,
        obs_dim: usize,
        action_dim: usize,
        /// Seconds between two steps.
        dt: f32,
        horizon: usize,
        /// The file with the trajectories, if they are not in the lines.
        #[serde(skip_serializing_if = "Option::is_none")]
        file: Option<&'a str>,
    },
    /// Pairs to compare.
    Compare {
        batch: u64,
        /// Indices into `trajectories`.
        pairs: &'a [(usize, usize)],
        /// One for each pair, for a judge that is random.
        #[serde(skip_serializing_if = "Option::is_none")]
        seeds: Option<&'a [u32]>,
        /// Length of the file in bytes.
        #[serde(skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
        trajectories: Vec<Sent<'a>>,
    },
}

impl Request<'_> {
    /// The line, with its end.
    pub fn line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).expect("text and numbers");
        line.push(b'\n');
        line
    }
}

/// A trajectory in a message: its parts, or where they lie in the file.
pub struct Sent<'a> {
    pub trajectory: Trajectory<'a>,
    pub parts: &'a [Part],
    /// Index of the first number in the file.
    pub offset: Option<usize>,
}

impl Serialize for Sent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let steps = self.trajectory.len();
        map.serialize_entry("steps", &steps)?;
        if let Some(offset) = self.offset {
            map.serialize_entry("offset", &offset)?;
            return map.end();
        }
        for part in self.parts {
            let numbers = part.numbers(&self.trajectory);
            match part {
                Part::Obs | Part::Actions => {
                    let width = numbers.len() / steps.max(1);
                    map.serialize_entry(part.name(), &Rows { numbers, width })?;
                }
                Part::FinalObs | Part::Rewards | Part::Costs => {
                    map.serialize_entry(part.name(), &Exact(numbers))?;
                }
            }
        }
        map.end()
    }
}

/// Numbers written so that a program that reads doubles gets exactly the float32 values. A sum in doubles is then the
/// same in every language.
struct Exact<'a>(&'a [f32]);

impl Serialize for Exact<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|&x| f64::from(x)))
    }
}

struct Rows<'a> {
    numbers: &'a [f32],
    width: usize,
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(None)?;
        for row in self.numbers.chunks_exact(self.width.max(1)) {
            rows.serialize_element(&Exact(row))?;
        }
        rows.end()
    }
}

/// A message from a judge.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Reply {
    /// The judge is ready.
    Hello {
        protocol: u32,
        /// The parts of a trajectory that it reads.
        #[serde(default = "every_part")]
        reads: Vec<Part>,
        /// Whether its answers are random. It is then given seeds.
        #[serde(default)]
        random: bool,
    },
    /// Answers to pairs `first`, `first + 1`, … of a batch.
    Answers {
        batch: u64,
        #[serde(default)]
        first: usize,
        answers: Vec<Value>,
    },
    /// The judge cannot continue.
    Error { message: String },
}

impl Reply {
    /// The `type` of the message.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "hello",
            Self::Answers { .. } => "answers",
            Self::Error { .. } => "error",
        }
    }
}

fn every_part() -> Vec<Part> {
    Part::ALL.to_vec()
}

/// Parses a judge's line; `None` if it is not a JSON object, such as a library's greeting.
///
/// # Errors
/// What is wrong with an object that is not a message.
pub fn decode(line: &[u8]) -> Result<Option<Reply>, String> {
    let line = line.trim_ascii();
    if !line.starts_with(b"{") {
        return Ok(None);
    }
    let text = std::str::from_utf8(line).map_err(|e| e.to_string())?;
    serde_json::from_str(text)
        // Python's `json` writes NaN and Infinity, which are not JSON.
        .or_else(|e| serde_json::from_str(&quote_non_finite(text)).map_err(|_| e.to_string()))
        .map(Some)
}

/// Turns `NaN` and `Infinity` outside strings into strings: not probabilities, but answers that can be counted.
fn quote_non_finite(text: &str) -> String {
    let (mut out, mut rest, mut within) = (String::with_capacity(text.len() + 16), text, false);
    while let Some(c) = rest.chars().next() {
        let word = ["NaN", "-Infinity", "Infinity"].into_iter().find(|w| !within && rest.starts_with(w));
        let length = match (word, c) {
            (Some(word), _) => {
                out.push('"');
                out += word;
                out.push('"');
                word.len()
            }
            (None, '\\') if within => {
                // Copy the escaped character too.
                let length = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
                out += &rest[..length];
                length
            }
            (None, c) => {
                within ^= c == '"';
                out.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    out
}

/// The answers to one message, filled in as they arrive.
pub struct Sheet {
    batch: u64,
    answers: Vec<Option<Answer>>,
    open: usize,
}

/// What a reply added.
#[derive(Debug, Default, PartialEq)]
pub struct Entered {
    /// Answers, abstentions among them.
    pub new: usize,
    /// Those that are not probabilities, as (index, what was sent); each counts as an abstention.
    pub rejected: Vec<(usize, String)>,
}

impl Sheet {
    pub fn new(batch: u64, pairs: usize) -> Self {
        Self { batch, answers: vec![None; pairs], open: pairs }
    }

    /// Whether every pair has its answer.
    pub fn complete(&self) -> bool {
        self.open == 0
    }

    /// Index and answer of each pair that has an answer.
    pub fn given(&self) -> impl Iterator<Item = (usize, Answer)> + '_ {
        self.answers.iter().enumerate().filter_map(|(at, answer)| answer.map(|answer| (at, answer)))
    }

    /// Adds the answers of a reply: all of them, or none on an error.
    ///
    /// # Errors
    /// A batch or place that was not asked, or one that has its answer.
    pub fn enter(&mut self, batch: u64, first: usize, said: &[Value]) -> Result<Entered, String> {
        if batch != self.batch {
            return Err(format!("it answered batch {batch}, but batch {} was asked", self.batch));
        }
        let asked = self.answers.len();
        let Some(places) = first.checked_add(said.len()).filter(|&end| end <= asked).map(|end| first..end)
        else {
            return Err(format!(
                "it gave {} answers from pair {first} on, but {asked} pairs were asked",
                said.len()
            ));
        };
        if let Some(twice) = places.clone().find(|&at| self.answers[at].is_some()) {
            return Err(format!("it answered pair {twice} of batch {batch} twice"));
        }
        let mut entered = Entered { new: said.len(), rejected: Vec::new() };
        for (at, said) in places.zip(said) {
            let answer = match said {
                Value::Null => Answer::Abstain,
                said => match said.as_f64().filter(|p| (0.0..=1.0).contains(p)) {
                    Some(p) => Answer::Prefer(p as f32),
                    None => {
                        entered.rejected.push((at, said.to_string().chars().take(40).collect()));
                        Answer::Abstain
                    }
                },
            };
            self.answers[at] = Some(answer);
        }
        self.open -= entered.new;
        Ok(entered)
    }
}
