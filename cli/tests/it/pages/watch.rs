//! Watching runs.
//!
//! - `rows`, `status`, `replays`: what is read of a run's directory; `server`: what is to be had of it over HTTP.
//! - `page`: curves and replays in a browser.

use std::path::Path;

use serde_json::Value;
use spo_cli::web::access::Access;
use spo_cli::web::server::{Server, listen};
use spo_cli::web::watch::serve;

use crate::common::ok;
use crate::pages::http::Http;

mod page;
mod replays;
mod rows;
mod server;
mod status;

/// A run that takes at most a second.
fn train(dir: &Path, env: &str, out: &str, more: &[&str]) {
    let keys = ["total_steps=4000", "eval_episodes=3", "ppo.hidden_sizes=[8]", "num_states=2"];
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

/// The update of the first run.
fn news(http: Http, after: &str) -> Value {
    let (status, text) = http.get(&format!("/api/updates?after={after}")).unwrap();
    assert_eq!(status, 200, "{text}");
    serde_json::from_str::<Value>(&text).unwrap()[0].take()
}

fn steps(news: &Value) -> Vec<u64> {
    news["rows"]["steps"].as_array().unwrap().iter().map(|s| s.as_u64().unwrap()).collect()
}
