//! The four parts of a page, of one run.

use super::document::{Along, Cell, Chart, Line};
use super::feedback::Feedback;
use super::flags::{percent, shown, signed};
use super::policy::Nominal;
use super::signal::{Course, Moment, Signal};
use super::system::{System, quoted};
use super::{Audit, Estimate, Found};
use crate::config::ScorerKind;
use crate::report::write::{number, whole};

/// A part of a page.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) lead: &'static str,
    pub(super) facts: Vec<(&'static str, Cell)>,
    pub(super) parts: Vec<Part>,
}

/// What stands below a section's facts.
pub(super) enum Part {
    Grid(Grid),
    Chart(Chart),
    Code { caption: &'static str, text: String },
}

/// A table with a row for each key.
pub(super) struct Grid {
    pub(super) caption: &'static str,
    pub(super) key: &'static str,
    pub(super) columns: Vec<&'static str>,
    pub(super) rows: Vec<(String, Vec<Cell>)>,
    pub(super) note: String,
}

impl Part {
    /// By which parts of several runs are known to be the same.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Grid(grid) => grid.caption,
            Self::Chart(chart) => &chart.title,
            Self::Code { caption, .. } => caption,
        }
    }
}

/// Task, seed, and where a run stands.
pub(super) fn line(audit: &Audit) -> String {
    let s = &audit.system;
    let state = match (s.ended, s.env_steps) {
        (true, steps) => format!("ended after {} steps", whole(steps as f64)),
        (false, 0) => "not begun".into(),
        (false, steps) => {
            format!("not ended: {} of {} steps", whole(steps as f64), whole(s.total_steps as f64))
        }
    };
    format!("{}, seed {}, {state}", audit.env, s.seed)
}

/// The four parts, in order.
pub(super) fn of(audit: &Audit) -> [Section; 4] {
    [feedback(audit), signal(audit), policy(audit), system(audit)]
}

fn text(words: impl Into<String>) -> Cell {
    Cell::Text(words.into())
}

fn figure(words: impl Into<String>) -> Cell {
    Cell::Figure(words.into())
}

fn missing(why: &str) -> Cell {
    Cell::Missing(why.into())
}

/// What a person wrote.
fn stated(words: &str) -> Cell {
    if words.trim().is_empty() { missing("not stated") } else { text(words.trim()) }
}

fn listed(sentences: &[String]) -> Cell {
    stated(&sentences.iter().map(|s| s.trim()).filter(|s| !s.is_empty()).collect::<Vec<_>>().join("; "))
}

fn or_why<T>(found: &Found<T>, show: impl FnOnce(&T) -> String) -> Cell {
    match found {
        Ok(value) => text(show(value)),
        Err(why) => missing(why),
    }
}

fn feedback(audit: &Audit) -> Section {
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
                "{}: {} answered, {} of them tied, {} abstained",
                whole(q.asked as f64),
                share(q.answered, q.asked),
                share(q.tied, q.answered),
                share(q.abstained, q.asked)
            )),
        },
    ));
    if let Some(people) = &f.people {
        let labels = |s: &crate::label::progress::Share| format!("{} ({})", s.name, s.labels);
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
        facts.push(("on the way to the answers", text(notes.join(", "))));
    }
    facts.extend([
        ("evaluators and how they were chosen", stated(&about.evaluators)),
        ("instructions", stated(&about.instructions)),
        ("pay", stated(&about.pay)),
        ("consent", stated(&about.consent)),
        ("quality control", stated(&about.quality_control)),
    ]);
    let row = |c: &super::feedback::Counted| {
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
        lead: "Who or what answered, what it was asked, and how well it answers when it is asked again.",
        facts,
        parts: if f.course.is_empty() { Vec::new() } else { vec![Part::Grid(counts)] },
    }
}

/// What asking again gave.
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
            text(format!("{} of the answers flipped would explain it", percent(again.flip_rate))),
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
            "circles",
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

fn signal(audit: &Audit) -> Section {
    let s = &audit.signal;
    let name = match s.scorer {
        ScorerKind::SelfPlay => "self-play: win proportions by the oracle's answers",
        ScorerKind::RewardModel => "a reward model fitted to the oracle's answers",
        ScorerKind::LlmDirect => "a language model's ratings",
        ScorerKind::TaskReward => "the task's own reward: a skyline",
    };
    let mut facts = vec![("trained on", text(name))];
    if let Some(m) = s.model {
        let shown = |x: Option<f32>| x.map_or_else(|| missing("no fit"), |x| text(number(f64::from(x))));
        facts.push(("fits of the reward model", text(m.fits.to_string())));
        facts.push(("newest loss, nats a comparison", shown(m.loss)));
        facts.push(("newest held-out accuracy", shown(m.accuracy)));
        facts.push(("newest calibration error", shown(m.calibration)));
        if let Some(c) = m.counts {
            let words = format!(
                "{} rounds, {} of them unanswered; {} diverged networks given fresh weights",
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
                course
                    .within_result
                    .map_or_else(|| missing("too few that differ"), |e| text(self::shown(&e))),
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
        facts.push(("what a best reply gains in the game", text(number(gains))));
    }
    Section {
        title: "The reward or self-play signal",
        lead: "What the policy was trained on, against what the task pays; the task's return need not be what was wanted.",
        facts,
        parts: signal_parts(s),
    }
}

fn signal_parts(s: &Signal) -> Vec<Part> {
    let mut parts = Vec::new();
    // Drawn is what is evaluated.
    if let Ok(course) = s.likeliest.as_ref().or(s.course.as_ref()) {
        let names = course.moments.iter().map(|m| m.policy.trim_start_matches("iteration ").to_string());
        let along = Along::Names("policies of the run, by iteration".into(), names.collect());
        let chart = |title: &str, of: &dyn Fn(&Moment) -> Estimate| {
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
            caption: "Against each other, by the oracle",
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
                    format!(" They go in a circle: {} ≻ {}.", met.cycle.join(" ≻ "), met.cycle[0])
                }
            ),
        }));
    }
    parts
}

