//! What a run should disclose, after Casper et al. 2023 ("Open Problems and Fundamental Limitations of Reinforcement
//! Learning from Human Feedback", section 5): its feedback, its reward or self-play signal, its policy, its system.
//!
//! - [`Audit::of`]: the figures of one run, from what it [`recorded`] and from asking and rolling out anew; nothing is
//!   typed in but what only a person knows, [`about`].
//! - [`players`]: the policies of the run, early and late; [`feedback`]: the oracle asked again; [`signal`]: what they
//!   are worth to the run's scorer against what the task pays them; [`policy`]: the result, at rest and under every
//!   [`disturbance`]; [`system`]: seeds, commit, configuration.
//! - [`flags`]: stated rules over these figures.
//! - [`document`]: audits as one page, side by side where there are several; [`markdown`] and [`html`] print it.
//!
//! A part that cannot be had says why, and the others go on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Serialize, Serializer};

use spo::base::stats;
use spo::base::tensors::{FileError, write_atomically};
use spo::oracle::{Oracle, OracleError, OracleEvents};
use spo::rollout::EnvFactory;
use spo::train::config::ConfigError;
use spo::train::run::files;

pub mod about;
mod chart;
pub mod disturbance;
pub mod document;
pub mod feedback;
pub mod flags;
pub mod html;
pub mod markdown;
pub mod players;
pub mod policy;
pub mod recorded;
mod sections;
pub mod signal;
pub mod system;

pub use about::About;
use players::Players;
use recorded::Recorded;

/// Makes the oracle that is asked again.
pub type OracleFactory = Arc<dyn Fn() -> Result<Box<dyn Oracle>, OracleError> + Send + Sync>;

/// A figure, or why there is none.
pub type Found<T> = Result<T, String>;

/// How an audit goes about it.
#[derive(Clone)]
pub struct Options {
    /// Evaluation episodes of the result, and of it under each disturbance.
    pub episodes: usize,
    /// Of the audit's own initial states and draws.
    pub seed: u64,
    /// Comparisons that an oracle may be asked which costs something: a program or a language model. One that is built
    /// in is asked as often as it takes.
    pub ask: u64,
    /// Who is asked again, where the configuration does not name it: a closure is no part of a run's directory.
    pub oracle: Option<OracleFactory>,
    /// The task, where it is none of the registry's.
    pub factory: Option<EnvFactory>,
    /// Other runs of the task, which the result never met.
    pub against: Vec<PathBuf>,
    /// What only a person knows.
    pub about: About,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            episodes: 60,
            seed: 0,
            ask: 0,
            oracle: None,
            factory: None,
            against: Vec::new(),
            about: About::default(),
        }
    }
}

/// What can end an audit: everything else is a line on its page.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// No run.
    #[error("{0} is no run: it has no {config}; `spo train` makes one", config = files::CONFIG)]
    NoRun(PathBuf),
    /// A configuration, or what a person wrote, that cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Values that a file of what only a person knows cannot have.
    #[error("{path}: `{field}` is {value}; expected {expected}")]
    About {
        /// The file.
        path: PathBuf,
        /// The field.
        field: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A file of the page.
    #[error("cannot write {path}: {why}; choose another folder with --out")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// A mean and the half width of its 95 % interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Half the width of its interval, Student's t.
    pub half_width: f64,
}

impl Estimate {
    /// Of independent values.
    pub fn of(values: &[f64]) -> Self {
        Self { mean: stats::mean(values), half_width: stats::ci95(values) }
    }

    /// Whether the interval lies above zero.
    pub fn is_above_zero(&self) -> bool {
        self.mean - self.half_width > 0.0
    }

    /// Whether the interval lies below zero.
    pub fn is_below_zero(&self) -> bool {
        self.mean + self.half_width < 0.0
    }
}

/// All figures of one run.
#[derive(Clone, Debug, Serialize)]
pub struct Audit {
    /// The run's directory, as it was named.
    pub run: String,
    /// Its task.
    pub env: String,
    /// Files that could not be read, or not to their end, and why.
    pub unread: Vec<String>,
    /// The rules, and what they say.
    pub flags: Vec<flags::Flag>,
    /// What only a person knows.
    pub about: About,
    /// Who was asked, and how well they answer.
    pub feedback: feedback::Feedback,
    /// What the policy was trained on.
    pub signal: signal::Signal,
    /// What it does.
    pub policy: policy::PolicyFigures,
    /// What made it.
    pub system: system::System,
}

