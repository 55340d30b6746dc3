//! From a failover plan to the writes that carry it out. It makes no choices; every write carries the
//! resource version the plan was made from, so a binding that moved on is left to the next plan.

use serde_json::{Value, json};

use super::{Eviction, Extension, FailoverPlan, MovementStep, TaskEnd, intents, world::BindingId};
use crate::{
    api::TargetCluster,
    controller::Kinds,
    store::{Index, Key, Kind, Op, Write, resource_version},
};

/// Where the binding's replicas were before the first eviction; JSON list of target clusters.
pub const HOME: &str = "lifeboat.dev/home";
/// The planned move under way; JSON `{phase, target}`.
pub const MOVEMENT: &str = "lifeboat.dev/movement";

/// A write of a plan, and the intents that must stand before it is made.
#[derive(Debug)]
pub struct Step {
    /// The clusters that the write evicts from.
    pub evicts: Vec<String>,
    pub intents: Vec<Write>,
    pub write: Write,
}

/// The plan's writes, in the order in which they are to be carried out.
pub fn steps(plan: &FailoverPlan, index: &Index, kinds: &Kinds) -> Vec<Step> {
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
    let alone = |write: Write| Step {
        evicts: Vec::new(),
        intents: Vec::new(),
        write,
    };
    let extensions = extensions
        .iter()
        .filter_map(|extension| extend(extension, index, kinds));
    let evictions = evictions
        .iter()
        .filter_map(|eviction| evict(eviction, (*epoch, *seq), index, kinds));
    let movements = movements
        .iter()
        .filter_map(|movement| step(movement, index, kinds));
    let ends = task_ends.iter().filter_map(|end| end_task(end, index, kinds));
    extensions
        .map(alone)
        .chain(evictions)
        .chain(movements.map(alone))
        .chain(ends.map(alone))
        .collect()
}

fn extend(extension: &Extension, index: &Index, kinds: &Kinds) -> Option<Write> {
    let Extension {
        binding,
        uid: _,
        resource_version,
        clusters,
        home,
        reason: _,
    } = extension;
    guarded(index, kinds, binding, resource_version, |_| {
        json!({
            "metadata": { "annotations": { HOME: stored_home(home) } }, "spec": { "clusters": clusters },
        })
    })
}

fn end_task(end: &TaskEnd, index: &Index, kinds: &Kinds) -> Option<Write> {
    let TaskEnd {
        binding,
        uid: _,
        resource_version,
        cluster,
        reason: _,
    } = end;
    guarded(
        index,
        kinds,
        binding,
        resource_version,
        |held| json!({ "spec": { "gracefulEvictionTasks": tasks_without(held, std::slice::from_ref(cluster)) } }),
    )
}

/// None where the binding has moved on, or a later leader has taken the eviction over.
fn evict(eviction: &Eviction, stamp: (u64, u64), index: &Index, kinds: &Kinds) -> Option<Step> {
    let Eviction {
        binding,
        uid: _,
        resource_version,
        priority: _,
        from,
        clusters,
        tasks,
        home,
        intents,
        reason,
    } = eviction;
    let write = guarded(index, kinds, binding, resource_version, |held| {
        let mut all = tasks_without(held, from);
        all.extend(tasks.iter().map(|task| json!(task)));
        json!({
            "metadata": { "annotations": { HOME: stored_home(home), MOVEMENT: null } },
            "spec": { "clusters": clusters, "gracefulEvictionTasks": all },
        })
    })?;
    let standing: Result<Vec<Option<Write>>, intents::Superseded> = intents
        .iter()
        .map(|intent| intents::stand(index, kinds, intent, binding, stamp, reason))
        .collect();
    Some(Step {
        evicts: from.clone(),
        intents: standing.ok()?.into_iter().flatten().collect(),
        write,
    })
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

pub(super) fn address<'a>(kinds: &'a Kinds, binding: &BindingId) -> (&'a Kind, Key) {
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
