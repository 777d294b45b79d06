//! Iterated online RLHF: what a round deploys, asks and begins with; its control of one round; and what `spo analyze` makes
//! of the runs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::common::{fails, kill_midway, ok, spo};
use spo::prelude::*;
use spo::rollout::{Origin, Phase, Start};
use spo::train::Record;
use spo_cli::evaluate::analysis::{self, Question, bins::calibration_error};

/// 32 trajectories of 10 steps an iteration; 4 · 32 trajectories a deployment. A round of 6400 steps is 16 iterations.
const KEYS: [&str; 7] = [
    "scorer=reward_model",
    "window=5",
    "baseline=group",
    "budget=600",
    "rlhf_rounds=3",
    "total_steps=19200",
    "reward_model.epochs=40",
];

fn training(oracle: impl Oracle + 'static, keys: &[&str]) -> Outcome {
    let mut training = Spo::on("lqr").oracle(oracle).seed(0);
    for key in KEYS.iter().chain(keys) {
        training = training.config(key).unwrap();
    }
    training.train().unwrap()
}

fn by_return(a: Trajectory, b: Trajectory) -> f32 {
    let (a, b) = (a.task_return(), b.task_return());
    if a == b { 0.5 } else { f32::from(u8::from(a > b)) }
}

/// Where a side of a pair comes from, and what was done there.
type Side = (Start, Vec<f32>);

/// By return; notes every pair.
struct Witness(Arc<Mutex<Vec<[Side; 2]>>>);

impl Oracle for Witness {
    fn compare(&mut self, pairs: &[Pair<'_>], _: &mut dyn rand::Rng) -> Result<Vec<Answer>, OracleError> {
        let seen = |t: &Trajectory<'_>| {
            let Some(Origin { start, .. }) = t.origin else { panic!("a rollout's trajectory") };
            (start, t.actions.to_vec())
        };
        self.0.lock().unwrap().extend(pairs.iter().map(|p| [seen(&p.a), seen(&p.b)]));
        Ok(pairs.iter().map(|p| Answer::Prefer(by_return(p.a, p.b))).collect())
    }
}

#[test]
fn rounds_ask_about_what_was_deployed_and_begin_again_with_the_initial_policy() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let outcome = training(Witness(seen.clone()), &[]);
    let rows = &outcome.records;
    let rounds: Vec<&[Record]> = rows.chunk_by(|a, b| a.rlhf_round == b.rlhf_round).collect();
    assert_eq!(rounds.iter().map(|r| r[0].rlhf_round).collect::<Vec<_>>(), [1, 2, 3]);
    let mut before = 0;
    for round in &rounds {
        let first = &round[0];
        // A deployment of 1280 steps and an iteration of 320, both of π₀ or after it.
        assert_eq!(first.env_steps - before, 1280 + 320);
        assert!(round.windows(2).all(|w| w[1].env_steps - w[0].env_steps == 320));
        assert_eq!(first.kl_to_init, 0.0, "a round begins with the initial policy");
        assert!(round[1..].iter().all(|r| r.kl_to_init > 0.0));
        assert!(round.iter().all(|r| r.queries == 200 * first.rlhf_round), "a third of the budget each");
        let fits: Vec<bool> = round.iter().map(|r| r.reward_loss.is_some()).collect();
        assert!(fits[0] && fits[1..].iter().all(|fit| !fit), "the model is fitted once a round");
        assert!(round.last().unwrap().return_mean > first.return_mean, "and learned from");
        before = round.last().unwrap().env_steps;
    }
    assert_eq!(rows.last().unwrap().env_steps, 19_200);
    let counts = outcome.summary.reward_model.unwrap();
    assert_eq!((counts.rounds, counts.unanswered), (3, 0));

    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 600);
    let sides = |round: usize| seen[200 * round..200 * (round + 1)].iter().flatten();
    for (round, rows) in rounds.iter().enumerate() {
        let iterations: BTreeSet<u64> = sides(round).map(|(start, _)| start.iteration).collect();
        assert_eq!(iterations, [rows[0].iteration - 1].into(), "about this round's deployment alone");
        assert!(sides(round).all(|(start, _)| start.phase == Phase::Deploy));
        // Four times an iteration's eight states.
        assert!(sides(round).all(|(start, _)| start.state < 32) && sides(round).any(|(s, _)| s.state > 24));
    }
    let effort =
        |round: usize| sides(round).map(|(_, u)| u.iter().map(|u| u.abs()).sum::<f32>()).sum::<f32>();
    assert!(
        (effort(0) - effort(1)).abs() > 0.01 * effort(0),
        "other policies are deployed in the second round"
    );
}

