//! What the page asks the server, as JSON.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::evaluate::play::PlayError;
use crate::web::picture::Picture;
use spo::oracle::human::answers::{Annotator, Choice, Refusal};
use spo::oracle::human::store::{LabelError, Store};
use spo::rollout::EnvFactory;

/// What all requests share.
pub struct AppState {
    store: Mutex<Store>,
    make: EnvFactory,
    /// The environment in a line.
    about: String,
}

impl AppState {
    /// Over a database; `make` makes the task to draw, which `about` describes.
    pub fn new(store: Store, make: EnvFactory, about: String) -> Self {
        Self { store: Mutex::new(store), make, about }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        // A panic within a transaction has rolled it back.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The routes under `/api`.
pub fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/api/state", routing::get(state))
        .route("/api/next", routing::post(next))
        .route("/api/answer", routing::post(answer))
        .route("/api/undo", routing::post(undo))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Who {
    annotator: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answered {
    annotator: String,
    pair: i64,
    answer: Choice,
    /// Both replays were seen to their end.
    watched: bool,
}

#[derive(Serialize)]
struct Task {
    pair: i64,
    picture: Picture,
}

/// Why a request gets no answer.
enum Problem {
    /// The request's own fault.
    Request(String),
    Label(LabelError),
    /// A handler that panicked.
    Lost,
}

impl From<LabelError> for Problem {
    fn from(error: LabelError) -> Self {
        Self::Label(error)
    }
}

impl From<PlayError> for Problem {
    fn from(error: PlayError) -> Self {
        Self::Label(LabelError::Picture(error.to_string()))
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Label(refusal.into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, why) = match self {
            Self::Request(why) => (StatusCode::BAD_REQUEST, why),
            Self::Label(LabelError::Refused(refusal)) => {
                let status = match refusal {
                    Refusal::Name => StatusCode::BAD_REQUEST,
                    Refusal::NotShown => StatusCode::FORBIDDEN,
                    Refusal::Answered | Refusal::Nothing | Refusal::Used => StatusCode::CONFLICT,
                };
                (status, refusal.to_string())
            }
            Self::Label(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
            Self::Lost => (StatusCode::INTERNAL_SERVER_ERROR, "the server met an error of its own".into()),
        };
        (status, Json(json!({ "error": why }))).into_response()
    }
}

type Reply<T> = Result<Json<T>, Problem>;

/// SQLite and simulators block: they work on threads of their own.
async fn work<T: Send + 'static>(
    desk: Arc<AppState>,
    work: impl FnOnce(&AppState) -> Result<T, Problem> + Send + 'static,
) -> Reply<T> {
    tokio::task::spawn_blocking(move || work(&desk)).await.unwrap_or(Err(Problem::Lost)).map(Json)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body)
        .map_err(|e| Problem::Request(format!("the body is not what is expected: {e}")))
}

#[derive(Deserialize)]
struct Looker {
    #[serde(default)]
    annotator: String,
}

async fn state(State(desk): State<Arc<AppState>>, query: Query<Looker>) -> Reply<serde_json::Value> {
    work(desk, move |desk| {
        let who = Some(query.annotator.as_str()).filter(|n| !n.is_empty()).map(Annotator::new).transpose()?;
        let store = desk.store();
        let (about, progress) = (store.about()?, store.progress(who.as_ref())?);
        Ok(json!({
            "run": about.run, "env": about.env, "about": desk.about, "question": about.question,
            "votes": about.votes, "progress": progress,
        }))
    })
    .await
}

async fn next(State(desk): State<Arc<AppState>>, body: Bytes) -> Reply<Option<Task>> {
    work(desk, move |desk| {
        let who = Annotator::new(&read::<Who>(&body)?.annotator)?;
        // Drawing is slow: the database is free meanwhile.
        let found = {
            let mut store = desk.store();
            let shown = store.next(&who)?;
            shown.map(|shown| Ok::<_, LabelError>((shown.pair, store.replay_keys(&shown)?))).transpose()?
        };
        let Some((pair, replay_keys)) = found else { return Ok(None) };
        Ok(Some(Task { pair, picture: Picture::new(&replay_keys, &desk.make)? }))
    })
    .await
}

async fn answer(State(desk): State<Arc<AppState>>, body: Bytes) -> Reply<serde_json::Value> {
    work(desk, move |desk| {
        let Answered { annotator, pair, answer, watched } = read(&body)?;
        if !watched {
            return Err(Problem::Request("watch both to their end before you answer".into()));
        }
        desk.store().answer(&Annotator::new(&annotator)?, pair, answer)?;
        Ok(json!({ "kept": true }))
    })
    .await
}

async fn undo(State(desk): State<Arc<AppState>>, body: Bytes) -> Reply<serde_json::Value> {
    work(desk, move |desk| {
        let shown = desk.store().undo(&Annotator::new(&read::<Who>(&body)?.annotator)?)?;
        Ok(json!({ "pair": shown.pair }))
    })
    .await
}
