//! StatefulSet → pods with ordinals: made from the lowest, updated and removed from the highest.

use serde_json::{Value, json};

use super::pods;
use crate::member::{
    json::{self, deleting, int, label, text},
    world::{Kind, World, Write},
};

const REVISION: &str = "controller-revision-hash";

pub(crate) fn wants(world: &World) -> Vec<Write> {
    world
        .stateful_sets
        .iter()
        .filter(|set| !deleting(set))
        .flat_map(|set| reconcile(world, set))
        .collect()
}

fn reconcile(world: &World, set: &Value) -> Vec<Write> {
    let wanted = usize::try_from(json::count(set, "/spec/replicas", 1)).unwrap_or(0);
    let parallel = text(set, "/spec/podManagementPolicy") == "Parallel";
    let revision = format!(
        "{}-{}",
        json::name(set),
        pods::template_hash(&set["spec"]["template"])
    );
    let mut owned: Vec<(usize, &Value)> = world
        .pods_of(json::uid(set))
        .filter_map(|pod| Some((ordinal(set, pod)?, pod)))
        .collect();
    owned.sort_by_key(|(ordinal, _)| *ordinal);
    let at = |wanted: usize| {
        owned
            .iter()
            .find(|(ordinal, _)| *ordinal == wanted)
            .map(|(_, pod)| *pod)
    };

    let mut writes = Vec::new();
    let mut waiting = false;
    for ordinal in 0..wanted {
        match at(ordinal) {
            None if writes.len() >= pods::room(world) => break,
            None => {
                writes.push(Write::Create {
                    kind: Kind::Pod,
                    object: pod(set, ordinal, &revision),
                });
                waiting = true;
            }
            Some(pod) => waiting |= !pods::ready(pod),
        }
        if waiting && !parallel {
            break;
        }
    }
    let surplus = owned
        .iter()
        .rev()
        .filter(|(ordinal, pod)| *ordinal >= wanted && !deleting(pod));
    let removed: Vec<_> = surplus
        .take(if parallel { usize::MAX } else { 1 })
        .map(|(_, pod)| Write::delete(Kind::Pod, pod))
        .collect();
    let settled = !waiting && removed.is_empty();
    writes.extend(removed);
    if settled && text(set, "/spec/updateStrategy/type") != "OnDelete" {
        let partition = json::count(set, "/spec/updateStrategy/rollingUpdate/partition", 0);
        let partition = usize::try_from(partition).unwrap_or(0);
        let stale = owned.iter().rev().find(|(ordinal, pod)| {
            *ordinal >= partition && *ordinal < wanted && label(pod, REVISION) != Some(&revision)
        });
        writes.extend(stale.map(|(_, pod)| Write::delete(Kind::Pod, pod)));
    }
    writes.extend(status(set, &owned, &revision));
    writes
}

fn ordinal(set: &Value, pod: &Value) -> Option<usize> {
    json::name(pod)
        .strip_prefix(json::name(set))?
        .strip_prefix('-')?
        .parse()
        .ok()
}

fn pod(set: &Value, ordinal: usize, revision: &str) -> Value {
    let name = format!("{}-{ordinal}", json::name(set));
    let owner = json::owner_reference("apps/v1", "StatefulSet", set);
    let mut pod = pods::from_template(&set["spec"]["template"], json::namespace(set), &name, owner);
    json::put(&mut pod, &["metadata", "labels", REVISION], json!(revision));
    json::put(
        &mut pod,
        &["metadata", "labels", "statefulset.kubernetes.io/pod-name"],
        json!(name),
    );
    json::put(&mut pod, &["spec", "hostname"], json!(name));
    if let Some(service) = set["spec"]["serviceName"].as_str() {
        json::put(&mut pod, &["spec", "subdomain"], json!(service));
    }
    pod
}

fn status(set: &Value, owned: &[(usize, &Value)], revision: &str) -> Option<Write> {
    let alive: Vec<_> = owned
        .iter()
        .map(|(_, pod)| *pod)
        .filter(|pod| pods::active(pod))
        .collect();
    let ready = alive.iter().filter(|pod| pods::ready(pod)).count();
    let updated = alive
        .iter()
        .filter(|pod| label(pod, REVISION) == Some(revision))
        .count();
    let before = text(set, "/status/currentRevision");
    let complete = before.is_empty() || (updated == alive.len() && ready == alive.len());
    let current = if complete { revision } else { before };
    let on_current = alive
        .iter()
        .filter(|pod| label(pod, REVISION) == Some(current))
        .count();
    let status = json!({
        "observedGeneration": int(set, "/metadata/generation").unwrap_or(1),
        "replicas": alive.len(),
        "readyReplicas": ready,
        "availableReplicas": ready,
        "currentReplicas": on_current,
        "updatedReplicas": updated,
        "currentRevision": current,
        "updateRevision": revision,
        "collisionCount": 0,
    });
    Write::status(Kind::StatefulSet, set, status)
}
