//! A program as oracle: what it answers, how it may fail, and that a run with it can be killed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{fails, kill_midway, ok, spo};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use spo::oracle::{OracleEvents, parse};
use spo::prelude::*;
use spo::rollout::Episode;

/// Whether there is a Python to judge with.
fn python() -> bool {
    let found = Command::new("python3").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !found {
        println!("SKIPPED: python3 is not installed");
    }
    found
}

fn here(path: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(path)
}

/// One of the example judges as an oracle, with options.
fn example(options: &str, interpreter: &str, name: &str) -> String {
    format!("exec{options}:{interpreter} '{}'", here("examples/judges").join(name).display())
}

fn faulty(options: &str, mode: &str) -> String {
    format!("exec{options}:python3 '{}' '{mode}'", here("cli/tests/data/faulty.py").display())
}

/// One step with this reward.
fn episode(reward: f32) -> Episode {
    Episode {
        obs: vec![0.5; 2],
        final_obs: vec![0.5; 2],
        actions: vec![reward],
        rewards: vec![reward],
        costs: vec![0.0],
        ..Episode::default()
    }
}

fn task() -> Spec {
    Spec { id: "test".into(), obs_dim: 2, action: ActionSpace::uniform(1, -1.0, 1.0), horizon: 1, dt: 0.1 }
}

/// Answers to all pairs of seven trajectories, the larger reward first, and what happened on the way.
fn asked(text: &str) -> (Result<Vec<Answer>, OracleError>, BTreeMap<String, u64>) {
    let episodes: Vec<Episode> = (0..7_u8).rev().map(|r| episode(f32::from(r))).collect();
    let pairs: Vec<Pair<'_>> = (0..7)
        .flat_map(|i| (i + 1..7).map(move |j| (i, j)))
        .map(|(i, j)| Pair { a: episodes[i].trajectory(), b: episodes[j].trajectory() })
        .collect();
    let (mut oracle, notes) = (parse(text).unwrap(), OracleEvents::default());
    let answers = oracle
        .prepare(&task(), &notes)
        .and_then(|()| oracle.compare(&pairs, &mut ChaCha8Rng::seed_from_u64(0)));
    (answers, notes.counts())
}

fn counts(expected: &[(&str, u64)]) -> BTreeMap<String, u64> {
    expected.iter().map(|(kind, n)| (kind.to_string(), *n)).collect()
}

#[test]
fn what_a_judge_survives_costs_no_answer() {
    if !python() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    for (mode, incidents) in [
        ("well", &[][..]),
        ("floods", &[]),
        ("backwards", &[]),
        // A greeting, and a line for each of three messages.
        ("noisy", &[("noise", 4)]),
        ("dies", &[("deaths", 1), ("restarts", 1)]),
        ("dumb", &[("deaths", 1), ("restarts", 1)]),
        ("closes", &[("deaths", 1), ("restarts", 1)]),
        ("twice", &[("violations", 1), ("restarts", 1)]),
        ("stale", &[("violations", 1), ("restarts", 1)]),
        ("more", &[("violations", 1), ("restarts", 1)]),
        ("misspelt", &[("violations", 1), ("restarts", 1)]),
        ("endless", &[("violations", 1), ("restarts", 1)]),
    ] {
        let once = home.path().join(mode);
        let text = format!("{} '{}'", faulty("(batch=8)", mode), once.display());
        let (answers, happened) = asked(&text);
        assert_eq!(answers.unwrap(), [Answer::Prefer(1.0); 21], "{mode}");
        assert_eq!(happened, counts(incidents), "{mode}");
    }
    // The clock decides how often these fail.
    for mode in ["hangs", "silent", "empty", "chatters"] {
        let once = home.path().join(mode);
        let text = format!("{} '{}'", faulty("(batch=8,timeout=3)", mode), once.display());
        let (answers, happened) = asked(&text);
        assert_eq!(answers.unwrap(), [Answer::Prefer(1.0); 21], "{mode}");
        let kind = if mode == "chatters" { "violations" } else { "timeouts" };
        assert!(happened[kind] >= 1 && happened["restarts"] >= 1, "{mode}: {happened:?}");
    }
}

