//! One thing to probe: (cluster, path, address family), with the check that is made on it.

mod selection;

use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::{Check, CheckError, Probe};
use crate::profile::{Profile, ProfileError, ProfilePatch};

pub use selection::{Selection, check_targets};

/// Which of a cluster's two paths a target stands for; they have separate verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Path {
    /// The ingress VIP: what users reach.
    Traffic,
    /// The API server, or the agent's heartbeat.
    Control,
}

/// Address family; a cluster reachable over both has a verdict for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Family {
    #[serde(rename = "ipv4")]
    V4,
    #[serde(rename = "ipv6")]
    V6,
}

impl Family {
    pub fn of(address: IpAddr) -> Family {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Path::Traffic => "traffic",
            Path::Control => "control",
        })
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::V4 => "ipv4",
            Family::V6 => "ipv6",
        })
    }
}

/// One thing to probe.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Target {
    /// Name of the member cluster.
    pub cluster: String,
    pub path: Path,
    pub family: Family,
    pub check: Check,
    /// The cluster's override of the fleet's profile. No part of the target's name: rows are facts, whoever judges them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detection: Option<Box<ProfilePatch>>,
}

/// A target's name on the wire: a 64-bit hash of its whole definition, equal in every process, so that two
/// machines with differing configurations cannot take one target for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct TargetId(pub u64);

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A target that cannot be probed, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("target of cluster {given:?}: a cluster name is 1 to 253 characters")]
    Cluster { given: String },
    #[error(
        "target {cluster}/{path}/{family} is given twice: a cluster has one check for each path and family"
    )]
    Twice {
        cluster: String,
        path: Path,
        family: Family,
    },
    #[error("target {cluster}/{path}/{family}: {source}")]
    Check {
        cluster: String,
        path: Path,
        family: Family,
        source: CheckError,
    },
    #[error("target {cluster}/{path}/{family}: detection: {source}")]
    Detection {
        cluster: String,
        path: Path,
        family: Family,
        source: ProfileError,
    },
    /// `problem` names the field and what is allowed; `name` is as much of the target's name as could be read.
    #[error("target {name}: {problem}")]
    Form { name: String, problem: String },
    #[error("target {cluster}/{path}/{family}: one more than {most}, the most there may be")]
    TooMany {
        cluster: String,
        path: Path,
        family: Family,
        most: usize,
    },
}

/// Most targets of a fleet: some five thousand clusters with two paths and two families.
pub const MAX_TARGETS: usize = 20_000;

impl Target {
    pub fn id(&self) -> TargetId {
        let mut hash = Fnv::new();
        hash.text(&self.cluster);
        hash.text(match self.path {
            Path::Traffic => "traffic",
            Path::Control => "control",
        });
        hash.text(match self.family {
            Family::V4 => "ipv4",
            Family::V6 => "ipv6",
        });
        self.check.each_text(|text| hash.text(text));
        TargetId(hash.finish())
    }

    /// The check in the form the probers use.
    ///
    /// # Errors
    /// Names the target, the field and what is allowed.
    pub fn parse(&self) -> Result<Probe, TargetError> {
        if self.cluster.is_empty() || self.cluster.len() > 253 {
            return Err(TargetError::Cluster {
                given: self.cluster.clone(),
            });
        }
        self.check
            .parse(self.family)
            .map_err(|source| TargetError::Check {
                cluster: self.cluster.clone(),
                path: self.path,
                family: self.family,
                source,
            })
    }

    /// The profile under which it is probed and judged in a fleet of the profile `fleet`; `None` where that is the fleet's.
    ///
    /// # Errors
    /// The override cannot be: names the target, the field and what is allowed.
    pub fn own_profile(&self, fleet: &Profile) -> Result<Option<Profile>, TargetError> {
        let own = self.detection.as_ref().map(|patch| fleet.for_cluster(patch));
        own.transpose().map_err(|source| TargetError::Detection {
            cluster: self.cluster.clone(),
            path: self.path,
            family: self.family,
            source,
        })
    }
}

/// Every override of the profile `fleet` for itself.
///
/// # Errors
/// The first target at fault.
pub fn check_overrides(targets: &[Target], fleet: &Profile) -> Result<(), TargetError> {
    targets
        .iter()
        .try_for_each(|target| target.own_profile(fleet).map(drop))
}

/// FNV-1a over length-prefixed fields, with a final mix so that near-equal definitions spread.
struct Fnv(u64);

impl Fnv {
    fn new() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn text(&mut self, text: &str) {
        self.bytes(&(text.len() as u64).to_le_bytes());
        self.bytes(text.as_bytes());
    }

    fn finish(self) -> u64 {
        mix(self.0)
    }
}

/// The finaliser of splitmix64: a bijection that spreads every input bit over all output bits.
pub(crate) const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests;
