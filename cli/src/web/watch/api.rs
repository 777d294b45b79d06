//! What the page asks the server, as JSON.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::replay;
use super::rows::{self, Columns, Cursor};
use super::status::{self, Is, Status};
use crate::evaluate::plot;
use spo::train::config::Config;
use spo::train::run::files;

/// Points of a curve in one answer: more than a screen has columns of.
const POINTS: usize = 4000;
/// Points of all curves in one answer.
const ALL_POINTS: usize = 40_000;

/// The runs that are watched.
pub struct Watched {
    runs: Vec<Watch>,
}

struct Watch {
    dir: PathBuf,
    name: String,
    /// The newest replay that was asked for, by its stamp: simulating it again for each page would take seconds.
    replay: Mutex<Option<(String, Arc<str>)>>,
}

impl Watched {
    pub fn new(dirs: Vec<PathBuf>) -> Self {
        let name =
            |dir: &Path| dir.canonicalize().unwrap_or_else(|_| dir.into()).file_name().map(ToOwned::to_owned);
        let names: Vec<_> = dirs.iter().map(|dir| name(dir)).collect();
        let runs = dirs.into_iter().zip(&names).map(|(dir, own)| {
            let alone = names.iter().filter(|n| *n == own).count() == 1;
            let own = own.as_ref().filter(|_| alone);
            let name = own.map_or_else(|| dir.display().to_string(), |n| n.to_string_lossy().into_owned());
            Watch { dir, name, replay: Mutex::default() }
        });
        Self { runs: runs.collect() }
    }
}

/// What is answered under `/api`.
pub fn routes(watched: Arc<Watched>) -> Router {
    Router::new()
        .route("/api/news", routing::get(news))
        .route("/api/replay", routing::get(replay))
        .with_state(watched)
}

/// Why a request gets no answer.
enum Problem {
    /// The request's own fault.
    Request(String),
    /// What was asked for is not to be had.
    Missing(String),
    /// A handler that panicked.
    Lost,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, why) = match self {
            Self::Request(why) => (StatusCode::BAD_REQUEST, why),
            Self::Missing(why) => (StatusCode::NOT_FOUND, why),
            Self::Lost => (StatusCode::INTERNAL_SERVER_ERROR, "the server met an error of its own".into()),
        };
        (status, Json(json!({ "error": why }))).into_response()
    }
}

/// Files and simulators block: they work on threads of their own.
async fn work<T: Send + 'static>(
    watched: Arc<Watched>,
    work: impl FnOnce(&Watched) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(move || work(&watched)).await.unwrap_or(Err(Problem::Lost))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    /// How far the page has each run, in order, `~` between; nothing of one that it has nothing of.
    #[serde(default)]
    after: String,
}

/// What is new of a run, and how it is.
#[derive(Serialize)]
struct News {
    name: String,
    /// The environment, and the keys in which the runs differ.
    label: String,
    is: Is,
    note: String,
    silent: Option<u64>,
    env: Option<String>,
    scorer: Option<String>,
    opponents: Option<String>,
    total_steps: Option<u64>,
    result: Option<Outcome>,
    cursor: String,
    anew: bool,
    more: bool,
    rows: Columns,
    /// Changes with the newest trajectories.
    replay: Option<String>,
}

/// What the trained result does.
#[derive(Serialize)]
struct Outcome {
    mean: f64,
    ci95: f64,
    episodes: usize,
}

async fn news(State(watched): State<Arc<Watched>>, query: Query<After>) -> Result<Json<Vec<News>>, Problem> {
    work(watched, move |watched| {
        let mut cursors = vec![Cursor::default(); watched.runs.len()];
        let given: Vec<&str> = query.after.split('~').collect();
        if given.len() > cursors.len().max(1) {
            return Err(Problem::Request("`after` has more places than there are runs".into()));
        }
        for (cursor, text) in cursors.iter_mut().zip(given).filter(|(_, text)| !text.is_empty()) {
            let parsed = text.parse();
            *cursor = parsed.map_err(|()| Problem::Request(format!("`{text}` is no place in a file")))?;
        }
        let most = (ALL_POINTS / watched.runs.len().max(1)).clamp(500, POINTS);
        let (news, configs): (Vec<_>, Vec<_>) =
            watched.runs.iter().zip(cursors).map(|(run, cursor)| run.news(cursor, most)).unzip();
        let all: Vec<Config> = configs.iter().flatten().cloned().collect();
        let label = |(mut news, config): (News, Option<Config>)| {
            news.label = config.map_or_else(String::new, |config| plot::label(&config, &all, 1));
            news
        };
        Ok(Json(news.into_iter().zip(configs).map(label).collect()))
    })
    .await
}

impl Watch {
    fn news(&self, cursor: Cursor, most: usize) -> (News, Option<Config>) {
        let read = rows::after(&self.dir.join(files::METRICS), cursor, most);
        let unread =
            |why: io::Error| rows::News { cursor, damage: Some(why.to_string()), ..Default::default() };
        let new = read.unwrap_or_else(unread);
        let Status { is, note, config, summary, silent } =
            status::of(&self.dir, new.begun, new.damage.as_deref());
        let of_config = |get: fn(&Config) -> String| config.as_ref().map(get);
        let news = News {
            name: self.name.clone(),
            label: String::new(),
            is,
            note,
            silent,
            env: of_config(|c| c.env.clone()),
            scorer: of_config(|c| c.scorer.to_string()),
            opponents: of_config(|c| c.self_play.opponents.to_string()),
            total_steps: config.as_ref().map(|c| c.total_steps),
            result: summary.map(|s| Outcome {
                mean: s.eval_return_mean,
                ci95: s.eval_return_ci95,
                episodes: s.eval_episodes,
            }),
            cursor: new.cursor.to_string(),
            anew: new.anew,
            more: new.more,
            rows: new.columns,
            replay: replay::stamp(&self.dir),
        };
        (news, config)
    }

    /// The newest replay as JSON.
    fn replay(&self) -> Result<Arc<str>, Problem> {
        let Some(stamp) = replay::stamp(&self.dir) else {
            return Err(Problem::Missing("no trajectories are left to replay yet".into()));
        };
        // Whoever comes meanwhile waits for this one, and simulates nothing.
        let mut kept = self.replay.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, json)) = kept.as_ref().filter(|(of, _)| *of == stamp) {
            return Ok(json.clone());
        }
        let made = replay::of(&self.dir).map_err(|why| Problem::Missing(why.to_string()))?;
        let json: Arc<str> = serde_json::to_string(&made).expect("plain numbers").into();
        *kept = Some((stamp, json.clone()));
        Ok(json)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Its place, from 0.
    run: usize,
}

async fn replay(State(watched): State<Arc<Watched>>, query: Query<Which>) -> Result<Response, Problem> {
    let json = work(watched, move |watched| {
        let run = watched.runs.get(query.run);
        run.ok_or_else(|| Problem::Request(format!("there is no run {}", query.run)))?.replay()
    })
    .await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], json.to_string()).into_response())
}