#[test]
fn what_is_no_probability_is_an_abstention_up_to_a_hundred_in_a_row() {
    if !python() {
        return;
    }
    let (answers, happened) = asked(&faulty("", "wild"));
    let answers = answers.unwrap();
    assert_eq!(answers[..2], [Answer::Abstain; 2]);
    assert_eq!(answers[2..], [Answer::Prefer(1.0); 19]);
    assert_eq!(happened, counts(&[("rejected", 2)]));
    let (answers, happened) = asked(&faulty("", "abstains"));
    assert_eq!(answers.unwrap(), [Answer::Abstain; 21]);
    assert_eq!(happened, counts(&[]), "an abstention is no incident");

    let one = episode(1.0);
    let pairs = vec![Pair { a: one.trajectory(), b: one.trajectory() }; 150];
    let mut oracle = parse(&faulty("(batch=60)", "nan")).unwrap();
    oracle.prepare(&task(), &OracleEvents::default()).unwrap();
    let error = oracle.compare(&pairs, &mut ChaCha8Rng::seed_from_u64(0)).unwrap_err().to_string();
    assert!(
        error.contains("answered \"NaN\" for pair 0 of batch 2") && error.contains("120 answers"),
        "{error}"
    );
}

#[test]
fn a_broken_judge_ends_in_an_error_that_shows_its_last_words() {
    if !python() {
        return;
    }
    for (mode, expected) in [
        ("newer", "speaks version 2 of the protocol; this is version 1"),
        ("gives up", "says: needs rewards from 0 on"),
        ("dumb", "ended (exit status: 1) (2 times in a row); the end of its stderr:\n  no judge for this"),
        ("misspelt", "unknown field `read`"),
    ] {
        let error = asked(&faulty("(restarts=1)", mode)).0.unwrap_err().to_string();
        assert!(error.contains("faulty.py' '") && error.contains(expected), "{mode}: {error}");
    }
    // Every start answers half of what is open, rounded down.
    let (answers, happened) = asked(&faulty("(restarts=0)", "dies"));
    let error = answers.unwrap_err().to_string();
    assert!(error.contains("exit status: 3") && error.contains("the judge has a bad day"), "{error}");
    assert_eq!(happened, counts(&[("deaths", 1)]));
    let (answers, happened) = asked(&faulty("(restarts=1)", "dies"));
    assert!(answers.unwrap_err().to_string().contains("2 times in a row"));
    // Open are 21, 11, 6, 3, 2 and 1 pairs, of which it answers none.
    assert_eq!(happened, counts(&[("deaths", 6), ("restarts", 5)]));

    let error = asked("exec:/no/such/judge --strict").0.unwrap_err().to_string();
    assert!(error.contains("`/no/such/judge --strict` cannot be started: No such file"), "{error}");
    let error = asked("exec(timeout=0.3,restarts=0):sleep 100").0.unwrap_err().to_string();
    assert!(error.contains("was silent for 0.3 s") && error.contains("flush"), "{error}");
    let error = asked("exec(restarts=0):echo hello").0.unwrap_err().to_string();
    assert!(error.contains("ended (exit status: 0)"), "{error}");
}

#[test]
fn a_judge_that_draws_gets_a_seed_a_pair_whatever_the_batches() {
    if !python() {
        return;
    }
    let drawn = |options: &str| asked(&faulty(options, "draws")).0.unwrap();
    let whole = drawn("");
    assert!((1..whole.len()).all(|i| whole[i] != whole[0]), "{whole:?}");
    assert_eq!(whole, drawn("(batch=4)"));
}

#[test]
fn decorators_and_populations_pass_the_task_on() {
    if !python() {
        return;
    }
    let well = faulty("", "well");
    let (answers, _) = asked(&format!("{well} | mistake=1"));
    assert_eq!(answers.unwrap(), [Answer::Prefer(0.0); 21]);
    // Effort prefers the smaller action, which is the smaller reward here.
    let (answers, _) = asked(&format!("0.75*{well} + 0.25*effort | equal=0"));
    assert_eq!(answers.unwrap(), [Answer::Prefer(0.75); 21]);
}

fn training(oracle: &str, out: &Path) -> Vec<u8> {
    let mut training = Spo::on("point").seed(5).out(out);
    for key in ["total_steps=1600", "num_states=4", "ppo.hidden_sizes=[8]", "eval_episodes=2", "result=best"]
    {
        training = training.config(key).unwrap();
    }
    let training = match oracle {
        "closure" => training.oracle(|a: Trajectory, b: Trajectory| {
            let (a, b) = (a.task_return(), b.task_return());
            0.5 + 0.5 * (f32::from(u8::from(a > b)) - f32::from(u8::from(a < b)))
        }),
        text => training.config(&format!("oracle={text}")).unwrap(),
    };
    let outcome = training.train().unwrap();
    assert!(outcome.summary.queries > 0 && outcome.summary.notes.is_empty());
    fs::read(out.join("metrics.csv")).unwrap()
}

