//! What is left in each cluster while a batch is decided: every placement is deducted before the next one is made.
//!
//! Replicas that were sent to a cluster lately are deducted too, until they are ready there or a minute has
//! passed: what the cluster reports as free does not show them yet.

use std::{collections::BTreeMap, time::Duration};

use lifeboat_health::MonoTime;

use super::{
    place::Assignment,
    state::{Reservation, State},
    world::{BindingId, BindingView, World},
};
use crate::schedule::{ClusterView, Resources};

/// By then what was sent to a cluster shows in what it reports.
const RESERVED_AT_MOST: Duration = Duration::from_secs(60);

struct Entry {
    each: Resources,
    count: i64,
}

type Entries = BTreeMap<(BindingId, String), Entry>;

pub(crate) struct Ledger {
    views: BTreeMap<String, ClusterView>,
    /// Of earlier steps.
    reserved: Entries,
    /// Of this step.
    taken: Entries,
}

impl Ledger {
    pub(crate) fn new(state: &mut State, world: &World<'_>) -> Self {
        let bindings: BTreeMap<&BindingId, &BindingView> =
            world.bindings.iter().map(|b| (&b.id, b)).collect();
        state.reserved.retain(|(id, cluster), reservation| {
            let young = world.now.saturating_since(reservation.since) < RESERVED_AT_MOST;
            young && bindings.get(id).is_some_and(|binding| !arrived(binding, cluster))
        });
        let views = world
            .clusters
            .iter()
            .map(|view| (view.name.clone(), view.clone()))
            .collect();
        let mut ledger = Self {
            views,
            reserved: Entries::new(),
            taken: Entries::new(),
        };
        for ((id, cluster), reservation) in &state.reserved {
            if let Some(binding) = bindings.get(id) {
                let count = i64::from(reservation.replicas);
                ledger.shift(cluster, &binding.requirements, count);
                let entry = Entry {
                    each: binding.requirements.clone(),
                    count,
                };
                ledger.reserved.insert((id.clone(), cluster.clone()), entry);
            }
        }
        ledger
    }

    /// The clusters `keep` wants, with what is left in them.
    pub(crate) fn views(&self, keep: impl Fn(&str) -> bool) -> Vec<ClusterView> {
        self.views
            .values()
            .filter(|view| keep(&view.name))
            .cloned()
            .collect()
    }

    /// Replicas that still fit into `cluster`.
    pub(crate) fn fits(&self, cluster: &str, each: &Resources) -> i64 {
        self.views.get(cluster).map_or(0, |view| fits(&view.free, each))
    }

    /// Earlier placements of a binding that is about to be decided anew do not stand in its own way.
    pub(crate) fn forget(&mut self, id: &BindingId) {
        for ((_, cluster), entry) in remove_of(&mut self.reserved, id) {
            self.shift(&cluster, &entry.each, -entry.count);
        }
    }

    /// Gives back what this step took for a binding that has to wait.
    pub(crate) fn restore(&mut self, id: &BindingId) {
        for ((_, cluster), entry) in remove_of(&mut self.taken, id) {
            self.shift(&cluster, &entry.each, -entry.count);
        }
    }

    pub(crate) fn take(&mut self, id: &BindingId, cluster: &str, each: &Resources, count: i64) {
        self.shift(cluster, each, count);
        self.taken.insert(
            (id.clone(), cluster.to_owned()),
            Entry {
                each: each.clone(),
                count,
            },
        );
    }

    /// Takes everything, or says what does not fit and takes nothing.
    pub(crate) fn take_all(
        &mut self,
        id: &BindingId,
        each: &Resources,
        grown: &Assignment,
    ) -> Result<(), String> {
        self.forget(id);
        for (cluster, count) in grown {
            let fits = self.fits(cluster, each);
            if fits < i64::from(*count) {
                return Err(format!("{cluster} has room for {fits} of {count} replicas"));
            }
        }
        for (cluster, count) in grown {
            self.take(id, cluster, each, i64::from(*count));
        }
        Ok(())
    }

    /// Remembers what was taken for the steps to come.
    pub(crate) fn commit(self, state: &mut State, now: MonoTime) {
        for (key, entry) in self.taken {
            let replicas = i32::try_from(entry.count).unwrap_or(i32::MAX);
            state.reserved.insert(key, Reservation { replicas, since: now });
        }
    }

    fn shift(&mut self, cluster: &str, each: &Resources, count: i64) {
        if let Some(view) = self.views.get_mut(cluster) {
            view.free.subtract(each, count);
        }
    }
}

/// Replicas of `each` that `free` has room for.
pub(crate) fn fits(free: &Resources, each: &Resources) -> i64 {
    let by_resource = each.positive().filter(|(name, _)| *name != "pods");
    let by_resource = by_resource.map(|(name, amount)| free.get(name) / amount);
    by_resource
        .chain([free.pods / each.pods.max(1)])
        .min()
        .unwrap_or(0)
        .max(0)
}

fn arrived(binding: &BindingView, cluster: &str) -> bool {
    let wanted = binding
        .clusters
        .iter()
        .find(|target| target.name == cluster)
        .map_or(0, |t| t.replicas);
    wanted > 0 && binding.ready.get(cluster).is_some_and(|ready| *ready >= wanted)
}

fn remove_of(entries: &mut Entries, id: &BindingId) -> Entries {
    let first = (id.clone(), String::new());
    let keys: Vec<(BindingId, String)> = entries
        .range(first..)
        .map(|(key, _)| key)
        .take_while(|(held, _)| held == id)
        .cloned()
        .collect();
    keys.into_iter()
        .filter_map(|key| entries.remove_entry(&key))
        .collect()
}
