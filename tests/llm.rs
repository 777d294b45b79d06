//! A language model as oracle, against a server on loopback that behaves like the public ones.
#![cfg(unix)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[path = "common/model.rs"]
mod model;

use common::{fails, kill_midway, ok, spo, stderr, stdout};
use model::{Asked, Model, Reply};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use spo::oracle::{Notes, check, parse};
use spo::prelude::*;
use spo::rollout::Episode;

/// A step of the point robot that ends so far out.
fn episode(distance: f32) -> Episode {
    Episode {
        obs: vec![0.0; 4],
        final_obs: vec![distance, 0.0, 0.0, 0.0],
        actions: vec![0.5, 0.0],
        rewards: vec![-distance],
        costs: vec![0.0],
        ..Episode::default()
    }
}

fn point() -> Spec {
    spo_envs::make("point").unwrap().spec().clone()
}

/// The oracle's text, with further options.
fn text(model: &Model, more: &str) -> String {
    format!("llm(base_url={},model=m,key_env=none,cache=none{more})", model.url())
}

/// Answers to these pairs of final distances, and what happened on the way.
fn asked(text: &str, pairs: &[(f32, f32)]) -> (Result<Vec<Answer>, OracleError>, BTreeMap<String, u64>) {
    let episodes: Vec<[Episode; 2]> = pairs.iter().map(|&(a, b)| [episode(a), episode(b)]).collect();
    let pairs: Vec<Pair<'_>> =
        episodes.iter().map(|[a, b]| Pair { a: a.trajectory(), b: b.trajectory() }).collect();
    let (mut oracle, notes) = (parse(text).unwrap(), Notes::default());
    let answers = oracle
        .prepare(&point(), &notes)
        .and_then(|()| oracle.compare(&pairs, &mut ChaCha8Rng::seed_from_u64(0)));
    (answers, notes.counts())
}

#[track_caller]
fn prefers(answer: Answer, expected: f64) {
    let Answer::Prefer(p) = answer else { panic!("an abstention") };
    assert!((f64::from(p) - expected).abs() < 1e-6, "{p} is not {expected}");
}

/// A judge by final distances, that makes the first place so many nats likelier.
fn by_distance(bias: f64) -> impl Fn(&Asked) -> Reply {
    move |asked| {
        let [first, second] = asked.distances()[..] else { panic!("{}", asked.prompt()) };
        Reply::first(1.0 / (1.0 + (second - first - bias).exp()))
    }
}

#[test]
fn a_soft_label_is_the_mean_of_both_orders() {
    // Of (2, 1) the first with 0.8, of (1, 2) the first with 0.6: ½ (0.8 + 1 − 0.6) = 0.6.
    let model = Model::start(|asked| {
        assert_eq!(asked.path, "/v1/chat/completions");
        assert_eq!(asked.authorization, None);
        assert_eq!((&asked.body["model"], &asked.body["temperature"]), (&json!("m"), &json!(0)));
        assert_eq!((&asked.body["logprobs"], &asked.body["top_logprobs"]), (&json!(true), &json!(20)));
        Reply::first(if asked.distances() == [2.0, 1.0] { 0.8 } else { 0.6 })
    });
    let (answers, happened) =
        asked(&text(&model, ",price_in=0.5,price_out=4"), &[(2.0, 1.0), (1.0, 2.0), (2.0, 2.0)]);
    let answers = answers.unwrap();
    prefers(answers[0], 0.6);
    prefers(answers[1], 0.4);
    prefers(answers[2], 0.5);
    // The pair and its reverse are the same two questions; what reads the same is none.
    assert_eq!(model.take(), 2);
    // 2 · (100 · 0.5 + 1 · 4) millionths of a dollar.
    for (kind, n) in
        [("requests", 2), ("prompt tokens", 200), ("completion tokens", 2), ("microdollars", 108)]
    {
        assert_eq!(happened[kind], n, "{kind}: {happened:?}");
    }
}

