//! From a compiled plan to the objects that carry it. Shards go first and old shards last, so that the
//! head never names a shard that is not there.

use lifeboat_dns::SnapshotInput;
use serde_json::{Value, json};

use super::shard::{self, CutError, Head, Shard};
use crate::{
    controller::Kinds,
    store::{Index, Key, Op, Write, uid},
};

/// The head's object.
pub const HEAD: &str = "lifeboat";

/// Two rounds of writes: the second only when the first has succeeded.
pub struct Publication {
    pub shards: Vec<Write>,
    pub head: Write,
}

/// What publishes `plan`.
///
/// # Errors
/// The plan cannot be cut.
pub fn publication(plan: &SnapshotInput, index: &Index, kinds: &Kinds) -> Result<Publication, CutError> {
    let (head, shards) = shard::cut(plan)?;
    let kind = &kinds.steering_plan_shard;
    let shards = shards
        .into_iter()
        .filter_map(|Shard { hash, body }| {
            let key = Key::new("", &shard::object_name(&hash));
            let object = json!({
                "apiVersion": kind.api_version(), "kind": kind.kind,
                "metadata": { "name": key.name }, "spec": { "payload": body },
            });
            index.get(kind, &key).is_none().then(|| Write {
                kind: kind.clone(),
                key,
                op: Op::Create(object),
            })
        })
        .collect();
    let kind = &kinds.steering_plan;
    let key = Key::new("", HEAD);
    let spec = head_spec(&head);
    let op = match index.get(kind, &key) {
        None => Op::Create(json!({
            "apiVersion": kind.api_version(), "kind": kind.kind, "metadata": { "name": HEAD }, "spec": spec,
        })),
        Some(held) => Op::Merge(json!({
            "metadata": { "resourceVersion": held["metadata"]["resourceVersion"] }, "spec": spec,
        })),
    };
    Ok(Publication {
        shards,
        head: Write {
            kind: kind.clone(),
            key,
            op,
        },
    })
}

/// Shards that neither the present head nor the one before it names.
pub fn garbage(index: &Index, kinds: &Kinds, keep: &[String]) -> Vec<Write> {
    let kind = &kinds.steering_plan_shard;
    index
        .list(kind)
        .into_iter()
        .filter(|held| {
            !keep
                .iter()
                .any(|hash| Key::of(held).name == shard::object_name(hash))
        })
        .map(|held| Write {
            kind: kind.clone(),
            key: Key::of(&held),
            op: Op::Delete {
                uid: uid(&held).to_owned(),
            },
        })
        .collect()
}

/// Hashes of the shards a stored head names.
pub fn named(head: &Value) -> Vec<String> {
    let shards = head.pointer("/spec/shards").and_then(Value::as_array);
    shards
        .into_iter()
        .flatten()
        .filter_map(|shard| Some(shard["hash"].as_str()?.to_owned()))
        .collect()
}

fn head_spec(head: &Head) -> Value {
    let shards: Vec<Value> = head
        .shards
        .iter()
        .map(|shard| json!({ "hash": shard.hash, "name": shard::object_name(&shard.hash) }))
        .collect();
    let stamp = &head.stamp;
    json!({ "fleetUid": stamp.fleet_uid, "epoch": stamp.epoch, "seq": stamp.seq, "shards": shards })
}
