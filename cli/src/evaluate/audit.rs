//! Audits: what a run should disclose, after Casper et al. 2023 ("Open Problems and Fundamental Limitations of
//! Reinforcement Learning from Human Feedback", section 5): its feedback, its reward or self-play signal, its policy, its
//! system.
//!
//! - [`Audit::run`]: the figures of one run, from its [`recorded`] files, new queries and new rollouts. A person only adds
//!   facts that the program cannot know, [`about`].
//! - [`players`]: the policies of the run, from early to late; [`feedback`]: the oracle's answers and a second query;
//!   [`signal`]: the scores of the policies compared with their task returns; [`policy`]: the result, without and with each
//!   [`disturbance`]; [`system`]: seeds, commit, configuration.
//! - [`flags`]: stated rules over these figures.
//! - [`document`]: one page for one or more audits; [`markdown`] and [`html`] print it.
//!
//! If a part is not available, the page says why.

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

/// Makes the oracle for the second query.
pub type OracleFactory = Arc<dyn Fn() -> Result<Box<dyn Oracle>, OracleError> + Send + Sync>;

/// A figure, or the reason why there is none.
pub type Found<T> = Result<T, String>;

/// Options of an audit.
#[derive(Clone)]
pub struct Options {
    /// Number of evaluation episodes of the result, without and with each disturbance.
    pub episodes: usize,
    /// Seed of the audit's initial states and random draws.
    pub seed: u64,
    /// Largest number of comparisons for a program or a language model. Querying a built-in oracle is free and has no
    /// limit.
    pub ask: u64,
    /// The oracle for the second query, if the configuration does not name it: a closure is not part of a run's directory.
    pub oracle: Option<OracleFactory>,
    /// The task, if it is not in the registry.
    pub factory: Option<EnvFactory>,
    /// Other runs of the task, as opponents that the result did not meet in training.
    pub against: Vec<PathBuf>,
    /// Facts that only a person knows.
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

/// An error that ends an audit. Any other problem is a line on the page.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The directory is not a run.
    #[error("{0} is not a run: it has no {config}; `spo train` makes one", config = files::CONFIG)]
    NoRun(PathBuf),
    /// The configuration, or the file with a person's facts, cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A value in the file with a person's facts is not valid.
    #[error("{path}: `{field}` is {value}; expected {expected}")]
    About {
        /// The file.
        path: PathBuf,
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// Valid values.
        expected: &'static str,
    },
    /// A file of the page cannot be written.
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
    /// Half the width of its interval, by Student's t.
    pub half_width: f64,
}

impl Estimate {
    /// The estimate from independent values.
    pub fn from_values(values: &[f64]) -> Self {
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
    /// The run's directory, as given.
    pub run: String,
    /// Its task.
    pub env: String,
    /// Files that could not be read completely, and why.
    pub unread: Vec<String>,
    /// The rules and their verdicts.
    pub flags: Vec<flags::Flag>,
    /// Facts that only a person knows.
    pub about: About,
    /// The oracle, and the quality of its answers.
    pub feedback: feedback::Feedback,
    /// The training signal.
    pub signal: signal::Signal,
    /// The policy.
    pub policy: policy::PolicyFigures,
    /// The system that trained it.
    pub system: system::System,
}

impl Audit {
    /// Audits the run in `dir`. `progress` receives the number of finished parts and of all parts.
    ///
    /// # Errors
    /// [`AuditError`] if the directory is not a run or its configuration cannot be read.
    pub fn run(
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
        let players = Players::load(&mut recorded, options);
        step();
        let judge = Judge::new(&recorded, options);
        let feedback = feedback::Feedback::collect(&mut recorded, &players, &judge, options.seed);
        step();
        let signal = signal::Signal::collect(&mut recorded, &players, &judge, options);
        step();
        let policy = policy::PolicyFigures::collect(&recorded, &players, options, &mut step);
        let system = system::System::collect(&mut recorded);
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

/// The oracle for the second query, and its limit.
pub struct Judge {
    make: Found<OracleFactory>,
    /// Largest number of comparisons for each question of the audit; `None` if they are free.
    limit: Option<u64>,
}

/// Number of questions: consistency, scores of sampled actions, scores of most likely actions, a tournament.
const QUESTIONS: u64 = 4;
/// The limit for a free oracle: more comparisons than any question needs.
const FREE: u64 = 1 << 40;

impl Judge {
    fn new(recorded: &Recorded, options: &Options) -> Self {
        let spec = recorded.config.oracle.clone();
        if let Some(make) = &options.oracle {
            return Self { make: Ok(make.clone()), limit: None };
        }
        if spec.asks_people() {
            return Self { make: Err("people are not asked again".into()), limit: None };
        }
        let costs = spec.asks_language_model() || spec.asks_program();
        if costs && options.ask == 0 {
            let why = "querying this oracle is not free; --ask N lets the audit ask it N comparisons";
            return Self { make: Err(why.into()), limit: None };
        }
        let make: OracleFactory = Arc::new(move || spec.build());
        Self { make: Ok(make), limit: costs.then_some(options.ask / QUESTIONS) }
    }

    /// Makes the oracle and prepares it for the task.
    fn oracle(&self, factory: &EnvFactory, notes: &OracleEvents) -> Found<Box<dyn Oracle>> {
        let mut oracle = self.make.as_ref().map_err(Clone::clone)?().map_err(|e| e.to_string())?;
        let env = factory().map_err(|e| e.to_string())?;
        oracle.prepare(env.spec(), notes).map_err(|e| e.to_string())?;
        Ok(oracle)
    }

    /// Largest number of comparisons for one question.
    fn most(&self) -> u64 {
        self.limit.unwrap_or(FREE)
    }

    /// The message for a question that needs more comparisons than allowed.
    fn too_expensive(&self, least: u64) -> String {
        format!(
            "this needs at least {least} comparisons, but its share of --ask is {}; increase --ask",
            self.most()
        )
    }
}

/// Writes `audit.md`, `audit.html` and `audit.json` into the folder `out`, which is made if needed. Returns their paths.
///
/// # Errors
/// [`AuditError::Write`] if a file cannot be written.
pub fn write(audits: &[Audit], out: &Path) -> Result<Vec<PathBuf>, AuditError> {
    let document = document::Document::new(audits);
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

/// Serialises a figure as itself, or its absence as `{"unknown": why}`.
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
