//! `TrafficPolicy`: a global name and how it is steered. `Zone`: the DNS zone it lives in.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use lifeboat_dns::{OnAllDown, ServiceInput};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::steer::SteerStep;
use crate::api::schema;

/// A global name, the workload behind it, and how queries for it are steered.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "lifeboat.dev",
    version = "v1alpha1",
    kind = "TrafficPolicy",
    plural = "trafficpolicies",
    shortname = "tp",
    category = "lifeboat",
    namespaced,
    status = "TrafficPolicyStatus",
    derive = "PartialEq",
    doc = "Gives a workload a global name that leads to the clusters where it is ready.",
    printcolumn(name = "NAME-SERVED", type_ = "string", json_path = ".spec.name"),
    printcolumn(name = "ZONE", type_ = "string", json_path = ".spec.zone"),
    printcolumn(name = "TTL", type_ = "integer", json_path = ".spec.ttl"),
    printcolumn(name = "CLUSTERS", type_ = "string", json_path = ".status.clusters"),
    printcolumn(
        name = "READY",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(
        name = "REASON",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        priority = 1
    ),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct TrafficPolicySpec {
    /// Seconds that an answer may be cached while a cluster is withdrawn, held or ramping up; half of `ttl` where not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400))]
    pub degraded_ttl: Option<u32>,
    /// Addresses that are answered while no cluster is known to be healthy, in place of `onAllDown`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::addresses")]
    pub fallback: Vec<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::https")]
    pub https: Option<Box<ServiceInput>>,
    /// The whole name that users resolve, inside the zone.
    #[schemars(schema_with = "schema::dns_name")]
    pub name: String,
    /// What is answered while no cluster is known to be healthy; `lastGood` where neither this nor `fallback` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_all_down: Option<WhenAllDown>,
    /// The service that users reach under the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<TrafficService>,
    #[schemars(schema_with = "schema::steer_chain")]
    pub steer: Vec<SteerStep>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::svcb")]
    pub svcb: Option<Box<ServiceInput>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "ttl")]
    pub ttl: Option<u32>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::weights")]
    pub weights: BTreeMap<String, u32>,
    /// The workload whose ready replicas decide how much a cluster gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<TrafficWorkload>,
    /// Name of the Zone object, which is the name of the DNS zone.
    #[schemars(schema_with = "schema::dns_name")]
    pub zone: String,
}

/// A service of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrafficService {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// A workload of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrafficWorkload {
    /// Group and version.
    #[schemars(length(min = 1))]
    pub api_version: String,
    /// Kind.
    #[schemars(length(min = 1))]
    pub kind: String,
    /// Name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// What a name is answered while no cluster is known to be healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum WhenAllDown {
    /// What was served just before.
    LastGood,
    /// Every cluster with a weight.
    All,
    /// An error, for which resolvers try elsewhere or answer what they have kept (RFC 8767).
    Servfail,
}

/// Whether the policy is in force, and for whom.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrafficPolicyStatus {
    /// Clusters that are candidates now, for people to read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub clusters: String,
    /// Ready: False with a reason when the policy cannot be served.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

impl TrafficPolicySpec {
    /// TTL of the answers when the policy has none, in seconds.
    pub const DEFAULT_TTL_SECONDS: u32 = 30;

    /// TTL of the answers in seconds.
    pub fn ttl_seconds(&self) -> u32 {
        self.ttl.unwrap_or(Self::DEFAULT_TTL_SECONDS)
    }

    /// What DNS servers do while no cluster is known to be healthy.
    pub fn when_all_down(&self) -> OnAllDown {
        match self.on_all_down {
            None if !self.fallback.is_empty() => OnAllDown::Fallback(self.fallback.clone()),
            None | Some(WhenAllDown::LastGood) => OnAllDown::LastGood,
            Some(WhenAllDown::All) => OnAllDown::All,
            Some(WhenAllDown::Servfail) => OnAllDown::Servfail,
        }
    }

