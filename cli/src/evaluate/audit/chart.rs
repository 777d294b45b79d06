//! Draws a chart as SVG inside a page, in the page's light and dark colours.

use std::fmt::Write as _;

use super::document::{Along, Chart, Line};
use super::html::escaped;
use crate::evaluate::plot::palette;
use crate::evaluate::report::write::number;

// Sizes in units of the picture; the page scales it to the available width.
const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 236.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 44.0;
/// Number of line colours of the page.
const COLOURS: usize = palette::COLORS.len();

/// Smallest and largest value along an axis, never equal.
#[derive(Clone, Copy)]
struct Range {
    low: f64,
    high: f64,
}

impl Range {
    fn new(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values
            .filter(|v| v.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        match (low <= high, high - low) {
            (false, _) => Self { low: 0.0, high: 1.0 },
            (true, span) if span > 1e-12 * high.abs().max(1.0) => Self { low, high },
            (true, _) => Self { low: low - 0.5, high: high + 0.5 },
        }
    }

    fn wider(self, share: f64) -> Self {
        let more = share * (self.high - self.low);
        Self { low: self.low - more, high: self.high + more }
    }

    /// About this many round numbers within the range, 1, 2, 2.5 or 5 times a power of ten apart.
    fn ticks(self, about: f64) -> Vec<f64> {
        let least = (self.high - self.low) / about;
        let power = 10f64.powf(least.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|m| m * power).find(|s| *s >= least);
        let step = step.unwrap_or(10.0 * power);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        (first..=last).map(|k| k as f64 * step).collect()
    }
}

/// Draws the chart.
pub(super) fn draw(chart: &Chart) -> String {
    let points =
        || chart.lines.iter().flat_map(|line| &line.points).filter(|p| p.0.is_finite() && p.1.is_finite());
    let x = match &chart.along {
        Along::Numbers(_) => Range::new(points().map(|p| p.0).chain([0.0])),
        Along::Names(_, names) => Range { low: 0.0, high: (names.len().max(2) - 1) as f64 }.wider(0.04),
    };
    let y = Range::new(points().flat_map(|p| [p.1 - p.2, p.1 + p.2])).wider(0.06);
    let at_x = |v: f64| LEFT + (v - x.low) / (x.high - x.low) * (WIDTH - LEFT - RIGHT);
    let at_y = |v: f64| HEIGHT - BOTTOM - (v - y.low) / (y.high - y.low) * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        escaped(&chart.title)
    );
    for tick in y.ticks(5.0) {
        let at = at_y(tick);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{:.1}\" y2=\"{at:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0,
            short(tick)
        );
    }
    let below = HEIGHT - BOTTOM + 18.0;
    let label = |svg: &mut String, at: f64, words: &str| {
        let _ = write!(
            svg,
            "<text x=\"{at:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">{}</text>",
            escaped(words)
        );
    };
    let title = match &chart.along {
        Along::Numbers(title) => {
            x.ticks(5.0).into_iter().for_each(|tick| label(&mut svg, at_x(tick), &short(tick)));
            title
        }
        Along::Names(title, names) => {
            names.iter().enumerate().for_each(|(k, name)| label(&mut svg, at_x(k as f64), name));
            title
        }
    };
    let _ = write!(
        svg,
        "<text class=\"axis\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
        (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - 6.0,
        escaped(title)
    );
    for line in &chart.lines {
        draw_line(line, matches!(chart.along, Along::Names(..)), (&at_x, &at_y), &mut svg);
    }
    svg + "</svg>"
}

type Scale<'a> = &'a dyn Fn(f64) -> f64;

fn draw_line(line: &Line, dots: bool, (at_x, at_y): (Scale<'_>, Scale<'_>), svg: &mut String) {
    let drawn = line.points.iter().filter(|p| p.0.is_finite() && p.1.is_finite());
    let class = line.run % COLOURS;
    let path: Vec<String> =
        drawn.clone().map(|&(x, y, _)| format!("{:.1},{:.1}", at_x(x), at_y(y))).collect();
    let _ = write!(svg, "<polyline class=\"line r{class}\" points=\"{}\"/>", path.join(" "));
    for &(x, y, half) in drawn.filter(|_| dots) {
        let (x, low, high) = (at_x(x), at_y(y - half), at_y(y + half));
        if half > 0.0 && half.is_finite() {
            let _ = write!(
                svg,
                "<line class=\"bar r{class}\" x1=\"{x:.1}\" y1=\"{low:.1}\" x2=\"{x:.1}\" y2=\"{high:.1}\"/>"
            );
        }
        let _ = write!(svg, "<circle class=\"dot r{class}\" cx=\"{x:.1}\" cy=\"{:.1}\" r=\"4\"/>", at_y(y));
    }
}

/// A short number, such as "150k" for 150000.
fn short(x: f64) -> String {
    let trimmed = |x: f64| {
        let digits = number(x);
        match digits.contains('.') {
            true => digits.trim_end_matches('0').trim_end_matches('.').to_string(),
            false => digits,
        }
    };
    match x.abs() {
        a if a >= 1e6 => format!("{}M", trimmed(x / 1e6)),
        a if a >= 1e4 => format!("{}k", trimmed(x / 1e3)),
        _ => trimmed(x),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(Range { low: -3.2, high: 7.0 }.ticks(5.0), [-2.5, 0.0, 2.5, 5.0]);
        assert_eq!(Range { low: 0.0, high: 480e3 }.ticks(5.0), [0.0, 100e3, 200e3, 300e3, 400e3]);
        assert_eq!([0.0, 150e3, 2.5e6, 0.25, -20.0].map(short), ["0", "150k", "2.5M", "0.25", "-20"]);
    }

    #[test]
    fn what_cannot_be_drawn_leaves_no_trace() {
        let along = Along::Names("x".into(), vec!["<a>".into()]);
        let points = vec![(0.0, f64::NAN, 1.0), (0.0, 2.0, f64::INFINITY), (0.0, 2.0, 0.0)];
        let svg = draw(&Chart { title: "a & b".into(), along, lines: vec![Line { run: 9, points }] });
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert!(svg.contains("&lt;a&gt;") && svg.contains("a &amp; b"));
        roxmltree::Document::parse(&svg).unwrap();
    }
}
