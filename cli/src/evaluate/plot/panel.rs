//! A panel of a picture: lines, points and intervals along two axes, each line named at its end.

use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::{Axis, Scale};
use super::palette::{GRID, SOFT, TEXT};

/// Of what is drawn on `B`.
pub(crate) type Drawn<B, T = ()> = Result<T, DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;
/// A part of a picture, in pixels.
pub(crate) type Area<B> = DrawingArea<B, Shift>;

/// x, y, and the ends of y's interval.
pub(crate) type Point = [f64; 4];

/// How points are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// A line, its interval as a band.
    Line,
    /// A line of dashes, its interval as a band.
    Dashes,
    /// A line of dashes across the panel, at y of the only point.
    Level,
    /// A dot each, joined by a line, its interval as a bar.
    Joined,
    /// A dot each, its interval as a bar.
    Bars,
    /// A small dot each.
    Dots,
}

/// Points that belong together.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// The name next to the panel; empty for none.
    pub name: String,
    pub color: RGBColor,
    pub mark: Mark,
    pub points: Vec<Point>,
}

/// Two axes and what is drawn along them.
#[derive(Clone, Debug)]
pub(crate) struct Panel {
    /// The title of the vertical axis, with its unit.
    pub title: String,
    /// The title of the horizontal axis.
    pub x: String,
    /// The scale of the horizontal axis.
    pub scale: Scale,
    pub series: Vec<Series>,
}

// Sizes of letters, in pixels.
pub(crate) const TITLE: u32 = 15;
pub(crate) const LABEL: u32 = 13;
const TICK: u32 = 12;
// Pixels around the axes.
pub(crate) const TOP: i32 = 34;
pub(crate) const BOTTOM: i32 = 46;
/// Between the end of a line and its name.
const GAP: i32 = 26;
/// Height of a line of a name.
const LINE: i32 = 16;

/// Text of a size and a colour, its `anchor` at the point where it is drawn.
pub(crate) fn style(size: u32, color: RGBColor, (h, v): (HPos, VPos)) -> TextStyle<'static> {
    let color = color.to_backend_color();
    TextStyle { color, pos: Pos::new(h, v), ..TextStyle::from(("sans-serif", size)) }
}

/// Width of a text in pixels.
pub(crate) fn width(text: &str, size: u32) -> i32 {
    ("sans-serif", size).into_font().box_size(text).map_or(0, |(width, _)| width as i32)
}

/// Breaks the text at spaces into lines of at most this many letters.
pub(crate) fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines
}

/// Draws grid, numbers and title of the vertical axis; `left` is the left edge of the panel.
pub(crate) fn upright<B: DrawingBackend>(area: &Area<B>, y: &Axis, (left, right): (i32, i32)) -> Drawn<B> {
    for tick in y.ticks(5) {
        let at = y.at(tick.value);
        area.draw(&PathElement::new([(left, at), (right, at)], GRID))?;
        area.draw(&Text::new(tick.label, (left - 7, at), style(TICK, SOFT, (HPos::Right, VPos::Center))))?;
    }
    Ok(())
}

/// Draws the axis below the panel; `bottom` is the lower edge of the panel, `grid` the height of the grid lines above it.
pub(crate) fn level<B: DrawingBackend>(
    area: &Area<B>,
    x: &Axis,
    title: &str,
    (left, right, bottom): (i32, i32, i32),
    grid: i32,
) -> Drawn<B> {
    let ticks = x.ticks(((right - left) / 70).clamp(2, 6) as usize);
    for tick in ticks {
        let at = x.at(tick.value);
        if grid > 0 && !tick.label.is_empty() {
            area.draw(&PathElement::new([(at, bottom - grid), (at, bottom)], GRID))?;
        }
        let length = if tick.label.is_empty() { 3 } else { 6 };
        area.draw(&PathElement::new([(at, bottom), (at, bottom + length)], SOFT))?;
        let below = style(TICK, SOFT, (HPos::Center, VPos::Top));
        area.draw(&Text::new(tick.label, (at, bottom + 8), below))?;
    }
    area.draw(&PathElement::new([(left, bottom), (right, bottom)], SOFT))?;
    let below = style(TICK, SOFT, (HPos::Center, VPos::Top));
    area.draw(&Text::new(title.to_string(), ((left + right) / 2, bottom + 26), below))
}

