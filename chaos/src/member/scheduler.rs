//! The scheduler: a node for each pod that fits, a reason for each that does not.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    controllers::pods,
    json::{self, Saying, conditions, deleting, label, list, map, stamp, text},
    quantity::Resources,
    world::{Kind, World, Write},
};

/// Placements for the pods that wait, oldest first.
pub(crate) fn wants(world: &World) -> Vec<Write> {
    let mut rooms: Vec<Room<'_>> = world
        .nodes
        .iter()
        .filter(|node| !deleting(node))
        .map(Room::new)
        .collect();
    let index: BTreeMap<&str, usize> = rooms
        .iter()
        .enumerate()
        .map(|(index, room)| (json::name(room.node), index))
        .collect();
    for pod in world.pods.iter().filter(|pod| !pods::finished(pod)) {
        if let Some(room) = index
            .get(text(pod, "/spec/nodeName"))
            .and_then(|index| rooms.get_mut(*index))
        {
            room.used = room.used.plus(Resources::of_pod(pod));
        }
    }
    let mut waiting: Vec<&Value> = world
        .pods
        .iter()
        .filter(|pod| pods::active(pod) && text(pod, "/spec/nodeName").is_empty())
        .collect();
    waiting.sort_by_key(|pod| (text(pod, "/metadata/creationTimestamp"), json::name(pod)));
    waiting
        .into_iter()
        .flat_map(|pod| place(world, pod, &mut rooms))
        .collect()
}

struct Room<'a> {
    node: &'a Value,
    has: Resources,
    used: Resources,
}

impl<'a> Room<'a> {
    fn new(node: &'a Value) -> Self {
        Self {
            node,
            has: Resources::of_map(&node["status"]["allocatable"]),
            used: Resources::default(),
        }
    }

    /// The first thing there is too little of.
    fn lacks(&self, asked: Resources) -> Option<&'static str> {
        let after = self.used.plus(asked);
        if after.pods > self.has.pods {
            Some("Too many pods")
        } else if after.cpu_milli > self.has.cpu_milli {
            Some("Insufficient cpu")
        } else if after.memory_bytes > self.has.memory_bytes {
            Some("Insufficient memory")
        } else {
            None
        }
    }

    /// How full the node is, in thousandths of its scarcer resource, then by pods.
    fn fullness(&self) -> (i64, i64) {
        let share = |used: i64, has: i64| used.saturating_mul(1000) / has.max(1);
        let cpu = share(self.used.cpu_milli, self.has.cpu_milli);
        (
            cpu.max(share(self.used.memory_bytes / 1024, self.has.memory_bytes / 1024)),
            self.used.pods,
        )
    }
}

fn place(world: &World, pod: &Value, rooms: &mut [Room<'_>]) -> Vec<Write> {
    let asked = Resources::of_pod(pod);
    let mut reasons: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut best: Option<&mut Room<'_>> = None;
    let total = rooms.len();
    for room in rooms {
        let problem = if admits(room.node, pod) {
            room.lacks(asked)
        } else {
            Some("node(s) didn't match Pod's node affinity/selector or had untolerated taints")
        };
        match problem {
            Some(reason) => *reasons.entry(reason).or_default() += 1,
            None if best.as_ref().is_none_or(|best| room.fullness() < best.fullness()) => best = Some(room),
            None => {}
        }
    }
    match best {
        Some(room) => {
            room.used = room.used.plus(asked);
            let patch = json!({ "spec": { "nodeName": json::name(room.node) } });
            Write::merge(Kind::Pod, pod, patch).into_iter().collect()
        }
        None => unschedulable(world, pod, total, &reasons),
    }
}

fn unschedulable(world: &World, pod: &Value, nodes: usize, reasons: &BTreeMap<&str, usize>) -> Vec<Write> {
    let parts: Vec<_> = reasons
        .iter()
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    let detail = if parts.is_empty() {
        String::new()
    } else {
        format!(": {}", parts.join(", "))
    };
    let message = format!("0/{nodes} nodes are available{detail}.");
    let said = Saying {
        kind: "PodScheduled",
        status: false,
        reason: "Unschedulable",
        message: &message,
    };
    let status = json!({ "phase": "Pending", "conditions": conditions(pod, &[said], world.now) });
    let first = json::condition(pod, "PodScheduled").is_none();
    let mut writes: Vec<_> = Write::status(Kind::Pod, pod, status).into_iter().collect();
    if first {
        writes.push(event(world, pod, "FailedScheduling", &message));
    }
    writes
}

/// Whether a node takes a pod (or a pod template) whatever its load: cordon, selector, taints.
pub(crate) fn admits(node: &Value, pod: &Value) -> bool {
    let selector = map(pod, "/spec/nodeSelector");
    let selected = selector.is_none_or(|selector| {
        selector
            .iter()
            .all(|(key, value)| label(node, key).is_some_and(|has| value == has))
    });
    selected && node["spec"]["unschedulable"] != true && tolerates(node, pod)
}

fn tolerates(node: &Value, pod: &Value) -> bool {
    list(node, "/spec/taints")
        .iter()
        .filter(|taint| taint["effect"] != "PreferNoSchedule")
        .all(|taint| {
            list(pod, "/spec/tolerations").iter().any(|toleration| {
                let effect = &toleration["effect"];
                let key = text(toleration, "/key");
                let exists = toleration["operator"] == "Exists";
                (effect.is_null() || effect == "" || *effect == taint["effect"])
                    && (if key.is_empty() {
                        exists
                    } else {
                        key == text(taint, "/key")
                    })
                    && (exists || text(toleration, "/value") == text(taint, "/value"))
            })
        })
}

/// A warning about a pod; its name is fixed by pod and reason, so that there is one of a kind.
pub(crate) fn event(world: &World, pod: &Value, reason: &str, message: &str) -> Write {
    let time = stamp(world.now);
    Write::Create {
        kind: Kind::Event,
        object: json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": format!("{}.{}", json::name(pod), reason.to_ascii_lowercase()),
                "namespace": json::namespace(pod),
            },
            "involvedObject": {
                "apiVersion": "v1", "kind": "Pod", "name": json::name(pod),
                "namespace": json::namespace(pod), "uid": json::uid(pod),
            },
            "type": "Warning", "reason": reason, "message": message, "count": 1,
            "firstTimestamp": time, "lastTimestamp": time,
            "source": { "component": if reason == "FailedScheduling" { "default-scheduler" } else { "kubelet" } },
        }),
    }
}
