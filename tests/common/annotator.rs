//! Somebody who labels over HTTP, by the true return.

#![allow(dead_code)]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use serde_json::{Value, json};
use spo::label::Store;
use spo::label::answers::{Left, Shown};
use spo::train::registered;

/// An HTTP client of one request a connection.
#[derive(Clone, Copy)]
pub struct Http(pub SocketAddr);

impl Http {
    /// Sends bytes as they are, `all` of a request or of what is none, and returns status and body.
    pub fn raw(self, bytes: &[u8], all: bool) -> io::Result<(u16, String)> {
        let mut stream = TcpStream::connect_timeout(&self.0, Duration::from_secs(5))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        // A server that has heard enough may close before all is sent.
        let _ = stream.write_all(bytes);
        if !all {
            stream.shutdown(std::net::Shutdown::Write)?;
        }
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply)?;
        let reply = String::from_utf8_lossy(&reply).into_owned();
        let status = reply.split(' ').nth(1).and_then(|s| s.parse().ok());
        let body = reply.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok((status.ok_or_else(|| io::Error::other("no answer"))?, body.into()))
    }

    pub fn request(self, line: &str, headers: &str, body: &[u8]) -> io::Result<(u16, String)> {
        let head = format!(
            "{line} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
            self.0,
            body.len()
        );
        self.raw(&[head.as_bytes(), body].concat(), true)
    }

    pub fn get(self, path: &str) -> io::Result<(u16, String)> {
        self.request(&format!("GET {path}"), "", b"")
    }

    pub fn post(self, path: &str, body: &Value) -> io::Result<(u16, Value)> {
        let (status, text) = self.request(&format!("POST {path}"), "", body.to_string().as_bytes())?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }
}

/// The pair before an annotator, from the database: a, b and who stands on the left.
pub fn shown(run: &Path, pair: i64, name: &str) -> Shown {
    let connection = rusqlite::Connection::open(run.join("labels.sqlite")).unwrap();
    connection.busy_timeout(Duration::from_secs(20)).unwrap();
    let sql = "SELECT p.a, p.b, s.left FROM pairs p JOIN leases s ON s.pair = p.id WHERE p.id = ?1 AND annotator = ?2";
    let row = |r: &rusqlite::Row<'_>| Ok((r.get(0)?, r.get(1)?, r.get::<_, String>(2)?));
    let (a, b, left) = connection.query_row(sql, rusqlite::params![pair, name], row).unwrap();
    Shown { pair, a, b, left: if left == "a" { Left::A } else { Left::B } }
}

/// What the return oracle would say, seen from the annotator's seat.
pub fn right_answer(run: &Path, env: &str, shown: &Shown) -> &'static str {
    let make = registered(env).unwrap();
    let sides = Store::open(run).unwrap().recipes(shown).unwrap();
    // Step for step in double precision, as a trajectory sums its rewards.
    let [left, right] = sides.map(|s| s.film(&make).unwrap().stills.last().unwrap().task_return);
    if left > right {
        "left"
    } else if left < right {
        "right"
    } else {
        "tie"
    }
}

/// Answers one pair if there is one, though the server be away for up to a minute; returns the pair and the answer that was acknowledged.
pub fn answer_one(http: Http, run: &Path, env: &str, name: &str) -> Option<(i64, &'static str)> {
    let (status, task) = http.post("/api/next", &json!({ "annotator": name })).ok()?;
    let pair = task["pair"].as_i64().filter(|_| status == 200)?;
    let answer = right_answer(run, env, &shown(run, pair, name));
    let body = json!({ "annotator": name, "pair": pair, "answer": answer, "watched": true });
    // No answer may mean that the server died before or after it kept the label.
    wait_for(|| match http.post("/api/answer", &body) {
        Ok((200, _)) => true,
        Ok((status, why)) => panic!("{status}: {why}"),
        Err(_) => false,
    });
    Some((pair, answer))
}

/// A child that does not outlive its test.
pub struct Process(pub Child);

impl Process {
    pub fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Waits until something holds, a minute at most.
#[track_caller]
pub fn wait_for(mut what: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !what() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Where a child whose stderr is piped serves its page; the rest of its words go to a thread that drops them.
pub fn address_of(child: &mut Process) -> (SocketAddr, String) {
    let mut lines = BufReader::new(child.0.stderr.take().unwrap()).lines();
    let mut heard = String::new();
    let url = loop {
        let line = lines.next().unwrap_or_else(|| panic!("it ended, saying {heard}")).unwrap();
        let served = ["label at http://", "watch at http://"];
        if let Some(url) = served.iter().find_map(|words| line.strip_prefix(words)) {
            break url.to_string();
        }
        heard += &line;
    };
    std::thread::spawn(move || lines.for_each(drop));
    let host = url.split('/').next().unwrap();
    (host.parse().unwrap(), url)
}

/// Holds a server that listens beyond loopback to its token: the page itself needs none, the rest of it at `path` does, in
/// a header and nowhere else.
#[track_caller]
pub fn demands_token(server: &mut Process, path: &str) {
    let (mut address, url) = address_of(server);
    address.set_ip([127, 0, 0, 1].into());
    let token = url.split("#token=").nth(1).unwrap();
    assert_eq!(token.len(), 32);
    let http = Http(address);
    assert_eq!(http.get("/").unwrap().0, 200);
    for (header, status) in [
        (String::new(), 401),
        (format!("authorization: Bearer {}\r\n", "0".repeat(32)), 401),
        (format!("authorization: Bearer {token}\r\n"), 200),
    ] {
        assert_eq!(http.request(&format!("GET {path}"), &header, b"").unwrap().0, status, "{header}");
    }
    assert_eq!(http.get(&format!("{path}?token={token}")).unwrap().0, 401);
}
