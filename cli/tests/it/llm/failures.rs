//! Servers that fail, for a while or for good, and words that are no answer.

use std::time::Duration;

use serde_json::json;
use spo::prelude::*;

use crate::llm::model::{Model, Reply};
use crate::llm::{asked, by_distance, prefers, text};

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
    assert!(error.contains("said `Both are fine.`, but was asked for a number from 1 to 2 alone"), "{error}");
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
    assert!(error(401, None).contains("name its variable with key_env=NAME"));
    assert!(error(404, None).contains("does it have a model `m`"));
    assert!(error(402, None).contains("no credit left"));
    let moved = error(307, Some("https://new.example/v1/chat/completions"));
    assert!(moved.contains("it has moved to https://new.example/v1"), "{moved}");
    assert!(error(418, None).contains("check base_url"));
}