/// Draws a panel, with `beside` pixels for names on the right.
pub(crate) fn draw<B: DrawingBackend>(area: &Area<B>, panel: &Panel, beside: i32) -> Drawn<B> {
    let (w, h) = area.dim_in_pixel();
    let (top, bottom) = (TOP, h as i32 - BOTTOM);
    let points = || panel.series.iter().flat_map(|s| &s.points);
    let numbers = points().flat_map(|p| p[1..].iter().copied());
    let y = Axis::new(Scale::Linear, numbers, bottom..top);
    let widest = y.ticks(5).iter().map(|t| width(&t.label, TICK)).max().unwrap_or(0);
    let names = if beside > 0 { beside + GAP } else { 16 };
    let (left, right) = (widest + 20, w as i32 - names);
    let along = panel.series.iter().filter(|s| s.mark != Mark::Level).flat_map(|s| &s.points);
    let mut x = Axis::new(panel.scale, along.clone().map(|p| p[0]), left..right);
    // Steps begin at 0, and so does their axis.
    if panel.scale == Scale::Linear && along.clone().all(|p| p[0] >= 0.0) && x.ends().0 < 0.2 * x.ends().1 {
        x = x.starting_at(0.0);
    }
    area.draw(&Text::new(panel.title.clone(), (8, 10), style(TITLE, TEXT, (HPos::Left, VPos::Top))))?;
    upright(area, &y, (left, right))?;
    level(area, &x, &panel.x, (left, right, bottom), 0)?;
    for series in &panel.series {
        draw_series(area, series, (&x, &y), (left, right))?;
    }
    if beside > 0 { draw_names(area, panel, &y, (right, top, bottom)) } else { Ok(()) }
}

fn draw_series<B: DrawingBackend>(
    area: &Area<B>,
    Series { color, mark, points, .. }: &Series,
    (x, y): (&Axis, &Axis),
    (left, right): (i32, i32),
) -> Drawn<B> {
    let held: Vec<&Point> = points.iter().filter(|p| x.holds(p[0]) || *mark == Mark::Level).collect();
    let line: Vec<(i32, i32)> = held.iter().map(|p| (x.at(p[0]), y.at(p[1]))).collect();
    let pen = color.stroke_width(2);
    let dashes = |line: Vec<(i32, i32)>| DashedPathElement::new(line, 7, 5, pen);
    if matches!(mark, Mark::Line | Mark::Dashes) && held.iter().any(|p| p[2] < p[3]) {
        let upper = held.iter().map(|p| (x.at(p[0]), y.at(p[3])));
        let band: Vec<(i32, i32)> =
            upper.chain(held.iter().rev().map(|p| (x.at(p[0]), y.at(p[2])))).collect();
        area.draw(&Polygon::new(band, color.mix(0.15)))?;
    }
    // A line with a single point is invisible.
    let mark = match mark {
        Mark::Line | Mark::Dashes if line.len() == 1 => Mark::Bars,
        other => *other,
    };
    if matches!(mark, Mark::Joined | Mark::Bars) {
        for p in &held {
            let at = x.at(p[0]);
            area.draw(&PathElement::new([(at, y.at(p[2])), (at, y.at(p[3]))], color.stroke_width(2)))?;
        }
    }
    match mark {
        Mark::Line => area.draw(&PathElement::new(line, pen))?,
        Mark::Dashes => area.draw(&dashes(line))?,
        Mark::Level => {
            for (_, at) in line {
                area.draw(&dashes(vec![(left, at), (right, at)]))?;
            }
        }
        Mark::Joined => {
            area.draw(&PathElement::new(line.clone(), pen))?;
            line.into_iter().try_for_each(|at| area.draw(&Circle::new(at, 4, color.filled())))?;
        }
        Mark::Bars => line.into_iter().try_for_each(|at| area.draw(&Circle::new(at, 4, color.filled())))?,
        Mark::Dots => {
            line.into_iter().try_for_each(|at| area.draw(&Circle::new(at, 2, color.mix(0.4).filled())))?;
        }
    }
    Ok(())
}