#[test]
fn one_round_asks_everything_about_the_initial_policy_at_the_same_cost() {
    let iterated = training(by_return, &[]);
    let control = training(by_return, &["rlhf_rounds=1"]);
    let last = |o: &Outcome| *o.records.last().unwrap();
    assert_eq!(last(&iterated).queries, last(&control).queries);
    assert_eq!(last(&iterated).env_steps, last(&control).env_steps);
    assert!(control.records.iter().all(|r| r.queries == 600 && r.rlhf_round == 1));
    assert_eq!(control.records.iter().filter(|r| r.kl_to_init == 0.0).count(), 1);
    // The same states and policy in the first iteration, though scored by models of other answers.
    assert_eq!(iterated.records[0].return_mean, control.records[0].return_mean);
    assert!(last(&control).return_mean > control.records[0].return_mean);
    // Without rounds nothing of this is there.
    let plain = training(by_return, &["rlhf_rounds=0", "total_steps=1600"]);
    assert!(plain.records.iter().all(|r| r.rlhf_round == 0 && r.reward_train_score.is_none()));
}

#[test]
fn a_split_scores_by_both_halves() {
    let outcome = training(by_return, &["reward_model.split=true", "budget=900", "rlhf_rounds=2"]);
    let rounds = outcome.records.chunk_by(|a, b| a.rlhf_round == b.rlhf_round);
    for round in rounds {
        let scores: Vec<(f32, f32)> =
            round.iter().map(|r| (r.reward_train_score.unwrap(), r.reward_test_score.unwrap())).collect();
        let (first, last) = (scores[0], scores[scores.len() - 1]);
        assert!(last.0 > first.0 && last.1 > first.1, "both models see it learn: {first:?} {last:?}");
        assert!(scores.iter().all(|(train, test)| train != test));
    }
    // Zero is what the trajectories that were asked about score: at first the policy's own kind.
    let first = &outcome.records[0];
    let rise = outcome.records.iter().rfind(|r| r.rlhf_round == 1).unwrap();
    let (at, end) = (first.reward_train_score.unwrap(), rise.reward_train_score.unwrap());
    assert!(at.abs() < 0.5 * end, "{at} at first, {end} in the end");
}

/// Says nothing.
struct Mute;

impl Oracle for Mute {
    fn compare(&mut self, pairs: &[Pair<'_>], _: &mut dyn rand::Rng) -> Result<Vec<Answer>, OracleError> {
        Ok(vec![Answer::Abstain; pairs.len()])
    }
}

#[test]
fn rounds_that_nobody_answers_are_counted_and_train_go_on() {
    let mute = training(Mute, &["reward_model.split=true"]);
    let counts = mute.summary.reward_model.unwrap();
    assert_eq!((counts.rounds, counts.unanswered), (3, 3));
    let last = mute.records.last().unwrap();
    assert_eq!((last.queries, last.abstained, last.rlhf_round), (600, 600, 3));
    assert!(mute.records.iter().all(|r| r.score_mean == 0.0 && r.reward_test_score.is_none()));
}

fn train(dir: &Path, out: &str, seed: &str, more: &[&str]) -> Command {
    let mut command = spo(dir, &["train", "lqr", "--out", out, "--seed", seed]);
    for key in
        KEYS.iter().chain(&["ppo.hidden_sizes=[8]", "eval_episodes=4", "log_predictions=true"]).chain(more)
    {
        command.args(["--set", key]);
    }
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn trained(dir: &Path, out: &str, seed: &str, more: &[&str]) {
    assert!(train(dir, out, seed, more).status().unwrap().success(), "{out}");
}

#[test]
fn kills_between_and_within_rounds_leave_no_trace() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let keys = [
        "reward_model.split=true",
        "checkpoint_every=3",
        "kl_coef=0.01",
        "result=average",
        "total_steps=40000",
    ];
    let start = Instant::now();
    trained(dir, "whole", "1", &keys);
    let whole = start.elapsed();
    for kill in 1..5 {
        let out = format!("killed-{kill}");
        kill_midway(train(dir, &out, "1", &keys), &dir.join(&out), whole.mul_f64(f64::from(kill) * 0.18));
        ok(dir, &["train", "--resume", &out]);
        for file in ["metrics.csv", "reward_model.csv", "config.toml"] {
            let read = |run: &str| fs::read(dir.join(run).join(file)).unwrap();
            assert!(read("whole") == read(&out), "{out}/{file} differs");
        }
        let policies =
            |run: &str| spo::policy::policy_file::load(&dir.join(run).join("policy.safetensors")).unwrap();
        assert!(policies("whole") == policies(&out), "{out}");
    }
    // It can be looked into, and begun from.
    let ranked = ok(dir, &["eval", "whole", "--best-of", "2", "--episodes", "4", "--json"]);
    assert!(ranked.contains("\"ranked_by\":\"reward_model\""), "{ranked}");
    trained(dir, "onwards", "0", &["init=whole", "rlhf_rounds=1", "total_steps=10000"]);
    // A tenth of 200, 400 and 600 answers is held out.
    let rows = fs::read_to_string(dir.join("whole/reward_model.csv")).unwrap();
    assert!(rows.starts_with("round,score_a,score_b,p_a_wins\n"), "{rows}");
    let of = |round: &str| rows.lines().filter(|row| row.starts_with(round)).count();
    assert_eq!((of("1,"), of("2,"), of("3,")), (20, 40, 60));
    // The mixture is of the last round's policies.
    let (_, policies) = spo::policy::policy_file::load(&dir.join("whole/policy.safetensors")).unwrap();
    let records = spo_cli::evaluate::plot::records(&dir.join("whole")).unwrap();
    let last_round = records.iter().filter(|record| record.rlhf_round == 3).count();
    assert!(policies.len() <= last_round, "{} policies, {last_round} iterations", policies.len());
}

#[test]
fn a_model_of_a_bradley_terry_teacher_is_calibrated() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let teacher = "oracle=bradley_terry=3 | labels";
    trained(
        dir,
        "run",
        "0",
        &[
            teacher,
            "budget=5000",
            "rlhf_rounds=1",
            "reward_model.epochs=20",
            "reward_model.held_out_share=0.4",
        ],
    );
    let of = &analysis::analyze(&[dir.join("run")], Question { bins: 5, round: None }).unwrap()[0];
    assert_eq!(of.by_gap.iter().map(|b| b.count).sum::<usize>(), 2000);
    println!("{:#?}", of.by_gap);
    assert!(calibration_error(&of.by_gap).unwrap() < 0.04);
    let within = of.by_gap.iter().filter(|b| (b.low..=b.high).contains(&b.expected)).count();
    assert!(within >= 4, "{within} of 5 bins have the expectation in their interval");
    assert!(of.by_gap[4].expected > of.by_gap[0].expected + 0.1, "and the teacher is not just guessing");
}

