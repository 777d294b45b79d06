//! What the server answers over HTTP, and what it refuses.

use std::fs;
use std::process::Stdio;

use proptest::prelude::*;
use serde_json::Value;
use spo_cli::web::watch::rows::Cursor;

use super::{train, watch};
use crate::common::{fails, ok, spo};
use crate::pages::http::{demands_token, serves_itself};
use crate::pages::process::Process;

#[test]
fn the_server_gives_what_it_should_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    train(home.path(), "lqr", "run", &[]);
    let (_server, http) = watch(&[&run, &home.path().join("later")]);
    serves_itself(
        http,
        &[
            "",
            "style.css",
            "palette.css",
            "watch.css",
            "watch.js",
            "chart.js",
            "replays.js",
            "dom.js",
            "player.js",
            "ask.js",
        ],
    );
    for path in
        ["/../Cargo.toml", "/..%2f..%2fetc/passwd", "/config.toml", "//etc/passwd", "/label.css", "/api/"]
    {
        assert_eq!(http.get(path).unwrap().0, 404, "{path}");
    }
    assert_eq!(http.request("POST /api/updates", "", b"{}").unwrap().0, 405);
    let ask = |headers: &str| http.request("GET /api/updates", headers, b"").unwrap().0;
    assert_eq!(ask(""), 200);
    assert_eq!(ask("origin: http://evil.example\r\n"), 403);
    assert_eq!(ask("sec-fetch-site: cross-site\r\n"), 403);
    let rebound = b"GET /api/updates HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    assert_eq!(http.raw(rebound, true).unwrap().0, 421);
    for wrong in [
        "updates?after=1",
        "updates?after=x-00000000",
        "updates?after=~~",
        "updates?afterwards=1",
        "replay",
        "replay?run=2",
        "replay?run=-1",
        "replay?run=0&dir=/etc",
    ] {
        assert_eq!(http.get(&format!("/api/{wrong}")).unwrap().0, 400, "{wrong}");
    }
    let (_, text) = http.get("/api/updates").unwrap();
    let both: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&both[0]["state"], &both[1]["state"]), (&"finished".into(), &"not_begun".into()));
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
                    let (status, text) = http.get(&format!("/api/updates?after={after}")).unwrap();
                    prop_assert_eq!(status, if fine { 200 } else { 400 }, "{}: {}", after, text);
                }
                1 => {
                    let (status, _) = http.get(&format!("/api/replay?run={run_said}")).unwrap();
                    let fine = run_said.parse().is_ok_and(|run: usize| run < 2);
                    prop_assert_eq!(status, if fine { 200 } else { 400 }, "{}", run_said);
                }
                // Not HTTP: the server refuses it or closes the connection.
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
    demands_token(&mut server, "/api/updates");

    fs::write(dir.join("file"), "").unwrap();
    let many = vec!["later"; 51];
    for (args, expected) in [
        (vec!["watch"], "RUN"),
        (vec!["watch", "file"], "file is not a run's directory"),
        (vec!["watch", "later", "--listen", "nowhere"], "expected a free HOST:PORT"),
        ([&["watch"], &many[..]].concat(), "at most 50"),
    ] {
        let message = fails(dir, &args);
        assert!(message.contains(expected), "spo {args:?}: {message}");
    }
    assert!(ok(dir, &["watch", "--help"]).contains("spo watch runs/pendulum-s*"));
}
