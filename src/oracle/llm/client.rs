//! Requests over HTTP: first the cache, then the server, with retries.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::http::StatusCode;

use super::api::{self, Said};
use super::cache::Cache;
use super::key::Key;
use super::options::{Keep, Options};
use super::pace::{Pace, backoff, retry_after, sleep_until};
use crate::oracle::OracleEvents;

/// Most bytes of a reply; one of 400 tokens with 20 alternatives each has about 100,000.
const LARGEST_REPLY: u64 = 4 << 20;
/// A server that asks for a longer pause has used up a quota: this is an error, so that nobody waits for hours.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Most characters of a server's text in a message.
const SHOWN: usize = 300;

/// A connection to a model.
pub struct Client {
    agent: ureq::Agent,
    /// Address of the interface, with its path.
    address: String,
    key: Option<Key>,
    options: Options,
    cache: Option<Mutex<Cache>>,
    pace: Pace,
    events: OracleEvents,
    /// Once set, nothing more is sent, since no request can succeed.
    stop: AtomicBool,
}

/// Why a request has no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// This request has no reply; others may have one.
    Unanswered(String),
    /// No request can succeed.
    Fatal(String),
}

/// The result of one try.
enum Tried {
    Said(Said),
    /// A retry may succeed, after the pause that the server asks for.
    Again(String, Option<Duration>),
    Failed(Failure),
}

impl Client {
    /// A client with these options. Nothing is sent yet.
    ///
    /// # Errors
    /// A missing key, or a cache that cannot be opened.
    pub fn new(options: &Options, events: OracleEvents) -> Result<Self, String> {
        let cache = match &options.cache {
            Keep::Off => None,
            Keep::File(path) => Some(Mutex::new(Cache::open(path)?)),
            Keep::Shared => Some(Mutex::new(Cache::open(&Cache::shared()?)?)),
        };
        let mut config = ureq::Agent::config_builder()
            .timeout_global(Some(options.timeout))
            .timeout_connect(Some(options.timeout.min(Duration::from_secs(20))))
            .http_status_as_error(false)
            // A redirect is an error that names the new address: the key must not be sent there unseen.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(options.concurrency)
            .max_idle_connections_per_host(options.concurrency)
            .user_agent(concat!("spo/", env!("CARGO_PKG_VERSION")));
        if options.is_local() {
            // A proxy would take the address for its own machine.
            config = config.proxy(None);
        }
        Ok(Self {
            agent: config.build().into(),
            address: format!("{}{}", options.base_url, api::path(options.api)),
            key: Key::read(options)?,
            options: options.clone(),
            cache,
            pace: Pace::new(options.interval),
            events,
            stop: AtomicBool::new(false),
        })
    }

