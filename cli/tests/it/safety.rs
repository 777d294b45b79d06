//! Safe training: a policy that keeps to a limit, what is recorded of it, and what is refused.

use std::fs;

use crate::common::{fails, ok};
use serde_json::Value;
use spo::base::stats;
use spo::prelude::*;
use spo::train::Summary;

/// The point robot, whose shortest way leads through the hazard.
fn train(seed: u64, keys: &[&str]) -> Outcome {
    let own = ["env=point_goal", "safety.oracle=cost=2", "total_steps=80000", "eval_episodes=50"];
    let mut training = Spo::on("point_goal").seed(seed);
    for key in own.iter().chain(keys) {
        training = training.config(key).unwrap();
    }
    training.train().unwrap()
}

#[test]
fn safe_self_play_keeps_to_the_limit_that_self_play_alone_does_not() {
    let runs = |keys: &[&str]| -> Vec<Summary> { (0..3).map(|seed| train(seed, keys).summary).collect() };
    let costs = |runs: &[Summary]| -> Vec<f64> { runs.iter().filter_map(|s| s.eval_cost_mean).collect() };
    let returns = |runs: &[Summary]| -> Vec<f64> { runs.iter().map(|s| s.eval_return_mean).collect() };
    let (safe, alone) = (runs(&[]), runs(&["lagrange_max=0"]));
    println!("costs {:.2?} {:.2?}", costs(&safe), costs(&alone));
    println!("returns {:.1?} {:.1?}", returns(&safe), returns(&alone));
    assert!(costs(&alone).iter().all(|&cost| cost > 5.0), "the shortest way leads through the hazard");
    assert!(costs(&safe).iter().all(|&cost| cost <= 2.0), "the limit");
    // Both get there: standing still at the start is worth −4.1 m · 50 steps.
    assert!(stats::mean(&returns(&safe)) > -120.0 && stats::mean(&returns(&alone)) > -120.0);
    assert!(safe.iter().all(|s| s.eval_unsafe_share.unwrap() < 0.2 && s.safety_queries.unwrap() > 0));
    assert!(alone.iter().all(|s| s.eval_unsafe_share.unwrap() > 0.8 && s.safety_queries.is_none()));
}

#[test]
fn each_of_the_three_records_what_it_does() {
    for (scorer, asks) in [("self_play", true), ("reward_model", true), ("task_reward", false)] {
        let of_model = scorer == "reward_model";
        let scorer = format!("scorer={scorer}");
        let mut keys = vec!["total_steps=6400", "kl_coef=0.01", &scorer];
        keys.extend(of_model.then_some("reward_model.fit_every=2"));
        for baseline in [&["baseline=critic"][..], &["baseline=group", "window=0"]] {
            let keys = [&keys[..], baseline].concat();
            let outcome = train(0, &keys);
            assert_eq!(outcome.records.len(), 4, "{keys:?}");
            for r in &outcome.records {
                let multiplier = r.multiplier.unwrap();
                assert!((0.1..=5.0).contains(&multiplier), "{keys:?}: {multiplier}");
                assert!((0.0..=1.0).contains(&r.unsafe_share.unwrap()) && r.cost_mean >= 0.0, "{keys:?}");
                assert_eq!((r.safety_queries > 0, r.safety_verdicts > 0), (asks, asks), "{keys:?}");
                let fits = of_model && r.iteration % 2 == 1;
                assert_eq!(r.cost_loss.is_some(), fits, "{keys:?}, {}", r.iteration);
            }
            assert!(outcome.records.iter().any(|r| r.multiplier != Some(1.0)), "{keys:?}");
        }
    }
}

#[test]
fn without_a_safety_oracle_nothing_is_weighed() {
    let outcome = train(0, &["safety.oracle=", "total_steps=3200"]);
    let last = outcome.records.last().unwrap();
    assert_eq!((last.multiplier, last.unsafe_share, last.safety_queries), (None, None, 0));
    assert_eq!((outcome.summary.eval_cost_mean, outcome.summary.eval_unsafe_share), (None, None));
    // A judge of the evaluation alone changes no number of training.
    let judged = train(0, &["lagrange_max=0", "total_steps=3200"]);
    assert_eq!(judged.records, outcome.records);
    assert!(judged.summary.eval_cost_mean.is_some());
}

