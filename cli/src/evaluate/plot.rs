//! Curves of runs as SVG or PNG: return, cost, λ, win-proportion spread, entropy and KL, against steps and queries.

use std::path::{Path, PathBuf};

use plotters::coord::Shift;
use plotters::prelude::*;
use serde::de::DeserializeOwned;

use spo::base::stats;
use spo::train::Record;
use spo::train::config::{Config, ConfigError, ScorerKind};
use spo::train::run::{Run, files};

pub(crate) mod panel;
pub(crate) mod points;

use panel::{Drawn, axes, color, legend, png, register_font};

/// What can go wrong with a plot.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// A directory that holds no run.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Its metrics cannot be read.
    #[error("{path}: {source}")]
    Metrics {
        /// The file.
        path: PathBuf,
        /// Why.
        source: csv::Error,
    },
    /// Nothing to draw yet.
    #[error("{0} has no rows yet; let the run make an iteration first")]
    Empty(PathBuf),
    /// An ending that is neither.
    #[error("{0}: expected a file name that ends in .svg or .png")]
    Ending(PathBuf),
    /// The picture cannot be written.
    #[error("cannot write {path}: {why}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// Runs alike but for their seed: one curve, their mean with its interval.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Which entry of the legend it is, and so its colour.
    pub entry: usize,
    /// Which has win proportions or not.
    pub scorer: ScorerKind,
    /// The rows of each run.
    pub runs: Vec<Vec<Record>>,
}

/// A row of panels: one column of the metrics, against steps and against queries.
#[derive(Clone, Debug)]
pub struct Row {
    /// Above its panels.
    pub title: String,
    /// What is drawn.
    pub figure: Figure,
    /// The curves.
    pub curves: Vec<Curve>,
}

/// A picture: a legend above rows of panels.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// One entry a colour.
    pub legend: Vec<String>,
    /// From the top.
    pub rows: Vec<Row>,
}

/// A point of a curve: x, mean and half width of the interval over runs.
type Point = (f64, f64, f64);

/// A column of the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Of the sampled trajectories.
    TaskReturn,
    /// By the task, of the sampled trajectories.
    Cost,
    /// λ, of a run with a safety oracle.
    Lagrange,
    /// Of win proportions; means something of self-play only.
    Spread,
    /// Of the policy.
    Entropy,
    /// KL(old ‖ new) of an update.
    Kl,
}

impl Figure {
    const ALL: [Self; 6] =
        [Self::TaskReturn, Self::Cost, Self::Lagrange, Self::Spread, Self::Entropy, Self::Kl];

    fn title(self) -> &'static str {
        match self {
            Self::TaskReturn => "task return",
            Self::Cost => "cost of an episode",
            Self::Lagrange => "multiplier",
            Self::Spread => "spread of win proportions",
            Self::Entropy => "entropy (nats)",
            Self::Kl => "KL(old, new)",
        }
    }

    fn of(self, r: &Record) -> f64 {
        match self {
            Self::TaskReturn => r.return_mean,
            Self::Cost => r.cost_mean,
            Self::Lagrange => r.multiplier.unwrap_or(0.0),
            Self::Spread => r.score_spread,
            Self::Entropy => f64::from(r.entropy),
            Self::Kl => f64::from(r.approx_kl),
        }
    }

    /// Whether the curve has such a column: a learner that has no such figure writes zeros.
    fn is_in(self, curve: &Curve) -> bool {
        (self != Self::Spread || curve.scorer == ScorerKind::SelfPlay)
            && curve.runs.iter().flatten().any(|r| self.of(r) != 0.0)
    }
}

/// What a panel is drawn along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Axis {
    Steps,
    Queries,
}

impl Axis {
    fn title(self) -> &'static str {
        match self {
            Self::Steps => "environment steps",
            Self::Queries => "queries",
        }
    }

    fn of(self, r: &Record) -> f64 {
        match self {
            Self::Steps => r.env_steps as f64,
            Self::Queries => r.queries as f64,
        }
    }

    /// Whether the curve goes along it: who asks nobody does not go along queries.
    fn is_in(self, curve: &Curve) -> bool {
        curve.runs.iter().flatten().any(|r| self.of(r) > 0.0)
    }
}

/// Pixels of a row's height.
const ROW: u32 = 320;

