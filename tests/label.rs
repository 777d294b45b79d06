//! People as oracle, without a browser: training by their answers, kills, leases, tables, access, and wrong bodies.
#![cfg(unix)]

mod common;
#[path = "common/annotator.rs"]
mod people;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{fails, ok, spo};
use people::{Http, Process, address_of, answer_one, demands_token, shown, wait_for};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use spo::label::access::Access;
use spo::label::answers::{Annotator, Choice, Refusal};
use spo::label::picture::Recipe;
use spo::label::store::About;
use spo::label::{LabelError, Server, Store, server, table};
use spo::oracle::Answer;
use spo::rollout::{Phase, Start};
use spo::train::registered;

/// Keys of the runs here: those of people, and small.
const KEYS: [&str; 6] =
    ["budget=60", "eval_episodes=4", "hidden=[8]", "states=2", "learning_rate=0.002", "window=0"];
const MORE: [&str; 4] =
    ["trajectories_per_state=4", "opponents=sampled=1", "checkpoint_every=2", "total_steps=500000"];

fn train<'a>(oracle: &'a str, out: &'a str) -> Vec<&'a str> {
    let mut args = vec!["train", "point", "--oracle", oracle, "--out", out];
    KEYS.iter().chain(&MORE).for_each(|key| args.extend(["--set", key]));
    args
}

