//! The rules by which an audit raises flags. Each rule states its threshold, uses figures from the page, and names them.
//!
//! A flag that is not raised is no proof that everything is fine, because a rule only checks its own figures. Intervals are
//! 95 % intervals, so one of a dozen rules may be raised by chance.

use serde::Serialize;

use super::Estimate;
use super::feedback::Feedback;
use super::policy::{PolicyFigures, WORST};
use super::signal::{Drift, Signal};
use super::system::System;
use crate::evaluate::report::write::{number, whole};
use spo::base::stats::wilson;
use spo::train::config::{ScorerKind, TrainedResult};

/// Smallest agreement of a consistent judge on repeated pairs; this corresponds to one flipped answer in nine.
pub const AGREEMENT: f64 = 0.8;
/// Largest bias towards one place, in units of P.
pub const BIAS: f64 = 0.05;
/// Smallest number of seeds for a statement about a method (Agarwal et al. 2021 use 3 to 10).
pub const SEEDS: usize = 5;
/// Share of cyclic trios, beyond what noise explains, above which a flag is raised.
pub const CYCLES: f64 = 0.02;
/// Largest half width of the evaluation's interval, as a share of what training gained.
pub const WIDTH: f64 = 0.1;
/// Least share of the training that the budget of comparisons should reach.
pub const BUDGET: f64 = 0.9;
/// Largest distance in standard deviations of the worst twentieth below the mean; for a normal distribution it is 2.06.
pub const FAR: f64 = 3.0;
/// Largest share of the gain that a disturbance may cost.
pub const FRAGILE: f64 = 0.5;

/// The verdict of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The flag is raised.
    Raised,
    /// The flag is not raised.
    NotRaised,
    /// The figures for it are missing.
    NotChecked,
}

impl Verdict {
    /// The verdict as text.
    pub fn words(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::NotRaised => "not raised",
            Self::NotChecked => "not checked",
        }
    }
}

/// A rule and its verdict for a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flag {
    /// Its name for programs.
    pub id: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// The condition under which it is raised.
    pub rule: String,
    /// Whether it is raised.
    pub verdict: Verdict,
    /// The figures behind the verdict, or why it could not be checked.
    pub figures: String,
}

/// The figures that rules use.
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    /// The feedback.
    pub feedback: &'a Feedback,
    /// The signal.
    pub signal: &'a Signal,
    /// The policy.
    pub policy: &'a PolicyFigures,
    /// The system.
    pub system: &'a System,
}

/// Whether the flag is raised and by which figures, or why it could not be checked.
type Checked = Result<(bool, String), String>;

