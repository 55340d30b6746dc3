//! Standing facts enter the timeline when they begin and when they end, not in every tick.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_health::{FleetView, PartialOutage, Path};

use crate::{
    api::TargetCluster,
    failover::{BindingId, BindingView, FailoverPlan, HoldNotice, HoldReason},
    timeline::Timeline,
};

/// A cluster or the fleet by its name, all bindings together as an empty one; and what it is held for.
type Hold = (String, HoldReason);

/// What the timeline has been told.
#[derive(Default)]
pub(super) struct Told {
    freeze: bool,
    no_target: BTreeSet<BindingId>,
    holds: BTreeSet<Hold>,
    /// Evicted bindings whose replicas are not all ready elsewhere yet.
    moving: BTreeSet<BindingId>,
    partial: BTreeMap<(String, Path), PartialOutage>,
}

impl Told {
    pub(super) fn tell(
        &mut self,
        timeline: &Timeline,
        plan: &FailoverPlan,
        bindings: &[BindingView],
        verdicts: &FleetView,
    ) {
        self.partial(timeline, verdicts);
        self.freeze(timeline, plan);
        self.moved(timeline, plan, bindings);
        self.no_target(timeline, plan);
        self.holds(timeline, &plan.holds, bindings);
    }

    fn freeze(&mut self, timeline: &Timeline, plan: &FailoverPlan) {
        let freeze = plan.freeze;
        if freeze == self.freeze {
            return;
        }
        self.freeze = freeze;
        let why = plan.holds.iter().find(|hold| hold.reason == HoldReason::Freeze);
        let (kind, detail) = if freeze {
            let why = why.map(|hold| hold.message.as_str());
            (
                "controlplane.frozen",
                why.unwrap_or("too many clusters look down: nothing is evicted"),
            )
        } else {
            (
                "controlplane.unfrozen",
                "few enough clusters look down: evictions are allowed, holds start again",
            )
        };
        timeline.push(kind, None, detail);
    }

    fn partial(&mut self, timeline: &Timeline, verdicts: &FleetView) {
        let mut standing = BTreeMap::new();
        for cluster in verdicts.clusters() {
            for path in [Path::Traffic, Path::Control] {
                if let Some(outage) = verdicts.partial_outage(cluster, path) {
                    standing.insert((cluster.to_owned(), path), outage.clone());
                }
            }
        }
        for (key, outage) in standing
            .iter()
            .filter(|(key, outage)| self.partial.get(key) != Some(outage))
        {
            let detail = format!("{} path: {outage}", key.1);
            timeline.push("cluster.partial-outage", Some(&key.0), detail);
        }
        for (cluster, path) in self.partial.keys().filter(|key| !standing.contains_key(key)) {
            let detail = format!("{path} path: all observer regions see the same");
            timeline.push("cluster.partial-outage.ended", Some(cluster), detail);
        }
        self.partial = standing;
    }

    fn moved(&mut self, timeline: &Timeline, plan: &FailoverPlan, bindings: &[BindingView]) {
        self.moving
            .extend(plan.evictions.iter().map(|eviction| eviction.binding.clone()));
        for binding in bindings {
            if !self.moving.contains(&binding.id) {
                continue;
            }
            let away = binding
                .tasks
                .iter()
                .all(|task| !binding.clusters.iter().any(|at| at.name == task.cluster));
            let ready = |at: &TargetCluster| {
                binding
                    .ready
                    .get(&at.name)
                    .is_some_and(|ready| *ready >= at.replicas)
            };
            if !binding.tasks.is_empty() && away && binding.clusters.iter().all(ready) {
                self.moving.remove(&binding.id);
                let detail = format!("{}: all replicas are ready elsewhere", binding.id);
                timeline.push("failover.evict.done", None, detail);
            }
        }
    }

    fn no_target(&mut self, timeline: &Timeline, plan: &FailoverPlan) {
        for none in plan
            .no_target
            .iter()
            .filter(|none| !self.no_target.contains(&none.binding))
        {
            let detail = format!("{}: {}", none.binding, none.message);
            timeline.push("failover.no-feasible-target", None, detail);
        }
        let without: BTreeSet<BindingId> = plan.no_target.iter().map(|none| none.binding.clone()).collect();
        for binding in self.no_target.difference(&without) {
            let detail = format!("{binding}: no longer without a feasible target");
            timeline.push("failover.no-feasible-target.ended", None, detail);
        }
        self.no_target = without;
    }

