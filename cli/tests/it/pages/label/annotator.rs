//! Somebody who labels over HTTP, by the true return.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use spo::oracle::human::Store;
use spo::oracle::human::answers::{Left, Shown};
use spo::train::registered;
use spo_cli::web::picture::record;

use crate::pages::http::Http;
use crate::pages::process::wait_for;

/// The pair that an annotator sees, from the database: a, b and which one is on the left.
pub fn shown(run: &Path, pair: i64, name: &str) -> Shown {
    let connection = rusqlite::Connection::open(run.join("labels.sqlite")).unwrap();
    connection.busy_timeout(Duration::from_secs(20)).unwrap();
    let sql = "SELECT p.a, p.b, s.left FROM pairs p JOIN leases s ON s.pair = p.id WHERE p.id = ?1 AND annotator = ?2";
    let row = |r: &rusqlite::Row<'_>| Ok((r.get(0)?, r.get(1)?, r.get::<_, String>(2)?));
    let (a, b, left) = connection.query_row(sql, rusqlite::params![pair, name], row).unwrap();
    Shown { pair, a, b, left: if left == "a" { Left::A } else { Left::B } }
}

/// The answer of the return oracle, from the annotator's view.
pub fn right_answer(run: &Path, env: &str, shown: &Shown) -> &'static str {
    let make = registered(env).unwrap();
    let sides = Store::open(run).unwrap().replay_keys(shown).unwrap();
    // In double precision, as a trajectory sums its rewards.
    let [left, right] = sides.map(|s| record(&s, &make, 1).unwrap().frames.last().unwrap().task_return);
    if left > right {
        "left"
    } else if left < right {
        "right"
    } else {
        "tie"
    }
}

/// Answers one pair if there is one, even if the server is down for up to a minute. Returns the pair and the
/// acknowledged answer.
pub fn answer_one(http: Http, run: &Path, env: &str, name: &str) -> Option<(i64, &'static str)> {
    let (status, task) = http.post("/api/next", &json!({ "annotator": name })).ok()?;
    let pair = task["pair"].as_i64().filter(|_| status == 200)?;
    let answer = right_answer(run, env, &shown(run, pair, name));
    let body = json!({ "annotator": name, "pair": pair, "answer": answer, "watched": true });
    // Without a reply, the server may have crashed before or after it saved the label.
    wait_for(|| match http.post("/api/answer", &body) {
        Ok((200, _)) => true,
        Ok((status, why)) => panic!("{status}: {why}"),
        Err(_) => false,
    });
    Some((pair, answer))
}
