//! The system: how the policy was made, and comparable runs.

use std::path::Path;

use serde::Serialize;

use super::Estimate;
use super::recorded::{Recorded, summary};
use spo::train::config::Config;
use spo::train::run::{self, Run, files};

/// Figures about the system.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct System {
    /// The run's seed.
    pub seed: u64,
    /// Runs in the same folder that differ only in the seed, including this one, in order of their seeds.
    pub siblings: Vec<Sibling>,
    /// Mean return over the finished ones.
    pub over_seeds: Option<Estimate>,
    /// The commit that trained it, if it is known.
    pub commit: Option<String>,
    /// The program that wrote this page.
    pub audited_by: String,
    /// The learner's device.
    pub device: String,
    /// Number of completed iterations.
    pub iterations: u64,
    /// Number of environment steps.
    pub env_steps: u64,
    /// Largest number of environment steps in the configuration.
    pub total_steps: u64,
    /// Environment steps at the last comparison.
    pub last_asked_at: Option<u64>,
    /// Seconds of training.
    pub seconds: Option<f64>,
    /// Whether it has finished.
    pub ended: bool,
    /// The error message if it failed.
    pub error: Option<String>,
    /// Keys that differ from the learner's defaults.
    pub changed: Vec<Changed>,
    /// The whole configuration.
    pub config: String,
    /// The command to train it again.
    pub command: String,
}

/// A run that differs only in the seed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sibling {
    /// Its directory's name.
    pub run: String,
    /// Its seed.
    pub seed: u64,
    /// Its return, if it has finished.
    pub eval_return_mean: Option<f64>,
}

/// A key that differs from its default.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Changed {
    /// The key.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Its default.
    pub default: String,
}

impl System {
    /// The figures of a run and of its folder.
    pub fn collect(recorded: &mut Recorded) -> Self {
        let config = &recorded.config;
        let siblings = siblings(&recorded.dir, config);
        let ended: Vec<f64> = siblings.iter().filter_map(|s| s.eval_return_mean).collect();
        let last = recorded.records.last();
        let asked = last.map(|r| r.queries).filter(|asked| *asked > 0);
        let last_asked = asked.and_then(|asked| recorded.records.iter().find(|r| r.queries == asked));
        let commit = run::COMMIT.map(|commit| format!(", commit {commit}")).unwrap_or_default();
        Self {
            seed: config.seed,
            over_seeds: (ended.len() > 1).then(|| Estimate::from_values(&ended)),
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

/// A path, quoted for a shell.
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

/// Runs in the folder of `dir` that differ from it only in the seed.
fn siblings(dir: &Path, config: &Config) -> Vec<Sibling> {
    // The run's real name, even if it was given as `.` or with a trailing slash.
    let dir = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.into());
    // Each run names its own copy of its reference policy.
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
    // Two runs with the same seed count as one.
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