/// The run's policies by score and return.
fn course_parts(s: &Signal) -> Vec<Part> {
    let kinds = [(&s.likeliest, "likeliest actions"), (&s.course, "sampled actions")];
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
        caption: "Test of over-optimisation: the result less an earlier policy",
        key: "less",
        columns: vec!["score", "task return", "states"],
        rows: less,
        note: "Paired by state. The earlier policy of the highest return is picked on half of the states and measured on the \
               other half."
            .into(),
    };
    vec![Part::Grid(policies), Part::Grid(test)]
}

fn policy(audit: &Audit) -> Section {
    let p = &audit.policy;
    let recorded = p.recorded.map_or_else(
        || missing("the run has not ended"),
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
        lead: "What it does in the task, at its worst, and where something goes otherwise than in training.",
        facts,
        parts,
    }
}

fn nominal_facts(n: &Nominal) -> Vec<(&'static str, Cell)> {
    let initial = n.initial.map_or_else(|| missing("not known"), |e| text(shown(&e)));
    let mut facts = vec![
        ("the policy that it began with", initial),
        ("standard deviation over episodes", text(number(n.spread))),
        ("mean of the worst 5 %", text(number(n.worst_mean))),
        (
            "length",
            text(format!(
                "{} steps; {} ended for a reason of the task",
                number(n.length),
                percent(n.terminated)
            )),
        ),
    ];
    facts.push((
        "cost an episode",
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
    let run = quoted(std::path::Path::new(run));
    let disturbed = Grid {
        caption: "Otherwise than in training",
        key: "what",
        columns: vec!["return", "difference"],
        rows: (n.disturbed.iter())
            .map(|d| {
                let cells = vec![figure(shown(&d.mean_return)), figure(signed(&d.difference))];
                (format!("{}: {}", d.part, d.name), cells)
            })
            .collect(),
        note: "The result's mode acts, from the same states as undisturbed but in the first row; the difference is paired by \
               episode."
            .into(),
    };
    let worst = Grid {
        caption: "Worst episodes",
        key: "episode",
        columns: vec!["return", "steps", "to see it"],
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

fn system(audit: &Audit) -> Section {
    let (s, about): (&System, _) = (&audit.system, &audit.about.system);
    let sibling = |x: &super::system::Sibling| match x.eval_return_mean {
        Some(mean) => format!("{} ({})", x.seed, number(mean)),
        None => format!("{} (not ended)", x.seed),
    };
    let mut facts = vec![
        ("seed", text(s.seed.to_string())),
        (
            "seeds beside it, with returns",
            stated(&s.siblings.iter().map(sibling).collect::<Vec<_>>().join(", ")),
        ),
    ];
    if let Some(over) = s.over_seeds {
        facts.push(("return over seeds", text(shown(&over))));
    }
    let clock = s.seconds.map_or_else(
        || missing("not recorded"),
        |t| text(format!("{} s, {} steps/s", number(t), whole(s.env_steps as f64 / t.max(1e-9)))),
    );
    facts.extend([
        ("commit", s.commit.clone().map_or_else(|| missing("not recorded"), Cell::Code)),
        ("this page by", text(s.audited_by.clone())),
        ("device", Cell::Code(s.device.clone())),
        (
            "training",
            text(format!("{} iterations, {} environment steps", s.iterations, whole(s.env_steps as f64))),
        ),
        ("wall clock", clock),
    ]);
    if let Some(error) = &s.error {
        facts.push(("failed with", Cell::Code(error.clone())));
    }
    facts.extend([
        ("to train it again", Cell::Code(s.command.clone())),
        ("tried and dropped", listed(&about.tried_and_dropped)),
        ("known failure modes", listed(&about.known_failure_modes)),
        ("monitoring", stated(&about.monitoring)),
        ("contact", stated(&about.contact)),
    ]);
    let changed = Grid {
        caption: "Keys that are not as by default",
        key: "key",
        columns: vec!["value", "default"],
        rows: (s.changed.iter())
            .map(|c| (c.key.clone(), vec![Cell::Code(c.value.clone()), Cell::Code(c.default.clone())]))
            .collect(),
        note: String::new(),
    };
    let mut parts = Vec::new();
    if !s.changed.is_empty() {
        parts.push(Part::Grid(changed));
    }
    parts.push(Part::Code { caption: "The whole configuration", text: s.config.clone() });
    Section { title: "The system", lead: "What made the policy, and what stands beside it.", facts, parts }
}
