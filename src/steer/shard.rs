//! A steering plan cut into objects that fit the API, and put together again.
//!
//! etcd takes objects of 1.5 MiB; a shard holds at most 512 KiB. Entries go to shards by a hash of their name,
//! and the stamp stands in the head alone, so that one changed name rewrites one shard.
//! Shards are named by their content: a reader never meets the shard of another plan under the name it asked for.

use std::collections::BTreeMap;

use lifeboat_dns::{NameInput, SnapshotInput, Stamp, ZoneInput};
use serde::{Deserialize, Serialize};

/// Bytes of one shard's body at most.
pub const SHARD_BYTES_MAX: usize = 512 * 1024;
/// Shards of one plan at most.
pub const SHARDS_MAX: usize = 1024;

/// What a plan consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    pub stamp: Stamp,
    pub shards: Vec<ShardRef>,
}

/// Names one shard by its content.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShardRef {
    /// SHA-256 of the body, in hexadecimal.
    pub hash: String,
    pub bytes: usize,
}

/// One part of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    pub hash: String,
    /// JSON.
    pub body: String,
}

/// Why a plan cannot be cut.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CutError {
    #[error("{name}: {bytes} bytes as JSON, at most {SHARD_BYTES_MAX} are allowed for one name or zone")]
    EntryTooLarge { name: String, bytes: usize },
    #[error("the plan needs more than {SHARDS_MAX} shards of {SHARD_BYTES_MAX} bytes")]
    TooManyShards,
    #[error("writing {name} as JSON: {message}")]
    Write { name: String, message: String },
}

/// Why shards do not make a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssembleError {
    #[error("the head names {count} shards, at most {SHARDS_MAX} are allowed")]
    TooManyShards { count: usize },
    #[error("shard {hash} is not there yet")]
    Missing { hash: String },
    #[error("shard {hash} has {bytes} bytes with the hash {found}: it is not what the head names")]
    Corrupt {
        hash: String,
        found: String,
        bytes: usize,
    },
    #[error("reading shard {hash}: {message}")]
    Parse { hash: String, message: String },
    #[error("{name} stands in two shards")]
    Duplicate { name: String },
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    zones: Vec<ZoneInput>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    names: Vec<NameInput>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    removed: Vec<String>,
}

/// The name of a shard's object.
pub fn object_name(hash: &str) -> String {
    format!("steering-{hash}")
}

/// Cuts a plan into as few shards as hold it, a power of two of them.
///
/// # Errors
/// One entry alone, or all together, are too large.
pub fn cut(plan: &SnapshotInput) -> Result<(Head, Vec<Shard>), CutError> {
    let mut count = 1;
    while count <= SHARDS_MAX {
        let bodies = distribute(plan, count);
        let mut shards = Vec::with_capacity(count);
        for body in &bodies {
            let body = serde_json::to_string(body).map_err(|error| CutError::Write {
                name: "a shard".to_owned(),
                message: error.to_string(),
            })?;
            if body.len() > SHARD_BYTES_MAX {
                break;
            }
            shards.push(Shard {
                hash: hash(body.as_bytes()),
                body,
            });
        }
        if shards.len() == count {
            // Two empty shards are one object.
            let refs = shards
                .iter()
                .map(|s| ShardRef {
                    hash: s.hash.clone(),
                    bytes: s.body.len(),
                })
                .collect();
            shards.sort_by(|a, b| a.hash.cmp(&b.hash));
            shards.dedup();
            return Ok((
                Head {
                    stamp: plan.stamp.clone(),
                    shards: refs,
                },
                shards,
            ));
        }
        if count == 1 {
            check_entries(plan)?;
        }
        count *= 2;
    }
    Err(CutError::TooManyShards)
}

/// Puts a plan together from the shards its head names.
///
/// # Errors
/// A shard is missing, or is not what the head says. Nothing of the plan is given then.
pub fn assemble(head: &Head, shards: &BTreeMap<String, String>) -> Result<SnapshotInput, AssembleError> {
    if head.shards.len() > SHARDS_MAX {
        return Err(AssembleError::TooManyShards {
            count: head.shards.len(),
        });
    }
    let mut plan = SnapshotInput {
        stamp: head.stamp.clone(),
        ..SnapshotInput::default()
    };
    let mut seen = std::collections::BTreeSet::new();
    for ShardRef { hash: wanted, bytes } in &head.shards {
        let body = shards
            .get(wanted)
            .ok_or_else(|| AssembleError::Missing { hash: wanted.clone() })?;
        let found = hash(body.as_bytes());
        if found != *wanted || body.len() != *bytes {
            return Err(AssembleError::Corrupt {
                hash: wanted.clone(),
                found,
                bytes: body.len(),
            });
        }
        // An empty shard may be named more than once; its content is the same nothing.
        if !seen.insert(wanted.as_str()) {
            continue;
        }
        let Body {
            zones,
            names,
            removed,
        } = serde_json::from_str(body).map_err(|error| AssembleError::Parse {
            hash: wanted.clone(),
            message: error.to_string(),
        })?;
        plan.zones.extend(zones);
        plan.names.extend(names);
        plan.removed.extend(removed);
    }
    plan.zones.sort_by(|a, b| a.name.cmp(&b.name));
    plan.names.sort_by(|a, b| a.name.cmp(&b.name));
    plan.removed.sort();
    let twice = plan
        .names
        .windows(2)
        .find(|pair| pair[0].name == pair[1].name)
        .map(|pair| &pair[0].name);
    let twice = twice.or_else(|| {
        plan.zones
            .windows(2)
            .find(|pair| pair[0].name == pair[1].name)
            .map(|pair| &pair[0].name)
    });
    match twice {
        Some(name) => Err(AssembleError::Duplicate { name: name.clone() }),
        None => Ok(plan),
    }
}

fn distribute(plan: &SnapshotInput, count: usize) -> Vec<Body> {
    let mut bodies: Vec<Body> = (0..count).map(|_| Body::default()).collect();
    let slot = |name: &str| {
        let digest = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
        let spread = digest
            .as_ref()
            .iter()
            .take(4)
            .fold(0_u32, |spread, byte| spread << 8 | u32::from(*byte));
        usize::try_from(spread).unwrap_or(0) % count
    };
    for zone in &plan.zones {
        bodies[slot(&zone.name)].zones.push(zone.clone());
    }
    for name in &plan.names {
        bodies[slot(&name.name)].names.push(name.clone());
    }
    for removed in &plan.removed {
        bodies[slot(removed)].removed.push(removed.clone());
    }
    bodies
}

/// No number of shards helps an entry that is too large by itself.
fn check_entries(plan: &SnapshotInput) -> Result<(), CutError> {
    // Braces, brackets and the field's name around a single entry.
    const AROUND: usize = 16;
    let zones = plan
        .zones
        .iter()
        .map(|zone| (&zone.name, serde_json::to_vec(zone)));
    let names = plan
        .names
        .iter()
        .map(|name| (&name.name, serde_json::to_vec(name)));
    for (name, json) in zones.chain(names) {
        let bytes = json
            .map_err(|error| CutError::Write {
                name: name.clone(),
                message: error.to_string(),
            })?
            .len();
        if bytes + AROUND > SHARD_BYTES_MAX {
            return Err(CutError::EntryTooLarge {
                name: name.clone(),
                bytes,
            });
        }
    }
    Ok(())
}

fn hash(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
