//! DaemonSet → one pod on every node that takes it.

use serde_json::{Value, json};

use super::pods;
use crate::member::{
    json::{self, deleting, int, label, text},
    scheduler,
    world::{Kind, World, Write},
};

const REVISION: &str = "controller-revision-hash";

pub(crate) fn wants(world: &World, draw: &mut fastrand::Rng) -> Vec<Write> {
    let mut writes = Vec::new();
    for set in world.daemon_sets.iter().filter(|set| !deleting(set)) {
        reconcile(world, set, draw, &mut writes);
    }
    writes
}

fn reconcile(world: &World, set: &Value, draw: &mut fastrand::Rng, writes: &mut Vec<Write>) {
    let revision = pods::template_hash(&set["spec"]["template"]);
    let owned: Vec<&Value> = world.pods_of(json::uid(set)).collect();
    let (mut scheduled, mut ready, mut updated, mut desired, mut stray) = (0, 0, 0, 0, 0);
    let mut rolling = false;
    for node in &world.nodes {
        let here: Vec<_> = owned
            .iter()
            .filter(|pod| text(pod, "/spec/nodeName") == json::name(node))
            .collect();
        if !scheduler::admits(node, &set["spec"]["template"]) {
            stray += here.len();
            writes.extend(
                here.iter()
                    .filter(|pod| !deleting(pod))
                    .map(|pod| Write::delete(Kind::Pod, pod)),
            );
            continue;
        }
        desired += 1;
        let Some(pod) = here.first() else {
            writes.push(Write::Create {
                kind: Kind::Pod,
                object: pod(set, node, &revision, draw),
            });
            continue;
        };
        scheduled += 1;
        let is_ready = pods::ready(pod);
        ready += usize::from(is_ready);
        if label(pod, REVISION) == Some(&revision) {
            updated += 1;
            rolling |= !is_ready;
        } else if !rolling && !deleting(pod) && text(set, "/spec/updateStrategy/type") != "OnDelete" {
            // One node at a time: the default maxUnavailable.
            rolling = true;
            writes.push(Write::delete(Kind::Pod, pod));
        }
    }
    let status = json!({
        "observedGeneration": int(set, "/metadata/generation").unwrap_or(1),
        "desiredNumberScheduled": desired,
        "currentNumberScheduled": scheduled,
        "updatedNumberScheduled": updated,
        "numberMisscheduled": stray,
        "numberReady": ready,
        "numberAvailable": ready,
        "numberUnavailable": desired - ready,
    });
    writes.extend(Write::status(Kind::DaemonSet, set, status));
}

fn pod(set: &Value, node: &Value, revision: &str, draw: &mut fastrand::Rng) -> Value {
    let name = pods::drawn_name(json::name(set), draw);
    let owner = json::owner_reference("apps/v1", "DaemonSet", set);
    let mut pod = pods::from_template(&set["spec"]["template"], json::namespace(set), &name, owner);
    json::put(&mut pod, &["metadata", "labels", REVISION], json!(revision));
    json::put(&mut pod, &["spec", "nodeName"], json!(json::name(node)));
    pod
}
