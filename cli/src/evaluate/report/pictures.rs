//! The pictures of a report: training curves, and the metrics of every cell.

use plotters::style::RGBColor;

use super::figures::{Estimate, Line};
use super::{CellReport, Report};
use crate::evaluate::experiment::{MOST_PICTURED, Metric};
use crate::evaluate::plot::curves::{self, Curve, Sample};
use crate::evaluate::plot::dots::{Dot, Dots};
use crate::evaluate::plot::palette;
use crate::evaluate::plot::sheet::{Content, Sheet};
use crate::evaluate::report::runs::CurvePoint;
use spo::train::config::ScorerKind;

/// The picture of curves.
pub(super) const CURVES: &str = "report.svg";
/// The picture of the metrics.
pub(super) const MEASURES: &str = "measures.svg";

impl Report {
    /// The methods whose curves are drawn: those in the experiment's `pictured`; without it the skyline, the references and the
    /// first other methods, in the experiment's order.
    pub(super) fn pictured(&self) -> Vec<&str> {
        let experiment = &self.experiment;
        let all = self.methods();
        let first = experiment.skyline.iter().chain(&experiment.reference).map(String::as_str);
        let mut chosen: Vec<&str> = match experiment.pictured.is_empty() {
            false => experiment.pictured.iter().map(String::as_str).collect(),
            true => super::in_order(first.chain(all.iter().copied())),
        };
        chosen.truncate(MOST_PICTURED);
        all.into_iter().filter(|method| chosen.contains(method)).collect()
    }

    /// The colour of a method. It is the same in every picture of the report, and for known methods in all reports.
    pub(super) fn color(&self, method: &str) -> RGBColor {
        let pictured = self.pictured();
        let place = |methods: &[&str]| methods.iter().position(|name| *name == method);
        // Drawn methods come first, so that no two lines of a panel have the same colour.
        if let Some(place) = place(&pictured) {
            return palette::of_methods(&pictured)[place];
        }
        let all = self.methods();
        palette::of_methods(&all)[place(&all).unwrap_or(0)]
    }

    /// A row of panels for each task: training returns and, if they are measured, costs.
    pub(super) fn curves(&self) -> Sheet {
        let mut rows = Vec::new();
        let mut draw = |task: &str, what: &str, value: fn(&CurvePoint) -> f64| {
            let title = if task.is_empty() { what.to_string() } else { format!("{task}: {what}") };
            let cells = self.pictured().into_iter().filter_map(|method| self.cell(task, method));
            let curves: Vec<Curve> = cells.map(|cell| self.curve(cell, value)).collect();
            if !curves.is_empty() {
                rows.push(curves::row(&title, &curves, true));
            }
        };
        for task in self.tasks() {
            draw(task, "training return", |point| point.return_mean);
            if self.has_costs() {
                draw(task, "cost of an episode", |point| point.cost_mean);
            }
        }
        Sheet { rows, ..Sheet::default() }
    }

    fn curve(&self, cell: &CellReport, value: fn(&CurvePoint) -> f64) -> Curve {
        let sample = |p: &CurvePoint| Sample {
            iteration: p.iteration,
            env_steps: p.env_steps,
            queries: p.queries,
            value: value(p),
        };
        let method = cell.cell.method.as_str();
        Curve {
            name: method.into(),
            color: self.color(method),
            dashed: cell.cell.config.scorer == ScorerKind::TaskReward,
            runs: cell.runs.iter().map(|run| run.curve.iter().map(sample).collect()).collect(),
        }
    }

    /// Whether the experiment measures anything other than returns, which are drawn as curves.
    pub(super) fn has_measures(&self) -> bool {
        self.measures() != [Metric::EvalReturn]
    }

    /// A panel for each task and metric: the methods' interquartile means with intervals, one below the other.
    pub(super) fn measured(&self, lines: &[Line]) -> Sheet {
        let mut panels = Vec::new();
        for task in self.tasks() {
            for (place, measure) in self.measures().into_iter().enumerate() {
                let rows = self.methods().into_iter().filter_map(|method| {
                    let name = &self.cell(task, method)?.cell.name;
                    let line = lines.iter().find(|line| line.cell == *name)?;
                    let Estimate { value, interval } =
                        if place == 0 { line.iqm } else { line.also[place - 1] };
                    let interval = interval.map_or((value, value), |i| (i.low, i.high));
                    Some(Dot { name: method.into(), color: self.color(method), value, interval })
                });
                let of = if task.is_empty() { String::new() } else { format!("{task}: ") };
                panels.push(Content::Dots(Dots { title: of + measure.title(), rows: rows.collect() }));
            }
        }
        Sheet::in_pairs(panels)
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::evaluate::experiment::Experiment;

    #[test]
    fn a_method_has_the_same_colour_in_every_experiment_of_the_repository() {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../experiments"));
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let toml = path.extension().is_some_and(|e| e == "toml");
            let Some(experiment) = Experiment::from_file(&path, false).ok().filter(|_| toml) else {
                continue;
            };
            let cells = experiment.cells(&path).unwrap();
            let cells = cells.into_iter().map(|cell| CellReport { cell, runs: Vec::new() }).collect();
            let report = Report {
                dir: PathBuf::new(),
                experiment,
                cells,
                missing: Vec::new(),
                failed: Vec::new(),
                games: Vec::new(),
            };
            let pictured = report.pictured();
            assert!((1..=MOST_PICTURED).contains(&pictured.len()), "{path:?}: {pictured:?}");
            let colors: Vec<RGBColor> = pictured.iter().map(|method| report.color(method)).collect();
            for (place, method) in pictured.iter().enumerate() {
                assert!(!colors[..place].contains(&colors[place]), "{path:?}: {method} shares a colour");
                if let Some(own) = palette::own_exactly(method) {
                    assert_eq!(colors[place], palette::COLORS[own], "{path:?}: {method}");
                }
            }
        }
    }
}
