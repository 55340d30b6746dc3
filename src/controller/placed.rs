//! Bindings whose clusters somebody other than the failover planner has changed, for the timeline: a changed policy,
//! a cluster that is no longer registered, a person. What the planner moves has entries of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    api::TargetCluster,
    failover::{BindingId, BindingView, FailoverPlan},
    schedule::ClusterView,
    timeline::Timeline,
};

type Names = BTreeSet<String>;

/// Where the bindings were when they were last looked at.
#[derive(Default)]
pub(super) struct Placed {
    /// None before the first look: what is found then has not changed.
    at: Option<BTreeMap<BindingId, Names>>,
    /// Where the planner has said they shall be, until they are there.
    planned: BTreeMap<BindingId, Names>,
    /// What was looked at last: the same again has nothing to tell.
    seen: Option<Arc<Vec<BindingView>>>,
}

impl Placed {
    /// Tells what has changed since the last look, then learns what `plan` is about to change.
    pub(super) fn tell(
        &mut self,
        timeline: &Timeline,
        plan: &FailoverPlan,
        bindings: &Arc<Vec<BindingView>>,
        registered: &[ClusterView],
    ) {
        if self.seen.as_ref().is_none_or(|seen| !Arc::ptr_eq(seen, bindings)) {
            let now = bindings
                .iter()
                .map(|binding| (binding.id.clone(), names(&binding.clusters)))
                .collect();
            let is_registered = |name: &str| registered.iter().any(|cluster| cluster.name == name);
            for detail in self.changed(now, is_registered) {
                timeline.push("schedule.placed", None, detail);
            }
            self.seen = Some(bindings.clone());
        }
        let evictions = plan.evictions.iter().map(|e| (&e.binding, &e.clusters));
        let extensions = plan.extensions.iter().map(|e| (&e.binding, &e.clusters));
        let movements = plan.movements.iter().map(|m| (&m.binding, &m.clusters));
        for (binding, clusters) in evictions.chain(extensions).chain(movements) {
            self.planned.insert(binding.clone(), names(clusters));
        }
    }

    fn changed(
        &mut self,
        now: BTreeMap<BindingId, Names>,
        is_registered: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let mut told = Vec::new();
        for (binding, before) in self.at.iter().flatten() {
            let Some(after) = now.get(binding).filter(|after| *after != before) else {
                continue;
            };
            let planned = self
                .planned
                .remove(binding)
                .is_some_and(|planned| planned == *after);
            if !planned && !before.is_empty() {
                told.push(detail(binding, before, after, &is_registered));
            }
        }
        self.planned.retain(|binding, _| now.contains_key(binding));
        self.at = Some(now);
        told
    }
}

fn names(clusters: &[TargetCluster]) -> Names {
    clusters.iter().map(|at| at.name.clone()).collect()
}

fn detail(
    binding: &BindingId,
    before: &Names,
    after: &Names,
    is_registered: impl Fn(&str) -> bool,
) -> String {
    let gone: Vec<&str> = before
        .iter()
        .map(String::as_str)
        .filter(|name| !is_registered(name))
        .collect();
    let why = match gone.as_slice() {
        [] => String::new(),
        [one] => format!(": {one} is no longer registered"),
        more => format!(": {} are no longer registered", more.join(", ")),
    };
    let list = |names: &Names| match names.iter().map(String::as_str).collect::<Vec<_>>() {
        none if none.is_empty() => "nowhere".to_owned(),
        names => names.join(", "),
    };
    format!("{binding}: from {} to {}{why}", list(before), list(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> BindingId {
        BindingId {
            namespace: Some("default".to_owned()),
            name: name.to_owned(),
        }
    }

    fn at(clusters: &[&str]) -> BTreeMap<BindingId, Names> {
        [(id("shop"), clusters.iter().map(ToString::to_string).collect())].into()
    }

    #[test]
    fn what_the_planner_did_not_move_is_told_with_its_reason() {
        let mut placed = Placed::default();
        assert!(placed.changed(at(&[]), |_| true).is_empty(), "the first look");
        assert!(
            placed.changed(at(&["a", "b"]), |_| true).is_empty(),
            "placed for the first time"
        );
        assert_eq!(
            placed.changed(at(&["b", "c"]), |name| name != "a"),
            ["default/shop: from a, b to b, c: a is no longer registered"]
        );
        assert_eq!(
            placed.changed(at(&["c"]), |_| true),
            ["default/shop: from b, c to c"]
        );
        assert!(placed.changed(at(&["c"]), |_| true).is_empty(), "nothing changed");
    }

    #[test]
    fn what_the_planner_moves_is_not_told_again() {
        let mut placed = Placed::default();
        placed.changed(at(&["a"]), |_| true);
        placed.planned.insert(id("shop"), ["b".to_owned()].into());
        assert!(placed.changed(at(&["a"]), |_| true).is_empty(), "not yet written");
        assert!(placed.changed(at(&["b"]), |_| true).is_empty(), "as planned");
        assert_eq!(
            placed.changed(at(&["a"]), |_| true).len(),
            1,
            "the plan is used up"
        );
    }
}
