//! The summary of an analysis as a few lines of text.

use std::fmt::{self, Display, Formatter};

use super::bins::{Bin, calibration_error};
use super::over_optimisation::Step;
use super::reward_vs_kl::Reward;
use super::{Analysis, OverRuns};
use spo::base::stats::Line;
use spo::train::config::ScorerKind;

impl Display for Analysis {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.name)?;
        self.write_calibration(f)?;
        self.write_reward_vs_kl(f)?;
        self.write_over_optimisation(f)
    }
}

/// Writes a line with its topic in a column of its own.
fn about(f: &mut Formatter<'_>, what: &str, text: &str) -> fmt::Result {
    writeln!(f, "  {what:<18} {text}")
}

/// A number with about three digits at any scale.
fn number(x: f64) -> String {
    match x.abs() {
        a if a >= 100.0 => format!("{x:.0}"),
        a if a >= 10.0 => format!("{x:.1}"),
        a if a >= 0.1 || a == 0.0 => format!("{x:.2}"),
        _ => format!("{x:.2e}"),
    }
}

impl Display for OverRuns {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.half {
            0.0 => write!(f, "{}", number(self.mean)),
            half => write!(f, "{} ± {}", number(self.mean), number(half)),
        }
    }
}

impl Analysis {
    fn write_calibration(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let count: usize = self.by_gap.iter().map(|b| b.count).sum();
        let Some(error) = calibration_error(&self.by_gap) else {
            let why = match self.config.scorer {
                ScorerKind::RewardModel => {
                    "no held-out predictions: a run with log_predictions=true records them"
                }
                _ => "no reward model: a run with --scorer reward_model --set log_predictions=true has one",
            };
            return about(f, "calibration", why);
        };
        let mean = |of: fn(&Bin) -> f64| {
            self.by_gap.iter().map(|b| of(b) * b.count as f64).sum::<f64>() / count as f64
        };
        let rounds: Vec<u64> =
            self.held_out.iter().filter_map(|rows| rows.first()).map(|r| r.round).collect();
        let (first, last) = (rounds.iter().min().unwrap_or(&0), rounds.iter().max().unwrap_or(&0));
        let round =
            if first == last { format!("round {first}") } else { format!("rounds {first} to {last}") };
        about(
            f,
            "calibration",
            &format!(
                "{count} held-out comparisons, {round}: {:.3} won as predicted, {:.3} expected; calibration error {error:.3}",
                mean(|b| b.observed),
                mean(|b| b.expected)
            ),
        )?;
        let (Some(low), Some(high)) = (self.by_lower_score.first(), self.by_lower_score.last()) else {
            return about(f, "both scores high", "every comparison is a tie, and no side is right");
        };
        let bin = |b: &Bin| {
            format!("{:.3} ({:.3} to {:.3}; expected {:.3})", b.observed, b.low, b.high, b.expected)
        };
        about(
            f,
            "both scores high",
            &format!("accuracy {} in the lowest bin, {} in the highest", bin(low), bin(high)),
        )
    }

    fn write_reward_vs_kl(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut written = false;
        for reward in [Reward::Score, Reward::Return] {
            let lines: Vec<Line> = self
                .reward_vs_kl
                .iter()
                .filter_map(|curve| curve.last_fit(reward))
                .map(|fit| fit.line)
                .collect();
            let over =
                |of: fn(&Line) -> f64| OverRuns::from_values(&lines.iter().map(of).collect::<Vec<_>>());
            if let (Some(a), Some(b), Some(r2)) = (over(|l| l.intercept), over(|l| l.slope), over(|l| l.r2)) {
                let what = if written { "" } else { "reward by √KL" };
                let line = format!("{} = ({a}) + ({b}) √KL, R² {r2}", reward.name());
                about(f, what, &line)?;
                written = true;
            }
        }
        if !written {
            return about(
                f,
                "reward by √KL",
                "no KL to the reference policy: a run of at least two iterations of this version records it",
            );
        }
        if self.reward_vs_kl.iter().all(|curve| curve.last_fit(Reward::Score).is_none())
            && self.config.scorer == ScorerKind::RewardModel
        {
            let why =
                "the model changes during a round; with reward_model.rlhf_rounds above 0 it stays the same";
            return about(f, "", why);
        }
        Ok(())
    }

    fn write_over_optimisation(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let rounds: Vec<_> = self.last_rounds().collect();
        if rounds.is_empty() {
            let why = match self.config.reward_model.split {
                true => "neither model is fitted yet",
                false => {
                    "no second model: a run with reward_model.rlhf_rounds above 0 and reward_model.split=true has one"
                }
            };
            return about(f, "over-optimisation", why);
        }
        let points: Vec<&Step> = rounds.iter().filter_map(|c| Some(&c.steps[c.diverge_at?])).collect();
        let over =
            |of: fn(&Step) -> f64| OverRuns::from_values(&points.iter().map(|s| of(s)).collect::<Vec<_>>());
        let ends: Vec<&Step> = rounds.iter().filter_map(|c| c.steps.last()).collect();
        let end =
            |of: fn(&Step) -> f64| OverRuns::from_values(&ends.iter().map(|s| of(s)).collect::<Vec<_>>());
        let parted = match (over(|s| s.env_steps as f64), over(|s| s.root_kl)) {
            (Some(steps), Some(root_kl)) => format!(
                "the models diverge in {} of {} runs, after {steps} environment steps, at √KL {root_kl}",
                points.len(),
                rounds.len()
            ),
            _ => format!("the models diverge in none of {} runs", rounds.len()),
        };
        let last = match (end(|s| s.train), end(|s| s.test)) {
            (Some(train), Some(test)) => format!("; at the end train score {train}, test score {test}"),
            _ => String::new(),
        };
        about(f, "over-optimisation", &format!("{parted}{last}"))
    }
}
