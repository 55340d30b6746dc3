//! A control plane's API as Lifeboat finds it: a simulated API server with our kinds in it.

use std::net::{Ipv4Addr, SocketAddr};

use lifeboat::api;
use lifeboat::controller::Kinds;
use lifeboat::store::{self, Index, Key, Kind, Op, Outcome, Watches, Write, Writer};
use lifeboat_chaos::apiserver::{ApiServer, ApiServerConfig, Store};
use lifeboat_chaos::fault::Gate;
use serde_json::{Value, json};

/// It goes on where its API server is stopped.
pub(crate) struct ControlPlane {
    pub(crate) server: ApiServer,
    /// What its sockets pass through.
    pub(crate) gate: Gate,
    pub(crate) config: kube::Config,
    pub(crate) writer: Writer,
    pub(crate) index: Index,
    pub(crate) kinds: Kinds,
    pub(crate) watches: Watches,
}

/// An API server, with these objects where there are any already.
pub(crate) async fn serve(listen: SocketAddr, gate: Gate, store: Option<Store>) -> ApiServer {
    let config = ApiServerConfig {
        name: "lifeboat".to_owned(),
        listen,
        gate,
        history: 1_024,
    };
    match store {
        Some(store) => ApiServer::start_with(config, store).await.unwrap(),
        None => ApiServer::start(config).await.unwrap(),
    }
}

impl ControlPlane {
    pub(crate) async fn start() -> ControlPlane {
        let gate = Gate::new();
        let server = serve((Ipv4Addr::LOCALHOST, 0).into(), gate.clone(), None).await;
        let plane = ControlPlane::of(server, gate);
        let definitions = Kind::new(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            "customresourcedefinitions",
            false,
        );
        for definition in api::crds() {
            let mut definition = serde_json::to_value(definition).unwrap();
            definition["apiVersion"] = json!("apiextensions.k8s.io/v1");
            definition["kind"] = json!("CustomResourceDefinition");
            plane.apply(&definitions, definition).await;
        }
        plane
    }

    /// Of an API server that runs already; needs a tokio runtime.
    pub(crate) fn of(server: ApiServer, gate: Gate) -> ControlPlane {
        let config = kube::Config::new(format!("http://{}", server.addr()).parse().unwrap());
        let client = store::connect(config.clone()).unwrap();
        let index = Index::default();
        ControlPlane {
            server,
            gate,
            config,
            writer: Writer::new(client.clone(), Index::default()),
            index: index.clone(),
            kinds: Kinds::default(),
            watches: Watches::new(client, index),
        }
    }

    pub(crate) async fn apply(&self, kind: &Kind, object: Value) {
        let write = Write {
            kind: kind.clone(),
            key: Key::of(&object),
            op: Op::Apply(object),
        };
        self.write(&write).await;
    }

    pub(crate) async fn write(&self, write: &Write) {
        let done = self.writer.one(write).await;
        assert!(matches!(done, Ok(Outcome::Done)), "{write:?}: {done:?}");
    }
}
