//! `POST /api/passive`: what users' requests came to, as an ingress controller or a log shipper reports it.
//!
//! ```json
//! {"reports": [{"cluster": "eu-central-1", "requests": 1200, "serverErrors": 31}]}
//! ```
//! Counts are those since the last report. 200 and `{"counted": n}`; every refusal is `{"error"}`, and then nothing is counted:
//! 400 for a body that is not this, 404 for a cluster that has no traffic target, 413 for a body beyond 64 KiB. The caller
//! guards the route as it guards everything that changes something.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State, rejection::BytesRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use lifeboat_health::{Report, ReportError};
use serde::Deserialize;
use serde_json::json;

/// Where reports are posted.
pub const PATH: &str = "/api/passive";
const BODY_MAX: usize = 64 * 1024;

type Take = Arc<dyn Fn(&[Report]) -> Result<(), ReportError> + Send + Sync>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    reports: Vec<Report>,
}

/// The route; `take` counts all the reports of one request, or refuses them.
pub fn router(take: impl Fn(&[Report]) -> Result<(), ReportError> + Send + Sync + 'static) -> Router {
    let take: Take = Arc::new(take);
    Router::new()
        .route(PATH, post(counted))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(take)
}

/// The route of a listener that has no token to ask for: it says what to do.
pub(super) fn closed() -> Router {
    let told = async || {
        let reason = "beyond loopback reports need a token: name its file as adminTokenFile in the observer's configuration";
        refusal(StatusCode::FORBIDDEN, reason)
    };
    Router::new().route(PATH, post(told))
}

async fn counted(State(take): State<Take>, body: Result<Bytes, BytesRejection>) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let reason = format!("the body is larger than {BODY_MAX} bytes; send several");
            return refusal(StatusCode::PAYLOAD_TOO_LARGE, &reason);
        }
        Err(rejection) => return refusal(rejection.status(), &rejection.body_text()),
    };
    let Request { reports } = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => {
            let wanted = r#"{"reports": [{"cluster": NAME, "requests": COUNT, "serverErrors": COUNT}]}"#;
            return refusal(
                StatusCode::BAD_REQUEST,
                &format!("the body is not {wanted}: {error}"),
            );
        }
    };
    match take(&reports) {
        Ok(()) => Json(json!({ "counted": reports.len() })).into_response(),
        Err(error) => {
            let status = match error {
                ReportError::Unknown { .. } => StatusCode::NOT_FOUND,
                ReportError::Errors { .. } => StatusCode::BAD_REQUEST,
            };
            refusal(status, &error.to_string())
        }
    }
}

fn refusal(status: StatusCode, reason: &str) -> Response {
    (status, Json(json!({ "error": reason }))).into_response()
}
