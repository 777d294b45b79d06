//! What is drawn of an analysis.

use super::climb::Reward;
use super::parting::Step;
use super::{Analysis, Bin, OverRuns};
use crate::evaluate::plot::points::{Mark, Panel, Point, Series};

/// The panels that have anything to show.
pub(super) fn of(all: &[Analysis]) -> Vec<Panel> {
    let panel = |title: &str, x, series: &dyn Fn(&Analysis, usize) -> Vec<Series>| {
        let series: Vec<Series> = all.iter().enumerate().flat_map(|(entry, a)| series(a, entry)).collect();
        Panel {
            title: title.into(),
            x,
            series: series.into_iter().filter(|s| !s.points.is_empty()).collect(),
        }
    };
    let panels = [
        panel(
            "calibration: share of predicted sides that won",
            "expected share (dashed: calibrated)",
            &|a, entry| binned(&a.by_gap, entry, |bin| bin.expected),
        ),
        panel("accuracy; dashed: expected", "bin by the lower score of the pair", &|a, entry| {
            binned(&a.by_lower_score, entry, |bin| bin.place as f64)
        }),
        panel("score by the reward model, last round", "√KL(π ‖ π₀), √nats", &|a, entry| {
            climbed(a, Reward::Score, entry)
        }),
        panel("task return, last round", "√KL(π ‖ π₀), √nats", &|a, entry| {
            climbed(a, Reward::Return, entry)
        }),
        panel(
            "score by the model trained on; dashed: by the other half's, last round",
            "environment steps",
            &parted,
        ),
    ];
    panels.into_iter().filter(|panel| !panel.series.is_empty()).collect()
}

/// Observed shares with their intervals, and the expected ones.
fn binned(bins: &[Bin], entry: usize, x: fn(&Bin) -> f64) -> Vec<Series> {
    let observed = bins.iter().map(|b| [x(b), b.observed, b.low, b.high]).collect();
    let expected = bins.iter().map(|b| [x(b), b.expected, b.expected, b.expected]).collect();
    vec![
        Series { entry, mark: Mark::Bars, points: observed },
        Series { entry, mark: Mark::Dashes, points: expected },
    ]
}

/// Every run's iterations, and the line of mean intercept and slope.
fn climbed(a: &Analysis, reward: Reward, entry: usize) -> Vec<Series> {
    let steps = || a.climbs.iter().flat_map(|climb| climb.last_round());
    let dot = |x: f64, y: f64| [x, y, y, y];
    let dots: Vec<Point> = steps().filter_map(|s| Some(dot(s.root_kl, reward.of(s)?))).collect();
    let far = dots.iter().map(|p| p[0]).fold(0.0, f64::max);
    let fits: Vec<_> = a.climbs.iter().filter_map(|climb| climb.last_fit(reward)).map(|f| f.line).collect();
    let mean =
        |of: fn(&spo::base::stats::Line) -> f64| OverRuns::of(&fits.iter().map(of).collect::<Vec<_>>());
    let mut series = vec![Series { entry, mark: Mark::Dots, points: dots }];
    if let (Some(intercept), Some(slope)) = (mean(|l| l.intercept), mean(|l| l.slope)) {
        let at = |x: f64| dot(x, intercept.mean + slope.mean * x);
        series.push(Series { entry, mark: Mark::Line, points: vec![at(0.0), at(far)] });
    }
    series
}

/// Running means over runs, as far as every run goes, and where each run's models part.
fn parted(a: &Analysis, entry: usize) -> Vec<Series> {
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
        Series { entry, mark: Mark::Line, points: over_runs(|s| s.train_mean) },
        Series { entry, mark: Mark::Dashes, points: over_runs(|s| s.test_mean) },
        Series { entry, mark: Mark::Bars, points: points.filter_map(dot).collect() },
    ]
}
