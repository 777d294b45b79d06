//! Tables and pictures of an analysis.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::bins::Bin;
use super::{Analysis, panels};
use crate::evaluate::plot::{PlotError, points};
use spo::base::tensors::write_atomically;

#[derive(Serialize)]
struct BinRow<'a> {
    runs: &'a str,
    bin: usize,
    comparisons: usize,
    mean: f64,
    expected: f64,
    observed: f64,
    low: f64,
    high: f64,
}

#[derive(Serialize)]
struct ClimbRow<'a> {
    runs: &'a str,
    seed: u64,
    round: u64,
    iteration: u64,
    env_steps: u64,
    root_kl: f64,
    score: Option<f64>,
    task_return: f64,
}

#[derive(Serialize)]
struct LineRow<'a> {
    runs: &'a str,
    seed: u64,
    round: u64,
    reward: &'static str,
    iterations: usize,
    intercept: f64,
    slope: f64,
    r2: f64,
}

#[derive(Serialize)]
struct PartingRow<'a> {
    runs: &'a str,
    seed: u64,
    round: u64,
    iteration: u64,
    env_steps: u64,
    root_kl: f64,
    task_return: f64,
    train_score: f64,
    test_score: f64,
    train_mean: Option<f64>,
    test_mean: Option<f64>,
    parted: bool,
}

fn bin_rows<'a>(all: &'a [Analysis], of: fn(&Analysis) -> &[Bin]) -> Vec<BinRow<'a>> {
    let rows = all.iter().flat_map(|a| of(a).iter().map(move |b| (a.name.as_str(), b)));
    rows.map(|(runs, b)| BinRow {
        runs,
        bin: b.place,
        comparisons: b.count,
        mean: b.key,
        expected: b.expected,
        observed: b.observed,
        low: b.low,
        high: b.high,
    })
    .collect()
}

/// Writes the tables and the pictures into `dir`, which is created, and says which files there are.
///
/// # Errors
/// [`PlotError::Write`].
pub fn write(all: &[Analysis], dir: &Path) -> Result<Vec<PathBuf>, PlotError> {
    std::fs::create_dir_all(dir).map_err(|e| PlotError::Write { path: dir.into(), why: e.to_string() })?;
    let climbs = all.iter().flat_map(|a| a.climbs.iter().map(move |c| (a.name.as_str(), c)));
    let climb_rows: Vec<ClimbRow<'_>> = (climbs.clone())
        .flat_map(|(runs, climb)| {
            climb.steps.iter().map(move |s| ClimbRow {
                runs,
                seed: climb.seed,
                round: s.round,
                iteration: s.iteration,
                env_steps: s.env_steps,
                root_kl: s.root_kl,
                score: s.score,
                task_return: s.task_return,
            })
        })
        .collect();
    let line_rows: Vec<LineRow<'_>> = climbs
        .flat_map(|(runs, climb)| {
            climb.fits.iter().map(move |fit| LineRow {
                runs,
                seed: climb.seed,
                round: fit.round,
                reward: fit.reward.name(),
                iterations: fit.rows,
                intercept: fit.line.intercept,
                slope: fit.line.slope,
                r2: fit.line.r2,
            })
        })
        .collect();
    let courses = all.iter().flat_map(|a| a.courses.iter().map(move |c| (a.name.as_str(), c)));
    let parting_rows: Vec<PartingRow<'_>> = courses
        .flat_map(|(runs, course)| {
            course.steps.iter().enumerate().map(move |(at, s)| PartingRow {
                runs,
                seed: course.seed,
                round: course.round,
                iteration: s.iteration,
                env_steps: s.env_steps,
                root_kl: s.root_kl,
                task_return: s.task_return,
                train_score: s.train,
                test_score: s.test,
                train_mean: s.train_mean,
                test_mean: s.test_mean,
                parted: course.parts_at.is_some_and(|from| at >= from),
            })
        })
        .collect();
    let (svg, png) = (dir.join("analysis.svg"), dir.join("analysis.png"));
    let written = [
        table(dir, "calibration.csv", &bin_rows(all, |a| &a.by_gap))?,
        table(dir, "accuracy_by_score.csv", &bin_rows(all, |a| &a.by_lower_score))?,
        table(dir, "reward_by_kl.csv", &climb_rows)?,
        table(dir, "lines.csv", &line_rows)?,
        table(dir, "over_optimisation.csv", &parting_rows)?,
    ];
    let legend: Vec<&str> = all.iter().map(|a| a.name.as_str()).collect();
    let panels = panels::of(all);
    let write = |path: &Path, picture: Result<Vec<u8>, String>| {
        let written = picture.and_then(|bytes| write_atomically(path, &bytes).map_err(|e| e.to_string()));
        written.map_err(|why| PlotError::Write { path: path.into(), why })
    };
    write(&svg, points::svg(&legend, &panels).map(String::into_bytes))?;
    write(&png, points::png(&legend, &panels))?;
    Ok(written.into_iter().flatten().chain([svg, png]).collect())
}

/// Writes a table; none without rows, in place of which an older one goes.
fn table<R: Serialize>(dir: &Path, name: &str, rows: &[R]) -> Result<Option<PathBuf>, PlotError> {
    let path = dir.join(name);
    let fail = |why: String| PlotError::Write { path: path.clone(), why };
    if rows.is_empty() {
        return match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(fail(e.to_string())),
            _ => Ok(None),
        };
    }
    let mut csv = csv::Writer::from_writer(Vec::new());
    rows.iter().try_for_each(|row| csv.serialize(row)).map_err(|e| fail(e.to_string()))?;
    let bytes = csv.into_inner().map_err(|e| fail(e.to_string()))?;
    write_atomically(&path, &bytes).map_err(|e| fail(e.to_string()))?;
    Ok(Some(path))
}
