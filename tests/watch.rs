//! Watching runs, without a browser: rows, states, replays, access, and wrong requests.
#![cfg(unix)]

mod common;
#[path = "common/annotator.rs"]
mod people;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use common::{fails, ok, spo};
use people::{Http, Process, address_of, demands_token};
use proptest::prelude::*;
use serde_json::Value;
use spo::newest::{Newest, Take};
use spo::page::access::Access;
use spo::page::server::{Server, listen};
use spo::recipe::Recipe;
use spo::rollout::{Phase, Start};
use spo::run::{Run, files};
use spo::train::registered;
use spo::watch::rows::{self, Cursor};
use spo::watch::status::Is;
use spo::watch::{replay, serve, status};

/// A run of a second at most.
fn train(dir: &Path, env: &str, out: &str, more: &[&str]) {
    let keys = ["total_steps=4000", "eval_episodes=3", "hidden=[8]", "states=2"];
    let set: Vec<&str> = keys.iter().flat_map(|key| ["--set", key]).collect();
    ok(dir, &[&["train", env, "--out", out], &set[..], more].concat());
}

fn watch(dirs: &[&Path]) -> (Server, Http) {
    let (listener, _) = listen(Some("127.0.0.1:0")).unwrap();
    let access = Access::new(listener.local_addr().unwrap(), None, None);
    let server = serve(listener, access, dirs.iter().map(|&d| d.into()).collect()).unwrap();
    let http = Http(server.address());
    (server, http)
}

/// What is new of the first run.
fn news(http: Http, after: &str) -> Value {
    let (status, text) = http.get(&format!("/api/news?after={after}")).unwrap();
    assert_eq!(status, 200, "{text}");
    serde_json::from_str::<Value>(&text).unwrap()[0].take()
}

fn steps(news: &Value) -> Vec<u64> {
    news["rows"]["steps"].as_array().unwrap().iter().map(|s| s.as_u64().unwrap()).collect()
}

/// `metrics.csv` of `rows` rows, 640 steps each; `seed` makes it another run's.
fn metrics(rows: u64, seed: u64) -> String {
    let mut text = String::from(
        "iteration,env_steps,queries,answered,tied,abstained,return_mean,return_std,length_mean,score_mean,\
         score_spread,entropy,approx_kl,clip_fraction,policy_loss,value_loss,grad_norm,epochs,temperature,reward_loss,\
         reward_accuracy,reward_calibration\n",
    );
    for i in 1..=rows {
        let return_mean = -1000.0 / (i + seed) as f64;
        text += &format!(
            "{i},{},{},1,0,0,{return_mean},12.5,200,0.5,0.25,1.5,0.01,0,0,0,1,4,0,,{},\n",
            640 * i,
            48 * i,
            if i % 2 == 0 { "0.75" } else { "" }
        );
    }
    text
}

#[test]
fn rows_come_once_as_they_are_written_and_anew_where_the_file_is_another() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    train(home.path(), "lqr", "run", &[]);
    let path = run.join(files::METRICS);
    let all = metrics(6, 0);
    let lines: Vec<&str> = all.split_inclusive('\n').collect();
    fs::write(&path, lines[..3].concat()).unwrap();
    let (_server, http) = watch(&[&run]);

    let first = news(http, "");
    assert_eq!(steps(&first), [640, 1280]);
    let rows = &first["rows"];
    // −1000 / 2, and the accuracy of every other iteration
    assert_eq!(rows["task_return"].as_array().unwrap()[1], -500.0);
    assert_eq!((&rows["accuracy"][0], &rows["accuracy"][1]), (&Value::Null, &0.75.into()));
    assert_eq!(
        (&rows["queries"][1], &rows["spread"][1], &rows["kl"][1]),
        (&96.into(), &0.25.into(), &0.01.into())
    );
    let cursor = first["cursor"].as_str().unwrap();
    assert_eq!(steps(&news(http, cursor)), [0; 0]);

    // A row and a half.
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    let (half, rest) = lines[4].split_at(9);
    file.write_all([lines[3], half].concat().as_bytes()).unwrap();
    let second = news(http, cursor);
    assert_eq!((steps(&second), &second["anew"]), (vec![1920], &false.into()));
    file.write_all(rest.as_bytes()).unwrap();
    let third = news(http, second["cursor"].as_str().unwrap());
    assert_eq!((steps(&third), &third["anew"]), (vec![2560], &false.into()));

    // Cut back to a checkpoint and grown again as it was: the page has it. Cut back only, or another run's: anew.
    let cursor = third["cursor"].as_str().unwrap();
    fs::write(&path, lines[..6].concat()).unwrap();
    let grown = news(http, cursor);
    assert_eq!((steps(&grown), &grown["anew"]), (vec![3200], &false.into()));
    fs::write(&path, lines[..2].concat()).unwrap();
    let cut = news(http, cursor);
    assert_eq!((steps(&cut), &cut["anew"]), (vec![640], &true.into()));
    fs::write(&path, metrics(6, 3)).unwrap();
    let other = news(http, cursor);
    assert_eq!((steps(&other).len(), &other["anew"]), (6, &true.into()));
    fs::remove_file(&path).unwrap();
    let gone = news(http, cursor);
    assert_eq!((steps(&gone).len(), &gone["anew"]), (0, &true.into()));
}

