//! What a plan is compiled from, reduced to what the compiler needs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
};

use lifeboat_dns::{OnAllDown, ServiceInput, SnapshotInput, ZoneInput};
use serde::Serialize;

use crate::api::SteerStep;
use crate::failover::{ClusterHealth, Movement};

/// Names an object whose condition is set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectKey {
    pub kind: String,
    pub namespace: Option<String>,
    pub name: String,
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// Names a workload template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadKey {
    pub api_version: String,
    pub kind: String,
    pub namespace: String,
    pub name: String,
}

impl fmt::Display for WorkloadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {}/{}",
            self.api_version, self.kind, self.namespace, self.name
        )
    }
}

/// A `Zone` object.
#[derive(Clone, Debug)]
pub struct ZoneView {
    pub object: ObjectKey,
    /// Seconds since the epoch of `metadata.creationTimestamp`: of two claims the older one counts.
    pub created: i64,
    pub zone: ZoneInput,
}

/// A `TrafficPolicy` object.
#[derive(Clone, Debug)]
pub struct PolicyView {
    pub object: ObjectKey,
    /// Seconds since the epoch of `metadata.creationTimestamp`: of two claims the older one counts.
    pub created: i64,
    /// `spec.name`.
    pub name: String,
    /// `spec.zone`.
    pub zone: String,
    /// Seconds.
    pub ttl: u32,
    pub steer: Vec<SteerStep>,
    pub on_all_down: OnAllDown,
    /// Seconds.
    pub degraded_ttl: Option<u32>,
    /// Weight of one ready replica by cluster; 1 where a cluster is not listed.
    pub weights: BTreeMap<String, u32>,
    pub https: Option<Box<ServiceInput>>,
    pub svcb: Option<Box<ServiceInput>>,
    pub workload: WorkloadKey,
    /// `spec.service`: what users are to reach in every cluster that is answered.
    pub service: Option<WorkloadKey>,
    /// Why the policy as it stands means nothing: what it served before stays.
    pub invalid: Option<String>,
}

/// Ready replicas as last reported from one cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    pub replicas: i32,
    /// Read from the member since its control path last came back: not a memory of what was there before.
    pub fresh: bool,
}

/// A workload by its binding.
#[derive(Clone, Debug, Default)]
pub struct WorkloadView {
    /// Names in `spec.clusters`.
    pub clusters: BTreeSet<String>,
    /// Every cluster it is applied in: these, those where something else requires it, and those it is leaving.
    pub present: BTreeSet<String>,
    pub ready: BTreeMap<String, Ready>,
    pub movement: Option<Movement>,
}

/// Where users enter a cluster.
#[derive(Clone, Debug, Default)]
pub struct ClusterEdge {
    /// Ingress addresses of both families.
    pub addresses: Vec<IpAddr>,
}

/// Everything one compilation reads. All indexes are complete: what is not here does not exist.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    pub fleet_uid: &'a str,
    pub epoch: u64,
    pub zones: &'a [ZoneView],
    pub policies: &'a [PolicyView],
    pub workloads: &'a BTreeMap<WorkloadKey, WorkloadView>,
    pub clusters: &'a BTreeMap<String, ClusterEdge>,
    pub health: &'a BTreeMap<String, ClusterHealth>,
    /// The brake of the eviction tier is on: nothing is lowered on account of verdicts.
    pub freeze: bool,
    /// The last plan that was published, by whichever leader.
    pub previous: Option<&'a SnapshotInput>,
}

impl ClusterEdge {
    /// Reads the annotation `lifeboat.dev/ingress-addresses`: addresses separated by commas.
    ///
    /// # Errors
    /// The first entry that is not an IP address.
    pub fn parse(annotation: &str) -> Result<Self, String> {
        let entries = annotation
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty());
        let addresses = entries
            .map(|entry| {
                entry.parse().map_err(|_| {
                    format!(
                        "metadata.annotations[{INGRESS_ADDRESSES}]: {entry:?} is not an IP address; \
                         IPv4 and IPv6 addresses separated by commas are allowed"
                    )
                })
            })
            .collect::<Result<Vec<IpAddr>, String>>()?;
        Ok(Self { addresses })
    }
}

/// Annotation of a `Cluster` that holds its ingress addresses.
pub const INGRESS_ADDRESSES: &str = "lifeboat.dev/ingress-addresses";
