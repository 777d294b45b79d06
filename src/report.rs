//! What an experiment's runs gave: figures with intervals, tables and curves.
//!
//! - [`Report::of`]: the runs that are there, and which are missing or failed.
//! - [`figures`]: interquartile means, shares of the skyline, probabilities of improvement.
//! - [`write`](mod@write): Markdown, CSV and SVG.

use std::path::{Path, PathBuf};

use crate::experiment::{Cell, Experiment, ExperimentError, RECORD};
use crate::plot::{self, PlotError};
use crate::run::{Run, files};
use crate::tensors::{self, FileError};
use crate::train::{Record, Summary};

pub mod figures;
pub mod write;

/// What can go wrong with a report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// No experiment's directory.
    #[error(
        "{0} has no {RECORD}: it is no experiment's directory; `spo experiment FILE.toml --out {0}` makes it one"
    )]
    NoExperiment(PathBuf),
    /// Its record.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// A run's metrics, or the picture.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A run that is none of the experiment's.
    #[error(
        "{dir}: its `{key}` is {there}, the experiment's {planned}; move the run away, or run the experiment again"
    )]
    Foreign {
        /// The run.
        dir: PathBuf,
        /// The first key that differs.
        key: String,
        /// Its value in the run.
        there: String,
        /// Its value in the experiment.
        planned: String,
    },
    /// A summary that lacks what the experiment measures.
    #[error("{dir}: its summary has no {metric}; run it again with this version")]
    Metric {
        /// The run.
        dir: PathBuf,
        /// What the experiment measures.
        metric: &'static str,
    },
    /// Nothing to report.
    #[error("no run in {0} has ended yet")]
    Empty(PathBuf),
}

/// An experiment and its runs.
#[derive(Clone, Debug)]
pub struct Report {
    /// Where it is.
    pub dir: PathBuf,
    /// Of the directory's record.
    pub experiment: Experiment,
    /// In the experiment's order.
    pub cells: Vec<CellReport>,
    /// Seeds, by cell, of planned runs that have not ended and have not failed.
    pub missing: Vec<(String, Vec<u64>)>,
    /// Runs that failed, each with its last error.
    pub failed: Vec<(String, String)>,
}

/// A cell and its runs that ended.
#[derive(Clone, Debug)]
pub struct CellReport {
    /// The cell.
    pub cell: Cell,
    /// In order of their seeds.
    pub runs: Vec<RunReport>,
}

/// A run that ended.
#[derive(Clone, Debug)]
pub struct RunReport {
    /// Its seed.
    pub seed: u64,
    /// What the experiment measures.
    pub score: f64,
    /// Its figures at the end.
    pub summary: Summary,
    /// Its metrics.
    pub records: Vec<Record>,
}

impl Report {
    /// Of the runs in an experiment's directory, those of seeds beyond the plan's among them.
    ///
    /// # Errors
    /// [`ReportError`]: no experiment, a damaged file, a run of another configuration, no run at all.
    pub fn of(dir: &Path) -> Result<Self, ReportError> {
        let record = dir.join(RECORD);
        if !record.exists() {
            return Err(ReportError::NoExperiment(dir.into()));
        }
        let experiment = Experiment::from_file(&record, false)?;
        let mut report =
            Self { dir: dir.into(), cells: Vec::new(), missing: Vec::new(), failed: Vec::new(), experiment };
        for cell in report.experiment.cells(&record)? {
            let cell = report.collect(cell)?;
            report.cells.push(cell);
        }
        if report.cells.iter().all(|c| c.runs.is_empty()) {
            return Err(ReportError::Empty(dir.into()));
        }
        Ok(report)
    }

    fn collect(&mut self, cell: Cell) -> Result<CellReport, ReportError> {
        let mut seeds = cell.seeds.clone();
        seeds.extend(seeds_in(&self.dir, &cell.name));
        seeds.sort_unstable();
        seeds.dedup();
        let (mut runs, mut missing) = (Vec::new(), Vec::new());
        for seed in seeds {
            let planned = cell.at(seed);
            let dir = self.dir.join(&planned.name);
            let error = std::fs::read_to_string(dir.join(files::ERROR)).ok();
            if !dir.join(files::SUMMARY).exists() {
                match error {
                    Some(error) => self.failed.push((planned.name, last_line(&error))),
                    None => missing.push(seed),
                }
                continue;
            }
            let there = Run::config_of(&dir).map_err(ExperimentError::from)?;
            if let Some((key, planned, there)) = planned.config.difference(&there) {
                return Err(ReportError::Foreign { dir, key, there, planned });
            }
            let path = dir.join(files::SUMMARY);
            let summary: Summary = serde_json::from_slice(&tensors::read(&path)?)
                .map_err(|e| FileError::Damaged { path, why: e.to_string() })?;
            let metric = self.experiment.metric;
            let score = (metric.of(&summary))
                .ok_or_else(|| ReportError::Metric { dir: dir.clone(), metric: metric.title() })?;
            runs.push(RunReport { seed, score, summary, records: plot::records(&dir)? });
        }
        if !missing.is_empty() {
            self.missing.push((cell.name.clone(), missing));
        }
        Ok(CellReport { cell, runs })
    }

    /// The missing runs, `CELL SEEDS` each.
    pub fn missing_runs(&self) -> Vec<String> {
        self.missing.iter().map(|(cell, seeds)| format!("{cell} {}", write::ranges(seeds))).collect()
    }

    /// The tasks, in the experiment's order; one without a name where the base names it.
    pub fn tasks(&self) -> Vec<&str> {
        in_order(self.cells.iter().map(|c| c.cell.task.as_str()))
    }

    /// The methods, in the experiment's order.
    pub fn methods(&self) -> Vec<&str> {
        in_order(self.cells.iter().map(|c| c.cell.method.as_str()))
    }

    /// The cell of a task and a method, if it has runs.
    pub fn cell(&self, task: &str, method: &str) -> Option<&CellReport> {
        self.cells.iter().find(|c| c.cell.task == task && c.cell.method == method && !c.runs.is_empty())
    }
}

impl CellReport {
    /// What its runs scored.
    pub fn scores(&self) -> Vec<f64> {
        self.runs.iter().map(|run| run.score).collect()
    }
}

fn in_order<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut all = Vec::new();
    for name in names {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

/// Seeds of the runs `CELL-SEED` that are there.
fn seeds_in(dir: &Path, cell: &str) -> Vec<u64> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.path().join(files::CONFIG).exists())
        .filter_map(|entry| entry.file_name().to_str()?.strip_prefix(cell)?.strip_prefix('-')?.parse().ok())
        .collect()
}

fn last_line(text: &str) -> String {
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    line.trim_start_matches("error: ").to_string()
}
