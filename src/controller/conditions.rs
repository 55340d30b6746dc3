//! Verdicts written where Kubernetes tools look for them: conditions and taints of Cluster objects. Pure.

mod infeasible;
mod overridden;
mod partial;

use std::collections::BTreeMap;

use lifeboat_health::{FleetView, Path, Profile, Verdict};
use serde_json::{Value, json};

use super::Kinds;
use crate::{
    failover::ClusterHealth,
    observe::targets,
    store::{
        Index, Key, Op, Write,
        conditions::{self, condition},
        name,
    },
};

/// Karmada's taint of a cluster whose API does not answer.
const NOT_READY: &str = "cluster.karmada.io/not-ready";

/// Reason of `Ready` until the control path has once been Up.
const NEVER_SEEN: &str = "NeverSeen";

/// Patches for the clusters whose conditions or taints do not say what `health` says. A taint goes before the
/// condition that follows from it: who waits for `Ready` may place at once.
pub(super) fn writes(
    index: &Index,
    kinds: &Kinds,
    verdicts: &FleetView,
    profile: &Profile,
    health: &BTreeMap<String, ClusterHealth>,
    refused: &BTreeMap<String, String>,
    stamp: &str,
) -> Vec<Write> {
    index
        .list(&kinds.cluster)
        .into_iter()
        .filter_map(|cluster| {
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
            let taints = taints(&cluster, health.control, stamp).map(|patch| write(Op::Merge(patch)));
            taints.or_else(|| {
                let patch = status(&cluster, health, (verdicts, profile), refused, stamp)?;
                Some(write(Op::MergeStatus(patch)))
            })
        })
        .collect()
}

/// Why the control path has no verdict, where it has none.
fn unknown(verdicts: &FleetView, cluster: &str) -> &'static str {
    match verdicts.better_family(cluster, Path::Control) {
        None => "no observer probes this cluster",
        Some(cell) if cell.frozen => "too few fresh observers for a verdict",
        Some(_) => "no verdict yet",
    }
}

/// The control path has once been Up: that is what Ready says, or said before it became something worse. A cluster
/// that was never seen is neither a place nor a loss.
pub(super) fn seen(cluster: &Value) -> bool {
    conditions::find(cluster, "Ready").is_some_and(|ready| {
        let reason = ready["reason"].as_str().unwrap_or_default();
        ready["status"] == "True" || matches!(reason, "NoConnection" | "NoVerdict" | "ClusterNotReachable")
    })
}

fn status(
    cluster: &Value,
    health: ClusterHealth,
    (verdicts, profile): (&FleetView, &Profile),
    refused: Option<&str>,
    stamp: &str,
) -> Option<Value> {
    let ClusterHealth {
        traffic,
        control,
        returned_since: _,
    } = health;
    let unknown = unknown(verdicts, name(cluster));
    let up = matches!(control, Verdict::Up | Verdict::Suspect | Verdict::Recovering);
    let seen = up || seen(cluster);
    let ready = match (refused, control) {
        (Some(message), _) => ("False", if seen { "NoConnection" } else { NEVER_SEEN }, message),
        (None, Verdict::Up | Verdict::Suspect | Verdict::Recovering) => (
            "True",
            "ClusterReady",
            "cluster is healthy and ready to accept workloads",
        ),
        (None, Verdict::Down) if seen => ("False", "ClusterNotReachable", "cluster is not reachable"),
        (None, Verdict::Down) => ("False", NEVER_SEEN, "cluster has never been reachable"),
        (None, Verdict::Unknown) => ("Unknown", if seen { "NoVerdict" } else { NEVER_SEEN }, unknown),
    };
    let paths = [
        condition(cluster, "Ready", ready, stamp),
        path(
            cluster,
            "TrafficPath",
            traffic,
            (
                Path::Traffic,
                verdicts.better_family(name(cluster), Path::Traffic).is_some(),
            ),
            "ingress, as users reach it",
            stamp,
        ),
        path(
            cluster,
            "ControlPath",
            control,
            (
                Path::Control,
                verdicts.better_family(name(cluster), Path::Control).is_some(),
            ),
            "API server",
            stamp,
        ),
    ];
    let wanted = paths
        .into_iter()
        .chain(partial::condition(cluster, verdicts, stamp))
        .chain(infeasible::condition(cluster, verdicts, stamp))
        .chain(overridden::condition(cluster, profile, stamp));
    conditions::with(cluster, wanted).map(|conditions| json!({ "status": { "conditions": conditions } }))
}

