//! Routes of the console's listener.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use arc_swap::ArcSwap;
use axum::{
    Json, Router,
    extract::{FromRequestParts, Path, Query, State as Extract},
    http::{HeaderMap, StatusCode, Uri, header, request::Parts},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{Guard, console, guard, state::State, stream};
use crate::timeline::Timeline;

/// Answers questions that need more than the current [`State`].
pub trait Inquiries: Send + Sync {
    /// How each DNS server would answer `client` now, step by step.
    fn explain_name(&self, name: &str, kind: &str, client: IpAddr) -> Result<Value, String>;
    /// The failover plan for the loss of `clusters` now.
    fn plan_if_lost(&self, clusters: &[String]) -> Result<Value, String>;
}

/// What the routes read.
#[derive(Clone)]
pub struct Sources {
    pub state: Arc<ArcSwap<State>>,
    /// The same state, serialized once for all event streams.
    pub document: watch::Receiver<Arc<str>>,
    pub timeline: Timeline,
    pub inquiries: Arc<dyn Inquiries>,
    pub metrics: Arc<Registry>,
}

/// The whole listener: API, events, metrics and console; `extra` routes pass the same guard.
pub fn router(sources: Sources, guard: Guard, extra: Router) -> Router {
    Router::new()
        .route(
            "/api/state",
            get(async |Extract(s): Extract<Sources>| part(&s, json)),
        )
        .route(
            "/api/clusters",
            get(async |Extract(s): Extract<Sources>| part(&s, |state| json(&state.clusters))),
        )
        .route(
            "/api/names",
            get(async |Extract(s): Extract<Sources>| part(&s, |state| json(&state.names))),
        )
        .route(
            "/api/bindings",
            get(async |Extract(s): Extract<Sources>| part(&s, |state| json(&state.bindings))),
        )
        .route(
            "/api/dns",
            get(async |Extract(s): Extract<Sources>| part(&s, |state| json(&state.dns))),
        )
        .route(
            "/api/observers",
            get(async |Extract(s): Extract<Sources>| part(&s, |state| json(&state.observers))),
        )
        .route("/api/events", get(timeline))
        .route("/api/explain/name/{name}", get(explain_name))
        .route("/api/explain/cluster/{name}", get(explain_cluster))
        .route("/api/plan", get(plan))
        .route("/api/stream", get(event_stream))
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || "ok"))
        .with_state(sources)
        .merge(extra)
        .fallback(console_file)
        .layer(middleware::from_fn_with_state(guard, guard::enforce))
}

fn part(sources: &Sources, pick: impl FnOnce(&State) -> Response) -> Response {
    pick(&sources.state.load())
}

/// A query string; one that cannot be read is answered as every error is.
struct Asked<T>(T);

impl<T, S> FromRequestParts<S> for Asked<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(error) => Err(refuse(
                StatusCode::BAD_REQUEST,
                format!("{}: {}", parts.uri.path(), error.body_text()),
            )),
        }
    }
}

fn json<T: Serialize>(value: &T) -> Response {
    Json(value).into_response()
}

fn refuse(status: StatusCode, message: impl Into<String>) -> Response {
    (status, Json(json!({ "error": message.into() }))).into_response()
}

#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn timeline(Extract(sources): Extract<Sources>, Asked(After { after }): Asked<After>) -> Response {
    json(&sources.timeline.since(after).0)
}

#[derive(Deserialize)]
struct Asker {
    client: Option<IpAddr>,
    #[serde(default = "type_a")]
    kind: String,
}

/// Who asks, where nobody is named.
const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn type_a() -> String {
    "A".to_owned()
}

async fn explain_name(
    Extract(sources): Extract<Sources>,
    Path(name): Path<String>,
    Asked(Asker { client, kind }): Asked<Asker>,
) -> Response {
    let client = client.unwrap_or(LOCALHOST);
    match sources.inquiries.explain_name(&name, &kind, client) {
        Ok(explanation) => json(&explanation),
        Err(message) => refuse(StatusCode::NOT_FOUND, message),
    }
}

/// The cluster as it stands and the decisions that brought it there.
async fn explain_cluster(Extract(sources): Extract<Sources>, Path(name): Path<String>) -> Response {
    let state = sources.state.load();
    let Some(cluster) = state.clusters.iter().find(|cluster| cluster.name == name) else {
        let known: Vec<&str> = state
            .clusters
            .iter()
            .map(|cluster| cluster.name.as_str())
            .collect();
        let message = format!("cluster {name:?} is not known; known: {}", known.join(", "));
        return refuse(StatusCode::NOT_FOUND, message);
    };
    let (entries, _) = sources.timeline.since(0);
    let history: Vec<_> = entries
        .into_iter()
        .filter(|entry| entry.cluster.as_deref() == Some(&name))
        .collect();
    json(&json!({ "cluster": cluster, "history": history }))
}

#[derive(Deserialize)]
struct IfLost {
    #[serde(rename = "ifLost")]
    if_lost: String,
}

async fn plan(Extract(sources): Extract<Sources>, Asked(IfLost { if_lost }): Asked<IfLost>) -> Response {
    let clusters: Vec<String> = if_lost.split(',').map(str::to_owned).collect();
    match sources.inquiries.plan_if_lost(&clusters) {
        Ok(plan) => json(&plan),
        Err(message) => refuse(StatusCode::NOT_FOUND, message),
    }
}

async fn event_stream(Extract(sources): Extract<Sources>, headers: HeaderMap) -> Response {
    let last_id = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok())
        .unwrap_or(0);
    stream::events(sources.document.clone(), &sources.timeline, last_id).into_response()
}

async fn metrics(Extract(sources): Extract<Sources>) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &sources.metrics) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("encoding metrics: {error}"),
        ),
    }
}

async fn console_file(uri: Uri) -> Response {
    match console::file(uri.path()) {
        Some((content_type, bytes)) => {
            let headers = [
                (header::CONTENT_TYPE, content_type),
                (header::CACHE_CONTROL, "no-cache"),
            ];
            (headers, bytes).into_response()
        }
        None => refuse(StatusCode::NOT_FOUND, format!("nothing at {}", uri.path())),
    }
}