/// A child whose address is asked for, by `address_of`.
fn spawn(dir: &Path, args: &[&str]) -> Process {
    Process(spo(dir, args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
}

/// A child whose words nobody reads: they must not fill a pipe.
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

fn database(run: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(run.join("labels.sqlite")).unwrap();
    connection.busy_timeout(Duration::from_secs(20)).unwrap();
    connection
}

fn count(run: &Path, sql: &str) -> i64 {
    database(run).query_row(sql, [], |r| r.get(0)).unwrap()
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
        // One or the other every four answers, at a moment after them that no two runs share.
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(std::process::id().into());
        let mut kills = 0;
        let begun = Instant::now();
        let mut done = None;
        // No claim is made in here: one that failed would leave the annotator at work for ever.
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

    // A run of the same seed meets the same pairs: with the labels of this one it needs nobody.
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

    // An answer that comes too late is kept and changes nothing; the days between do not either.
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
    assert!(Store::open(&dir.join("run")).unwrap().trainer().unwrap() == spo::label::store::Trainer::Stopped);
}

/// A database of `pairs` pairs of pendulum swings, each of five steps.
fn store(dir: &Path, pairs: usize, votes: u32) -> (Store, Vec<i64>) {
    let about =
        About { run: "r".into(), env: "pendulum".into(), question: String::new(), votes, budget: 100 };
    let mut store = Store::create(dir, &about).unwrap();
    let recipe = |k: usize| Recipe {
        start: Start { seed: 0, phase: Phase::Train, iteration: 0, state: 0 },
        first: 0,
        actions: (0..5).map(|t| ((k * 5 + t) as f32).sin()).collect(),
    };
    let posted: Vec<_> = (0..pairs).map(|k| [recipe(2 * k), recipe(2 * k + 1)]).collect();
    let ids = store.post(1, &posted).unwrap();
    assert_eq!(store.post(1, &posted).unwrap(), ids, "posted again, the same pairs");
    (store, ids)
}

fn who(name: &str) -> Annotator {
    Annotator::new(name).unwrap()
}

fn refusal<T: std::fmt::Debug>(result: Result<T, LabelError>) -> Refusal {
    match result {
        Err(LabelError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pair_is_one_annotators_until_it_is_answered_or_its_lease_runs_out() {
    let home = tempfile::tempdir().unwrap();
    let (mut store, ids) = store(home.path(), 2, 1);
    let (ana, ben) = (who("Ana"), who(" Ben "));
    let first = store.next(&ana).unwrap().unwrap();
    assert_eq!(store.next(&ana).unwrap().unwrap(), first, "the page was loaded again");
    let second = store.next(&ben).unwrap().unwrap();
    assert_eq!([first.pair, second.pair], ids[..]);
    assert_eq!(store.next(&who("Cy")).unwrap(), None, "both are taken");

    database(home.path()).execute("UPDATE leases SET until = 0 WHERE annotator = 'Ana'", []).unwrap();
    let third = store.next(&who("Cy")).unwrap().unwrap();
    assert_eq!(third.pair, first.pair);
    store.answer(&who("Cy"), third.pair, Choice::Tie).unwrap();
    // Ana was only slow: hers is kept as well.
    store.answer(&ana, first.pair, Choice::Left).unwrap();
    store.answer(&ana, first.pair, Choice::Left).unwrap();
    assert_eq!(refusal(store.answer(&ana, first.pair, Choice::Right)), Refusal::Answered);
    assert_eq!(refusal(store.answer(&ana, second.pair, Choice::Right)), Refusal::NotShown);
    assert_eq!(refusal(store.answer(&ana, 99, Choice::Right)), Refusal::NotShown);
    assert_eq!(count(home.path(), "SELECT count(*) FROM labels"), 2);

    // The mean of a tie and of Ana's left.
    let left = f32::from(u8::from(first.left == spo::label::answers::Left::A));
    store.answer(&ben, second.pair, Choice::CantTell).unwrap();
    let settled = store.settle(&ids).unwrap();
    assert_eq!(settled, [Answer::Prefer((0.5 + left) / 2.0), Answer::Abstain]);
    assert_eq!(store.settle(&ids).unwrap(), settled, "once and for all");
    assert_eq!(store.next(&ana).unwrap(), None);
}

#[test]
fn an_answer_is_taken_back_until_training_has_used_it() {
    let home = tempfile::tempdir().unwrap();
    let (mut store, ids) = store(home.path(), 2, 1);
    let ana = who("Ana");
    assert_eq!(refusal(store.undo(&ana)), Refusal::Nothing);
    let first = store.next(&ana).unwrap().unwrap();
    store.answer(&ana, first.pair, Choice::Left).unwrap();
    let second = store.next(&ana).unwrap().unwrap();
    assert_ne!(second.pair, first.pair);
    assert_eq!(store.undo(&ana).unwrap(), first);
    assert_eq!(store.next(&ana).unwrap().unwrap(), first, "on the same sides");
    store.answer(&ana, first.pair, Choice::Right).unwrap();
    store.settle(&ids).unwrap();
    assert_eq!(refusal(store.undo(&ana)), Refusal::Used);
    assert_eq!(count(home.path(), "SELECT count(*) FROM labels"), 1);
}

#[test]
fn several_annotators_share_the_pairs_and_their_agreement_is_counted() {
    let home = tempfile::tempdir().unwrap();
    let (mut store, _) = store(home.path(), 40, 3);
    // Ana and Ben say a of everything, Cy says b, and cannot tell every fourth.
    for name in ["Ana", "Ben", "Cy"] {
        let who = who(name);
        let mut told = 0;
        while let Some(shown) = store.next(&who).unwrap() {
            let a_is_left = shown.left == spo::label::answers::Left::A;
            let choice = match (told % 4 == 3 && name == "Cy", a_is_left == (name != "Cy")) {
                (true, _) => Choice::CantTell,
                (_, true) => Choice::Left,
                (_, false) => Choice::Right,
            };
            store.answer(&who, shown.pair, choice).unwrap();
            told += 1;
        }
        assert_eq!(told, 40);
    }
    let progress = store.progress(Some(&who("Ben"))).unwrap();
    assert_eq!((progress.mine, progress.round_done, progress.round_pairs), (40, 40, 40));
    assert_eq!((progress.asked, progress.left), (40, Some(60)));
    // 30 pairs of three answers, 3 comparisons each, 1 alike; 10 of two, alike.
    let agreement = progress.agreement.unwrap();
    assert_eq!((agreement.compared, agreement.same), (30 * 3 + 10, 30 + 10));
    // Sides are drawn: of 120 no more than 84 are alike, but once in 100,000.
    let left = count(home.path(), "SELECT sum(left = 'a') FROM labels");
    assert!((36..=84).contains(&left), "{left} of 120");
    assert_eq!(progress.annotators.len(), 3);
}

#[test]
fn labels_go_out_and_come_in_and_a_wrong_line_takes_none() {
    let home = tempfile::tempdir().unwrap();
    let [from, to] = ["from", "to"].map(|name| home.path().join(name));
    fs::create_dir(&from).unwrap();
    fs::create_dir(&to).unwrap();
    let (mut store_from, _) = store(&from, 4, 1);
    for (name, choice) in ["Ana", "Zoë O'Neil", "3rd", "Ana"].into_iter().zip(Choice::ALL) {
        let pair = store_from.next(&who(name)).unwrap().unwrap().pair;
        store_from.answer(&who(name), pair, choice).unwrap();
    }
    let file = home.path().join("labels.csv");
    assert_eq!(store_from.export(&file).unwrap(), 4);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with(
        "run,trajectory_a,trajectory_b,annotator,left,answer,prefers,shown_at,answered_at,used\n"
    ));

    let (mut store_to, ids) = store(&to, 4, 1);
    let labels = table::read(&file).unwrap();
    let done = store_to.import(&labels).unwrap();
    assert_eq!((done.new, done.known), (4, 0));
    let done = store_to.import(&labels).unwrap();
    assert_eq!((done.new, done.known), (0, 4), "none is counted twice");
    assert_eq!(store_to.next(&who("Ben")).unwrap(), None, "all pairs are answered");
    assert_eq!(store_to.settle(&ids).unwrap().len(), 4);
    let copy = home.path().join("copy.csv");
    store_to.export(&copy).unwrap();
    assert_eq!(fs::read_to_string(&copy).unwrap().replace(",1\n", ",0\n"), text);

    let line = text.lines().nth(1).unwrap();
    let fields: Vec<&str> = line.split(',').collect();
    let with = |at: usize, value: &str| {
        let mut fields = fields.clone();
        fields[at] = value;
        fields.join(",")
    };
    for (bad, expected) in [
        (with(1, "zz"), "`trajectory_a` is `zz`"),
        (with(1, "+00000000000000f"), "16 hexadecimal digits"),
        (with(3, "=cmd"), "`annotator`"),
        (with(4, "c"), "`left` is `c`"),
        (with(5, "maybe"), "expected left, right, tie or cant_tell"),
        (with(6, "tie"), "`prefers` is `tie`"),
        (with(7, "yesterday"), "`shown_at` is `yesterday`"),
        (with(8, "2026-13-01T00:00:00.000Z"), "`answered_at`"),
        (with(9, "many"), "line 6"),
        ("one,two".into(), "line 6"),
    ] {
        fs::write(&file, format!("{text}{bad}\n")).unwrap();
        let message = table::read(&file).unwrap_err().to_string();
        assert!(
            message.contains(expected) && message.contains("nothing of the file was taken"),
            "{bad}: {message}"
        );
        assert!(message.contains("line 6"), "{message}");
    }
    assert_eq!(count(&to, "SELECT count(*) FROM labels"), 4);
}

#[test]
fn a_damaged_or_foreign_database_is_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let path = dir.join("labels.sqlite");
    let message = |dir: &Path| Store::open(dir).err().unwrap().to_string();
    assert!(message(dir).contains("--oracle human"));
    fs::write(
        &path,
        "a letter to the editor, longer than the header of a database, which has a hundred bytes, no less",
    )
    .unwrap();
    assert!(message(dir).contains("not a database"), "{}", message(dir));
    fs::remove_file(&path).unwrap();
    rusqlite::Connection::open(&path).unwrap().execute("CREATE TABLE cake (x)", []).unwrap();
    assert!(message(dir).contains("is no database of labels"));
    fs::remove_file(&path).unwrap();
    drop(store(dir, 1, 1));
    database(dir).pragma_update(None, "user_version", 7).unwrap();
    assert!(message(dir).contains("is of version 7"));
    database(dir).pragma_update(None, "user_version", 1).unwrap();
    database(dir).execute("UPDATE trajectories SET actions = x'00'", []).unwrap();
    let mut store = Store::open(dir).unwrap();
    let shown = store.next(&who("Ana")).unwrap().unwrap();
    assert!(store.recipes(&shown).unwrap_err().to_string().contains("damaged or missing"));
}

/// A server over a database of pendulum swings.
fn serve(dir: &Path, pairs: usize) -> (Server, Http) {
    drop(store(dir, pairs, 1));
    let (listener, _) = server::listen(Some("127.0.0.1:0")).unwrap();
    let access = Access::new(listener.local_addr().unwrap(), None, None);
    let make = registered("pendulum").unwrap();
    let server = Server::start(listener, access, Store::open(dir).unwrap(), make, "swing up".into()).unwrap();
    let http = Http(server.address());
    (server, http)
}

#[test]
fn the_server_gives_what_it_should_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let (_server, http) = serve(home.path(), 2);
    let page = http.get("/").unwrap();
    assert!(page.0 == 200 && page.1.contains("<!doctype html>"));
    for file in ["style.css", "page.js", "player.js", "server.js"] {
        let (status, text) = http.get(&format!("/{file}")).unwrap();
        assert!(status == 200 && !text.is_empty(), "{file}");
        let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
        assert!(
            !elsewhere.contains("http:") && !elsewhere.contains("https:") && !elsewhere.contains("//cdn"),
            "{file}"
        );
    }
    for path in [
        "/../Cargo.toml",
        "/..%2f..%2fetc/passwd",
        "/labels.sqlite",
        "//etc/passwd",
        "/page",
        "/api",
        "/api/",
    ] {
        assert_eq!(http.get(path).unwrap().0, 404, "{path}");
    }
    assert_eq!(http.get("/api/next").unwrap().0, 405);
    let ask = |headers: &str, body: &[u8]| http.request("POST /api/next", headers, body).unwrap().0;
    assert_eq!(ask("", br#"{"annotator":"Ana"}"#), 200);
    assert_eq!(ask("origin: http://evil.example\r\n", br#"{"annotator":"Ana"}"#), 403);
    assert_eq!(ask("sec-fetch-site: cross-site\r\n", br#"{"annotator":"Ana"}"#), 403);
    assert_eq!(ask("", &[b'x'; 9000]), 413);
    assert_eq!(ask("", b"{"), 400);
    assert_eq!(ask("", br#"{"annotator":"Ana","more":1}"#), 400);
    let rebound = b"GET /api/state HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    assert_eq!(http.raw(rebound, true).unwrap().0, 421);

    let (_, task) = http.post("/api/next", &json!({ "annotator": "Ana" })).unwrap();
    assert_eq!(task["picture"]["sides"].as_array().unwrap().len(), 2);
    // Nothing says how good they are or who is who.
    let words = task.to_string();
    for word in ["return", "reward", "trajectory", "\"a\"", "\"b\""] {
        assert!(!words.contains(word), "{word}");
    }
    let answer = |body: Value| http.post("/api/answer", &body).unwrap();
    let good = json!({ "annotator": "Ana", "pair": task["pair"], "answer": "left", "watched": true });
    let with = |key: &str, value: Value| {
        let mut body = good.clone();
        body[key] = value;
        answer(body).0
    };
    assert_eq!(with("watched", json!(false)), 400);
    assert_eq!(with("answer", json!("both")), 400);
    assert_eq!(with("pair", json!(1e300)), 400);
    assert_eq!(with("annotator", json!("Ben")), 403);
    assert_eq!(with("annotator", json!("<b>")), 400);
    assert_eq!(answer(good.clone()).0, 200);
    assert_eq!(answer(good.clone()).0, 200);
    assert_eq!(with("answer", json!("right")), 409);
    assert_eq!(count(home.path(), "SELECT count(*) FROM labels"), 1);
    let state: Value = serde_json::from_str(&http.get("/api/state?annotator=Ana").unwrap().1).unwrap();
    assert_eq!((&state["progress"]["mine"], &state["progress"]["round_done"]), (&1.into(), &1.into()));
    assert_eq!(http.get("/api/state?annotator=%3Cb%3E").unwrap().0, 400);
    assert_eq!(http.post("/api/undo", &json!({ "annotator": "Ana" })).unwrap().0, 200);
    assert_eq!(count(home.path(), "SELECT count(*) FROM labels"), 0);
}

#[test]
fn wrong_bodies_are_refused_and_never_kept() {
    let home = tempfile::tempdir().unwrap();
    let (_server, http) = serve(home.path(), 1);
    let (_, task) = http.post("/api/next", &json!({ "annotator": "Ana" })).unwrap();
    let pair = task["pair"].as_i64().unwrap();
    let labels = || count(home.path(), "SELECT count(*) FROM labels");

    let text = "\\PC{0,12}";
    let name = prop_oneof![Just("Ana".to_string()), Just("Ben".into()), text];
    let word = prop_oneof![Just("left".to_string()), Just("cant_tell".into()), Just("LEFT".into()), text];
    let number = prop_oneof![
        Just(json!(pair)),
        any::<i64>().prop_map(|n| json!(n)),
        any::<f64>().prop_map(|x| json!(x))
    ];
    let value = prop_oneof![
        Just(json!(true)),
        Just(Value::Null),
        any::<bool>().prop_map(|b| json!(b)),
        text.prop_map(|t: String| json!(t)),
        any::<i32>().prop_map(|n| json!([n])),
    ];
    let key = prop_oneof![Just("annotator"), Just("pair"), Just("answer"), Just("watched"), Just("more")];
    let near = (name, number, word, value.clone(), prop::option::of((key, value)));
    let far = prop::collection::vec(any::<u8>(), 0..200);
    let path = prop_oneof![Just("answer"), Just("next"), Just("undo")];
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 600,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&(near, far, path, 0..3), |((annotator, pair_said, answer, watched, changed), far, path, kind)| {
            let mut body = json!({ "annotator": annotator, "pair": pair_said, "answer": answer, "watched": watched });
            if let Some((key, value)) = &changed {
                body[*key] = value.clone();
            }
            let fine = body["annotator"] == "Ana"
                && body["pair"] == json!(pair)
                && ["left", "right", "tie", "cant_tell"].iter().any(|w| body["answer"] == *w)
                && body["watched"] == json!(true)
                && body.get("more").is_none();
            let line = format!("POST /api/{path}");
            match kind {
                0 => {
                    let (status, _) = http.request("POST /api/answer", "", body.to_string().as_bytes()).unwrap();
                    prop_assert_eq!(status == 200, fine, "{}: {}", body, status);
                    prop_assert_eq!(labels(), i64::from(fine));
                    if fine {
                        prop_assert_eq!(http.post("/api/undo", &json!({ "annotator": "Ana" })).unwrap().0, 200);
                    }
                }
                1 => {
                    let (status, _) = http.request(&line, "", &far).unwrap();
                    prop_assert!((400..500).contains(&status), "{}: {:?}", status, far);
                }
                // No HTTP at all: refused or hung up on.
                _ => {
                    let status = http.raw(&[&far[..], b"\r\n\r\n"].concat(), false).map_or(400, |(status, _)| status);
                    prop_assert!((400..500).contains(&status), "{}: {:?}", status, far);
                }
            }
            prop_assert_eq!(labels(), 0);
            Ok(())
        })
        .unwrap();
    assert_eq!(http.get("/").unwrap().0, 200, "it still serves");
}

#[test]
fn beyond_loopback_a_token_is_demanded_and_wrong_words_get_the_mend() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let mut trainer = spawn(dir, &[&train("human", "run")[..], &["--listen", "0.0.0.0:0"]].concat());
    demands_token(&mut trainer, "/api/state");
    // The page is up before the run's directory is whole.
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
        (&["label", "run", "--import", "run/config.toml"], "nothing of the file was taken"),
        (&["label", "run", "--listen", "off"], "leave it out"),
    ] {
        let message = fails(dir, args);
        assert!(message.contains(expected), "spo {args:?}: {message}");
    }
    assert!(!dir.join("runs").exists(), "a refused run makes no directory");
    let shown = ok(dir, &["train", "point", "--oracle", "human", "--show-config", "--set", "states=5"]);
    for key in
        ["opponents = \"sampled=1\"", "window = 0", "states = 5", "budget = 300", "checkpoint_every = 1"]
    {
        assert!(shown.lines().any(|l| l == key), "{key}: {shown}");
    }
}

#[test]
fn every_task_that_draws_can_be_shown_whole_and_in_windows() {
    for entry in spo_envs::registry() {
        let Ok(mut env) = entry.make() else { continue };
        let (dim, mut obs) = (env.spec().action.dim(), vec![0.0; env.spec().obs_dim]);
        let start = Start { seed: 1, phase: Phase::Train, iteration: 2, state: 3 };
        env.reset(&mut start.resets(), &mut obs);
        let draws = !env.frame().shapes.is_empty();
        let make = registered(entry.id).unwrap();
        let side = |first: usize, steps: usize| Recipe { start, first, actions: vec![0.5; steps * dim] };
        for sides in [[side(0, 1), side(0, 1)], [side(3, 6), side(usize::MAX, 4)], [side(0, 9), side(0, 4)]] {
            let picture = spo::label::picture::Picture::new(&sides, &make);
            // Options are whole numbers, and one step is their episode.
            if !draws {
                assert!(picture.is_err(), "{}", entry.id);
                continue;
            }
            let picture = serde_json::to_value(picture.unwrap()).unwrap();
            for side in picture["sides"].as_array().unwrap() {
                let stills = side["stills"].as_u64().unwrap() as usize;
                assert!(stills >= 1 && !side["actors"].as_array().unwrap().is_empty(), "{}", entry.id);
                for actor in side["actors"].as_array().unwrap() {
                    let shapes = actor["shapes"].as_array().unwrap().len();
                    assert!(shapes == 1 || shapes == stills, "{}: {shapes} of {stills}", entry.id);
                }
            }
        }
    }
}

#[test]
fn a_trajectory_keeps_its_sides_for_the_annotator_who_sees_it() {
    let home = tempfile::tempdir().unwrap();
    let (mut store, _) = store(home.path(), 1, 1);
    let ana = who("Ana");
    let seen = store.next(&ana).unwrap().unwrap();
    assert_eq!(shown(home.path(), seen.pair, "Ana"), seen);
    let [left, right] = store.recipes(&seen).unwrap();
    let a_first = seen.left == spo::label::answers::Left::A;
    assert_eq!([left.id(), right.id()], if a_first { [seen.a, seen.b] } else { [seen.b, seen.a] });
}
