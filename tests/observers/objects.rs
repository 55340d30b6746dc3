//! Observers as objects in the API: whose evidence counts, to whom it is sent, and what is heard of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use lifeboat::controller::{Controller, ControllerConfig, ControllerMetrics};
use lifeboat::failover::Settings;
use lifeboat::observe::{follow_observers, listed};
use lifeboat::store::{self, Key, Op, Outcome, Write, conditions};
use lifeboat::timeline::Timeline;
use lifeboat_health::{MonoClock, Verdict};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::fleet::{Fleet, OBSERVERS, Plan, name};
use super::plane::ControlPlane;
use super::{ONE_FLEET, Site};

const DEADLINE: Duration = Duration::from_secs(60);

impl ControlPlane {
    async fn register(&self, observer: usize, consumers: &[String]) {
        let object = json!({
            "apiVersion": "lifeboat.dev/v1alpha1", "kind": "Observer",
            "metadata": {"name": name(observer)},
            "spec": {"region": format!("region-{observer}"), "consumers": consumers},
        });
        self.apply(&self.kinds.observer, object).await;
    }

    async fn remove(&self, observer: usize) {
        let key = Key::of(&json!({"metadata": {"name": name(observer)}}));
        let held = self
            .writer
            .read(&self.kinds.observer, &key)
            .await
            .unwrap()
            .unwrap();
        let write = Write {
            kind: self.kinds.observer.clone(),
            key,
            op: Op::Delete {
                uid: store::uid(&held).to_owned(),
            },
        };
        assert!(matches!(self.writer.one(&write).await, Ok(Outcome::Done)));
    }

    /// Until the object of an observer has these conditions.
    async fn until_says(&self, observer: usize, heard: &str, abstaining: &str) {
        let mut changes = self.index.subscribe();
        let says = |kind| {
            let listed = self.index.list(&self.kinds.observer);
            let object = listed.iter().find(|object| store::name(object) == name(observer));
            let condition = object.and_then(|object| conditions::find(object, kind).cloned());
            condition.map_or(Value::Null, |condition| condition["status"].clone())
        };
        let so = async {
            while says("Heard") != heard || says("Abstaining") != abstaining {
                changes.changed().await.unwrap();
            }
        };
        let said = tokio::time::timeout(DEADLINE, so).await;
        said.unwrap_or_else(|_| panic!("{}: {} {}", name(observer), says("Heard"), says("Abstaining")));
    }
}

#[test]
fn objects_say_who_counts_and_who_is_told() {
    let _one = ONE_FLEET.lock();
    let site = Site::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let plane = runtime.block_on(ControlPlane::start());
    let kubeconfig = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(kubeconfig.path(), plane.server.kubeconfig()).unwrap();

    // The files of the observers name no consumer; their objects do.
    let consumers: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let listening = Arc::clone(&consumers);
    let mut fleet = Fleet::prepare(Plan {
        way: Box::new(move |_, consumer| {
            listening.lock().insert(consumer.to_string());
            consumer
        }),
        kubeconfig: Some(kubeconfig.path().to_owned()),
        ..site.plan()
    });
    let consumers: Vec<String> = consumers.lock().iter().cloned().collect();
    runtime.block_on(async {
        plane.watches.start(&plane.kinds.observer);
        for observer in 1..=OBSERVERS {
            plane.register(observer, &consumers).await;
        }
    });
    for consumer in &fleet.consumers {
        let counts = consumer.consumer.clone();
        runtime.spawn(follow_observers(plane.config.clone(), move |roster| {
            counts.set_observers(Some(listed(roster)));
        }));
    }
    let clock = MonoClock::new();
    let controller = ControllerConfig {
        holder: "controller".to_owned(),
        kube: plane.config.clone(),
        settings: Settings::default(),
        clock,
        timeline: Timeline::new(clock),
        pod_start: Duration::ZERO,
        metrics: ControllerMetrics::default(),
    };
    let controller = Controller::spawn(controller, fleet.consumers[0].consumer.clone()).unwrap();
    fleet.launch();
    runtime.block_on(plane.until_says(5, "True", "False"));

    runtime.block_on(plane.remove(5));
    fleet.until_both("eu", Verdict::Up, 4);
    runtime.block_on(plane.register(5, &consumers));
    fleet.until_both("eu", Verdict::Up, 5);

    site.anchors[3].falls_silent();
    runtime.block_on(plane.until_says(4, "True", "True"));
    fleet.kill(3);
    runtime.block_on(plane.until_says(3, "False", "Unknown"));
    assert_eq!([fleet.downs("eu"), fleet.downs("us")], [[0, 0]; 2]);
    controller.stop();
}
