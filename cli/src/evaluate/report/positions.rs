//! Where trajectories ended, in the plane: a table, and a panel a cell.

use plotters::prelude::*;
use serde::Serialize;

use super::{CellReport, Report, ReportError};
use crate::evaluate::plot::PlotError;
use crate::evaluate::plot::panel::register_font;

/// Name of the table.
pub(super) const TABLE: &str = "positions.csv";
/// Name of the picture.
pub(super) const PICTURE: &str = "positions.svg";
/// Below the picture.
pub(super) const CAPTION: &str = "Final positions (the first two observations) of each run's trajectories in the \
                                  tournament, a colour a seed.";

/// A row of the table.
#[derive(Serialize)]
pub(super) struct Row<'a> {
    cell: &'a str,
    seed: u64,
    x: f32,
    y: f32,
}

pub(super) fn rows(report: &Report) -> impl Iterator<Item = Row<'_>> {
    let runs = report.cells.iter().flat_map(|c| c.runs.iter().map(|run| (c.cell.name.as_str(), run)));
    runs.flat_map(|(cell, run)| run.positions.iter().map(move |&[x, y]| Row { cell, seed: run.seed, x, y }))
}

// Pixels: a panel's side, and panels in a row.
const SIDE: u32 = 300;
const COLUMNS: usize = 4;

/// The picture as SVG.
pub(super) fn picture(report: &Report) -> Result<String, ReportError> {
    register_font();
    let cells: Vec<&CellReport> = report.cells.iter().filter(|c| !c.runs.is_empty()).collect();
    let columns = cells.len().clamp(1, COLUMNS);
    let rows = cells.len().div_ceil(columns).max(1);
    let mut text = String::new();
    let drawn = draw(&mut text, &cells, (columns, rows));
    drawn.map_err(|e| PlotError::Write { path: report.dir.join(PICTURE), why: e.to_string() })?;
    Ok(text)
}

fn draw(
    text: &mut String,
    cells: &[&CellReport],
    (columns, rows): (usize, usize),
) -> Result<(), Box<dyn std::error::Error>> {
    let size = (SIDE * columns as u32, (SIDE + 20) * rows as u32);
    let area = SVGBackend::with_string(text, size).into_drawing_area();
    area.fill(&WHITE)?;
    for (panel, cell) in area.split_evenly((rows, columns)).iter().zip(cells) {
        let ends = || cell.runs.iter().flat_map(|run| &run.positions);
        // One scale for both axes, the origin in the middle.
        let reach = ends().flatten().fold(0.0f32, |most, x| most.max(x.abs())).max(1e-3) * 1.1;
        let mut chart = ChartBuilder::on(panel)
            .margin(8)
            .caption(&cell.cell.name, ("sans-serif", 14))
            .x_label_area_size(24)
            .y_label_area_size(40)
            .build_cartesian_2d(-reach..reach, -reach..reach)?;
        chart.configure_mesh().x_labels(5).y_labels(5).light_line_style(WHITE).draw()?;
        for (i, run) in cell.runs.iter().enumerate() {
            let color = Palette99::pick(i).mix(0.6);
            let dot = |&[x, y]: &[f32; 2]| Circle::new((x, y), 2, color.filled());
            chart.draw_series(run.positions.iter().map(dot))?;
        }
    }
    area.present()?;
    Ok(())
}
