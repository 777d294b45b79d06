//! The section on the training signal, compared with the task return.

use super::{Grid, Part, Section, figure, missing, text};
use crate::evaluate::audit::document::{Along, Chart, Line};
use crate::evaluate::audit::flags::{shown, signed};
use crate::evaluate::audit::signal::{Course, PolicyScore, Signal};
use crate::evaluate::audit::{Audit, Estimate};
use crate::evaluate::report::write::{number, whole};

pub(super) fn section(audit: &Audit) -> Section {
    let s = &audit.signal;
    let mut facts = vec![("trained on", text(s.scorer.description()))];
    if let Some(m) = s.model {
        let newest = |x: Option<f32>| x.map_or_else(|| missing("no fit"), |x| text(number(f64::from(x))));
        facts.push(("fits of the reward model", text(m.fits.to_string())));
        facts.push(("newest loss, nats a comparison", newest(m.loss)));
        facts.push(("newest held-out accuracy", newest(m.accuracy)));
        facts.push(("newest calibration error", newest(m.calibration)));
        if let Some(c) = m.counts {
            let words = format!(
                "{} rounds, {} of them without answers; {} diverged networks reset",
                c.rounds, c.unanswered, c.restarts
            );
            facts.push(("rounds", text(words)));
        }
    }
    let rho = |e: Option<f64>| e.map_or_else(|| missing("too few that differ"), |r| text(number(r)));
    match &s.course {
        Err(why) => facts.push(("score against task return", missing(why))),
        Ok(course) => {
            facts.push(("score against task return, over the run's policies", rho(course.over_policies)));
            facts.push((
                "the same, among the result's own trajectories",
                course.within_result.map_or_else(|| missing("too few that differ"), |e| text(shown(&e))),
            ));
        }
    }
    match &s.met {
        Err(why) => facts.push(("exploitability by earlier and other policies", missing(why))),
        Ok(met) => facts.push((
            "exploitability by earlier and other policies",
            text(format!("{}, by `{}`", signed(&met.exploitability), met.by)),
        )),
    }
    if let Some(distance) = s.minimax_distance {
        facts.push(("distance to the game's minimax winner", text(number(distance))));
    }
    if let Some(gains) = s.game_exploitability {
        facts.push(("margin of a best response in the game", text(number(gains))));
    }
    Section {
        title: "The reward or self-play signal",
        lead: "The signal that trained the policy, compared with the task's return, which need not be what was wanted.",
        facts,
        parts: signal_parts(s),
    }
}

fn signal_parts(s: &Signal) -> Vec<Part> {
    let mut parts = Vec::new();
    // The chart shows the kind of actions that an evaluation uses.
    if let Ok(course) = s.likeliest.as_ref().or(s.course.as_ref()) {
        let names = course.moments.iter().map(|m| m.policy.trim_start_matches("iteration ").to_string());
        let along = Along::Names("policies of the run, by iteration".into(), names.collect());
        let chart = |title: &str, of: &dyn Fn(&PolicyScore) -> Estimate| {
            let moments = course.moments.iter().enumerate();
            let points = moments.map(|(x, m)| (x as f64, of(m).mean, of(m).half_width)).collect();
            let lines = vec![Line { run: 0, points }];
            Part::Chart(Chart { title: title.into(), along: along.clone(), lines })
        };
        parts.push(chart("Score by the run's own signal", &|m| m.score));
        parts.push(chart("Task return of the same trajectories", &|m| m.task_return));
    }
    parts.extend(course_parts(s));
    if let Ok(met) = &s.met {
        parts.push(Part::Grid(Grid {
            caption: "Policies against each other, compared by the oracle",
            key: "policy",
            columns: vec!["the result wins", "its own win rate", "minimax weight"],
            rows: (met.standings.iter())
                .map(|stood| {
                    let own = stood.name == met.standings[met.own - 1].name;
                    let against = if own { missing("itself") } else { figure(shown(&stood.result_wins)) };
                    let cells =
                        vec![against, figure(number(stood.win_rate)), figure(number(stood.minimax_weight))];
                    (stood.name.clone(), cells)
                })
                .collect(),
            note: format!(
                "{} comparisons of whole trajectories from {} initial states.{}",
                whole(met.queries.asked as f64),
                met.states,
                if met.cycle.is_empty() {
                    String::new()
                } else {
                    format!(" They form a cycle: {} ≻ {}.", met.cycle.join(" ≻ "), met.cycle[0])
                }
            ),
        }));
    }
    parts
}

/// The run's policies by score and return.
fn course_parts(s: &Signal) -> Vec<Part> {
    let kinds = [(&s.likeliest, "most likely actions"), (&s.course, "sampled actions")];
    let courses: Vec<(&Course, &str)> =
        kinds.into_iter().filter_map(|(course, acting)| Some((course.as_ref().ok()?, acting))).collect();
    if courses.is_empty() {
        return Vec::new();
    }
    let mut rows = Vec::new();
    for (course, acting) in &courses {
        rows.extend(course.moments.iter().map(|m| {
            let cells = [shown(&m.score), shown(&m.task_return)];
            (format!("{}, {acting}", m.policy), cells.map(figure).to_vec())
        }));
    }
    let taken = |(course, acting): &(&Course, &str)| {
        format!(
            "{acting}: {} of each policy from each of {} states, {} comparisons",
            course.per_state,
            course.states,
            whole(course.asked as f64)
        )
    };
    let taken: Vec<String> = courses.iter().map(taken).collect();
    let policies = Grid {
        caption: "The run's policies",
        key: "policy",
        columns: vec!["score", "task return"],
        rows,
        note: format!("Trajectories of one state are scored as one group. {}.", taken.join("; ")),
    };
    let mut less = Vec::new();
    for (course, acting) in &courses {
        less.extend(course.drifts.iter().map(|d| {
            let cells = [signed(&d.score), signed(&d.task_return), d.states.to_string()];
            (format!("{}, {acting}", d.from), cells.map(figure).to_vec())
        }));
    }
    let test = Grid {
        caption: "Test of over-optimisation: the result minus an earlier policy",
        key: "minus",
        columns: vec!["score", "task return", "states"],
        rows: less,
        note: "Paired by state. The earlier policy with the highest return is chosen on half of the states and measured on the \
               other half."
            .into(),
    };
    vec![Part::Grid(policies), Part::Grid(test)]
}
