//! The two tables that a report is computed from: `runs.csv`, with a row for each run, and `curves.csv`, with at most
//! [`POINTS`] points for each run. They are made from the run directories, or read if these are gone.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::figures::Reach;
use super::{CellReport, Report, ReportError, RunReport};
use crate::evaluate::experiment::{Cell, ExperimentError, Metric};
use crate::evaluate::plot;
use spo::base::stats;
use spo::base::tensors::{self, FileError};
use spo::train::run::{Run, files};
use spo::train::{Record, Summary};

/// Name of the table of runs.
pub(super) const RUNS: &str = "runs.csv";
/// Name of the table of curves.
pub(super) const CURVES: &str = "curves.csv";
/// The largest number of points of a run in `curves.csv`.
pub const POINTS: usize = 100;

/// A point of a run's curves. Returns and costs are rounded to six digits, as in the file.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// The iteration, from 1.
    pub iteration: u64,
    /// Environment steps so far.
    pub env_steps: u64,
    /// Comparisons queried so far.
    pub queries: u64,
    /// Mean task return of the iteration's sampled trajectories.
    pub return_mean: f64,
    /// Their mean total cost as the task reports it; 0 if the task has no costs.
    pub cost_mean: f64,
}

impl From<&Record> for CurvePoint {
    fn from(r: &Record) -> Self {
        Self {
            iteration: r.iteration,
            env_steps: r.env_steps,
            queries: r.queries,
            return_mean: six_digits(r.return_mean),
            cost_mean: six_digits(r.cost_mean),
        }
    }
}

/// The number with six digits.
fn six_digits(x: f64) -> f64 {
    format!("{x:.5e}").parse().unwrap_or(x)
}

/// The iterations of a cell's runs that are kept: at most [`POINTS`] of the `rows` of the longest run, evenly spaced, with the
/// first and the last. They are the same for every run, so that the runs can be averaged.
fn kept(rows: usize) -> Vec<usize> {
    if rows <= POINTS {
        return (0..rows).collect();
    }
    let last = (rows - 1) as f64;
    (0..POINTS).map(|i| (i as f64 * last / (POINTS - 1) as f64).round() as usize).collect()
}

/// The curve of a run: the rows of the iterations that are kept, and the run's last row.
fn curve(records: &[Record], kept: &[usize]) -> Vec<CurvePoint> {
    let mut places: Vec<usize> = kept.iter().copied().filter(|place| *place < records.len()).collect();
    if let Some(last) = records.len().checked_sub(1).filter(|last| places.last() != Some(last)) {
        places.push(last);
    }
    places.into_iter().map(|place| CurvePoint::from(&records[place])).collect()
}

/// The mean of `return_mean` over the last tenth before `limit` along an axis. If there is no row in this part, the value of the
/// last row before it. `None` if the run does not reach `limit`.
fn return_at(records: &[Record], along: fn(&Record) -> u64, limit: u64) -> Option<f64> {
    if limit == 0 || records.last().is_none_or(|r| along(r) < limit) {
        return None;
    }
    let mut before = records.iter().filter(|r| along(r) <= limit);
    let recent: Vec<f64> =
        before.clone().filter(|r| along(r) > limit - limit / 10).map(|r| r.return_mean).collect();
    if recent.is_empty() { before.next_back().map(|r| r.return_mean) } else { Some(stats::mean(&recent)) }
}

/// Whether any run in the directory has ended. Then the tables are made from the runs.
pub(super) fn any_ended(dir: &Path, cells: &[Cell]) -> bool {
    cells.iter().any(|cell| {
        let mut seeds = cell.seeds.clone();
        seeds.extend(seeds_in(dir, &cell.name));
        seeds.iter().any(|seed| dir.join(cell.at(*seed).name).join(files::SUMMARY).exists())
    })
}

/// A run directory that was read.
struct Ended {
    run: RunReport,
    summary: Summary,
    records: Vec<Record>,
}

impl Report {
    /// Fills the cells with the runs in the directory, and notes missing and failed runs. Returns the summaries in the order of
    /// the runs.
    pub(super) fn read_directories(&mut self, cells: Vec<Cell>) -> Result<Vec<Summary>, ReportError> {
        let (mut summaries, mut records) = (Vec::new(), Vec::new());
        for cell in cells {
            let mut own = Vec::new();
            let mut runs = Vec::new();
            for ended in self.ended(&cell)? {
                runs.push(ended.run);
                summaries.push(ended.summary);
                own.push(ended.records);
            }
            self.cells.push(CellReport { cell, runs });
            records.push(own);
        }
        // A game over options has only preferences, and no curve of returns.
        if records.iter().flatten().flatten().any(|r| r.return_mean != 0.0) {
            self.read_curves(&records);
        }
        Ok(summaries)
    }

