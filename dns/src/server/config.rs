//! What a server is started with.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::StartError;
use crate::gate::Ramp;
use crate::proxy::ProxyFrom;
use crate::tcp::TcpLimits;

pub(crate) const MAX_UDP_THREADS: usize = 256;

/// Whose client subnets count. Those of others are as if they were not there: not used, not checked, not echoed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EcsFrom {
    Nobody,
    Anybody,
    /// Resolvers in these networks.
    Networks(Vec<IpNet>),
}

impl EcsFrom {
    pub(crate) fn covers(&self, resolver: IpAddr) -> bool {
        match self {
            Self::Nobody => false,
            Self::Anybody => true,
            Self::Networks(networks) => {
                let resolver = resolver.to_canonical();
                networks.iter().any(|network| network.contains(&resolver))
            }
        }
    }
}

#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Names threads, and the `server` label of metrics.
    pub name: String,
    pub listen: Vec<Listen>,
    pub tcp_limits: TcpLimits,
    /// Folder of last-known-good; created if absent.
    pub state: PathBuf,
    /// How long after the start answers wait for verdicts.
    pub start_grace: Duration,
    /// No answers before there is a plan, or last-known-good in its place.
    pub wait_for_plan: bool,
    pub ramp: Ramp,
    /// Seed of the draws; from the system where not set.
    pub seed: Option<u64>,
    /// Whose EDNS Client Subnet options (RFC 7871) are believed.
    pub ecs: EcsFrom,
    /// How many clusters of each address family overrides must leave active.
    pub min_active_clusters: usize,
    /// How long a plan serves before it becomes last-known-good.
    pub soak: Duration,
}

/// One address and what answers there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    pub address: SocketAddr,
    pub udp_threads: usize,
    pub tcp: bool,
    /// Whose PROXY headers say who the client is. With this, every query has to have one.
    pub proxy: Option<ProxyFrom>,
}

impl From<SocketAddr> for Listen {
    /// One UDP thread, and TCP.
    fn from(address: SocketAddr) -> Self {
        Self {
            address,
            udp_threads: 1,
            tcp: true,
            proxy: None,
        }
    }
}

impl ServerConfig {
    /// The usual settings: one UDP thread an address, TCP, 2 s of grace, the default ramp, 3 s of soak.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        listen: impl IntoIterator<Item = impl Into<Listen>>,
        state: impl Into<PathBuf>,
    ) -> Self {
        Self {
            name: name.into(),
            listen: listen.into_iter().map(Into::into).collect(),
            tcp_limits: TcpLimits::default(),
            state: state.into(),
            start_grace: Duration::from_secs(2),
            wait_for_plan: false,
            ramp: Ramp::default(),
            seed: None,
            ecs: EcsFrom::Anybody,
            min_active_clusters: 1,
            soak: Duration::from_secs(3),
        }
    }

    pub(crate) fn check(&self) -> Result<(), StartError> {
        if self.listen.is_empty() {
            return Err(StartError::NoAddress);
        }
        for Listen {
            address, udp_threads, ..
        } in &self.listen
        {
            if *udp_threads == 0 || *udp_threads > MAX_UDP_THREADS {
                return Err(StartError::UdpThreads {
                    address: *address,
                    given: *udp_threads,
                });
            }
        }
        if self.ramp.step_permille == 0 || self.ramp.step_permille > 1_000 {
            return Err(StartError::RampStep(self.ramp.step_permille));
        }
        Ok(())
    }
}
