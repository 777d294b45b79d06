//! People as oracle.
//!
//! - `store`: the database and its tables; `server`: what is to be had over HTTP; `pictures`: what is drawn of a task.
//! - `training`: runs by people's answers, through kills; `page`: the same in a browser.

use std::path::Path;
use std::time::Duration;

use spo::oracle::human::Store;
use spo::oracle::human::store::About;
use spo::rollout::replay_key::ReplayKey;
use spo::rollout::{Phase, Start};

mod annotator;
mod page;
mod pictures;
mod server;
mod store;
mod training;

/// A database with `pairs` pairs of pendulum swings of five steps.
fn store(dir: &Path, pairs: usize, votes: u32) -> (Store, Vec<i64>) {
    let about =
        About { run: "r".into(), env: "pendulum".into(), question: String::new(), votes, budget: 100 };
    let mut store = Store::create(dir, &about).unwrap();
    let replay_key = |k: usize| ReplayKey {
        start: Start { seed: 0, phase: Phase::Train, iteration: 0, state: 0 },
        first: 0,
        actions: (0..5).map(|t| ((k * 5 + t) as f32).sin()).collect(),
    };
    let posted: Vec<_> = (0..pairs).map(|k| [replay_key(2 * k), replay_key(2 * k + 1)]).collect();
    let ids = store.post(1, &posted).unwrap();
    assert_eq!(store.post(1, &posted).unwrap(), ids, "posted again, the same pairs");
    (store, ids)
}

fn database(run: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(run.join("labels.sqlite")).unwrap();
    connection.busy_timeout(Duration::from_secs(20)).unwrap();
    connection
}

fn count(run: &Path, sql: &str) -> i64 {
    database(run).query_row(sql, [], |r| r.get(0)).unwrap()
}
