//! What belongs to a workload goes where the workload goes.
//!
//! A Service or a ConfigMap has no replicas, so its own loss seldom matters: some other cluster still holds it,
//! and it stays where it is. What matters is that it stands wherever its workload was taken to. A workload that
//! is away from home, or on its way, draws the objects of its group along; they come home by the same planned
//! move, after it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    brakes::Braked,
    output::{Eviction, Extension, MovementStep},
    place,
    world::{BindingId, BindingView, World},
};
use crate::api::work::TargetCluster;

type Group<'a> = (Option<&'a str>, &'a str);

/// Where the workloads that are not at home will be after this plan, by group.
pub(crate) struct Drawn<'a>(BTreeMap<Group<'a>, BTreeSet<&'a str>>);

impl<'a> Drawn<'a> {
    pub(crate) fn new(world: &World<'a>, evictions: &'a [Eviction], movements: &'a [MovementStep]) -> Self {
        let evicted = evictions
            .iter()
            .map(|eviction| (&eviction.binding, eviction.clusters.as_slice()));
        let moved = movements
            .iter()
            .map(|step| (&step.binding, step.clusters.as_slice()));
        let next: BTreeMap<&BindingId, &[TargetCluster]> = evicted.chain(moved).collect();
        let mut drawn = Self(BTreeMap::new());
        for binding in world.bindings.iter().filter(|binding| binding.workload) {
            let after = next.get(&binding.id).copied();
            if let Some(group) = group(binding).filter(|_| after.is_some() || !binding.home.is_empty()) {
                let clusters = after.unwrap_or(&binding.clusters);
                let names = clusters.iter().map(|target| target.name.as_str());
                drawn.0.entry(group).or_default().extend(names);
            }
        }
        drawn
    }

    /// Clusters that `binding` is needed in because of a workload it belongs to.
    pub(crate) fn needs<'s>(
        &'s self,
        binding: &'s BindingView,
    ) -> impl Iterator<Item = &'a str> + use<'s, 'a> {
        let group = group(binding).filter(|_| !binding.workload);
        group
            .and_then(|group| self.0.get(&group))
            .into_iter()
            .flatten()
            .copied()
    }
}

/// Adds what is missing to objects without replicas that nothing else in this plan writes to.
pub(crate) fn decide(
    world: &World<'_>,
    braked: &Braked,
    drawn: &Drawn<'_>,
    touched: &BTreeSet<BindingId>,
) -> Vec<Extension> {
    let mut extensions = Vec::new();
    for binding in world
        .bindings
        .iter()
        .filter(|binding| !touched.contains(&binding.id))
    {
        // One that the scheduler has never placed is the scheduler's.
        if binding.clusters.is_empty() || world.settings.held_binding(&binding.id, world.now).is_some() {
            continue;
        }
        let mut next = place::assignment(&binding.clusters);
        let missing: Vec<&str> = drawn
            .needs(binding)
            .filter(|cluster| !next.contains_key(*cluster) && braked.eligible.contains(*cluster))
            .collect();
        if missing.is_empty() {
            continue;
        }
        next.extend(missing.iter().map(|cluster| ((*cluster).to_owned(), 0)));
        extensions.push(Extension {
            binding: binding.id.clone(),
            uid: binding.uid.clone(),
            resource_version: binding.resource_version.clone(),
            clusters: place::targets(&next, &binding.clusters),
            home: place::home(binding),
            reason: format!("follows its workload to {}", missing.join(", ")),
        });
    }
    extensions
}

/// Groups that have a workload: what belongs to it never leaves a cluster on its own account.
pub(crate) struct Led<'a>(BTreeSet<Group<'a>>);

impl<'a> Led<'a> {
    pub(crate) fn new(world: &World<'a>) -> Self {
        Self(
            world
                .bindings
                .iter()
                .filter(|binding| binding.workload)
                .filter_map(group)
                .collect(),
        )
    }

    pub(crate) fn covers(&self, binding: &BindingView) -> bool {
        !binding.workload && group(binding).is_some_and(|group| self.0.contains(&group))
    }
}

fn group(binding: &BindingView) -> Option<Group<'_>> {
    binding
        .group
        .as_deref()
        .map(|group| (binding.id.namespace.as_deref(), group))
}