    fn holds(&mut self, timeline: &Timeline, notices: &[HoldNotice], bindings: &[BindingView]) {
        let bindings: BTreeSet<String> = bindings.iter().map(|binding| binding.id.to_string()).collect();
        let mut holds: BTreeMap<Hold, Vec<&HoldNotice>> = BTreeMap::new();
        for notice in notices {
            // FREEZE and verdicts have entries of their own.
            if matches!(notice.reason, HoldReason::Freeze | HoldReason::Unknown) {
                continue;
            }
            let subject = if bindings.contains(&notice.subject) {
                String::new()
            } else {
                notice.subject.clone()
            };
            holds.entry((subject, notice.reason)).or_default().push(notice);
        }
        for ((subject, reason), notices) in &holds {
            let Some(first) = notices
                .first()
                .filter(|_| !self.holds.contains(&(subject.clone(), *reason)))
            else {
                continue;
            };
            let mut detail = format!("{}: {reason}: {}", first.subject, first.message);
            if let Some(remaining) = first.remaining {
                detail.push_str(&format!("; {:.0} s more", remaining.as_secs_f64()));
            }
            if notices.len() > 1 {
                detail.push_str(&format!("; {} other bindings too", notices.len() - 1));
            }
            timeline.push("failover.hold.started", cluster(subject), detail);
        }
        for (subject, reason) in self.holds.iter().filter(|hold| !holds.contains_key(hold)) {
            let who = if subject.is_empty() {
                "every binding"
            } else {
                subject
            };
            timeline.push(
                "failover.hold.ended",
                cluster(subject),
                format!("{who}: {reason} is over"),
            );
        }
        self.holds = holds.into_keys().collect();
    }
}

fn cluster(subject: &str) -> Option<&str> {
    (!subject.is_empty() && subject != "fleet").then_some(subject)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lifeboat_health::MonoClock;

    use super::*;
    use crate::controller::tests::outage::not_reached_from;

    fn said(timeline: &Timeline) -> Vec<(String, Option<String>, String)> {
        let entries = timeline.since(0).0.into_iter();
        entries
            .map(|entry| (entry.kind.clone(), entry.cluster.clone(), entry.detail.clone()))
            .collect()
    }

    fn entry(kind: &str, detail: &str) -> (String, Option<String>, String) {
        (kind.to_owned(), Some("a".to_owned()), detail.to_owned())
    }

    #[test]
    fn a_hold_is_told_when_it_begins_and_when_it_ends() {
        let timeline = Timeline::new(MonoClock::new());
        let mut told = Told::default();
        let mut tell = |left: &[u64]| {
            let holds = left.iter().map(|seconds| HoldNotice {
                subject: "a".to_owned(),
                reason: HoldReason::HoldTimer,
                message: format!("both paths Down for {} s of 20 s", 20 - seconds),
                remaining: Some(Duration::from_secs(*seconds)),
            });
            let plan = FailoverPlan {
                holds: holds.collect(),
                ..FailoverPlan::default()
            };
            told.tell(&timeline, &plan, &[], &FleetView::default());
        };
        tell(&[20]);
        tell(&[19]);
        tell(&[]);
        tell(&[]);
        let began = "a: HoldTimer: both paths Down for 0 s of 20 s; 20 s more";
        assert_eq!(
            said(&timeline),
            [
                entry("failover.hold.started", began),
                entry("failover.hold.ended", "a: HoldTimer is over"),
            ]
        );
    }

    #[test]
    fn a_partial_outage_is_told_when_it_begins_changes_and_ends() {
        let timeline = Timeline::new(MonoClock::new());
        let mut told = Told::default();
        let mut tell = |not_reached: &[&str]| {
            let verdicts = not_reached_from(not_reached);
            told.tell(&timeline, &FailoverPlan::default(), &[], &verdicts);
        };
        for not_reached in [
            &[][..],
            &["us-east"],
            &["us-east"],
            &["us-east", "us-west"],
            &[],
            &[],
        ] {
            tell(not_reached);
        }
        assert_eq!(
            said(&timeline),
            [
                entry(
                    "cluster.partial-outage",
                    "traffic path: not reached from us-east; reached from eu-west"
                ),
                entry(
                    "cluster.partial-outage",
                    "traffic path: not reached from us-east, us-west; reached from eu-west"
                ),
                entry(
                    "cluster.partial-outage.ended",
                    "traffic path: all observer regions see the same"
                ),
            ]
        );
    }
}
