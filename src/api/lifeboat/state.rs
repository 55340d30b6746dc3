//! Objects of which Lifeboat writes all or the status: plans, the epoch, eviction intents, observers.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::schema;

/// Head of the steering plan in force: its stamp and its shards.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "lifeboat.dev",
    version = "v1alpha1",
    kind = "SteeringPlan",
    plural = "steeringplans",
    category = "lifeboat",
    derive = "PartialEq",
    doc = "Head of the steering plan in force. Written by the controller, read by DNS servers.",
    printcolumn(name = "EPOCH", type_ = "integer", json_path = ".spec.epoch"),
    printcolumn(name = "SEQ", type_ = "integer", json_path = ".spec.seq"),
    printcolumn(name = "SHARDS", type_ = "string", json_path = ".spec.shards[*].name"),
    printcolumn(name = "FLEET", type_ = "string", json_path = ".spec.fleetUid", priority = 1),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct SteeringPlanSpec {
    /// Term of the controller that wrote the plan.
    pub epoch: u64,
    /// Fleet the plan is for; a DNS server refuses the plan of another.
    #[schemars(length(min = 1, max = 253))]
    pub fleet_uid: String,
    /// Number of the plan within its epoch.
    pub seq: u64,
    /// The parts, in order.
    pub shards: Vec<ShardReference>,
}

/// One part of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShardReference {
    /// SHA-256 of the payload in hex.
    pub hash: String,
    /// Name of the SteeringPlanShard.
    pub name: String,
}

/// One part of a steering plan.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "lifeboat.dev",
    version = "v1alpha1",
    kind = "SteeringPlanShard",
    plural = "steeringplanshards",
    category = "lifeboat",
    derive = "PartialEq",
    doc = "One part of a steering plan. Written by the controller, read by DNS servers.",
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct SteeringPlanShardSpec {
    /// JSON text of this part.
    #[schemars(length(max = 524_288))]
    pub payload: String,
}

/// The term of the controller that may act; only ever raised.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "lifeboat.dev",
    version = "v1alpha1",
    kind = "FailoverEpoch",
    plural = "failoverepochs",
    category = "lifeboat",
    derive = "PartialEq",
    doc = "The term of the controller that may act.",
    printcolumn(name = "EPOCH", type_ = "integer", json_path = ".spec.epoch"),
    printcolumn(name = "HOLDER", type_ = "string", json_path = ".spec.holder"),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct FailoverEpochSpec {
    /// The term.
    pub epoch: u64,
    /// Who took it.
    pub holder: String,
}

/// Says that one binding is evicted from one cluster once, whoever leads.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "lifeboat.dev",
    version = "v1alpha1",
    kind = "EvictionIntent",
    plural = "evictionintents",
    category = "lifeboat",
    derive = "PartialEq",
    doc = "Says that one binding is evicted from one cluster once, whoever leads.",
    printcolumn(name = "CLUSTER", type_ = "string", json_path = ".spec.cluster"),
    printcolumn(name = "BINDING", type_ = "string", json_path = ".spec.binding"),
    printcolumn(name = "REASON", type_ = "string", json_path = ".spec.reason"),
    printcolumn(name = "PLAN", type_ = "string", json_path = ".spec.plan"),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct EvictionIntentSpec {
    /// `namespace/name` of the binding.
    pub binding: String,
    /// The cluster it leaves.
    pub cluster: String,
    /// Which loss of the cluster this is. Counts the times both of its paths were Down for the whole hold, from the
    /// highest number that an intent held when the leader began; a leader that finds the cluster Down goes on with
    /// that number.
    pub health_epoch: u64,
    /// The failover plan that decided it, as `epoch/seq`.
    pub plan: String,
    /// Why.
    #[schemars(length(max = 1024))]
    pub reason: String,
}

/// A process that probes all targets from one failure domain. Its name is the one in its certificate.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "lifeboat.dev",
    version = "v1alpha1",
    kind = "Observer",
    plural = "observers",
    category = "lifeboat",
    derive = "PartialEq",
    status = "ObserverStatus",
    doc = "A process that probes all targets from one failure domain; its name is the one in its certificate. Where there \
           are such objects, the evidence of others does not count.",
    printcolumn(name = "REGION", type_ = "string", json_path = ".spec.region"),
    printcolumn(
        name = "HEARD",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Heard")].status"#
    ),
    printcolumn(
        name = "ABSTAINING",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Abstaining")].status"#
    ),
    printcolumn(name = "EVIDENCE", type_ = "date", json_path = ".status.lastEvidence"),
    printcolumn(name = "ADDRESS", type_ = "string", json_path = ".spec.address", priority = 1),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ObserverSpec {
    /// Where it sends from, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// Where DNS servers and controllers listen for its evidence: `HOST:PORT`, UDP. The observer takes them in place of the
    /// `consumers` of its file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::consumers")]
    pub consumers: Vec<String>,
    /// Its failure domain. Counts in place of the one in its file.
    #[schemars(schema_with = "schema::region")]
    pub region: String,
    /// When it was registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
}

/// What the controller hears of an observer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObserverStatus {
    /// Heard: whether its evidence is fresh. Abstaining: whether it finds itself at fault. TooFewObservers: whether all of them are too few to decide. ProbesOtherwise: whether it probes otherwise than the controller's profile says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// When its evidence was last heard; told once a minute while it is fresh, and when it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_evidence: Option<Time>,
}
