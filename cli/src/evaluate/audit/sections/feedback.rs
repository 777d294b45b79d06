//! The section on the feedback.

use super::{Grid, Part, Section, figure, missing, stated, text};
use crate::evaluate::audit::Audit;
use crate::evaluate::audit::document::Cell;
use crate::evaluate::audit::feedback::{Counts, Feedback};
use crate::evaluate::audit::flags::percent;
use crate::evaluate::report::write::{number, whole};
use spo::oracle::human::progress::Share;

pub(super) fn section(audit: &Audit) -> Section {
    let (f, about) = (&audit.feedback, &audit.about.feedback);
    let share = |n: u64, of: u64| percent(n as f64 / of.max(1) as f64);
    let mut facts = vec![
        ("who answered", text(f.kind.clone())),
        ("oracle", Cell::Code(f.oracle.clone())),
        ("how pairs were chosen", text(f.selection.clone())),
        ("budget", text(if f.budget == 0 { "none set".into() } else { whole(f.budget as f64) })),
    ];
    facts.push((
        "asked",
        match f.counts {
            None => missing("no metrics"),
            Some(q) => text(format!(
                "{}: {} answered, {} of them ties, {} abstentions",
                whole(q.asked as f64),
                share(q.answered, q.asked),
                share(q.tied, q.answered),
                share(q.abstained, q.asked)
            )),
        },
    ));
    if let Some(people) = &f.people {
        let labels = |s: &Share| format!("{} ({})", s.name, s.labels);
        facts.push((
            "annotators",
            stated(&people.annotators.iter().map(labels).collect::<Vec<_>>().join(", ")),
        ));
        facts.push((
            "agreement between annotators",
            match people.agreement {
                None => missing("no pair was answered by two people"),
                Some(a) => text(format!("{} of {} pairs of answers", share(a.same, a.compared), a.compared)),
            },
        ));
        let (left, right) = people.sides;
        facts
            .push(("preferred the left", text(format!("{} of {}", share(left, left + right), left + right))));
    }
    facts.extend(again(f));
    if let Some(log) = f.logged {
        let (late, late_same) = log.late;
        facts.push((
            "logged comparisons that prefer the larger task return",
            text(format!(
                "{} of {}; {} in the last third",
                share(log.with_return, log.decided),
                whole(log.decided as f64),
                share(late_same, late)
            )),
        ));
    }
    if !f.notes.is_empty() {
        let notes: Vec<String> = f.notes.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
        facts.push(("oracle events", text(notes.join(", "))));
    }
    facts.extend([
        ("evaluators and how they were chosen", stated(&about.evaluators)),
        ("instructions", stated(&about.instructions)),
        ("pay", stated(&about.pay)),
        ("consent", stated(&about.consent)),
        ("quality control", stated(&about.quality_control)),
    ]);
    let row = |c: &Counts| {
        let q = c.queries;
        let cells = [q.asked, q.answered, q.tied, q.abstained].map(|n| figure(whole(n as f64)));
        (whole(c.env_steps as f64), cells.to_vec())
    };
    let counts = Grid {
        caption: "Comparisons over the training",
        key: "env steps",
        columns: vec!["asked", "answered", "tied", "abstained"],
        rows: f.course.iter().map(row).collect(),
        note: String::new(),
    };
    Section {
        title: "The feedback",
        lead: "Who or what answered, what was asked, and how consistent the answers to a second query are.",
        facts,
        parts: if f.course.is_empty() { Vec::new() } else { vec![Part::Grid(counts)] },
    }
}

/// The result of the second query.
fn again(f: &Feedback) -> Vec<(&'static str, Cell)> {
    let again = match &f.again {
        Ok(again) => again,
        Err(why) => return vec![("asked again", missing(why))],
    };
    let c = &again.check;
    let interval = again.agreement_interval;
    let (bias, error) = c.position_bias;
    let cycle =
        c.cycle.as_ref().map(|cycle| format!(", the shortest of {}", cycle.len())).unwrap_or_default();
    vec![
        (
            "asked again",
            text(format!(
                "{} comparisons of {} trajectories of the run's policies, {} steps each",
                whole(c.comparisons as f64),
                c.trajectories,
                again.window
            )),
        ),
        (
            "the same winner when asked twice",
            text(format!(
                "{} [{}, {}] of {} pairs",
                percent(again.agreement),
                percent(interval.low),
                percent(interval.high),
                c.repeated.0
            )),
        ),
        (
            "noise estimate",
            text(format!("flipping {} of the answers would explain it", percent(again.flip_rate))),
        ),
        (
            "both orders",
            text(format!(
                "the first place gains {} ± {}; P(a, b) + P(b, a) off 1 by at most {}",
                number(0.5 * bias),
                number(0.5 * 1.96 * error),
                number(c.asymmetry)
            )),
        ),
        (
            "cycles",
            text(format!(
                "{} of {} trios{cycle}; coefficient of consistence {}",
                whole(c.cyclic_trios as f64),
                whole(c.trios as f64),
                c.consistence.map_or_else(|| "-".into(), number)
            )),
        ),
        ("ties and abstentions", text(format!("{} and {}", percent(c.tied), percent(c.abstained)))),
    ]
}
