//! Killed at any moment, a run goes on and ends as if nothing had happened; what is damaged is said to be.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::common::{fails, kill_midway, ok, spo, stderr, wait_for_file};

/// A run that has everything a checkpoint must hold: queue, log, snapshots, critic, normalised observations.
const RUN: [&str; 22] = [
    "train",
    "pendulum",
    "--seed",
    "3",
    "--oracle",
    "bradley_terry=100 | mistake=0.1 | labels",
    "--opponents",
    "queue=8",
    "--set",
    "total_steps=16000",
    "--set",
    "num_states=2",
    "--set",
    "trajectories_per_state=2",
    "--set",
    "log_comparisons=true",
    "--set",
    "checkpoint_every=3",
    "--set",
    "result=average",
    "--set",
    "eval_episodes=4",
];

fn train(dir: &Path, out: &str) -> Command {
    let mut command = spo(dir, &RUN);
    command.args(["--set", "snapshots=8", "--out", out]).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[track_caller]
fn same_run(dir: &Path, a: &str, b: &str) {
    for file in ["metrics.csv", "comparisons.csv", "policy.safetensors", "config.toml"] {
        let read = |run: &str| fs::read(dir.join(run).join(file)).unwrap();
        // The header of a tensor file lists its metadata in no order: compare what it holds.
        if file.ends_with("safetensors") {
            let load = |run: &str| spo::policy::policy_file::load(&dir.join(run).join(file)).unwrap();
            assert!(load(a) == load(b), "{b}/{file} differs");
        } else {
            assert!(read(a) == read(b), "{b}/{file} differs");
        }
    }
}

#[test]
fn ten_kills_at_random_moments_leave_no_trace() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let start = Instant::now();
    assert!(train(dir, "whole").status().unwrap().success());
    let whole = start.elapsed();
    let mut stopped_midway = 0;
    for kill in 0..10u32 {
        let out = format!("killed-{kill}");
        // Spread over the run, in no regular steps.
        kill_midway(train(dir, &out), &dir.join(&out), whole.mul_f64(f64::from(kill * 37 % 100) / 110.0));
        stopped_midway += u32::from(!dir.join(&out).join("summary.json").exists());
        ok(dir, &["train", "--resume", &out]);
        same_run(dir, "whole", &out);
    }
    assert!(stopped_midway >= 5, "only {stopped_midway} of the kills met a run under way");
}

#[test]
fn ctrl_c_writes_a_checkpoint_and_says_how_to_go_on() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    assert!(train(dir, "whole").status().unwrap().success());
    let mut child = train(dir, "stopped").stderr(Stdio::piped()).spawn().unwrap();
    wait_for_file(&mut child, &dir.join("stopped/metrics.csv"));
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(stderr(&output).contains("spo train --resume stopped"), "{}", stderr(&output));
    assert!(dir.join("stopped/checkpoint.safetensors").exists());
    ok(dir, &["train", "--resume", "stopped"]);
    same_run(dir, "whole", "stopped");
}

