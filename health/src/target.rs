//! One thing to probe: (cluster, path, address family), with the check that is made on it.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::{Check, CheckError, Probe};
use crate::profile::{Profile, ProfileError, ProfilePatch};

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

/// Every target for itself, and no (cluster, path, family) twice.
///
/// # Errors
/// The first target at fault.
pub fn check_targets(targets: &[Target]) -> Result<(), TargetError> {
    let mut keys = BTreeSet::new();
    targets.iter().try_for_each(|target| admit(&mut keys, target))
}

/// The targets that can be probed, and for each of the others why it cannot: one bad line takes nothing else away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    pub targets: Vec<Target>,
    /// Each names its target.
    pub errors: Vec<TargetError>,
    /// Overrides that cannot be; their targets are among `targets`, under the fleet's profile.
    pub overrides: Vec<TargetError>,
}

impl Selection {
    /// Of targets as they stand in a file. Unknown kinds and fields are errors of their target alone. A target whose override
    /// of the profile `fleet` cannot be goes without it: better probed otherwise than not at all.
    pub fn of_raw(raw: impl IntoIterator<Item = serde_json::Value>, fleet: &Profile) -> Selection {
        let mut overrides = Vec::new();
        let targets = raw.into_iter().enumerate().map(|(index, mut value)| {
            let name = raw_name(index, &value);
            let form = |problem: String| TargetError::Form {
                name: name.clone(),
                problem,
            };
            let detection = value
                .as_object_mut()
                .and_then(|fields| fields.remove("detection"));
            let mut target: Target =
                serde_json::from_value(value).map_err(|error| form(error.to_string()))?;
            let detection = serde_json::from_value(detection.unwrap_or_default())
                .map_err(|error| form(format!("detection: {error}")));
            let fits = detection.and_then(|detection| {
                target.detection = detection;
                target.own_profile(fleet).map(drop)
            });
            if let Err(error) = fits {
                target.detection = None;
                overrides.push(error);
            }
            Ok(target)
        });
        let mut selection = Selection::collect(targets);
        selection.overrides = overrides;
        selection
    }

    /// Of two targets with the same (cluster, path, family) the first is taken.
    pub fn of(targets: impl IntoIterator<Item = Target>) -> Selection {
        Selection::collect(targets.into_iter().map(Ok))
    }

    fn collect(all: impl Iterator<Item = Result<Target, TargetError>>) -> Selection {
        let mut keys = BTreeSet::new();
        let mut selection = Selection::default();
        for target in all {
            match target.and_then(|target| admit(&mut keys, &target).map(|()| target)) {
                Ok(target) => selection.targets.push(target),
                Err(error) => selection.errors.push(error),
            }
        }
        selection
    }
}

fn admit(keys: &mut BTreeSet<(String, Path, Family)>, target: &Target) -> Result<(), TargetError> {
    target.parse()?;
    let Target {
        cluster,
        path,
        family,
        check: _,
        detection: _,
    } = target.clone();
    if keys.len() >= MAX_TARGETS {
        return Err(TargetError::TooMany {
            cluster,
            path,
            family,
            most: MAX_TARGETS,
        });
    }
    if keys.insert((cluster.clone(), path, family)) {
        Ok(())
    } else {
        Err(TargetError::Twice {
            cluster,
            path,
            family,
        })
    }
}

/// `cluster/path/family` as far as they are given, or the target's place in the list.
fn raw_name(index: usize, value: &serde_json::Value) -> String {
    let part = |field| {
        let text = value.get(field).and_then(serde_json::Value::as_str);
        text.map(|text| text.chars().take(253).collect::<String>())
    };
    match part("cluster") {
        Some(cluster) => [Some(cluster), part("path"), part("family")]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("/"),
        None => format!("number {}", index + 1),
    }
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
            detection: None,
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
    fn an_override_is_no_part_of_the_id() {
        let own = Target {
            detection: Some(Box::default()),
            ..target()
        };
        assert_eq!(own.id(), target().id());
    }

    #[test]
    fn a_target_whose_override_cannot_be_goes_without_it() {
        use serde_json::json;
        let with = |cluster: &str, detection: serde_json::Value| {
            json!({
                "cluster": cluster, "path": "traffic", "family": "ipv4", "detection": detection,
                "check": {"kind": "tcp", "address": "192.0.2.1:443"},
            })
        };
        let raw = [
            with("a", json!({"deadMisses": 9})),
            with("b", json!(null)),
            with("c", json!({"minFresh": 1})),
            with("d", json!({"intervall": 1})),
            with("e", json!({"deadMisses": 2})),
        ];
        let selection = Selection::of_raw(raw, &Profile::fast());
        assert_eq!(selection.errors, []);
        let own: Vec<bool> = selection.targets.iter().map(|t| t.detection.is_some()).collect();
        assert_eq!(own, [true, false, false, false, false]);
        let wanted = [
            "target c/traffic/ipv4: detection: profile field minFresh is the fleet's alone: a cluster may override preset, ",
            "target d/traffic/ipv4: detection: unknown field `intervall`, expected one of `preset`, `intervalMs`",
            "target e/traffic/ipv4: detection: profile field timeoutMaxMs is 300: at most deadMisses x intervalMs",
        ];
        assert_eq!(
            selection.overrides.len(),
            wanted.len(),
            "{:?}",
            selection.overrides
        );
        for (error, wanted) in selection.overrides.iter().zip(wanted) {
            assert!(error.to_string().starts_with(wanted), "{error}");
        }
        let again = serde_json::to_value(&selection.targets).unwrap();
        assert_eq!(again[0]["detection"], json!({"deadMisses": 9}));
        assert!(again[1].get("detection").is_none());
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
    fn one_bad_target_takes_no_other_away() {
        use serde_json::json;
        let good = |cluster| {
            json!({"cluster": cluster, "path": "traffic", "family": "ipv4",
                "check": {"kind": "tcp", "address": "127.0.0.1:1"}})
        };
        let with = |check| json!({"cluster": "b", "path": "control", "family": "ipv4", "check": check});
        let https = "https://127.0.0.1/readyz";
        let raw = [
            good("a"),
            with(json!({"kind": "carrier-pigeon"})),
            with(json!({"kind": "http", "url": "nowhere"})),
            with(json!({"kind": "readyz", "url": https})),
            with(json!({"kind": "readyz", "url": https, "tls": {"roots": {"file": "ca.pem"}}})),
            with(json!({"kind": "readyz", "url": https, "tls": {"insecure": true}})),
            json!({"path": "traffic"}),
            good("c"),
            good("a"),
        ];
        let selection = Selection::of_raw(raw, &Profile::fast());
        let names: Vec<&str> = selection.targets.iter().map(|t| t.cluster.as_str()).collect();
        assert_eq!(names, ["a", "c"]);
        let wanted = [
            "target b/control/ipv4: unknown variant `carrier-pigeon`, expected one of `http`",
            "target b/control/ipv4: url \"nowhere\": the scheme is not http; allowed is",
            "target b/control/ipv4: tls.roots: missing",
            "target b/control/ipv4: tls.roots.file \"ca.pem\": allowed is the absolute path",
            "target b/control/ipv4: unknown field `insecure`",
            "target number 7: missing field `cluster`",
            "target a/traffic/ipv4 is given twice",
        ];
        assert_eq!(selection.errors.len(), wanted.len(), "{:?}", selection.errors);
        for (error, wanted) in selection.errors.iter().zip(wanted) {
            assert!(error.to_string().starts_with(wanted), "{error}");
        }
        assert_eq!(
            Selection::of(selection.targets.clone()).targets,
            selection.targets
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