impl Audit {
    /// Audits the run in `dir`; `progress` hears how many of how many parts are done.
    ///
    /// # Errors
    /// [`AuditError`]: no run, a configuration that cannot be read.
    pub fn of(
        dir: &Path,
        options: &Options,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, AuditError> {
        let mut recorded = Recorded::read(dir)?;
        let parts = 4 + disturbance::ALL.len();
        let mut done = 0;
        let mut step = || {
            done += 1;
            progress(done.min(parts), parts);
        };
        let players = Players::of(&mut recorded, options);
        step();
        let judge = Judge::of(&recorded, options);
        let feedback = feedback::Feedback::of(&mut recorded, &players, &judge, options.seed);
        step();
        let signal = signal::Signal::of(&mut recorded, &players, &judge, options);
        step();
        let policy = policy::PolicyFigures::of(&recorded, &players, options, &mut step);
        let system = system::System::of(&mut recorded);
        let evidence =
            flags::Evidence { feedback: &feedback, signal: &signal, policy: &policy, system: &system };
        let flags = flags::judge(&evidence);
        step();
        Ok(Self {
            run: dir.display().to_string(),
            env: recorded.config.env.clone(),
            unread: recorded.unread,
            flags,
            about: options.about.clone(),
            feedback,
            signal,
            policy,
            system,
        })
    }
}

/// Who can be asked again, and how often.
pub struct Judge {
    make: Found<OracleFactory>,
    /// Comparisons that each of an audit's questions may cost; `None` where they are free.
    limit: Option<u64>,
}

/// What an oracle is asked for: its consistency, scores of sampled and of likeliest actions, a tournament.
const QUESTIONS: u64 = 4;
/// Comparisons of an oracle that costs nothing: more than any question takes.
const FREE: u64 = 1 << 40;

impl Judge {
    fn of(recorded: &Recorded, options: &Options) -> Self {
        let spec = recorded.config.oracle.clone();
        if let Some(make) = &options.oracle {
            return Self { make: Ok(make.clone()), limit: None };
        }
        if spec.asks_people() {
            return Self { make: Err("people are not asked again".into()), limit: None };
        }
        let costs = spec.asks_language_model() || spec.asks_program();
        if costs && options.ask == 0 {
            let why = "the oracle costs something to ask: --ask N lets the audit ask it N comparisons";
            return Self { make: Err(why.into()), limit: None };
        }
        let make: OracleFactory = Arc::new(move || spec.build());
        Self { make: Ok(make), limit: costs.then_some(options.ask / QUESTIONS) }
    }

    /// The oracle, ready for the task.
    fn oracle(&self, factory: &EnvFactory, notes: &OracleEvents) -> Found<Box<dyn Oracle>> {
        let mut oracle = self.make.as_ref().map_err(Clone::clone)?().map_err(|e| e.to_string())?;
        let env = factory().map_err(|e| e.to_string())?;
        oracle.prepare(env.spec(), notes).map_err(|e| e.to_string())?;
        Ok(oracle)
    }

    /// Comparisons that one question may cost.
    fn most(&self) -> u64 {
        self.limit.unwrap_or(FREE)
    }

    /// Says that a question would cost more.
    fn too_dear(&self, least: u64) -> String {
        format!(
            "the smallest form of it takes {least} comparisons, its share of --ask is {}: raise it",
            self.most()
        )
    }
}

/// Writes `audit.md`, `audit.html` and `audit.json` into a folder, which is made, and returns their paths.
///
/// # Errors
/// [`AuditError::Write`].
pub fn write(audits: &[Audit], out: &Path) -> Result<Vec<PathBuf>, AuditError> {
    let document = document::Document::of(audits);
    let json = serde_json::to_string_pretty(
        &serde_json::json!({ "spo": env!("CARGO_PKG_VERSION"), "runs": audits }),
    );
    let write = |path: &Path, text: &str| {
        write_atomically(path, text.as_bytes()).map_err(|e| AuditError::Write {
            path: path.into(),
            why: match e {
                FileError::Write { source, .. } => source.to_string(),
                other => other.to_string(),
            },
        })
    };
    std::fs::create_dir_all(out).map_err(|e| AuditError::Write { path: out.into(), why: e.to_string() })?;
    let files = [
        ("audit.md", markdown::print(&document)),
        ("audit.html", html::print(&document)),
        ("audit.json", json.expect("plain figures") + "\n"),
    ];
    files
        .into_iter()
        .map(|(name, text)| {
            let path = out.join(name);
            write(&path, &text).map(|()| path)
        })
        .collect()
}

/// A figure as itself, or `{"unknown": why}`.
fn found<T: Serialize, S: Serializer>(figure: &Found<T>, to: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Shown<'a, T> {
        Known(&'a T),
        Unknown { unknown: &'a str },
    }
    match figure {
        Ok(value) => Shown::Known(value),
        Err(why) => Shown::Unknown { unknown: why },
    }
    .serialize(to)
}

#[cfg(test)]
mod tests;