    /// Fills in the figures that come from the metrics of each run, by cell and run.
    fn read_curves(&mut self, records: &[Vec<Vec<Record>>]) {
        let tasks = self.cells.iter().map(|c| c.cell.task.clone());
        let reaches: BTreeMap<String, Reach> = tasks.map(|task| (task.clone(), self.reach(&task))).collect();
        for (cell, records) in self.cells.iter_mut().zip(records) {
            let reach = reaches[&cell.cell.task];
            let kept = kept(records.iter().map(Vec::len).max().unwrap_or(0));
            for (run, records) in cell.runs.iter_mut().zip(records) {
                run.curve = curve(records, &kept);
                run.at_steps = return_at(records, |r| r.env_steps, reach.steps);
                run.at_queries = return_at(records, |r| r.queries, reach.queries);
            }
        }
    }

    /// The ended runs of a cell, not measured yet. Notes missing and failed runs.
    fn ended(&mut self, cell: &Cell) -> Result<Vec<Ended>, ReportError> {
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
            let run = RunReport {
                seed,
                eval_return_mean: summary.eval_return_mean,
                eval_return_ci95: summary.eval_return_ci95,
                env_steps: summary.env_steps,
                queries: summary.queries,
                seconds: summary.seconds,
                device: summary.device.clone(),
                commit: summary.commit.clone(),
                ..RunReport::default()
            };
            runs.push(Ended { run, summary, records: plot::records(&dir)? });
        }
        if !missing.is_empty() {
            self.missing.push((cell.name.clone(), missing));
        }
        Ok(runs)
    }

    /// Fills the cells from the tables of an earlier report.
    pub(super) fn read_tables(&mut self, cells: Vec<Cell>) -> Result<(), ReportError> {
        let mut runs = self.read_runs(&cells)?;
        let path = self.dir.join(CURVES);
        if path.exists() {
            #[derive(Deserialize)]
            struct Row {
                cell: String,
                seed: u64,
                iteration: u64,
                env_steps: u64,
                queries: u64,
                return_mean: f64,
                #[serde(default)]
                cost_mean: f64,
            }
            for row in plot::rows::<Row>(&path)? {
                let Row { cell, seed, iteration, env_steps, queries, return_mean, cost_mean } = row;
                let Some(run) = runs.get_mut(&(cell.clone(), seed)) else {
                    let why = format!("{cell}-{seed} is not in {RUNS}");
                    return Err(FileError::Damaged { path, why }.into());
                };
                run.curve.push(CurvePoint { iteration, env_steps, queries, return_mean, cost_mean });
            }
        }
        for cell in cells {
            let own: Vec<RunReport> =
                runs.iter().filter(|((name, _), _)| *name == cell.name).map(|(_, run)| run.clone()).collect();
            let missing: Vec<u64> = (cell.seeds.iter().copied())
                .filter(|seed| !own.iter().any(|run| run.seed == *seed))
                .collect();
            if !missing.is_empty() {
                self.missing.push((cell.name.clone(), missing));
            }
            self.cells.push(CellReport { cell, runs: own });
        }
        Ok(())
    }

    fn read_runs(&self, cells: &[Cell]) -> Result<BTreeMap<(String, u64), RunReport>, ReportError> {
        let path = self.dir.join(RUNS);
        let damaged = |why: String| FileError::Damaged { path: path.clone(), why };
        let mut runs = BTreeMap::new();
        for row in plot::rows::<BTreeMap<String, String>>(&path)? {
            let text = |key: &str| row.get(key).map(String::as_str).unwrap_or_default();
            let number = |key: &str| -> Result<f64, ReportError> {
                let wrong = || damaged(format!("its column `{key}` has {:?} for a number", text(key)));
                text(key).parse().map_err(|_| wrong().into())
            };
            let optional = |key: &str| if text(key).is_empty() { Ok(None) } else { number(key).map(Some) };
            let cell = text("cell").to_string();
            if !cells.iter().any(|c| c.name == cell) {
                let why = format!("{} has no cell `{cell}`", super::RECORD);
                return Err(damaged(why).into());
            }
            let measures = self.measures().into_iter().map(|metric| number(metric.key()));
            let mut also = measures.collect::<Result<Vec<f64>, _>>()?;
            let run = RunReport {
                seed: number("seed")? as u64,
                score: also.remove(0),
                also,
                eval_return_mean: number("eval_return_mean")?,
                eval_return_ci95: number("eval_return_ci95")?,
                at_steps: optional("train_return_at_equal_steps")?,
                at_queries: optional("train_return_at_equal_queries")?,
                env_steps: number("env_steps")? as u64,
                queries: number("queries")? as u64,
                seconds: number("seconds")?,
                device: text("device").into(),
                commit: Some(text("commit").to_string()).filter(|commit| !commit.is_empty()),
                ..RunReport::default()
            };
            runs.insert((cell, run.seed), run);
        }
        Ok(runs)
    }

    /// `runs.csv`.
    pub(super) fn runs_table(&self) -> String {
        let measures = self.measures();
        let besides = |metric: &Metric| *metric != Metric::EvalReturn;
        let mut header = vec!["cell", "seed", "eval_return_mean", "eval_return_ci95"];
        header.extend(measures.iter().filter(|m| besides(m)).map(|m| m.key()));
        header.extend(["train_return_at_equal_steps", "train_return_at_equal_queries"]);
        header.extend(["env_steps", "queries", "seconds", "device", "commit"]);
        let optional = |x: Option<f64>| x.map(|x| x.to_string()).unwrap_or_default();
        let rows = self.cells.iter().flat_map(|c| c.runs.iter().map(move |run| (&c.cell.name, run)));
        let rows = rows.map(|(cell, run)| {
            let mut row = vec![cell.clone(), run.seed.to_string()];
            row.extend([run.eval_return_mean, run.eval_return_ci95].map(|x| x.to_string()));
            let values = std::iter::once(run.score).chain(run.also.iter().copied());
            row.extend(measures.iter().zip(values).filter(|(m, _)| besides(m)).map(|(_, x)| x.to_string()));
            row.extend([optional(run.at_steps), optional(run.at_queries)]);
            row.extend([run.env_steps.to_string(), run.queries.to_string(), run.seconds.to_string()]);
            row.extend([run.device.clone(), run.commit.clone().unwrap_or_default()]);
            row
        });
        table(header.into_iter().map(String::from).collect(), rows)
    }

    /// `curves.csv`, with costs only if they are measured; `None` if no run has a curve.
    pub(super) fn curves_table(&self) -> Option<String> {
        let costs = self.has_costs();
        let mut header = vec!["cell", "seed", "iteration", "env_steps", "queries", "return_mean"];
        header.extend(costs.then_some("cost_mean"));
        let runs = self.cells.iter().flat_map(|c| c.runs.iter().map(move |run| (&c.cell.name, run)));
        let points = runs.flat_map(|(cell, run)| run.curve.iter().map(move |point| (cell, run.seed, point)));
        let rows = points.map(|(cell, seed, p)| {
            let mut row = vec![cell.clone(), seed.to_string(), p.iteration.to_string()];
            row.extend([p.env_steps.to_string(), p.queries.to_string(), p.return_mean.to_string()]);
            row.extend(costs.then(|| p.cost_mean.to_string()));
            row
        });
        self.has_returns().then(|| table(header.into_iter().map(String::from).collect(), rows))
    }
}