    /// The reply to a request's body, from the cache or from the server.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn say(&self, body: &str) -> Result<Said, Failure> {
        if let Some(known) = self.kept(|cache| cache.get(&self.address, body))?.flatten() {
            self.events.count("cached", 1);
            return Ok(known);
        }
        let mut failures = 0;
        loop {
            if !self.pace.turn(&self.stop) {
                return Err(Failure::Unanswered("was not asked, since an earlier request failed".into()));
            }
            let (why, pause) = match self.attempt(body) {
                Tried::Said(said) => {
                    return Ok(self.kept(|c| c.put(&self.address, body, said.clone()))?.unwrap_or(said));
                }
                Tried::Failed(failure) => {
                    if matches!(failure, Failure::Fatal(_)) {
                        self.stop.store(true, Ordering::Relaxed);
                    }
                    return Err(failure);
                }
                Tried::Again(why, pause) => (why, pause),
            };
            if let Some(pause) = pause {
                if pause > LONGEST_PAUSE {
                    self.stop.store(true, Ordering::Relaxed);
                    return Err(Failure::Fatal(format!(
                        "{why}, and asks to wait {} s; continue later with --resume, all replies so far are kept",
                        pause.as_secs()
                    )));
                }
                self.pace.hold(pause);
            }
            failures += 1;
            if failures > self.options.retries {
                return Err(Failure::Unanswered(format!("{why} ({failures} times in a row)")));
            }
            self.events.add("retries", &why);
            let wait = pause.unwrap_or_default() + backoff(failures);
            if !sleep_until(Instant::now() + wait, &self.stop) {
                return Err(Failure::Unanswered(why));
            }
        }
    }

    /// Uses the cache, if there is one. A failure is fatal, since replies that are paid for would be lost.
    fn kept<T>(&self, work: impl FnOnce(&Cache) -> Result<T, String>) -> Result<Option<T>, Failure> {
        let Some(cache) = &self.cache else { return Ok(None) };
        let cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
        work(&cache).map(Some).map_err(|why| {
            self.stop.store(true, Ordering::Relaxed);
            Failure::Fatal(why)
        })
    }

    /// Sends one request.
    fn attempt(&self, body: &str) -> Tried {
        let mut request = self.agent.post(&self.address).content_type("application/json");
        if let Some(key) = &self.key {
            request = request.header("authorization", key.header());
        }
        self.events.count("requests", 1);
        let mut response = match request.send(body) {
            Ok(response) => response,
            Err(e) => return Tried::Again(self.unreachable(&e), None),
        };
        let status = response.status();
        let header =
            |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(String::from);
        let (pause, moved) = (header("retry-after").and_then(|v| retry_after(&v)), header("location"));
        let body = match response.body_mut().with_config().limit(LARGEST_REPLY).read_to_vec() {
            Ok(body) => body,
            Err(ureq::Error::BodyExceedsLimit(_)) => {
                return Tried::Again(format!("gave a reply of more than {} MiB", LARGEST_REPLY >> 20), None);
            }
            Err(e) => return Tried::Again(self.unreachable(&e), pause),
        };
        if status == StatusCode::OK {
            return match api::read(self.options.api, &body) {
                Ok(mut said) => {
                    said.text = self.hidden(&said.text);
                    said.tokens.iter_mut().for_each(|t| t.text = self.hidden(&t.text));
                    self.count(&said);
                    Tried::Said(said)
                }
                Err(why) => {
                    // The reason may contain parts of the reply.
                    let (why, shown) = (self.hidden(&why), self.shown(&body));
                    Tried::Again(format!("gave a reply that cannot be used: {why}: `{shown}`"), None)
                }
            };
        }
        let said = match self.shown(&body) {
            nothing if nothing.is_empty() => format!("answers {status}"),
            words => format!("answers {status}: `{words}`"),
        };
        match status.as_u16() {
            408 | 409 | 425 | 429 | 500..=599 => Tried::Again(said, pause),
            // Only this request failed: it is too long, or a filter refused it.
            400 | 413 | 422 => Tried::Failed(Failure::Unanswered(said)),
            code => Tried::Failed(Failure::Fatal(format!("{said}; {}", self.remedy(code, moved)))),
        }
    }

    /// What to do about a status that a retry cannot change.
    fn remedy(&self, code: u16, moved: Option<String>) -> String {
        let variable = self.options.key_env.as_deref();
        match (code, variable, &self.key) {
            (401 | 403, Some(name), Some(_)) => {
                format!(
                    "it does not accept the key in the variable {name}: export a valid one, or name its variable with key_env=NAME"
                )
            }
            (401 | 403, Some(name), None) => {
                format!(
                    "no key was sent, since the variable {name} is not set: export the key in it, or name its variable with key_env=NAME"
                )
            }
            (401 | 403, None, _) => "no key was sent: name its variable with key_env=NAME".into(),
            (402, ..) => "the account has no credit left: add some, then continue with --resume".into(),
            (404 | 405, ..) => format!(
                "does it have a model `{}`, and is the address right? base_url usually ends in /v1",
                self.options.model
            ),
            (300..=399, ..) => {
                format!(
                    "it has moved to {}: use that as base_url",
                    moved.as_deref().unwrap_or("an address that it does not name")
                )
            }
            _ => "check base_url, model and template".into(),
        }
    }

    /// Why there is no reply, or only a part of one.
    fn unreachable(&self, error: &ureq::Error) -> String {
        match error {
            ureq::Error::Timeout(_) => {
                format!(
                    "did not answer within {} s (timeout=… sets the limit)",
                    self.options.timeout.as_secs_f64()
                )
            }
            other => format!("cannot be reached: {other}"),
        }
    }

    /// Tokens, and what they cost.
    fn count(&self, said: &Said) {
        let [read, written] = [said.prompt_tokens, said.completion_tokens];
        self.events.count("prompt tokens", read);
        self.events.count("completion tokens", written);
        // Dollars a million tokens are millionths of a dollar a token.
        let cost = read as f64 * self.options.prices[0] + written as f64 * self.options.prices[1];
        self.events.count("microdollars", cost.round() as u64);
    }

    /// A server's words, without the key.
    fn hidden(&self, text: &str) -> String {
        self.key.as_ref().map_or_else(|| text.into(), |key| key.hide(text))
    }

    /// The beginning of a server's words, on one line.
    fn shown(&self, body: &[u8]) -> String {
        let text = self.hidden(&String::from_utf8_lossy(body));
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut shown: String = line.chars().take(SHOWN).flat_map(char::escape_debug).collect();
        if line.chars().nth(SHOWN).is_some() {
            shown.push('…');
        }
        shown.replace("\\\"", "\"")
    }
}
