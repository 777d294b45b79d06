//! The API of the watch page, in JSON.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing};
use serde::{Deserialize, Serialize};

use super::replay::{self, Replay};
use super::rows::{self, Columns, Cursor};
use super::status::{RunState, Status};
use crate::evaluate::plot;
use crate::web::error::{ApiError, blocking};
use spo::train::config::Config;
use spo::train::run::files;

/// Largest number of points of a curve in one answer; it is more than the pixels across a screen.
const POINTS: usize = 4000;
/// Largest number of points of all runs' curves in one answer.
const ALL_POINTS: usize = 40_000;

/// The runs on the page.
pub struct WatchedRuns {
    runs: Vec<WatchedRun>,
}

struct WatchedRun {
    dir: PathBuf,
    name: String,
    /// The latest requested replay and its version. Simulating it again for every page would take seconds.
    replay: Mutex<Option<(String, Arc<str>)>>,
}

impl WatchedRuns {
    pub fn new(dirs: Vec<PathBuf>) -> Self {
        let name =
            |dir: &Path| dir.canonicalize().unwrap_or_else(|_| dir.into()).file_name().map(ToOwned::to_owned);
        let names: Vec<_> = dirs.iter().map(|dir| name(dir)).collect();
        let runs = dirs.into_iter().zip(&names).map(|(dir, own)| {
            let alone = names.iter().filter(|n| *n == own).count() == 1;
            let own = own.as_ref().filter(|_| alone);
            let name = own.map_or_else(|| dir.display().to_string(), |n| n.to_string_lossy().into_owned());
            WatchedRun { dir, name, replay: Mutex::default() }
        });
        Self { runs: runs.collect() }
    }
}

/// The routes under `/api`.
pub fn routes(watched: Arc<WatchedRuns>) -> Router {
    Router::new()
        .route("/api/updates", routing::get(updates))
        .route("/api/replay", routing::get(replay))
        .with_state(watched)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpdatesQuery {
    /// The cursor of each run, in order, separated by `~`; empty for a run whose rows the page has not read yet.
    #[serde(default)]
    after: String,
}

/// New data of a run, and its state.
#[derive(Serialize)]
struct Update {
    name: String,
    /// The environment, and the keys in which the runs differ.
    label: String,
    state: RunState,
    note: String,
    /// Seconds since the newest row.
    silent: Option<u64>,
    env: Option<String>,
    scorer: Option<String>,
    opponents: Option<String>,
    total_steps: Option<u64>,
    result: Option<Outcome>,
    cursor: String,
    /// Whether the file was replaced: the page must drop the rows that it has.
    reset: bool,
    more: bool,
    rows: Columns,
    /// The version of the latest replay.
    replay: Option<String>,
}

/// The evaluation of the trained result.
#[derive(Serialize)]
struct Outcome {
    mean: f64,
    ci95: f64,
    episodes: usize,
}

async fn updates(
    State(watched): State<Arc<WatchedRuns>>,
    query: Query<UpdatesQuery>,
) -> Result<Json<Vec<Update>>, ApiError> {
    blocking(watched, move |watched| {
        let mut cursors = vec![Cursor::default(); watched.runs.len()];
        let given: Vec<&str> = query.after.split('~').collect();
        if given.len() > cursors.len().max(1) {
            return Err(ApiError::bad_request("`after` has more cursors than there are runs"));
        }
        for (cursor, text) in cursors.iter_mut().zip(given).filter(|(_, text)| !text.is_empty()) {
            let parsed = text.parse();
            *cursor = parsed.map_err(|()| ApiError::bad_request(format!("`{text}` is not a cursor")))?;
        }
        let most = (ALL_POINTS / watched.runs.len().max(1)).clamp(500, POINTS);
        let (updates, configs): (Vec<_>, Vec<_>) =
            watched.runs.iter().zip(cursors).map(|(run, cursor)| run.update(cursor, most)).unzip();
        let all: Vec<Config> = configs.iter().flatten().cloned().collect();
        let label = |(mut update, config): (Update, Option<Config>)| {
            update.label = config.map_or_else(String::new, |config| plot::label(&config, &all, 1));
            update
        };
        Ok(Json(updates.into_iter().zip(configs).map(label).collect()))
    })
    .await
}

impl WatchedRun {
    fn update(&self, cursor: Cursor, most: usize) -> (Update, Option<Config>) {
        let read = rows::after(&self.dir.join(files::METRICS), cursor, most);
        let unread =
            |why: io::Error| rows::NewRows { cursor, damage: Some(why.to_string()), ..Default::default() };
        let new = read.unwrap_or_else(unread);
        let Status { state, note, config, summary, silent } =
            Status::read(&self.dir, new.begun, new.damage.as_deref());
        let of_config = |get: fn(&Config) -> String| config.as_ref().map(get);
        let update = Update {
            name: self.name.clone(),
            label: String::new(),
            state,
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
            reset: new.reset,
            more: new.more,
            rows: new.columns,
            replay: replay::version(&self.dir),
        };
        (update, config)
    }

    /// The latest replay as JSON.
    fn replay(&self) -> Result<Arc<str>, ApiError> {
        let Some(version) = replay::version(&self.dir) else {
            return Err(ApiError::not_found("the run has not saved any trajectories yet"));
        };
        // Requests during the simulation wait for this lock and then use its result.
        let mut cached = self.replay.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, json)) = cached.as_ref().filter(|(of, _)| *of == version) {
            return Ok(json.clone());
        }
        let replay = Replay::read(&self.dir).map_err(|why| ApiError::not_found(why.to_string()))?;
        let json: Arc<str> = serde_json::to_string(&replay).expect("plain numbers").into();
        *cached = Some((version, json.clone()));
        Ok(json)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplayQuery {
    /// The run's index, counted from 0.
    run: usize,
}

async fn replay(
    State(watched): State<Arc<WatchedRuns>>,
    query: Query<ReplayQuery>,
) -> Result<Response, ApiError> {
    let json = blocking(watched, move |watched| {
        let run = watched.runs.get(query.run);
        run.ok_or_else(|| ApiError::bad_request(format!("there is no run {}", query.run)))?.replay()
    })
    .await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], json.to_string()).into_response())
}
