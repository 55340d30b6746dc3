//! The fault endpoint of the demo harness, `/api/demo/faults`.
//!
//! | request | answer |
//! |---|---|
//! | `GET /api/demo/faults` | `{faults, kinds, clusters}` |
//! | `POST /api/demo/faults` `{kind, clusters?, for?, delayMs?}` | 201 and the fault, once it is in force |
//! | `DELETE /api/demo/faults` | `{cleared}` |
//! | `DELETE /api/demo/faults/{id}` | the fault that ended |
//!
//! Every refusal is `{error}`: 400 for a body that is not the JSON above, 404 for an unknown cluster or fault, 409
//! when too many are in force, 415 without a JSON content type, 422 for a fault that means nothing.

#[cfg(test)]
mod tests;

use std::time::Duration;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{
        DefaultBodyLimit, Path, State,
        rejection::{BytesRejection, PathRejection},
    },
    response::{IntoResponse, Response},
    routing::{delete, get},
};
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{FaultError, FaultKind, FaultSpec, Faults, spec::parse_duration};

const BODY_MAX: usize = 64 * 1024;

/// The routes; the caller guards them as it guards everything else that changes something.
pub fn router(faults: Faults) -> Router {
    Router::new()
        .route("/api/demo/faults", get(list).post(inject).delete(clear_all))
        .route("/api/demo/faults/{id}", delete(clear))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(faults)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request {
    kind: String,
    #[serde(default)]
    clusters: Vec<String>,
    #[serde(rename = "for")]
    lasts: Option<String>,
    delay_ms: Option<u64>,
}

impl Request {
    fn into_spec(self) -> Result<FaultSpec, FaultError> {
        let Self {
            kind,
            clusters,
            lasts,
            delay_ms,
        } = self;
        let ttl = lasts.as_deref().map(parse_duration).transpose()?;
        let delay = delay_ms.map(Duration::from_millis);
        Ok(FaultSpec {
            kind: kind.parse()?,
            clusters,
            delay,
            ttl,
        })
    }
}

struct Refusal(StatusCode, String);

impl From<FaultError> for Refusal {
    fn from(error: FaultError) -> Self {
        let status = match error {
            FaultError::Spec(_) | FaultError::NoController => StatusCode::UNPROCESSABLE_ENTITY,
            FaultError::UnknownCluster { .. } | FaultError::UnknownFault { .. } => StatusCode::NOT_FOUND,
            FaultError::TooMany => StatusCode::CONFLICT,
        };
        Self(status, error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

async fn list(State(faults): State<Faults>) -> Json<Value> {
    let now = Instant::now();
    let active: Vec<_> = faults.active().iter().map(|fault| fault.view(now)).collect();
    let kinds: Vec<_> = FaultKind::ALL
        .iter()
        .map(
            |kind| json!({ "kind": kind, "meaning": kind.meaning(), "needsClusters": kind.needs_clusters() }),
        )
        .collect();
    Json(json!({ "faults": active, "kinds": kinds, "clusters": faults.clusters() }))
}

async fn inject(
    State(faults): State<Faults>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    if !is_json(&headers) {
        let message = "the content type must be application/json".to_owned();
        return Err(Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is too long; allowed: {BODY_MAX} bytes"),
        ),
        status => Refusal(status, rejection.body_text()),
    })?;
    let request: Request = serde_json::from_slice(&body).map_err(|error| {
        Refusal(
            StatusCode::BAD_REQUEST,
            format!("the body is not a fault: {error}"),
        )
    })?;
    let fault = faults.inject(&request.into_spec()?)?;
    Ok((StatusCode::CREATED, Json(fault.view(Instant::now()))).into_response())
}

async fn clear_all(State(faults): State<Faults>) -> Json<Value> {
    let now = Instant::now();
    let cleared: Vec<_> = faults.clear_all().iter().map(|fault| fault.view(now)).collect();
    Json(json!({ "cleared": cleared }))
}

async fn clear(
    State(faults): State<Faults>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let bad = |id: &str| {
        let message = format!("`{id}` is not the number of a fault");
        Refusal(StatusCode::BAD_REQUEST, message)
    };
    let Path(id) = id.map_err(|_| bad("…"))?;
    let id = id.parse().map_err(|_| bad(&id))?;
    Ok(Json(faults.clear(id)?.view(Instant::now())).into_response())
}

fn is_json(headers: &HeaderMap) -> bool {
    let essence = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    essence
        .split(';')
        .next()
        .unwrap_or("")
        .trim()
        .eq_ignore_ascii_case("application/json")
}
