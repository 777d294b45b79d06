//! A run that begins from another's policy, and what it pays for leaving it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{fails, kill_midway, ok, spo};
use spo::base::stats;
use spo::policy::Acting;
use spo::prelude::*;
use spo::rollout::{self, Phase, Request};
use spo::train::{Record, registered};

/// A run to begin from, in `first`.
fn first(dir: &Path) {
    ok(
        dir,
        &[
            "train",
            "lqr",
            "--out",
            "first",
            "--set",
            "total_steps=6000",
            "--set",
            "ppo.hidden_sizes=[8]",
            "--set",
            "window=0",
        ],
    );
}

fn second<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let keys = [
        "--set",
        "total_steps=6000",
        "--set",
        "ppo.hidden_sizes=[8]",
        "--set",
        "eval_episodes=4",
        "--set",
        "window=0",
    ];
    [&["train", "lqr", "--seed", "1", "--out", out, "--init", "first"], &keys[..], more].concat()
}

fn records(run: &Path) -> Vec<Record> {
    let mut csv = csv::Reader::from_path(run.join("metrics.csv")).unwrap();
    csv.deserialize().collect::<Result<_, _>>().unwrap()
}

/// The mean return of what a second run's first trajectories must be: of the other's policy, in this run's states.
fn first_return(other: &Path) -> f64 {
    let policy = spo::train::reference::load(other, "lqr", true).unwrap();
    let request = Request {
        seed: 1,
        phase: Phase::Train,
        iteration: 0,
        states: 8,
        per_state: 4,
        acting: Acting::Sample,
    };
    let rollout = rollout::collect(&[policy], &registered("lqr").unwrap(), &request).unwrap();
    stats::mean(&rollout.returns())
}

#[test]
fn every_scorer_begins_from_the_policy_and_a_penalty_holds_it_there() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    first(dir);
    let began = first_return(&dir.join("first"));
    for scorer in ["self_play", "reward_model", "task_reward"] {
        let end = |penalty: &str| {
            let out = format!("{scorer}-{penalty}");
            ok(dir, &second(&out, &["--scorer", scorer, "--set", penalty]));
            let rows = records(&dir.join(&out));
            assert_eq!(rows[0].kl_to_init, 0.0, "{out} begins where the other run ended");
            assert_eq!(rows[0].return_mean, began, "{out}");
            assert!(rows.iter().skip(1).all(|r| r.kl_to_init > 0.0 && r.kl_to_init.is_finite()));
            rows.last().unwrap().kl_to_init
        };
        let (free, held) = (end("kl_coef=0"), end("kl_coef=10"));
        assert!(held < 0.5 * free, "{scorer}: KL {held} with a penalty, {free} without");
    }
    // Without another run it is the run's own first policy.
    let own = records(&dir.join("first"));
    assert_eq!(own[0].kl_to_init, 0.0);
    assert!(own.last().unwrap().kl_to_init > 0.01);
    // So does SAC, from its own kind.
    let sac =
        ["train", "lqr", "--learner", "sac", "--set", "sac.hidden_sizes=[8]", "--set", "minibatch_size=32"];
    let steps = ["--set", "total_steps=500", "--set", "learning_starts=100", "--set", "eval_episodes=4"];
    ok(dir, &[&sac[..], &steps, &["--out", "sac"]].concat());
    ok(dir, &[&sac[..], &steps, &["--out", "sac-on", "--init", "sac"]].concat());
    assert_eq!(records(&dir.join("sac-on"))[0].kl_to_init, 0.0);
    // A program's own run begins there too, from the run or from its policy file.
    for source in ["first", "first/policy.safetensors"] {
        let mut config = Config::default();
        for key in
            ["env=lqr", "seed=1", "total_steps=1000", "ppo.hidden_sizes=[8]", "eval_episodes=4", "window=0"]
        {
            config.set(key).unwrap();
        }
        config.init = dir.join(source).display().to_string();
        let outcome = Spo::with(config).train().unwrap();
        assert_eq!(outcome.records[0].return_mean, began, "{source}");
    }
}

#[test]
fn kills_of_a_run_from_another_leave_no_trace_though_that_is_gone() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    first(dir);
    let train = |out: &str| -> Command {
        let more = ["--set", "kl_coef=0.1", "--set", "checkpoint_every=3", "--set", "result=average"];
        let mut command = spo(dir, &second(out, &more));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let start = Instant::now();
    assert!(train("whole").status().unwrap().success());
    let whole = start.elapsed();
    for kill in 0..3 {
        kill_midway(
            train(&format!("killed-{kill}")),
            &dir.join(format!("killed-{kill}")),
            whole.mul_f64(f64::from(kill) * 0.3),
        );
    }
    // As an experiment leaves a run that has not begun: its configuration alone.
    fs::create_dir(dir.join("prepared")).unwrap();
    fs::copy(dir.join("whole/config.toml"), dir.join("prepared/config.toml")).unwrap();
    let mut prepared = spo(dir, &["train", "--resume", "prepared"]);
    prepared.stdout(Stdio::null()).stderr(Stdio::null());
    kill_midway(prepared, &dir.join("prepared"), Duration::from_secs(1));
    fs::rename(dir.join("first"), dir.join("gone")).unwrap();
    for run in ["killed-0", "killed-1", "killed-2", "prepared"] {
        ok(dir, &["train", "--resume", run]);
        for file in ["metrics.csv", "config.toml"] {
            let read = |run: &str| fs::read(dir.join(run).join(file)).unwrap();
            assert!(read("whole") == read(run), "{run}/{file} differs");
        }
    }
}

#[test]
fn a_policy_that_does_not_fit_is_refused_before_there_is_a_directory() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    first(dir);
    ok(dir, &second("average", &["--set", "result=average"]));
    ok(dir, &["train", "lqr", "--out", "raw", "--set", "normalize_obs=false", "--set", "total_steps=2000"]);
    fs::write(dir.join("letter"), "to the editor").unwrap();
    for (args, expected) in [
        (&["lqr", "--init", "nowhere"][..], "nowhere"),
        (&["lqr", "--init", "letter"], "letter is damaged"),
        (&["lqr", "--init", "first"], "it is 2-8-1 tanh"),
        (&["pendulum", "--init", "first"], "its policy is for `lqr`; this run is on `pendulum`"),
        (&["lqr", "--init", "raw"], "set normalize_obs=false"),
        (
            &["lqr", "--init", "average/policy.safetensors", "--set", "ppo.hidden_sizes=[8]"],
            "it is a mixture of",
        ),
        (
            &["lqr", "--init", "first", "--set", "ppo.hidden_sizes=[8]", "--set", "head=tanh_gaussian"],
            "head clipped_gaussian, actions from ",
        ),
        (&["lqr", "--set", "kl_coef=-1"], "`kl_coef` is -1"),
        (&["lqr", "--learner", "sac", "--set", "kl_coef=1"], "the learner `sac` does not use `kl_coef`"),
    ] {
        let message = fails(dir, &[&["train", "--out", "new"], args].concat());
        assert!(message.contains(expected), "{args:?}: {message}");
    }
    assert!(!dir.join("new").exists());
}
