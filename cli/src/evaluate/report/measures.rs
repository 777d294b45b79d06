//! What every cell measured, as a picture.

use super::figures::Line;
use super::{Report, ReportError};
use crate::evaluate::experiment::Metric;
use crate::evaluate::plot::PlotError;
use crate::evaluate::plot::points::{self, Mark, Panel, Point, Series};

pub(super) const PICTURE: &str = "measures.svg";

/// Whether there is more to see than returns, of which curves are drawn.
pub(super) fn any(report: &Report) -> bool {
    report.measures() != [Metric::EvalReturn]
}

/// The picture as SVG: a panel a task and measure, a method's interquartile mean and its interval side by side.
pub(super) fn picture(report: &Report, lines: &[Line]) -> Result<String, ReportError> {
    let methods = report.methods();
    let mut panels = Vec::new();
    for task in report.tasks() {
        for (place, measure) in report.measures().into_iter().enumerate() {
            let point = |entry: usize| -> Option<Point> {
                let name = &report.cell(task, methods[entry])?.cell.name;
                let line = lines.iter().find(|line| line.cell == *name)?;
                let estimate = if place == 0 { line.iqm } else { line.also[place - 1] };
                let (low, high) =
                    estimate.interval.map_or((estimate.value, estimate.value), |i| (i.low, i.high));
                Some([entry as f64 + 1.0, estimate.value, low, high])
            };
            let series = (0..methods.len())
                .filter_map(|entry| Some(Series { entry, mark: Mark::Bars, points: vec![point(entry)?] }));
            let of = if task.is_empty() { String::new() } else { format!("{task}: ") };
            panels.push(Panel {
                title: of + measure.title(),
                x: "method, in the legend's order",
                series: series.collect(),
            });
        }
    }
    let svg = points::svg(&methods, &panels);
    svg.map_err(|why| PlotError::Write { path: PICTURE.into(), why }.into())
}
