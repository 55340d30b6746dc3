//! The kubelets of all nodes: pods that were given a node start, become ready, finish and stop.
//!
//! An image whose reference contains `:broken` cannot be pulled, for trying out what then happens.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    controllers::pods,
    json::{self, Saying, annotation, conditions, deleting, list, stamp, text},
    scheduler,
    world::{Kind, World, Write},
};
use crate::fault::spec::parse_duration;

/// Overrides a pod's start delay, as in `sim.lifeboat.dev/start-delay: 5s`.
pub const START_DELAY: &str = "sim.lifeboat.dev/start-delay";
/// How long the pod of a Job runs, five seconds when absent.
pub const RUN_TIME: &str = "sim.lifeboat.dev/run-time";

const RUN_TIME_DEFAULT: Duration = Duration::from_secs(5);
/// A termination takes as long as the pod's grace period, at most this.
const TERMINATION_MAX: Duration = Duration::from_millis(500);

/// What the kubelets know beyond the API: when something is due for a pod.
pub(crate) struct Kubelet {
    start_delay: Duration,
    due: BTreeMap<String, Due>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    at: Instant,
    step: PodStep,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PodStep {
    Start,
    Finish,
    Remove,
    /// Nothing more to come.
    Rest,
}

impl Kubelet {
    pub(crate) fn new(start_delay: Duration) -> Self {
        Self {
            start_delay,
            due: BTreeMap::new(),
        }
    }

    /// When the next pod is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.due
            .values()
            .filter(|due| due.step != PodStep::Rest)
            .map(|due| due.at)
            .min()
    }

    /// The machines lost power: every container is gone, pods start anew when [`Kubelet::wants`] is next asked.
    pub(crate) fn power_cycle(&mut self, world: &World) -> Vec<Write> {
        self.due.clear();
        let on_nodes = world
            .pods
            .iter()
            .filter(|pod| !text(pod, "/spec/nodeName").is_empty());
        on_nodes
            .filter(|pod| pods::active(pod) && !text(pod, "/status/startTime").is_empty())
            .filter_map(|pod| {
                Write::status(
                    Kind::Pod,
                    pod,
                    not_ready(world, pod, waiting("ContainerCreating"), 1),
                )
            })
            .collect()
    }

    pub(crate) fn wants(&mut self, world: &World, now: Instant) -> Vec<Write> {
        let uids: BTreeSet<&str> = world.pods.iter().map(json::uid).collect();
        self.due.retain(|uid, _| uids.contains(uid.as_str()));
        let mut addresses = Addresses::of(world);
        let bound = world
            .pods
            .iter()
            .filter(|pod| !text(pod, "/spec/nodeName").is_empty() || deleting(pod));
        let mut writes = Vec::new();
        for pod in bound {
            writes.extend(self.step(world, pod, now, &mut addresses));
        }
        writes
    }

    fn step(&mut self, world: &World, pod: &Value, now: Instant, addresses: &mut Addresses) -> Vec<Write> {
        let uid = json::uid(pod);
        if deleting(pod) {
            return self.stop(world, pod, now);
        }
        if pods::finished(pod) {
            self.due.remove(uid);
            return Vec::new();
        }
        let Some(due) = self.due.get(uid).copied() else {
            let delay = duration(pod, START_DELAY).unwrap_or(self.start_delay);
            self.due.insert(
                uid.to_owned(),
                Due {
                    at: now + delay,
                    step: PodStep::Start,
                },
            );
            return self.admit(world, pod, addresses).into_iter().collect();
        };
        if due.at > now || due.step == PodStep::Rest {
            return Vec::new();
        }
        match due.step {
            PodStep::Start => self.start(world, pod, now),
            PodStep::Finish => {
                self.rest(uid, now);
                Write::status(Kind::Pod, pod, succeeded(world, pod))
                    .into_iter()
                    .collect()
            }
            PodStep::Remove | PodStep::Rest => Vec::new(),
        }
    }

    fn rest(&mut self, uid: &str, now: Instant) {
        self.due.insert(
            uid.to_owned(),
            Due {
                at: now,
                step: PodStep::Rest,
            },
        );
    }

    /// The pod reached its node: it has an address, its containers are being made.
    fn admit(&self, world: &World, pod: &Value, addresses: &mut Addresses) -> Option<Write> {
        let mut status = not_ready(world, pod, waiting("ContainerCreating"), 0);
        if text(pod, "/status/podIP").is_empty() {
            let address = addresses.take(world)?;
            let node = world
                .nodes
                .iter()
                .find(|node| json::name(node) == text(pod, "/spec/nodeName"));
            let host = node.map_or("", |node| text(node, "/status/addresses/0/address"));
            status["podIP"] = json!(address);
            status["podIPs"] = json!([{ "ip": address }]);
            status["hostIP"] = json!(host);
            status["startTime"] = json!(stamp(world.now));
        }
        Write::status(Kind::Pod, pod, status)
    }

