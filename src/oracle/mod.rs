//! Preference oracles: who says which of two trajectories is better.
//!
//! Any closure from two trajectories to P(a ≻ b) is an oracle:
//!
//! ```
//! use spo::prelude::*;
//!
//! let effort = |t: Trajectory| t.actions.iter().map(|u| u * u).sum::<f32>();
//! let gentle = move |a: Trajectory, b: Trajectory| (effort(a) < effort(b)) as u8 as f32;
//! # fn is_oracle(_: impl Oracle) {}
//! # is_oracle(gentle);
//! ```
//!
//! - Judges: [`returns`] (task return, Bradley–Terry), [`judges`] (effort, cyclic), [`ring`] (final
//!   positions, the paper's), [`time_share`] (a constraint on the whole trajectory), [`matrix`] (exact games).
//! - [`cost`]: who is safer, and who is safe: for a `safety_oracle`.
//! - [`mixture`]: populations of raters with weights.
//! - Decorators of simulated teachers, each alone in its file: [`mistake`], [`skip`], [`equal`], [`myopic`],
//!   [`labels`].
//! - [`human`]: people, at a page of their own.
//! - [`metered`]: the one door through which a scorer asks; counts, budget and log.
//! - [`exec`]: a program in any language.
//! - [`llm`]: a language model behind an OpenAI-compatible interface.
//! - [`check`]: whether an oracle keeps its promises.
//! - [`parse`](mod@parse): all of the above from one line of text, such as `bradley_terry=0.5 | mistake=0.1`.

use rand::Rng;

use spo_envs::Spec;

use crate::rollout::Trajectory;

pub mod check;
pub mod cost;
pub mod decorator;
pub mod equal;
pub mod events;
pub mod exec;
pub mod human;
pub mod judges;
pub mod labels;
pub mod llm;
pub mod matrix;
pub mod metered;
pub mod mistake;
pub mod mixture;
pub mod myopic;
pub mod pairs;
pub mod parse;
pub mod returns;
pub mod ring;
pub mod skip;
pub mod spec;
pub mod structure;
mod text;
pub mod time_share;

pub use events::OracleEvents;
pub use metered::{MeteredOracle, Queries};
pub use parse::{parse, registry};
pub use spec::OracleSpec;
pub use structure::Structure;

/// Two trajectories to compare.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// The first.
    pub a: Trajectory<'a>,
    /// The second.
    pub b: Trajectory<'a>,
}

/// A trajectory, or a window of one, whose safety is asked about.
#[derive(Clone, Copy, Debug)]
pub struct SafetyQuery<'a> {
    /// Its steps.
    pub trajectory: Trajectory<'a>,
    /// The share of the episode's steps that they are, 1 of a whole one.
    pub share: f64,
}

/// What an oracle says of a pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    /// P(a ≻ b) in [0, 1]; a tie is 0.5. P(b ≻ a) is one minus it.
    Prefer(f32),
    /// No answer: the pair counts for neither.
    Abstain,
}

/// A source of preferences, asked in batches.
pub trait Oracle: Send {
    /// Makes ready to be asked about a task, and says where to count what happens on the way; called before the first
    /// comparison, and more than once does no harm. An oracle that asks others passes the call on to them.
    ///
    /// # Errors
    /// [`OracleError`] where it cannot judge this task, or not at all.
    fn prepare(&mut self, task: &Spec, events: &OracleEvents) -> Result<(), OracleError> {
        let _ = (task, events);
        Ok(())
    }

