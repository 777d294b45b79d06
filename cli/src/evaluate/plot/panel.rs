//! What pictures of curves have in common: a legend above panels, and a panel's axes.

use std::ops::Range;
use std::sync::Once;

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::FontStyle;

/// Of what is drawn on `B`.
pub(crate) type Drawn<B, T = ()> = Result<T, DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;
/// Axes to draw on.
pub(crate) type Axes<'a, B> = ChartContext<'a, B, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

// Pixels: a picture's width, and the height of a line of its legend.
const WIDTH: u32 = 1200;
const LINE: u32 = 22;

/// Width and height of a picture with so many entries above so many rows of panels, each `row` pixels high.
pub(crate) fn size(entries: usize, rows: usize, row: u32) -> (u32, u32) {
    (WIDTH, legend_height(entries) + row * rows.max(1) as u32)
}

fn legend_height(entries: usize) -> u32 {
    LINE * (entries as u32 + 1)
}

/// Draws the legend on a white ground, and returns what is left below it.
pub(crate) fn legend<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    entries: &[impl AsRef<str>],
) -> Drawn<B, DrawingArea<B, Shift>> {
    area.fill(&WHITE)?;
    let (legend, panels) = area.split_vertically(legend_height(entries.len()));
    for (i, entry) in entries.iter().enumerate() {
        let y = (LINE * i as u32 + LINE) as i32;
        legend.draw(&PathElement::new([(70, y), (100, y)], color(i).stroke_width(3)))?;
        legend.draw(&Text::new(entry.as_ref(), (110, y - 7), ("sans-serif", 14)))?;
    }
    Ok(panels)
}

/// Axes over `x` and `y` below a title, `along` under the first.
pub(crate) fn axes<'a, B: DrawingBackend>(
    area: &'a DrawingArea<B, Shift>,
    title: &str,
    along: &str,
    (x, y): (Range<f64>, Range<f64>),
) -> Drawn<B, Axes<'a, B>> {
    let mut axes = ChartBuilder::on(area)
        .margin(10)
        .caption(title, ("sans-serif", 16))
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d(x, y)?;
    axes.configure_mesh()
        .x_desc(along)
        .x_labels(6)
        .y_labels(6)
        .light_line_style(WHITE)
        .x_label_formatter(&|x| short(*x))
        .label_style(("sans-serif", 13))
        .draw()?;
    Ok(axes)
}

/// The least and the greatest of some numbers, with a margin; around 0 to 1 of none.
pub(crate) fn range(numbers: impl Iterator<Item = f64>) -> Range<f64> {
    let ends = numbers.filter(|n| n.is_finite()).map(|n| (n, n));
    let (low, high) = ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or((0.0, 1.0));
    let margin = ((high - low) * 0.05).max(1e-6);
    low - margin..high + margin
}

/// The colour of an entry of a legend.
pub(crate) fn color(entry: usize) -> RGBAColor {
    Palette99::pick(entry).to_rgba()
}

/// 1500000 as "1.5M".
fn short(x: f64) -> String {
    match x.abs() {
        a if a >= 1e6 => format!("{}M", (x / 1e5).round() / 10.0),
        a if a >= 1e3 => format!("{}k", (x / 1e2).round() / 10.0),
        // Steps of a tenth are not tenths in binary.
        _ => format!("{}", (x * 1e6).round() / 1e6),
    }
}

/// Makes the font of all pictures known.
pub(crate) fn register_font() {
    static FONT: Once = Once::new();
    FONT.call_once(|| {
        // The one failure is an invalid font, and this one is built in.
        let _ = plotters::style::register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular());
    });
}

/// A PNG file of what `draw` draws.
pub(crate) fn png(
    size: (u32, u32),
    draw: impl FnOnce(&DrawingArea<BitMapBackend<'_>, Shift>) -> Result<(), String>,
) -> Result<Vec<u8>, String> {
    let mut pixels = vec![0; (size.0 * size.1) as usize * 3];
    draw(&BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area())?;
    crate::evaluate::pixels::png(size.0, size.1, &pixels)
}
