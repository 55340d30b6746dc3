//! Graceful eviction: a cluster leaves a binding at once, its copy when the replacement is ready.
//!
//! ```text
//! evict ──> task ── assess ──> ends: all scheduled clusters are Healthy, or the time is up     (Karmada)
//!                 └ keep_only_copy ─> stays: nothing is ready elsewhere                       (ours)
//! ```
//! A real Karmada with an empty schedule ends every task, "all of nothing being healthy", and deletes the only
//! copies there are; `keep_only_copy` over `assess` does not.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::work::{AggregatedStatusItem, GracefulEvictionTask, ResourceHealth, TargetCluster};

/// Takes a cluster off the schedule; the order of the others stays.
pub fn remove_cluster(clusters: &mut Vec<TargetCluster>, name: &str) {
    clusters.retain(|cluster| cluster.name != name);
}

/// Evicts `task.from_cluster`: off the schedule, and a task that remembers its replicas. Nothing happens when
/// it is not scheduled, and a second task for one cluster is not added.
pub fn evict(
    clusters: &mut Vec<TargetCluster>,
    tasks: &mut Vec<GracefulEvictionTask>,
    mut task: GracefulEvictionTask,
) {
    let Some(position) = clusters
        .iter()
        .position(|cluster| cluster.name == task.from_cluster)
    else {
        return;
    };
    let removed = clusters.remove(position);
    if tasks.iter().any(|held| held.from_cluster == task.from_cluster) {
        return;
    }
    if removed.replicas > 0 {
        task.replicas = Some(removed.replicas);
    }
    tasks.push(task);
}

/// What an assessment looks at besides the tasks.
#[derive(Clone, Copy, Debug)]
pub struct Assessed<'a> {
    /// The time of a task that does not bring its own.
    pub timeout: SignedDuration,
    /// The scheduler has seen the newest binding.
    pub scheduled: bool,
    /// `spec.clusters`.
    pub clusters: &'a [TargetCluster],
    /// `status.aggregatedStatus`.
    pub observed: &'a [AggregatedStatusItem],
}

/// Tasks that go on, and the clusters of those that have ended, both in the order of the tasks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assessment {
    /// Go on. One without a time now has `now`.
    pub kept: Vec<GracefulEvictionTask>,
    /// Have ended.
    pub ended: Vec<GracefulEvictionTask>,
}

/// Karmada's assessment of all tasks.
pub fn assess(tasks: &[GracefulEvictionTask], now: Timestamp, assessed: Assessed<'_>) -> Assessment {
    let mut assessment = Assessment::default();
    for task in tasks {
        let mut task = task.clone();
        let goes_on = match &task.creation_timestamp {
            Some(began) => goes_on(&task, began.0, now, assessed),
            None => {
                task.creation_timestamp = Some(Time(now));
                true
            }
        };
        let list = if goes_on {
            &mut assessment.kept
        } else {
            &mut assessment.ended
        };
        list.push(task);
    }
    assessment
}

fn goes_on(task: &GracefulEvictionTask, began: Timestamp, now: Timestamp, assessed: Assessed<'_>) -> bool {
    match task.suppress_deletion {
        Some(suppressed) => suppressed,
        None => {
            let replaced = assessed.scheduled && all_healthy(assessed);
            !replaced && !timed_out(task, began, now, assessed.timeout)
        }
    }
}

fn timed_out(task: &GracefulEvictionTask, began: Timestamp, now: Timestamp, timeout: SignedDuration) -> bool {
    now.duration_since(began) > time_of(task, timeout)
}

fn time_of(task: &GracefulEvictionTask, timeout: SignedDuration) -> SignedDuration {
    task.grace_period_seconds
        .map_or(timeout, |seconds| SignedDuration::from_secs(i64::from(seconds)))
}

/// Every scheduled cluster reports Healthy; so it is with no cluster at all.
fn all_healthy(assessed: Assessed<'_>) -> bool {
    assessed.clusters.iter().all(|cluster| {
        let item = assessed
            .observed
            .iter()
            .find(|item| item.cluster_name == cluster.name);
        item.is_some_and(|item| item.health == Some(ResourceHealth::Healthy))
    })
}

/// How long until the next task runs out of time; `None` when none will. What is past is now.
pub fn next_retry(
    tasks: &[GracefulEvictionTask],
    now: Timestamp,
    timeout: SignedDuration,
) -> Option<SignedDuration> {
    let timed = tasks.iter().filter(|task| task.suppress_deletion.is_none());
    let left = timed.filter_map(|task| {
        let began = task.creation_timestamp.as_ref()?.0;
        Some(time_of(task, timeout) - now.duration_since(began))
    });
    left.min().map(|left| left.max(SignedDuration::ZERO))
}

/// Lets the tasks that ended go on if the copies they guard are the only ready ones. `ready` says how many
/// replicas are ready in a cluster that can be seen, and `None` of one that cannot: a copy nobody can see may
/// be ready, so it is not deleted either, and it is not counted on.
pub fn keep_only_copy(
    assessment: Assessment,
    clusters: &[TargetCluster],
    ready: impl Fn(&str) -> Option<i64>,
) -> Assessment {
    let staying = clusters
        .iter()
        .any(|cluster| ready(&cluster.name).is_some_and(|ready| ready > 0));
    if staying {
        return assessment;
    }
    let Assessment { mut kept, ended } = assessment;
    let scheduled =
        |task: &GracefulEvictionTask| clusters.iter().any(|cluster| cluster.name == task.from_cluster);
    let (last, ended): (Vec<_>, Vec<_>) = ended
        .into_iter()
        .partition(|task| !scheduled(task) && ready(&task.from_cluster) != Some(0));
    kept.extend(last);
    Assessment { kept, ended }
}

#[cfg(test)]
mod tests;