    fn start(&mut self, world: &World, pod: &Value, now: Instant) -> Vec<Write> {
        let uid = json::uid(pod);
        let images = list(pod, "/spec/containers")
            .iter()
            .map(|container| text(container, "/image"));
        if let Some(image) = images.into_iter().find(|image| image.contains(":broken")) {
            self.rest(uid, now);
            let message = format!("Back-off pulling image \"{image}\"");
            let status = not_ready(
                world,
                pod,
                json!({ "waiting": { "reason": "ImagePullBackOff", "message": message } }),
                0,
            );
            let mut writes: Vec<_> = Write::status(Kind::Pod, pod, status).into_iter().collect();
            writes.push(scheduler::event(world, pod, "BackOff", &message));
            return writes;
        }
        if runs_to_completion(pod) {
            let run_time = duration(pod, RUN_TIME).unwrap_or(RUN_TIME_DEFAULT);
            self.due.insert(
                uid.to_owned(),
                Due {
                    at: now + run_time,
                    step: PodStep::Finish,
                },
            );
        } else {
            self.rest(uid, now);
        }
        let running = json!({ "running": { "startedAt": stamp(world.now) } });
        let status = json!({
            "phase": "Running",
            "conditions": conditions(pod, &ready_sayings(true), world.now),
            "containerStatuses": container_statuses(pod, &running, true, 0),
        });
        Write::status(Kind::Pod, pod, status).into_iter().collect()
    }

    /// A pod that somebody deleted: it stops serving at once and is gone after a short grace.
    fn stop(&mut self, world: &World, pod: &Value, now: Instant) -> Vec<Write> {
        let uid = json::uid(pod);
        match self.due.get(uid) {
            Some(due) if due.step == PodStep::Remove && due.at <= now => {
                return vec![Write::remove(pod)];
            }
            Some(due) if due.step == PodStep::Remove => return Vec::new(),
            _ => {}
        }
        let grace = json::int(pod, "/metadata/deletionGracePeriodSeconds")
            .and_then(|seconds| u64::try_from(seconds).ok());
        let grace = grace
            .map_or(TERMINATION_MAX, Duration::from_secs)
            .min(TERMINATION_MAX);
        self.due.insert(
            uid.to_owned(),
            Due {
                at: now + grace,
                step: PodStep::Remove,
            },
        );
        let status = json!({ "conditions": conditions(pod, &ready_sayings(false), world.now) });
        Write::status(Kind::Pod, pod, status).into_iter().collect()
    }
}

fn duration(pod: &Value, key: &str) -> Option<Duration> {
    parse_duration(annotation(pod, key)?).ok()
}

fn runs_to_completion(pod: &Value) -> bool {
    matches!(text(pod, "/spec/restartPolicy"), "Never" | "OnFailure")
}

fn waiting(reason: &str) -> Value {
    json!({ "waiting": { "reason": reason } })
}

fn ready_sayings(ready: bool) -> [Saying<'static>; 4] {
    let reason = if ready { "" } else { "ContainersNotReady" };
    let say = |kind, status, reason| Saying {
        kind,
        status,
        reason,
        message: "",
    };
    [
        say("PodScheduled", true, ""),
        say("Initialized", true, ""),
        say("ContainersReady", ready, reason),
        say("Ready", ready, reason),
    ]
}

fn not_ready(world: &World, pod: &Value, state: Value, restarts: i64) -> Value {
    json!({
        "phase": if text(pod, "/status/phase") == "Running" { "Running" } else { "Pending" },
        "conditions": conditions(pod, &ready_sayings(false), world.now),
        "containerStatuses": container_statuses(pod, &state, false, restarts),
    })
}

fn succeeded(world: &World, pod: &Value) -> Value {
    let time = stamp(world.now);
    let ended = json!({ "terminated": {
        "exitCode": 0, "reason": "Completed", "startedAt": time, "finishedAt": time,
    } });
    let mut said = ready_sayings(false);
    for saying in said
        .iter_mut()
        .filter(|saying| saying.kind != "PodScheduled" && saying.kind != "Initialized")
    {
        saying.reason = "PodCompleted";
    }
    json!({
        "phase": "Succeeded",
        "conditions": conditions(pod, &said, world.now),
        "containerStatuses": container_statuses(pod, &ended, false, 0),
    })
}

/// One status a container; `restarts` more than before.
fn container_statuses(pod: &Value, state: &Value, ready: bool, restarts: i64) -> Value {
    list(pod, "/spec/containers")
        .iter()
        .map(|container| {
            let name = text(container, "/name");
            let image = text(container, "/image");
            let before = list(pod, "/status/containerStatuses")
                .iter()
                .find(|status| status["name"] == name);
            let count = before
                .and_then(|status| status["restartCount"].as_i64())
                .unwrap_or(0);
            json!({
                "name": name, "image": image, "imageID": format!("sim://{image}"),
                "ready": ready, "started": ready, "restartCount": count + restarts, "state": state,
            })
        })
        .collect()
}

/// Pod addresses in use: 10.<cluster>.0.0/16 without its first and last.
struct Addresses {
    taken: BTreeSet<u32>,
    next: u32,
}

impl Addresses {
    fn of(world: &World) -> Self {
        let prefix = format!("10.{}.", world.site.pod_network);
        let host = |pod: &Value| {
            let (high, low) = text(pod, "/status/podIP")
                .strip_prefix(&prefix)?
                .split_once('.')?;
            Some(high.parse::<u32>().ok()? * 256 + low.parse::<u32>().ok()?)
        };
        Self {
            taken: world.pods.iter().filter_map(host).collect(),
            next: 1,
        }
    }

    fn take(&mut self, world: &World) -> Option<String> {
        while self.taken.contains(&self.next) {
            self.next += 1;
        }
        let host = self.next;
        self.next += 1;
        (host < 65_535).then(|| format!("10.{}.{}.{}", world.site.pod_network, host / 256, host % 256))
    }
}