#[test]
fn a_long_run_comes_thinned_and_in_parts() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("metrics.csv");
    fs::write(&path, metrics(150_000, 0)).unwrap();
    let bytes = fs::metadata(&path).unwrap().len();
    let (mut cursor, mut all, mut parts) = (Cursor::default(), Vec::new(), 0);
    loop {
        let news = rows::after(&path, cursor, 1000).unwrap();
        assert!(news.columns.steps.len() <= 1000 && news.damage.is_none());
        all.extend(news.columns.steps);
        (cursor, parts) = (news.cursor, parts + 1);
        if !news.more {
            break;
        }
        assert!(parts < 10);
    }
    assert_eq!(parts, bytes.div_ceil(8 << 20));
    assert_eq!(all.last(), Some(&(640 * 150_000)));
    assert!(all.len() > 900 && all.is_sorted());
    assert_eq!(cursor.to_string().split('-').next().unwrap(), bytes.to_string());
}

#[test]
fn a_run_is_not_begun_training_stopped_finished_failed_or_damaged() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    let is = |rows: bool, damage: Option<&str>| {
        let found = status::of(&run, rows, damage);
        (found.is, found.note)
    };
    let (word, note) = is(false, None);
    assert!(word == Is::NotBegun && note.contains("run/config.toml is not there yet"), "{note}");
    train(home.path(), "lqr", "run", &[]);
    let path = |name: &str| run.join(name);
    let summary = fs::read(path(files::SUMMARY)).unwrap();
    assert_eq!(is(true, None), (Is::Finished, String::new()));
    assert_eq!(status::of(&run, true, None).summary.unwrap().eval_episodes, 3);

    fs::write(path(files::SUMMARY), &summary[..20]).unwrap();
    let (word, note) = is(true, None);
    assert!(word == Is::Damaged && note.contains("summary.json is damaged"), "{note}");
    fs::remove_file(path(files::SUMMARY)).unwrap();
    let (word, note) = is(true, None);
    assert!(
        word == Is::Stopped && note.contains("spo train --resume") && note.contains("run goes on"),
        "{note}"
    );
    assert_eq!(is(false, None).0, Is::NotBegun);
    fs::write(path(files::ERROR), "the disk is full\n").unwrap();
    assert_eq!(is(true, None), (Is::Failed, "the disk is full".into()));
    {
        // As a trainer holds it.
        let held = fs::File::open(path(files::METRICS)).unwrap();
        held.lock().unwrap();
        assert_eq!(is(true, None), (Is::Training, String::new()));
        assert_eq!(Run::is_trained(&run), Some(true));
    }
    assert_eq!(Run::is_trained(&run), Some(false));
    let (word, note) = is(true, Some("no number"));
    assert!(word == Is::Damaged && note.contains("metrics.csv is damaged: no number"), "{note}");

    // A row in the middle that is none: what stands before it is shown.
    let text = fs::read_to_string(path(files::METRICS)).unwrap();
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    lines[2] = "2,many\n";
    fs::write(path(files::METRICS), lines.concat()).unwrap();
    let (_server, http) = watch(&[&run]);
    for cursor in [String::new(), news(http, "")["cursor"].as_str().unwrap().into()] {
        let found = news(http, &cursor);
        assert_eq!(found["is"], "damaged");
        assert!(found["note"].as_str().unwrap().contains("metrics.csv is damaged"), "{found}");
        assert_eq!(steps(&found).len(), usize::from(cursor.is_empty()));
    }
    fs::write(path(files::METRICS), "x".repeat(5000)).unwrap();
    assert_eq!(news(http, "")["is"], "damaged");
    fs::write(path(files::CONFIG), "env = 3").unwrap();
    let found = news(http, "");
    assert!(found["is"] == "damaged" && found["note"].as_str().unwrap().contains("config.toml"), "{found}");
}

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
    let takes = shown["takes"].as_array().unwrap();
    // Three whole swings compared by return: the best wins both, the worst none.
    let wins: Vec<f64> = takes.iter().map(|t| number(&t["score"])).collect();
    assert!(wins.iter().zip([1.0, 0.5, 0.0]).all(|(w, is)| (w - is).abs() < 1e-4), "{wins:?}");
    assert!(takes.is_sorted_by(|a, b| number(&a["task_return"]) >= number(&b["task_return"])));
    let rows = news(http, "");
    let last = shown["iteration"].as_u64().unwrap();
    assert_eq!((last as usize, &shown["of"]), (steps(&rows).len(), &3.into()), "the last one is always left");
    let sides = shown["picture"]["sides"].as_array().unwrap();
    assert!(
        sides.len() == 3
            && sides.iter().all(|s| s["stills"] == 201 && !s["actors"].as_array().unwrap().is_empty())
    );

    // Played again, they return what they did.
    let make = registered("pendulum").unwrap();
    let newest = Newest::load(&run.join(files::NEWEST)).unwrap();
    for take in &newest.takes {
        assert_eq!(take.recipe.film(&make).unwrap().stills.last().unwrap().task_return, take.task_return);
    }

    // Not there, cut short, of a task without a picture, of one that is not known here: said in words.
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
    refused("no trajectories are left to replay yet");
    assert_eq!(news(http, "")["replay"], Value::Null);
    for (env, what) in [("options-3", "draws nothing"), ("my-own", "my-own")] {
        fs::write(run.join(files::CONFIG), config.replace("\"pendulum\"", &format!("\"{env}\""))).unwrap();
        newest.save(&path).unwrap();
        refused(what);
    }
}

