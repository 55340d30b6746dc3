//! Where a move home leads: the home as far as it is there again.

use std::collections::BTreeSet;

use crate::failover::{
    place::{self, Assignment},
    world::{BindingId, BindingView, World},
};

/// The workloads an object without replicas follows.
fn followed<'a>(world: &World<'a>, binding: &'a BindingView) -> impl Iterator<Item = &'a BindingView> {
    let follows = !binding.workload && binding.group.is_some();
    world.bindings.iter().filter(move |other| {
        follows
            && other.workload
            && other.group == binding.group
            && other.id.namespace == binding.id.namespace
    })
}

/// A workload of the same group in a cluster that would be released: what it needs stays with it.
pub(super) fn still_needed<'a>(
    world: &World<'a>,
    binding: &'a BindingView,
    target: &Assignment,
) -> Option<(&'a BindingId, &'a String)> {
    followed(world, binding)
        .flat_map(|workload| workload.clusters.iter().map(move |at| (&workload.id, &at.name)))
        .find(|(_, cluster)| !target.contains_key(*cluster))
}

/// Clusters of the home that have less than they had.
pub(super) fn displaced(binding: &BindingView, current: &Assignment, home: &Assignment) -> BTreeSet<String> {
    let divided = binding.workload && place::is_divided(&binding.placement);
    home.iter()
        .filter(|(cluster, wanted)| match current.get(*cluster) {
            Some(has) => divided && has < *wanted,
            None => true,
        })
        .map(|(cluster, _)| cluster.clone())
        .collect()
}

/// The home as far as it is there: what belongs to clusters that are still away stays where it was taken to.
pub(super) fn target(
    world: &World<'_>,
    binding: &BindingView,
    current: &Assignment,
    home: &Assignment,
    returned: &BTreeSet<String>,
) -> Result<Assignment, String> {
    if !(binding.workload && place::is_divided(&binding.placement)) {
        let replicas = if binding.workload { binding.replicas } else { 0 };
        let there = |cluster: &&String| returned.contains(*cluster) || current.contains_key(*cluster);
        let mut target: Assignment = home.keys().filter(there).map(|c| (c.clone(), replicas)).collect();
        let stand_ins = current.keys().filter(|cluster| !home.contains_key(*cluster));
        let missing = home.len().saturating_sub(target.len());
        target.extend(stand_ins.take(missing).map(|cluster| (cluster.clone(), replicas)));
        // A workload that is at home keeps what it needs beside it.
        let settled = followed(world, binding)
            .filter(|workload| workload.home.is_empty())
            .flat_map(|workload| &workload.clusters)
            .filter(|at| current.contains_key(&at.name));
        target.extend(settled.map(|at| (at.name.clone(), replicas)));
        return Ok(target);
    }
    let mut target: Assignment = home
        .iter()
        .filter_map(|(cluster, wanted)| match current.get(cluster) {
            _ if returned.contains(cluster) => Some((cluster.clone(), *wanted)),
            Some(has) => Some((cluster.clone(), *has.min(wanted))),
            None => None,
        })
        .collect();
    let home_total: i64 = home.values().map(|n| i64::from(*n)).sum();
    if home_total != i64::from(binding.replicas) {
        let candidates: BTreeSet<String> = target.keys().chain(current.keys()).cloned().collect();
        return place::redivide(world, binding, &target, &candidates);
    }
    let mut missing = i64::from(binding.replicas) - target.values().map(|n| i64::from(*n)).sum::<i64>();
    let mut beyond: Vec<(i32, &String)> = current
        .iter()
        .map(|(cluster, has)| (has - target.get(cluster).copied().unwrap_or(0), cluster))
        .filter(|(more, _)| *more > 0)
        .collect();
    beyond.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    for (more, cluster) in beyond {
        let stays = i64::from(more).min(missing);
        if stays > 0 {
            *target.entry(cluster.clone()).or_insert(0) += i32::try_from(stays).unwrap_or(more);
            missing -= stays;
        }
    }
    if missing == 0 {
        Ok(target)
    } else {
        Err("the scheduler has not placed all replicas yet".to_owned())
    }
}