fn table(header: Vec<String>, rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut csv = csv::Writer::from_writer(Vec::new());
    for row in std::iter::once(header).chain(rows) {
        csv.write_record(row).expect("rows of one length, into memory");
    }
    String::from_utf8(csv.into_inner().unwrap_or_default()).unwrap_or_default()
}

/// The seeds of the existing runs `CELL-SEED`.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn record(iteration: u64, env_steps: u64, return_mean: f64) -> Record {
        let json = format!(
            r#"{{"iteration":{iteration},"env_steps":{env_steps},"queries":0,"answered":0,"tied":0,"abstained":0,
            "return_mean":{return_mean},"return_std":0,"length_mean":1,"score_mean":0,"score_spread":0,
            "entropy":0,"approx_kl":0,"clip_fraction":0,"policy_loss":0,"value_loss":0,"grad_norm":0,"epochs":1}}"#
        );
        serde_json::from_str::<Record>(&json).unwrap()
    }

    #[test]
    fn the_return_at_a_limit_is_of_the_last_tenth_before_it() {
        let records = [record(1, 50, 1.0), record(2, 91, 2.0), record(3, 100, 4.0), record(4, 110, 9.0)];
        let of = |limit| return_at(&records, |r| r.env_steps, limit);
        assert_eq!((of(111), of(0)), (None, None), "it does not come as far");
        // Up to 100 the last tenth holds 91 and 100: (2 + 4) / 2.
        assert_eq!(of(100), Some(3.0));
        // Up to 80 it has no row, so the last row before it is used.
        assert_eq!((of(80), of(40)), (Some(1.0), None));
    }

    #[test]
    fn a_curve_keeps_its_ends_and_at_most_a_hundred_points() {
        let run = |rows: u64| (1..=rows).map(|i| record(i, 10 * i, i as f64)).collect::<Vec<_>>();
        for rows in [1, 2, 99, 100, 101, 150, 313, 5_000] {
            let of = curve(&run(rows), &kept(rows as usize));
            assert_eq!(of.len(), POINTS.min(rows as usize), "{rows}");
            assert_eq!((of[0].iteration, of[of.len() - 1].iteration), (1, rows));
            assert!(of.windows(2).all(|pair| pair[0].iteration < pair[1].iteration), "{rows}");
        }
        // A shorter run of the same cell has the same iterations, and its own last one.
        let (long, short) = (curve(&run(313), &kept(313)), curve(&run(200), &kept(313)));
        assert!(short.len() <= POINTS && short[short.len() - 1].iteration == 200);
        let shared = |p: &&CurvePoint| long.iter().any(|other| other.iteration == p.iteration);
        assert!(short.iter().filter(shared).count() >= short.len() - 1);
        assert!(curve(&[], &kept(0)).is_empty());
    }

    #[test]
    fn what_is_written_has_six_digits() {
        let numbers = [-1234.56789, 0.000123456789, 0.0, 31.0, 1e6 / 7.0];
        assert_eq!(numbers.map(six_digits), [-1234.57, 0.000123457, 0.0, 31.0, 142857.0]);
    }
}
