//! Every rule by hand-made figures, and pages of hand-made audits.

use super::document::Document;
use super::feedback::{Feedback, People, Requery, flip_rate};
use super::flags::{self, Evidence, Verdict};
use super::policy::{Cost, Disturbed, Nominal, PolicyFigures, WorstEpisode};
use super::signal::{Course, Drift, MatchStanding, Matches, ModelFigures, PolicyScore, Signal};
use super::system::{Sibling, System};
use super::*;
use spo::oracle::Queries;
use spo::oracle::check::Report;
use spo::oracle::human::progress::Agreement;
use spo::rollout::{Episode, Rollout};
use spo::train::config::{ScorerKind, TrainedResult};

fn is(mean: f64, half_width: f64) -> Estimate {
    Estimate { mean, half_width }
}

/// A deterministic, transitive oracle, asked again about 24 trajectories.
fn again(change: impl FnOnce(&mut Report)) -> Requery {
    let mut report = Report {
        trajectories: 24,
        comparisons: 1128,
        repeatable: true,
        random: false,
        repeated: (276, 276),
        range: Some((0.0, 1.0)),
        out_of_range: 0,
        asymmetry: 0.0,
        position_bias: (0.0, 0.0),
        one_sided_abstentions: 0,
        self_preference: 0.0,
        cyclic_trios: 0,
        trios: 2024,
        consistence: Some(1.0),
        cycle: None,
        abstained: 0.0,
        tied: 0.0,
        microseconds: 1.0,
        notes: Default::default(),
        violations: Vec::new(),
        warnings: Vec::new(),
    };
    change(&mut report);
    Requery::new(report, 10)
}

/// A run that raises no flag.
fn clean() -> Audit {
    let drift = Drift { from: "initial".into(), score: is(0.4, 0.1), task_return: is(90.0, 9.0), states: 16 };
    let moment = |policy: &str, mean: f64| PolicyScore {
        policy: policy.into(),
        score: is(mean / 100.0, 0.1),
        task_return: is(mean, 2.0),
    };
    let stood = |name: &str| MatchStanding { name: name.into(), win_rate: 0.5, ..MatchStanding::default() };
    Audit {
        run: "runs/a & b".into(),
        env: "lqr".into(),
        unread: Vec::new(),
        flags: Vec::new(),
        about: About::default(),
        feedback: Feedback {
            oracle: "exec:judge '<b>' | labels".into(),
            kind: "a program".into(),
            selection: "all pairs".into(),
            budget: 1000,
            counts: Some(Queries { asked: 990, answered: 980, tied: 3, abstained: 10, ..Queries::default() }),
            course: Vec::new(),
            notes: Default::default(),
            people: None,
            logged: None,
            again: Ok(again(|_| ())),
        },
        signal: Signal {
            scorer: ScorerKind::SelfPlay,
            model: None,
            course: Ok(Course {
                moments: vec![moment("initial", -100.0), moment("result", -10.0)],
                drifts: vec![drift],
                states: 16,
                per_state: 4,
                ..Course::default()
            }),
            likeliest: Err("a policy over options is always sampled".into()),
            met: Ok(Matches {
                standings: vec![stood("initial"), stood("result")],
                by: "initial".into(),
                own: 2,
                ..Matches::default()
            }),
            minimax_distance: None,
            game_exploitability: None,
        },
        policy: PolicyFigures {
            result: TrainedResult::Last,
            kind: "the last policy".into(),
            recorded: Some((is(-10.0, 2.0), 100)),
            constraint_kept: None,
            training: vec![(100, -90.0), (200, -20.0)],
            nominal: Ok(Nominal {
                returns: vec![-10.0; 60],
                mean_return: is(-10.0, 2.0),
                spread: 8.0,
                initial: Some(is(-100.0, 10.0)),
                worst_mean: -30.0,
                worst: vec![WorstEpisode { seed: 0, episode: 7, task_return: -31.0, steps: 10 }],
                disturbed: vec![Disturbed {
                    by: disturbance::Disturbance::Delay,
                    part: "dynamics",
                    name: "late".into(),
                    mean_return: is(-20.0, 3.0),
                    difference: is(-10.0, 3.0),
                }],
                ..Nominal::default()
            }),
        },
        system: System {
            siblings: (0..5)
                .map(|seed| Sibling { run: format!("r-s{seed}"), seed, eval_return_mean: Some(-10.0) })
                .collect(),
            env_steps: 1000,
            total_steps: 1000,
            last_asked_at: Some(980),
            ended: true,
            config: "env = \"lqr\"\n".into(),
            ..System::default()
        },
    }
}

