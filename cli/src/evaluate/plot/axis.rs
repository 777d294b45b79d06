//! The scale of an axis: maps numbers to pixels, and chooses the round numbers for its labels.

use std::ops::Range;

/// How numbers are laid out along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Equal differences are equally far apart.
    Linear,
    /// Equal ratios are equally far apart; numbers of 0 or less cannot be shown.
    Log,
}

/// An axis: the numbers from `low` to `high`, drawn from the pixel `from` to the pixel `to`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
    from: i32,
    to: i32,
}

/// A tick of an axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    pub value: f64,
    /// The label; empty for a tick without a label.
    pub label: String,
}

impl Axis {
    /// An axis that contains all the numbers, with a margin of a twentieth. Without numbers it is from 0 to 1, or from 1 to 10.
    pub fn new(scale: Scale, numbers: impl Iterator<Item = f64>, pixels: Range<i32>) -> Self {
        let held = |n: &f64| n.is_finite() && (scale == Scale::Linear || *n > 0.0);
        let ends = numbers.filter(held).map(|n| (n, n));
        let ends = ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let (low, high) = match scale {
            Scale::Linear => {
                let (low, high) = ends.unwrap_or((0.0, 1.0));
                let margin = ((high - low) * 0.05).max(1e-6).max(high.abs() * 1e-3);
                (low - margin, high + margin)
            }
            Scale::Log => {
                let (low, high) = ends.unwrap_or((1.0, 10.0));
                let margin = ((high / low).ln() * 0.05).max(0.1).exp();
                (low / margin, high * margin)
            }
        };
        Self { scale, low, high, from: pixels.start, to: pixels.end }
    }

    /// The axis from exactly its least number, without a margin below it.
    pub fn starting_at(self, low: f64) -> Self {
        Self { low, ..self }
    }

