//! Panels of lines, points and intervals, as SVG and PNG.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::panel::{self, Drawn, axes, color, legend, range, register_font};

/// x, y, and the ends of y's interval.
pub(crate) type Point = [f64; 4];

/// How points are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
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
pub(crate) struct Series {
    pub entry: usize,
    pub mark: Mark,
    pub points: Vec<Point>,
}

/// A pair of axes.
pub(crate) struct Panel {
    pub title: String,
    pub x: &'static str,
    pub series: Vec<Series>,
}

/// Pixels of a panel's height.
const HEIGHT: u32 = 340;
/// Panels side by side.
const COLUMNS: usize = 2;

fn size(entries: &[&str], panels: &[Panel]) -> (u32, u32) {
    panel::size(entries.len(), panels.len().div_ceil(COLUMNS), HEIGHT)
}

/// Panels below a legend, as SVG.
pub(crate) fn svg(entries: &[&str], panels: &[Panel]) -> Result<String, String> {
    register_font();
    let mut text = String::new();
    let area = SVGBackend::with_string(&mut text, size(entries, panels)).into_drawing_area();
    draw(&area, entries, panels).map_err(|e| e.to_string())?;
    drop(area);
    Ok(text)
}

/// The same as PNG.
pub(crate) fn png(entries: &[&str], panels: &[Panel]) -> Result<Vec<u8>, String> {
    register_font();
    panel::png(size(entries, panels), |area| draw(area, entries, panels).map_err(|e| e.to_string()))
}

fn draw<B: DrawingBackend>(area: &DrawingArea<B, Shift>, entries: &[&str], panels: &[Panel]) -> Drawn<B> {
    let rest = legend(area, entries)?;
    let rows = panels.len().div_ceil(COLUMNS).max(1);
    for (place, panel) in rest.split_evenly((rows, COLUMNS)).iter().zip(panels) {
        draw_panel(place, panel)?;
    }
    area.present()
}

fn draw_panel<B: DrawingBackend>(area: &DrawingArea<B, Shift>, panel: &Panel) -> Drawn<B> {
    let points = || panel.series.iter().flat_map(|s| &s.points);
    let (x, y) = (range(points().map(|p| p[0])), range(points().flat_map(|p| p[1..].iter().copied())));
    let mut chart = axes(area, &panel.title, panel.x, (x, y))?;
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
