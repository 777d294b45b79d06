//! A trajectory as a few named numbers, which a language model reads.

use std::fmt::Write;

use serde::Deserialize;
use spo_envs::Spec;

use crate::rollout::Trajectory;

/// A number with a name: entries of the observation or action at every step, reduced over time.
///
/// ```toml
/// [[summary]]
/// name = "mean speed"
/// unit = "m/s"
/// obs = [2, 3]
/// take = "mean"
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Its name, which the model reads.
    pub name: String,
    /// Its unit; empty for a share, which is in per cent.
    #[serde(default)]
    pub unit: String,
    /// Indices into the observation: the value of one entry, or the Euclidean norm of several.
    #[serde(default)]
    pub obs: Vec<usize>,
    /// Indices into the action, likewise.
    #[serde(default)]
    pub action: Vec<usize>,
    /// The task's own reward or cost, which no built-in template shows.
    #[serde(default)]
    pub signal: Option<Signal>,
    /// How the values of the steps become one.
    pub take: Reduction,
    /// The threshold of `share_above` and `share_below`.
    #[serde(default)]
    pub threshold: Option<f64>,
}

/// The task's own signal of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// The task reward.
    Reward,
    /// The safety cost.
    Cost,
}

/// How the values x₁ … x_T of the steps become one; of observations, x_t is the one after step t.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// (Σ x_t) / T
    #[default]
    Mean,
    /// min x_t
    Min,
    /// max x_t
    Max,
    /// For observations, the one before the first step; otherwise x₁.
    First,
    /// x_T
    Final,
    /// Final minus first.
    Change,
    /// Σ x_t
    Sum,
    /// (Σ |x_t|) / T
    MeanAbs,
    /// Share of the steps with x_t > threshold.
    ShareAbove,
    /// Share of the steps with x_t < threshold.
    ShareBelow,
}

impl Summary {
    /// Checks it against a task's observations and actions.
    ///
    /// # Errors
    /// What is wrong, and how to correct it.
    pub fn check(&self, task: &Spec) -> Result<(), String> {
        let fail = |why: String| Err(format!("summary `{}`: {why}", self.name));
        if self.name.trim().is_empty() || self.name.contains(['\n', '\r']) {
            return fail("`name` is empty or has more than one line".into());
        }
        let sources = [!self.obs.is_empty(), !self.action.is_empty(), self.signal.is_some()];
        if sources.iter().filter(|there| **there).count() != 1 {
            return fail("expected one of `obs`, `action` and `signal`, such as obs = [0, 1]".into());
        }
        for (part, places, width) in
            [("obs", &self.obs, task.obs_dim), ("action", &self.action, task.action.dim())]
        {
            if let Some(place) = places.iter().find(|place| **place >= width) {
                return fail(format!(
                    "`{part}` has index {place}, but `{}` has indices 0 to {}",
                    task.id,
                    width - 1
                ));
            }
        }
        let shares = matches!(self.take, Reduction::ShareAbove | Reduction::ShareBelow);
        match self.threshold {
            Some(threshold) if !(shares && threshold.is_finite()) => fail(
                "`threshold` must be a finite number, and only share_above and share_below have one".into(),
            ),
            None if shares => fail("a share needs a `threshold`".into()),
            _ if shares && !self.unit.is_empty() => fail("a share is in per cent; leave `unit` out".into()),
            _ => Ok(()),
        }
    }

    /// Its value on a trajectory of at least one step.
    pub fn value(&self, t: Trajectory<'_>) -> f64 {
        let (steps, obs_dim) = (t.len(), t.final_obs.len());
        let entry = |row: &[f32], places: &[usize]| match places {
            [one] => f64::from(row[*one]),
            many => many.iter().map(|&i| f64::from(row[i]).powi(2)).sum::<f64>().sqrt(),
        };
        // The value before the first step, if there is one, and those after or in each step.
        let (first, values): (Option<f64>, Vec<f64>) = if !self.obs.is_empty() {
            let rows = t.obs.chunks_exact(obs_dim).chain([t.final_obs]);
            let mut values = rows.map(|row| entry(row, &self.obs));
            (values.next(), values.collect())
        } else if !self.action.is_empty() {
            let rows = t.actions.chunks_exact(t.actions.len() / steps);
            (None, rows.map(|row| entry(row, &self.action)).collect())
        } else {
            let numbers = if self.signal == Some(Signal::Cost) { t.costs } else { t.rewards };
            (None, numbers.iter().map(|&x| f64::from(x)).collect())
        };
        let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / steps as f64;
        let first = first.or(values.first().copied()).unwrap_or(f64::NAN);
        let last = values.last().copied().unwrap_or(f64::NAN);
        let limit = self.threshold.unwrap_or(f64::NAN);
        let share =
            |holds: &dyn Fn(f64) -> bool| mean(&mut values.iter().map(|&x| f64::from(u8::from(holds(x)))));
        match self.take {
            Reduction::Mean => mean(&mut values.iter().copied()),
            Reduction::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
            Reduction::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Reduction::First => first,
            Reduction::Final => last,
            Reduction::Change => last - first,
            Reduction::Sum => values.iter().sum(),
            Reduction::MeanAbs => mean(&mut values.iter().map(|x| x.abs())),
            Reduction::ShareAbove => share(&|x| x > limit),
            Reduction::ShareBelow => share(&|x| x < limit),
        }
    }

