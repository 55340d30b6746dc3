//! `FailoverPolicy` objects: the settings they make together, and what each is told of itself. Pure.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Kinds;
use crate::{
    api::{FailoverPolicy, policy::ClusterAffinity, validate::Validate, view},
    failover::{Settings, budget::Rate},
    schedule::{ClusterView, cluster_matches},
    store::{Index, Key, Op, Write, conditions},
};

/// The defaults, overlaid by the policies in order of their names; one that cannot be read has no effect.
pub(super) fn settings(
    index: &Index,
    kinds: &Kinds,
    clusters: &[ClusterView],
    defaults: &Settings,
) -> Settings {
    let mut settings = defaults.clone();
    for object in index.list(&kinds.failover_policy) {
        if let Ok(policy) = read(&object) {
            overlay(&mut settings, &policy, clusters);
        }
    }
    settings
}

/// What each policy's status lacks.
pub(super) fn reports(
    index: &Index,
    kinds: &Kinds,
    clusters: &[ClusterView],
    frozen: bool,
    stamp: &str,
) -> Vec<Write> {
    let report = |object: Arc<Value>| {
        let (status, reason, message) = match read(&object) {
            Ok(policy) => ("True", "Accepted", notes(&policy, clusters)),
            Err(problem) => ("False", "Invalid", problem),
        };
        let accepted = conditions::condition(&object, "Accepted", (status, reason, &message), stamp);
        let mut patch = Map::new();
        if let Some(conditions) = conditions::with(&object, [conditions::observed(&object, accepted)]) {
            patch.insert("conditions".to_owned(), json!(conditions));
        }
        if object.pointer("/status/frozen") != Some(&Value::Bool(frozen)) {
            patch.insert("frozen".to_owned(), json!(frozen));
        }
        (!patch.is_empty()).then(|| Write {
            kind: kinds.failover_policy.clone(),
            key: Key::of(&object),
            op: Op::MergeStatus(json!({ "status": patch })),
        })
    };
    index
        .list(&kinds.failover_policy)
        .into_iter()
        .filter_map(report)
        .collect()
}

fn read(object: &Value) -> Result<FailoverPolicy, String> {
    let policy = view::<FailoverPolicy>(object).map_err(|error| error.to_string())?;
    let errors: Vec<String> = policy.spec.validate().iter().map(ToString::to_string).collect();
    if errors.is_empty() {
        Ok(policy)
    } else {
        Err(errors.join("; "))
    }
}

/// A policy that selects clusters sets their hold alone: the budget and the return are the fleet's.
fn overlay(settings: &mut Settings, policy: &FailoverPolicy, clusters: &[ClusterView]) {
    let spec = &policy.spec;
    if let Some(selected) = &spec.clusters {
        if spec.hold.is_some() {
            let selected = selection(selected, clusters).map(|name| (name, spec.hold()));
            settings.hold_by_cluster.extend(selected);
        }
        return;
    }
    if spec.hold.is_some() {
        settings.hold = spec.hold();
    }
    if let Some(budget) = &spec.budget {
        settings.rate = Rate {
            per_second: budget.evictions_per_second,
            burst: budget.burst,
        };
    }
    if let Some(failback) = &spec.failback {
        settings.failback.enabled = failback.enabled;
        if failback.settle.is_some() {
            settings.failback.settle = spec.settle();
        }
    }
}

fn selection(selected: &ClusterAffinity, clusters: &[ClusterView]) -> impl Iterator<Item = String> {
    clusters
        .iter()
        .filter(|cluster| cluster_matches(cluster, selected))
        .map(|cluster| cluster.name.clone())
}

