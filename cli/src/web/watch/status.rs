//! The state of a run.

use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use spo::train::Summary;
use spo::train::config::{Config, ConfigError};
use spo::train::run::{Run, files};

/// On systems where the run's lock cannot be checked: a run without a new row for this long counts as stopped.
const SILENCE: Duration = Duration::from_secs(60);
/// Largest number of bytes shown of a failed run's error message.
const ERROR_BYTES: usize = 2000;

/// The state of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// No iteration is complete yet, or the directory does not exist.
    NotBegun,
    /// A process trains it.
    Training,
    /// It was stopped or killed.
    Stopped,
    /// It has reached its end.
    Finished,
    /// It ended with an error.
    Failed,
    /// One of its files cannot be read.
    Damaged,
}

/// The state of a run with details.
#[derive(Clone, Debug)]
pub struct Status {
    /// The state.
    pub state: RunState,
    /// An explanation of the state: what is missing, or how to continue.
    pub note: String,
    /// Its configuration, if it can be read.
    pub config: Option<Config>,
    /// Its summary, if it has finished.
    pub summary: Option<Summary>,
    /// Seconds since its newest row.
    pub silent: Option<u64>,
}

impl Status {
    /// The state of the run in `dir`. `rows` says whether its metrics have a row, `damage` why they cannot be read.
    pub fn read(dir: &Path, rows: bool, damage: Option<&str>) -> Self {
        let metrics = dir.join(files::METRICS);
        let modified = std::fs::metadata(&metrics).and_then(|m| m.modified()).ok();
        let silent = modified.filter(|_| rows).and_then(|at| SystemTime::now().duration_since(at).ok());
        let mut status = Self {
            state: RunState::Damaged,
            note: String::new(),
            config: None,
            summary: None,
            silent: silent.map(|s| s.as_secs()),
        };
        match Run::config_of(dir) {
            Ok(config) => status.config = Some(config),
            Err(ConfigError::Read { source, path }) if source.kind() == ErrorKind::NotFound => {
                status.state = RunState::NotBegun;
                status.note = format!("{} does not exist yet", path.display());
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
        let error = std::fs::read(dir.join(files::ERROR)).ok();
        (status.state, status.note) = match (trains, ended, error) {
            (true, _, _) => (RunState::Training, String::new()),
            (_, true, _) => (RunState::Finished, String::new()),
            (_, _, Some(error)) => {
                let from = error.len().saturating_sub(ERROR_BYTES);
                (RunState::Failed, String::from_utf8_lossy(&error[from..]).trim().into())
            }
            _ if !rows => (RunState::NotBegun, "no iteration is complete yet".into()),
            _ => (RunState::Stopped, format!("continue with `spo train --resume {}`", dir.display())),
        };
        status
    }
}
