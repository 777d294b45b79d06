//! Curves of runs that differ only in their seed: their mean with its interval, against steps and against queries.

use plotters::style::RGBColor;

use super::axis::Scale;
use super::panel::{Mark, Panel, Point, Series};
use super::sheet::Content;
use spo::base::stats;

/// A number from an iteration of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    /// The iteration, from 1.
    pub iteration: u64,
    /// Environment steps so far.
    pub env_steps: u64,
    /// Comparisons queried so far.
    pub queries: u64,
    /// The number that is drawn.
    pub value: f64,
}

/// Runs that differ only in their seed.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    /// Its name next to the panels; empty if the sheet's heading has it.
    pub name: String,
    pub color: RGBColor,
    /// Whether it is drawn with dashes.
    pub dashed: bool,
    /// The samples of each run.
    pub runs: Vec<Vec<Sample>>,
}

/// The horizontal axis of a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Along {
    Steps,
    Queries,
}

impl Along {
    fn value(self, sample: &Sample) -> f64 {
        match self {
            Self::Steps => sample.env_steps as f64,
            Self::Queries => sample.queries as f64,
        }
    }
}

impl Curve {
    /// Whether any of its runs makes queries. Otherwise it has no curve against queries.
    fn asks(&self) -> bool {
        self.runs.iter().flatten().any(|sample| sample.queries > 0)
    }

    /// Mean and 95 % interval over the runs, at the iterations that all of them have.
    fn points(&self, along: Along) -> Vec<Point> {
        let Some((first, others)) = self.runs.split_first() else { return Vec::new() };
        let at = |run: &Vec<Sample>, iteration| {
            run.binary_search_by_key(&iteration, |s| s.iteration).ok().map(|place| run[place])
        };
        let of_all = |sample: &Sample| {
            let rest = others.iter().map(|run| at(run, sample.iteration));
            std::iter::once(Some(*sample)).chain(rest).collect::<Option<Vec<Sample>>>()
        };
        let point = |samples: Vec<Sample>| {
            let [x, y] = [samples.iter().map(|s| along.value(s)).collect(), values(&samples)]
                .map(|numbers: Vec<f64>| (stats::mean(&numbers), stats::ci95(&numbers)));
            [x.0, y.0, y.0 - y.1, y.0 + y.1]
        };
        let mut points: Vec<Point> = first.iter().filter_map(of_all).map(point).collect();
        // Several iterations can have the same number of queries; keep the last one before the next queries.
        points.dedup_by(|later, earlier| {
            let same = later[0] == earlier[0];
            if same {
                *earlier = *later;
            }
            same
        });
        points
    }

    fn series(&self, along: Along) -> Series {
        let (name, color) = (self.name.clone(), self.color);
        let points = self.points(along);
        match along == Along::Queries && !self.asks() {
            // A curve without queries is drawn as a level: its value at the end.
            true => Series {
                name,
                color,
                mark: Mark::Level,
                points: points.last().copied().into_iter().collect(),
            },
            false => {
                let mark = if self.dashed { Mark::Dashes } else { Mark::Line };
                Series { name, color, mark, points }
            }
        }
    }
}

fn values(samples: &[Sample]) -> Vec<f64> {
    samples.iter().map(|s| s.value).collect()
}

/// A row of panels: the curves against environment steps and, if any of them makes queries, against queries. `levels` says
/// whether curves without queries are drawn there as a level at their last value.
pub(crate) fn row(title: &str, curves: &[Curve], levels: bool) -> Vec<Content> {
    let panel = |x: &str, scale, along, curves: Vec<&Curve>| {
        let series: Vec<Series> = curves.into_iter().map(|curve| curve.series(along)).collect();
        Content::Panel(Panel { title: title.into(), x: x.into(), scale, series })
    };
    let mut panels = vec![panel("environment steps", Scale::Linear, Along::Steps, curves.iter().collect())];
    if curves.iter().any(Curve::asks) {
        let drawn = curves.iter().filter(|curve| levels || curve.asks()).collect();
        panels.push(panel("comparisons (logarithmic)", Scale::Log, Along::Queries, drawn));
    }
    panels
}

#[cfg(test)]
mod tests {
    use super::super::palette;
    use super::*;

    fn curve(runs: &[&[(u64, u64, f64)]]) -> Curve {
        let sample = |&(iteration, queries, value): &(u64, u64, f64)| Sample {
            iteration,
            env_steps: 100 * iteration,
            queries,
            value,
        };
        let runs = runs.iter().map(|run| run.iter().map(sample).collect()).collect();
        Curve { name: "a".into(), color: palette::nth(0), dashed: false, runs }
    }

    #[test]
    fn runs_are_averaged_at_the_iterations_that_all_have() {
        let of = curve(&[
            &[(1, 10, 1.0), (3, 30, 3.0), (4, 40, 9.0)],
            &[(1, 12, 2.0), (2, 20, 0.0), (3, 34, 5.0)],
        ]);
        let points: Vec<[f64; 2]> = of.points(Along::Queries).iter().map(|p| [p[0], p[1]]).collect();
        assert_eq!(points, [[11.0, 1.5], [32.0, 4.0]]);
    }

    #[test]
    fn of_iterations_with_as_many_queries_the_last_is_drawn() {
        let of = curve(&[&[(1, 10, 1.0), (2, 10, 3.0), (3, 20, 4.0)]]);
        let points = |along| of.points(along).iter().map(|p| [p[0], p[1]]).collect::<Vec<_>>();
        assert_eq!(points(Along::Queries), [[10.0, 3.0], [20.0, 4.0]]);
        assert_eq!(points(Along::Steps).len(), 3);
    }

    #[test]
    fn queries_are_on_a_logarithmic_axis_and_who_asks_nobody_is_a_level() {
        let asks = curve(&[&[(1, 10, 1.0), (2, 20, 2.0)]]);
        let skyline = Curve { dashed: true, ..curve(&[&[(1, 0, 5.0), (2, 0, 7.0)]]) };
        let panels: Vec<Panel> = (row("return", &[asks.clone(), skyline.clone()], true).into_iter())
            .filter_map(|content| if let Content::Panel(panel) = content { Some(panel) } else { None })
            .collect();
        assert_eq!(panels.iter().map(|p| p.scale).collect::<Vec<_>>(), [Scale::Linear, Scale::Log]);
        assert_eq!(panels[0].series[1].mark, Mark::Dashes);
        assert_eq!((panels[1].series[1].mark, panels[1].series[1].points.len()), (Mark::Level, 1));
        assert_eq!(panels[1].series[1].points[0][1], 7.0, "where it ended");
        assert_eq!(row("return", &[skyline], true).len(), 1, "there are no queries");
    }
}
