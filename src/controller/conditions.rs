//! Verdicts written where Kubernetes tools look for them: conditions and taints of Cluster objects. Pure.

use std::collections::BTreeMap;

use lifeboat_health::Verdict;
use serde_json::{Value, json};

use super::Kinds;
use crate::{
    failover::ClusterHealth,
    store::{
        Index, Key, Op, Write,
        conditions::{self, condition},
        name,
    },
};

/// Karmada's taint of a cluster whose API does not answer.
const NOT_READY: &str = "cluster.karmada.io/not-ready";

/// Patches for the clusters whose conditions or taints do not say what `health` says.
pub(super) fn writes(
    index: &Index,
    kinds: &Kinds,
    health: &BTreeMap<String, ClusterHealth>,
    refused: &BTreeMap<String, String>,
    stamp: &str,
) -> Vec<Write> {
    index
        .list(&kinds.cluster)
        .into_iter()
        .flat_map(|cluster| {
            let health = health
                .get(name(&cluster))
                .copied()
                .unwrap_or(ClusterHealth::UNKNOWN);
            let refused = refused.get(name(&cluster)).map(String::as_str);
            let write = |op| Write {
                kind: kinds.cluster.clone(),
                key: Key::of(&cluster),
                op,
            };
            let status = status(&cluster, health, refused, stamp).map(|patch| write(Op::MergeStatus(patch)));
            let taints = taints(&cluster, health.control, stamp).map(|patch| write(Op::Merge(patch)));
            status.into_iter().chain(taints).collect::<Vec<_>>()
        })
        .collect()
}

fn status(cluster: &Value, health: ClusterHealth, refused: Option<&str>, stamp: &str) -> Option<Value> {
    let ClusterHealth {
        traffic,
        control,
        returned_since: _,
    } = health;
    let ready = match (refused, control) {
        (Some(message), _) => ("False", "NoConnection", message),
        (None, Verdict::Up | Verdict::Suspect | Verdict::Recovering) => (
            "True",
            "ClusterReady",
            "cluster is healthy and ready to accept workloads",
        ),
        (None, Verdict::Down) => ("False", "ClusterNotReachable", "cluster is not reachable"),
        (None, Verdict::Unknown) => ("Unknown", "NoVerdict", "too few fresh observers for a verdict"),
    };
    let wanted = [
        condition(cluster, "Ready", ready, stamp),
        path(
            cluster,
            "TrafficPath",
            traffic,
            "ingress, as users reach it",
            stamp,
        ),
        path(cluster, "ControlPath", control, "API server", stamp),
    ];
    conditions::with(cluster, wanted).map(|conditions| json!({ "status": { "conditions": conditions } }))
}

fn path(cluster: &Value, kind: &str, verdict: Verdict, what: &str, stamp: &str) -> Value {
    let status = match verdict {
        Verdict::Up | Verdict::Suspect | Verdict::Recovering => "True",
        Verdict::Down => "False",
        Verdict::Unknown => "Unknown",
    };
    let message = format!("{what}: {verdict}");
    condition(cluster, kind, (status, &verdict.to_string(), &message), stamp)
}

/// NoSchedule while the API server is down, so that the scheduler sends nothing new there; workloads that
/// are there already tolerate it, as in Karmada.
fn taints(cluster: &Value, control: Verdict, stamp: &str) -> Option<Value> {
    let held = cluster
        .pointer("/spec/taints")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let tainted = held.iter().any(|taint| taint["key"] == NOT_READY);
    let wanted = match control {
        Verdict::Down => true,
        Verdict::Up | Verdict::Recovering => false,
        Verdict::Suspect | Verdict::Unknown => tainted,
    };
    if wanted == tainted {
        return None;
    }
    let mut taints: Vec<Value> = held
        .into_iter()
        .filter(|taint| taint["key"] != NOT_READY)
        .collect();
    if wanted {
        taints.push(json!({ "key": NOT_READY, "effect": "NoSchedule", "timeAdded": stamp }));
    }
    let version = &cluster["metadata"]["resourceVersion"];
    Some(json!({ "metadata": { "resourceVersion": version }, "spec": { "taints": taints } }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(traffic: Verdict, control: Verdict) -> ClusterHealth {
        ClusterHealth {
            traffic,
            control,
            returned_since: None,
        }
    }

    #[test]
    fn conditions_that_say_it_already_are_not_written_again() {
        let mut cluster = json!({"metadata": {"name": "a"}});
        let patch = status(&cluster, health(Verdict::Up, Verdict::Up), None, "t1").unwrap();
        cluster["status"] = patch["status"].clone();
        assert_eq!(
            status(&cluster, health(Verdict::Up, Verdict::Up), None, "t2"),
            None
        );
        let patch = status(&cluster, health(Verdict::Down, Verdict::Up), None, "t2").unwrap();
        let conditions = patch["status"]["conditions"].as_array().unwrap();
        let of = |kind: &str| conditions.iter().find(|c| c["type"] == kind).unwrap();
        assert_eq!(
            (
                of("Ready")["status"].as_str(),
                of("TrafficPath")["reason"].as_str()
            ),
            (Some("True"), Some("Down"))
        );
        assert_eq!(
            (
                &of("Ready")["lastTransitionTime"],
                &of("TrafficPath")["lastTransitionTime"]
            ),
            (&json!("t1"), &json!("t2"))
        );
    }

    #[test]
    fn a_taint_stays_while_nothing_is_known() {
        let clean = json!({"metadata": {"name": "a", "resourceVersion": "1"}});
        assert_eq!(taints(&clean, Verdict::Unknown, "t"), None);
        let patch = taints(&clean, Verdict::Down, "t").unwrap();
        let tainted = json!({"metadata": {"name": "a"}, "spec": patch["spec"]});
        assert_eq!(taints(&tainted, Verdict::Unknown, "t"), None);
        assert_eq!(
            taints(&tainted, Verdict::Up, "t").unwrap()["spec"]["taints"],
            json!([])
        );
    }
}