    /// Its line in the description of a trajectory of at least one step.
    fn line(&self, t: Trajectory<'_>) -> String {
        let value = self.value(t);
        match self.take {
            Reduction::ShareAbove | Reduction::ShareBelow => {
                format!("- {}: {} %", self.name, shown(100.0 * value))
            }
            _ if self.unit.is_empty() => format!("- {}: {}", self.name, shown(value)),
            _ => format!("- {}: {} {}", self.name, shown(value), self.unit),
        }
    }
}

/// The description of a trajectory: its length, and a line for each summary.
pub fn describe(t: Trajectory<'_>, summaries: &[Summary], dt: f32) -> String {
    if t.is_empty() {
        return "- nothing: the episode had ended before".into();
    }
    let mut text = format!("- length: {} steps", t.len());
    if dt > 0.0 {
        let _ = write!(text, " ({} s)", shown(t.len() as f64 * f64::from(dt)));
    }
    for summary in summaries {
        let _ = write!(text, "\n{}", summary.line(t));
    }
    text
}

/// A number to three digits: more digits would only distract a model.
fn shown(x: f64) -> String {
    // 0.0123, 1.23, 123, 12346
    let size = if x == 0.0 { 0.0 } else { x.abs().log10().floor() };
    let decimals = (2.0 - size).clamp(0.0, 6.0) as usize;
    let text = format!("{x:.decimals$}");
    // A number that rounds to 0 has no sign.
    if text.trim_matches(['-', '0', '.']).is_empty() { "0".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spo_envs::ActionSpace;

    fn task() -> Spec {
        Spec {
            id: "test".into(),
            obs_dim: 2,
            action: ActionSpace::uniform(1, -1.0, 1.0),
            horizon: 9,
            dt: 0.5,
        }
    }

    /// Two steps: (9, 9) → (3, 4) → (0, −5); actions −1, 3; rewards 2, 5; costs 0, 1.
    const STEPS: Trajectory<'_> = Trajectory {
        obs: &[9.0, 9.0, 3.0, 4.0],
        final_obs: &[0.0, -5.0],
        actions: &[-1.0, 3.0],
        rewards: &[2.0, 5.0],
        costs: &[0.0, 1.0],
        origin: None,
    };

    fn summary(keys: &str) -> Summary {
        toml::from_str(&format!("name = 'n'\n{keys}")).unwrap()
    }

    #[test]
    fn values_by_hand() {
        for (keys, value) in [
            ("obs = [1]\ntake = 'mean'", -0.5),   // (4 − 5) / 2: what the steps led to
            ("obs = [0, 1]\ntake = 'mean'", 5.0), // |(3, 4)| and |(0, −5)|
            ("obs = [1]\ntake = 'mean_abs'", 4.5),
            ("obs = [1]\ntake = 'min'", -5.0),
            ("obs = [0]\ntake = 'max'", 3.0),
            ("obs = [0]\ntake = 'first'", 9.0),
            ("obs = [0]\ntake = 'final'", 0.0),
            ("obs = [1]\ntake = 'change'", -14.0),
            ("obs = [1]\ntake = 'share_above'\nthreshold = 0", 0.5),
            ("obs = [0]\ntake = 'share_below'\nthreshold = 3", 0.5), // 3 is not below 3
            ("action = [0]\ntake = 'first'", -1.0),
            ("action = [0]\ntake = 'change'", 4.0),
            ("action = [0]\ntake = 'mean_abs'", 2.0),
            ("signal = 'reward'\ntake = 'sum'", 7.0),
            ("signal = 'cost'\ntake = 'max'", 1.0),
        ] {
            let summary = summary(keys);
            assert_eq!(summary.check(&task()), Ok(()), "{keys}");
            assert_eq!(summary.value(STEPS), value, "{keys}");
        }
    }

    #[test]
    fn a_description_by_hand() {
        let summaries = [
            Summary { unit: "m".into(), ..summary("obs = [0, 1]\ntake = 'final'") },
            summary("obs = [1]\ntake = 'share_above'\nthreshold = 0"),
            summary("action = [0]\ntake = 'mean'"),
        ];
        let text = describe(STEPS, &summaries, 0.5);
        assert_eq!(text, "- length: 2 steps (1.00 s)\n- n: 5.00 m\n- n: 50.0 %\n- n: 1.00");
        let over = Trajectory { obs: &[], actions: &[], rewards: &[], costs: &[], ..STEPS };
        assert!(describe(over, &summaries, 0.5).contains("ended before"));
        assert_eq!(describe(STEPS, &[], 0.0), "- length: 2 steps");
    }

    #[test]
    fn three_digits() {
        for (x, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1.00"),
            (-12.345, "-12.3"),
            (123.6, "124"),
            (12345.6, "12346"),
            (0.012345, "0.0123"),
            (-1e-9, "0"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(shown(x), text);
        }
    }

    #[test]
    fn wrong_summaries_get_the_mend() {
        for (keys, expected) in [
            ("take = 'mean'", "expected one of `obs`, `action` and `signal`"),
            ("obs = [0]\naction = [0]\ntake = 'mean'", "expected one of"),
            ("obs = [2]\ntake = 'mean'", "has index 2, but `test` has indices 0 to 1"),
            ("action = [1]\ntake = 'mean'", "`test` has indices 0 to 0"),
            ("obs = [0]\ntake = 'share_above'", "needs a `threshold`"),
            ("obs = [0]\ntake = 'mean'\nthreshold = 1", "only share_above and share_below"),
            ("obs = [0]\ntake = 'share_above'\nthreshold = nan", "a finite number"),
            ("obs = [0]\ntake = 'share_above'\nthreshold = 1\nunit = 'm'", "leave `unit` out"),
        ] {
            let message = summary(keys).check(&task()).unwrap_err();
            assert!(message.contains(expected), "{keys}: {message}");
        }
    }
}
