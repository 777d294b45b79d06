//! What is to be had over HTTP, and what is not.

use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};
use spo::oracle::human::Store;
use spo::train::registered;
use spo_cli::web::access::Access;
use spo_cli::web::label::{Server, server};

use super::{count, store};
use crate::pages::http::{Http, serves_itself};

/// A server for a database of pendulum swings.
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
    serves_itself(http, &["style.css", "page.js", "player.js", "server.js"]);
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
    // The answer does not reveal returns or identities.
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
                // Not HTTP: the server refuses it or closes the connection.
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
