//! From the objects that carry a steering plan back to the plan, for a DNS server. Pure.

use std::collections::BTreeMap;

use lifeboat_dns::{SnapshotInput, Stamp};
use serde_json::Value;

use super::{
    publisher::{self, HEAD},
    shard::{self, AssembleError, Head, ShardRef},
};
use crate::{
    controller::Kinds,
    store::{Index, Key},
};

/// Why there is no plan to hand on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("SteeringPlan {HEAD}: spec.{0} is missing")]
    Field(&'static str),
    #[error("SteeringPlan {HEAD}: {0}")]
    Assemble(#[from] AssembleError),
}

/// The published plan; none where nothing was published yet.
///
/// # Errors
/// The head lacks a field, or a shard is missing or is not what the head names.
pub fn published(index: &Index, kinds: &Kinds) -> Result<Option<SnapshotInput>, PlanError> {
    let Some(head) = index.get(&kinds.steering_plan, &Key::new("", HEAD)) else {
        return Ok(None);
    };
    let number = |field: &'static str| head["spec"][field].as_u64().ok_or(PlanError::Field(field));
    let fleet_uid = head["spec"]["fleetUid"]
        .as_str()
        .ok_or(PlanError::Field("fleetUid"))?
        .to_owned();
    let stamp = Stamp {
        fleet_uid,
        epoch: number("epoch")?,
        seq: number("seq")?,
    };
    let mut bodies: BTreeMap<String, String> = BTreeMap::new();
    let mut shards = Vec::new();
    for hash in publisher::named(&head) {
        let held = index.get(
            &kinds.steering_plan_shard,
            &Key::new("", &shard::object_name(&hash)),
        );
        let body = held
            .as_ref()
            .and_then(|held| held.pointer("/spec/payload"))
            .and_then(Value::as_str);
        if let Some(body) = body {
            bodies.insert(hash.clone(), body.to_owned());
        }
        shards.push(ShardRef {
            bytes: body.map_or(0, str::len),
            hash,
        });
    }
    Ok(Some(shard::assemble(&Head { stamp, shards }, &bodies)?))
}