#[test]
fn without_both_orders_a_pair_is_one_question_and_its_place_counts() {
    let model = Model::start(by_distance(1.0));
    let (answers, _) =
        asked(&text(&model, ",both_orders=false"), &[(2.0, 1.0), (1.0, 2.0), (2.0, 1.0), (2.0, 2.0)]);
    let answers = answers.unwrap();
    // σ(2 − 1 + 1), σ(1 − 2 + 1)
    let expected = [1.0 / (1.0 + (-2.0f64).exp()), 0.5, 1.0 / (1.0 + (-2.0f64).exp()), 0.5];
    answers.into_iter().zip(expected).for_each(|(answer, p)| prefers(answer, p));
    assert_eq!(model.take(), 2);
}

#[test]
fn what_a_model_makes_of_a_place_cancels_out() {
    for bias in [0.0, 3.0, 50.0] {
        let model = Model::start(by_distance(bias));
        let episodes: Vec<Episode> = (0..6_u8).map(|d| episode(0.3 * f32::from(d))).collect();
        let shown: Vec<_> = episodes.iter().map(Episode::trajectory).collect();
        let (mut oracle, notes) = (parse(&text(&model, "")).unwrap(), Notes::default());
        oracle.prepare(&point(), &notes).unwrap();
        let report = check::check(&mut *oracle, &shown, &notes, 0).unwrap();
        assert!(report.holds() && report.repeatable && !report.random, "{bias}: {report}");
        assert_eq!(report.cycle, None);
        let (answers, _) = asked(&text(&model, ""), &[(2.0, 1.0)]);
        // A hopeless bias leaves a tie, and not a wrong answer.
        let expected = 0.5 * (1.0 / (1.0 + (-1.0 - bias).exp()) + 1.0 - 1.0 / (1.0 + (1.0 - bias).exp()));
        prefers(answers.unwrap()[0], expected);
    }
}

#[test]
fn without_log_probabilities_the_text_is_the_answer() {
    let says = |asked: &Asked| match asked.distances()[..] {
        [a, b] if a > b => "**1**",
        _ => "Preferred trajectory: 2",
    };
    // Counts that no server has, but one sends.
    let model = Model::start(move |asked| {
        let choice = json!({ "message": { "content": says(asked) } });
        Reply::json(200, &json!({ "choices": [choice], "usage": { "prompt_tokens": u64::MAX } }))
    });
    let (answers, happened) = asked(&text(&model, ""), &[(2.0, 1.0)]);
    assert_eq!(answers.unwrap(), [Answer::Prefer(1.0)]);
    assert_eq!((happened["answers without log-probabilities"], happened["prompt tokens"]), (2, u64::MAX));
    model.take();
    let (answers, happened) = asked(&text(&model, ",logprobs=false"), &[(1.0, 2.0)]);
    assert_eq!(answers.unwrap(), [Answer::Prefer(0.0)]);
    assert!(!happened.contains_key("answers without log-probabilities"), "{happened:?}");
    assert!(model.asked().iter().all(|a| a.body.get("logprobs").is_none()));
}

#[test]
fn completions_are_spoken_too() {
    let model = Model::start(|asked| {
        assert_eq!(asked.path, "/v1/completions");
        assert!(asked.prompt().ends_with("Preferred trajectory=") && asked.prompt().starts_with("You judge"));
        assert_eq!(asked.body["logprobs"], 5);
        let p: f64 = if asked.distances() == [2.0, 1.0] { 0.9 } else { 0.25 };
        let said = if p > 0.5 { "1" } else { "2" };
        let top = json!({ "1": p.ln(), "2": (1.0 - p).ln(), "\n": -30.0 });
        let logprobs = json!({ "tokens": [said], "token_logprobs": [top[said]], "top_logprobs": [top] });
        Reply::json(200, &json!({ "choices": [{ "text": said, "logprobs": logprobs }] }))
    });
    let (answers, _) = asked(&text(&model, ",api=completions"), &[(2.0, 1.0)]);
    // ½ (0.9 + 1 − 0.25)
    prefers(answers.unwrap()[0], 0.825);
}