/// The newest trajectories of a task, drawn out of the air: `count` of `steps` steps.
fn leave(run: &Path, env: &str, count: usize, steps: usize) {
    let dim = registered(env).map_or(6, |make| make().unwrap().spec().action.dim());
    let recipe = |k: usize| Recipe {
        start: Start { seed: 1, phase: Phase::Train, iteration: 0, state: 0 },
        first: 0,
        actions: (0..steps * dim).map(|t| (0.1 * (t + k) as f32).sin()).collect(),
    };
    let take = |k| Take { rank: k + 1, score: 0.5, task_return: 1.0, recipe: recipe(k) };
    let newest = Newest { iteration: 1, of: count, takes: (0..count).map(take).collect() };
    newest.save(&run.join(files::NEWEST)).unwrap();
}

#[test]
fn a_very_long_episode_is_sent_thinned() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path();
    let config = "env = \"pendulum@30000\"\n";
    fs::write(run.join(files::CONFIG), config).unwrap();
    leave(run, "pendulum@30000", 2, 30_000);
    let shown = serde_json::to_value(replay::of(run).unwrap()).unwrap();
    for side in shown["picture"]["sides"].as_array().unwrap() {
        let stills = side["stills"].as_u64().unwrap();
        assert!((400..=502).contains(&stills), "{stills}");
    }
    // 60 steps of 0.05 s to a still
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
        let shown = serde_json::to_value(replay::of(&dir.join("run")).unwrap()).unwrap();
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
    // A folder where the file would be written, which no permission overcomes.
    fs::create_dir_all(dir.join("run").join(format!("{}.tmp", files::NEWEST))).unwrap();
    let set =
        ["total_steps=4000", "eval_episodes=3", "hidden=[8]", "states=2"].map(|key| ["--set", key]).concat();
    let output = spo(dir, &[&["train", "lqr", "--out", "run"], &set[..]].concat()).output().unwrap();
    let said = common::stderr(&output);
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

#[test]
fn who_looks_whether_a_run_is_trained_keeps_nobody_from_training_it() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    train(home.path(), "lqr", "run", &[]);
    let looked = run.clone();
    let looker = std::thread::spawn(move || {
        for _ in 0..400 {
            Run::is_trained(&looked);
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    });
    for _ in 0..20 {
        let nobody = |_: spo::rollout::Trajectory<'_>, _: spo::rollout::Trajectory<'_>| 0.5;
        Run::resume(&run, registered("lqr").unwrap(), Box::new(nobody)).unwrap();
    }
    looker.join().unwrap();
}

