//! ReplicaSet → pods.

use serde_json::{Value, json};

use super::pods;
use crate::member::{
    json::{self, deleting, int},
    world::{Kind, World, Write},
};

/// Pods made or deleted for one set in one pass; the rest follows in the next.
const BURST_MAX: usize = 500;

pub(crate) fn wants(world: &World, draw: &mut fastrand::Rng) -> Vec<Write> {
    let mut writes = Vec::new();
    for set in world.replica_sets.iter().filter(|set| !deleting(set)) {
        reconcile(world, set, draw, &mut writes);
    }
    writes
}

fn reconcile(world: &World, set: &Value, draw: &mut fastrand::Rng, writes: &mut Vec<Write>) {
    let mut alive: Vec<&Value> = world
        .pods_of(json::uid(set))
        .filter(|pod| pods::active(pod))
        .collect();
    let wanted = usize::try_from(json::count(set, "/spec/replicas", 1)).unwrap_or(0);
    if alive.len() < wanted {
        for _ in 0..(wanted - alive.len()).min(pods::room(world)) {
            let name = pods::drawn_name(json::name(set), draw);
            let owner = json::owner_reference("apps/v1", "ReplicaSet", set);
            let pod = pods::from_template(&set["spec"]["template"], json::namespace(set), &name, owner);
            writes.push(Write::Create {
                kind: Kind::Pod,
                object: pod,
            });
        }
    } else if alive.len() > wanted {
        pods::by_deletion_order(&mut alive);
        let surplus = (alive.len() - wanted).min(BURST_MAX);
        writes.extend(
            alive
                .iter()
                .take(surplus)
                .map(|pod| Write::delete(Kind::Pod, pod)),
        );
    }
    let ready = alive.iter().filter(|pod| pods::ready(pod)).count();
    let status = json!({
        "observedGeneration": int(set, "/metadata/generation").unwrap_or(1),
        "replicas": alive.len(),
        "fullyLabeledReplicas": alive.len(),
        "readyReplicas": ready,
        "availableReplicas": ready,
    });
    writes.extend(Write::status(Kind::ReplicaSet, set, status));
}