#[test]
fn a_run_logs_both_oracles_and_says_how_safe_it_is() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let keys = ["total_steps=3200", "eval_episodes=5", "log_comparisons=true", "window=0", "num_states=2"];
    let mut args = vec!["train", "point_goal", "--safety-oracle", "cost=2 | mistake=0.1", "--out", "run"];
    args.extend(keys.iter().flat_map(|key| ["--set", key]));
    let printed = ok(dir, &args);
    assert!(printed.contains("% of the episodes unsafe)") && printed.contains("about safety"), "{printed}");
    // 8 iterations of 2 · 6 comparisons and 8 verdicts.
    let lines = |file: &str| fs::read_to_string(dir.join("run").join(file)).unwrap().lines().count();
    assert_eq!((lines("comparisons.csv"), lines("safety_comparisons.csv")), (1 + 96, 1 + 96 + 64));
    let log = fs::read_to_string(dir.join("run/safety_comparisons.csv")).unwrap();
    assert!(log.starts_with("query,steps_a,steps_b,cost_a,cost_b,p_a_safer\n0,50,50,"), "{log}");
    let verdict = log.lines().nth(1 + 12).unwrap();
    assert!(verdict.starts_with("12,50,,"), "{verdict}");
    let summary: Value = serde_json::from_slice(&fs::read(dir.join("run/summary.json")).unwrap()).unwrap();
    assert_eq!((&summary["queries"], &summary["safety_queries"]), (&96.into(), &160.into()));
}

#[test]
fn what_cannot_be_safe_is_refused_with_a_clear_error() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let with = |keys: &[&'static str]| -> Vec<&'static str> {
        let own = ["train", "point_goal", "--set", "safety.oracle=cost=2"];
        own.into_iter().chain(keys.iter().flat_map(|key| ["--set", key])).collect()
    };
    for (args, expected) in [
        (with(&["safety.oracle=cots=2"]), "did you mean `cost`?"),
        (with(&["safety.oracle=cost=-1"]), "`cost` is -1; expected at least 0"),
        (with(&["safety.oracle=return"]), "does not say what is safe; expected `cost=25`"),
        (with(&["safety.oracle=cost=2 + effort"]), "does not say what is safe"),
        (with(&["safety.oracle=exec:judge"]), "does not say what is safe"),
        (with(&["safety.oracle=human"]), "people are asked alone"),
        (with(&["safety.oracle=cost=2 | labels", "scorer=task_reward"]), "expected `cost=25` alone"),
        (with(&["learner=sac"]), "the learner `sac` does not use `safety.oracle`"),
        (with(&["lagrange_init=0"]), "`safety.lagrange_init` is 0; expected a finite number above 0"),
        (
            with(&["lagrange_init=9"]),
            "`safety.lagrange_init` is 9; expected a number from safety.lagrange_min to safety.lagrange_max",
        ),
        (with(&["lagrange_max=-1"]), "`safety.lagrange_max` is -1; expected a finite number of at least 0"),
        (with(&["lagrange_max=inf"]), "`safety.lagrange_max` is not a finite number"),
        (
            with(&["lagrange_min=6"]),
            "`safety.lagrange_min` is 6; expected a number above 0 and at most safety.lagrange_max",
        ),
        (with(&["lagrange_lr=0"]), "`safety.lagrange_lr` is 0"),
        (with(&["lagrange_max=0", "lagrange_lr=1"]), "does not use `safety.lagrange_lr`"),
        (
            with(&["unsafe_limit=1"]),
            "`safety.unsafe_limit` is 1; expected a finite number of at least 0 and below 1",
        ),
        (with(&["unsafe_limit=0.1", "scorer=task_reward"]), "does not use `safety.unsafe_limit`"),
        (
            with(&["scorer=task_reward", "reward_model.regularization_coef=1"]),
            "does not use `reward_model.regularization_coef`",
        ),
        (with(&["extragradient=true"]), "false with a safety oracle: its look-ahead step ignores costs"),
        (with(&["result=best"]), "the best by comparisons may be unsafe"),
        (
            with(&["policy_loss=rebel", "baseline=group", "window=0", "normalize_advantage=false"]),
            "`ppo.policy_loss` is rebel; expected ppo with a safety oracle",
        ),
        (
            vec!["train", "--set", "lagrange_lr=1"],
            "the run without a safety oracle (safety.oracle=cost=25) does not use",
        ),
    ] {
        let message = fails(dir, &args);
        assert!(message.contains(expected), "spo {args:?}: {message}");
    }
    assert!(!dir.join("runs").exists(), "a refused run makes no directory");
}
