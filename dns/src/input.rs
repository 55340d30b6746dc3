//! What a steering plan looks like from outside: plain data with serde, checked only when it is applied.
//! The same types are read from a file, from the control plane, and from last-known-good on disk.

mod geo;
mod service;
mod steer;

use std::net::IpAddr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stamp::Stamp;
use crate::zone::Zone;
pub(crate) use geo::CONTINENTS;
pub use geo::{Degrees, Geo, Latency, LatencyRow, Location};
pub use service::{ServiceInput, ServiceKey};
pub use steer::{Capacity, ClusterCapacity, Failover, Filter, OnAllDown, Sticky};

/// One steering plan: every zone and name it changes, and what it takes away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SnapshotInput {
    pub stamp: Stamp,
    /// Zones to create or replace. A zone that is not listed stays.
    #[serde(default)]
    pub zones: Vec<ZoneInput>,
    /// Zones read from master files, to create or replace. A zone that is not listed stays.
    #[serde(skip)]
    pub files: Vec<Arc<Zone>>,
    /// Zones whose file could not be loaded. One that is held stays as it is; of one that is not, all queries fail.
    #[serde(skip)]
    pub broken: Vec<BrokenZone>,
    /// Steered names to create or replace. A name that is not listed stays.
    #[serde(default)]
    pub names: Vec<NameInput>,
    /// Names and zones to take away: the only way anything disappears.
    #[serde(default)]
    pub removed: Vec<String>,
}

/// A zone that should be served and cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenZone {
    pub name: String,
    /// For people.
    pub reason: String,
}

/// One zone: its SOA, its name servers and its fixed records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ZoneInput {
    pub name: String,
    pub soa: SoaInput,
    /// TTL in seconds of the SOA and NS records, and of records without their own.
    pub ttl: u32,
    pub name_servers: Vec<NameServerInput>,
    #[serde(default)]
    pub records: Vec<RecordInput>,
}

/// The SOA's fields (RFC 1035 §3.3.13). The serial is the plan's `seq`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SoaInput {
    pub mname: String,
    pub rname: String,
    pub refresh: u32,
    pub retry: u32,
    pub expire: u32,
    /// Upper bound, in seconds, of how long a negative answer is cached (RFC 2308 §4).
    pub minimum: u32,
}

/// A name server of a zone; addresses are needed when its name lies inside the zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NameServerInput {
    pub name: String,
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
}

/// A fixed record set: `kind` is a record type such as `A`, `TXT`, `CNAME` or `MX`, `data` one entry a record in presentation form (RFC 1035
/// §5.1); names in it are full, and a TXT is its text without quotes. NS sets below the apex delegate.
/// An ALIAS gives its name the addresses, HTTPS and SVCB records of another name of this server, steered or fixed: of what health and the
/// other name's filters choose, with the shorter TTL of the two. Unlike a CNAME it can stand at the apex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordInput {
    /// `@` for the apex, one label below it, or a full name inside the zone.
    pub name: String,
    #[serde(default)]
    pub ttl: Option<u32>,
    pub kind: String,
    pub data: Vec<String>,
}

/// A global name: its candidates by cluster and the filters that choose among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NameInput {
    pub name: String,
    pub zone: String,
    /// The record set's own stamp: inside a newer plan, an older record set is skipped.
    pub epoch: u64,
    pub seq: u64,
    /// TTL in seconds.
    pub ttl: u32,
    /// The filters between the candidates and an answer, in their order.
    pub steer: Vec<Filter>,
    /// What is answered while no candidate is known to be healthy.
    #[serde(default, skip_serializing_if = "OnAllDown::is_default")]
    pub on_all_down: OnAllDown,
    /// TTL in seconds while a candidate is withdrawn, held by PANIC or ramping up. Without it, half of `ttl`, and at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded_ttl: Option<u32>,
    /// HTTPS records (RFC 9460 §9) that follow the name's addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub https: Option<Box<ServiceInput>>,
    /// The same as SVCB records, for other protocols.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub svcb: Option<Box<ServiceInput>>,
    pub endpoints: Vec<EndpointInput>,
}

/// One cluster's addresses for a name. A weight of 0 keeps the cluster out of the answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EndpointInput {
    pub cluster: String,
    pub addresses: Vec<IpAddr>,
    pub weight: u32,
}