#[test]
fn a_closure_and_a_program_train_the_same() {
    if !python() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let closure = training("closure", &home.path().join("closure"));
    for (at, options) in ["", "(batch=7)"].into_iter().enumerate() {
        let program = training(&example(options, "python3", "return.py"), &home.path().join(at.to_string()));
        assert!(program == closure, "{options}");
    }
}

#[test]
fn the_shell_judge_judges_as_the_effort_oracle() {
    let ask = |text: &str| asked(text).0.unwrap();
    assert_eq!(ask(&example("(batch=5)", "sh", "effort.sh")), ask("effort"));
    let home = tempfile::tempdir().unwrap();
    let shell = training(&example("", "sh", "effort.sh"), &home.path().join("shell"));
    // Sums of squares of a few numbers, in doubles in both.
    assert!(shell == training("effort", &home.path().join("effort")));
}

#[test]
fn lines_and_the_shared_file_say_the_same() {
    if !python() {
        return;
    }
    let ours = || {
        fs::read_dir("/dev/shm").into_iter().flatten().flatten().filter(|file| {
            file.file_name().to_string_lossy().starts_with(&format!("spo-{}-", std::process::id()))
        })
    };
    let home = tempfile::tempdir().unwrap();
    let train = |options: &str| {
        let out = home.path().join(options);
        let judge = example(options, "python3", "upright.py");
        let mut training = Spo::on("pendulum@40").out(&out).config(&format!("oracle={judge}")).unwrap();
        for key in
            ["total_steps=2600", "window=0", "ppo.hidden_sizes=[8]", "eval_episodes=2", "opponents=queue=3"]
        {
            training = training.config(key).unwrap();
        }
        assert!(training.train().unwrap().summary.queries > 0);
        fs::read(out.join("metrics.csv")).unwrap()
    };
    assert!(train("(data=json)") == train("(data=file,batch=11)"));
    assert_eq!(ours().count(), 0, "the file's name is gone");
    // A judge's own reason.
    let refused = Spo::on("lqr").config(&format!("oracle={}", example("", "python3", "upright.py"))).unwrap();
    let error = refused.train().err().unwrap().to_string();
    assert!(error.contains("says: judges pendulums only, and not `lqr`"), "{error}");
}

#[test]
fn the_guide_shows_the_judge_as_it_is() {
    let judge = fs::read_to_string(here("examples/judges/return.py")).unwrap();
    assert!(
        fs::read_to_string(here("docs/own-oracle.md")).unwrap().contains(&format!("```python\n{judge}```"))
    );
}