#[test]
fn a_chain_of_thought_thinks_and_then_answers() {
    let model = Model::start(|asked| {
        let messages = asked.body["messages"].as_array().unwrap();
        if messages.len() == 2 {
            assert!(asked.prompt().ends_with("Rationale:") && asked.body.get("logprobs").is_none());
            return Reply::words("Farther is better.");
        }
        assert_eq!(messages[2], json!({ "role": "assistant", "content": "Farther is better." }));
        assert!(asked.prompt().ends_with("Preferred trajectory="));
        by_distance(0.0)(asked)
    });
    let (answers, _) = asked(&text(&model, ",cot=true"), &[(2.0, 1.0)]);
    prefers(answers.unwrap()[0], 1.0 / (1.0 + (-1.0_f64).exp()));
    assert_eq!(model.take(), 4, "two orders of two steps");
}

#[test]
fn what_passes_is_tried_again_and_costs_no_answer() {
    let cut = || Reply { cut: Some(7), ..Reply::first(0.9) };
    let slow = || Reply { slow: Duration::from_millis(100), ..Reply::first(0.9) };
    let unlikely = || Reply::chat("1", &[("1", 1.5), ("2", 0.1)]);
    let twice = || Reply::chat("1", &[("1", 0.9), ("2", 0.9)]);
    type Case = (&'static str, fn() -> Reply);
    let broken: [Case; 6] = [
        ("malformed", || Reply::text(200, "{\"choices\": [")),
        ("empty", || Reply::text(200, "")),
        ("an error with 200", || Reply::json(200, &json!({ "error": { "message": "overloaded" } }))),
        ("no choice", || Reply::json(200, &json!({ "choices": [] }))),
        ("no message", || Reply::json(200, &json!({ "choices": [{}] }))),
        ("oversized", || Reply::text(200, &"x".repeat(5 << 20))),
    ];
    let statuses: [Case; 5] = [
        ("429", || {
            Reply::json(429, &json!({ "error": { "message": "slow down" } })).header("retry-after", "0")
        }),
        ("429 without a time", || Reply::text(429, "")),
        ("500", || Reply::text(500, "<html>sorry</html>")),
        ("503", || Reply::text(503, "").header("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")),
        ("408", || Reply::text(408, "")),
    ];
    let others: [Case; 4] =
        [("cut", cut), ("slow", slow), ("a mass of 1.6", unlikely), ("a mass of 1.8", twice)];
    for (name, bad) in broken.into_iter().chain(statuses).chain(others) {
        let model =
            Model::start(move |asked| if asked.number == 0 { bad() } else { by_distance(0.0)(asked) });
        let (answers, happened) = asked(&text(&model, ",timeout=2,concurrency=1"), &[(2.0, 1.0)]);
        let answers = answers.unwrap_or_else(|e| panic!("{name}: {e}"));
        prefers(answers[0], 1.0 / (1.0 + (-1.0_f64).exp()));
        assert_eq!((happened["retries"], happened["requests"]), (1, 3), "{name}: {happened:?}");
    }
}

#[test]
fn a_pause_that_the_server_asks_for_is_kept_by_all() {
    let model = Model::start(|asked| match asked.number {
        0 => Reply::text(429, "").header("retry-after", "1"),
        _ => by_distance(0.0)(asked),
    });
    let (answers, _) = asked(&text(&model, ",concurrency=1"), &[(2.0, 1.0), (3.0, 1.0)]);
    assert_eq!(answers.unwrap().len(), 2);
    let times: Vec<_> = model.asked().iter().map(|a| a.at).collect();
    assert!(times[1] - times[0] >= Duration::from_secs(1), "it waited");

    let model = Model::start(|_| Reply::text(429, "quota").header("retry-after", "86400"));
    let (answers, happened) = asked(&text(&model, ",concurrency=1"), &[(2.0, 1.0), (3.0, 1.0)]);
    let error = answers.unwrap_err().to_string();
    assert!(error.contains("asks to wait 86400 s") && error.contains("--resume"), "{error}");
    assert_eq!(happened["requests"], 1, "nothing more is sent");
}

#[test]
fn a_pair_without_an_answer_is_an_abstention_and_a_round_without_any_an_error() {
    // One is refused by a filter, one is talked around; the others are answered.
    let model = Model::start(|asked| match asked.distances()[..] {
        [5.0, _] => Reply::json(400, &json!({ "error": { "code": "content_filter" } })),
        [6.0, _] => Reply::words("I'm sorry, but I cannot judge that."),
        _ => by_distance(0.0)(asked),
    });
    let (answers, happened) = asked(&text(&model, ""), &[(5.0, 1.0), (6.0, 1.0), (3.0, 1.0)]);
    let answers = answers.unwrap();
    assert_eq!(answers[..2], [Answer::Abstain; 2]);
    assert!(matches!(answers[2], Answer::Prefer(p) if p > 0.5));
    assert_eq!((happened["unanswered"], happened["unclear"]), (1, 1), "{happened:?}");

    let down = Model::start(|_| Reply::text(500, "out of memory"));
    let (answers, happened) = asked(&text(&down, ",retries=1"), &[(2.0, 1.0)]);
    let error = answers.unwrap_err().to_string();
    for part in [
        "language model `m` at http://127.0.0.1",
        "any of 2 questions",
        "out of memory",
        "2 times",
        "--resume",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert_eq!((happened["requests"], happened["unanswered"]), (4, 2));

    let babbles = Model::start(|_| Reply::words("Both are fine."));
    let pairs: Vec<(f32, f32)> = (1..=5_u8).map(|d| (f32::from(d), 0.5)).collect();
    let error = asked(&text(&babbles, ""), &pairs).0.unwrap_err().to_string();
    assert!(
        error.contains("said `Both are fine.` where a number from 1 to 2 alone was asked for"),
        "{error}"
    );
    assert_eq!(
        asked(&text(&babbles, ""), &pairs[..1]).0.unwrap(),
        [Answer::Abstain],
        "one is no pattern yet"
    );

    let gone = { Model::start(|_| Reply::text(200, "")).url() };
    let error =
        asked(&format!("llm(base_url={gone},model=m,cache=none,key_env=none,retries=0)"), &[(2.0, 1.0)]);
    assert!(error.0.is_err());
}

#[test]
fn what_no_repetition_mends_ends_at_once() {
    let error = |status: u16, location: Option<&'static str>| {
        let model = Model::start(move |_| {
            let reply = Reply::json(status, &json!({ "error": { "message": "no" } }));
            location.into_iter().fold(reply, |reply, to| reply.header("location", to))
        });
        let pairs: Vec<(f32, f32)> = (1..=9_u8).map(|d| (f32::from(d), 0.5)).collect();
        let error = asked(&text(&model, ",concurrency=1"), &pairs).0.unwrap_err().to_string();
        assert_eq!(model.take(), 1, "{status}: one request, and no other");
        error
    };
    assert!(error(401, None).contains("name its variable by key_env=NAME"));
    assert!(error(404, None).contains("is `m` a model that it has"));
    assert!(error(402, None).contains("nothing left to pay with"));
    let moved = error(307, Some("https://new.example/v1/chat/completions"));
    assert!(moved.contains("it has moved to https://new.example/v1"), "{moved}");
    assert!(error(418, None).contains("check base_url"));
}

#[test]
fn no_request_is_paid_for_twice() {
    let model = Model::start(by_distance(1.0));
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("replies.sqlite");
    let text = |name: &str, cache: &str| {
        format!("llm(base_url={},model={name},key_env=none,cache={cache})", model.url())
    };
    let kept = file.display().to_string();
    let pairs = [(2.0, 1.0), (4.0, 3.0)];
    let (first, _) = asked(&text("m", &kept), &pairs);
    let first = first.unwrap();
    assert_eq!(model.take(), 4);
    let (second, happened) = asked(&text("m", &kept), &pairs);
    assert_eq!((second.unwrap(), model.take()), (first.clone(), 0));
    assert_eq!(happened, BTreeMap::from([("cached".to_string(), 4)]));
    // Another model, and none to keep: asked.
    assert_eq!((asked(&text("n", &kept), &pairs).0.unwrap(), model.take()), (first.clone(), 4));
    assert_eq!((asked(&text("m", "none"), &pairs).0.unwrap(), model.take()), (first, 4));
}

const KEY: &str = "sk-test/0123456789+very-secret";

/// Whether the key is in any file below, by its bytes.
fn leaks(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            leaks(&path)
        } else {
            fs::read(&path).unwrap().windows(KEY.len()).any(|bytes| bytes == KEY.as_bytes())
        }
    })
}