    /// One answer per pair, in order. What is random draws from `rng`, so that an oracle has no state of
    /// its own to save.
    ///
    /// # Errors
    /// [`OracleError`] where no answers can be had.
    fn compare(&mut self, pairs: &[Pair<'_>], rng: &mut dyn Rng) -> Result<Vec<Answer>, OracleError>;

    /// What is known beside the answers; nothing by default, which is right for every oracle.
    fn structure(&self) -> Structure<'_> {
        Structure::default()
    }

    /// This oracle as one that rates single trajectories, where it does.
    fn rater(&mut self) -> Option<&mut dyn Rater> {
        None
    }

    /// This oracle as one that says what is safe, where it does.
    fn safety_judge(&mut self) -> Option<&mut dyn SafetyJudge> {
        None
    }
}

/// An oracle that also rates single trajectories, for [`llm_direct`](crate::scorer::llm_direct): a language model.
pub trait Rater {
    /// How good each trajectory is by itself, in [−1, 1]; `None` where there is no answer.
    ///
    /// # Errors
    /// [`OracleError`] where no ratings can be had.
    fn rate(&mut self, trajectories: &[Trajectory<'_>]) -> Result<Vec<Option<f32>>, OracleError>;
}

/// An oracle that also says whether a single trajectory is safe, for a `safety_oracle`. Its comparisons say which of two
/// is the safer.
pub trait SafetyJudge {
    /// Whether each trajectory is safe by itself; `None` where there is no answer.
    ///
    /// # Errors
    /// [`OracleError`] where no verdicts can be had.
    fn verdicts(
        &mut self,
        queries: &[SafetyQuery<'_>],
        rng: &mut dyn Rng,
    ) -> Result<Vec<Option<bool>>, OracleError>;
}

impl<F: FnMut(Trajectory<'_>, Trajectory<'_>) -> f32 + Send> Oracle for F {
    fn compare(&mut self, pairs: &[Pair<'_>], _: &mut dyn Rng) -> Result<Vec<Answer>, OracleError> {
        Ok(pairs.iter().map(|pair| Answer::Prefer(self(pair.a, pair.b))).collect())
    }
}

/// What can go wrong with an oracle.
#[derive(Debug, thiserror::Error)]
pub enum OracleError {
    /// An answer outside [0, 1].
    #[error("the oracle answered {value} for pair {pair} of its batch; expected P(a ≻ b) in [0, 1]")]
    Range {
        /// Place in the batch.
        pair: usize,
        /// The answer.
        value: f32,
    },
    /// Too few or too many answers.
    #[error("the oracle gave {got} answers to {asked} pairs; expected one per pair")]
    Count {
        /// Pairs asked.
        asked: usize,
        /// Answers given.
        got: usize,
    },
    /// The budget does not cover the next batch.
    #[error("the budget of {budget} comparisons is spent: {asked} asked, {next} more needed")]
    Budget {
        /// The budget.
        budget: u64,
        /// Comparisons asked so far.
        asked: u64,
        /// Comparisons of the batch that was not asked.
        next: u64,
    },
    /// The log of comparisons cannot be written.
    #[error("cannot write the log of comparisons {path}: {source}")]
    Log {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A description that names no oracle.
    #[error("oracle `{text}`: {why}")]
    Parse {
        /// The description.
        text: String,
        /// What is wrong with it, and the mend.
        why: String,
    },
    /// Told to stop while it waited for answers; nothing is lost.
    #[error("stopped while waiting for answers")]
    Stopped,
    /// A program that does not answer.
    #[error("the judge `{command}` {why}{}", last_words(stderr))]
    Program {
        /// Its command.
        command: String,
        /// What it did.
        why: String,
        /// The last lines of its stderr.
        stderr: String,
    },
    /// A language model that does not answer.
    #[error("the language model `{model}` at {base_url}: {why}")]
    Model {
        /// Its name.
        model: String,
        /// Where it is.
        base_url: String,
        /// What is wrong, and the mend.
        why: String,
    },
    /// A rating outside [−1, 1].
    #[error("the oracle rated trajectory {trajectory} of its batch {value}; expected a number from -1 to 1")]
    Rating {
        /// Place in the batch.
        trajectory: usize,
        /// The rating.
        value: f32,
    },
    /// One that only compares was asked for ratings.
    #[error("this oracle compares and does not rate; expected `{}`", llm::FORM)]
    NoRater,
    /// One that only compares was asked what is safe.
    #[error(
        "this oracle compares and does not say what is safe; expected `cost=25` with the limit of your task, or \
         decorators of it"
    )]
    NoSafetyJudge,
    /// The oracle's own reason.
    #[error("{0}")]
    Failed(String),
}

fn last_words(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!("; the end of its stderr:{stderr}") }
}