/// A training whose judge writes down its process numbers.
fn train(dir: &Path, out: &str) -> Command {
    let judge = here("examples/judges/return.py");
    let oracle = format!("exec:sh -c 'echo $$ >> {out}.pids; exec python3 \"{}\"'", judge.display());
    let mut command = spo(dir, &["train", "point", "--oracle", &oracle, "--out", out]);
    for key in ["total_steps=200000", "ppo.hidden_sizes=[8]", "eval_episodes=2", "checkpoint_every=2"] {
        command.args(["--set", key]);
    }
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn kills_of_trainer_and_judge_leave_no_trace() {
    if !python() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let metrics = |run: &str| fs::read(dir.join(run).join("metrics.csv")).unwrap();
    let start = Instant::now();
    assert!(train(dir, "whole").status().unwrap().success());
    let whole = start.elapsed();

    // The trainer, at moments spread over the run; its judge ends with its stdin.
    for kill in 0..4_u32 {
        let out = format!("trainer-{kill}");
        kill_midway(train(dir, &out), &dir.join(&out), whole.mul_f64(f64::from(kill * 37 % 100) / 120.0));
        // The same judge, by the configuration of the run.
        ok(dir, &["train", "--resume", &out]);
        assert!(metrics(&out) == metrics("whole"), "{out}");
    }

    // The judge, again and again while the trainer goes on.
    let mut child = train(dir, "judge").spawn().unwrap();
    let mut killed = Vec::new();
    while child.try_wait().unwrap().is_none() {
        let pids = fs::read_to_string(dir.join("judge.pids")).unwrap_or_default();
        if let Some(pid) = pids.lines().last().map(str::to_string).filter(|pid| !killed.contains(pid))
            && killed.len() < 5
        {
            std::thread::sleep(whole.mul_f64(0.04 * (1 + killed.len()) as f64));
            Command::new("kill").args(["-KILL", &pid]).stderr(Stdio::null()).status().unwrap();
            killed.push(pid);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(child.wait().unwrap().success());
    assert!(metrics("judge") == metrics("whole"));
    let summary: Value = serde_json::from_slice(&fs::read(dir.join("judge/summary.json")).unwrap()).unwrap();
    assert!(summary["notes"]["restarts"].as_u64().unwrap() >= 1, "{summary}");
}

#[test]
fn a_judge_that_fails_makes_no_run_and_a_run_that_fails_can_be_mended() {
    if !python() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let message = fails(dir, &["train", "point", "--oracle", "exec:no-such-judge"]);
    assert!(message.contains("`no-such-judge` cannot be started"), "{message}");
    assert!(fails(dir, &["train", "--oracle", "exec:sh 'x"]).contains("not closed"));
    assert!(fails(dir, &["train", "--oracle", "exec(timeuot=1):sh"]).contains("did you mean `timeout`?"));
    assert!(!dir.join("runs").exists(), "a refused run makes no directory");

    let judge = dir.join("judge.py");
    let quick = [
        "--set",
        "total_steps=3200",
        "--set",
        "ppo.hidden_sizes=[8]",
        "--set",
        "eval_episodes=2",
        "--out",
        "run",
    ];
    fs::copy(here("cli/tests/data/faulty.py"), &judge).unwrap();
    let dies = ["train", "point", "--oracle", "exec(restarts=0):python3 judge.py dies"];
    let message = fails(dir, &[&dies[..], &quick].concat());
    assert!(message.contains("run has no checkpoint yet") && message.contains("bad day"), "{message}");
    fs::copy(here("examples/judges/return.py"), &judge).unwrap();
    assert!(ok(dir, &["train", "--resume", "run"]).contains("queries "));
}

#[test]
fn a_check_tells_a_good_judge_from_a_bad_one() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let check = |oracle: &str, env: &str| -> Value {
        let args = ["oracle", "check", oracle, env, "--json", "--trajectories", "9"];
        serde_json::from_slice(&spo(dir, &args).output().unwrap().stdout).unwrap()
    };
    let report = check("return", "pendulum");
    // 2 · 9 · 8 + 9
    assert_eq!((&report["comparisons"], &report["trios"]), (&153.into(), &84.into()));
    assert_eq!((&report["repeatable"], &report["random"]), (&true.into(), &false.into()));
    assert_eq!((&report["cycle"], &report["cyclic_trios"]), (&Value::Null, &0.into()));
    assert_eq!((&report["asymmetry"], &report["violations"]), (&0.0.into(), &Value::Array(vec![])));
    let report = check("bradley_terry=50 | mistake=0.2 | labels", "pendulum");
    assert_eq!((&report["repeatable"], &report["random"]), (&true.into(), &true.into()));
    assert_eq!(report["violations"], Value::Array(vec![]), "{report}");
    // Rock, paper and scissors: one of each is enough for a circle.
    let report = check("game:rock_paper_scissors", "options-3");
    let cycle = report["cycle"].as_array().unwrap();
    assert!(cycle.len() == 3 && report["cyclic_trios"].as_u64().unwrap() > 0, "{report}");
    assert!(report["warnings"][0].as_str().unwrap().contains("in circles"), "{report}");
    let printed = ok(dir, &["oracle", "check", "game:rock_paper_scissors", "options-3"]);
    assert!(
        printed.contains("trios go in circles, such as") && printed.contains("the contract holds"),
        "{printed}"
    );
    for entry in spo::oracle::registry() {
        assert!(ok(dir, &["oracle", "list"]).contains(entry.form));
    }
    assert!(fails(dir, &["oracle", "check", "retrun"]).contains("did you mean `return`?"));
    assert!(fails(dir, &["oracle", "check", "return", "pendulom"]).contains("did you mean `pendulum`?"));
    assert!(fails(dir, &["oracle", "check", "return", "--trajectories", "1"]).contains("--trajectories"));

    if !python() {
        return;
    }
    let broken = |oracle: &str| -> String {
        let output = spo(dir, &["oracle", "check", oracle, "--trajectories", "6"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{oracle}");
        crate::common::stdout(&output)
    };
    let printed = broken(&faulty("", "biased"));
    assert!(printed.contains("VIOLATION: P(a, b) + P(b, a) differs from 1 by up to 1.000"), "{printed}");
    assert!(printed.contains("a trajectory against itself differs from 1/2 by up to 0.500"), "{printed}");
    assert!(broken(&faulty("", "wild")).contains("answers of the program are not probabilities"));
    let printed =
        ok(dir, &["oracle", "check", &example("", "python3", "return.py"), "point", "--window", "5"]);
    assert!(printed.contains("deterministic  yes") && printed.contains("µs per comparison"), "{printed}");
}
