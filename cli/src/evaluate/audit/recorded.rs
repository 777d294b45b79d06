//! The files in a run's directory, as far as they can be read.

use std::path::{Path, PathBuf};

use super::{AuditError, Found};
use spo::base::tensors;
use spo::train::config::Config;
use spo::train::run::{Run, files};
use spo::train::{Record, Summary, Timing};

/// The content of a run's files, except its policies.
pub struct Recorded {
    /// The run's directory.
    pub dir: PathBuf,
    /// Its configuration.
    pub config: Config,
    /// Its summary, if it has finished.
    pub summary: Option<Summary>,
    /// Its metrics, up to the first row that cannot be read.
    pub records: Vec<Record>,
    /// Seconds of training.
    pub seconds: Option<f64>,
    /// The error message if it failed.
    pub error: Option<String>,
    /// What could not be read, and why.
    pub unread: Vec<String>,
}

impl Recorded {
    /// Reads the files.
    ///
    /// # Errors
    /// [`AuditError`] if the directory is not a run or its configuration is damaged. Other problems are in `unread`.
    pub fn read(dir: &Path) -> Result<Self, AuditError> {
        if !dir.join(files::CONFIG).is_file() {
            return Err(AuditError::NoRun(dir.into()));
        }
        let config = Run::config_of(dir)?;
        let mut unread = Vec::new();
        let summary = summary(dir).unwrap_or_else(|why| {
            unread.push(why);
            None
        });
        let records = rows(&dir.join(files::METRICS), &mut unread);
        if records.is_empty() && unread.is_empty() {
            unread.push(format!("{}: it has no rows, because no iteration is complete", files::METRICS));
        }
        // Published results may lack the timings; this is not an error.
        let timings: Vec<Timing> = match dir.join(files::TIMINGS) {
            path if path.exists() => rows(&path, &mut unread),
            _ => Vec::new(),
        };
        let seconds = summary.as_ref().map(|s| s.seconds).or_else(|| timings.last().map(|t| t.seconds));
        let error = std::fs::read_to_string(dir.join(files::ERROR)).ok();
        Ok(Self { dir: dir.into(), config, summary, records, seconds, error, unread })
    }

    /// Notes the reason if something could not be read.
    pub fn note<T>(&mut self, got: Result<T, String>) -> Found<T> {
        if let Err(why) = &got
            && !self.unread.contains(why)
        {
            self.unread.push(why.clone());
        }
        got
    }
}

/// The summary of the run in `dir`; `None` if it has not finished.
///
/// # Errors
/// The reason why it cannot be read.
pub fn summary(dir: &Path) -> Found<Option<Summary>> {
    let path = dir.join(files::SUMMARY);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = tensors::read(&path).map_err(|e| e.to_string())?;
    serde_json::from_slice(&bytes).map(Some).map_err(|e| format!("{} is damaged: {e}", files::SUMMARY))
}

/// The rows of a table up to the first one that cannot be read; the reason is noted.
fn rows<T: serde::de::DeserializeOwned>(path: &Path, unread: &mut Vec<String>) -> Vec<T> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut reader = match csv::Reader::from_path(path) {
        Ok(reader) => reader,
        Err(e) => {
            unread.push(format!("{name}: {e}"));
            return Vec::new();
        }
    };
    let mut rows = Vec::new();
    for row in reader.deserialize() {
        match row {
            Ok(row) => rows.push(row),
            Err(e) => {
                unread.push(format!("{name} cannot be read from row {} on: {e}", rows.len() + 1));
                break;
            }
        }
    }
    rows
}
