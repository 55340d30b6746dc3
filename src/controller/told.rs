//! Standing facts enter the timeline when they begin and when they end, not in every tick.

use std::collections::{BTreeMap, BTreeSet};

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
}

impl Told {
    pub(super) fn tell(&mut self, timeline: &Timeline, plan: &FailoverPlan, bindings: &[BindingView]) {
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
            told.tell(&timeline, &plan, &[]);
        };
        tell(&[20]);
        tell(&[19]);
        tell(&[]);
        tell(&[]);
        let entries = timeline.since(0).0;
        let said: Vec<(&str, Option<&str>, &str)> = entries
            .iter()
            .map(|entry| {
                (
                    entry.kind.as_str(),
                    entry.cluster.as_deref(),
                    entry.detail.as_str(),
                )
            })
            .collect();
        let began = "a: HoldTimer: both paths Down for 0 s of 20 s; 20 s more";
        assert_eq!(
            said,
            [
                ("failover.hold.started", Some("a"), began),
                ("failover.hold.ended", Some("a"), "a: HoldTimer is over"),
            ]
        );
    }
}
