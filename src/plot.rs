//! Curves of runs as SVG or PNG: return, win-proportion spread, entropy and KL, against steps and queries.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Once;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::FontStyle;

use crate::config::{Config, ConfigError, ScorerKind};
use crate::run::{Run, files};
use crate::stats;
use crate::train::Record;

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

/// Runs alike but for their seed.
struct Curve {
    label: String,
    scorer: ScorerKind,
    runs: Vec<Vec<Record>>,
}

/// A point of a curve: x, mean and half width of the interval over runs.
type Point = (f64, f64, f64);

/// A column of the metrics, as an axis or as what is drawn along it.
struct Figure {
    title: &'static str,
    of: fn(&Record) -> f64,
    /// Of which scorers it means something: self-play alone has win proportions, a task reward asks nobody.
    applies: fn(ScorerKind) -> bool,
}

const FIGURES: [Figure; 4] = [
    Figure { title: "task return", of: |r| r.return_mean, applies: |_| true },
    Figure {
        title: "spread of win proportions",
        of: |r| r.score_spread,
        applies: |s| s == ScorerKind::SelfPlay,
    },
    Figure { title: "entropy (nats)", of: |r| f64::from(r.entropy), applies: |_| true },
    Figure { title: "KL(old, new)", of: |r| f64::from(r.approx_kl), applies: |_| true },
];

const AXES: [Figure; 2] = [
    Figure { title: "environment steps", of: |r| r.env_steps as f64, applies: |_| true },
    Figure { title: "queries", of: |r| r.queries as f64, applies: |s| s != ScorerKind::TaskReward },
];

// Pixels: the picture's width, the height of a row of panels and of a line of the legend.
const WIDTH: u32 = 1200;
const ROW: u32 = 320;
const LINE: u32 = 22;

/// Draws the runs in `dirs` into `out`, runs that differ in their seed alone as one curve with the 95 %
/// interval of its mean.
///
/// # Errors
/// [`PlotError`].
pub fn runs(dirs: &[PathBuf], out: &Path) -> Result<(), PlotError> {
    static FONT: Once = Once::new();
    FONT.call_once(|| {
        // The one failure is an invalid font, and this one is built in.
        let _ = plotters::style::register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular());
    });
    let curves = curves(dirs)?;
    let size = (WIDTH, LINE * (curves.len() as u32 + 1) + ROW * FIGURES.len() as u32);
    let write = |why: String| PlotError::Write { path: out.into(), why };
    match out.extension().and_then(|e| e.to_str()) {
        Some("svg") => {
            let mut text = String::new();
            draw(&SVGBackend::with_string(&mut text, size).into_drawing_area(), &curves).map_err(write)?;
            std::fs::write(out, text).map_err(|e| write(e.to_string()))
        }
        Some("png") => draw(&BitMapBackend::new(out, size).into_drawing_area(), &curves).map_err(write),
        _ => Err(PlotError::Ending(out.into())),
    }
}

fn curves(dirs: &[PathBuf]) -> Result<Vec<Curve>, PlotError> {
    let mut curves: BTreeMap<String, Curve> = BTreeMap::new();
    let mut configs: Vec<Config> = Vec::new();
    for dir in dirs {
        let path = dir.join(files::METRICS);
        let config = Config { seed: 0, ..Run::config_of(dir)? };
        let records = csv::Reader::from_path(&path)
            .and_then(|mut reader| reader.deserialize().collect::<Result<Vec<Record>, _>>())
            .map_err(|source| PlotError::Metrics { path: path.clone(), source })?;
        if records.is_empty() {
            return Err(PlotError::Empty(path));
        }
        let key = config.to_toml();
        let scorer = config.scorer;
        if !configs.contains(&config) {
            configs.push(config);
        }
        curves
            .entry(key)
            .or_insert_with(|| Curve { label: String::new(), scorer, runs: Vec::new() })
            .runs
            .push(records);
    }
    let mut all = Vec::new();
    for config in &configs {
        if let Some(mut curve) = curves.remove(&config.to_toml()) {
            curve.label = label(config, &configs, curve.runs.len());
            all.push(curve);
        }
    }
    Ok(all)
}