/// The verdict of a rule for a clean run after `change`.
fn says(id: &str, change: impl FnOnce(&mut Audit)) -> (Verdict, String) {
    let mut audit = clean();
    change(&mut audit);
    let Audit { feedback, signal, policy, system, .. } = &audit;
    let all = flags::judge(&Evidence { feedback, signal, policy, system });
    let flag = all.into_iter().find(|flag| flag.id == id).unwrap();
    (flag.verdict, flag.figures)
}

#[track_caller]
fn raised(id: &str, figures: &str, change: impl FnOnce(&mut Audit)) {
    let (verdict, said) = says(id, change);
    assert!(verdict == Verdict::Raised && said.contains(figures), "{verdict:?}: {said}");
}

#[track_caller]
fn quiet(id: &str, change: impl FnOnce(&mut Audit)) {
    let (verdict, said) = says(id, change);
    assert_eq!(verdict, Verdict::NotRaised, "{said}");
}

#[track_caller]
fn unknown(id: &str, why: &str, change: impl FnOnce(&mut Audit)) {
    let (verdict, said) = says(id, change);
    assert!(verdict == Verdict::NotChecked && said.contains(why), "{verdict:?}: {said}");
}

fn drifts(audit: &mut Audit) -> &mut Vec<Drift> {
    &mut audit.signal.course.as_mut().unwrap().drifts
}

fn nominal(audit: &mut Audit) -> &mut Nominal {
    audit.policy.nominal.as_mut().unwrap()
}

#[test]
fn reward_hacking_takes_a_signal_that_rises_and_a_return_that_falls() {
    let id = "reward_hacking";
    quiet(id, |_| ());
    raised(id, "over `initial`, sampled actions: score +0.400 ± 0.100, return -90.0 ± 9.00", |a| {
        drifts(a)[0].task_return = is(-90.0, 9.0);
    });
    // One of the two intervals includes 0.
    quiet(id, |a| drifts(a)[0].task_return = is(-90.0, 91.0));
    quiet(id, |a| (drifts(a)[0].task_return, drifts(a)[0].score) = (is(-90.0, 9.0), is(0.1, 0.1)));
    // Only over the peak.
    raised(id, "over `iteration 8`", |a| {
        let peak =
            Drift { from: "iteration 8".into(), score: is(0.2, 0.1), task_return: is(-5.0, 1.0), states: 8 };
        drifts(a).push(peak);
    });
    // Only with most likely actions: the noise of the earlier policy hid it.
    raised(id, "over `initial`, most likely actions", |a| {
        a.signal.likeliest = a.signal.course.clone();
        a.signal.likeliest.as_mut().unwrap().drifts[0].task_return = is(-2.0, 0.5);
    });
    quiet(id, |a| {
        drifts(a)[0].task_return = is(-90.0, 9.0);
        a.signal.scorer = ScorerKind::TaskReward;
    });
    unknown(id, "no earlier policy", |a| drifts(a).clear());
    unknown(id, "people", |a| a.signal.course = Err("people are not asked again".into()));
}