/// A short training by a model, told by flags.
fn train(dir: &Path, model: &Model, out: &str, more: &[&str]) -> Command {
    let url = model.url();
    let flags = ["train", "point", "--base-url", &url, "--model", "m", "--out", out];
    let mut args: Vec<&str> = flags.to_vec();
    for key in ["budget=0", "total_steps=4000", "hidden=[8]", "eval_episodes=2"] {
        args.extend(["--set", key]);
    }
    if !more.contains(&"--oracle") {
        args.extend(["--oracle", "llm(cache=replies.sqlite,price_in=1)"]);
    }
    args.extend(more);
    let mut command = spo(dir, &args);
    command.env_remove("OPENAI_API_KEY");
    command
}

#[track_caller]
fn trained(mut command: Command) -> Value {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    json!({ "stdout": stdout(&output), "stderr": stderr(&output) })
}

#[test]
fn the_key_goes_into_a_header_and_nowhere_else() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    // It repeats what it was sent wherever it can.
    let model = Model::start(|asked| {
        let sent = asked.authorization.clone().unwrap_or_default();
        match asked.number {
            0 => Reply::text(500, &format!("failed for {sent}")),
            1 => Reply::words(&format!("you sent {sent}")),
            2 => Reply::text(200, &json!({ "choices": sent }).to_string().replace('/', "\\/")),
            3 => Reply::text(503, &format!("{}{sent}", "x".repeat(280))),
            _ if sent == format!("Bearer {KEY}") => by_distance(0.0)(asked),
            _ => Reply::text(401, &format!("wrong key: {sent}")),
        }
    });
    let mut command = train(dir, &model, "run", &[]);
    command.env("OPENAI_API_KEY", format!(" {KEY}\n"));
    let said = trained(command).to_string();
    assert!(said.contains("retries") && said.contains("Bearer [key]") && !said.contains(KEY), "{said}");
    assert!(model.asked().iter().all(|a| a.authorization.as_deref() == Some(&format!("Bearer {KEY}"))));
    assert!(dir.join("replies.sqlite").exists() && !leaks(dir));
    let config = fs::read_to_string(dir.join("run/config.toml")).unwrap();
    assert!(
        config.contains(&format!("llm(base_url={},model=m,cache=replies.sqlite,price_in=1)", model.url())),
        "{config}"
    );
    let summary: Value = serde_json::from_slice(&fs::read(dir.join("run/summary.json")).unwrap()).unwrap();
    let notes = &summary["notes"];
    assert_eq!(notes["prompt tokens"], notes["microdollars"], "a dollar a million: {notes}");
    assert!(notes["requests"].as_u64().unwrap() > 50 && notes["completion tokens"].is_number(), "{notes}");

    // A wrong key, told once, with the mend.
    let (model, wrong) = (Model::start(|asked| Reply::text(401, &format!("{asked:?}"))), KEY);
    let mut command =
        train(dir, &model, "wrong", &["--oracle", "llm(concurrency=1,cache=none,key_env=MY_KEY)"]);
    let output = command.env("MY_KEY", wrong).output().unwrap();
    let message = stderr(&output);
    assert!(!output.status.success() && !message.contains(KEY) && !message.contains("panicked"), "{message}");
    assert!(message.contains("does not take the key in the variable MY_KEY"), "{message}");
    assert!(message.contains("wrong has no checkpoint yet") && model.take() == 1, "{message}");
    assert!(!leaks(dir));

    // One that is asked for and not there: before there is a run.
    let mut command = train(dir, &model, "none", &["--oracle", "llm(cache=none,key_env=SPO_NO_SUCH_KEY)"]);
    let message = stderr(&command.output().unwrap());
    assert!(message.contains("the variable SPO_NO_SUCH_KEY is not set"), "{message}");
    assert!(!dir.join("none").exists() && model.take() == 0);
}

