//! One thing to probe: (cluster, path, address family), with the check that is made on it.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::{Check, CheckError, Probe};

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
}

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
        match &self.check {
            Check::Http { url, host, expect } => {
                hash.text("http");
                hash.text(url);
                hash.text(host.as_deref().unwrap_or_default());
                hash.text(&expect.to_string());
            }
            Check::Tcp { address } => {
                hash.text("tcp");
                hash.text(&address.to_string());
            }
        }
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
}

/// Every target for itself, and no (cluster, path, family) twice.
///
/// # Errors
/// The first target at fault.
pub fn check_targets(targets: &[Target]) -> Result<(), TargetError> {
    let mut keys = BTreeSet::new();
    for target in targets {
        target.parse()?;
        if !keys.insert((&target.cluster, target.path, target.family)) {
            let Target {
                cluster,
                path,
                family,
                ..
            } = target.clone();
            return Err(TargetError::Twice {
                cluster,
                path,
                family,
            });
        }
    }
    Ok(())
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
mod tests {
    use super::*;
    use crate::StatusRange;

    fn target() -> Target {
        Target {
            cluster: "eu-north-1".into(),
            path: Path::Traffic,
            family: Family::V4,
            check: Check::Http {
                url: "http://127.0.1.1:8000/healthz".into(),
                host: None,
                expect: StatusRange::default(),
            },
        }
    }

    #[test]
    fn the_id_is_the_same_in_every_process() {
        assert_eq!(target().id().to_string(), target().id().to_string());
        assert_eq!(
            target().id(),
            TargetId(0x89af_59ee_1ed7_c422),
            "a changed hash splits a fleet in upgrade"
        );
    }

    #[test]
    fn every_field_changes_the_id() {
        let base = target();
        let mut others = vec![
            Target {
                cluster: "eu-north-2".into(),
                ..base.clone()
            },
            Target {
                path: Path::Control,
                ..base.clone()
            },
            Target {
                family: Family::V6,
                ..base.clone()
            },
            Target {
                check: Check::Tcp {
                    address: ([127, 0, 1, 1], 8000).into(),
                },
                ..base.clone()
            },
        ];
        let Check::Http { url, .. } = &base.check else {
            unreachable!()
        };
        let url = url.clone();
        others.push(Target {
            check: Check::Http {
                url: url.clone(),
                host: Some("a".into()),
                expect: StatusRange::default(),
            },
            ..base.clone()
        });
        others.push(Target {
            check: Check::Http {
                url,
                host: None,
                expect: "200".parse().unwrap(),
            },
            ..base.clone()
        });
        let mut ids: Vec<TargetId> = others.iter().map(Target::id).collect();
        ids.push(base.id());
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 7);
    }

    #[test]
    fn a_bad_check_is_named_with_its_target() {
        let bad = Target {
            check: Check::Http {
                url: "ftp://x/".into(),
                host: None,
                expect: StatusRange::default(),
            },
            ..target()
        };
        assert_eq!(
            bad.parse().unwrap_err().to_string(),
            "target eu-north-1/traffic/ipv4: url \"ftp://x/\": the scheme is not http; \
             allowed is http://HOST[:PORT]/PATH"
        );
    }

    #[test]
    fn a_path_has_one_check() {
        assert_eq!(
            check_targets(&[
                target(),
                Target {
                    path: Path::Control,
                    ..target()
                }
            ]),
            Ok(())
        );
        let twice = check_targets(&[target(), target()]).unwrap_err().to_string();
        assert!(
            twice.contains("eu-north-1/traffic/ipv4 is given twice"),
            "{twice}"
        );
    }

    #[test]
    fn yaml_words_are_those_of_the_documentation() {
        let json = serde_json::to_value(target()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "cluster": "eu-north-1", "path": "traffic", "family": "ipv4",
                "check": {"kind": "http", "url": "http://127.0.1.1:8000/healthz", "expect": "200-399"},
            })
        );
        assert_eq!(serde_json::from_value::<Target>(json).unwrap(), target());
    }
}