/// One path's verdict; or why there is none, if that is because nothing says how it is probed. A path that was probed before
/// its check was mistaken is still probed as it was.
/// `probed`: it is a target, whether or not there are observers enough for a verdict.
fn path(
    cluster: &Value,
    kind: &str,
    verdict: Verdict,
    (path, probed): (Path, bool),
    what: &str,
    stamp: &str,
) -> Value {
    if !probed
        && verdict == Verdict::Unknown
        && let Some(problem) = targets::problem(cluster, path)
    {
        let message = format!("not probed: {problem}");
        return condition(cluster, kind, ("Unknown", "NotProbed", &message), stamp);
    }
    let status = match verdict {
        Verdict::Up | Verdict::Suspect | Verdict::Recovering => "True",
        Verdict::Down => "False",
        Verdict::Unknown => "Unknown",
    };
    let told = |problem| format!("; what was in force stays: {problem}");
    let mistake = targets::mistake(cluster, path).map(told);
    let message = format!("{what}: {verdict}{}", mistake.unwrap_or_default());
    condition(cluster, kind, (status, &verdict.to_string(), &message), stamp)
}

/// NoSchedule while the API server is down, and until it has once been Up, so that the scheduler sends nothing new
/// there; workloads that are there already tolerate it, as in Karmada.
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
        Verdict::Suspect | Verdict::Unknown => tainted || !seen(cluster),
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
        let patch = status(
            &cluster,
            health(Verdict::Up, Verdict::Up),
            (&FleetView::default(), &Profile::fast()),
            None,
            "t1",
        )
        .unwrap();
        cluster["status"] = patch["status"].clone();
        assert_eq!(
            status(
                &cluster,
                health(Verdict::Up, Verdict::Up),
                (&FleetView::default(), &Profile::fast()),
                None,
                "t2"
            ),
            None
        );
        let patch = status(
            &cluster,
            health(Verdict::Down, Verdict::Up),
            (&FleetView::default(), &Profile::fast()),
            None,
            "t2",
        )
        .unwrap();
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
    fn a_path_that_nothing_says_how_to_probe_is_told_so() {
        let (index, kinds) = (Index::default(), Kinds::default());
        let cluster = json!({
            "metadata": { "name": "a", "annotations": { "lifeboat.dev/ingress-addresses": "not-an-ip" } },
            "spec": { "apiEndpoint": "http://192.0.2.1:6443" },
        });
        index.apply(&kinds.cluster, cluster);
        let control_up = health(Verdict::Unknown, Verdict::Up);
        let health = BTreeMap::from([("a".to_owned(), control_up)]);
        let writes = writes(
            &index,
            &kinds,
            &FleetView::default(),
            &Profile::fast(),
            &health,
            &BTreeMap::new(),
            "t",
        );
        let [
            Write {
                op: Op::MergeStatus(patch),
                ..
            },
        ] = &writes[..]
        else {
            panic!("{writes:?}");
        };
        let conditions = patch["status"]["conditions"].as_array().unwrap();
        let of = |kind: &str| conditions.iter().find(|c| c["type"] == kind).unwrap();
        assert_eq!(of("TrafficPath")["reason"], "NotProbed");
        let message = of("TrafficPath")["message"].as_str().unwrap();
        assert!(
            message.contains("lifeboat.dev/ingress-addresses") && message.contains("\"not-an-ip\""),
            "{message}"
        );
        assert_eq!(of("ControlPath")["reason"], "Up");
    }

    #[test]
    fn a_mistaken_check_is_told_beside_the_verdict() {
        let told = |cluster: &Value, of| {
            let condition = path(cluster, "P", Verdict::Up, (of, true), "it", "t");
            assert_eq!(
                (&condition["status"], &condition["reason"]),
                (&json!("True"), &json!("Up"))
            );
            condition["message"].as_str().unwrap().to_owned()
        };
        let message = |annotations: Value| {
            let cluster = json!({ "metadata": { "name": "a", "annotations": annotations } });
            [Path::Traffic, Path::Control].map(|of| told(&cluster, of))
        };
        let [traffic, control] = message(json!({ "lifeboat.dev/traffic-check": "{kind: pigeon}" }));
        assert!(
            traffic.starts_with(
                "it: Up; what was in force stays: metadata.annotations[lifeboat.dev/traffic-check]: "
            ) && traffic.contains("pigeon"),
            "{traffic}"
        );
        assert_eq!(
            control, "it: Up",
            "an observer's own file may say how it is probed"
        );
    }

    #[test]
    fn a_frozen_path_is_probed_all_the_same() {
        let annotations = json!({ "lifeboat.dev/traffic-check": "{kind: pigeon}" });
        let cluster = json!({ "metadata": { "name": "a", "annotations": annotations } });
        let mut verdicts = FleetView::default();
        let told = |verdicts: &FleetView| {
            let unknown = health(Verdict::Unknown, Verdict::Unknown);
            let patch = status(&cluster, unknown, (verdicts, &Profile::fast()), None, "t").unwrap();
            let conditions = patch["status"]["conditions"].as_array().unwrap();
            let traffic = conditions.iter().find(|c| c["type"] == "TrafficPath").unwrap();
            let text = |field: &str| traffic[field].as_str().unwrap().to_owned();
            (text("reason"), text("message"))
        };
        assert_eq!(told(&verdicts).0, "NotProbed");
        let frozen = lifeboat_health::Cell {
            frozen: true,
            ..Default::default()
        };
        let key = ("a".to_owned(), Path::Traffic, lifeboat_health::Family::V4);
        verdicts.cells.insert(key, frozen);
        let (reason, message) = told(&verdicts);
        assert_eq!(reason, "Unknown");
        assert!(message.contains("; what was in force stays: "), "{message}");
    }

    #[test]
    fn a_cluster_that_never_answered_is_no_loss() {
        let mut cluster = json!({"metadata": {"name": "a"}});
        assert!(!seen(&cluster));
        let step = |cluster: &mut Value, control, refused| {
            let health = health(Verdict::Unknown, control);
            if let Some(patch) = status(
                cluster,
                health,
                (&FleetView::default(), &Profile::fast()),
                refused,
                "t",
            ) {
                json_patch::merge(cluster, &patch);
            }
            seen(cluster)
        };
        let refused = Some("its secret has no token");
        assert!(!step(&mut cluster, Verdict::Unknown, None));
        assert!(!step(&mut cluster, Verdict::Unknown, refused));
        assert!(!step(&mut cluster, Verdict::Down, None));
        assert!(step(&mut cluster, Verdict::Up, None));
        assert!(step(&mut cluster, Verdict::Down, None));
        assert!(step(&mut cluster, Verdict::Unknown, None));
        // Nobody forgets it over a connection that is refused, though its link ends with the control path.
        assert!(step(&mut cluster, Verdict::Up, refused));
        assert!(step(&mut cluster, Verdict::Down, None));
    }

    #[test]
    fn a_taint_stays_while_nothing_is_known() {
        let ready = json!([{"type": "Ready", "status": "True", "reason": "ClusterReady"}]);
        let clean =
            json!({"metadata": {"name": "a", "resourceVersion": "1"}, "status": {"conditions": ready}});
        assert_eq!(taints(&clean, Verdict::Unknown, "t"), None);
        let patch = taints(&clean, Verdict::Down, "t").unwrap();
        let tainted = json!({"metadata": {"name": "a"}, "spec": patch["spec"]});
        assert_eq!(taints(&tainted, Verdict::Unknown, "t"), None);
        assert_eq!(
            taints(&tainted, Verdict::Up, "t").unwrap()["spec"]["taints"],
            json!([])
        );
    }

    /// What the API server holds after the writes of one tick.
    fn tick(index: &Index, kinds: &Kinds, verdicts: &FleetView, control: Verdict) {
        let health = BTreeMap::from([("a".to_owned(), health(Verdict::Unknown, control))]);
        let refused = BTreeMap::new();
        for write in writes(index, kinds, verdicts, &Profile::fast(), &health, &refused, "t") {
            let (Op::Merge(patch) | Op::MergeStatus(patch)) = write.op else {
                panic!("{write:?}");
            };
            let mut object = (*index.get(&write.kind, &write.key).unwrap()).clone();
            json_patch::merge(&mut object, &patch);
            index.apply(&write.kind, object);
        }
    }

    #[test]
    fn nothing_is_placed_on_a_cluster_until_it_has_been_seen() {
        let (index, kinds) = (Index::default(), Kinds::default());
        index.apply(&kinds.cluster, json!({"metadata": {"name": "a"}}));
        let mut verdicts = FleetView::default();
        let told = |verdicts: &FleetView, control: Verdict| {
            for _ in 0..3 {
                tick(&index, &kinds, verdicts, control);
            }
            let cluster = index.get(&kinds.cluster, &Key::new("", "a")).unwrap();
            let ready = conditions::find(&cluster, "Ready").unwrap();
            let taints = cluster.pointer("/spec/taints").and_then(Value::as_array);
            let text = |field: &str| ready[field].as_str().unwrap().to_owned();
            (
                text("status"),
                text("message"),
                taints.is_some_and(|taints| !taints.is_empty()),
            )
        };
        let expected =
            |status: &str, message: &str, tainted| (status.to_owned(), message.to_owned(), tainted);
        assert_eq!(
            told(&verdicts, Verdict::Unknown),
            expected("Unknown", "no observer probes this cluster", true)
        );
        let mut cell = lifeboat_health::Cell::default();
        let key = ("a".to_owned(), Path::Control, lifeboat_health::Family::V4);
        verdicts.cells.insert(key.clone(), cell.clone());
        assert_eq!(
            told(&verdicts, Verdict::Unknown),
            expected("Unknown", "no verdict yet", true)
        );
        let (status, _, tainted) = told(&verdicts, Verdict::Up);
        assert_eq!((status.as_str(), tainted), ("True", false));
        // A controller that starts anew knows no verdict, but the cluster has been seen.
        cell.frozen = true;
        verdicts.cells.insert(key, cell);
        assert_eq!(
            told(&verdicts, Verdict::Unknown),
            expected("Unknown", "too few fresh observers for a verdict", false)
        );
    }
}