#[test]
fn runs_share_replies_and_a_killed_one_goes_on_as_if_nothing_had_happened() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    // It never gives the same answer twice: only what is kept can make two runs the same.
    let drawn = Arc::new(AtomicUsize::new(0));
    let draws = drawn.clone();
    let model = Model::start(move |_| {
        std::thread::sleep(Duration::from_millis(20));
        let n = draws.fetch_add(1, Ordering::Relaxed) as f64;
        Reply::first((n * 0.618_034).fract().clamp(0.01, 0.99))
    });
    let metrics = |run: &str| fs::read(dir.join(run).join("metrics.csv")).unwrap();
    for (kill, after) in [(0, 5), (1, 250)] {
        let out = format!("killed-{kill}");
        let seed = kill.to_string();
        let mut command = train(dir, &model, &out, &["--seed", &seed]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        kill_midway(command, &dir.join(&out), Duration::from_millis(after));
        ok(dir, &["train", "--resume", &out]);
        assert!(model.take() > 0);
        let whole = format!("whole-{kill}");
        let told = trained(train(dir, &model, &whole, &["--seed", &seed]));
        assert!(metrics(&out) == metrics(&whole), "{out}");
        assert_eq!(model.take(), 0, "all of it was known: {told}");
        assert!(told["stdout"].as_str().unwrap().contains(" cached"), "{told}");
    }
}

