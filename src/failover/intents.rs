//! Intents make each eviction happen once: at most one for a binding, a cluster and a loss of that cluster.
//!
//! ```text
//! none ── created ──> ours ── binding patched ──> its task runs ── the task has ended ──> deleted
//!                       ▲
//! a past leader's ──────┘ taken over by our epoch, which that leader cannot have any more
//! ```
//! A leader that was interrupted between the intent and the patch finds its intent and goes on; an intent of a
//! later epoch stops it. Pure.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    executor::address,
    output::Intent,
    world::{BindingId, BindingView},
};
use crate::{
    controller::Kinds,
    store::{Index, Key, Op, Write, name, pointer_str, resource_version, uid},
};

/// A later leader holds the intent.
#[derive(Debug)]
pub(super) struct Superseded;

/// The intent for one loss of one cluster. Its name is made by FNV-1a, the same on every leader.
pub(super) fn intent(binding: &BindingView, cluster: &str, health_epoch: u64) -> Intent {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let parts = [
        &binding.id.to_string(),
        &binding.uid,
        cluster,
        &health_epoch.to_string(),
    ];
    for byte in parts.into_iter().flat_map(|part| part.bytes().chain([0])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    Intent {
        name: format!("evict-{hash:016x}"),
        cluster: cluster.to_owned(),
        health_epoch,
    }
}

/// What has to be written so that an intent stands as the plan's `epoch/seq`; nothing where it does.
pub(super) fn stand(
    index: &Index,
    kinds: &Kinds,
    intent: &Intent,
    binding: &BindingId,
    (epoch, seq): (u64, u64),
    reason: &str,
) -> Result<Option<Write>, Superseded> {
    let kind = &kinds.eviction_intent;
    let key = Key::new("", &intent.name);
    let plan = format!("{epoch}/{seq}");
    let op = match index.get(kind, &key) {
        None => Op::Create(json!({
            "apiVersion": kind.api_version(), "kind": kind.kind,
            "metadata": { "name": intent.name },
            "spec": {
                "binding": binding.to_string(), "cluster": intent.cluster,
                "healthEpoch": intent.health_epoch, "plan": plan,
                "reason": reason.chars().take(1024).collect::<String>(),
            },
        })),
        Some(held) => match epoch_of(&held) {
            theirs if theirs > epoch => return Err(Superseded),
            ours if ours == epoch => return Ok(None),
            _ => Op::Merge(json!({
                "metadata": { "resourceVersion": resource_version(&held) }, "spec": { "plan": plan },
            })),
        },
    };
    let kind = kind.clone();
    Ok(Some(Write { kind, key, op }))
}

/// The leader's epoch, of `epoch/seq`.
fn epoch_of(intent: &Value) -> u64 {
    pointer_str(intent, "/spec/plan")
        .split('/')
        .next()
        .and_then(|epoch| epoch.parse().ok())
        .unwrap_or(0)
}

/// The highest loss of each cluster that an intent is for.
pub fn health_epochs(index: &Index, kinds: &Kinds) -> BTreeMap<String, u64> {
    let mut highest = BTreeMap::new();
    for intent in index.list(&kinds.eviction_intent) {
        let number = intent.pointer("/spec/healthEpoch").and_then(Value::as_u64);
        let entry = highest.entry(cluster(&intent).to_owned()).or_insert(0);
        *entry = number.unwrap_or(0).max(*entry);
    }
    highest
}

/// Deletes intents whose eviction is over: the binding has no task for the cluster, and is not on the cluster with
/// the cluster lost, as it is between an intent and its patch.
pub fn garbage(index: &Index, kinds: &Kinds, is_lost: impl Fn(&str) -> bool) -> Vec<Write> {
    let over = |intent: &Value| {
        let of = pointer_str(intent, "/spec/binding");
        let (namespace, name) = match of.split_once('/') {
            Some((namespace, name)) => (Some(namespace.to_owned()), name),
            None => (None, of),
        };
        let name = name.to_owned();
        let (kind, key) = address(kinds, &BindingId { namespace, name });
        let Some(binding) = index.get(kind, &key) else {
            return true;
        };
        let cluster = cluster(intent);
        let names = |list: &str, field: &str| {
            let list = binding.pointer(list).and_then(Value::as_array);
            list.into_iter().flatten().any(|item| item[field] == cluster)
        };
        let in_progress = names("/spec/clusters", "name") && is_lost(cluster);
        let has_task = names("/spec/gracefulEvictionTasks", "fromCluster");
        !has_task && !in_progress
    };
    index
        .list(&kinds.eviction_intent)
        .into_iter()
        .filter(|intent| over(intent))
        .map(|intent| Write {
            kind: kinds.eviction_intent.clone(),
            key: Key::new("", name(&intent)),
            op: Op::Delete {
                uid: uid(&intent).to_owned(),
            },
        })
        .collect()
}

fn cluster(intent: &Value) -> &str {
    pointer_str(intent, "/spec/cluster")
}
