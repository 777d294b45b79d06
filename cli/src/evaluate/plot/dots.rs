//! Figures with their intervals on one axis, each in its own row with a name.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::axis::{Axis, Scale};
use super::palette::TEXT;
use super::panel::{Area, BOTTOM, Drawn, LABEL, TITLE, TOP, level, style, width};

/// A row: a name, its figure, and the ends of its interval.
#[derive(Clone, Debug)]
pub(crate) struct Dot {
    pub name: String,
    pub color: RGBColor,
    pub value: f64,
    pub interval: (f64, f64),
}

/// Rows below one another.
#[derive(Clone, Debug)]
pub(crate) struct Dots {
    pub title: String,
    pub rows: Vec<Dot>,
}

/// Pixels of a row.
const ROW: i32 = 24;

impl Dots {
    /// Pixels of its height.
    pub fn height(&self) -> u32 {
        (TOP + ROW * self.rows.len() as i32 + BOTTOM - 16) as u32
    }

    /// Pixels that the longest name takes.
    pub fn names(&self) -> i32 {
        self.rows.iter().map(|row| width(&row.name, LABEL)).max().unwrap_or(0)
    }
}

/// Draws the rows, with `names` pixels for the names on the left.
pub(crate) fn draw<B: DrawingBackend>(area: &Area<B>, dots: &Dots, names: i32) -> Drawn<B> {
    let (left, right) = (names + 24, area.dim_in_pixel().0 as i32 - 24);
    let height = ROW * dots.rows.len() as i32;
    let ends = dots.rows.iter().flat_map(|row| [row.value, row.interval.0, row.interval.1]);
    let x = Axis::new(Scale::Linear, ends, left..right);
    area.draw(&Text::new(dots.title.clone(), (8, 10), style(TITLE, TEXT, (HPos::Left, VPos::Top))))?;
    level(area, &x, "", (left, right, TOP + height), height)?;
    for (place, row) in dots.rows.iter().enumerate() {
        let at = TOP + ROW * place as i32 + ROW / 2;
        let name = style(LABEL, TEXT, (HPos::Right, VPos::Center));
        area.draw(&Text::new(row.name.clone(), (left - 10, at), name))?;
        let (low, high) = row.interval;
        area.draw(&PathElement::new([(x.at(low), at), (x.at(high), at)], row.color.stroke_width(2)))?;
        area.draw(&Circle::new((x.at(row.value), at), 5, row.color.filled()))?;
    }
    Ok(())
}