#[test]
fn ratings_are_scores_of_their_own() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let rated = |asked: &Asked| {
        assert!(asked.prompt().ends_with("Score="), "{}", asked.prompt());
        let [distance] = asked.distances()[..] else { panic!("one trajectory") };
        // 0 m is a 2, 1 m a 3, …
        let score = (2.0 + distance).clamp(1.0, 9.0);
        let (low, share) = (score.floor(), score.fract());
        let (lower, upper) = (low.to_string(), (low + 1.0).to_string());
        let said = if share > 0.5 { &upper } else { &lower };
        Reply::chat(said, &[(&lower, 1.0 - share), (&upper, share.max(1e-9))])
    };
    let model = Model::start(rated);
    let told = trained(train(dir, &model, "run", &["--scorer", "llm_direct", "--set", "states=3"]));
    assert!(told["stderr"].as_str().unwrap().contains("from ratings by `llm("), "{told}");
    // 12 trajectories an iteration of 50 steps each: 6 iterations in 4,000 steps, a query a trajectory.
    let mut table = csv::Reader::from_path(dir.join("run/metrics.csv")).unwrap();
    let rows: Vec<BTreeMap<String, f64>> = table
        .deserialize::<BTreeMap<String, String>>()
        .map(|row| row.unwrap().into_iter().map(|(k, v)| (k, v.parse().unwrap_or(f64::NAN))).collect())
        .collect();
    let last = rows.last().unwrap();
    assert_eq!((rows.len(), last["queries"], last["answered"], last["abstained"]), (6, 72.0, 72.0, 0.0));
    for row in &rows {
        // The return is the distance gained, to three digits what the model reads: (2 + d − 5.5) / 4.5.
        let expected = (row["return_mean"] - 3.5) / 4.5;
        assert!((row["score_mean"] - expected).abs() < 0.05, "{} {expected}", row["score_mean"]);
    }

    for (args, expected) in [
        (&["--oracle", "return"][..], "`oracle` is `return`; expected a language model alone"),
        (&["--oracle", "llm(base_url=http://h/v1,model=m) | labels"], "expected a language model alone"),
        (&["--oracle", "llm"], "`base_url` is missing"),
        (&["--oracle", "llm(base_url=http://h/v1,model=m)", "--set", "window=5"], "rates whole trajectories"),
        (
            &["--oracle", "llm(base_url=http://h/v1,model=m)", "--set", "log_comparisons=true"],
            "compares nothing",
        ),
        (&["--oracle", "llm(base_url=http://h/v1,model=m)", "--set", "result=best"], "`last` or `average`"),
    ] {
        let message =
            fails(dir, &[&["train", "point", "--out", "no", "--scorer", "llm_direct"], args].concat());
        assert!(message.contains(expected), "{args:?}: {message}");
        assert!(!dir.join("no").exists(), "{args:?}: a refused run makes no directory");
    }
}