#[test]
fn an_oracle_is_inconsistent_by_repeats_places_or_a_broken_contract() {
    let id = "oracle_inconsistent";
    quiet(id, |_| ());
    // 190 of 276 is 0.688, at most 0.740; 215 is 0.779, at most 0.824: not shown to be below 0.8.
    raised(id, "of 276 pairs", |a| a.feedback.again = Ok(again(|r| r.repeated = (276, 190))));
    quiet(id, |a| a.feedback.again = Ok(again(|r| r.repeated = (276, 215))));
    // P(a, b) + P(b, a) is 1.3: the first place gains 0.15.
    raised(id, "gains 0.150", |a| a.feedback.again = Ok(again(|r| r.position_bias = (0.3, 0.02))));
    quiet(id, |a| a.feedback.again = Ok(again(|r| r.position_bias = (0.3, 0.15))));
    raised(id, "off 1", |a| a.feedback.again = Ok(again(|r| r.violations = vec!["off 1".into()])));
    let people = |compared, same, sides| {
        move |a: &mut Audit| {
            a.feedback.again = Err("people are not asked again".into());
            let agreement = (compared > 0).then_some(Agreement { compared, same });
            a.feedback.people = Some(People { annotators: Vec::new(), agreement, sides });
        }
    };
    quiet(id, people(100, 95, (52, 48)));
    raised(id, "people agree on 0.600", people(100, 60, (52, 48)));
    raised(id, "people prefer the left in 80.0 %", people(0, 0, (80, 20)));
    unknown(id, "--ask", |a| a.feedback.again = Err("--ask N".into()));
    unknown(id, "people", people(0, 0, (0, 0)));
}

#[test]
fn circles_matter_where_the_last_policy_is_the_result() {
    let id = "intransitive_last";
    quiet(id, |_| ());
    // 5 % of 2,024 trios form cycles; answers that never vary explain (1 − 0.9863) / 2 = 0.7 %.
    let circles = |a: &mut Audit| a.feedback.again = Ok(again(|r| r.cyclic_trios = 101));
    raised(id, "5.0 % of the trios form cycles, noise explains at most 0.7 %", circles);
    quiet(id, |a| {
        circles(a);
        a.policy.result = TrainedResult::Average;
    });
    // A tenth of the answers is flipped: agreement 0.82, and noise alone explains 9 % of the trios.
    quiet(id, |a| a.feedback.again = Ok(again(|r| (r.repeated, r.cyclic_trios) = ((276, 226), 182))));
    raised(id, "initial ≻ result ≻ initial", |a| {
        a.signal.met.as_mut().unwrap().cycle = vec!["initial".into(), "result".into()];
    });
    raised(id, "the game itself: a ≻ b ≻ c ≻ a", |a| {
        let circle = Some(["a", "b", "c"].map(String::from).to_vec());
        a.feedback.again.as_mut().unwrap().game_circle = circle;
    });
    unknown(id, "nobody", |a| {
        a.feedback.again = Err("nobody".into());
        a.signal.met = Err("nobody".into());
    });
}

#[test]
fn flips_by_hand() {
    // ε = 0.1: 0.81 + 0.01 = 0.82.
    assert!((flip_rate(0.82) - 0.1).abs() < 1e-12);
    assert_eq!([flip_rate(1.0), flip_rate(0.5), flip_rate(0.3)], [0.0, 0.5, 0.5]);
}

