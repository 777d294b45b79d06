//! Runs by people's answers: kills, absence, and what the command says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use spo::oracle::human::Store;

use super::annotator::answer_one;
use super::{count, database};
use crate::common::{fails, ok, spo};
use crate::pages::http::{Http, demands_token};
use crate::pages::process::{Process, address_of, wait_for};

/// Keys of these runs: defaults for people, and small sizes.
const KEYS: [&str; 6] = [
    "budget=60",
    "eval_episodes=4",
    "ppo.hidden_sizes=[8]",
    "num_states=2",
    "ppo.learning_rate=0.002",
    "window=0",
];
const MORE: [&str; 4] =
    ["trajectories_per_state=4", "opponents=sampled=1", "checkpoint_every=2", "total_steps=500000"];

fn train<'a>(oracle: &'a str, out: &'a str) -> Vec<&'a str> {
    let mut args = vec!["train", "point", "--oracle", oracle, "--out", out];
    KEYS.iter().chain(&MORE).for_each(|key| args.extend(["--set", key]));
    args
}

/// A child process whose address `address_of` reads.
fn spawn(dir: &Path, args: &[&str]) -> Process {
    Process(spo(dir, args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
}

/// A child process whose output is dropped, so that it cannot fill a pipe.
fn spawn_quietly(dir: &Path, args: &[&str]) -> Process {
    Process(spo(dir, args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

fn metrics(dir: &Path, run: &str) -> String {
    fs::read_to_string(dir.join(run).join("metrics.csv")).unwrap()
}

/// A column of a run's last row.
fn last(dir: &Path, run: &str, column: &str) -> u64 {
    let text = metrics(dir, run);
    let at = text.lines().next().unwrap().split(',').position(|name| name == column).unwrap();
    text.lines().last().unwrap().split(',').nth(at).unwrap().parse().unwrap()
}

#[test]
fn kills_of_trainer_and_server_lose_no_label_and_count_none_twice() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    ok(dir, &train("return", "whole"));
    let run = dir.join("run");

    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let listen = address.to_string();
    let start_server = || spawn_quietly(dir, &["label", "run", "--listen", &listen]);
    let start_trainer = || spawn_quietly(dir, &["train", "--resume", "run", "--listen", "off"]);

    let mut trainer =
        spawn_quietly(dir, &[&train("human(wait=forever)", "run")[..], &["--listen", "off"]].concat());
    wait_for(|| run.join("config.toml").exists());
    let mut server = start_server();
    let (over, told) = (AtomicBool::new(false), AtomicUsize::new(0));
    let answer_all = || {
        let mut acknowledged = BTreeMap::new();
        while !over.load(Ordering::Relaxed) {
            match answer_one(Http(address), &run, "point", "Ana") {
                Some((pair, answer)) => {
                    assert_eq!(acknowledged.insert(pair, answer), None, "asked twice");
                    told.store(acknowledged.len(), Ordering::Relaxed);
                }
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        }
        acknowledged
    };
    let acknowledged = std::thread::scope(|scope| {
        let annotator = scope.spawn(answer_all);
        // Kill one or the other after every four answers, at a random time.
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(std::process::id().into());
        let mut kills = 0;
        let begun = Instant::now();
        let mut done = None;
        // No assertion here: a failed one would leave the annotator running for ever.
        while done.is_none() && !annotator.is_finished() && begun.elapsed() < Duration::from_secs(240) {
            std::thread::sleep(Duration::from_millis(rng.random_range(0..20)));
            done = trainer.0.try_wait().unwrap();
            if done.is_none() && told.load(Ordering::Relaxed) >= 4 * (kills + 1) {
                let (victim, start): (_, &dyn Fn() -> Process) = if kills % 2 == 0 {
                    (&mut trainer, &start_trainer)
                } else {
                    (&mut server, &start_server)
                };
                victim.end();
                *victim = start();
                kills += 1;
            }
        }
        over.store(true, Ordering::Relaxed);
        let acknowledged = annotator.join().unwrap();
        assert!(done.expect("the training never ended").success());
        assert!(kills >= 10, "killed {kills} times while {} were answered", acknowledged.len());
        acknowledged
    });
    server.end();

    assert_eq!(
        metrics(dir, "run"),
        metrics(dir, "whole"),
        "people who follow the return train as the return does"
    );
    assert_eq!(acknowledged.len() as u64, last(dir, "run", "answered"));
    let kept = database(&run)
        .prepare("SELECT p.id, l.answer, l.used FROM labels l JOIN pairs p ON p.a = l.a AND p.b = l.b WHERE p.state = 1")
        .unwrap()
        .query_map([], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, String>(1)?, r.get::<_, bool>(2)?)))
        .unwrap()
        .collect::<Result<Vec<_>, _>>()
        .unwrap();
    assert_eq!(kept.len(), acknowledged.len());
    for (pair, answer, used) in kept {
        assert_eq!((acknowledged.get(&pair).copied(), used), (Some(answer.as_str()), true), "pair {pair}");
    }
    assert_eq!(count(&run, "SELECT count(*) FROM labels"), acknowledged.len() as i64);

    // A run with the same seed has the same pairs: with these labels it needs no people.
    ok(dir, &["label", "run", "--export", "labels.csv"]);
    let again =
        [&train("human(wait=forever)", "again")[..], &["--listen", "off", "--labels", "labels.csv"]].concat();
    ok(dir, &again);
    assert_eq!(metrics(dir, "again"), metrics(dir, "whole"));
    ok(dir, &["label", "again", "--export", "copy.csv"]);
    assert_eq!(fs::read(dir.join("labels.csv")).unwrap(), fs::read(dir.join("copy.csv")).unwrap());
}

#[test]
fn training_goes_on_without_those_who_do_not_answer_and_waits_where_nobody_does() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let args = [&train("human(wait=0)", "run")[..], &["--listen", "127.0.0.1:0"]].concat();
    let mut trainer = spawn(dir, &args);
    let (address, _) = address_of(&mut trainer);
    let run = dir.join("run");
    let rounds = || count(&run, "SELECT coalesce(max(round), 0) FROM pairs");
    wait_for(|| run.join("config.toml").exists() && rounds() == 1);
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(
        count(&run, "SELECT count(*) FROM pairs WHERE state != 0"),
        0,
        "nothing to learn from: it waits"
    );
    // One answer to each of three rounds.
    for round in 1..4 {
        wait_for(|| rounds() == round);
        wait_for(|| answer_one(Http(address), &run, "point", "Ana").is_some());
    }
    wait_for(|| rounds() == 4);
    trainer.end();
    let settled = count(&run, "SELECT count(*) FROM pairs WHERE state = 1");
    let abstained = count(&run, "SELECT count(*) FROM pairs WHERE state = 1 AND preference IS NULL");
    assert!(settled >= 3 * 4 && abstained >= settled - 3 * 4, "{abstained} of {settled}");
    let before = metrics(dir, "run");

    // A late answer is saved and changes nothing; nor does the time in between.
    let mut trainer = spawn(dir, &["train", "--resume", "run", "--listen", "127.0.0.1:0"]);
    let (address, _) = address_of(&mut trainer);
    wait_for(|| rounds() == 4 && answer_one(Http(address), &run, "point", "Ana").is_some());
    wait_for(|| rounds() == 5);
    trainer.end();
    assert!(metrics(dir, "run").starts_with(&before));
    assert_eq!(count(&run, "SELECT count(*) FROM pairs WHERE state = 1 AND round < 4"), settled);
}

#[test]
fn ctrl_c_ends_a_wait_at_once() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let mut trainer = spawn(dir, &[&train("human", "run")[..], &["--listen", "127.0.0.1:0"]].concat());
    let (address, _) = address_of(&mut trainer);
    let http = Http(address);
    wait_for(|| http.get("/api/state").unwrap().1.contains("\"round\":1"));
    std::process::Command::new("kill").args(["-INT", &trainer.0.id().to_string()]).status().unwrap();
    assert_eq!(trainer.0.wait().unwrap().code(), Some(130));
    assert!(
        Store::open(&dir.join("run")).unwrap().trainer().unwrap()
            == spo::oracle::human::store::Trainer::Stopped
    );
}

#[test]
fn beyond_loopback_a_token_is_demanded_and_wrong_words_get_the_mend() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let mut trainer = spawn(dir, &[&train("human", "run")[..], &["--listen", "0.0.0.0:0"]].concat());
    demands_token(&mut trainer, "/api/state");
    // The page is served before the run's directory is complete.
    wait_for(|| dir.join("run/config.toml").exists());
    trainer.end();

    ok(dir, &["train", "lqr", "--out", "by-return", "--set", "total_steps=400", "--set", "eval_episodes=2"]);
    for (args, expected) in [
        (&["train", "point", "--oracle", "human(wait=soon)"][..], "expected a time such as 90s"),
        (&["train", "point", "--oracle", "human | labels"], "asked alone"),
        (&["train", "point", "--oracle", "0.5*human + 0.5*return"], "spo train --oracle human"),
        (&["train", "point", "--oracle", "human", "--set", "result=best"], "`result` is best"),
        (&["train", "point", "--oracle", "human", "--listen", "nowhere"], "expected a free HOST:PORT"),
        (&["train", "point", "--oracle", "human", "--labels", "none.csv"], "none.csv"),
        (&["train", "point", "--labels", "none.csv"], "--oracle human"),
        (&["label", "nowhere"], "nowhere/config.toml"),
        (&["label", "by-return"], "--oracle human"),
        (&["label", "run", "--export", "no/where.csv"], "no/where.csv"),
        (&["label", "run", "--import", "run/config.toml"], "no label of the file was imported"),
        (&["label", "run", "--listen", "off"], "there is nothing to do"),
    ] {
        let message = fails(dir, args);
        assert!(message.contains(expected), "spo {args:?}: {message}");
    }
    assert!(!dir.join("runs").exists(), "a refused run makes no directory");
    let shown = ok(dir, &["train", "point", "--oracle", "human", "--show-config", "--set", "num_states=5"]);
    for key in
        ["opponents = \"sampled=1\"", "window = 0", "num_states = 5", "budget = 300", "checkpoint_every = 1"]
    {
        assert!(shown.lines().any(|l| l == key), "{key}: {shown}");
    }
}
