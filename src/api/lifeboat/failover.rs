//! `FailoverPolicy`: the settings of the slow tier, which moves replicas.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::policy::{ClusterAffinity, is_false};
use crate::api::schema;

/// When replicas of a lost cluster move, how fast, and how they come back.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "lifeboat.dev",
    version = "v1alpha1",
    kind = "FailoverPolicy",
    plural = "failoverpolicies",
    shortname = "fp",
    category = "lifeboat",
    status = "FailoverPolicyStatus",
    derive = "PartialEq",
    doc = "When replicas of a lost cluster move, how fast, and how they come back.",
    printcolumn(name = "HOLD", type_ = "string", json_path = ".spec.hold"),
    printcolumn(
        name = "EVICTIONS-PER-SECOND",
        type_ = "integer",
        json_path = ".spec.budget.evictionsPerSecond"
    ),
    printcolumn(name = "BURST", type_ = "integer", json_path = ".spec.budget.burst"),
    printcolumn(name = "FAILBACK", type_ = "boolean", json_path = ".spec.failback.enabled"),
    printcolumn(name = "FROZEN", type_ = "boolean", json_path = ".status.frozen"),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct FailoverPolicySpec {
    /// How many evictions there may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<EvictionBudget>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::failover_clusters")]
    pub clusters: Option<ClusterAffinity>,
    /// How replicas come back to a cluster that has recovered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failback: Option<Failback>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::hold")]
    pub hold: Option<kube::core::Duration>,
    /// Raise capacity elsewhere as soon as a cluster takes no traffic, although its replicas stay.
    #[serde(default, skip_serializing_if = "is_false")]
    pub pre_scale: bool,
}

/// A bucket of evictions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvictionBudget {
    /// Evictions that may happen at once.
    #[serde(default = "EvictionBudget::default_burst")]
    #[schemars(range(min = 1, max = 100_000))]
    pub burst: u32,
    /// Evictions a second after the burst.
    #[serde(default = "EvictionBudget::default_rate")]
    #[schemars(range(min = 1, max = 100_000))]
    pub evictions_per_second: u32,
}

impl EvictionBudget {
    fn default_burst() -> u32 {
        200
    }

    fn default_rate() -> u32 {
        100
    }
}

impl Default for EvictionBudget {
    fn default() -> Self {
        Self {
            burst: Self::default_burst(),
            evictions_per_second: Self::default_rate(),
        }
    }
}

/// How replicas come back.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failback {
    /// Whether they come back by themselves.
    #[serde(default = "Failback::default_enabled")]
    pub enabled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::settle")]
    pub settle: Option<kube::core::Duration>,
}

impl Failback {
    fn default_enabled() -> bool {
        true
    }
}

impl Default for Failback {
    fn default() -> Self {
        Self {
            enabled: Self::default_enabled(),
            settle: None,
        }
    }
}

/// What failover is doing.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailoverPolicyStatus {
    /// Accepted, and what is in progress.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Too many clusters look down for any eviction to be right.
    #[serde(default)]
    pub frozen: bool,
}

impl FailoverPolicySpec {
    /// How long a cluster must be Down before replicas move.
    pub fn hold(&self) -> std::time::Duration {
        self.hold.map_or(std::time::Duration::from_secs(30), Into::into)
    }

    /// How long a returned cluster must be Up before replicas move back.
    pub fn settle(&self) -> std::time::Duration {
        self.failback
            .as_ref()
            .and_then(|failback| failback.settle)
            .map_or(std::time::Duration::from_secs(60), Into::into)
    }
}
