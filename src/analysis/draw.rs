//! Panels of lines, points and intervals, as SVG and PNG.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::plot::{self, PlotError, color, register_font, short};

/// x, y, and the ends of y's interval.
pub(super) type Point = [f64; 4];

/// How points are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// A line, its interval as a band.
    Line,
    /// A line of dashes.
    Dashes,
    /// A dot each, its interval as a bar.
    Bars,
    /// A small dot each.
    Dots,
}

/// Points of one entry of the legend.
pub(super) struct Series {
    pub entry: usize,
    pub mark: Mark,
    pub points: Vec<Point>,
}

/// A pair of axes.
pub(super) struct Panel {
    pub title: &'static str,
    pub x: &'static str,
    pub series: Vec<Series>,
}

// Pixels: the picture's width, a panel's height, a line of the legend.
const WIDTH: u32 = 1200;
const HEIGHT: u32 = 340;
const LINE: u32 = 22;
/// Panels side by side.
const COLUMNS: usize = 2;

/// Draws panels below a legend into `svg` and `png`.
pub(super) fn sheet(legend: &[&str], panels: &[Panel], svg: &Path, png: &Path) -> Result<(), PlotError> {
    register_font();
    let rows = panels.len().div_ceil(COLUMNS).max(1);
    let size = (WIDTH, LINE * (legend.len() as u32 + 1) + HEIGHT * rows as u32);
    let write = |path: &Path, why: String| PlotError::Write { path: path.into(), why };
    let mut text = String::new();
    let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
    draw(&area, legend, panels).map_err(|e| write(svg, e.to_string()))?;
    drop(area);
    std::fs::write(svg, text).map_err(|e| write(svg, e.to_string()))?;
    let picture = plot::png(size, |area| draw(area, legend, panels).map_err(|e| e.to_string()));
    let picture = picture.map_err(|e| write(png, e))?;
    std::fs::write(png, picture).map_err(|e| write(png, e.to_string()))
}

type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

fn draw<B: DrawingBackend>(area: &DrawingArea<B, Shift>, legend: &[&str], panels: &[Panel]) -> Drawn<B> {
    area.fill(&WHITE)?;
    let (top, rest) = area.split_vertically(LINE * (legend.len() as u32 + 1));
    for (i, label) in legend.iter().enumerate() {
        let y = (LINE * i as u32 + LINE) as i32;
        top.draw(&PathElement::new([(70, y), (100, y)], color(i).stroke_width(3)))?;
        top.draw(&Text::new(*label, (110, y - 7), ("sans-serif", 14)))?;
    }
    let rows = panels.len().div_ceil(COLUMNS).max(1);
    for (place, panel) in rest.split_evenly((rows, COLUMNS)).iter().zip(panels) {
        draw_panel(place, panel)?;
    }
    area.present()
}

/// The least and the greatest of some numbers, with a margin; from 0 to 1 of none.
fn range(numbers: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let ends = numbers.filter(|n| n.is_finite()).map(|n| (n, n));
    let (low, high) = ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or((0.0, 1.0));
    let margin = ((high - low) * 0.05).max(1e-6);
    low - margin..high + margin
}

fn draw_panel<B: DrawingBackend>(area: &DrawingArea<B, Shift>, panel: &Panel) -> Drawn<B> {
    let points = || panel.series.iter().flat_map(|s| &s.points);
    let (x, y) = (range(points().map(|p| p[0])), range(points().flat_map(|p| p[1..].iter().copied())));
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .caption(panel.title, ("sans-serif", 16))
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .x_desc(panel.x)
        .x_labels(6)
        .y_labels(6)
        .light_line_style(WHITE)
        .x_label_formatter(&|x| short(*x))
        .label_style(("sans-serif", 13))
        .draw()?;
    for Series { entry, mark, points } in &panel.series {
        let color = color(*entry);
        let line = || points.iter().map(|p| (p[0], p[1]));
        match mark {
            Mark::Line => {
                let band = points.iter().map(|p| (p[0], p[3]));
                let band: Vec<(f64, f64)> = band.chain(points.iter().rev().map(|p| (p[0], p[2]))).collect();
                chart.draw_series(std::iter::once(Polygon::new(band, color.mix(0.2))))?;
                chart.draw_series(LineSeries::new(line(), color.stroke_width(2)))?;
            }
            Mark::Dashes => {
                chart.draw_series(DashedLineSeries::new(line(), 6, 4, color.stroke_width(2)))?;
            }
            Mark::Bars => {
                let bar = |&[x, _, low, high]: &Point| PathElement::new([(x, low), (x, high)], color);
                chart.draw_series(points.iter().map(bar))?;
                chart.draw_series(line().map(|at| Circle::new(at, 3, color.filled())))?;
            }
            Mark::Dots => {
                chart.draw_series(line().map(|at| Circle::new(at, 2, color.mix(0.4).filled())))?;
            }
        }
    }
    Ok(())
}
