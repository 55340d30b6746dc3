//! The five clusters of the showcase, started together.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use super::{MemberCluster, MemberConfig, MemberError, NodeShape};
use crate::fault::FaultTarget;

/// Where a cluster of the showcase stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShowcaseCluster {
    /// Its name, which is its region too.
    pub name: &'static str,
    /// The cloud.
    pub provider: &'static str,
    /// The zones of the region.
    pub zones: [&'static str; 3],
}

/// The clusters of the showcase in the order of their addresses: the first is 127.0.1.1.
pub const SHOWCASE: [ShowcaseCluster; 5] = [
    ShowcaseCluster {
        name: "eu-north-1",
        provider: "aws",
        zones: ["eu-north-1a", "eu-north-1b", "eu-north-1c"],
    },
    ShowcaseCluster {
        name: "eu-central-1",
        provider: "aws",
        zones: ["eu-central-1a", "eu-central-1b", "eu-central-1c"],
    },
    ShowcaseCluster {
        name: "europe-north1",
        provider: "gcp",
        zones: ["europe-north1-a", "europe-north1-b", "europe-north1-c"],
    },
    ShowcaseCluster {
        name: "europe-west1",
        provider: "gcp",
        zones: ["europe-west1-b", "europe-west1-c", "europe-west1-d"],
    },
    ShowcaseCluster {
        name: "us-east1",
        provider: "gcp",
        zones: ["us-east1-b", "us-east1-c", "us-east1-d"],
    },
];

/// What the clusters of a fleet have in common.
#[derive(Clone, Debug)]
pub struct FleetOptions {
    /// The nodes of each cluster.
    pub nodes: NodeShape,
    /// From a pod's placement until it is ready.
    pub pod_start_delay: Duration,
    /// The port of every API server; 0 picks a free one for each.
    pub api_port: u16,
    /// The port of every VIP; 0 picks a free one for each.
    pub vip_port: u16,
    /// Draws pod names; each cluster has a seed of its own made from it.
    pub seed: u64,
}

impl Default for FleetOptions {
    fn default() -> Self {
        Self {
            nodes: NodeShape::default(),
            pod_start_delay: Duration::from_secs(2),
            api_port: 6443,
            vip_port: 8000,
            seed: 1,
        }
    }
}

/// Running member clusters.
pub struct Fleet {
    members: Vec<MemberCluster>,
}

impl Fleet {
    /// The five clusters of the showcase on 127.0.1.1 to 127.0.5.1, started in parallel.
    ///
    /// # Errors
    /// The first cluster that does not start; the others are stopped.
    pub async fn showcase(options: &FleetOptions) -> Result<Self, MemberError> {
        Self::start(
            (1..)
                .zip(SHOWCASE)
                .map(|(index, cluster)| config(options, index, cluster)),
        )
        .await
    }

    /// Any clusters, started in parallel and kept in the order given.
    ///
    /// # Errors
    /// The first cluster that does not start; the others are stopped.
    pub async fn start(configs: impl IntoIterator<Item = MemberConfig>) -> Result<Self, MemberError> {
        let started = futures::future::join_all(configs.into_iter().map(MemberCluster::start)).await;
        let mut fleet = Self { members: Vec::new() };
        let mut failure = None;
        for member in started {
            match member {
                Ok(member) => fleet.members.push(member),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        match failure {
            None => Ok(fleet),
            Some(error) => {
                fleet.stop().await;
                Err(error)
            }
        }
    }

    /// The clusters in order.
    pub fn members(&self) -> &[MemberCluster] {
        &self.members
    }

    /// The cluster of this name.
    pub fn member(&self, name: &str) -> Option<&MemberCluster> {
        self.members.iter().find(|member| member.name() == name)
    }

    /// Every cluster, for a fault registry.
    pub fn fault_targets(&self) -> Vec<Arc<dyn FaultTarget>> {
        self.members.iter().map(MemberCluster::fault_target).collect()
    }

    /// Stops all clusters together.
    pub async fn stop(self) {
        futures::future::join_all(self.members.into_iter().map(MemberCluster::stop)).await;
    }
}

fn config(options: &FleetOptions, index: u8, cluster: ShowcaseCluster) -> MemberConfig {
    let address = Ipv4Addr::new(127, 0, index, 1);
    MemberConfig {
        name: cluster.name.to_owned(),
        provider: cluster.provider.to_owned(),
        region: cluster.name.to_owned(),
        zones: cluster.zones.map(str::to_owned).to_vec(),
        nodes: options.nodes,
        pod_start_delay: options.pod_start_delay,
        api_listen: SocketAddr::from((address, options.api_port)),
        vip_listen: SocketAddr::from((address, options.vip_port)),
        seed: options
            .seed
            .wrapping_mul(1_000_003)
            .wrapping_add(u64::from(index)),
    }
}
