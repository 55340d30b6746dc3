//! What a simulated member cluster is made of.

use std::{net::SocketAddr, time::Duration};

/// A member cluster to simulate.
#[derive(Clone, Debug)]
pub struct MemberConfig {
    /// The cluster's name, as faults and the control plane call it.
    pub name: String,
    /// The cloud, such as `aws`.
    pub provider: String,
    /// The region.
    pub region: String,
    /// The zones nodes are spread over.
    pub zones: Vec<String>,
    /// The nodes, all alike.
    pub nodes: NodeShape,
    /// From a pod's placement on a node until it is ready.
    pub pod_start_delay: Duration,
    /// Where the API server listens; port 0 picks a free one.
    pub api_listen: SocketAddr,
    /// Where the ingress VIP listens; port 0 picks a free one.
    pub vip_listen: SocketAddr,
    /// Draws pod names.
    pub seed: u64,
}

/// How many nodes there are, and what each has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeShape {
    /// Nodes in the cluster.
    pub count: usize,
    /// Cores of each.
    pub cpu: u32,
    /// Memory of each, in GiB.
    pub memory_gib: u32,
    /// Pods each can hold.
    pub pods: u32,
}

impl Default for NodeShape {
    fn default() -> Self {
        Self {
            count: 3,
            cpu: 4,
            memory_gib: 16,
            pods: 110,
        }
    }
}
