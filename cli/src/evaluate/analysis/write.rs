//! Tables and pictures of an analysis.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::bins::Bin;
use super::table::{self, BinRow, KlRow, LineRow, OverOptimisationRow};
use super::{Analysis, panels};
use crate::evaluate::plot::PlotError;
use spo::base::tensors::write_atomically;

fn bin_rows(all: &[Analysis], of: fn(&Analysis) -> &[Bin]) -> Vec<BinRow> {
    let rows = all.iter().flat_map(|a| of(a).iter().map(move |b| (a.name.as_str(), b)));
    rows.map(|(runs, b)| BinRow {
        runs: runs.into(),
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

/// Writes the tables and the pictures into `dir`, which is created, and returns the paths of the files.
///
/// # Errors
/// [`PlotError::Write`].
pub fn write(all: &[Analysis], dir: &Path) -> Result<Vec<PathBuf>, PlotError> {
    std::fs::create_dir_all(dir).map_err(|e| PlotError::Write { path: dir.into(), why: e.to_string() })?;
    let reward_vs_kl = all.iter().flat_map(|a| a.reward_vs_kl.iter().map(move |c| (a.name.as_str(), c)));
    let kl_rows: Vec<KlRow> = (reward_vs_kl.clone())
        .flat_map(|(runs, curve)| {
            curve.steps.iter().map(move |s| KlRow {
                runs: runs.into(),
                seed: curve.seed,
                round: s.round,
                iteration: s.iteration,
                env_steps: s.env_steps,
                root_kl: s.root_kl,
                score: s.score,
                task_return: s.task_return,
            })
        })
        .collect();
    let line_rows: Vec<LineRow> = reward_vs_kl
        .flat_map(|(runs, curve)| {
            curve.fits.iter().map(move |fit| LineRow {
                runs: runs.into(),
                seed: curve.seed,
                round: fit.round,
                reward: fit.reward.name().into(),
                iterations: fit.rows,
                intercept: fit.line.intercept,
                slope: fit.line.slope,
                r2: fit.line.r2,
            })
        })
        .collect();
    let rounds = all.iter().flat_map(|a| a.rounds.iter().map(move |c| (a.name.as_str(), c)));
    let over_optimisation_rows: Vec<OverOptimisationRow> = rounds
        .flat_map(|(runs, round)| {
            round.steps.iter().enumerate().map(move |(at, s)| OverOptimisationRow {
                runs: runs.into(),
                seed: round.seed,
                round: round.round,
                iteration: s.iteration,
                env_steps: s.env_steps,
                root_kl: s.root_kl,
                task_return: s.task_return,
                train_score: s.train,
                test_score: s.test,
                train_mean: s.train_mean,
                test_mean: s.test_mean,
                parted: round.diverge_at.is_some_and(|from| at >= from),
            })
        })
        .collect();
    let written = [
        write_table(dir, table::CALIBRATION, &bin_rows(all, |a| &a.by_gap))?,
        write_table(dir, table::ACCURACY, &bin_rows(all, |a| &a.by_lower_score))?,
        write_table(dir, table::REWARD_BY_KL, &kl_rows)?,
        write_table(dir, table::LINES, &line_rows)?,
        write_table(dir, table::OVER_OPTIMISATION, &over_optimisation_rows)?,
    ];
    Ok(written.into_iter().flatten().chain(draw(all, dir)?).collect())
}

/// Draws the picture again from the tables in `dir`.
///
/// # Errors
/// [`PlotError`]: the tables are missing or cannot be read; [`PlotError::Write`].
pub fn redraw(dir: &Path) -> Result<Vec<PathBuf>, PlotError> {
    Ok(draw(&table::read(dir)?, dir)?.to_vec())
}

/// Draws the picture as SVG and PNG.
fn draw(all: &[Analysis], dir: &Path) -> Result<[PathBuf; 2], PlotError> {
    let sheet = panels::sheet(all);
    let write = |path: &Path, picture: Result<Vec<u8>, String>| {
        let written = picture.and_then(|bytes| write_atomically(path, &bytes).map_err(|e| e.to_string()));
        written.map_err(|why| PlotError::Write { path: path.into(), why })
    };
    let paths = [dir.join("analysis.svg"), dir.join("analysis.png")];
    write(&paths[0], sheet.svg().map(String::into_bytes))?;
    write(&paths[1], sheet.png())?;
    Ok(paths)
}

/// Writes a table. Without rows, no table is written and an older one is removed.
fn write_table<R: Serialize>(dir: &Path, name: &str, rows: &[R]) -> Result<Option<PathBuf>, PlotError> {
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
