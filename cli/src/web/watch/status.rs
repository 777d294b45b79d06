//! How a run is.

use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use spo::train::Summary;
use spo::train::config::{Config, ConfigError};
use spo::train::run::{Run, files};

/// Where nobody can tell whether a trainer lives: after so long without a row it is taken to be gone.
const SILENCE: Duration = Duration::from_secs(60);
/// Bytes of a failed run's last words that are shown.
const LAST_WORDS: usize = 2000;

/// How a run is, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Is {
    /// There is no iteration yet, or not even a directory.
    NotBegun,
    /// A process trains it.
    Training,
    /// It was stopped or killed.
    Stopped,
    /// It is at its end.
    Finished,
    /// It ended in an error.
    Failed,
    /// A file of it cannot be read.
    Damaged,
}

/// How a run is.
#[derive(Clone, Debug)]
pub struct Status {
    /// In a word.
    pub is: Is,
    /// What there is to say about that: what is missing, how to go on.
    pub note: String,
    /// Its configuration, where it can be read.
    pub config: Option<Config>,
    /// Its figures at the end.
    pub summary: Option<Summary>,
    /// Seconds since its newest row.
    pub silent: Option<u64>,
}

/// How the run in `dir` is, whose metrics have a row, or are damaged.
pub fn of(dir: &Path, rows: bool, damage: Option<&str>) -> Status {
    let metrics = dir.join(files::METRICS);
    let modified = std::fs::metadata(&metrics).and_then(|m| m.modified()).ok();
    let silent = modified.filter(|_| rows).and_then(|at| SystemTime::now().duration_since(at).ok());
    let mut status = Status {
        is: Is::Damaged,
        note: String::new(),
        config: None,
        summary: None,
        silent: silent.map(|s| s.as_secs()),
    };
    match Run::config_of(dir) {
        Ok(config) => status.config = Some(config),
        Err(ConfigError::Read { source, path }) if source.kind() == ErrorKind::NotFound => {
            status.is = Is::NotBegun;
            status.note = format!("{} is not there yet", path.display());
            return status;
        }
        Err(why) => {
            status.note = why.to_string();
            return status;
        }
    }
    if let Some(why) = damage {
        status.note = format!("{} is damaged: {why}", metrics.display());
        return status;
    }
    let ended = match std::fs::read(dir.join(files::SUMMARY)) {
        Err(_) => false,
        Ok(json) => match serde_json::from_slice(&json) {
            Ok(summary) => {
                status.summary = Some(summary);
                true
            }
            Err(why) => {
                status.note = format!("{} is damaged: {why}", dir.join(files::SUMMARY).display());
                return status;
            }
        },
    };
    let trains = Run::is_trained(dir).unwrap_or_else(|| !ended && silent.is_some_and(|s| s < SILENCE));
    let words = std::fs::read(dir.join(files::ERROR)).ok();
    (status.is, status.note) = match (trains, ended, words) {
        (true, _, _) => (Is::Training, String::new()),
        (_, true, _) => (Is::Finished, String::new()),
        (_, _, Some(words)) => {
            let from = words.len().saturating_sub(LAST_WORDS);
            (Is::Failed, String::from_utf8_lossy(&words[from..]).trim().into())
        }
        _ if !rows => (Is::NotBegun, "no iteration is done yet".into()),
        _ => (Is::Stopped, format!("spo train --resume {} goes on", dir.display())),
    };
    status
}
