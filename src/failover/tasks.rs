//! When an eviction task of ours ends. Ending one releases the old copy, so it never ends while its cluster
//! cannot be seen, and never while the old copy is the only ready one.

use std::collections::BTreeSet;

use super::{
    PRODUCER,
    brakes::Braked,
    failback,
    output::{TaskEnd, TaskEndReason},
    place,
    world::{BindingId, BindingView, TaskView, World},
};

/// Ends what can be ended on bindings that nothing else in this plan writes to.
pub(crate) fn decide(world: &World<'_>, braked: &Braked, touched: &BTreeSet<BindingId>) -> Vec<TaskEnd> {
    let members = world.members();
    let mut ends = Vec::new();
    for binding in world
        .bindings
        .iter()
        .filter(|binding| !touched.contains(&binding.id))
    {
        let ours = |task: &&TaskView| task.producer == PRODUCER && !task.suppressed;
        for task in binding.tasks.iter().filter(ours) {
            let reason = if !members.contains(task.cluster.as_str()) {
                Some(TaskEndReason::ClusterRemoved)
            } else if !world.health_of(&task.cluster).is_up() {
                None
            } else if binding.clusters.iter().any(|target| target.name == task.cluster) {
                Some(TaskEndReason::ClusterReturned)
            } else if !braked.freeze
                && !failback::brings_back(world, binding, &task.cluster)
                && ready_elsewhere(world, binding, &task.cluster)
            {
                Some(TaskEndReason::ReplacementReady)
            } else {
                None
            };
            if let Some(reason) = reason {
                ends.push(TaskEnd {
                    binding: binding.id.clone(),
                    uid: binding.uid.clone(),
                    resource_version: binding.resource_version.clone(),
                    cluster: task.cluster.clone(),
                    reason,
                });
                // One write a binding and step: the next end meets the new version.
                break;
            }
        }
    }
    ends
}

/// Every scheduled cluster has what it was given, seen on a control path that is Up, and it is enough.
pub(crate) fn ready_elsewhere(world: &World<'_>, binding: &BindingView, leaving: &str) -> bool {
    let staying = place::assignment(&binding.clusters);
    let ready = |cluster: &String| {
        if world.health_of(cluster).control == lifeboat_health::Verdict::Up {
            binding.ready.get(cluster).copied().unwrap_or(0)
        } else {
            0
        }
    };
    let others = || staying.iter().filter(|(cluster, _)| *cluster != leaving);
    let complete = others().all(|(cluster, wanted)| ready(cluster) >= place::ready_wanted(binding, *wanted));
    let total: i64 = others().map(|(cluster, _)| i64::from(ready(cluster))).sum();
    let needed = if binding.workload {
        i64::from(binding.replicas)
    } else {
        1
    };
    complete && others().next().is_some() && total >= needed
}