/// SAC with what it adds to a checkpoint: replay, moments, targets, temperature, answers of past trajectories.
fn train_sac(dir: &Path, out: &str) -> Command {
    let mut command = spo(dir, &["train", "pendulum", "--learner", "sac", "--opponents", "queue=3"]);
    command.args(["--oracle", "bradley_terry=100 | mistake=0.1 | labels", "--out", out]);
    for key in [
        "relabel=true",
        "normalize_obs=true",
        "log_comparisons=true",
        "total_steps=3000",
        "learning_starts=400",
        "buffer_size=1500",
        "sac.hidden_sizes=[16]",
        "minibatch_size=32",
        "checkpoint_every=3",
        "eval_episodes=4",
    ] {
        command.args(["--set", key]);
    }
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Kills a run three times on its way; each goes on and ends as one that was let be.
#[track_caller]
fn kills_leave_no_trace(dir: &Path, train: impl Fn(&str) -> Command, name: &str) {
    let whole = format!("{name}-whole");
    let start = Instant::now();
    assert!(train(&whole).status().unwrap().success());
    let duration = start.elapsed();
    for kill in 1..4 {
        let out = format!("{name}-killed-{kill}");
        kill_midway(train(&out), &dir.join(&out), duration.mul_f64(f64::from(kill) * 0.22));
        ok(dir, &["train", "--resume", &out]);
        same_run(dir, &whole, &out);
    }
}

#[test]
fn kills_of_an_off_policy_run_leave_no_trace() {
    let home = tempfile::tempdir().unwrap();
    kills_leave_no_trace(home.path(), |out| train_sac(home.path(), out), "sac");
}

#[test]
fn kills_of_a_search_leave_no_trace() {
    let home = tempfile::tempdir().unwrap();
    let train = |out: &str| {
        let mut command = spo(home.path(), &["train", "pendulum", "--learner", "ars", "--out", out]);
        command.args(["--oracle", "bradley_terry=100 | mistake=0.1 | labels"]);
        for key in ["log_comparisons=true", "total_steps=64000", "ars.hidden_sizes=[8]", "checkpoint_every=3"]
        {
            command.args(["--set", key]);
        }
        command.args(["--set", "eval_episodes=4"]).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    kills_leave_no_trace(home.path(), train, "ars");
}

/// A reward model with what it adds to a checkpoint: an ensemble and its moments, answers and the segments they are of,
/// counts, statistics.
fn train_model(dir: &Path, learner: &str, out: &str) -> Command {
    let mut command = spo(dir, &["train", "pendulum", "--scorer", "reward_model", "--learner", learner]);
    command.args(["--oracle", "bradley_terry=100 | mistake=0.1 | labels", "--out", out]);
    let own: &[&str] = if learner == "sac" {
        &[
            "sac.hidden_sizes=[16]",
            "learning_starts=400",
            "buffer_size=1500",
            "sac.minibatch_size=32",
            "pretrain_steps=600",
            "total_steps=4000",
        ]
    } else {
        &["num_states=2", "trajectories_per_state=2", "total_steps=16000", "ppo.hidden_sizes=[16]"]
    };
    let keys = [
        "budget=300",
        "window=20",
        "reward_model.ensemble_size=3",
        "query_sampling=disagreement",
        "query_first_share=0.1",
        "reward_model.fit_every=2",
        "reward_model.dataset_size=150",
        "reward_model.hidden_sizes=[16]",
        "log_comparisons=true",
        "checkpoint_every=3",
        "eval_episodes=4",
    ];
    for key in keys.iter().chain(own) {
        command.args(["--set", key]);
    }
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn kills_of_a_run_with_a_reward_model_leave_no_trace() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    for learner in ["ppo", "sac"] {
        kills_leave_no_trace(dir, |out| train_model(dir, learner, out), learner);
        let rows = fs::read_to_string(dir.join(format!("{learner}-whole/comparisons.csv"))).unwrap();
        assert_eq!(rows.lines().count(), 1 + 300, "the whole budget is asked");
    }
}

/// A safe run with what it adds to a checkpoint: λ, a critic of costs, a second scorer and its log.
fn train_safely(dir: &Path, scorer: &str, out: &str) -> Command {
    let oracle = "cost=2 | mistake=0.1";
    let mut command = spo(dir, &["train", "point_goal", "--scorer", scorer, "--safety-oracle", oracle]);
    let own: &[&str] = match scorer {
        "reward_model" => &[
            "budget=300",
            "reward_model.fit_every=3",
            "reward_model.hidden_sizes=[16]",
            "reward_model.regularization_coef=0.001",
        ],
        _ => &["opponents=queue=3", "unsafe_limit=0.1"],
    };
    let keys = [
        "num_states=2",
        "trajectories_per_state=2",
        "total_steps=8000",
        "kl_coef=0.01",
        "log_comparisons=true",
        "normalize_scores=true",
        "ppo.hidden_sizes=[16]",
        "checkpoint_every=3",
        "eval_episodes=4",
    ];
    for key in keys.iter().chain(own) {
        command.args(["--set", key]);
    }
    command.args(["--out", out]).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn kills_of_a_safe_run_leave_no_trace() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    for scorer in ["self_play", "reward_model"] {
        kills_leave_no_trace(dir, |out| train_safely(dir, scorer, out), scorer);
        let log = |run: &str| fs::read(dir.join(format!("{scorer}-{run}/safety_comparisons.csv"))).unwrap();
        for kill in 1..4 {
            assert!(log("whole") == log(&format!("killed-{kill}")), "{scorer} {kill}");
        }
        assert!(log("whole").len() > 1000, "{scorer}");
    }
}

#[test]
fn a_damaged_or_foreign_checkpoint_is_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    assert!(train(dir, "run").status().unwrap().success());
    let path = dir.join("run/checkpoint.safetensors");
    let whole = fs::read(&path).unwrap();
    let refused = |bytes: &[u8], expected: &str| {
        fs::write(&path, bytes).unwrap();
        let message = fails(dir, &["train", "--resume", "run"]);
        assert!(message.contains("checkpoint.safetensors") && message.contains(expected), "{message}");
    };
    for keep in [0, 1, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
        refused(&whole[..keep], "is damaged");
    }
    for at in [whole.len() - 3, whole.len() / 2] {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        refused(&flipped, "checksum");
    }
    refused(&fs::read(dir.join("run/policy.safetensors")).unwrap(), "not a spo-checkpoint version 6 file");
    refused(b"a letter to the editor", "is damaged");

    // Of another version: a column has another name.
    fs::write(&path, &whole).unwrap();
    let metrics = fs::read_to_string(dir.join("run/metrics.csv")).unwrap();
    fs::write(dir.join("run/metrics.csv"), metrics.replacen("cost_loss", "cost_lost", 1)).unwrap();
    let message = fails(dir, &["train", "--resume", "run"]);
    assert!(message.contains("metrics.csv is not a current metrics file: another version"), "{message}");
    fs::write(dir.join("run/metrics.csv"), metrics).unwrap();

    // Of another network: the configuration was changed under it.
    let config = fs::read_to_string(dir.join("run/config.toml")).unwrap();
    fs::write(
        dir.join("run/config.toml"),
        config.replace("\nhidden_sizes = [64, 64]", "\nhidden_sizes = [8]"),
    )
    .unwrap();
    assert!(fails(dir, &["train", "--resume", "run"]).contains("config.toml has been changed"));
    fs::write(dir.join("run/config.toml"), &config).unwrap();
    fs::write(dir.join("run/metrics.csv"), "").unwrap();
    assert!(
        fails(dir, &["train", "--resume", "run"])
            .contains("metrics.csv: it is shorter than its checkpoint says")
    );
}

#[test]
fn a_full_disk_ends_in_an_error_and_a_run_that_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    assert!(train(dir, "whole").status().unwrap().success());
    // A limit on the size of files stands in for the disk: the log of comparisons meets it.
    let command = "trap '' XFSZ; ulimit -f 4; exec \"$@\"";
    let mut shell = Command::new("bash");
    shell.args(["-c", command, "sh", env!("CARGO_BIN_EXE_spo")]).args(RUN).current_dir(dir);
    let output = shell.args(["--set", "snapshots=8", "--out", "full"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("cannot write"), "{}", stderr(&output));
    ok(dir, &["train", "--resume", "full"]);
    same_run(dir, "whole", "full");
}
