//! The API of the label page, in JSON.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;

use axum::{Json, Router, routing};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::evaluate::play::PlayError;
use crate::web::error::{ApiError, blocking};
use crate::web::picture::Picture;
use spo::oracle::human::answers::{Annotator, Choice, Refusal};
use spo::oracle::human::store::{LabelError, Store};
use spo::rollout::EnvFactory;

/// The state that all requests share.
pub struct AppState {
    store: Mutex<Store>,
    make: EnvFactory,
    /// A description of the environment in one line.
    about: String,
}

impl AppState {
    /// The state for the database `store`. `make` makes the task to draw; `about` describes it in one line.
    pub fn new(store: Store, make: EnvFactory, about: String) -> Self {
        Self { store: Mutex::new(store), make, about }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        // A panic during a transaction rolled it back, so the store is valid.
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
struct AnnotatorBody {
    annotator: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerBody {
    annotator: String,
    pair: i64,
    answer: Choice,
    /// Whether the person watched both replays to the end.
    watched: bool,
}

#[derive(Serialize)]
struct Task {
    pair: i64,
    picture: Picture,
}

impl From<LabelError> for ApiError {
    fn from(error: LabelError) -> Self {
        match error {
            LabelError::Refused(refusal) => refusal.into(),
            error => Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

impl From<PlayError> for ApiError {
    fn from(error: PlayError) -> Self {
        LabelError::Picture(error.to_string()).into()
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal {
            Refusal::Name => StatusCode::BAD_REQUEST,
            Refusal::NotShown => StatusCode::FORBIDDEN,
            Refusal::Answered | Refusal::Nothing | Refusal::Used => StatusCode::CONFLICT,
        };
        Self::new(status, refusal.to_string())
    }
}

type Reply<T> = Result<Json<T>, ApiError>;

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body)
        .map_err(|e| ApiError::bad_request(format!("cannot read the request's body: {e}")))
}

#[derive(Deserialize)]
struct StateQuery {
    #[serde(default)]
    annotator: String,
}

async fn state(State(app): State<Arc<AppState>>, query: Query<StateQuery>) -> Reply<serde_json::Value> {
    blocking(app, move |app| {
        let who = Some(query.annotator.as_str()).filter(|n| !n.is_empty()).map(Annotator::new).transpose()?;
        let store = app.store();
        let (about, progress) = (store.about()?, store.progress(who.as_ref())?);
        Ok(json!({
            "run": about.run, "env": about.env, "about": app.about, "question": about.question,
            "votes": about.votes, "progress": progress,
        }))
    })
    .await
    .map(Json)
}

async fn next(State(app): State<Arc<AppState>>, body: Bytes) -> Reply<Option<Task>> {
    blocking(app, move |app| {
        let who = Annotator::new(&read::<AnnotatorBody>(&body)?.annotator)?;
        // Drawing is slow, so release the database first.
        let found = {
            let mut store = app.store();
            let shown = store.next(&who)?;
            shown.map(|shown| Ok::<_, LabelError>((shown.pair, store.replay_keys(&shown)?))).transpose()?
        };
        let Some((pair, replay_keys)) = found else { return Ok(None) };
        Ok(Some(Task { pair, picture: Picture::new(&replay_keys, &app.make)? }))
    })
    .await
    .map(Json)
}

async fn answer(State(app): State<Arc<AppState>>, body: Bytes) -> Reply<serde_json::Value> {
    blocking(app, move |app| {
        let AnswerBody { annotator, pair, answer, watched } = read(&body)?;
        if !watched {
            return Err(ApiError::bad_request("watch both replays to the end before you answer"));
        }
        app.store().answer(&Annotator::new(&annotator)?, pair, answer)?;
        Ok(json!({ "kept": true }))
    })
    .await
    .map(Json)
}

async fn undo(State(app): State<Arc<AppState>>, body: Bytes) -> Reply<serde_json::Value> {
    blocking(app, move |app| {
        let shown = app.store().undo(&Annotator::new(&read::<AnnotatorBody>(&body)?.annotator)?)?;
        Ok(json!({ "pair": shown.pair }))
    })
    .await
    .map(Json)
}
