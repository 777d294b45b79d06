//! Preference oracles: what says which of two trajectories is better.
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
//! - [`cost`]: which of two trajectories is safer, and whether one is safe: for `safety.oracle`.
//! - [`mixture`]: populations of raters with weights.
//! - Decorators of simulated teachers ([`decorator`]), each in its own file: [`mistake`], [`skip`], [`equal`], [`myopic`],
//!   [`labels`].
//! - [`structure`](mod@structure): what is known of an oracle beside its answers.
//! - [`human`]: people, who answer at a page in the browser.
//! - [`metered`]: every scorer asks through it; it counts, keeps to the budget and writes the log.
//! - [`pairs`]: which trajectories of a group are compared.
//! - [`exec`]: a program in any language.
//! - [`llm`]: a language model behind an OpenAI-compatible interface.
//! - [`check`]: a test of an oracle: symmetry, range, repeatability, cycles.
//! - [`spec`]: all of the above from one line of text, such as `bradley_terry=0.5 | mistake=0.1`, read by
//!   [`parse`](mod@parse).

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

/// A question about safety: is this trajectory, or window of one, safe?
#[derive(Clone, Copy, Debug)]
pub struct SafetyQuery<'a> {
    /// Its steps.
    pub trajectory: Trajectory<'a>,
    /// The share of the episode's steps that it has: 1 for a whole episode.
    pub share: f64,
}

/// The answer to a pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    /// P(a ≻ b) in [0, 1]; a tie is 0.5. P(b ≻ a) is one minus it.
    Prefer(f32),
    /// No answer: the pair counts for neither trajectory.
    Abstain,
}

/// A source of preferences, asked in batches.
pub trait Oracle: Send {
    /// Gets ready for a task. Called before the first comparison; a second call does no harm. `events` is where to count
    /// what happens while answers are fetched. An oracle that asks other oracles must pass the call on to them.
    ///
    /// # Errors
    /// [`OracleError`] if it cannot judge this task.
    fn prepare(&mut self, task: &Spec, events: &OracleEvents) -> Result<(), OracleError> {
        let _ = (task, events);
        Ok(())
    }

    /// One answer per pair, in order. A random answer draws from `rng`, so that an oracle has no random state of its own
    /// to save.
    ///
    /// # Errors
    /// [`OracleError`] if there are no answers.
    fn compare(&mut self, pairs: &[Pair<'_>], rng: &mut dyn Rng) -> Result<Vec<Answer>, OracleError>;

    /// What is known of the oracle beside its answers. The default, nothing, is right for every oracle.
    fn structure(&self) -> Structure<'_> {
        Structure::default()
    }

    /// This oracle as a [`Rater`], if it is one.
    fn rater(&mut self) -> Option<&mut dyn Rater> {
        None
    }

    /// This oracle as a [`SafetyJudge`], if it is one.
    fn safety_judge(&mut self) -> Option<&mut dyn SafetyJudge> {
        None
    }
}

/// An oracle that also rates single trajectories, for [`llm_direct`](crate::scorer::llm_direct): a language model.
pub trait Rater {
    /// A rating of each trajectory in [−1, 1]; `None` if it has no answer.
    ///
    /// # Errors
    /// [`OracleError`] if there are no ratings.
    fn rate(&mut self, trajectories: &[Trajectory<'_>]) -> Result<Vec<Option<f32>>, OracleError>;
}

/// An oracle that also says whether a single trajectory is safe, for `safety.oracle`. Its comparisons say which of two
/// trajectories is safer.
pub trait SafetyJudge {
    /// Whether each trajectory is safe; `None` if there is no answer.
    ///
    /// # Errors
    /// [`OracleError`] if there are no verdicts.
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
    /// A text that describes no oracle.
    #[error("oracle `{text}`: {why}")]
    Parse {
        /// The description.
        text: String,
        /// What is wrong with it, and how to correct it.
        why: String,
    },
    /// Told to stop while it waited for answers. Nothing is lost.
    #[error("stopped while waiting for answers")]
    Stopped,
    /// A program that does not answer.
    #[error("the judge `{command}` {why}{}", end_of(stderr))]
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
        /// What is wrong, and how to correct it.
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
    /// An oracle that only compares was asked for ratings.
    #[error("this oracle compares trajectories and does not rate them; expected `{}`", llm::FORM)]
    NoRater,
    /// An oracle that only compares was asked what is safe.
    #[error(
        "this oracle compares trajectories and does not say what is safe; expected `cost=25` with the limit of your \
         task, with or without decorators"
    )]
    NoSafetyJudge,
    /// Another reason.
    #[error("{0}")]
    Failed(String),
}

fn end_of(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!("; the end of its stderr:{stderr}") }
}