/// What a reader of an accepted policy should know.
fn notes(policy: &FailoverPolicy, clusters: &[ClusterView]) -> String {
    let spec = &policy.spec;
    let mut notes = Vec::new();
    match &spec.clusters {
        None => notes.push("what it says is in force for every cluster".to_owned()),
        Some(selected) => {
            let mut names: Vec<String> = selection(selected, clusters).collect();
            names.sort();
            notes.push(if names.is_empty() {
                "spec.clusters selects no registered cluster".to_owned()
            } else if spec.hold.is_none() {
                "spec.clusters is set and spec.hold is not: nothing is changed".to_owned()
            } else {
                format!("the hold is in force for {}", names.join(", "))
            });
        }
    }
    if spec.clusters.is_some() && (spec.budget.is_some() || spec.failback.is_some()) {
        notes.push(
            "spec.budget and spec.failback are the fleet's: they count only in a policy without spec.clusters".to_owned(),
        );
    }
    if spec.pre_scale {
        notes.push("spec.preScale is not carried out by this version".to_owned());
    }
    notes.join("; ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn cluster(name: &str, tier: &str) -> ClusterView {
        let object = json!({
            "apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster",
            "metadata": { "name": name, "labels": { "tier": tier } }, "spec": { "syncMode": "Push" },
        });
        ClusterView::from_cluster(&view(&object).unwrap())
    }

    fn policies(specs: &[(&str, Value)]) -> (Index, Kinds) {
        let (index, kinds) = (Index::default(), Kinds::default());
        for (name, spec) in specs {
            let object = json!({
                "apiVersion": "lifeboat.dev/v1alpha1", "kind": "FailoverPolicy",
                "metadata": { "name": name, "generation": 1 }, "spec": spec,
            });
            index.apply(&kinds.failover_policy, object);
        }
        (index, kinds)
    }

    #[test]
    fn a_policy_for_some_clusters_sets_their_hold_alone() {
        let edge = json!({ "labelSelector": { "matchLabels": { "tier": "edge" } } });
        let (index, kinds) = policies(&[
            (
                "edge",
                json!({ "clusters": edge, "hold": "2m", "failback": { "enabled": false } }),
            ),
            (
                "fleet",
                json!({ "hold": "10s", "budget": { "burst": 5, "evictionsPerSecond": 2 } }),
            ),
        ]);
        let clusters = [cluster("a", "edge"), cluster("b", "core")];
        let settings = settings(&index, &kinds, &clusters, &Settings::default());
        assert_eq!(settings.hold_for("a"), Duration::from_secs(120));
        assert_eq!(settings.hold_for("b"), Duration::from_secs(10));
        assert!(settings.failback.enabled);
        assert_eq!(
            settings.rate,
            Rate {
                per_second: 2,
                burst: 5
            }
        );
    }

    #[test]
    fn each_policy_is_told_what_it_does_and_only_once() {
        let nowhere = json!({ "clusterNames": ["z"] });
        let (index, kinds) = policies(&[
            ("bad", json!({ "hold": "-1s" })),
            ("nowhere", json!({ "clusters": nowhere, "hold": "1s" })),
        ]);
        let clusters = [cluster("a", "edge")];
        let writes = reports(&index, &kinds, &clusters, true, "2026-01-01T00:00:00Z");
        let said: Vec<(bool, String)> = writes
            .iter()
            .map(|write| {
                let Op::MergeStatus(patch) = &write.op else {
                    panic!("{write:?}");
                };
                let condition = &patch["status"]["conditions"][0];
                (
                    condition["status"] == "True" && patch["status"]["frozen"] == true,
                    condition["message"].as_str().unwrap().to_owned(),
                )
            })
            .collect();
        assert!(
            !said[0].0 && said[0].1.contains("spec.hold") && said[0].1.contains("must not be negative"),
            "{said:?}"
        );
        assert_eq!(
            said[1],
            (true, "spec.clusters selects no registered cluster".to_owned())
        );
        for write in writes {
            let Op::MergeStatus(patch) = write.op else {
                continue;
            };
            let mut object = (*index.get(&write.kind, &write.key).unwrap()).clone();
            json_patch::merge(&mut object, &patch);
            index.apply(&write.kind, object);
        }
        assert_eq!(reports(&index, &kinds, &clusters, true, "later"), Vec::new());
    }
}
