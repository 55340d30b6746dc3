//! Routes of the console's listener.

#[cfg(test)]
mod tests;

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use arc_swap::ArcSwap;
use axum::{
    Json, Router,
    extract::State as Extract,
    http::{HeaderMap, Method, Uri, header},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use ipnet::IpNet;
use prometheus_client::registry::Registry;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    Guard, History, Refusal, console, guard, open_metrics,
    query::{Asked, Named},
    state::State,
    stream,
    view::SeenNow,
};
use crate::timeline::Timeline;

/// Answers questions that need more than the current [`State`].
pub trait Inquiries: Send + Sync {
    /// How each DNS server would answer `client` now, step by step.
    fn explain_name(
        &self,
        name: &str,
        kind: &str,
        client: IpAddr,
        subnet: Option<IpNet>,
    ) -> Result<Value, Refusal>;
    /// What each observer sees of a cluster now.
    fn seen_now(&self, cluster: &str) -> Result<Vec<SeenNow>, Refusal>;
    /// Why the replicas of `binding`, written `NAMESPACE/NAME` or `NAME`, are where they are.
    fn explain_binding(&self, binding: &str) -> Result<Value, Refusal>;
    /// The failover plan for the loss of `clusters` now.
    fn plan_if_lost(&self, clusters: &[String]) -> Result<Value, Refusal>;
}

/// What the routes read.
#[derive(Clone)]
pub struct Sources {
    pub state: Arc<ArcSwap<State>>,
    /// The same state, serialized once for all event streams.
    pub document: watch::Receiver<Arc<str>>,
    /// What the charts of a page that opens begin with.
    pub history: History,
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
        // A wildcard, because NAMESPACE/NAME has a slash.
        .route("/api/explain/binding/{*name}", get(explain_binding))
        .route("/api/plan", get(plan))
        .route("/api/stream", get(event_stream))
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || "ok"))
        .with_state(sources)
        .merge(extra)
        .fallback(console_file)
        .method_not_allowed_fallback(not_allowed)
        .layer(middleware::from_fn_with_state(guard, guard::enforce))
}

fn part(sources: &Sources, pick: impl FnOnce(&State) -> Response) -> Response {
    pick(&sources.state.load())
}

fn json<T: Serialize>(value: &T) -> Response {
    Json(value).into_response()
}

/// Who asks, where nobody is named.
const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

async fn timeline(Extract(sources): Extract<Sources>, asked: Asked) -> Result<Response, Refusal> {
    asked.only(&["after"])?;
    let after = asked.one("after", "the id of an entry, 0 or more")?.unwrap_or(0);
    Ok(json(&sources.timeline.since(after).0))
}

async fn explain_name(
    Extract(sources): Extract<Sources>,
    Named(name): Named,
    asked: Asked,
) -> Result<Response, Refusal> {
    asked.only(&["client", "ecs", "kind"])?;
    let client = asked
        .one("client", "an IPv4 or IPv6 address")?
        .unwrap_or(LOCALHOST);
    let subnet = asked.one("ecs", "a CIDR prefix such as 198.51.100.0/24")?;
    let kind: Option<String> = asked.one("kind", "a record type")?;
    let kind = kind.as_deref().unwrap_or("A");
    Ok(json(
        &sources.inquiries.explain_name(&name, kind, client, subnet)?,
    ))
}

/// The cluster as it stands and the decisions that brought it there.
async fn explain_cluster(
    Extract(sources): Extract<Sources>,
    Named(name): Named,
) -> Result<Response, Refusal> {
    let state = sources.state.load();
    let Some(cluster) = state.clusters.iter().find(|cluster| cluster.name == name) else {
        let known: Vec<&str> = state
            .clusters
            .iter()
            .map(|cluster| cluster.name.as_str())
            .collect();
        let message = format!("cluster {name:?} is not known; known: {}", known.join(", "));
        return Err(Refusal::Unknown(message));
    };
    let (entries, _) = sources.timeline.since(0);
    let history: Vec<_> = entries
        .into_iter()
        .filter(|entry| entry.cluster.as_deref() == Some(&name))
        .collect();
    let (holds, no_target) = state.held_up(&name);
    Ok(json(&json!({
        "cluster": cluster, "now": sources.inquiries.seen_now(&name)?, "holds": holds, "noTarget": no_target,
        "history": history,
    })))
}

async fn explain_binding(
    Extract(sources): Extract<Sources>,
    Named(name): Named,
) -> Result<Response, Refusal> {
    Ok(json(&sources.inquiries.explain_binding(&name)?))
}

async fn plan(Extract(sources): Extract<Sources>, asked: Asked) -> Result<Response, Refusal> {
    asked.only(&["ifLost"])?;
    let clusters: Vec<String> = asked
        .all("ifLost")
        .flat_map(|list| list.split(','))
        .map(str::to_owned)
        .collect();
    if clusters.is_empty() || clusters.iter().any(String::is_empty) {
        return Err(Refusal::Invalid(
            "parameter ifLost: allowed: names of clusters, separated by commas".to_owned(),
        ));
    }
    Ok(json(&sources.inquiries.plan_if_lost(&clusters)?))
}

async fn event_stream(Extract(sources): Extract<Sources>, headers: HeaderMap) -> Response {
    let last_id = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok())
        .unwrap_or(0);
    let history = sources.history.to_json();
    stream::events(sources.document.clone(), &sources.timeline, last_id, &history).into_response()
}

async fn metrics(Extract(sources): Extract<Sources>) -> Response {
    open_metrics(&sources.metrics)
}

/// The header `Allow` of the answer names the methods that are possible.
async fn not_allowed(method: Method, uri: Uri) -> Refusal {
    Refusal::Method(format!("{method} is not possible on {}", uri.path()))
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
        None => Refusal::Unknown(format!("nothing at {}", uri.path())).into_response(),
    }
}
