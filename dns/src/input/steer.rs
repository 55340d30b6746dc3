//! The steering filters of a name, as a plan states them: `steer: [{health: {}}, {failover: {tiers: [[eu], [us]]}}, {weighted: {}}]`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Geo, Latency};

/// One filter of the chain. Each takes the candidates that the one before it left; one that would leave nobody is passed
/// over. Without `weighted`, `sticky` or `all` one cluster is drawn by weight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Filter {
    /// Only clusters that health lets through. Always enforced, and first; listing it changes nothing.
    Health {},
    /// The clusters that the client's whereabouts speak for.
    Geo(Geo),
    /// The clusters nearest to the client by round-trip time.
    Latency(Latency),
    /// The first tier that has a usable cluster.
    Failover(Failover),
    /// No cluster gets more than its replicas can take while others have room.
    Capacity(Capacity),
    /// One cluster an answer, drawn anew for every query, in proportion to these weights; clusters that are not listed
    /// get nothing. Without any, in proportion to the weights of the endpoints.
    Weighted(BTreeMap<String, u32>),
    /// One cluster an answer, the same for the same client network for as long as it is usable.
    Sticky(Sticky),
    /// Every usable cluster.
    All {},
    /// Begins each answer at another address.
    Rotation {},
    /// At most so many addresses an answer.
    Max(u16),
}

impl Filter {
    /// The clusters that it names to choose among them.
    #[must_use]
    pub fn clusters(&self) -> Vec<&str> {
        match self {
            Self::Weighted(weights) => weights.keys().map(String::as_str).collect(),
            Self::Failover(Failover { tiers, .. }) => tiers.iter().flatten().map(String::as_str).collect(),
            Self::Geo(geo) => geo.clusters(),
            Self::Latency(Latency { rows, .. }) => rows
                .iter()
                .flat_map(|row| row.rtt_ms.keys().map(String::as_str))
                .collect(),
            Self::Health {}
            | Self::Capacity(_)
            | Self::Sticky(_)
            | Self::All {}
            | Self::Rotation {}
            | Self::Max(_) => Vec::new(),
        }
    }
}

/// Tiers in the order of preference. Clusters that are not listed come after, each a tier of its own, as the plan lists
/// them. A cluster that has no endpoint now is passed over: it may have one in the next plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Failover {
    pub tiers: Vec<Vec<String>>,
    /// Thousandths of the answers that go to the next tier all the same, to keep it warm.
    #[serde(default)]
    pub trickle: u16,
}

/// What each cluster can take. One that is not listed has no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Capacity {
    pub clusters: BTreeMap<String, ClusterCapacity>,
    /// What all clients of the name ask for, in the load that one replica can take. Without it, as much as all listed
    /// clusters can take: every cluster then gets answers in proportion to its capacity at most.
    #[serde(default)]
    pub demand: Option<u32>,
}

/// One cluster's capacity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterCapacity {
    /// Replicas that are ready.
    pub ready: u32,
    /// Thousandths of them to be left free.
    #[serde(default)]
    pub headroom: u16,
}

/// How much of a client's address tells it from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Sticky {
    /// Leading bits of an IPv4 address.
    pub v4_prefix: u8,
    /// Leading bits of an IPv6 address.
    pub v6_prefix: u8,
}

impl Default for Sticky {
    /// /24 and /56, what resolvers tell of a client (RFC 7871 §11.1).
    fn default() -> Self {
        Self {
            v4_prefix: 24,
            v6_prefix: 56,
        }
    }
}

/// What a name is answered while every candidate is withdrawn or held by PANIC. Told by an extended error (RFC 8914) and
/// counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum OnAllDown {
    /// What was served just before the present episode.
    #[default]
    LastGood,
    /// Every candidate with a weight.
    All,
    /// These addresses: of every family that the endpoints have.
    Fallback(Vec<IpAddr>),
    /// SERVFAIL: resolvers try elsewhere, or answer what they have kept (RFC 8767).
    Servfail,
}

impl OnAllDown {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::LastGood
    }
}
