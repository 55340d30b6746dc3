//! Karmada's policy group, `policy.karmada.io/v1alpha1`: which objects go where, and how they are divided.

mod defaults;
mod failover;
mod placement;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{schema, twin::cluster_twin};
pub use failover::{
    ApplicationFailover, ClusterFailover, DecisionConditions, Failover, PurgeMode, StatePreservation,
    StatePreservationRule,
};
pub use placement::{
    ClusterAffinity, ClusterAffinityTerm, ClusterPreferences, DivisionPreference, DynamicWeightFactor,
    FieldSelector, OverflowAffinity, Placement, ReplicaSchedulingStrategy, SchedulingType, SpreadConstraint,
    SpreadField, StaticClusterWeight, WorkloadAffinity, WorkloadAffinityTerm,
};

/// Which objects are propagated to which member clusters, and how their replicas are divided.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "policy.karmada.io",
    version = "v1alpha1",
    kind = "PropagationPolicy",
    plural = "propagationpolicies",
    shortname = "pp",
    category = "karmada-io",
    namespaced,
    derive = "PartialEq",
    doc = "Propagates the selected objects of its namespace to member clusters.",
    printcolumn(
        name = "CONFLICT-RESOLUTION",
        type_ = "string",
        json_path = ".spec.conflictResolution"
    ),
    printcolumn(name = "PRIORITY", type_ = "string", json_path = ".spec.priority"),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct PropagationSpec {
    /// Lazy: a change of the policy takes effect only with the next change of the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation_preference: Option<ActivationPreference>,
    /// Deprecated predecessor of propagateDeps.
    #[serde(default, skip_serializing_if = "is_false")]
    pub association: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::conflict_resolution")]
    pub conflict_resolution: Option<ConflictResolution>,
    /// Names of override policies that must exist before anything is propagated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependent_overrides: Vec<String>,
    /// What happens when a cluster or the application fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<Failover>,
    /// Where to, and how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// Whether this policy may take objects over from a policy of lower priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "preemption")]
    pub preemption: Option<Preemption>,
    /// Keep the objects in the member clusters when the template is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preserve_resources_on_deletion: Option<bool>,
    /// The greater one wins when several policies select an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "priority")]
    pub priority: Option<i32>,
    /// Whether ConfigMaps, Secrets and the like that the object refers to follow it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub propagate_deps: bool,
    /// The objects this policy is for.
    #[schemars(length(min = 1))]
    pub resource_selectors: Vec<ResourceSelector>,
    /// Order in which waiting bindings are scheduled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_priority: Option<SchedulePriority>,
    /// Scheduler that handles the bindings of this policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "scheduler_name")]
    pub scheduler_name: Option<String>,
    /// What is suspended at present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspension: Option<Suspension>,
}

cluster_twin! {
    /// Propagates objects of all namespaces, and cluster-scoped ones, to member clusters.
    ClusterPropagationPolicy of PropagationPolicy { PropagationSpec }, plural "clusterpropagationpolicies"
}

/// Selects objects by kind, and by name or labels if given; a name makes the labels irrelevant.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceSelector {
    /// Group and version of the objects.
    pub api_version: String,
    /// Kind of the objects.
    pub kind: String,
    /// Labels of the objects; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<LabelSelector>,
    /// Name of the one object.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Namespace of the objects; by default the policy's, or any for a cluster-scoped policy.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
}

/// See `PropagationSpec::conflict_resolution`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub enum ConflictResolution {
    #[default]
    Abort,
    Overwrite,
}

/// See `PropagationSpec::preemption`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub enum Preemption {
    Always,
    #[default]
    Never,
}

/// See `PropagationSpec::activation_preference`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub enum ActivationPreference {
    Lazy,
}

/// Where the scheduling priority comes from.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SchedulePriority {
    /// Name of the priority class.
    pub priority_class_name: String,
    /// Kind of the priority class.
    pub priority_class_source: PriorityClassSource,
}

/// See `SchedulePriority`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub enum PriorityClassSource {
    KubePriorityClass,
}

/// What of propagation is suspended.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Suspension {
    /// Nothing is sent to any member cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispatching: Option<bool>,
    /// Nothing is sent to these member clusters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispatching_on_clusters: Option<SuspendClusters>,
}

/// Member clusters that a suspension is for.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SuspendClusters {
    /// Names of member clusters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cluster_names: Vec<String>,
}

impl PropagationSpec {
    /// The explicit priority, 0 when not set.
    pub fn explicit_priority(&self) -> i32 {
        self.priority.unwrap_or_default()
    }
}

fn preemption(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "description": "Whether this policy may take objects over from a policy of lower priority.",
        "type": "string", "enum": ["Always", "Never"], "default": "Never",
    })
}

fn priority(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "description": "The greater one wins when several policies select an object.",
        "type": "integer", "format": "int32", "default": 0,
    })
}

fn scheduler_name(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "description": "Scheduler that handles the bindings of this policy.",
        "type": "string", "default": "default-scheduler",
    })
}

pub(crate) fn is_false(value: &bool) -> bool {
    !value
}