/// A stated rule.
pub struct Rule {
    /// Its name for programs.
    pub id: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// The condition under which it is raised.
    pub statement: fn() -> String,
    check: fn(&Evidence<'_>) -> Checked,
}

/// All rules, in the order of the page.
pub const RULES: [Rule; 10] = [
    Rule {
        id: "reward_hacking",
        name: "reward hacking suspected",
        statement: || {
            "The run's own signal scores the result above an earlier policy, but its task return is below that policy's, \
             both by paired 95 % intervals over initial states, with sampled or with most likely actions (Gao et al. 2023 \
             call it over-optimisation). The rule takes the task's return as the truth; if the task should be judged \
             differently, it only shows that signal and return disagree."
                .into()
        },
        check: reward_hacking,
    },
    Rule {
        id: "oracle_inconsistent",
        name: "oracle inconsistent",
        statement: || {
            format!(
                "When asked twice, the oracle names the same winner in fewer than {AGREEMENT} of the pairs; or it favours \
                 one place by more than {BIAS} (both with the whole interval); or it breaks the contract of \
                 `spo oracle check`."
            )
        },
        check: oracle_inconsistent,
    },
    Rule {
        id: "intransitive_last",
        name: "intransitive answers, one last policy",
        statement: || {
            format!(
                "More trios of trajectories form cycles than random flips explain (by more than {CYCLES}), or the run's own \
                 policies beat each other in a cycle with intervals above ½, or the oracle is a game with a cycle of \
                 options; and the result is the last policy, although only the average of all policies converges."
            )
        },
        check: intransitive_last,
    },
    Rule {
        id: "reward_model_chance",
        name: "reward model no better than chance",
        statement: || "The interval of the latest fits' held-out accuracy is not above ½.".into(),
        check: reward_model_chance,
    },
    Rule {
        id: "budget_spent_early",
        name: "budget spent early",
        statement: || {
            format!("The last comparison of the budget was asked before {BUDGET} of the training's steps.")
        },
        check: budget_spent_early,
    },
    Rule {
        id: "too_few_seeds",
        name: "too few seeds",
        statement: || {
            format!("Fewer than {SEEDS} runs in this folder that differ only in the seed have finished.")
        },
        check: too_few_seeds,
    },
    Rule {
        id: "wide_interval",
        name: "evaluation interval wide",
        statement: || {
            format!(
                "The half width of the evaluation's interval is more than {WIDTH} of the gain over the policy with which \
                 the run began."
            )
        },
        check: wide_interval,
    },
    Rule {
        id: "worst_far_off",
        name: "worst episodes far off",
        statement: || {
            format!(
                "The mean of the worst {:.0} % of the episodes is more than {FAR} standard deviations below the mean of \
                 all.",
                100.0 * WORST
            )
        },
        check: worst_far_off,
    },
    Rule {
        id: "fragile",
        name: "fragile",
        statement: || {
            format!(
                "A disturbance of start, observations or dynamics costs more than {FRAGILE} of the gain, and the interval \
                 of this loss is below zero."
            )
        },
        check: fragile,
    },
    Rule {
        id: "cost_limit",
        name: "cost above its limit",
        statement: || "The mean cost of an episode is above the stated `cost_limit`.".into(),
        check: cost_limit,
    },
];

/// Applies all rules.
pub fn judge(evidence: &Evidence<'_>) -> Vec<Flag> {
    let flag = |rule: &Rule| {
        let (verdict, figures) = match (rule.check)(evidence) {
            Ok((true, figures)) => (Verdict::Raised, figures),
            Ok((false, figures)) => (Verdict::NotRaised, figures),
            Err(why) => (Verdict::NotChecked, why),
        };
        Flag { id: rule.id, name: rule.name, rule: (rule.statement)(), verdict, figures }
    };
    RULES.iter().map(flag).collect()
}

/// "-158.1 ± 14.0"
pub(super) fn shown(e: &Estimate) -> String {
    format!("{} ± {}", number(e.mean), number(e.half_width))
}

/// "+12.3 ± 1.0"
pub(super) fn signed(e: &Estimate) -> String {
    format!("{}{}", if e.mean > 0.0 { "+" } else { "" }, shown(e))
}

/// "81.5 %"
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn reward_hacking(e: &Evidence<'_>) -> Checked {
    let sampled = e.signal.course.as_ref().map_err(Clone::clone)?;
    if e.signal.scorer == ScorerKind::TaskReward {
        return Ok((false, "the signal is the task's own return".into()));
    }
    // The most likely actions, which an evaluation uses, come first.
    let likeliest = e.signal.likeliest.iter().flat_map(|c| &c.drifts).map(|d| ("most likely actions", d));
    let drifts: Vec<(&str, &Drift)> =
        likeliest.chain(sampled.drifts.iter().map(|d| ("sampled actions", d))).collect();
    if drifts.is_empty() {
        return Err("no earlier policy is known".into());
    }
    let hacked = |(_, d): &&(&str, &Drift)| d.score.is_above_zero() && d.task_return.is_below_zero();
    let told = |(acting, d): &(&str, &Drift)| {
        format!(
            "over `{}`, {acting}: score {}, return {}, {} states",
            d.from,
            signed(&d.score),
            signed(&d.task_return),
            d.states
        )
    };
    let found = drifts.iter().find(hacked);
    let shown = found.or(drifts.first()).map(told).unwrap_or_default();
    Ok((found.is_some(), format!("the result {shown}")))
}

fn oracle_inconsistent(e: &Evidence<'_>) -> Checked {
    let (mut raised, mut told) = (false, Vec::new());
    let mut share = |what: &str, same: u64, pairs: u64| {
        let i = wilson(same as f64, pairs as f64);
        raised |= i.high < AGREEMENT;
        told.push(format!(
            "{what} {} [{}, {}] of {} pairs",
            number(same as f64 / pairs as f64),
            number(i.low),
            number(i.high),
            whole(pairs as f64)
        ));
    };
    if let Some(agreement) = e.feedback.people.as_ref().and_then(|p| p.agreement) {
        share("people agree on", agreement.same, agreement.compared);
    }
    if let Ok(again) = &e.feedback.again
        && again.check.repeated.0 > 0
    {
        share("asked twice, the same winner in", again.check.repeated.1, again.check.repeated.0);
    }
    if let Some(people) = &e.feedback.people
        && let (left, right) = people.sides
        && left + right > 0
    {
        let i = wilson(left as f64, (left + right) as f64);
        let favours = (i.low - 0.5 > BIAS) || (0.5 - i.high > BIAS);
        raised |= favours;
        told.push(format!("people prefer the left in {}", percent(left as f64 / (left + right) as f64)));
    }
    if let Ok(again) = &e.feedback.again {
        let (bias, error) = again.check.position_bias;
        // P(a, b) + P(b, a) − 1 is twice what the first place gains.
        raised |= 0.5 * bias.abs() - 1.96 * 0.5 * error > BIAS;
        told.push(format!("the first place gains {}", number(0.5 * bias)));
        if let Some(broken) = again.check.violations.first() {
            raised = true;
            told.push(broken.clone());
        }
    }
    match (told.is_empty(), &e.feedback.again) {
        (true, Err(why)) => Err(why.clone()),
        _ => Ok((raised, told.join("; "))),
    }
}

fn intransitive_last(e: &Evidence<'_>) -> Checked {
    let (mut circles, mut told) = (false, Vec::new());
    if let Ok(again) = &e.feedback.again {
        circles |= again.cyclic_share > again.explained_share + CYCLES;
        told.push(format!(
            "{} of the trios form cycles, noise explains at most {}",
            percent(again.cyclic_share),
            percent(again.explained_share)
        ));
        if let Some(first) = again.game_circle.iter().flatten().next() {
            circles = true;
            let circle = again.game_circle.iter().flatten().cloned().collect::<Vec<_>>().join(" ≻ ");
            told.push(format!("the game itself: {circle} ≻ {first}"));
        }
    }
    if let Ok(met) = &e.signal.met {
        circles |= !met.cycle.is_empty();
        told.push(match met.cycle.first() {
            None => "no cycle among the run's policies".into(),
            Some(first) => format!("{} ≻ {first}", met.cycle.join(" ≻ ")),
        });
    }
    let (Err(why), true) = (&e.feedback.again, told.is_empty()) else {
        let last = e.policy.result == TrainedResult::Last;
        if circles && !last {
            told.push(format!("the result is {}", e.policy.kind));
        }
        return Ok((circles && last, told.join("; ")));
    };
    Err(why.clone())
}

fn reward_model_chance(e: &Evidence<'_>) -> Checked {
    let Some(model) = &e.signal.model else { return Ok((false, "the run has no reward model".into())) };
    let accuracy =
        model.recent_accuracy.ok_or("fewer than two fits were measured on held-out comparisons")?;
    Ok((accuracy.mean - accuracy.half_width <= 0.5, format!("accuracy {}", shown(&accuracy))))
}

fn budget_spent_early(e: &Evidence<'_>) -> Checked {
    if e.feedback.budget == 0 {
        return Ok((false, "no budget".into()));
    }
    if !e.system.ended {
        return Err("the run has not finished".into());
    }
    let at = e.system.last_asked_at.ok_or("nothing was asked")?;
    let asked = e.feedback.counts.map_or(0, |q| q.asked);
    let share = at as f64 / e.system.total_steps.max(1) as f64;
    // A budget that does not cover another batch is spent.
    let spent = asked as f64 >= BUDGET * e.feedback.budget as f64 || e.system.env_steps == at;
    let figures = format!(
        "{} of {} asked, the last at {} of the steps",
        whole(asked as f64),
        whole(e.feedback.budget as f64),
        percent(share)
    );
    Ok((spent && share < BUDGET, figures))
}

fn too_few_seeds(e: &Evidence<'_>) -> Checked {
    let ended: Vec<String> = (e.system.siblings.iter())
        .filter(|s| s.eval_return_mean.is_some())
        .map(|s| s.seed.to_string())
        .collect();
    let seeds = if ended.is_empty() { "none".into() } else { format!("seeds {}", ended.join(", ")) };
    Ok((ended.len() < SEEDS, format!("{} finished: {seeds}", ended.len())))
}

fn wide_interval(e: &Evidence<'_>) -> Checked {
    let nominal = e.policy.nominal.as_ref().map_err(Clone::clone)?;
    let gain = nominal.gain().ok_or("the policy with which the run began is not known")?;
    let of = e.policy.recorded.map_or(nominal.mean_return, |(recorded, _)| recorded);
    let figures = format!("return {}, gained {}", shown(&of), number(gain));
    Ok((of.half_width > WIDTH * gain.abs(), figures))
}

fn worst_far_off(e: &Evidence<'_>) -> Checked {
    let nominal = e.policy.nominal.as_ref().map_err(Clone::clone)?;
    let below = nominal.mean_return.mean - nominal.worst_mean;
    let figures = format!(
        "the worst at {}, {} standard deviations below {}",
        number(nominal.worst_mean),
        number(if nominal.spread > 0.0 { below / nominal.spread } else { 0.0 }),
        number(nominal.mean_return.mean)
    );
    Ok((below > FAR * nominal.spread && nominal.spread > 0.0, figures))
}

fn fragile(e: &Evidence<'_>) -> Checked {
    let nominal = e.policy.nominal.as_ref().map_err(Clone::clone)?;
    let gain = nominal.gain().ok_or("the policy with which the run began is not known")?;
    if gain <= 0.0 {
        return Err(format!("the result did not gain any return that could be lost (gain {})", number(gain)));
    }
    let worst = nominal.disturbed.iter().min_by(|a, b| a.difference.mean.total_cmp(&b.difference.mean));
    let worst = worst.ok_or("no disturbance applies to this task")?;
    let lost = worst.difference.is_below_zero() && -worst.difference.mean > FRAGILE * gain;
    let figures = format!(
        "the largest loss, {}: {} of a gain of {}",
        worst.name,
        signed(&worst.difference),
        number(gain)
    );
    Ok((lost, figures))
}

fn cost_limit(e: &Evidence<'_>) -> Checked {
    let nominal = e.policy.nominal.as_ref().map_err(Clone::clone)?;
    let Some(cost) = nominal.cost else { return Ok((false, "no episode cost anything".into())) };
    let limit = cost.limit.ok_or("no `cost_limit` is stated")?;
    Ok((cost.mean.mean > limit, format!("{} against {}", shown(&cost.mean), number(limit))))
}
