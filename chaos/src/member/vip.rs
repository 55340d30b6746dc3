//! The ingress VIP of a member cluster: a real HTTP server that serves an application only while it has ready pods.
//!
//! `/healthz` is 200 for as long as the VIP lives. Everything else is routed by the `Host` header: to the Ingress
//! rule with that host, else to the Service whose name is the first label of the host. 404 without a route, 503
//! without a ready pod, else 200 and `{cluster, application, namespace, pod, node}`.

pub(crate) mod routes;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use http::{
    Request, Response, StatusCode,
    header::{CONTENT_TYPE, HOST, HeaderValue},
};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::RwLock;
use serde::Serialize;
use serde_json::json;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::routes::{Found, Routes};
use crate::fault::GatedListener;

/// What the connections and the controllers share.
pub(crate) struct Vip {
    cluster: String,
    routes: RwLock<Arc<Routes>>,
    counters: Counters,
}

#[derive(Default)]
struct Counters {
    turn: AtomicU64,
    served: AtomicU64,
    no_pod: AtomicU64,
    no_route: AtomicU64,
    health: AtomicU64,
}

/// Requests answered since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VipCounters {
    /// By an application: 200.
    pub served: u64,
    /// For want of a ready pod: 503.
    pub no_pod: u64,
    /// For want of a route: 404.
    pub no_route: u64,
    /// Health checks.
    pub health: u64,
}

impl Vip {
    pub(crate) fn new(cluster: &str) -> Self {
        Self {
            cluster: cluster.to_owned(),
            routes: RwLock::default(),
            counters: Counters::default(),
        }
    }

    /// Puts new routes in force for the next request.
    pub(crate) fn set_routes(&self, routes: Routes) {
        *self.routes.write() = Arc::new(routes);
    }

    pub(crate) fn counters(&self) -> VipCounters {
        let Counters {
            turn: _,
            served,
            no_pod,
            no_route,
            health,
        } = &self.counters;
        VipCounters {
            served: served.load(Relaxed),
            no_pod: no_pod.load(Relaxed),
            no_route: no_route.load(Relaxed),
            health: health.load(Relaxed),
        }
    }

    /// Serves until `stop`; a connection that is open then ends with it.
    pub(crate) async fn serve(self: Arc<Self>, listener: GatedListener, stop: CancellationToken) {
        let connections = TaskTracker::new();
        loop {
            let (stream, _) = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            let vip = self.clone();
            let stop = stop.clone();
            connections.spawn(async move {
                let service = service_fn(|request| {
                    let response = vip.answer(&request);
                    async move { Ok::<_, Infallible>(response) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .max_headers(64)
                    .serve_connection(TokioIo::new(stream), service);
                tokio::select! {
                    ended = connection => if let Err(error) = ended {
                        tracing::trace!(%error, "a connection to the VIP ended");
                    },
                    () = stop.cancelled() => {}
                }
            });
        }
        connections.close();
        connections.wait().await;
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let counters = &self.counters;
        let path = request.uri().path();
        if path == "/healthz" {
            counters.health.fetch_add(1, Relaxed);
            return response(StatusCode::OK, Bytes::from_static(b"{\"status\":\"ok\"}"));
        }
        let host = host(request);
        let routes = self.routes.read().clone();
        match routes.find(&host, path) {
            Found::Pods(application, pods) => {
                let turn = counters.turn.fetch_add(1, Relaxed);
                counters.served.fetch_add(1, Relaxed);
                let pod = pods.pick(turn);
                let body = json!({
                    "cluster": self.cluster,
                    "application": application.name,
                    "namespace": application.namespace,
                    "pod": pod.name,
                    "node": pod.node,
                });
                response(StatusCode::OK, Bytes::from(body.to_string()))
            }
            Found::NoPod(application) => {
                counters.no_pod.fetch_add(1, Relaxed);
                let error = format!("no ready pod of `{application}` in {}", self.cluster);
                response(
                    StatusCode::SERVICE_UNAVAILABLE,
                    Bytes::from(json!({ "error": error }).to_string()),
                )
            }
            Found::NoRoute => {
                counters.no_route.fetch_add(1, Relaxed);
                let error = format!("no route for host `{host}` and path `{path}` in {}", self.cluster);
                response(
                    StatusCode::NOT_FOUND,
                    Bytes::from(json!({ "error": error }).to_string()),
                )
            }
        }
    }
}

/// The host asked for, without port and final dot, in lower case.
fn host(request: &Request<Incoming>) -> String {
    let header = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = request.uri().host().or(header).unwrap_or("");
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    host.trim_end_matches('.').to_ascii_lowercase()
}

fn response(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