/// The environment, and the keys in which the curves differ.
fn label(config: &Config, all: &[Config], runs: usize) -> String {
    let table = |c: &Config| toml::Table::try_from(c).unwrap_or_default();
    let own = table(config);
    let tables: Vec<_> = all.iter().map(table).collect();
    let differs = |key: &str| key != "env" && tables.iter().any(|t| t.get(key) != own.get(key));
    let keys: Vec<String> = own
        .iter()
        .filter(|(k, _)| differs(k))
        .map(|(k, v)| format!("{k}={}", v.to_string().trim_matches('"')))
        .collect();
    let seeds = if runs > 1 { format!(", {runs} seeds") } else { String::new() };
    let name: Vec<String> = std::iter::once(config.env.clone()).chain(keys).collect();
    format!("{}{seeds}", name.join(" "))
}

fn draw<B: DrawingBackend>(area: &DrawingArea<B, Shift>, curves: &[Curve]) -> Result<(), String> {
    let drawn = || -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        area.fill(&WHITE)?;
        let (legend, panels) = area.split_vertically(LINE * (curves.len() as u32 + 1));
        for (i, curve) in curves.iter().enumerate() {
            let y = (LINE * i as u32 + LINE) as i32;
            legend.draw(&PathElement::new([(70, y), (100, y)], color(i).stroke_width(3)))?;
            legend.draw(&Text::new(curve.label.as_str(), (110, y - 7), ("sans-serif", 14)))?;
        }
        for (row, figure) in panels.split_evenly((FIGURES.len(), 1)).iter().zip(&FIGURES) {
            for (panel, axis) in row.split_evenly((1, AXES.len())).iter().zip(&AXES) {
                draw_panel(panel, curves, figure, axis)?;
            }
        }
        area.present()
    };
    drawn().map_err(|e| e.to_string())
}

fn color(curve: usize) -> RGBAColor {
    Palette99::pick(curve).to_rgba()
}

fn draw_panel<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    curves: &[Curve],
    figure: &Figure,
    axis: &Figure,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    let drawn: Vec<(usize, &Curve, Vec<Point>)> = (curves.iter().enumerate())
        .filter(|(_, c)| (figure.applies)(c.scorer) && (axis.applies)(c.scorer))
        .map(|(i, c)| (i, c, mean_and_interval(&c.runs, axis.of, figure.of)))
        .collect();
    let all = || drawn.iter().flat_map(|(_, _, points)| points);
    let x_max = all().map(|p| p.0).fold(1.0, f64::max);
    let (low, high) = all()
        .map(|(_, mean, half)| (mean - half, mean + half))
        .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
        .unwrap_or((0.0, 1.0));
    let margin = ((high - low) * 0.05).max(1e-6);

    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .caption(figure.title, ("sans-serif", 16))
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..x_max, low - margin..high + margin)?;
    chart
        .configure_mesh()
        .x_desc(axis.title)
        .x_labels(6)
        .y_labels(6)
        .light_line_style(WHITE)
        .x_label_formatter(&|x| short(*x))
        .label_style(("sans-serif", 13))
        .draw()?;
    for (i, curve, points) in drawn {
        if curve.runs.len() > 1 {
            let upper = points.iter().map(|&(x, mean, half)| (x, mean + half));
            let lower = points.iter().rev().map(|&(x, mean, half)| (x, mean - half));
            let band: Vec<(f64, f64)> = upper.chain(lower).collect();
            chart.draw_series(std::iter::once(Polygon::new(band, color(i).mix(0.2))))?;
        }
        let line = points.iter().map(|&(x, mean, _)| (x, mean));
        chart.draw_series(LineSeries::new(line, color(i).stroke_width(2)))?;
    }
    Ok(())
}

/// Mean and interval over runs, iteration by iteration, as far as every run goes.
fn mean_and_interval(runs: &[Vec<Record>], x: fn(&Record) -> f64, y: fn(&Record) -> f64) -> Vec<Point> {
    let rows = runs.iter().map(Vec::len).min().unwrap_or(0);
    (0..rows)
        .map(|row| {
            let column = |f: fn(&Record) -> f64| runs.iter().map(|run| f(&run[row])).collect::<Vec<_>>();
            let ys = column(y);
            let half = if ys.len() > 1 { stats::ci95(&ys) } else { 0.0 };
            (stats::mean(&column(x)), stats::mean(&ys), half)
        })
        .collect()
}

/// 1500000 as "1.5M".
fn short(x: f64) -> String {
    match x.abs() {
        a if a >= 1e6 => format!("{}M", (x / 1e5).round() / 10.0),
        a if a >= 1e3 => format!("{}k", (x / 1e2).round() / 10.0),
        _ => format!("{x}"),
    }
}
