//! Karmada's work group: bindings (`v1alpha2`) assign a workload to clusters, works (`v1alpha1`) carry its
//! manifests to one of them.

mod binding;
mod requirements;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{policy::is_false, schema};
pub use binding::{
    AggregatedStatusItem, BindingPriority, BindingSuspension, ClusterResourceBinding, GracefulEvictionTask,
    ObjectReference, RequiredBy, ResourceBinding, ResourceBindingSpec, ResourceBindingStatus, ResourceHealth,
    TargetCluster, TargetComponent, WorkloadAffinityGroups,
};
pub use requirements::{Component, ComponentRequirements, NodeClaim, ReplicaRequirements};

/// The manifests of one workload for one member cluster.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "work.karmada.io",
    version = "v1alpha1",
    kind = "Work",
    plural = "works",
    shortname = "wk",
    category = "karmada-io",
    namespaced,
    status = "WorkStatus",
    derive = "PartialEq",
    doc = "The manifests of one workload for one member cluster.",
    printcolumn(
        name = "WORKLOAD-KIND",
        type_ = "string",
        json_path = ".spec.workload.manifests[*].kind"
    ),
    printcolumn(
        name = "APPLIED",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Applied")].status"#
    ),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct WorkSpec {
    /// Keep the objects in the member cluster when this work is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preserve_resources_on_deletion: Option<bool>,
    /// Do not send anything at present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend_dispatching: Option<bool>,
    /// What is to be applied.
    #[serde(default)]
    pub workload: WorkloadTemplate,
}

/// What is to be applied.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadTemplate {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::manifests")]
    pub manifests: Vec<Value>,
}

/// What became of the manifests.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkStatus {
    /// Applied, Dispatching and others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Status of each manifest in the member cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub manifest_statuses: Vec<ManifestStatus>,
}

/// Status of one manifest in the member cluster.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManifestStatus {
    /// Whether the object does its job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<ResourceHealth>,
    /// Which object.
    pub identifier: ResourceIdentifier,
    /// Its status as collected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_object")]
    pub status: Option<Value>,
}

/// Names one manifest of a work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceIdentifier {
    /// Group, empty for the core group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace, empty for cluster-scoped objects.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Index in the list of manifests.
    #[schemars(schema_with = "schema::plain_int")]
    pub ordinal: i64,
    /// Plural name of the kind.
    pub resource: String,
    /// Version.
    pub version: String,
}

impl WorkSpec {
    /// Whether the objects outlive this work.
    pub fn preserves_resources(&self) -> bool {
        !is_false(&self.preserve_resources_on_deletion.unwrap_or_default())
    }
}
