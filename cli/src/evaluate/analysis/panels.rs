//! The panels of an analysis.

use plotters::style::RGBColor;

use super::over_optimisation::Step;
use super::reward_vs_kl::Reward;
use super::{Analysis, Bin, OverRuns};
use crate::evaluate::plot::axis::Scale;
use crate::evaluate::plot::palette;
use crate::evaluate::plot::panel::{Mark, Panel, Point, Series};
use crate::evaluate::plot::sheet::{Content, Sheet};

/// A picture of all panels that have data.
pub(super) fn sheet(all: &[Analysis]) -> Sheet {
    // A single analysis needs no name beside every panel.
    let heading = if let [only] = all { only.name.clone() } else { String::new() };
    let panel = |title: &str, x: &str, series: &dyn Fn(&Analysis, Style<'_>) -> Vec<Series>| {
        let drawn = |(entry, a): (usize, &Analysis)| {
            let name = if heading.is_empty() { a.name.clone() } else { String::new() };
            let series = series(a, Style { name: &name, color: palette::nth(entry) });
            series.into_iter().filter(|s| !s.points.is_empty()).collect::<Vec<_>>()
        };
        let series = all.iter().enumerate().flat_map(drawn).collect();
        Panel { title: title.into(), x: x.into(), scale: Scale::Linear, series }
    };
    let panels = [
        panel(
            "calibration: share of predicted sides that won",
            "expected share (dashed: calibrated)",
            &|a, style| binned(&a.by_gap, style, |bin| bin.expected),
        ),
        panel("accuracy; dashed: expected", "bin by the lower score of the pair", &|a, style| {
            binned(&a.by_lower_score, style, |bin| bin.place as f64)
        }),
        panel("score by the reward model, last round", "√KL(π ‖ π₀), √nats", &|a, style| {
            reward_vs_kl(a, Reward::Score, style)
        }),
        panel("task return, last round", "√KL(π ‖ π₀), √nats", &|a, style| {
            reward_vs_kl(a, Reward::Return, style)
        }),
        panel(
            "score by the model trained on; dashed: by the other half's, last round",
            "environment steps",
            &over_optimisation,
        ),
    ];
    let shown = panels.into_iter().filter(|panel| !panel.series.is_empty());
    Sheet { heading: heading.clone(), ..Sheet::in_pairs(shown.map(Content::Panel).collect()) }
}

/// How the series of an analysis look.
#[derive(Clone, Copy)]
struct Style<'a> {
    name: &'a str,
    color: RGBColor,
}

impl Style<'_> {
    /// A series that carries the analysis' name.
    fn named(self, mark: Mark, points: Vec<Point>) -> Series {
        Series { name: self.name.into(), ..self.plain(mark, points) }
    }

    fn plain(self, mark: Mark, points: Vec<Point>) -> Series {
        Series { name: String::new(), color: self.color, mark, points }
    }
}

/// Observed shares with their intervals, and the expected ones.
fn binned(bins: &[Bin], style: Style<'_>, x: fn(&Bin) -> f64) -> Vec<Series> {
    let observed = bins.iter().map(|b| [x(b), b.observed, b.low, b.high]).collect();
    let expected = bins.iter().map(|b| [x(b), b.expected, b.expected, b.expected]).collect();
    vec![style.named(Mark::Bars, observed), style.plain(Mark::Dashes, expected)]
}

/// Every run's iterations, and the line of mean intercept and slope.
fn reward_vs_kl(a: &Analysis, reward: Reward, style: Style<'_>) -> Vec<Series> {
    let steps = || a.reward_vs_kl.iter().flat_map(|curve| curve.last_round());
    let dot = |x: f64, y: f64| [x, y, y, y];
    let dots: Vec<Point> = steps().filter_map(|s| Some(dot(s.root_kl, reward.value(s)?))).collect();
    let far = dots.iter().map(|p| p[0]).fold(0.0, f64::max);
    let fits: Vec<_> =
        a.reward_vs_kl.iter().filter_map(|curve| curve.last_fit(reward)).map(|f| f.line).collect();
    let mean = |of: fn(&spo::base::stats::Line) -> f64| {
        OverRuns::from_values(&fits.iter().map(of).collect::<Vec<_>>())
    };
    let mut series = vec![style.named(Mark::Dots, dots)];
    if let (Some(intercept), Some(slope)) = (mean(|l| l.intercept), mean(|l| l.slope)) {
        let at = |x: f64| dot(x, intercept.mean + slope.mean * x);
        series.push(style.plain(Mark::Line, vec![at(0.0), at(far)]));
    }
    series
}

/// Running means over runs, up to the length of the shortest run, and where each run's models begin to diverge.
fn over_optimisation(a: &Analysis, style: Style<'_>) -> Vec<Series> {
    let rounds: Vec<_> = a.last_rounds().collect();
    let rows = rounds.iter().map(|c| c.steps.len()).min().unwrap_or(0);
    let over_runs = |of: fn(&Step) -> Option<f64>| -> Vec<Point> {
        let point = |row: usize| {
            let values: Vec<f64> = rounds.iter().filter_map(|c| of(&c.steps[row])).collect();
            let steps: Vec<f64> = rounds.iter().map(|c| c.steps[row].env_steps as f64).collect();
            let OverRuns { mean, half } = OverRuns::from_values(&values)?;
            Some([spo::base::stats::mean(&steps), mean, mean - half, mean + half])
        };
        (0..rows).filter_map(point).collect()
    };
    let points = rounds.iter().filter_map(|c| Some(&c.steps[c.diverge_at?]));
    let dot = |s: &Step| Some([s.env_steps as f64, s.test_mean?, s.test_mean?, s.test_mean?]);
    vec![
        style.named(Mark::Line, over_runs(|s| s.train_mean)),
        style.plain(Mark::Dashes, over_runs(|s| s.test_mean)),
        style.plain(Mark::Bars, points.filter_map(dot).collect()),
    ]
}