    /// Factor for the ready replicas of a cluster.
    pub fn weight(&self, cluster: &str) -> u32 {
        self.weights.get(cluster).copied().unwrap_or(1)
    }
}

/// A DNS zone that Lifeboat serves with authority.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "lifeboat.dev",
    version = "v1alpha1",
    kind = "Zone",
    plural = "zones",
    category = "lifeboat",
    status = "ZoneStatus",
    derive = "PartialEq",
    doc = "A DNS zone that Lifeboat serves with authority; the object has the name of the zone.",
    printcolumn(name = "TTL", type_ = "integer", json_path = ".spec.ttl"),
    printcolumn(name = "PRIMARY", type_ = "string", json_path = ".spec.soa.mname"),
    printcolumn(name = "NAMES", type_ = "integer", json_path = ".status.names"),
    printcolumn(
        name = "READY",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ZoneSpec {
    /// Servers of the zone, with addresses for those inside it.
    #[schemars(length(min = 1, max = 13))]
    pub name_servers: Vec<NameServer>,
    /// Records other than steered names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<ZoneRecord>,
    /// Start of authority; the serial follows the steering plan.
    pub soa: Soa,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "ttl")]
    pub ttl: Option<u32>,
}

/// Start of authority.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Soa {
    /// Seconds after which a secondary that hears nothing stops serving.
    #[serde(default = "Soa::default_expire")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub expire: u32,
    /// Seconds for which "there is no such name" may be cached.
    #[serde(default = "Soa::default_minimum")]
    #[schemars(range(min = 0, max = 86_400))]
    pub minimum: u32,
    /// Primary name server.
    #[schemars(schema_with = "schema::dns_name")]
    pub mname: String,
    /// Seconds between a secondary's looks for changes.
    #[serde(default = "Soa::default_refresh")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub refresh: u32,
    /// Seconds before a secondary looks again after a failure.
    #[serde(default = "Soa::default_retry")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub retry: u32,
    /// Mailbox of the person in charge, with a dot for the at sign.
    #[schemars(schema_with = "schema::mailbox")]
    pub rname: String,
}

impl Soa {
    fn default_refresh() -> u32 {
        3600
    }

    fn default_retry() -> u32 {
        600
    }

    fn default_expire() -> u32 {
        604_800
    }

    fn default_minimum() -> u32 {
        30
    }
}

/// A server of the zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NameServer {
    /// Its addresses, needed when its name is inside the zone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::addresses")]
    pub addresses: Vec<IpAddr>,
    /// Its name.
    #[schemars(schema_with = "schema::dns_name")]
    pub name: String,
}

/// A record set that is not steered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ZoneRecord {
    /// Data of each record, in the form of a zone file.
    #[schemars(length(min = 1, max = 64))]
    pub data: Vec<String>,
    /// The whole name, or `@` for the zone itself.
    #[schemars(length(min = 1, max = 254))]
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "ttl")]
    pub ttl: Option<u32>,
    /// Record type.
    #[serde(rename = "type")]
    #[schemars(schema_with = "record_type")]
    pub kind: String,
}

/// Whether the zone is served.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ZoneStatus {
    /// Ready: False with a reason when the zone cannot be served.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Steered names in the zone.
    #[serde(default)]
    pub names: u32,
}

/// Record types that a `Zone` may list.
pub(crate) const RECORD_TYPES: [&str; 9] = ["A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SRV", "TXT"];

/// Largest TTL that is accepted: one day.
pub(crate) const MAX_TTL_SECONDS: u32 = 86_400;

fn record_type(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "description": "Record type.", "type": "string", "enum": RECORD_TYPES })
}

fn ttl(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "description": "How long answers may be cached, in seconds.",
        "type": "integer", "format": "int32", "minimum": 0, "maximum": MAX_TTL_SECONDS, "default": 30,
    })
}
