//! The admin listener: metrics, health, status and explanations. It only reads.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use anyhow::Context;
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use lifeboat_dns::ExplainError;
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio_util::task::AbortOnDropHandle;

use super::{config::DnsFile, running::Running};
use crate::serve::{
    Guard, Reached, Refusal, evidence, open_metrics,
    query::{Asked, Named},
};

/// Whom an answer is explained for where nobody is named.
const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[derive(Clone)]
struct Reads {
    running: Arc<Running>,
    registry: Arc<Registry>,
}

/// Listens where the configuration says. It ends when the handle is dropped.
pub(super) async fn listen(
    file: &DnsFile,
    running: Arc<Running>,
    registry: Registry,
) -> anyhow::Result<Option<AbortOnDropHandle<()>>> {
    let Some(address) = file.admin else {
        return Ok(None);
    };
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("admin: listening on {address}"))?;
    let bound = listener.local_addr().context("admin: its address")?;
    let reads = Reads {
        running,
        registry: Arc::new(registry),
    };
    let app = guard(file, bound)?
        .around(routes(reads))
        .into_make_service_with_connect_info::<Reached>();
    Ok(Some(AbortOnDropHandle::new(tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).await {
            tracing::error!(error = %error, "the admin listener stopped");
        }
    }))))
}

/// Who may read.
///
/// # Errors
/// Names the field and what is allowed.
pub(super) fn guard(file: &DnsFile, address: std::net::SocketAddr) -> anyhow::Result<Guard> {
    let token = match &file.admin_token_file {
        Some(path) => Some(crate::observe::process::token(path)?),
        None if !address.ip().is_loopback() => {
            anyhow::bail!("admin: {address} is beyond loopback and needs adminTokenFile")
        }
        None => None,
    };
    Ok(Guard::new(address, &file.admin_hosts, token)
        .context("adminTokenFile")?
        .named_by("adminHosts"))
}

fn routes(reads: Reads) -> Router {
    Router::new()
        .route(
            "/metrics",
            get(async |State(reads): State<Reads>| open_metrics(&reads.registry)),
        )
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(ready))
        .route(
            "/api/status",
            get(async |State(reads): State<Reads>| Json(json!(reads.running.status()))),
        )
        .route(
            "/api/observers",
            get(async |State(reads): State<Reads>| Json(json!(reads.running.status().observers))),
        )
        .route("/api/explain/name/{name}", get(explain))
        .route("/api/explain/cluster/{name}", get(explain_cluster))
        .route(
            "/api/events",
            get(async |State(reads): State<Reads>| Json(json!(reads.running.timeline.since(0).0))),
        )
        .fallback(async || {
            Refusal::Unknown(
                "not found; there are /metrics, /healthz, /readyz, /api/status, /api/observers, /api/events, /api/evidence, /api/explain/name/NAME, /api/explain/cluster/NAME; `lifeboat dns status` shows clusters, zones and the server"
                    .to_owned(),
            )
        })
        .with_state(reads.clone())
        .merge(evidence::router(reads.running))
}

async fn explain_cluster(State(reads): State<Reads>, Named(name): Named) -> Result<Response, Refusal> {
    let running = &reads.running;
    let told = running.explain_cluster(&name).ok_or_else(|| {
        let known = running.cluster_names().join(", ");
        Refusal::Unknown(format!("cluster {name:?} is not known; known: {known}"))
    })?;
    Ok(Json(told).into_response())
}

/// Whether queries are answered, and from a configuration and zones that are all good.
async fn ready(State(reads): State<Reads>) -> Response {
    if reads.running.server.ready() {
        "ok".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not answering yet").into_response()
    }
}

async fn explain(State(reads): State<Reads>, Named(name): Named, asked: Asked) -> Result<Response, Refusal> {
    asked.only(&["client", "ecs", "kind"])?;
    let client: IpAddr = asked
        .one("client", "an IPv4 or IPv6 address")?
        .unwrap_or(LOCALHOST);
    let subnet = asked.one("ecs", "a CIDR prefix such as 198.51.100.0/24")?;
    let kind: Option<String> = asked.one("kind", "a record type")?;
    let server = &reads.running.server;
    let explanation = server
        .explain(&name, kind.as_deref().unwrap_or("A"), client, subnet)
        .map_err(|error| match error {
            ExplainError::Kind(_) => Refusal::Invalid(format!("parameter kind: {error}")),
            ExplainError::Name { .. } => Refusal::Invalid(error.to_string()),
        })?;
    if explanation.zone.is_none() {
        return Err(Refusal::Unknown(format!(
            "name {name:?} is in no zone that is served; zones: {}",
            server.status().zones.join(", ")
        )));
    }
    let listen: Vec<String> = server.local_addrs().iter().map(ToString::to_string).collect();
    let told = json!({
        "name": name, "type": explanation.kind, "client": client, "policies": [],
        "servers": [{ "server": "lifeboat dns", "address": listen.join(", "), "explanation": explanation }],
    });
    Ok(Json(told).into_response())
}