#[test]
fn a_reward_model_is_fitted_to_the_soft_labels() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    // Always ¾ for the farther: no fit can be surer, and its loss has the entropy of ¾ as its floor.
    let model = Model::start(|asked| {
        let [first, second] = asked.distances()[..] else { panic!("{}", asked.prompt()) };
        Reply::first(if first > second { 0.75 } else { 0.25 })
    });
    let keys =
        ["log_comparisons=true", "total_steps=20000", "queries_per_round=20", "reward_learning_rate=0.003"];
    let mut more = vec!["--scorer", "reward_model"];
    keys.iter().for_each(|key| more.extend(["--set", *key]));
    trained(train(dir, &model, "run", &more));
    let mut asked = 0;
    for row in csv::Reader::from_path(dir.join("run/comparisons.csv")).unwrap().deserialize() {
        let row: BTreeMap<String, f64> = row.unwrap();
        assert!([0.25, 0.5, 0.75].contains(&row["p_a_wins"]), "{row:?}");
        asked += 1;
    }
    assert!(asked >= 500, "{asked}");
    let losses: Vec<f64> = csv::Reader::from_path(dir.join("run/metrics.csv"))
        .unwrap()
        .deserialize::<BTreeMap<String, String>>()
        .map(|row| row.unwrap()["reward_loss"].parse().unwrap())
        .collect();
    let entropy = -(0.75_f64 * 0.75_f64.ln() + 0.25 * 0.25_f64.ln());
    let last = losses.last().unwrap();
    assert!(*last > entropy - 0.01 && *last < 2.0_f64.ln() - 0.03, "{last} against {entropy}");
}

#[test]
fn a_template_of_ones_own_says_what_is_seen() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("mine.toml");
    fs::write(
        &path,
        "preamble = 'Be strict.'\ntask = 'Fly.'\nquestion = 'Who flies?'\nomit = ['temperature']\n\
         [[summary]]\nname = 'height'\nunit = 'km'\nobs = [0]\ntake = 'final'\n\
         [[summary]]\nname = 'return'\nsignal = 'reward'\ntake = 'sum'\n\
         [[exemplar]]\na = '- height: 9'\nb = '- height: 8'\npreferred = 1\n\
         [request]\nmax_tokens = 3\nextra = { thinking = false }\n",
    )
    .unwrap();
    let model = Model::start(|asked| {
        let prompt = asked.prompt();
        for part in [
            "Be strict.",
            "Task: Fly.",
            "- height: 9",
            "Preferred trajectory=1\n",
            "Who flies?",
            "- return: -2.00",
        ] {
            assert!(prompt.contains(part), "{part}: {prompt}");
        }
        assert!(prompt.contains("- height: 2.00 km\n"), "{prompt}");
        assert_eq!((&asked.body["max_tokens"], &asked.body["extra"]["thinking"]), (&json!(3), &json!(false)));
        assert!(asked.body.get("temperature").is_none());
        Reply::first(0.5)
    });
    let (answers, _) = asked(&text(&model, &format!(",template='{}'", path.display())), &[(2.0, 1.0)]);
    assert_eq!(answers.unwrap(), [Answer::Prefer(0.5)]);
    // The shipped one shows no reward.
    let plain = Model::start(|asked| {
        assert!(
            !asked.prompt().contains("return") && !asked.prompt().contains("reward"),
            "{}",
            asked.prompt()
        );
        Reply::first(0.5)
    });
    asked(&text(&plain, ""), &[(2.0, 1.0)]).0.unwrap();
}

