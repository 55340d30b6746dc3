//! What the scheduler sees of a member cluster.

use std::collections::BTreeMap;

use super::estimate;
use super::resources::Resources;
use crate::api::{ApiEnablement, Cluster, Taint};

/// A member cluster, reduced to what scheduling looks at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterView {
    /// Name of the cluster.
    pub name: String,
    /// Cloud provider.
    pub provider: String,
    /// Region.
    pub region: String,
    /// Zones, the deprecated single zone included.
    pub zones: Vec<String>,
    /// Labels of the Cluster object.
    pub labels: BTreeMap<String, String>,
    /// What a workload must tolerate.
    pub taints: Vec<Taint>,
    /// Kinds the cluster serves.
    pub api_enablements: Vec<ApiEnablement>,
    /// Condition Ready is True.
    pub ready: bool,
    /// What is left for pods; nothing when the cluster reports no resources.
    pub free: Resources,
}

impl ClusterView {
    /// Reads the object. Quantities that cannot be read count as nothing left.
    pub fn from_cluster(cluster: &Cluster) -> Self {
        let spec = &cluster.spec;
        let status = cluster.status.clone().unwrap_or_default();
        let is_true = |kind: &str| {
            status
                .conditions
                .iter()
                .any(|found| found.type_ == kind && found.status == "True")
        };
        let zones = if spec.zones.is_empty() && !spec.zone.is_empty() {
            vec![spec.zone.clone()]
        } else {
            spec.zones.clone()
        };
        Self {
            name: cluster.metadata.name.clone().unwrap_or_default(),
            provider: spec.provider.clone(),
            region: spec.region.clone(),
            zones,
            labels: cluster.metadata.labels.clone().unwrap_or_default(),
            taints: spec.taints.clone(),
            ready: is_true("Ready"),
            free: status
                .resource_summary
                .as_ref()
                .map(estimate::free)
                .unwrap_or_default(),
            api_enablements: status.api_enablements,
        }
    }

    /// Whether the cluster serves a kind.
    pub fn serves(&self, api_version: &str, kind: &str) -> bool {
        self.api_enablements.iter().any(|enablement| {
            enablement.group_version == api_version
                && enablement.resources.iter().any(|resource| resource.kind == kind)
        })
    }
}
