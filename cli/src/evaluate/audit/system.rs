//! The system: what made the policy, and what is beside it.

use std::path::Path;

use serde::Serialize;

use super::Estimate;
use super::recorded::{Recorded, summary};
use spo::train::config::Config;
use spo::train::run::{self, Run, files};

/// What is known of the system.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct System {
    /// The run's seed.
    pub seed: u64,
    /// Runs beside it that differ in nothing but the seed, itself among them, in order of their seeds.
    pub siblings: Vec<Sibling>,
    /// Mean return over those that have ended.
    pub over_seeds: Option<Estimate>,
    /// The commit that trained it, as far as it is known.
    pub commit: Option<String>,
    /// The program that wrote this page.
    pub audited_by: String,
    /// Where the learner computed.
    pub device: String,
    /// Iterations done.
    pub iterations: u64,
    /// Environment steps done.
    pub env_steps: u64,
    /// Most of them that the configuration allows.
    pub total_steps: u64,
    /// Environment steps when the last question was asked.
    pub last_asked_at: Option<u64>,
    /// Seconds of training.
    pub seconds: Option<f64>,
    /// Whether it has ended.
    pub ended: bool,
    /// The last words of one that failed.
    pub error: Option<String>,
    /// What is not as its learner has it by default.
    pub changed: Vec<Changed>,
    /// All of the configuration.
    pub config: String,
    /// What trains it again.
    pub command: String,
}

/// A run beside another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sibling {
    /// Its directory's name.
    pub run: String,
    /// Its seed.
    pub seed: u64,
    /// Its return, where it has ended.
    pub eval_return_mean: Option<f64>,
}

/// A key that is not as by default.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Changed {
    /// Which.
    pub key: String,
    /// Its value.
    pub value: String,
    /// What it would be.
    pub default: String,
}

impl System {
    /// Of a run and the folder that it lies in.
    pub fn of(recorded: &mut Recorded) -> Self {
        let config = &recorded.config;
        let siblings = siblings(&recorded.dir, config);
        let ended: Vec<f64> = siblings.iter().filter_map(|s| s.eval_return_mean).collect();
        let last = recorded.records.last();
        let asked = last.map(|r| r.queries).filter(|asked| *asked > 0);
        let last_asked = asked.and_then(|asked| recorded.records.iter().find(|r| r.queries == asked));
        let commit = run::COMMIT.map(|commit| format!(", commit {commit}")).unwrap_or_default();
        Self {
            seed: config.seed,
            over_seeds: (ended.len() > 1).then(|| Estimate::of(&ended)),
            siblings,
            commit: recorded.summary.as_ref().and_then(|s| s.commit.clone()),
            audited_by: format!("spo {}{commit}", env!("CARGO_PKG_VERSION")),
            device: config.device.clone(),
            iterations: last.map_or(0, |r| r.iteration),
            env_steps: last.map_or(0, |r| r.env_steps),
            total_steps: config.total_steps,
            last_asked_at: last_asked.map(|r| r.env_steps),
            seconds: recorded.seconds,
            ended: recorded.summary.is_some(),
            error: recorded.error.as_ref().map(|text| text.trim().to_string()),
            changed: changed(config),
            config: config.to_toml(),
            command: format!("spo train --config {}", quoted(&recorded.dir.join(files::CONFIG))),
        }
    }
}

/// A path as a shell reads it.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    shlex::try_quote(&text).map_or_else(|_| text.clone(), |quoted| quoted.into_owned())
}

fn changed(config: &Config) -> Vec<Changed> {
    let defaults = Config { scorer: config.scorer, ..Config::for_learner(config.learner) }.values();
    let differs = |(key, value): (String, String)| {
        let default = defaults.get(&key).cloned().unwrap_or_default();
        (default != value).then_some(Changed { key, value, default })
    };
    config.values().into_iter().filter_map(differs).collect()
}

/// Runs in the folder of `dir` that differ from it in nothing but the seed.
fn siblings(dir: &Path, config: &Config) -> Vec<Sibling> {
    // A run's own name, where it was given as `.` or with a trailing slash.
    let dir = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.into());
    // Each run of an initial policy names its own copy of it.
    let alike = |c: &Config| Config {
        seed: 0,
        init: if c.init.is_empty() { String::new() } else { "?".into() },
        ..c.clone()
    };
    let own = alike(config);
    let entries = dir.parent().and_then(|folder| std::fs::read_dir(folder).ok());
    let sibling = |path: std::path::PathBuf| {
        let config = Run::config_of(&path).ok()?;
        (alike(&config) == own).then(|| Sibling {
            run: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            seed: config.seed,
            eval_return_mean: summary(&path).ok().flatten().map(|s| s.eval_return_mean),
        })
    };
    let paths = entries.into_iter().flatten().flatten().map(|entry| entry.path());
    let mut all: Vec<Sibling> =
        paths.filter(|path| path.join(files::CONFIG).is_file()).filter_map(sibling).collect();
    all.sort_by(|a, b| (a.seed, &a.run).cmp(&(b.seed, &b.run)));
    // Twice the same seed is once the same run.
    let own_name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut kept: Vec<Sibling> = Vec::new();
    for one in all {
        match kept.last_mut() {
            Some(last) if last.seed == one.seed => {
                if one.run == own_name {
                    *last = one;
                }
            }
            _ => kept.push(one),
        }
    }
    kept
}
