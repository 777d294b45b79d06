//! The error type of both pages' APIs.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An error that a page receives as JSON, `{"error": message}`.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    message: String,
}

impl ApiError {
    /// An error with any status.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// The request is wrong.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// The requested data does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.message }))).into_response()
    }
}

/// Runs `work` on another thread, because databases, files and simulators would block the server's thread.
///
/// # Errors
/// The error of `work`, or an internal server error if it panicked.
pub async fn blocking<S: Send + Sync + 'static, T: Send + 'static>(
    state: Arc<S>,
    work: impl FnOnce(&S) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let crashed = || ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the server had an internal error");
    tokio::task::spawn_blocking(move || work(&state)).await.unwrap_or_else(|_| Err(crashed()))
}
