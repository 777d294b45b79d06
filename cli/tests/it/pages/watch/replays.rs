//! The latest trajectories: saved by a run, and replayed.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use spo::rollout::latest_replay::{LatestReplay, RankedTrajectory};
use spo::rollout::replay_key::ReplayKey;
use spo::rollout::{Phase, Start};
use spo::train::registered;
use spo::train::run::files;
use spo_cli::web::picture::record;
use spo_cli::web::watch::replay::Replay;

use super::{news, steps, train, watch};
use crate::common::{spo, stderr};
use crate::pages::http::Http;
use crate::pages::process::{Process, address_of};

#[test]
fn replays_stand_best_to_worst_and_are_what_was_trained_on() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    train(dir, "pendulum", "run", &["--set", "trajectories_per_state=3", "--set", "window=0"]);
    let run = dir.join("run");
    let (_server, http) = watch(&[&run]);
    let replay = || {
        let (status, text) = http.get("/api/replay?run=0").unwrap();
        (status, serde_json::from_str::<Value>(&text).unwrap())
    };
    let (status, shown) = replay();
    assert_eq!(status, 200, "{shown}");
    let number = |value: &Value| value.as_f64().unwrap();
    let trajectories = shown["trajectories"].as_array().unwrap();
    // Three whole swings compared by return: the best wins both, the worst none.
    let wins: Vec<f64> = trajectories.iter().map(|t| number(&t["score"])).collect();
    assert!(wins.iter().zip([1.0, 0.5, 0.0]).all(|(w, is)| (w - is).abs() < 1e-4), "{wins:?}");
    assert!(trajectories.is_sorted_by(|a, b| number(&a["task_return"]) >= number(&b["task_return"])));
    let rows = news(http, "");
    let last = shown["iteration"].as_u64().unwrap();
    assert_eq!(
        (last as usize, &shown["per_state"]),
        (steps(&rows).len(), &3.into()),
        "the last one is always left"
    );
    let sides = shown["picture"]["sides"].as_array().unwrap();
    assert!(
        sides.len() == 3
            && sides.iter().all(|s| s["frames"] == 201 && !s["actors"].as_array().unwrap().is_empty())
    );

    // The replays have the same returns.
    let make = registered("pendulum").unwrap();
    let newest = LatestReplay::load(&run.join(files::NEWEST)).unwrap();
    for take in &newest.trajectories {
        assert_eq!(
            record(&take.replay_key, &make, 1).unwrap().frames.last().unwrap().task_return,
            take.task_return
        );
    }

    // The file is missing or truncated, the task has no picture or is not known: each gives a message.
    let path = run.join(files::NEWEST);
    let bytes = fs::read(&path).unwrap();
    let config = fs::read_to_string(run.join(files::CONFIG)).unwrap();
    let refused = |what: &str| {
        let (status, answer) = replay();
        let why = answer["error"].as_str().unwrap();
        assert!(status == 404 && why.contains(what), "{status}: {why}");
    };
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    refused("is damaged");
    fs::remove_file(&path).unwrap();
    refused("the run has not saved any trajectories yet");
    assert_eq!(news(http, "")["replay"], Value::Null);
    for (env, what) in [("options-3", "cannot be drawn"), ("my-own", "my-own")] {
        fs::write(run.join(files::CONFIG), config.replace("\"pendulum\"", &format!("\"{env}\""))).unwrap();
        newest.save(&path).unwrap();
        refused(what);
    }
}

/// Random trajectories of a task: `count` trajectories of `steps` steps.
fn leave(run: &Path, env: &str, count: usize, steps: usize) {
    let dim = registered(env).map_or(6, |make| make().unwrap().spec().action.dim());
    let replay_key = |k: usize| ReplayKey {
        start: Start { seed: 1, phase: Phase::Train, iteration: 0, state: 0 },
        first: 0,
        actions: (0..steps * dim).map(|t| (0.1 * (t + k) as f32).sin()).collect(),
    };
    let take = |k| RankedTrajectory { rank: k + 1, score: 0.5, task_return: 1.0, replay_key: replay_key(k) };
    let newest =
        LatestReplay { iteration: 1, per_state: count, trajectories: (0..count).map(take).collect() };
    newest.save(&run.join(files::NEWEST)).unwrap();
}

#[test]
fn a_very_long_episode_is_sent_thinned() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path();
    let config = "env = \"pendulum@30000\"\n";
    fs::write(run.join(files::CONFIG), config).unwrap();
    leave(run, "pendulum@30000", 2, 30_000);
    let shown = serde_json::to_value(Replay::read(run).unwrap()).unwrap();
    for side in shown["picture"]["sides"].as_array().unwrap() {
        let frames = side["frames"].as_u64().unwrap();
        assert!((400..=502).contains(&frames), "{frames}");
    }
    // 60 steps of 0.05 s per frame
    assert!(
        (shown["picture"]["seconds"].as_f64().unwrap() - 3.0).abs() < 1e-5,
        "{}",
        shown["picture"]["seconds"]
    );
}

#[test]
fn mujocos_tasks_replay_where_its_library_is_and_say_so_where_it_is_not() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    fs::create_dir(dir.join("run")).unwrap();
    fs::write(dir.join("run").join(files::CONFIG), "env = \"HalfCheetah-v5\"\n").unwrap();
    leave(&dir.join("run"), "HalfCheetah-v5", 2, 40);
    let mut server = spo(dir, &["watch", "run", "--listen", "127.0.0.1:0"]);
    server.env_remove("SPO_MUJOCO").env("XDG_CACHE_HOME", dir).stderr(Stdio::piped());
    let mut server = Process(server.spawn().unwrap());
    let (address, _) = address_of(&mut server);
    let (status, text) = Http(address).get("/api/replay?run=0").unwrap();
    assert!(status == 404 && text.contains("spo mujoco install"), "{status}: {text}");
    if registered("HalfCheetah-v5").is_ok() {
        let shown = serde_json::to_value(Replay::read(&dir.join("run")).unwrap()).unwrap();
        assert_eq!(shown["picture"]["sides"].as_array().unwrap().len(), 2);
    } else {
        println!("SKIPPED: no MuJoCo (spo mujoco install)");
    }
}

#[test]
fn what_cannot_be_left_for_watchers_is_said_once_and_ends_no_training() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    train(dir, "lqr", "whole", &[]);
    // A folder with the name of the file: writing fails even for root.
    fs::create_dir_all(dir.join("run").join(format!("{}.tmp", files::NEWEST))).unwrap();
    let set = ["total_steps=4000", "eval_episodes=3", "ppo.hidden_sizes=[8]", "num_states=2"]
        .map(|key| ["--set", key])
        .concat();
    let output = spo(dir, &[&["train", "lqr", "--out", "run"], &set[..]].concat()).output().unwrap();
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert_eq!(
        said.matches("the newest replays are not left to watch, and training goes on").count(),
        1,
        "{said}"
    );
    let metrics = |run: &str| fs::read(dir.join(run).join(files::METRICS)).unwrap();
    assert_eq!(metrics("run"), metrics("whole"));
    assert!(!dir.join("run").join(files::NEWEST).exists());
}
