//! Karmada's graceful-eviction controller: when an entry of `gracefulEvictionTasks` ends, and with it the copy
//! in the cluster that was left. Pure.
//!
//! A task of ours is ended by the failover planner, which knows whether its cluster can be seen, unless somebody
//! confirms the deletion (`suppressDeletion: false`). All others end as in Karmada, except that the only ready
//! copy is never deleted.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Kinds, reader};
use crate::{
    api::{ResourceBinding, view, work::GracefulEvictionTask},
    failover::PRODUCER,
    propagate::eviction::{self, Assessed, Assessment},
    store::{Index, Key, Op, Write, generation, resource_version},
};

/// Karmada's default of `--graceful-eviction-timeout`, for a task without `gracePeriodSeconds`.
const TIMEOUT: SignedDuration = SignedDuration::from_mins(10);

/// What one round found.
#[derive(Default)]
pub(super) struct Round {
    pub(super) writes: Vec<Write>,
    /// How long until the next task runs out of time.
    pub(super) retry: Option<SignedDuration>,
}

/// Assesses all tasks. Ready replicas are believed of the members in `fresh`; of the others nothing is known.
pub(super) fn round(index: &Index, kinds: &Kinds, fresh: &BTreeSet<String>, now: Timestamp) -> Round {
    let mut round = Round::default();
    for kind in [&kinds.binding, &kinds.cluster_binding] {
        for binding in index.list(kind) {
            let Some((patch, retry)) = assess(&binding, fresh, now) else {
                continue;
            };
            round.retry = [round.retry, retry].into_iter().flatten().min();
            round.writes.extend(patch.map(|patch| Write {
                kind: kind.clone(),
                key: Key::of(&binding),
                op: Op::Merge(patch),
            }));
        }
    }
    round
}

/// The patch of a binding's tasks, if they change, and when to look again.
fn assess(
    binding: &Value,
    fresh: &BTreeSet<String>,
    now: Timestamp,
) -> Option<(Option<Value>, Option<SignedDuration>)> {
    let held = binding.pointer("/spec/gracefulEvictionTasks")?.as_array()?;
    if held.is_empty() || binding.pointer("/metadata/deletionTimestamp").is_some() {
        return None;
    }
    // One that cannot be read is reported by the scheduler's round.
    let typed = view::<ResourceBinding>(binding).ok()?;
    let (spec, status) = (typed.spec, typed.status.unwrap_or_default());
    let theirs: Vec<GracefulEvictionTask> = spec
        .graceful_eviction_tasks
        .iter()
        .filter(|task| task.producer != PRODUCER || task.suppress_deletion == Some(false))
        .cloned()
        .collect();
    let workload = spec.replicas > 0 || spec.replica_requirements.is_some();
    let ready = reader::ready(binding, workload);
    // "Healthy" may be what was collected before the last schedule: replicas that are asked for must be there.
    let covered = !workload
        || spec
            .clusters
            .iter()
            .all(|at| ready.get(&at.name).is_some_and(|ready| *ready >= at.replicas));
    let assessed = Assessed {
        timeout: TIMEOUT,
        scheduled: covered && status.scheduler_observed_generation == Some(generation(binding)),
        clusters: &spec.clusters,
        observed: &status.aggregated_status,
    };
    let Assessment { kept, ended } = eviction::keep_only_copy(
        eviction::assess(&theirs, now, assessed),
        &spec.clusters,
        |cluster| {
            let seen = fresh.contains(cluster);
            seen.then(|| i64::from(ready.get(cluster).copied().unwrap_or(0)))
        },
    );
    // One whose time is over and that goes on guards the only copy: the next event or resync looks at it again.
    let retry = eviction::next_retry(&kept, now, TIMEOUT).filter(SignedDuration::is_positive);
    let ended: BTreeSet<&str> = ended.iter().map(|task| task.from_cluster.as_str()).collect();
    let kept: BTreeMap<&str, &GracefulEvictionTask> = kept
        .iter()
        .map(|task| (task.from_cluster.as_str(), task))
        .collect();
    let tasks: Vec<Value> = held
        .iter()
        .filter(|task| !ended.contains(cluster(task)))
        .map(|task| stamped(task, kept.get(cluster(task)).copied()))
        .collect();
    let patch = json!({
        "metadata": { "resourceVersion": resource_version(binding) },
        "spec": { "gracefulEvictionTasks": tasks },
    });
    Some(((tasks != *held).then_some(patch), retry))
}

fn cluster(task: &Value) -> &str {
    task["fromCluster"].as_str().unwrap_or_default()
}

/// The task as it is stored, with the time of its beginning if it had none.
fn stamped(stored: &Value, assessed: Option<&GracefulEvictionTask>) -> Value {
    let mut task = stored.clone();
    if let Some(assessed) = assessed.filter(|_| stored["creationTimestamp"].is_null()) {
        task["creationTimestamp"] = json!(assessed.creation_timestamp);
    }
    task
}
