//! A simulated Kubernetes API server: a real HTTP server that kubectl and kube-rs use, over an in-memory store.
//!
//! ```text
//! kubectl, kube-rs ──HTTP/1.1, h2c──► http ──► Store ◄── in-process controllers, the demo
//!                                      │         │
//!                     Switches (faults)┘         └► history ──► watches
//! ```
//! It validates, defaults, tracks field ownership, collects garbage and answers in the words of the real one.
//! What it leaves out: admission webhooks, authentication (everybody may do everything), protobuf answers,
//! `exec` and `log` of pods, Kubernetes' own CEL function libraries.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::fault::Gate;

mod clock;
mod convert;
mod error;
mod fieldset;
mod gvr;
mod history;
mod http;
mod kinds;
mod managed;
mod meta;
mod names;
mod patch;
mod schema;
mod selector;
mod serve;
mod state;
mod store;
mod stored;
mod strategy;
mod switches;
mod table;
mod watch;

pub use error::{ApiError, Cause, CauseKind};
pub use gvr::Gvr;
pub use store::{Store, StoreStats};
pub use switches::Switches;
pub use watch::{WatchEvent, WatchStream};

/// How to run one API server.
#[derive(Clone, Debug)]
pub struct ApiServerConfig {
    /// The cluster's name; stands in the kubeconfig.
    pub name: String,
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// What the server's sockets pass through.
    pub gate: Gate,
    /// How many changes are remembered for watches; 4,096 is plenty.
    pub history: usize,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    #[error("API server {name}: cannot listen on {address}: {source}")]
    Listen {
        name: String,
        address: SocketAddr,
        source: std::io::Error,
    },
}

/// A running server. Dropping it stops it without waiting for its connections.
#[derive(Debug)]
pub struct ApiServer {
    name: String,
    addr: SocketAddr,
    store: Store,
    switches: Arc<Switches>,
    task: tokio::task::JoinHandle<()>,
    stop: tokio_util::sync::CancellationToken,
}

impl ApiServer {
    /// Binds and serves on the current runtime, over an empty store.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn start(config: ApiServerConfig) -> Result<ApiServer, StartError> {
        let store = Store::new(config.history);
        ApiServer::start_with(config, store).await
    }

    /// As [`ApiServer::start`], over a store that exists already (a restarted API server).
    ///
    /// # Errors
    /// The address cannot be listened on.
    #[expect(
        clippy::unused_async,
        reason = "binding needs a runtime, and may come to wait"
    )]
    pub async fn start_with(config: ApiServerConfig, store: Store) -> Result<ApiServer, StartError> {
        let ApiServerConfig {
            name,
            listen,
            gate,
            history: _,
        } = config;
        let failed = |source| StartError::Listen {
            name: name.clone(),
            address: listen,
            source,
        };
        let listener = gate.bind(listen).map_err(failed)?;
        let addr = listener.local_addr();
        let switches = Arc::new(Switches::new(store.clone()));
        let stop = tokio_util::sync::CancellationToken::new();
        let context = http::Context::new(store.clone(), switches.clone(), addr);
        let task = tokio::spawn(serve::run(listener, Arc::new(context), stop.clone()));
        Ok(ApiServer {
            name,
            addr,
            store,
            switches,
            task,
            stop,
        })
    }

    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    #[must_use]
    pub fn store(&self) -> Store {
        self.store.clone()
    }

    #[must_use]
    pub fn switches(&self) -> &Switches {
        &self.switches
    }

    /// A kubeconfig for this server, as YAML.
    #[must_use]
    pub fn kubeconfig(&self) -> String {
        let (name, addr) = (&self.name, self.addr);
        format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- name: {name}\n  cluster:\n    server: http://{addr}\n\
             contexts:\n- name: {name}\n  context:\n    cluster: {name}\n    user: {name}\n\
             current-context: {name}\nusers:\n- name: {name}\n  user: {{}}\n"
        )
    }

    /// Stops listening and ends every connection.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let _ = (&mut self.task).await;
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
