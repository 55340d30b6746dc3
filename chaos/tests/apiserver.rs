//! The simulated API server as kube-rs sees it, over a real socket.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "apiserver/apply.rs"]
mod apply;
#[path = "apiserver/crd.rs"]
mod crd;
#[path = "apiserver/crud.rs"]
mod crud;
#[path = "apiserver/faults.rs"]
mod faults;
#[path = "apiserver/garbage.rs"]
mod garbage;
#[path = "apiserver/watch.rs"]
mod watch;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, Config};
use lifeboat_chaos::apiserver::{ApiServer, ApiServerConfig};
use lifeboat_chaos::fault::Gate;

/// A server of its own for each test, and a client that talks to it.
async fn server(history: usize) -> (ApiServer, Client) {
    let config = ApiServerConfig {
        name: "test".to_owned(),
        listen: "127.0.0.1:0".parse().unwrap(),
        gate: Gate::new(),
        history,
    };
    let server = ApiServer::start(config).await.unwrap();
    let client = client(&server);
    (server, client)
}

fn client(server: &ApiServer) -> Client {
    let config = Config::new(format!("http://{}", server.addr()).parse().unwrap());
    Client::try_from(config).unwrap()
}

fn config_map(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(
        serde_json::json!({"metadata": {"name": name, "labels": {"app": name}}, "data": {"key": value}}),
    )
    .unwrap()
}

fn config_maps(client: &Client) -> Api<ConfigMap> {
    Api::namespaced(client.clone(), "default")
}

/// Code and message of a refusal.
#[track_caller]
fn refusal<T: std::fmt::Debug>(outcome: kube::Result<T>) -> (u16, String) {
    match outcome {
        Err(kube::Error::Api(status)) => (status.code, status.message.clone()),
        other => panic!("expected a refusal: {other:?}"),
    }
}