    /// The ends, in numbers.
    pub fn ends(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    /// Whether the number can be shown on the axis.
    pub fn holds(&self, x: f64) -> bool {
        (self.low..=self.high).contains(&x)
    }

    /// The pixel of a number.
    pub fn at(&self, x: f64) -> i32 {
        let share = match self.scale {
            Scale::Linear => (x - self.low) / (self.high - self.low),
            Scale::Log => (x / self.low).ln() / (self.high / self.low).ln(),
        };
        self.from + (share * f64::from(self.to - self.from)).round() as i32
    }

    /// About `about` round numbers within the axis. A logarithmic axis has powers of ten and, if these are few, also 2 and 5.
    pub fn ticks(&self, about: usize) -> Vec<Tick> {
        match self.scale {
            Scale::Linear => self.linear_ticks(about),
            Scale::Log => self.log_ticks(about),
        }
    }

    fn linear_ticks(&self, about: usize) -> Vec<Tick> {
        let least = (self.high - self.low) / about as f64;
        let power = 10f64.powf(least.log10().floor());
        // A few more are better than a single one.
        let step = [1.0, 2.0, 5.0].map(|m| m * power).into_iter().find(|step| *step >= 0.75 * least);
        let step = step.unwrap_or(10.0 * power);
        let (first, last) = ((self.low / step).ceil() as i64, (self.high / step).floor() as i64);
        let values: Vec<f64> = (first..=last).map(|k| k as f64 * step).collect();
        let largest = values.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
        // Use one unit for the whole axis, so that 8000 does not appear next to 10k.
        let (unit, name) = unit_of(largest);
        let label = |value: f64| match value == 0.0 {
            true => "0".to_string(),
            false => format!("{}{name}", rounded(value / unit)),
        };
        values.into_iter().map(|value| Tick { value, label: label(value) }).collect()
    }

    fn log_ticks(&self, about: usize) -> Vec<Tick> {
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        let powers = (first..=last).filter(|k| self.holds(10f64.powi(*k))).count();
        let labelled = |digit: u32, power: i32| match powers {
            0..=1 => [1, 2, 5].contains(&digit),
            n if n > about => digit == 1 && power.rem_euclid(2) == 0,
            _ => digit == 1,
        };
        let all = (first..=last).flat_map(|power| (1..10).map(move |digit| (digit, power)));
        all.map(|(digit, power)| (digit, power, f64::from(digit) * 10f64.powi(power)))
            .filter(|(.., value)| self.holds(*value))
            .map(|(digit, power, value)| {
                let label = if labelled(digit, power) { short(value) } else { String::new() };
                Tick { value, label }
            })
            .collect()
    }
}

/// The unit that makes a number short, and its symbol.
fn unit_of(x: f64) -> (f64, &'static str) {
    match x.abs() {
        a if a >= 1e9 => (1e9, "G"),
        a if a >= 1e6 => (1e6, "M"),
        a if a >= 1e4 => (1e3, "k"),
        _ => (1.0, ""),
    }
}

/// Without the last digits: multiples of a tenth are not exact in binary.
fn rounded(x: f64) -> f64 {
    (x * 1e9).round() / 1e9
}

/// 1500000 as "1.5M", 20 as "20".
fn short(x: f64) -> String {
    let (unit, name) = unit_of(x);
    format!("{}{name}", rounded(x / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: Axis, about: usize) -> Vec<String> {
        axis.ticks(about).into_iter().map(|t| t.label).filter(|label| !label.is_empty()).collect()
    }

    fn axis(scale: Scale, ends: [f64; 2]) -> Axis {
        Axis::new(scale, ends.into_iter(), 0..100)
    }

    #[test]
    fn numbers_are_round_and_have_no_needless_decimals() {
        assert_eq!(
            labels(axis(Scale::Linear, [0.0, 480e3]), 5),
            ["0", "100k", "200k", "300k", "400k", "500k"]
        );
        assert_eq!(labels(axis(Scale::Linear, [-1600.0, -150.0]), 5), ["-1500", "-1000", "-500"]);
        assert_eq!(labels(axis(Scale::Linear, [0.0, 1.0]), 5), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(labels(axis(Scale::Linear, [0.0, 1.28e6]), 4), ["0", "0.5M", "1M"]);
        // One unit along an axis.
        assert_eq!(labels(axis(Scale::Linear, [0.0, 12e3]), 5), ["0", "2k", "4k", "6k", "8k", "10k", "12k"]);
        // A single number has an axis around it.
        assert!(
            axis(Scale::Linear, [3.0, 3.0]).holds(3.0)
                && !labels(axis(Scale::Linear, [3.0; 2]), 5).is_empty()
        );
    }

    #[test]
    fn a_logarithmic_axis_gives_equal_ratios_equal_room() {
        let queries = axis(Scale::Log, [100.0, 1e6]);
        let at = [100.0, 1e3, 1e4, 1e5, 1e6].map(|x| queries.at(x));
        let gaps: Vec<i32> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
        // Four powers of ten in 100 pixels with a margin of a twentieth at each end: 100 / 1.1 / 4 = 22.7 each.
        assert!(gaps.iter().all(|gap| (22..=23).contains(gap)), "{gaps:?}");
        assert_eq!(labels(queries, 6), ["100", "1000", "10k", "100k", "1M"]);
        // Marks at 200, 300, … have no number beside them.
        // From 63 on, the margin below 100: at 70, 80 and 90, nine a power of ten, and at a million.
        assert_eq!(queries.ticks(6).len(), 3 + 4 * 9 + 1);
        // Within a power of ten, 2 and 5 have one; over very many, every second.
        assert_eq!(labels(axis(Scale::Log, [60.0, 300.0]), 6), ["100", "200"]);
        assert_eq!(labels(axis(Scale::Log, [1.0, 1e8]), 6), ["1", "100", "10k", "1M", "100M"]);
        assert_eq!(labels(axis(Scale::Log, [0.02, 3.0]), 6), ["0.1", "1"]);
        // Zero queries cannot be shown on a logarithmic axis.
        assert!(!queries.holds(0.0));
        assert_eq!(axis(Scale::Log, [0.0, -1.0]).ends().0.round(), 1.0);
    }
}