/// Draws the runs in `dirs` into `out`, runs that differ in their seed alone as one curve with the 95 %
/// interval of its mean. A figure that none of them has is left out.
///
/// # Errors
/// [`PlotError`].
pub fn runs(dirs: &[PathBuf], out: &Path) -> Result<(), PlotError> {
    let (legend, curves) = curves(dirs)?;
    let rows = Figure::ALL.into_iter().map(|figure| Row {
        title: figure.title().into(),
        figure,
        curves: curves.iter().filter(|c| figure.is_in(c)).cloned().collect(),
    });
    sheet(&Sheet { legend, rows: rows.filter(|row| !row.curves.is_empty()).collect() }, out)
}

/// Draws a sheet into `out`, SVG or PNG by its ending.
///
/// # Errors
/// [`PlotError::Ending`], [`PlotError::Write`].
pub fn sheet(sheet: &Sheet, out: &Path) -> Result<(), PlotError> {
    register_font();
    let size = panel::size(sheet.legend.len(), sheet.rows.len(), ROW);
    let write = |why: String| PlotError::Write { path: out.into(), why };
    match out.extension().and_then(|e| e.to_str()) {
        Some("svg") => {
            let mut text = String::new();
            draw(&SVGBackend::with_string(&mut text, size).into_drawing_area(), sheet).map_err(write)?;
            std::fs::write(out, text).map_err(|e| write(e.to_string()))
        }
        Some("png") => {
            let picture = png(size, |area| draw(area, sheet)).map_err(write)?;
            std::fs::write(out, picture).map_err(|e| write(e.to_string()))
        }
        _ => Err(PlotError::Ending(out.into())),
    }
}

/// The rows of a run's metrics.
///
/// # Errors
/// [`PlotError::Metrics`], [`PlotError::Empty`].
pub fn records(dir: &Path) -> Result<Vec<Record>, PlotError> {
    let path = dir.join(files::METRICS);
    let records: Vec<Record> = rows(&path)?;
    if records.is_empty() { Err(PlotError::Empty(path)) } else { Ok(records) }
}

/// The rows of a table of a run.
pub(crate) fn rows<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, PlotError> {
    csv::Reader::from_path(path)
        .and_then(|mut reader| reader.deserialize().collect())
        .map_err(|source| PlotError::Metrics { path: path.into(), source })
}

/// Runs that differ in their seed alone.
pub(crate) struct Alike {
    /// In a legend.
    pub name: String,
    /// With seed 0.
    pub config: Config,
    /// The runs' directories.
    pub dirs: Vec<PathBuf>,
}

/// The runs by configuration, seeds apart, in order of first appearance.
pub(crate) fn alike(dirs: &[PathBuf]) -> Result<Vec<Alike>, PlotError> {
    let mut all: Vec<Alike> = Vec::new();
    for dir in dirs {
        let config = Config { seed: 0, ..Run::config_of(dir)? };
        match all.iter_mut().find(|those| those.config == config) {
            Some(those) => those.dirs.push(dir.clone()),
            None => all.push(Alike { name: String::new(), config, dirs: vec![dir.clone()] }),
        }
    }
    let configs: Vec<Config> = all.iter().map(|those| those.config.clone()).collect();
    all.iter_mut().for_each(|those| those.name = label(&those.config, &configs, those.dirs.len()));
    Ok(all)
}

/// One curve for each configuration, and the legend.
fn curves(dirs: &[PathBuf]) -> Result<(Vec<String>, Vec<Curve>), PlotError> {
    let alike = alike(dirs)?;
    let curve = |(entry, those): (usize, &Alike)| {
        let runs = those.dirs.iter().map(|dir| records(dir)).collect::<Result<_, _>>()?;
        Ok(Curve { entry, scorer: those.config.scorer, runs })
    };
    let curves = alike.iter().enumerate().map(curve).collect::<Result<_, PlotError>>()?;
    Ok((alike.into_iter().map(|those| those.name).collect(), curves))
}

