//! Deployment → ReplicaSets: one per pod template, replaced step by step within maxSurge and maxUnavailable.

use serde_json::{Value, json};

use super::{
    pods::template_hash,
    rollout::{self, Plan, Step},
};
use crate::member::{
    json::{self, Saying, annotation, condition, conditions, deleting, int, label, stamp, text},
    world::{Kind, World, Write},
};

const REVISION: &str = "deployment.kubernetes.io/revision";
const HASH: &str = "pod-template-hash";

pub(crate) fn wants(world: &World) -> Vec<Write> {
    world
        .deployments
        .iter()
        .filter(|deployment| !deleting(deployment))
        .flat_map(|one| reconcile(world, one))
        .collect()
}

/// A Deployment with its ReplicaSets sorted out.
struct Rollout<'a> {
    deployment: &'a Value,
    desired: i64,
    hash: String,
    current: Option<&'a Value>,
    old: Vec<&'a Value>,
}

fn reconcile(world: &World, deployment: &Value) -> Vec<Write> {
    let hash = template_hash(&deployment["spec"]["template"]);
    let owned = world
        .replica_sets
        .iter()
        .filter(|set| json::controller(set) == Some(json::uid(deployment)));
    let (current, mut old): (Vec<_>, Vec<_>) = owned
        .filter(|set| !deleting(set))
        .partition(|set| label(set, HASH) == Some(&hash));
    old.sort_by_cached_key(|set| revision(set));
    let desired = json::count(deployment, "/spec/replicas", 1);
    let rollout = Rollout {
        deployment,
        desired,
        hash,
        current: current.first().copied(),
        old,
    };
    let mut writes = rollout.scale(world);
    writes.extend(rollout.clean_up());
    writes.extend(rollout.status(world));
    writes
}

