//! The headline: the score after training against the number of comparisons, a line for each family of methods.

use super::Report;
use super::figures::{Estimate, Line};
use crate::evaluate::plot::axis::Scale;
use crate::evaluate::plot::palette;
use crate::evaluate::plot::panel::{Mark, Panel, Point, Series};
use crate::evaluate::plot::sheet::{Content, Sheet};

/// Name of the picture.
pub(super) const PICTURE: &str = "headline.svg";

impl Report {
    /// A panel for each task: each family's interquartile means with intervals over seeds; the skyline's mean is dashed.
    pub(super) fn headline(&self, lines: &[Line]) -> Sheet {
        let panels = self.tasks().into_iter().map(|task| {
            let line = |method: &str| {
                let name = &self.cell(task, method)?.cell.name;
                lines.iter().find(|line| line.cell == *name)
            };
            let point = |line: &Line| {
                let Estimate { value, interval } = line.iqm;
                let (low, high) = interval.map_or((value, value), |i| (i.low, i.high));
                [line.queries, value, low, high]
            };
            let families: Vec<&String> = self.experiment.headline.keys().collect();
            let colors = palette::of_methods(&families);
            let family = |(name, color): (&&String, _)| {
                let methods = &self.experiment.headline[*name];
                let mut points: Vec<Point> = methods.iter().filter_map(|m| line(m)).map(point).collect();
                points.sort_by(|a, b| a[0].total_cmp(&b[0]));
                Series { name: (*name).clone(), color, mark: Mark::Joined, points }
            };
            let mut series: Vec<Series> = families.iter().zip(colors).map(family).collect();
            if let Some(line) = self.experiment.skyline.as_deref().and_then(line) {
                let color = palette::of_methods(&["skyline"])[0];
                let name = "task reward (skyline)".to_string();
                series.push(Series { name, color, mark: Mark::Level, points: vec![point(line)] });
            }
            let of = if task.is_empty() { self.experiment.title.as_str() } else { task };
            Content::Panel(Panel {
                title: format!("{of}: {} after training", self.experiment.metric.title()),
                x: "comparisons asked (logarithmic)".into(),
                scale: Scale::Log,
                series,
            })
        });
        Sheet { heading: String::new(), rows: panels.map(|panel| vec![panel]).collect() }
    }
}
