//! What a drill talks to, what it does, and what it demands.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use crate::fault::ScheduledFault;

/// A drill over running DNS servers, members, control plane and console.
#[derive(Clone, Debug)]
pub struct DrillConfig {
    /// Of every draw the drill makes.
    pub seed: u64,
    /// From the moment everything was ready to the end.
    pub duration: Duration,
    /// What to inject, and when. Leave a second before the first: only a cluster that was seen in answers before can
    /// be seen to leave them.
    pub faults: Vec<ScheduledFault>,
    /// When to clear everything; `None` clears at the end.
    pub clear_at: Option<Duration>,
    /// The DNS servers, all of them probed and used by the users.
    pub dns: Vec<SocketAddr>,
    /// The global names, all of them probed and visited.
    pub names: Vec<String>,
    /// The port of the VIPs that the names point to.
    pub vip_port: u16,
    /// The member clusters.
    pub members: Vec<MemberEndpoint>,
    /// The control plane's API server.
    pub control_plane: SocketAddr,
    /// The console, for its stream of verdicts.
    pub console: SocketAddr,
    /// The token the console asks for, where it does.
    pub token: Option<String>,
    /// The Deployments to count.
    pub workloads: Vec<WorkloadRef>,
    /// Synthetic users over all names.
    pub users: usize,
    /// Each user makes one request in this time.
    pub user_interval: Duration,
    /// How long to wait for every name to be answered and every replica to be ready before the drill begins.
    pub preflight: Duration,
    /// What is demanded.
    pub limits: Limits,
}

/// A member cluster seen from outside.
#[derive(Clone, Debug)]
pub struct MemberEndpoint {
    /// The name by which faults call it.
    pub name: String,
    /// Its API server.
    pub api: SocketAddr,
    /// The addresses of its ingress that DNS gives.
    pub vips: Vec<IpAddr>,
}

/// A Deployment on the control plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadRef {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// The limits a drill holds its figures against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For the withdrawal from every DNS server.
    pub all_dns_changed: Duration,
    /// For the last failed request of a user.
    pub users_recovered: Duration,
    /// For as many ready replicas as desired.
    pub replicas_ready: Duration,
    /// From the clearing to the first answer with the returned cluster.
    pub traffic_returned: Duration,
    /// From the clearing until every replica must be ready again.
    pub settled_after_clear: Duration,
}

impl Limits {
    /// The limits of the product for these settings: the TTL of the names, the hold before evictions, the time a pod
    /// takes to start.
    pub fn new(ttl: Duration, hold: Duration, pod_start_delay: Duration) -> Self {
        let second = Duration::from_secs(1);
        Self {
            all_dns_changed: second,
            users_recovered: second + ttl + second,
            replicas_ready: hold + pod_start_delay + 3 * second,
            traffic_returned: 20 * second,
            settled_after_clear: 30 * second + pod_start_delay,
        }
    }
}
