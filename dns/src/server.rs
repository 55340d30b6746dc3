//! The server: sockets and threads around the pure core.
//!
//! `start` binds, loads last-known-good, and answers once every live target has a verdict or the start-up grace has
//! passed. `apply` swaps the snapshot; the verdict sink moves the gates; neither is waited for by an answer.

mod config;
pub(crate) mod explain;
mod listen;
mod overrides;
mod readiness;
pub(crate) mod shared;
pub(crate) mod shares;
pub(crate) mod sink;
pub(crate) mod spoken;
pub(crate) mod status;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::SystemTime;
use std::{io, thread};

use ipnet::IpNet;
use prometheus_client::registry::Registry;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::answer::Transport;
use crate::catalog::{Applied, Catalog, Held, Problem, Refused};
use crate::gate::{GateView, Override, OverrideRefused};
use crate::geo::GeoTable;
use crate::input::SnapshotInput;
use crate::lkg::Folder;
use crate::metrics::{Counters, register_all};
use crate::protocol::Protocol;
use crate::sample::{Sampler, Sampling};
use crate::snapshot::build::BuildError;
use crate::stamp::Stamp;
use crate::{tcp, udp};
pub use config::{EcsFrom, Listen, ServerConfig};
use explain::{ExplainError, Explanation};
use listen::Listening;
use shared::Shared;
use shares::NameShares;
use sink::GateSink;
use spoken::Spoken;
use status::Status;

/// Why a server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    #[error("listen: is empty; at least one address is needed")]
    NoAddress,
    #[error("listen {address}: udpThreads: is {given}; 1 to {max} are allowed", max = config::MAX_UDP_THREADS)]
    UdpThreads { address: SocketAddr, given: usize },
    #[error("ramp.stepPermille: is {0}; 1 to 1000 are allowed")]
    RampStep(u32),
    #[error("listening on {address} ({transport}): {source}")]
    Bind {
        address: SocketAddr,
        transport: &'static str,
        source: io::Error,
    },
    #[error("state folder {path}: {source}")]
    State { path: PathBuf, source: io::Error },
    #[error("starting a thread: {0}")]
    Thread(io::Error),
}

/// A running server. Dropping it without `stop` ends its threads too.
pub struct Server {
    shared: Arc<Shared>,
    local_addrs: Vec<SocketAddr>,
    threads: Vec<JoinHandle<()>>,
    stop_tcp: CancellationToken,
}

impl Server {
    /// Binds every address, loads last-known-good and starts the threads.
    pub fn start(config: ServerConfig) -> Result<Self, StartError> {
        config.check()?;
        let state = |source| StartError::State {
            path: config.state.clone(),
            source,
        };
        let folder = Folder::create(&config.state).map_err(state)?;
        let loaded = folder.load().map_err(state)?;
        let Listening {
            udp: sockets,
            tcp: listeners,
        } = listen::bind(&config)?;

        let mut counters: Vec<Arc<Counters>> = Vec::new();
        counters.extend(sockets.iter().map(|_| Arc::new(Counters::new(Transport::Udp))));
        let tcp_counters = Arc::new(Counters::new(Transport::Tcp));
        counters.push(Arc::clone(&tcp_counters));
        let shared =
            Arc::new(Shared::new(&config, folder, loaded, counters.clone()).map_err(StartError::Thread)?);

        let mut local_addrs: Vec<SocketAddr> = sockets.iter().map(udp::local_address).collect();
        local_addrs.dedup();
        let mut server = Self {
            shared,
            local_addrs,
            threads: Vec::new(),
            stop_tcp: CancellationToken::new(),
        };
        let mut seeds = config
            .seed
            .map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        for (index, (socket, counters)) in sockets.into_iter().zip(counters).enumerate() {
            let (shared, seed) = (Arc::clone(&server.shared), seeds.u64(..));
            server.spawn(&format!("{}-udp{index}", config.name), move || {
                udp::serve(&socket, &shared, &counters, seed);
            })?;
        }
        if !listeners.is_empty() {
            let limits = config.tcp_limits;
            let (shared, stop, seed) = (Arc::clone(&server.shared), server.stop_tcp.clone(), seeds.u64(..));
            server.spawn(&format!("{}-tcp", config.name), move || {
                if let Err(error) = tcp::serve(listeners, shared, tcp_counters, seed, limits, &stop) {
                    tracing::error!(%error, "answering over TCP");
                }
            })?;
        }
        Ok(server)
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), StartError> {
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(run)
            .map_err(StartError::Thread)?;
        self.threads.push(thread);
        Ok(())
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Applies a steering plan. Errors leave everything as it was; parts that are not valid are in `rejected`.
    pub fn apply(&self, plan: SnapshotInput) -> Result<Applied, Refused> {
        self.shared.apply(&plan)
    }

    /// Whether there is a plan that is answered from.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.shared.snapshot.load().stamp().is_some()
    }