/// Draws the names next to the panel, each as close to the end of its line as possible without overlap.
fn draw_names<B: DrawingBackend>(
    area: &Area<B>,
    panel: &Panel,
    y: &Axis,
    (right, top, bottom): (i32, i32, i32),
) -> Drawn<B> {
    let mut named: Vec<(&Series, Vec<String>, i32)> = (panel.series.iter())
        .filter(|s| !s.name.is_empty())
        .filter_map(|s| Some((s, wrapped(&s.name, LETTERS), y.at(s.points.last()?[1]))))
        .collect();
    named.sort_by_key(|(.., at)| *at);
    let heights: Vec<i32> = named.iter().map(|(_, lines, _)| LINE * lines.len() as i32).collect();
    let wanted: Vec<i32> = named.iter().zip(&heights).map(|((.., at), height)| at - height / 2).collect();
    let tops = apart(&wanted, &heights, (top - 4, bottom));
    for ((series, lines, _), from) in named.iter().zip(tops) {
        let middle = from + LINE / 2;
        let pen = series.color.stroke_width(3);
        let swatch = [(right + 5, middle), (right + 20, middle)];
        match series.mark {
            Mark::Dashes | Mark::Level => area.draw(&DashedPathElement::new(swatch, 4, 3, pen))?,
            Mark::Bars | Mark::Dots => {
                area.draw(&Circle::new((right + 12, middle), 4, series.color.filled()))?;
            }
            Mark::Line | Mark::Joined => area.draw(&PathElement::new(swatch, pen))?,
        }
        for (row, line) in lines.iter().enumerate() {
            let at = (right + GAP, middle + LINE * row as i32);
            area.draw(&Text::new(line.clone(), at, style(LABEL, TEXT, (HPos::Left, VPos::Center))))?;
        }
    }
    Ok(())
}

/// Letters of a line of a name.
const LETTERS: usize = 22;

/// Pixels that the longest of the names takes.
pub(crate) fn room_for<'a>(names: impl Iterator<Item = &'a str>) -> i32 {
    let lines = names.flat_map(|name| wrapped(name, LETTERS));
    lines.map(|line| width(&line, LABEL) + 8).max().unwrap_or(0)
}

/// Positions of boxes of these heights, in order, without overlap, close to the wanted positions, and between the bounds if
/// there is enough room.
fn apart(wanted: &[i32], heights: &[i32], (top, bottom): (i32, i32)) -> Vec<i32> {
    let mut places = wanted.to_vec();
    let mut free = top;
    for (place, height) in places.iter_mut().zip(heights) {
        *place = (*place).max(free);
        free = *place + height;
    }
    let mut end = bottom;
    for (place, height) in places.iter_mut().zip(heights).rev() {
        *place = (*place).min(end - height);
        end = *place;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_near_their_lines_and_apart() {
        assert_eq!(apart(&[10, 50], &[16, 16], (0, 100)), [10, 50]);
        assert_eq!(apart(&[40, 42, 44], &[16, 16, 16], (0, 100)), [40, 56, 72]);
        // At the lower end they move up.
        assert_eq!(apart(&[80, 90, 95], &[16, 16, 16], (0, 100)), [52, 68, 84]);
    }

    #[test]
    fn long_names_break_at_spaces() {
        assert_eq!(wrapped("pendulum budget=2000, 5 seeds", 22), ["pendulum budget=2000,", "5 seeds"]);
        assert_eq!(wrapped("short", 22), ["short"]);
    }
}
