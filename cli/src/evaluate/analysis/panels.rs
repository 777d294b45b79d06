//! What is drawn of an analysis.

use plotters::style::RGBColor;

use super::climb::Reward;
use super::parting::Step;
use super::{Analysis, Bin, OverRuns};
use crate::evaluate::plot::axis::Scale;
use crate::evaluate::plot::palette;
use crate::evaluate::plot::panel::{Mark, Panel, Point, Series};
use crate::evaluate::plot::sheet::{Content, Sheet};

/// A picture of the panels that have anything to show.
pub(super) fn sheet(all: &[Analysis]) -> Sheet {
    // A single analysis needs no name beside every panel.
    let heading = if let [only] = all { only.name.clone() } else { String::new() };
    let panel = |title: &str, x: &str, series: &dyn Fn(&Analysis, Pen<'_>) -> Vec<Series>| {
        let drawn = |(entry, a): (usize, &Analysis)| {
            let name = if heading.is_empty() { a.name.clone() } else { String::new() };
            let series = series(a, Pen { name: &name, color: palette::nth(entry) });
            series.into_iter().filter(|s| !s.points.is_empty()).collect::<Vec<_>>()
        };
        let series = all.iter().enumerate().flat_map(drawn).collect();
        Panel { title: title.into(), x: x.into(), scale: Scale::Linear, series }
    };
    let panels = [
        panel(
            "calibration: share of predicted sides that won",
            "expected share (dashed: calibrated)",
            &|a, pen| binned(&a.by_gap, pen, |bin| bin.expected),
        ),
        panel("accuracy; dashed: expected", "bin by the lower score of the pair", &|a, pen| {
            binned(&a.by_lower_score, pen, |bin| bin.place as f64)
        }),
        panel("score by the reward model, last round", "√KL(π ‖ π₀), √nats", &|a, pen| {
            climbed(a, Reward::Score, pen)
        }),
        panel("task return, last round", "√KL(π ‖ π₀), √nats", &|a, pen| {
            climbed(a, Reward::Return, pen)
        }),
        panel(
            "score by the model trained on; dashed: by the other half's, last round",
            "environment steps",
            &parted,
        ),
    ];
    let shown = panels.into_iter().filter(|panel| !panel.series.is_empty());
    Sheet { heading: heading.clone(), ..Sheet::in_pairs(shown.map(Content::Panel).collect()) }
}

/// How the series of an analysis look.
#[derive(Clone, Copy)]
struct Pen<'a> {
    name: &'a str,
    color: RGBColor,
}

impl Pen<'_> {
    /// The series by which the analysis is named.
    fn named(self, mark: Mark, points: Vec<Point>) -> Series {
        Series { name: self.name.into(), ..self.plain(mark, points) }
    }

    fn plain(self, mark: Mark, points: Vec<Point>) -> Series {
        Series { name: String::new(), color: self.color, mark, points }
    }
}

/// Observed shares with their intervals, and the expected ones.
fn binned(bins: &[Bin], pen: Pen<'_>, x: fn(&Bin) -> f64) -> Vec<Series> {
    let observed = bins.iter().map(|b| [x(b), b.observed, b.low, b.high]).collect();
    let expected = bins.iter().map(|b| [x(b), b.expected, b.expected, b.expected]).collect();
    vec![pen.named(Mark::Bars, observed), pen.plain(Mark::Dashes, expected)]
}

/// Every run's iterations, and the line of mean intercept and slope.
fn climbed(a: &Analysis, reward: Reward, pen: Pen<'_>) -> Vec<Series> {
    let steps = || a.climbs.iter().flat_map(|climb| climb.last_round());
    let dot = |x: f64, y: f64| [x, y, y, y];
    let dots: Vec<Point> = steps().filter_map(|s| Some(dot(s.root_kl, reward.of(s)?))).collect();
    let far = dots.iter().map(|p| p[0]).fold(0.0, f64::max);
    let fits: Vec<_> = a.climbs.iter().filter_map(|climb| climb.last_fit(reward)).map(|f| f.line).collect();
    let mean =
        |of: fn(&spo::base::stats::Line) -> f64| OverRuns::of(&fits.iter().map(of).collect::<Vec<_>>());
    let mut series = vec![pen.named(Mark::Dots, dots)];
    if let (Some(intercept), Some(slope)) = (mean(|l| l.intercept), mean(|l| l.slope)) {
        let at = |x: f64| dot(x, intercept.mean + slope.mean * x);
        series.push(pen.plain(Mark::Line, vec![at(0.0), at(far)]));
    }
    series
}

/// Running means over runs, as far as every run goes, and where each run's models part.
fn parted(a: &Analysis, pen: Pen<'_>) -> Vec<Series> {
    let courses: Vec<_> = a.last_courses().collect();
    let rows = courses.iter().map(|c| c.steps.len()).min().unwrap_or(0);
    let over_runs = |of: fn(&Step) -> Option<f64>| -> Vec<Point> {
        let point = |row: usize| {
            let values: Vec<f64> = courses.iter().filter_map(|c| of(&c.steps[row])).collect();
            let steps: Vec<f64> = courses.iter().map(|c| c.steps[row].env_steps as f64).collect();
            let OverRuns { mean, half } = OverRuns::of(&values)?;
            Some([spo::base::stats::mean(&steps), mean, mean - half, mean + half])
        };
        (0..rows).filter_map(point).collect()
    };
    let points = courses.iter().filter_map(|c| Some(&c.steps[c.parts_at?]));
    let dot = |s: &Step| Some([s.env_steps as f64, s.test_mean?, s.test_mean?, s.test_mean?]);
    vec![
        pen.named(Mark::Line, over_runs(|s| s.train_mean)),
        pen.plain(Mark::Dashes, over_runs(|s| s.test_mean)),
        pen.plain(Mark::Bars, points.filter_map(dot).collect()),
    ]
}
