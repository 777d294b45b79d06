//! Where trajectories ended, in the plane: a table, and a panel for each cell.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use serde::{Deserialize, Serialize};

use super::{CellReport, Report, ReportError};
use crate::evaluate::experiment::Metric;
use crate::evaluate::plot::axis::{Axis, Scale};
use crate::evaluate::plot::palette::{self, TEXT};
use crate::evaluate::plot::panel::{self, Area, Drawn, TITLE, TOP, style};
use crate::evaluate::plot::{self, PlotError, sheet};

/// Name of the table.
pub(super) const TABLE: &str = "positions.csv";
/// Name of the picture.
pub(super) const PICTURE: &str = "positions.svg";
/// The text below the picture.
pub(super) const CAPTION: &str = "Final positions (the first two observations) of each run's trajectories in the \
                                  tournament, a colour a seed.";

/// A row of the table.
#[derive(Serialize, Deserialize)]
pub(super) struct Row {
    cell: String,
    seed: u64,
    x: f32,
    y: f32,
}

impl Report {
    /// Whether final positions are shown.
    pub(super) fn has_positions(&self) -> bool {
        self.measures().contains(&Metric::Concentration)
    }

    pub(super) fn positions(&self) -> impl Iterator<Item = Row> {
        let runs = self.cells.iter().flat_map(|c| c.runs.iter().map(|run| (&c.cell.name, run)));
        runs.flat_map(|(cell, run)| {
            run.positions.iter().map(|&[x, y]| Row { cell: cell.clone(), seed: run.seed, x, y })
        })
    }

    /// Reads the positions from the table of an earlier report.
    pub(super) fn read_positions(&mut self) -> Result<(), ReportError> {
        let path = self.dir.join(TABLE);
        if !self.has_positions() || !path.exists() {
            return Ok(());
        }
        for row in plot::rows::<Row>(&path)? {
            let cell = self.cells.iter_mut().find(|c| c.cell.name == row.cell);
            let run = cell.and_then(|c| c.runs.iter_mut().find(|run| run.seed == row.seed));
            if let Some(run) = run {
                run.positions.push([row.x, row.y]);
            }
        }
        Ok(())
    }

    /// The picture as SVG.
    pub(super) fn positions_picture(&self) -> Result<String, ReportError> {
        sheet::register_font();
        let cells: Vec<&CellReport> = self.cells.iter().filter(|c| !c.runs.is_empty()).collect();
        let columns = cells.len().clamp(1, COLUMNS);
        let rows = cells.len().div_ceil(columns).max(1);
        let mut text = String::new();
        let size = (SIDE * columns as u32, (SIDE + 20) * rows as u32);
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        let drawn = draw(&area, &cells, (columns, rows)).map_err(|e| e.to_string());
        drop(area);
        drawn.map_err(|why| PlotError::Write { path: self.dir.join(PICTURE), why })?;
        Ok(text)
    }
}

// Pixels: a panel's side, and panels in a row.
const SIDE: u32 = 300;
const COLUMNS: usize = 4;

fn draw<B: DrawingBackend>(
    area: &Area<B>,
    cells: &[&CellReport],
    (columns, rows): (usize, usize),
) -> Drawn<B> {
    area.fill(&WHITE)?;
    for (panel, cell) in area.split_evenly((rows, columns)).iter().zip(cells) {
        // Both axes have the same scale, and the origin is in the middle.
        let ends = || cell.runs.iter().flat_map(|run| &run.positions).flatten();
        let reach = f64::from(ends().fold(0.0f32, |most, x| most.max(x.abs())).max(1e-3));
        let (w, h) = panel.dim_in_pixel();
        let side = (w as i32 - 60).min(h as i32 - TOP - 40);
        let (left, bottom) = (46, TOP + side);
        let x = Axis::new(Scale::Linear, [-reach, reach].into_iter(), left..left + side);
        let y = Axis::new(Scale::Linear, [-reach, reach].into_iter(), bottom..TOP);
        panel.draw(&Text::new(
            cell.cell.name.clone(),
            (8, 10),
            style(TITLE, TEXT, (HPos::Left, VPos::Top)),
        ))?;
        panel::upright(panel, &y, (left, left + side))?;
        panel::level(panel, &x, "", (left, left + side, bottom), side)?;
        for (i, run) in cell.runs.iter().enumerate() {
            let color = palette::nth(i).mix(0.6);
            for &[at_x, at_y] in &run.positions {
                let at = (x.at(f64::from(at_x)), y.at(f64::from(at_y)));
                panel.draw(&Circle::new(at, 2, color.filled()))?;
            }
        }
    }
    area.present()
}