#[test]
fn the_server_gives_what_it_should_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    train(home.path(), "lqr", "run", &[]);
    let (_server, http) = watch(&[&run, &home.path().join("later")]);
    let page = http.get("/").unwrap();
    assert!(page.0 == 200 && page.1.contains("<!doctype html>"));
    for file in
        ["", "style.css", "watch.css", "watch.js", "chart.js", "replays.js", "dom.js", "player.js", "ask.js"]
    {
        let (status, text) = http.get(&format!("/{file}")).unwrap();
        assert!(status == 200 && !text.is_empty(), "{file}");
        let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
        assert!(
            !elsewhere.contains("http:") && !elsewhere.contains("https:") && !elsewhere.contains("//cdn"),
            "{file}"
        );
    }
    for path in
        ["/../Cargo.toml", "/..%2f..%2fetc/passwd", "/config.toml", "//etc/passwd", "/label.css", "/api/"]
    {
        assert_eq!(http.get(path).unwrap().0, 404, "{path}");
    }
    assert_eq!(http.request("POST /api/news", "", b"{}").unwrap().0, 405);
    let ask = |headers: &str| http.request("GET /api/news", headers, b"").unwrap().0;
    assert_eq!(ask(""), 200);
    assert_eq!(ask("origin: http://evil.example\r\n"), 403);
    assert_eq!(ask("sec-fetch-site: cross-site\r\n"), 403);
    let rebound = b"GET /api/news HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    assert_eq!(http.raw(rebound, true).unwrap().0, 421);
    for wrong in [
        "news?after=1",
        "news?after=x-00000000",
        "news?after=~~",
        "news?afterwards=1",
        "replay",
        "replay?run=2",
        "replay?run=-1",
        "replay?run=0&dir=/etc",
    ] {
        assert_eq!(http.get(&format!("/api/{wrong}")).unwrap().0, 400, "{wrong}");
    }
    let (_, text) = http.get("/api/news").unwrap();
    let both: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&both[0]["is"], &both[1]["is"]), (&"finished".into(), &"not_begun".into()));
    assert_eq!(
        (&both[0]["name"], &both[0]["label"], &both[1]["name"]),
        (&"run".into(), &"lqr".into(), &"later".into())
    );
    assert!(
        both[0]["result"]["episodes"] == 3 && both[0]["replay"].is_string() && both[1]["replay"].is_null()
    );
}

#[test]
fn wrong_requests_are_refused_and_the_server_serves_on() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    train(home.path(), "lqr", "run", &[]);
    let (_server, http) = watch(&[&run, &run]);
    let place = prop_oneof![
        Just(String::new()),
        "[0-9]{1,20}-[0-9a-f]{8}",
        "[0-9a-f+-]{0,12}",
        "[ -~&&[^#%&+~ ]]{0,8}",
    ];
    let places = prop::collection::vec(place, 0..4);
    let far = prop::collection::vec(any::<u8>(), 0..200);
    let run_said = prop_oneof![any::<i64>().prop_map(|n| n.to_string()), "[ -~&&[^#%&+ ]]{0,6}"];
    let config = ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    runner
        .run(&(places, far, run_said, 0..3), |(places, far, run_said, kind)| {
            match kind {
                0 => {
                    let after = places.join("~");
                    let fine = after.split('~').count() <= 2
                        && after.split('~').all(|place| place.is_empty() || place.parse::<Cursor>().is_ok());
                    let (status, text) = http.get(&format!("/api/news?after={after}")).unwrap();
                    prop_assert_eq!(status, if fine { 200 } else { 400 }, "{}: {}", after, text);
                }
                1 => {
                    let (status, _) = http.get(&format!("/api/replay?run={run_said}")).unwrap();
                    let fine = run_said.parse().is_ok_and(|run: usize| run < 2);
                    prop_assert_eq!(status, if fine { 200 } else { 400 }, "{}", run_said);
                }
                // No HTTP at all: refused or hung up on.
                _ => {
                    let status =
                        http.raw(&[&far[..], b"\r\n\r\n"].concat(), false).map_or(400, |(status, _)| status);
                    prop_assert!((400..500).contains(&status), "{}: {:?}", status, far);
                }
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(http.get("/").unwrap().0, 200, "it still serves");
}

#[test]
fn beyond_loopback_a_token_is_demanded_and_wrong_words_get_the_mend() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let mut server = spo(dir, &["watch", "later", "--listen", "0.0.0.0:0"]);
    let mut server = Process(server.stderr(Stdio::piped()).spawn().unwrap());
    demands_token(&mut server, "/api/news");

    fs::write(dir.join("file"), "").unwrap();
    let many = vec!["later"; 51];
    for (args, expected) in [
        (vec!["watch"], "RUN"),
        (vec!["watch", "file"], "file is no run's directory"),
        (vec!["watch", "later", "--listen", "nowhere"], "expected a free HOST:PORT"),
        ([&["watch"], &many[..]].concat(), "at most 50"),
    ] {
        let message = fails(dir, &args);
        assert!(message.contains(expected), "spo {args:?}: {message}");
    }
    assert!(ok(dir, &["watch", "--help"]).contains("spo watch runs/pendulum-s*"));
}