#[test]
fn runs_are_analysed_and_what_they_lack_is_named() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    for seed in ["0", "1"] {
        trained(dir, &format!("rlhf-{seed}"), seed, &["reward_model.split=true"]);
    }
    let small = ["--set", "total_steps=2000", "--set", "window=0", "--set", "eval_episodes=4"];
    ok(dir, &[&["train", "lqr", "--out", "self-play"][..], &small].concat());
    ok(dir, &[&["train", "lqr", "--out", "plain", "--scorer", "reward_model"][..], &small].concat());

    let told =
        ok(dir, &["analyze", "rlhf-0", "rlhf-1", "self-play", "plain", "--out", "told", "--bins", "4"]);
    for words in [
        "2 seeds",
        "120 held-out comparisons, round 3",
        "in the lowest bin",
        "score = (",
        "return = (",
        "over-optimisation",
        "at the end train score",
        "--set log_predictions=true has one",
        "log_predictions=true records them",
        "with reward_model.rlhf_rounds above 0 it stays the same",
        "reward_model.split=true has one",
        "told/analysis.svg",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let rows = |file: &str| fs::read_to_string(dir.join("told").join(file)).unwrap();
    assert_eq!(rows("calibration.csv").lines().count(), 1 + 4);
    assert_eq!(rows("accuracy_by_score.csv").lines().count(), 1 + 4);
    // Two rewards a round, of which there are three, for two seeds; of the other two runs the return alone.
    assert_eq!(rows("lines.csv").lines().count(), 1 + 2 * 3 * 2 + 2);
    let iterations =
        |run: &str| fs::read_to_string(dir.join(run).join("metrics.csv")).unwrap().lines().count() - 1;
    let all: usize = ["rlhf-0", "rlhf-1", "self-play", "plain"].map(iterations).iter().sum();
    assert_eq!(rows("reward_by_kl.csv").lines().count(), 1 + all);
    assert_eq!(rows("over_optimisation.csv").lines().count(), 1 + 2 * iterations("rlhf-0"));
    let svg = rows("analysis.svg");
    roxmltree::Document::parse(&svg).unwrap();
    assert!(svg.contains("calibration") && svg.contains("√KL"));
    assert!(fs::read(dir.join("told/analysis.png")).unwrap().starts_with(b"\x89PNG"));

    // From the tables alone it is the same picture.
    fs::remove_file(dir.join("told/analysis.svg")).unwrap();
    assert!(ok(dir, &["analyze", "--redraw", "told"]).contains("told/analysis.svg"));
    assert_eq!(rows("analysis.svg"), svg);
    assert!(fails(dir, &["analyze", "--redraw", "nowhere"]).contains("nowhere/reward_by_kl.csv"));

    // An earlier round; then a run that has only some of it takes old tables away.
    assert!(
        ok(dir, &["analyze", "rlhf-0", "--round", "1", "--out", "told"])
            .contains("20 held-out comparisons, round 1")
    );
    ok(dir, &["analyze", "self-play", "--out", "told"]);
    assert!(!dir.join("told/calibration.csv").exists() && !rows("lines.csv").contains("score"));

    assert!(fails(dir, &["analyze", "nowhere"]).contains("nowhere/config.toml"));
    assert!(fails(dir, &["analyze"]).contains("RUN"));
    assert!(fails(dir, &["analyze", "rlhf-0", "--bins", "0"]).contains("--bins"));
    fs::write(dir.join("rlhf-0/reward_model.csv"), "round,score_a\n1,x\n").unwrap();
    assert!(fails(dir, &["analyze", "rlhf-0"]).contains("rlhf-0/reward_model.csv"));
    fs::write(dir.join("file"), "").unwrap();
    assert!(fails(dir, &["analyze", "rlhf-1", "--out", "file/told"]).contains("cannot write file/told"));
}
