//! From a failover plan to the writes that carry it out. It makes no choices; every write carries the
//! resource version the plan was made from, so a binding that moved on is left to the next plan.

use serde_json::{Value, json};

use super::{Eviction, Extension, FailoverPlan, MovementStep, TaskEnd, world::BindingId};
use crate::{
    api::TargetCluster,
    controller::Kinds,
    store::{Index, Key, Kind, Op, Write, resource_version},
};

/// Where the binding's replicas were before the first eviction; JSON list of target clusters.
pub const HOME: &str = "lifeboat.dev/home";
/// The planned move under way; JSON `{phase, target}`.
pub const MOVEMENT: &str = "lifeboat.dev/movement";

/// Writes in the order in which they are to be carried out. An eviction's intents come right before it.
pub fn writes(plan: &FailoverPlan, index: &Index, kinds: &Kinds) -> Vec<Write> {
    let FailoverPlan {
        epoch,
        seq,
        freeze: _,
        extensions,
        evictions,
        movements,
        task_ends,
        holds: _,
        no_target: _,
    } = plan;
    let stamp = format!("{epoch}/{seq}");
    let mut writes = Vec::new();
    for Extension {
        binding,
        uid: _,
        resource_version,
        clusters,
        home,
        reason: _,
    } in extensions
    {
        let patch = json!({
            "metadata": { "annotations": { HOME: stored_home(home) } }, "spec": { "clusters": clusters },
        });
        writes.extend(guarded(index, kinds, binding, resource_version, |_| patch));
    }
    for eviction in evictions {
        writes.extend(evict(eviction, *epoch, &stamp, index, kinds));
    }
    for movement in movements {
        writes.extend(step(movement, index, kinds));
    }
    for TaskEnd {
        binding,
        uid: _,
        resource_version,
        cluster,
        reason: _,
    } in task_ends
    {
        writes.extend(guarded(index, kinds, binding, resource_version, |held| {
            json!({ "spec": { "gracefulEvictionTasks": tasks_without(held, std::slice::from_ref(cluster)) } })
        }));
    }
    writes
}

fn evict(eviction: &Eviction, epoch: u64, stamp: &str, index: &Index, kinds: &Kinds) -> Vec<Write> {
    let Eviction {
        binding,
        uid: _,
        resource_version,
        priority: _,
        from,
        clusters,
        tasks,
        home,
        intent,
        reason,
    } = eviction;
    let patch = guarded(index, kinds, binding, resource_version, |held| {
        let mut all = tasks_without(held, from);
        all.extend(tasks.iter().map(|task| json!(task)));
        json!({
            "metadata": { "annotations": { HOME: stored_home(home), MOVEMENT: null } },
            "spec": { "clusters": clusters, "gracefulEvictionTasks": all },
        })
    });
    let Some(patch) = patch else { return Vec::new() };
    let intent = json!({
        "apiVersion": kinds.eviction_intent.api_version(),
        "kind": kinds.eviction_intent.kind,
        "metadata": { "name": intent },
        "spec": {
            "binding": binding.to_string(), "cluster": from.join(","), "healthEpoch": epoch, "plan": stamp,
            "reason": reason.chars().take(1024).collect::<String>(),
        },
    });
    let key = Key::of(&intent);
    vec![
        Write {
            kind: kinds.eviction_intent.clone(),
            key,
            op: Op::Create(intent),
        },
        patch,
    ]
}

fn step(movement: &MovementStep, index: &Index, kinds: &Kinds) -> Option<Write> {
    let MovementStep {
        binding,
        uid: _,
        resource_version,
        phase,
        clusters,
        target,
        ends_tasks,
        finished,
        home,
        reason: _,
    } = movement;
    guarded(index, kinds, binding, resource_version, |held| {
        let stored = json!({ "phase": phase, "target": target }).to_string();
        let mut patch = json!({
            "metadata": { "annotations": {
                MOVEMENT: if *finished { Value::Null } else { json!(stored) },
                HOME: stored_home(home),
            } },
            "spec": { "clusters": clusters },
        });
        if !ends_tasks.is_empty() {
            patch["spec"]["gracefulEvictionTasks"] = json!(tasks_without(held, ends_tasks));
        }
        patch
    })
}

fn stored_home(home: &[TargetCluster]) -> Value {
    if home.is_empty() {
        Value::Null
    } else {
        json!(json!(home).to_string())
    }
}

/// A patch of the binding as the plan saw it; none where it has moved on.
fn guarded(
    index: &Index,
    kinds: &Kinds,
    binding: &BindingId,
    version: &str,
    patch: impl FnOnce(&Value) -> Value,
) -> Option<Write> {
    let (kind, key) = address(kinds, binding);
    let held = index
        .get(kind, &key)
        .filter(|held| resource_version(held) == version)?;
    let mut patch = patch(&held);
    patch["metadata"]["resourceVersion"] = json!(version);
    Some(Write {
        kind: kind.clone(),
        key,
        op: Op::Merge(patch),
    })
}

fn address<'a>(kinds: &'a Kinds, binding: &BindingId) -> (&'a Kind, Key) {
    match &binding.namespace {
        Some(namespace) => (&kinds.binding, Key::new(namespace, &binding.name)),
        None => (&kinds.cluster_binding, Key::new("", &binding.name)),
    }
}

/// The binding's eviction tasks as they are stored, unknown fields included, without those of `clusters`.
fn tasks_without(held: &Value, clusters: &[String]) -> Vec<Value> {
    let tasks = held
        .pointer("/spec/gracefulEvictionTasks")
        .and_then(Value::as_array);
    let leaving = |task: &&Value| {
        clusters
            .iter()
            .any(|cluster| task["fromCluster"] == cluster.as_str())
    };
    tasks
        .into_iter()
        .flatten()
        .filter(|task| !leaving(task))
        .cloned()
        .collect()
}
