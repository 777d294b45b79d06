//! The section on the policy.

use std::path::Path;

use super::{Grid, Part, Section, figure, missing, or_why, stated, text};
use crate::evaluate::audit::Audit;
use crate::evaluate::audit::document::{Along, Cell, Chart, Line};
use crate::evaluate::audit::flags::{percent, shown, signed};
use crate::evaluate::audit::policy::Nominal;
use crate::evaluate::audit::system::quoted;
use crate::evaluate::report::write::number;

pub(super) fn section(audit: &Audit) -> Section {
    let p = &audit.policy;
    let recorded = p.recorded.map_or_else(
        || missing("the run has not finished"),
        |(e, episodes)| text(format!("{} over {episodes} episodes", shown(&e))),
    );
    let mut facts = vec![
        ("result", text(p.kind.clone())),
        ("return at the end of the run", recorded),
        (
            "return in this audit",
            or_why(&p.nominal, |n| format!("{} over {} episodes", shown(&n.mean_return), n.returns.len())),
        ),
    ];
    if let Some(kept) = p.constraint_kept {
        facts.push(("episodes that kept to the oracle's constraint", text(percent(kept))));
    }
    if let Ok(n) = &p.nominal {
        facts.extend(nominal_facts(n));
    }
    facts.push(("intended use", stated(&audit.about.policy.intended_use)));
    let mut parts = Vec::new();
    if p.training.len() > 1 {
        let points = p.training.iter().map(|&(x, y)| (x as f64, y, 0.0)).collect();
        parts.push(Part::Chart(Chart {
            title: "Task return of the sampling policy in training".into(),
            along: Along::Numbers("environment steps".into()),
            lines: vec![Line { run: 0, points }],
        }));
    }
    if let Ok(n) = &p.nominal {
        parts.extend(nominal_parts(n, &audit.run));
    }
    Section {
        title: "The policy",
        lead: "What it does in the task, its worst episodes, and its behaviour under disturbances.",
        facts,
        parts,
    }
}

fn nominal_facts(n: &Nominal) -> Vec<(&'static str, Cell)> {
    let initial = n.initial.map_or_else(|| missing("not known"), |e| text(shown(&e)));
    let mut facts = vec![
        ("return of the policy at the start", initial),
        ("standard deviation over episodes", text(number(n.spread))),
        ("mean of the worst 5 %", text(number(n.worst_mean))),
        (
            "length",
            text(format!("{} steps; {} ended by the task itself", number(n.length), percent(n.terminated))),
        ),
    ];
    facts.push((
        "cost per episode",
        match n.cost {
            None => text("none"),
            Some(cost) => text(format!(
                "{}; {} of the episodes have any{}",
                shown(&cost.mean),
                percent(cost.any),
                match cost.limit.zip(cost.above) {
                    Some((limit, above)) =>
                        format!(", {} are above the limit of {}", percent(above), number(limit)),
                    None => "; no limit stated".into(),
                }
            )),
        },
    ));
    facts
}

fn nominal_parts(n: &Nominal, run: &str) -> Vec<Part> {
    let run = quoted(Path::new(run));
    let disturbed = Grid {
        caption: "Disturbances",
        key: "what",
        columns: vec!["return", "difference"],
        rows: (n.disturbed.iter())
            .map(|d| {
                let cells = vec![figure(shown(&d.mean_return)), figure(signed(&d.difference))];
                (format!("{}: {}", d.part, d.name), cells)
            })
            .collect(),
        note: "The result's mode acts. All rows except the first use the same initial states as without a disturbance; the difference \
               is paired by episode."
            .into(),
    };
    let worst = Grid {
        caption: "Worst episodes",
        key: "episode",
        columns: vec!["return", "steps", "command to see it"],
        rows: (n.worst.iter())
            .map(|b| {
                let see = format!("spo play {run} --seed {} --episode {} --out worst.svg", b.seed, b.episode);
                let cells = vec![figure(number(b.task_return)), figure(b.steps.to_string()), Cell::Code(see)];
                (format!("{} of seed {}", b.episode, b.seed), cells)
            })
            .collect(),
        note: String::new(),
    };
    vec![Part::Grid(disturbed), Part::Grid(worst)]
}