#[test]
fn the_other_rules() {
    let model = |mean, half| {
        move |a: &mut Audit| {
            let recent_accuracy = Some(is(mean, half));
            a.signal.model = Some(ModelFigures { recent_accuracy, ..ModelFigures::default() });
        }
    };
    quiet("reward_model_chance", model(0.7, 0.1));
    raised("reward_model_chance", "0.550 ± 0.060", model(0.55, 0.06));
    quiet("reward_model_chance", |_| ());
    unknown("reward_model_chance", "held-out", |a| a.signal.model = Some(ModelFigures::default()));

    quiet("budget_spent_early", |_| ());
    raised("budget_spent_early", "the last at 50.0 % of the steps", |a| a.system.last_asked_at = Some(500));
    quiet("budget_spent_early", |a| {
        // Half of the budget was never used, so it was not spent.
        a.system.last_asked_at = Some(500);
        a.feedback.counts = Some(Queries { asked: 500, ..Queries::default() });
    });
    quiet("budget_spent_early", |a| a.feedback.budget = 0);
    unknown("budget_spent_early", "not finished", |a| a.system.ended = false);

    quiet("too_few_seeds", |_| ());
    raised("too_few_seeds", "4 finished: seeds 0, 1, 2, 3", |a| a.system.siblings[4].eval_return_mean = None);

    quiet("wide_interval", |_| ());
    // A tenth of the gain of 90.
    raised("wide_interval", "gained 90.0", |a| a.policy.recorded = Some((is(-10.0, 9.1), 100)));
    unknown("wide_interval", "began", |a| nominal(a).initial = None);

    quiet("worst_far_off", |_| ());
    raised("worst_far_off", "3.12 standard deviations", |a| nominal(a).worst_mean = -35.0);
    quiet("worst_far_off", |a| nominal(a).spread = 0.0);

    quiet("fragile", |_| ());
    raised("fragile", "late: -46.0 ± 3.00 of a gain of 90.0", |a| {
        nominal(a).disturbed[0].difference = is(-46.0, 3.0);
    });
    quiet("fragile", |a| nominal(a).disturbed[0].difference = is(-46.0, 47.0));
    unknown("fragile", "did not gain", |a| nominal(a).initial = Some(is(5.0, 1.0)));

    let cost = |limit| {
        move |a: &mut Audit| {
            nominal(a).cost = Some(Cost { mean: is(12.0, 1.0), any: 0.5, limit, above: limit.map(|_| 0.4) });
        }
    };
    quiet("cost_limit", cost(Some(25.0)));
    raised("cost_limit", "12.0 ± 1.00 against 10.0", cost(Some(10.0)));
    unknown("cost_limit", "cost_limit", cost(None));
    quiet("cost_limit", |_| ());
    for id in ["wide_interval", "worst_far_off", "fragile", "cost_limit"] {
        unknown(id, "damaged", |a| a.policy.nominal = Err("it is damaged".into()));
    }
}

#[test]
fn scores_are_taken_apart_by_player_and_state() {
    // Two players, two trajectories each, two states; returns are the rewards.
    let episode = |reward: f32| Episode {
        rewards: vec![reward],
        costs: vec![0.0],
        obs: vec![0.0],
        final_obs: vec![0.0],
        ..Episode::default()
    };
    let rewards = [5.0, 7.0, 1.0, 2.0, 3.0, 5.0, 4.0, 2.0];
    let rollout = Rollout { episodes: rewards.map(episode).into(), per_state: 4 };
    let scores = [0.1, 0.3, 0.8, 0.9, 0.0, 0.2, 0.5, 0.7];
    let names = ["initial".to_string(), "result".to_string()];
    let course = Course::new(&names, &rollout, &scores);
    let of = |p: usize| (course.moments[p].score.mean, course.moments[p].task_return.mean);
    // Scores .2 and .1, .85 and .6; returns 6 and 4, 1.5 and 3.
    assert!((of(0).0 - 0.15).abs() < 1e-12 && of(0).1 == 5.0);
    assert!((of(1).0 - 0.725).abs() < 1e-12 && of(1).1 == 2.25);
    let drift = &course.drifts[0];
    // The result minus the initial policy: scores .65 and .5; returns −4.5 and −1.
    assert!((drift.score.mean - 0.575).abs() < 1e-12 && drift.task_return.mean == -2.75);
    assert_eq!((drift.states, course.drifts.len()), (2, 1), "the initial policy is the peak itself");
    // Among the result's own trajectories: correlated in the first state, anticorrelated in the second.
    assert_eq!(course.within_result.unwrap().mean, 0.0);
    assert_eq!(course.over_policies, None, "of two");
}

#[test]
fn the_worst_are_found_again() {
    let episode = |reward: f32, cost: f32| Episode {
        rewards: vec![reward],
        costs: vec![cost],
        obs: vec![0.0],
        final_obs: vec![0.0],
        ..Episode::default()
    };
    let episodes =
        (0..40).map(|i| episode(-((i * 7 % 40) as f32), f32::from(u8::from(i == 3)) * 9.0)).collect();
    let nominal = Nominal::new(&Rollout { episodes, per_state: 1 }, 11, Some(8.0));
    // Two of forty: 7 i = 39 and 38 mod 40 are i = 17 and 34.
    let worst: Vec<(u64, usize, f64)> =
        nominal.worst.iter().map(|b| (b.seed, b.episode, b.task_return)).collect();
    assert_eq!(worst, [(11, 17, -39.0), (11, 34, -38.0)]);
    assert_eq!(nominal.worst_mean, -38.5);
    let cost = nominal.cost.unwrap();
    assert_eq!((cost.mean.mean, cost.any, cost.above), (9.0 / 40.0, 1.0 / 40.0, Some(1.0 / 40.0)));
}