/// The environment, and the keys in which the curves differ.
pub(crate) fn label(config: &Config, all: &[Config], runs: usize) -> String {
    let own = config.values();
    let others: Vec<_> = all.iter().map(Config::values).collect();
    // A key of a section that another run does not read tells them apart no better than the choice of the section.
    let differs =
        |key: &str| key != "env" && others.iter().any(|o| o.get(key).is_some_and(|value| *value != own[key]));
    let short = |key: &str| key.rsplit('.').next().unwrap_or_default().to_string();
    let keys: Vec<String> =
        own.iter().filter(|(k, _)| differs(k)).map(|(k, v)| format!("{}={v}", short(k))).collect();
    let seeds = if runs > 1 { format!(", {runs} seeds") } else { String::new() };
    let name: Vec<String> = std::iter::once(config.env.clone()).chain(keys).collect();
    format!("{}{seeds}", name.join(" "))
}

fn draw<B: DrawingBackend>(area: &DrawingArea<B, Shift>, sheet: &Sheet) -> Result<(), String> {
    let axes: Vec<Axis> = [Axis::Steps, Axis::Queries]
        .into_iter()
        .filter(|axis| {
            *axis == Axis::Steps || sheet.rows.iter().flat_map(|r| &r.curves).any(|c| axis.is_in(c))
        })
        .collect();
    let drawn = || -> Drawn<B> {
        let panels = legend(area, &sheet.legend)?;
        for (area, row) in panels.split_evenly((sheet.rows.len().max(1), 1)).iter().zip(&sheet.rows) {
            for (panel, axis) in area.split_evenly((1, axes.len())).iter().zip(&axes) {
                draw_panel(panel, row, *axis)?;
            }
        }
        area.present()
    };
    drawn().map_err(|e| e.to_string())
}

fn draw_panel<B: DrawingBackend>(area: &DrawingArea<B, Shift>, row: &Row, axis: Axis) -> Drawn<B> {
    let mut drawn: Vec<(&Curve, Vec<Point>)> = (row.curves.iter())
        .filter(|c| axis.is_in(c))
        .map(|c| (c, mean_and_interval(&c.runs, |r| axis.of(r), |r| row.figure.of(r))))
        .collect();
    let x_max = drawn.iter().flat_map(|(_, points)| points).map(|p| p.0).fold(1.0, f64::max);
    // What asks nobody is a level to be reached: where it ended.
    let levels = row.curves.iter().filter(|c| row.figure == Figure::TaskReturn && !axis.is_in(c));
    drawn.extend(levels.filter_map(|c| {
        let (_, mean, half) = mean_and_interval(&c.runs, |_| 0.0, |r| row.figure.of(r)).pop()?;
        Some((c, vec![(0.0, mean, half), (x_max, mean, half)]))
    }));
    let ends =
        drawn.iter().flat_map(|(_, points)| points).flat_map(|(_, mean, half)| [mean - half, mean + half]);
    let ranges = (0.0..x_max, panel::range(ends));
    let mut chart = axes(area, &row.title, axis.title(), ranges)?;
    for (curve, points) in drawn {
        let color = color(curve.entry);
        let line = points.iter().map(|&(x, mean, _)| (x, mean));
        if !axis.is_in(curve) {
            chart.draw_series(DashedLineSeries::new(line, 8, 5, color.stroke_width(2)))?;
            continue;
        }
        if curve.runs.len() > 1 {
            let upper = points.iter().map(|&(x, mean, half)| (x, mean + half));
            let lower = points.iter().rev().map(|&(x, mean, half)| (x, mean - half));
            let band: Vec<(f64, f64)> = upper.chain(lower).collect();
            chart.draw_series(std::iter::once(Polygon::new(band, color.mix(0.2))))?;
        }
        chart.draw_series(LineSeries::new(line, color.stroke_width(2)))?;
    }
    Ok(())
}

/// Mean and interval over runs, iteration by iteration, as far as every run goes.
fn mean_and_interval(
    runs: &[Vec<Record>],
    x: impl Fn(&Record) -> f64,
    y: impl Fn(&Record) -> f64,
) -> Vec<Point> {
    let rows = runs.iter().map(Vec::len).min().unwrap_or(0);
    (0..rows)
        .map(|row| {
            let xs: Vec<f64> = runs.iter().map(|run| x(&run[row])).collect();
            let ys: Vec<f64> = runs.iter().map(|run| y(&run[row])).collect();
            (stats::mean(&xs), stats::mean(&ys), stats::ci95(&ys))
        })
        .collect()
}
