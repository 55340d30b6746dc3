//! A simulated member cluster: an API server, controllers, nodes, pods that take time, and an ingress VIP.
//!
//! ```text
//! kubectl, control plane ──Gate──► ApiServer ── Store ◄──► Sim: controllers, scheduler, kubelets
//!                                                            │ routes
//! users, probes ──────────Gate──► Vip ◄──────────────────────┘
//!                          ▲
//!                        faults
//! ```
//!
//! Both gates and the power switch are in the hands of [`crate::fault`]. The controllers are pure functions over a
//! snapshot of the store; what they do not simulate (admission, volumes, autoscaling) is simply not there.

mod config;
mod controllers;
mod fleet;
mod json;
mod kubelet;
mod nodes;
mod quantity;
mod scheduler;
mod sim;
#[cfg(test)]
mod tests;
mod vip;
mod world;

use std::{io, net::SocketAddr, sync::Arc};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use self::{
    config::{MemberConfig, NodeShape},
    fleet::{Fleet, FleetOptions, SHOWCASE, ShowcaseCluster},
    kubelet::{RUN_TIME, START_DELAY},
    vip::VipCounters,
};
use self::{sim::Sim, vip::Vip, world::Site};
use crate::{
    apiserver::{ApiError, ApiServer, ApiServerConfig, StartError, Store},
    fault::{Effects, FaultTarget, Gate},
};

/// Changes the API server of a member keeps for watches to resume from.
const HISTORY: usize = 4096;

/// Why a member cluster did not start.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// Its API server did not.
    #[error("start the API server of cluster `{cluster}` on {address}")]
    Api {
        /// The cluster.
        cluster: String,
        /// Where it was to listen.
        address: SocketAddr,
        /// Why not.
        source: StartError,
    },
    /// Its VIP did not.
    #[error("bind the ingress VIP of cluster `{cluster}` on {address}")]
    Vip {
        /// The cluster.
        cluster: String,
        /// Where it was to listen.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// Its first objects were refused.
    #[error("create the first objects of cluster `{cluster}`")]
    Objects {
        /// The cluster.
        cluster: String,
        /// What the store said.
        source: ApiError,
    },
}

/// A running member cluster.
pub struct MemberCluster {
    config: MemberConfig,
    api: ApiServer,
    vip_address: SocketAddr,
    machine: Arc<Machine>,
    stop: CancellationToken,
    tasks: [JoinHandle<()>; 2],
}

/// What faults act on; lives on while any fault registry holds it.
struct Machine {
    name: String,
    api: Gate,
    vip: Gate,
    sim: Arc<Sim>,
    server: Arc<Vip>,
    applied: Mutex<Effects>,
}

impl MemberCluster {
    /// Starts the cluster with its nodes and nothing on them.
    ///
    /// # Errors
    /// A listener that cannot be bound.
    pub async fn start(config: MemberConfig) -> Result<Self, MemberError> {
        let cluster = config.name.clone();
        let (api_gate, vip_gate) = (Gate::new(), Gate::new());
        let listener = vip_gate
            .bind(config.vip_listen)
            .map_err(|source| MemberError::Vip {
                cluster: cluster.clone(),
                address: config.vip_listen,
                source,
            })?;
        let vip_address = listener.local_addr();
        let api_config = ApiServerConfig {
            name: cluster.clone(),
            listen: config.api_listen,
            gate: api_gate.clone(),
            history: HISTORY,
        };
        let api = ApiServer::start(api_config)
            .await
            .map_err(|source| MemberError::Api {
                cluster: cluster.clone(),
                address: config.api_listen,
                source,
            })?;

        let site = Site {
            cluster: cluster.clone(),
            vip: vip_address.ip(),
            pod_network: pod_network(vip_address),
        };
        let store = api.store();
        store.set_kubelet(true);
        for write in nodes::writes(&config, site.pod_network, Timestamp::now()) {
            write.apply(&store).map_err(|source| MemberError::Objects {
                cluster: cluster.clone(),
                source,
            })?;
        }

        let server = Arc::new(Vip::new(&cluster));
        let changes = store.subscribe();
        let sim = Arc::new(Sim::new(
            store,
            site,
            server.clone(),
            config.pod_start_delay,
            config.seed,
        ));
        let stop = CancellationToken::new();
        let tasks = [
            tokio::spawn(sim.clone().run(changes, stop.clone())),
            tokio::spawn(server.clone().serve(listener, stop.clone())),
        ];
        let applied = Mutex::new(Effects::default());
        let machine = Arc::new(Machine {
            name: cluster,
            api: api_gate,
            vip: vip_gate,
            sim,
            server,
            applied,
        });
        Ok(Self {
            config,
            api,
            vip_address,
            machine,
            stop,
            tasks,
        })
    }

    /// The cluster's name.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// As it was configured.
    pub fn config(&self) -> &MemberConfig {
        &self.config
    }

    /// The API server.
    pub fn api(&self) -> &ApiServer {
        &self.api
    }

    /// The objects of the cluster.
    pub fn store(&self) -> Store {
        self.api.store()
    }

    /// Where the API server listens.
    pub fn api_addr(&self) -> SocketAddr {
        self.api.addr()
    }

    /// Where the VIP listens.
    pub fn vip_addr(&self) -> SocketAddr {
        self.vip_address
    }

    /// The gate of the API server.
    pub fn api_gate(&self) -> &Gate {
        &self.machine.api
    }

    /// The gate of the VIP.
    pub fn vip_gate(&self) -> &Gate {
        &self.machine.vip
    }

    /// Requests the VIP has answered.
    pub fn vip_counters(&self) -> VipCounters {
        self.machine.server.counters()
    }

    /// Writes of the simulated controllers that the store refused.
    pub fn failed_writes(&self) -> u64 {
        self.machine.sim.failed_writes()
    }

    /// The handle for a fault registry.
    pub fn fault_target(&self) -> Arc<dyn FaultTarget> {
        self.machine.clone()
    }

    /// Stops everything; all connections are closed when it returns.
    pub async fn stop(self) {
        self.machine.apply(Effects::default());
        self.stop.cancel();
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::warn!(%error, cluster = self.config.name, "a task of the member ended badly");
            }
        }
        self.api.stop().await;
    }
}

/// The third octet of the VIP numbers the clusters of a fleet on one machine.
fn pod_network(vip: SocketAddr) -> u8 {
    match vip {
        SocketAddr::V4(vip) => vip.ip().octets()[2],
        SocketAddr::V6(vip) => vip.ip().octets()[15],
    }
}

impl FaultTarget for Machine {
    fn name(&self) -> &str {
        &self.name
    }

    fn apply(&self, effects: Effects) {
        let mut applied = self.applied.lock();
        if *applied == effects {
            return;
        }
        let before = std::mem::replace(&mut *applied, effects);
        if effects.powered && !before.powered {
            // The pods are lost and the connections forgotten before anybody can be answered again.
            self.sim.power_on();
            self.api.reset_connections();
            self.vip.reset_connections();
        }
        self.vip.apply(effects.vip);
        self.api.apply(effects.api);
        if !effects.powered {
            self.sim.power_off();
        }
    }
}