/// A run with the verdicts of all rules.
fn judged(change: impl FnOnce(&mut Audit)) -> Audit {
    let mut audit = clean();
    change(&mut audit);
    let Audit { feedback, signal, policy, system, .. } = &audit;
    audit.flags = flags::judge(&Evidence { feedback, signal, policy, system });
    audit
}

#[test]
fn a_page_says_what_is_raised_and_what_nobody_stated() {
    let hacked = judged(|a| drifts(a)[0].task_return = is(-90.0, 9.0));
    let document = Document::new(std::slice::from_ref(&hacked));
    assert_eq!(document.raised(), 1);
    assert_eq!(document.flags[0].name, "reward hacking suspected", "what is raised comes first");
    let (markdown, html) = (markdown::print(&document), html::print(&document));
    assert!(markdown.contains("| reward hacking suspected | **RAISED**: the result over"), "{markdown}");
    assert!(markdown.contains("*not stated*") && html.contains("not stated"));
    assert!(html.contains("One flag is raised"));
    // A name that looks like markup is escaped.
    assert!(
        html.contains("runs/a &amp; b")
            && html.contains("judge &#39;&lt;b&gt;&#39;")
            && !html.contains("<b>")
    );
    assert!(markdown.contains("`exec:judge '<b>' \\| labels`"), "{markdown}");
    let calm = Document::new(&[judged(|_| ())]);
    assert_eq!(calm.raised(), 0);
    assert!(!markdown::print(&calm).contains("RAISED") && html::print(&calm).contains("No flag is raised"));
}

#[test]
fn runs_stand_side_by_side() {
    let other = judged(|a| {
        a.run = "runs/other".into();
        a.signal.course = Err("the checkpoint is damaged".into());
        nominal(a).worst.clear();
        a.about.system.contact = "ann <ann@example>".into();
    });
    let document = Document::new(&[judged(|_| ()), other]);
    let (markdown, html) = (markdown::print(&document), html::print(&document));
    assert!(markdown.contains("| contact | *not stated* | ann &lt;ann@example\\> |"), "{markdown}");
    assert!(
        markdown.contains("| policy | A: score | A: task return |"),
        "of the one that has it: {markdown}"
    );
    assert!(markdown.contains("| what | A: return | A: difference | B: return | B: difference |"));
    assert!(html.contains("<th>A</th><th>B</th>"));
    for page in [&html, &html::print(&Document::new(&[judged(|_| ())]))] {
        let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
        let parsed = roxmltree::Document::parse_with_options(page, options).unwrap();
        let fetches = ["src", "href", "action", "data"];
        assert!(parsed.descendants().all(|n| n.attributes().all(|a| !fetches.contains(&a.name()))));
        assert!(!page.contains("<script") && !page.contains("url(") && !page.contains("@import"));
    }
    // Every row of a table has as many cells as its head.
    for block in &document.blocks {
        if let document::Block::Table(table) = block {
            assert!(table.rows.iter().all(|row| row.len() == table.head.len()), "{table:?}");
        }
    }
}

#[test]
fn json_has_figures_or_why_there_are_none() {
    let audit = judged(|a| a.signal.course = Err("no checkpoint".into()));
    let json = serde_json::to_value(&audit).unwrap();
    assert_eq!(json["signal"]["course"]["unknown"], "no checkpoint");
    assert_eq!(json["policy"]["nominal"]["mean_return"]["mean"], -10.0);
    assert_eq!(json["flags"][0]["verdict"], "not_checked");
    assert_eq!(json["feedback"]["again"]["agreement_interval"][1], 1.0);
}

#[test]
fn the_documentation_has_every_rule() {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let documented = words(include_str!("../../../../docs/audit.md"));
    for rule in flags::RULES {
        let line = words(&format!("**{}**: {}", rule.name, (rule.statement)()));
        assert!(documented.contains(&line), "docs/audit.md lacks: {line}");
    }
}