#[test]
fn the_command_teaches() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    for (args, expected) in [
        (&["train", "point", "--oracle", "llm"][..], "--base-url http://127.0.0.1:8000/v1 --model NAME"),
        (
            &["train", "point", "--model", "m"],
            "--base-url and --model are for a language model, --oracle llm",
        ),
        (&["train", "point", "--oracle", "llm(modle=m)"], "did you mean `model`?"),
        (&["oracle", "check", "return", "--model", "m"], "are for a language model"),
        (
            &["train", "point", "--oracle", "llm(base_url=http://h/v1,model=m,template=no.toml)"],
            "template no.toml: cannot be read",
        ),
    ] {
        let message = fails(dir, args);
        assert!(message.contains(expected), "{args:?}: {message}");
    }
    assert!(!dir.join("runs").exists(), "a refused run makes no directory");
    assert!(ok(dir, &["train", "--help"]).contains("--base-url <URL>"));
    // A dear judge has defaults of its own, and flags are in what a run keeps.
    let shown =
        ["train", "point", "--oracle", "0.5*llm(base_url=http://h/v1,model=m) + 0.5*return", "--show-config"];
    let config = ok(dir, &shown);
    for line in ["budget = 1000", "window = 0", "opponents = \"sampled=1\"", "checkpoint_every = 1"] {
        assert!(config.contains(&format!("{line}\n")), "{line}: {config}");
    }
    let flags = ["train", "--oracle", "llm", "--base-url", "http://h/v1", "--model", "m", "--show-config"];
    assert!(ok(dir, &flags).contains("oracle = \"llm(base_url=http://h/v1,model=m)\""));
    let model = Model::start(by_distance(0.5));
    let url = model.url();
    let check = ["oracle", "check", "llm(cache=none,key_env=none)", "point", "--trajectories", "4"];
    let printed = ok(dir, &[&check[..], &["--base-url", &url, "--model", "m"]].concat());
    assert!(printed.contains("the contract holds") && printed.contains("deterministic  yes"), "{printed}");
}

/// `examples/llm_server.py`, which ends with the test.
struct Simulated(std::process::Child, String);

impl Simulated {
    fn start() -> Option<Self> {
        use std::io::{BufRead, BufReader};
        let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/llm_server.py");
        let child = Command::new("python3").arg(server).args(["--port", "0"]).stdout(Stdio::piped()).spawn();
        let Ok(mut child) = child else {
            println!("SKIPPED: python3 is not installed");
            return None;
        };
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening at ").unwrap().to_string();
        Some(Self(child, url))
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_simulated_model_teaches_the_point_robot() {
    let Some(server) = Simulated::start() else { return };
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let run = |name: &str, oracle: &str, more: &[&str]| -> f64 {
        let flags = ["train", "point", "--oracle", oracle, "--base-url", &server.1, "--model", "simulated"];
        let all = [&flags[..], &["--out", name, "--set", "eval_episodes=10"], more].concat();
        let mut command = spo(dir, &all);
        let output = command.env_remove("OPENAI_API_KEY").output().unwrap();
        assert!(output.status.success(), "{name}: {}", stderr(&output));
        let summary = fs::read(dir.join(name).join("summary.json")).unwrap();
        serde_json::from_slice::<Value>(&summary).unwrap()["eval_return_mean"].as_f64().unwrap()
    };
    // 11.6 m is the farthest there is, 1.0 m what an untrained policy comes to.
    let learned = run("compared", "llm(cache=replies.sqlite)", &["--set", "budget=300"]);
    assert!(learned > 6.0, "{learned}");
    let learned =
        run("rated", "llm(cache=replies.sqlite)", &["--scorer", "llm_direct", "--set", "budget=300"]);
    assert!(learned > 6.0, "{learned}");
    // The other interface, and a chain of thought, for a few iterations.
    let both = "llm(cache=none,api=completions,cot=true)";
    assert!(run("completed", both, &["--set", "budget=20"]).is_finite());
}