    /// Whether it is the plan of this stamp that is answered from.
    #[must_use]
    pub fn serves_plan(&self, stamp: &Stamp) -> bool {
        self.shared.snapshot.load().stamp() == Some(stamp)
    }

    /// Frees the snapshots that were served before and that no answer needs any more. [`Self::apply`] begins with it; whoever
    /// reads large zones calls it before.
    pub fn release(&self) {
        self.shared.release();
    }

    /// What is in force, for whoever makes the next plan.
    #[must_use]
    pub fn held(&self) -> Held {
        self.shared.with_catalog(Catalog::held)
    }

    /// The clusters that the names in force are answered with, whatever health says of them.
    #[must_use]
    pub fn clusters(&self) -> BTreeSet<String> {
        self.shared.snapshot.load().clusters().iter().cloned().collect()
    }

    /// Serves with another geo table from now on. Builds the snapshot anew, so it takes as long as a plan.
    pub fn set_geo(&self, geo: GeoTable) -> Result<(), BuildError> {
        self.shared.set_geo(geo)
    }

    /// The settings of the protocol in force.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.shared.spoken.load().protocol.clone()
    }

    /// Speaks otherwise from the next batch of queries on.
    pub fn set_protocol(&self, protocol: Protocol) {
        let spoken = &self.shared.spoken;
        spoken.rcu(|before| Spoken::after(before, protocol.clone()));
    }

    /// Samples queries to a file from the next batch of them on, in place of one before; the file is opened anew, so that who has moved
    /// it away has it to himself. Nothing is sampled without `sampling`.
    ///
    /// # Errors
    /// When the file cannot be opened; what was sampled before is sampled still.
    pub fn set_sampling(&self, sampling: Option<&Sampling>) -> io::Result<()> {
        let Shared {
            name,
            spoken,
            samples,
            ..
        } = &*self.shared;
        let start = |sampling| Sampler::start(name, sampling, Arc::clone(samples));
        let sampler = sampling.map(start).transpose()?.map(Arc::new);
        spoken.rcu(|before| Spoken::sampled(before, sampler.clone()));
        Ok(())
    }

    /// What the consumer of evidence calls after every poll. One sink a server.
    #[must_use]
    pub fn verdict_sink(&self) -> GateSink {
        GateSink::new(Arc::clone(&self.shared))
    }

    /// Every cluster's gate as of the last tick of the verdict sink.
    #[must_use]
    pub fn gates(&self) -> Vec<GateView> {
        self.shared.gate_views.load().to_vec()
    }

    /// Puts these overrides in force in place of all earlier ones, from the next tick of the verdict sink on; or refuses
    /// them, and the earlier ones stay. They end by themselves, and are lifted while too few clusters would be active.
    /// To keep them over a restart is up to the caller.
    pub fn set_overrides(&self, overrides: Vec<Override>) -> Result<(), OverrideRefused> {
        #[expect(
            clippy::disallowed_methods,
            reason = "people say until what time of day an override stands"
        )]
        let today = SystemTime::now();
        overrides::set(&self.shared, overrides, today)
    }

    /// The overrides that stand and have not ended, in the order in which they were given.
    #[must_use]
    pub fn overrides(&self) -> Vec<Override> {
        let now = self.shared.clock.now();
        let overrides = self.shared.overrides.load();
        let standing = overrides.standing.iter().filter(|standing| now < standing.until);
        standing.map(|standing| standing.what.clone()).collect()
    }

    /// The addresses bound, with the ports the kernel gave.
    #[must_use]
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.local_addrs.clone()
    }

    /// What the last plan held that was not taken.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        self.shared.told().problems
    }

    #[must_use]
    pub fn status(&self) -> Status {
        status::status(&self.shared, &self.local_addrs)
    }

    /// Whether the server answers: every live target has a verdict, or the start-up grace has passed.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.shared.readiness.is_ready()
    }

    /// What every steered name would be answered now.
    #[must_use]
    pub fn shares(&self) -> Vec<NameShares> {
        shares::all(&self.shared.snapshot.load(), &self.shared.gates)
    }

    /// How the answer to one question comes about, step by step: from `client`, with an ECS option that names `subnet`.
    pub fn explain(
        &self,
        name: &str,
        kind: &str,
        client: IpAddr,
        subnet: Option<IpNet>,
    ) -> Result<Explanation, ExplainError> {
        explain::explain(
            &self.shared.snapshot.load(),
            &self.shared.gates,
            &self.shared.gate_views.load(),
            name,
            kind,
            client,
            subnet,
        )
    }

    /// Registers this server's metrics. Several servers of one process use [`register_all`] together, so that each
    /// metric is described once.
    pub fn register(&self, registry: &mut Registry) {
        register_all(&[self], registry);
    }

    /// Stops answering and ends every thread; takes less than a second.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.shared.stop();
        self.stop_tcp.cancel();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!(server = %self.shared.name, "a thread had failed");
            }
        }
        self.shared.keeper.stop();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
