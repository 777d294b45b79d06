//! The files of a report.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::figures::{Estimate, Line};
use super::{Report, ReportError, headline, pictures, positions, readme, runs};
use crate::evaluate::plot::PlotError;
use crate::evaluate::plot::sheet::Sheet;
use spo::base::tensors::{FileError, write_atomically};

/// Writes a report's files into a folder, which is created, and returns their paths.
///
/// - Always: `README.md`, `report.csv`, `runs.csv`.
/// - If runs have returns: `curves.csv` and `report.svg`.
/// - If other metrics than the return are measured: `measures.svg`.
/// - If the experiment has a section `headline`: `headline.svg`.
/// - If runs played each other: `tournament-TASK.csv`.
/// - If final headings are measured: `positions.csv` and `positions.svg`.
///
/// # Errors
/// [`ReportError::File`], [`ReportError::Plot`].
pub fn write(report: &Report, out: &Path) -> Result<Vec<PathBuf>, ReportError> {
    std::fs::create_dir_all(out).map_err(|source| FileError::Write { path: out.into(), source })?;
    let lines = report.lines();
    let svg = |name: &str, sheet: Sheet| {
        sheet
            .svg()
            .map_err(|why| PlotError::Write { path: out.join(name), why })
            .map(|svg| (name.to_string(), svg))
    };
    let mut files = vec![
        (readme::FILE.to_string(), report.readme(&lines, out)),
        ("report.csv".into(), csv(lines.iter().map(LineRow::new))),
        (runs::RUNS.into(), report.runs_table()),
    ];
    files.extend(report.curves_table().map(|table| (runs::CURVES.into(), table)));
    if report.has_returns() {
        files.push(svg(pictures::CURVES, report.curves())?);
    }
    if report.has_measures() {
        files.push(svg(pictures::MEASURES, report.measured(&lines))?);
    }
    if !report.experiment.headline.is_empty() {
        files.push(svg(headline::PICTURE, report.headline(&lines))?);
    }
    for (task, game) in &report.games {
        let name = if task.is_empty() { "tournament.csv".into() } else { format!("tournament-{task}.csv") };
        files.push((name, game.to_csv()));
    }
    if report.has_positions() {
        files.push((positions::TABLE.into(), csv(report.positions())));
        files.push((positions::PICTURE.into(), report.positions_picture()?));
    }
    let mut written = Vec::new();
    for (name, text) in files {
        let path = out.join(name);
        write_atomically(&path, text.as_bytes())?;
        written.push(path);
    }
    Ok(written)
}

/// A row of `report.csv`.
#[derive(Serialize)]
struct LineRow<'a> {
    cell: &'a str,
    seeds: String,
    iqm: f64,
    iqm_low: Option<f64>,
    iqm_high: Option<f64>,
    mean: f64,
    mean_ci95: f64,
    skyline_share: Option<f64>,
    skyline_share_low: Option<f64>,
    skyline_share_high: Option<f64>,
    train_return_at_equal_steps: Option<f64>,
    train_return_at_equal_queries: Option<f64>,
    env_steps: f64,
    queries: f64,
    seconds: f64,
}

impl<'a> LineRow<'a> {
    fn new(line: &'a Line) -> Self {
        let value = |e: Option<Estimate>| e.map(|e| e.value);
        let bounds = |e: Option<Estimate>| {
            let interval = e.and_then(|e| e.interval);
            (interval.map(|i| i.low), interval.map(|i| i.high))
        };
        let ((iqm_low, iqm_high), (share_low, share_high)) = (bounds(Some(line.iqm)), bounds(line.share));
        Self {
            cell: &line.cell,
            seeds: ranges(&line.seeds),
            iqm: line.iqm.value,
            iqm_low,
            iqm_high,
            mean: line.mean,
            mean_ci95: line.ci95,
            skyline_share: value(line.share),
            skyline_share_low: share_low,
            skyline_share_high: share_high,
            train_return_at_equal_steps: value(line.at_steps),
            train_return_at_equal_queries: value(line.at_queries),
            env_steps: line.env_steps,
            queries: line.queries,
            seconds: line.seconds,
        }
    }
}

fn csv(rows: impl Iterator<Item = impl Serialize>) -> String {
    let mut csv = csv::Writer::from_writer(Vec::new());
    for row in rows {
        csv.serialize(row).expect("plain values, into memory");
    }
    String::from_utf8(csv.into_inner().unwrap_or_default()).unwrap_or_default()
}

/// A number with about four digits.
pub(crate) fn number(x: f64) -> String {
    let decimals = match x.abs() {
        a if a >= 1000.0 => 0,
        a if a >= 10.0 => 1,
        a if a >= 1.0 || a == 0.0 => 2,
        _ => 3,
    };
    format!("{x:.decimals$}")
}

/// 1234567.8 as "1,234,568".
pub(crate) fn whole(x: f64) -> String {
    let digits = format!("{x:.0}");
    let from = digits.len() % 3;
    let mut text = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && i % 3 == from {
            text.push(',');
        }
        text.push(c);
    }
    text
}

/// 0, 1, 2, 5 as "0-2, 5".
pub(super) fn ranges(seeds: &[u64]) -> String {
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for &seed in seeds {
        match spans.last_mut() {
            Some((_, last)) if *last + 1 == seed => *last = seed,
            _ => spans.push((seed, seed)),
        }
    }
    let span = |(from, to): &(u64, u64)| if from == to { format!("{from}") } else { format!("{from}-{to}") };
    spans.iter().map(span).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_they_are_read() {
        assert_eq!([1234567.8, 999.4, 1000.0, 12.0].map(whole), ["1,234,568", "999", "1,000", "12"]);
        assert_eq!(
            [-158.123, 2538.17, 0.0123, 1.5, 0.0].map(number),
            ["-158.1", "2538", "0.012", "1.50", "0.00"]
        );
        assert_eq!(ranges(&[0, 1, 2, 5]), "0-2, 5");
        assert_eq!(ranges(&[3]), "3");
    }
}
