//! What a policy says about failures: how a workload leaves, and which state it takes along.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::schema;

/// What happens when a cluster or the application fails.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failover {
    /// The application is unhealthy although its cluster is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<ApplicationFailover>,
    /// The cluster is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterFailover>,
}

/// When and how an unhealthy application is moved.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationFailover {
    /// When the application counts as failed.
    pub decision_conditions: DecisionConditions,
    /// How long a graceful eviction may last, 600 s when not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_period_seconds: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::application_purge_mode")]
    pub purge_mode: Option<PurgeMode>,
    /// State that is handed to the replacement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_preservation: Option<StatePreservation>,
}

/// When the application counts as failed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecisionConditions {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "toleration_seconds")]
    pub toleration_seconds: Option<i32>,
}

/// How a workload leaves a lost cluster.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterFailover {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::cluster_purge_mode")]
    pub purge_mode: Option<PurgeMode>,
    /// State that is handed to the replacement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_preservation: Option<StatePreservation>,
}

/// State that is handed to the replacement as labels.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatePreservation {
    /// What is read from the status, and the label it becomes.
    pub rules: Vec<StatePreservationRule>,
}

/// One value of the status that becomes a label of the replacement.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatePreservationRule {
    /// Label of the replacement.
    pub alias_label_name: String,
    /// Place in the status, as a JSONPath template.
    pub json_path: String,
}

/// How a workload leaves a cluster. The former spellings are understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[allow(missing_docs)]
pub enum PurgeMode {
    #[serde(alias = "Immediately")]
    Directly,
    #[default]
    #[serde(alias = "Graciously")]
    Gracefully,
    Never,
}

fn toleration_seconds(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "description": "How long the application may be unhealthy before it is moved.",
        "type": "integer", "format": "int32", "default": 300,
    })
}
