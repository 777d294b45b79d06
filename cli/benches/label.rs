//! How long a person waits for the next pair with 100,000 stored labels: over HTTP on loopback, with replays.
//!
//! `cargo bench -p spo-cli --bench label` prints a table.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use spo::oracle::human::Store;
use spo::oracle::human::answers::{Annotator, Choice};
use spo::oracle::human::store::About;
use spo::rollout::replay_key::ReplayKey;
use spo::rollout::{Phase, Start};
use spo::train::registered;
use spo_cli::web::label::access::Access;
use spo_cli::web::label::{Server, server};

const LABELS: usize = 100_000;
/// Pairs of a round.
const ROUND: usize = 50;
const PEOPLE: [&str; 4] = ["Ana", "Ben", "Cy", "Dee"];

fn main() {
    println!(
        "{LABELS} labels by {} people stored; milliseconds from the request to the last byte\n",
        PEOPLE.len()
    );
    println!("| environment | steps | request | median | 99 % | slowest |\n|---|---|---|---|---|---|");
    for env in ["point", "pendulum", "HalfCheetah-v5@200"] {
        match registered(env) {
            Ok(_) => measure(env),
            Err(why) => println!("| {env} | | SKIPPED: {why} | | | |"),
        }
    }
}

fn measure(env: &str) {
    let home = tempfile::tempdir().expect("a folder");
    let make = registered(env).expect("a task");
    let spec = make().expect("a task").spec().clone();
    let about = About { run: "bench".into(), env: env.into(), question: String::new(), votes: 1, budget: 0 };
    let mut store = Store::create(home.path(), &about).expect("a database");
    // Short for those of the past, which are only counted, and whole for those to be shown.
    let replay_key = |round: usize, pair: usize, side: usize, steps: usize| ReplayKey {
        start: Start { seed: 0, phase: Phase::Train, iteration: round as u64, state: pair as u64 },
        first: 0,
        actions: (0..steps * spec.action.dim()).map(|t| ((t + side) as f32).sin()).collect(),
    };
    let people = PEOPLE.map(|name| Annotator::new(name).expect("a name"));
    let per_round = 1000;
    for round in 0..LABELS / per_round {
        let pairs: Vec<_> =
            (0..per_round).map(|p| [replay_key(round, p, 0, 5), replay_key(round, p, 1, 5)]).collect();
        store.post(round as u64 + 1, &pairs).expect("posted");
    }
    // In one transaction: one transaction for each would sync the disk 100,000 times.
    fill(home.path());
    let pairs: Vec<_> = (0..ROUND)
        .map(|p| [replay_key(1 << 20, p, 0, spec.horizon), replay_key(1 << 20, p, 1, spec.horizon)])
        .collect();
    store.post(1 << 20, &pairs).expect("posted");

    let (listener, _) = server::listen(Some("127.0.0.1:0")).expect("a port");
    let access = Access::new(listener.local_addr().expect("an address"), None, None);
    let served = Store::open(home.path()).expect("a database");
    let server = Server::start(listener, access, served, make, String::new()).expect("a server");
    let (mut next, mut answer, mut state) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..ROUND {
        let who = &people[turn % people.len()];
        let name = who.name();
        let (took, body) = post(server.address(), "/api/next", &format!("{{\"annotator\":\"{name}\"}}"));
        next.push(took);
        let pair =
            body.split("\"pair\":").nth(1).and_then(|t| t.split(',').next()).expect("a pair").to_string();
        let word = Choice::Left.word();
        let said =
            format!("{{\"annotator\":\"{name}\",\"pair\":{pair},\"answer\":\"{word}\",\"watched\":true}}");
        answer.push(post(server.address(), "/api/answer", &said).0);
        state.push(ask(server.address(), &format!("GET /api/state?annotator={name}"), "").0);
    }
    for (what, times) in [("next pair", next), ("answer", answer), ("numbers", state)] {
        row(env, spec.horizon, what, times);
    }
}

/// A label for every pair, all settled, in one transaction.
fn fill(dir: &std::path::Path) {
    let connection = rusqlite::Connection::open(dir.join("labels.sqlite")).expect("a database");
    let names = PEOPLE.map(|name| format!("'{name}'")).join(",");
    connection
        .execute_batch(&format!(
            "BEGIN; INSERT INTO labels SELECT a, b, json_extract(json_array({names}), '$[' || (id % {}) || ']'), \
             'left', 'a', 'bench', posted_at, posted_at + id, 1 FROM pairs; \
             UPDATE pairs SET state = 1, preference = 1, settled_at = posted_at; COMMIT",
            PEOPLE.len()
        ))
        .expect("filled");
}

fn post(address: SocketAddr, path: &str, body: &str) -> (Duration, String) {
    ask(address, &format!("POST {path}"), body)
}

fn ask(address: SocketAddr, line: &str, body: &str) -> (Duration, String) {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).expect("the server");
    let length = body.len();
    let head = format!(
        "{line} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).expect("sent");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("a reply");
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    (begun.elapsed(), reply)
}

fn row(env: &str, steps: usize, what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize].as_secs_f64() * 1e3;
    println!("| {env} | {steps} | {what} | {:.1} | {:.1} | {:.1} |", at(0.5), at(0.99), at(1.0));
}
