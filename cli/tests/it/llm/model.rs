//! A language model's server on loopback that behaves as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// From 0, over all connections.
    pub number: usize,
    pub path: String,
    /// As it came: `Bearer …`.
    pub authorization: Option<String>,
    pub body: Value,
    pub at: Instant,
}

impl Asked {
    /// All that the model is told, one message after the other.
    pub fn prompt(&self) -> String {
        match self.body["messages"].as_array() {
            Some(all) => all.iter().map(|m| m["content"].as_str().unwrap()).collect::<Vec<_>>().join("\n"),
            None => self.body["prompt"].as_str().unwrap().into(),
        }
    }

    /// The numbers behind the point robot's final distances, in the order of the prompt.
    pub fn distances(&self) -> Vec<f64> {
        let prompt = self.prompt();
        let lines = prompt.lines().filter_map(|l| l.strip_prefix("- distance from the origin at the end: "));
        lines.map(|l| l.split(' ').next().unwrap().parse().unwrap()).collect()
    }
}

/// What comes back.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// Between two bytes.
    pub slow: Duration,
    /// The connection ends after so many bytes of the body.
    pub cut: Option<usize>,
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Self {
        Self::text(status, &body.to_string())
    }

    pub fn text(status: u16, body: &str) -> Self {
        Self { status, headers: vec![], body: body.into(), slow: Duration::ZERO, cut: None }
    }

    /// A chat's answer: the token that was chosen, and tokens with their probabilities.
    pub fn chat(said: &str, top: &[(&str, f64)]) -> Self {
        let all: Vec<Value> = top.iter().map(|(t, p)| json!({ "token": t, "logprob": p.ln() })).collect();
        let own = top.iter().find(|(t, _)| *t == said).map_or(0.0, |(_, p)| p.ln());
        let logprobs = json!({ "content": [{ "token": said, "logprob": own, "top_logprobs": all }] });
        Self::json(
            200,
            &json!({
                "choices": [{ "message": { "role": "assistant", "content": said }, "logprobs": logprobs }],
                "usage": { "prompt_tokens": 100, "completion_tokens": 1 },
            }),
        )
    }

    /// The first of two with this probability.
    pub fn first(p: f64) -> Self {
        Self::chat(if p >= 0.5 { "1" } else { "2" }, &[("1", p), ("2", 1.0 - p)])
    }

    /// A chat's words, without log-probabilities.
    pub fn words(said: &str) -> Self {
        Self::json(200, &json!({ "choices": [{ "message": { "role": "assistant", "content": said } }] }))
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// The server; it ends when it is dropped.
pub struct Model {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
}

impl Model {
    pub fn start(reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (known, ended, reply) = (asked.clone(), stop.clone(), Arc::new(reply));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let (known, ended, reply) = (known.clone(), ended.clone(), reply.clone());
                std::thread::spawn(move || {
                    // A client that leaves is no error of the test.
                    let _ = stream.and_then(|stream| serve(stream, &known, &ended, &*reply));
                });
            }
        });
        Self { address, asked, stop }
    }

    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Every request so far, in the order in which they came.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How many since the last call.
    pub fn take(&self) -> usize {
        std::mem::take(&mut *self.asked.lock().unwrap()).len()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

/// Answers one request, and closes.
fn serve(
    stream: TcpStream,
    known: &Mutex<Vec<Asked>>,
    ended: &AtomicBool,
    reply: &dyn Fn(&Asked) -> Reply,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.set_write_timeout(Some(Duration::from_secs(20)))?;
    let (mut reader, mut to) = (BufReader::new(stream.try_clone()?), stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_string();
    let (mut length, mut authorization) = (0, None);
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().map_err(std::io::Error::other)?,
            "authorization" => authorization = Some(value.to_string()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    // What a killed client leaves behind is no request.
    let body = serde_json::from_slice(&body)?;
    let asked = {
        let mut known = known.lock().unwrap();
        let number = known.len();
        known.push(Asked { number, path, authorization, body, at: Instant::now() });
        known.last().unwrap().clone()
    };
    let reply = reply(&asked);
    let mut head = format!("HTTP/1.1 {} Said\r\nconnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("content-length: {}\r\n\r\n", reply.body.len());
    let sent = &reply.body[..reply.cut.unwrap_or(reply.body.len())];
    to.write_all(head.as_bytes())?;
    if reply.slow.is_zero() {
        return to.write_all(sent);
    }
    for byte in sent {
        if ended.load(Ordering::Relaxed) {
            break;
        }
        to.write_all(&[*byte])?;
        std::thread::sleep(reply.slow);
    }
    Ok(())
}
