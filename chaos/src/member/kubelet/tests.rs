//! The life of one pod, step by step.

use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;

use super::*;
use crate::member::world::Site;

const DELAY: Duration = Duration::from_secs(2);

/// One node, one pod, and the kubelet's writes merged back into it.
struct Life {
    kubelet: Kubelet,
    world: World,
    now: Instant,
}

fn merge(target: &mut Value, patch: &Value) {
    match (target.as_object_mut(), patch.as_object()) {
        (Some(target), Some(patch)) => {
            for (key, value) in patch {
                merge(target.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (None, Some(patch)) => {
            *target = json!({});
            merge(target, &Value::Object(patch.clone()));
        }
        (_, None) => *target = patch.clone(),
    }
}

impl Life {
    fn of(spec: Value) -> Self {
        let nothing = Vec::new;
        let mut pod =
            json!({ "metadata": { "name": "p", "namespace": "default", "uid": "u" }, "spec": spec });
        pod["spec"]["nodeName"] = json!("n");
        let world = World {
            site: Site {
                cluster: "eu".to_owned(),
                vip: IpAddr::V4(Ipv4Addr::LOCALHOST),
                pod_network: 3,
            },
            now: Timestamp::from_second(1_700_000_000).unwrap(),
            deployments: nothing(),
            replica_sets: nothing(),
            stateful_sets: nothing(),
            daemon_sets: nothing(),
            jobs: nothing(),
            pods: vec![pod],
            services: nothing(),
            endpoints: nothing(),
            endpoint_slices: nothing(),
            ingresses: nothing(),
            nodes: nothing(),
        };
        Self {
            kubelet: Kubelet::new(DELAY),
            world,
            now: Instant::now(),
        }
    }

    /// Lets time pass and answers the other writes than to the pod itself.
    fn pass(&mut self, time: Duration) -> Vec<Write> {
        self.now += time;
        let writes = self.kubelet.wants(&self.world, self.now);
        self.take(writes)
    }

    fn take(&mut self, writes: Vec<Write>) -> Vec<Write> {
        let mut others = Vec::new();
        for write in writes {
            match &write {
                Write::Merge { patch, .. } => merge(&mut self.world.pods[0], patch),
                Write::Create { .. } | Write::Delete { .. } | Write::Remove { .. } => others.push(write),
            }
        }
        others
    }

    fn shows(&self, phase: &str, ready: bool) {
        let pod = &self.world.pods[0];
        assert_eq!(
            (text(pod, "/status/phase"), pods::ready(pod)),
            (phase, ready),
            "{pod:#}"
        );
    }
}

fn running(image: &str) -> Value {
    json!({ "containers": [{ "name": "c", "image": image }] })
}

#[test]
fn a_pod_is_ready_after_the_delay_and_then_at_rest() {
    let mut life = Life::of(running("shop:1"));
    life.pass(Duration::ZERO);
    life.shows("Pending", false);
    assert_eq!(text(&life.world.pods[0], "/status/podIP"), "10.3.0.1");
    assert_eq!(life.kubelet.next_due(), Some(life.now + DELAY));
    life.pass(DELAY - Duration::from_millis(1));
    life.shows("Pending", false);
    life.pass(Duration::from_millis(1));
    life.shows("Running", true);
    assert_eq!((life.kubelet.next_due(), life.pass(DELAY).len()), (None, 0));
}

#[test]
fn an_annotation_overrides_the_delay() {
    let mut life = Life::of(running("shop:1"));
    life.world.pods[0]["metadata"]["annotations"] = json!({ START_DELAY: "10s" });
    life.pass(Duration::ZERO);
    life.pass(Duration::from_secs(9));
    life.shows("Pending", false);
    life.pass(Duration::from_secs(1));
    life.shows("Running", true);
}

#[test]
fn a_broken_image_is_never_ready() {
    let mut life = Life::of(running("shop:broken"));
    life.pass(Duration::ZERO);
    let others = life.pass(DELAY);
    life.shows("Pending", false);
    let reason = "/status/containerStatuses/0/state/waiting/reason";
    assert_eq!(text(&life.world.pods[0], reason), "ImagePullBackOff");
    assert!(
        matches!(
            others.as_slice(),
            [Write::Create {
                kind: Kind::Event,
                ..
            }]
        ),
        "{others:?}"
    );
}

#[test]
fn a_pod_that_runs_to_completion_succeeds() {
    let mut spec = running("job:1");
    spec["restartPolicy"] = json!("Never");
    let mut life = Life::of(spec);
    life.pass(Duration::ZERO);
    life.pass(DELAY);
    life.shows("Running", true);
    life.pass(RUN_TIME_DEFAULT);
    life.shows("Succeeded", false);
}

#[test]
fn a_power_cycle_makes_pods_start_anew() {
    let mut life = Life::of(running("shop:1"));
    life.pass(Duration::ZERO);
    life.pass(DELAY);
    let writes = life.kubelet.power_cycle(&life.world);
    life.take(writes);
    life.shows("Running", false);
    assert_eq!(
        life.world.pods[0]["status"]["containerStatuses"][0]["restartCount"],
        1
    );
    life.pass(Duration::ZERO);
    life.pass(DELAY);
    life.shows("Running", true);
    assert_eq!(
        life.world.pods[0]["status"]["containerStatuses"][0]["restartCount"],
        1
    );
}

#[test]
fn a_deleted_pod_stops_serving_at_once_and_is_gone_soon() {
    let mut life = Life::of(running("shop:1"));
    life.pass(Duration::ZERO);
    life.pass(DELAY);
    life.world.pods[0]["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    life.world.pods[0]["metadata"]["deletionGracePeriodSeconds"] = json!(30);
    assert!(life.pass(Duration::ZERO).is_empty());
    life.shows("Running", false);
    assert!(life.pass(TERMINATION_MAX - Duration::from_millis(1)).is_empty());
    assert!(matches!(
        life.pass(Duration::from_millis(1)).as_slice(),
        [Write::Remove { .. }]
    ));
}