fn revision(set: &Value) -> i64 {
    annotation(set, REVISION)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

fn replicas(set: &Value) -> i64 {
    json::count(set, "/spec/replicas", 1)
}

fn count(set: &Value, field: &str) -> i64 {
    json::count(set, &format!("/status/{field}"), 0)
}

impl Rollout<'_> {
    fn paused(&self) -> bool {
        self.deployment["spec"]["paused"] == true
    }

    fn plan(&self, world: &World) -> Plan {
        let spec = &self.deployment["spec"];
        let step = |set: &Value| Step {
            replicas: replicas(set),
            available: count(set, "availableReplicas"),
        };
        let old_pods = self
            .old
            .iter()
            .any(|set| world.pods_of(json::uid(set)).next().is_some());
        rollout::plan(&rollout::Input {
            desired: self.desired,
            recreate: text(spec, "/strategy/type") == "Recreate",
            old_pods,
            surge: json::count_or_percent(
                spec.pointer("/strategy/rollingUpdate/maxSurge"),
                self.desired,
                true,
                "25%",
            ),
            unavailable: json::count_or_percent(
                spec.pointer("/strategy/rollingUpdate/maxUnavailable"),
                self.desired,
                false,
                "25%",
            ),
            current: self.current.map_or_else(Step::default, step),
            old: self.old.iter().map(|set| step(set)).collect(),
        })
    }

    fn scale(&self, world: &World) -> Vec<Write> {
        let mut writes = Vec::new();
        if self.paused() {
            // A paused rollout still follows `spec.replicas`, on the newest set that has pods.
            let active = self
                .current
                .into_iter()
                .chain(self.old.iter().rev().copied())
                .find(|set| replicas(set) > 0);
            if let Some(set) = active.or(self.current) {
                let others: i64 = self
                    .sets()
                    .filter(|other| json::uid(other) != json::uid(set))
                    .map(replicas)
                    .sum();
                writes.extend(resize(set, (self.desired - others).max(0)));
            }
            return writes;
        }
        let plan = self.plan(world);
        let next = self.old.iter().map(|set| revision(set)).max().unwrap_or(0) + 1;
        match self.current {
            None => writes.push(Write::Create {
                kind: Kind::ReplicaSet,
                object: self.new_set(plan.current, next),
            }),
            Some(set) => {
                let revision = revision(set).max(next);
                let marks = json!({ "metadata": { "annotations": {
                    REVISION: revision.to_string(),
                    "deployment.kubernetes.io/desired-replicas": self.desired.to_string(),
                } } });
                writes.extend(Write::merge(Kind::ReplicaSet, set, marks));
                writes.extend(resize(set, plan.current));
            }
        }
        for (set, wanted) in self.old.iter().zip(plan.old) {
            writes.extend(resize(set, wanted));
        }
        let shown = self.current.map_or(next, |set| revision(set).max(next));
        let mark = json!({ "metadata": { "annotations": { REVISION: shown.to_string() } } });
        writes.extend(Write::merge(Kind::Deployment, self.deployment, mark));
        writes
    }

    fn sets(&self) -> impl Iterator<Item = &Value> {
        self.current.into_iter().chain(self.old.iter().copied())
    }

    fn new_set(&self, replicas: i64, revision: i64) -> Value {
        let spec = &self.deployment["spec"];
        let mut template = spec["template"].clone();
        json::put(&mut template, &["metadata", "labels", HASH], json!(self.hash));
        let labels = template["metadata"]["labels"].clone();
        let mut selector = spec["selector"].clone();
        json::put(&mut selector, &["matchLabels", HASH], json!(self.hash));
        json!({
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": format!("{}-{}", json::name(self.deployment), self.hash),
                "namespace": json::namespace(self.deployment),
                "labels": labels,
                "annotations": { REVISION: revision.to_string() },
                "ownerReferences": [json::owner_reference("apps/v1", "Deployment", self.deployment)],
            },
            "spec": {
                "replicas": replicas,
                "minReadySeconds": spec["minReadySeconds"].as_i64().unwrap_or(0),
                "selector": selector,
                "template": template,
            },
        })
    }

    /// Deletes the oldest empty ReplicaSets above the history limit.
    fn clean_up(&self) -> Vec<Write> {
        let limit =
            int(self.deployment, "/spec/revisionHistoryLimit").and_then(|limit| usize::try_from(limit).ok());
        let empty: Vec<_> = self
            .old
            .iter()
            .filter(|set| replicas(set) == 0 && count(set, "replicas") == 0)
            .collect();
        let surplus = empty.len().saturating_sub(limit.unwrap_or(10));
        empty
            .into_iter()
            .take(surplus)
            .map(|set| Write::delete(Kind::ReplicaSet, set))
            .collect()
    }

    fn status(&self, world: &World) -> Option<Write> {
        let sum = |field: &str| self.sets().map(|set| count(set, field)).sum::<i64>();
        let updated = self.current.map_or(0, |set| count(set, "replicas"));
        let (total, available) = (sum("replicas"), sum("availableReplicas"));
        let spec = &self.deployment["spec"];
        let allowed = json::count_or_percent(
            spec.pointer("/strategy/rollingUpdate/maxUnavailable"),
            self.desired,
            false,
            "25%",
        );
        let enough = available >= self.desired - allowed;
        let complete = updated == self.desired && total == self.desired && available == self.desired;
        let set_name = self
            .current
            .map_or_else(|| self.hash.clone(), |set| json::name(set).to_owned());
        let progress = self.progress(world, complete, (updated, available, total), &set_name);
        let sayings = [
            Saying {
                kind: "Available",
                status: enough,
                reason: if enough {
                    "MinimumReplicasAvailable"
                } else {
                    "MinimumReplicasUnavailable"
                },
                message: if enough {
                    "Deployment has minimum availability."
                } else {
                    "Deployment does not have minimum availability."
                },
            },
            Saying {
                kind: "Progressing",
                status: progress.0,
                reason: progress.1,
                message: &progress.2,
            },
        ];
        let mut conditions = conditions(self.deployment, &sayings, world.now);
        stamp_progress(&mut conditions, self.deployment, world, progress.3);
        let status = json!({
            "observedGeneration": int(self.deployment, "/metadata/generation").unwrap_or(1),
            "replicas": total,
            "updatedReplicas": updated,
            "readyReplicas": sum("readyReplicas"),
            "availableReplicas": available,
            "unavailableReplicas": (total.max(self.desired) - available).max(0),
            "conditions": conditions,
        });
        Write::status(Kind::Deployment, self.deployment, status)
    }

    /// `Progressing`: status, reason, message, and whether something moved since the status was last written.
    fn progress(
        &self,
        world: &World,
        complete: bool,
        (updated, available, total): (i64, i64, i64),
        set: &str,
    ) -> (bool, &'static str, String, bool) {
        if complete {
            let moved =
                condition(self.deployment, "Progressing").is_none_or(|old| old["reason"] != AVAILABLE);
            return (
                true,
                AVAILABLE,
                format!("ReplicaSet \"{set}\" has successfully progressed."),
                moved,
            );
        }
        let status = &self.deployment["status"];
        let before = |field: &str| status[field].as_i64().unwrap_or(0);
        let moved = (
            before("updatedReplicas"),
            before("availableReplicas"),
            before("replicas"),
        ) != (updated, available, total)
            || int(status, "/observedGeneration") != int(self.deployment, "/metadata/generation");
        let deadline = int(self.deployment, "/spec/progressDeadlineSeconds").unwrap_or(600);
        let since = condition(self.deployment, "Progressing")
            .and_then(|old| old["lastUpdateTime"].as_str()?.parse::<jiff::Timestamp>().ok());
        if !moved && since.is_some_and(|since| world.now.as_second() - since.as_second() > deadline) {
            let message = format!("ReplicaSet \"{set}\" has timed out progressing.");
            return (false, "ProgressDeadlineExceeded", message, false);
        }
        (
            true,
            "ReplicaSetUpdated",
            format!("ReplicaSet \"{set}\" is progressing."),
            moved,
        )
    }
}

const AVAILABLE: &str = "NewReplicaSetAvailable";

/// `lastUpdateTime` of `Progressing` is when the rollout last moved: its deadline counts from there.
fn stamp_progress(conditions: &mut Value, deployment: &Value, world: &World, moved: bool) {
    let Some(progress) = conditions
        .as_array_mut()
        .and_then(|all| all.iter_mut().find(|one| one["type"] == "Progressing"))
    else {
        return;
    };
    let before = condition(deployment, "Progressing")
        .and_then(|old| old.get("lastUpdateTime"))
        .cloned();
    let time = match before {
        Some(before) if !moved => before,
        _ => json!(stamp(world.now)),
    };
    json::put(progress, &["lastUpdateTime"], time);
}

fn resize(set: &Value, replicas: i64) -> Option<Write> {
    Write::merge(Kind::ReplicaSet, set, json!({ "spec": { "replicas": replicas } }))
}
