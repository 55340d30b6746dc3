//! The pure rounds of all rooms together, over an index that a small stand-in for the API keeps.

mod eviction;
mod home;
mod intents;
pub(super) mod outage;

use lifeboat_health::Verdict;
use serde_json::{Value, json};

use super::*;
use crate::{
    failover::{ClusterHealth, FailoverPlan, World, budget::Tokens, executor, plan},
    propagate::reconcile,
    schedule,
    store::{Key, Kind, Op, Write},
};

/// Rounds after which everything must have come to rest.
const ROUNDS: usize = 20;

struct Api {
    index: Index,
    kinds: Kinds,
    templates: Vec<Kind>,
    version: u64,
    wall: jiff::Timestamp,
    /// Members that cannot be read: they do not obey, and their reports are old.
    silent: Vec<&'static str>,
}

impl Api {
    fn new() -> Self {
        let templates = vec![
            Kind::new("apps/v1", "Deployment", "deployments", true),
            Kind::new("v1", "Service", "services", true),
        ];
        Self {
            index: Index::default(),
            kinds: Kinds::default(),
            templates,
            version: 0,
            wall: "2026-01-01T00:00:00Z".parse().unwrap(),
            silent: Vec::new(),
        }
    }

    fn create(&mut self, kind: &Kind, mut object: Value) {
        self.version += 1;
        let metadata = &mut object["metadata"];
        metadata["resourceVersion"] = json!(self.version.to_string());
        metadata["generation"] = json!(1);
        if metadata["uid"].is_null() {
            metadata["uid"] = json!(format!("00000000-0000-0000-0000-{:012}", self.version));
        }
        object["apiVersion"] = json!(kind.api_version());
        object["kind"] = json!(kind.kind);
        self.index.apply(kind, object);
    }

    fn write(&mut self, write: Write) {
        let Write { kind, key, op } = write;
        let held = self.index.get(&kind, &key);
        match (op, held) {
            (Op::Create(object), None) => self.create(&kind, object),
            (Op::Merge(patch) | Op::MergeStatus(patch), Some(held)) => {
                let expected = patch.pointer("/metadata/resourceVersion").and_then(Value::as_str);
                if expected.is_some_and(|version| held["metadata"]["resourceVersion"] != version) {
                    return;
                }
                let mut object = (*held).clone();
                json_patch::merge(&mut object, &patch);
                self.version += 1;
                object["metadata"]["resourceVersion"] = json!(self.version.to_string());
                if object["spec"] != held["spec"] {
                    object["metadata"]["generation"] =
                        json!(held["metadata"]["generation"].as_i64().unwrap_or(0) + 1);
                }
                let deleted = !object["metadata"]["deletionTimestamp"].is_null();
                if deleted && finalizers(&object) == 0 {
                    self.index.delete(&kind, &key);
                } else {
                    self.index.apply(&kind, object);
                }
            }
            (Op::Delete { .. }, Some(held)) if finalizers(&held) > 0 => {
                let stamp = json!({ "metadata": { "deletionTimestamp": "2026-01-01T00:00:00Z" } });
                let op = Op::Merge(stamp);
                self.write(Write { kind, key, op });
            }
            (Op::Delete { .. }, Some(_)) => self.index.delete(&kind, &key),
            (op, held) => panic!("{op:?} of {} {key}, held: {}", kind.kind, held.is_some()),
        }
    }

    /// Members that do at once what their works say: all wanted replicas are ready.
    fn obey(&mut self) {
        for work in self.index.list(&self.kinds.work) {
            let namespace = store::namespace(&work).to_owned();
            let cluster = namespace.trim_start_matches("karmada-es-");
            let manifest = work.pointer("/spec/workload/manifests/0").cloned().unwrap();
            if self.silent.contains(&cluster) {
                continue;
            }
            if work.pointer("/metadata/deletionTimestamp").is_some() {
                self.index.delete(&self.kinds.work, &Key::of(&work));
                continue;
            }
            let (group, version) = manifest["apiVersion"]
                .as_str()
                .and_then(|v| v.split_once('/'))
                .unwrap_or(("", "v1"));
            let replicas = manifest.pointer("/spec/replicas").cloned().unwrap_or_default();
            let status = json!({ "replicas": replicas, "readyReplicas": replicas, "updatedReplicas": replicas, "availableReplicas": replicas });
            let patch = json!({ "status": {
                "conditions": [{ "type": "Applied", "status": "True", "reason": "AppliedSuccessful", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z" }],
                "manifestStatuses": [{
                    "identifier": { "ordinal": 0, "group": group, "version": version, "kind": manifest["kind"], "resource": "x", "name": manifest["metadata"]["name"], "namespace": manifest["metadata"]["namespace"] },
                    "health": "Healthy", "status": status,
                }],
            } });
            if work.get("status") != patch.get("status") {
                self.write(Write {
                    kind: self.kinds.work.clone(),
                    key: Key::of(&work),
                    op: Op::MergeStatus(patch),
                });
            }
        }
    }

    fn round(&mut self) -> usize {
        let mut writes = reconcile::reconcile(&self.index, &self.kinds, &self.templates).writes;
        writes.extend(schedule::reconcile::reconcile(
            &self.index,
            &self.kinds,
            self.wall,
        ));
        writes.extend(graceful_eviction::round(&self.index, &self.kinds, &self.fresh(), self.wall).writes);
        let count = writes.len();
        for write in writes {
            self.write(write);
        }
        count
    }

    fn fresh(&self) -> BTreeSet<String> {
        let silent = |name: &&str| self.silent.contains(name);
        let names = ["a", "b", "c"].into_iter().filter(|name| !silent(name));
        names.map(str::to_owned).collect()
    }

    fn settle(&mut self) {
        for _ in 0..ROUNDS {
            self.obey();
            if self.round() == 0 {
                return;
            }
        }
        let writes = reconcile::reconcile(&self.index, &self.kinds, &self.templates).writes;
        panic!("does not come to rest: {writes:#?}");
    }

    fn placement(&self, name: &str) -> Vec<(String, i64)> {
        let binding = self
            .index
            .get(&self.kinds.binding, &Key::new("default", name))
            .unwrap();
        let clusters = binding
            .pointer("/spec/clusters")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let mut placed: Vec<(String, i64)> = clusters
            .iter()
            .map(|c| {
                (
                    c["name"].as_str().unwrap().to_owned(),
                    c["replicas"].as_i64().unwrap_or(0),
                )
            })
            .collect();
        placed.sort();
        placed
    }

    fn shop(&mut self) {
        for name in ["a", "b", "c"] {
            self.create(
                &self.kinds.cluster.clone(),
                json!({
                    "metadata": { "name": name }, "spec": { "syncMode": "Push", "apiEndpoint": "http://127.0.0.1:1" },
                    "status": {
                        "apiEnablements": [
                            { "groupVersion": "apps/v1", "resources": [{ "kind": "Deployment", "name": "deployments" }] },
                            { "groupVersion": "v1", "resources": [{ "kind": "Service", "name": "services" }] },
                        ],
                        "conditions": [{ "type": "Ready", "status": "True", "reason": "ClusterReady", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z" }],
                        "resourceSummary": { "allocatable": { "cpu": "12", "memory": "48Gi", "pods": "330" } },
                    },
                }),
            );
        }
        let [deployment, service] = [self.templates[0].clone(), self.templates[1].clone()];
        let containers =
            json!([{ "name": "web", "image": "web:1", "resources": { "requests": { "cpu": "250m" } } }]);
        self.create(
            &deployment,
            json!({
                "metadata": { "name": "shop", "namespace": "default", "labels": { "app": "shop" } },
                "spec": { "replicas": 8, "selector": { "matchLabels": { "app": "shop" } },
                    "template": { "metadata": { "labels": { "app": "shop" } }, "spec": { "containers": containers } } },
            }),
        );
        self.create(
            &service,
            json!({ "metadata": { "name": "shop", "namespace": "default" }, "spec": { "selector": { "app": "shop" }, "ports": [{ "port": 80 }] } }),
        );
        let weight = |cluster: &str, weight: i64| json!({ "targetCluster": { "clusterNames": [cluster] }, "weight": weight });
        self.create(
            &self.kinds.policy.clone(),
            json!({
                "metadata": { "name": "shop", "namespace": "default" },
                "spec": {
                    "resourceSelectors": [
                        { "apiVersion": "apps/v1", "kind": "Deployment", "name": "shop" },
                        { "apiVersion": "v1", "kind": "Service", "name": "shop" },
                    ],
                    "placement": {
                        "clusterAffinity": { "clusterNames": ["a", "b", "c"] },
                        "replicaScheduling": {
                            "replicaSchedulingType": "Divided", "replicaDivisionPreference": "Weighted",
                            "weightPreference": { "staticWeightList": [weight("a", 2), weight("b", 1), weight("c", 1)] },
                        },
                    },
                },
            }),
        );
    }
}

fn finalizers(object: &Value) -> usize {
    let held = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    held.map_or(0, Vec::len)
}

fn at(placed: &[(&str, i64)]) -> Vec<(String, i64)> {
    placed
        .iter()
        .map(|(name, replicas)| ((*name).to_owned(), *replicas))
        .collect()
}

#[test]
fn a_policy_becomes_bindings_works_and_statuses_and_comes_to_rest() {
    let mut api = Api::new();
    api.shop();
    api.settle();
    assert_eq!(
        api.placement("shop-deployment"),
        at(&[("a", 4), ("b", 2), ("c", 2)])
    );
    assert_eq!(api.placement("shop-service").len(), 3);
    assert_eq!(api.index.list(&api.kinds.work).len(), 6);
    let template = api
        .index
        .get(&api.templates[0], &Key::new("default", "shop"))
        .unwrap();
    assert_eq!(template.pointer("/status/readyReplicas"), Some(&json!(8)));
}

#[test]
fn a_cluster_that_is_no_longer_registered_keeps_nothing() {
    let mut api = Api::new();
    api.shop();
    api.settle();
    api.index.delete(&api.kinds.cluster, &Key::new("", "a"));
    api.silent = vec!["a"];
    api.settle();
    assert_eq!(api.placement("shop-deployment"), at(&[("b", 4), ("c", 4)]));
    assert!(
        api.index
            .list_namespace(&api.kinds.work, "karmada-es-a")
            .is_empty()
    );
    let namespace = |name: &str| api.index.get(&api.kinds.namespace, &Key::new("", name));
    assert!(namespace("karmada-es-a").is_none() && namespace("karmada-es-b").is_some());
}

/// The failover planner beside the other rounds, half a second a tick.
struct Planner {
    state: crate::failover::State,
    health: std::collections::BTreeMap<String, ClusterHealth>,
    settings: Settings,
    epoch: u64,
    tick: u64,
}

impl Planner {
    fn new() -> Self {
        let mut planner = Self {
            state: crate::failover::State::default(),
            epoch: 1,
            health: std::collections::BTreeMap::new(),
            settings: Settings {
                hold: Duration::from_secs(3),
                ..Settings::default()
            },
            tick: 0,
        };
        for name in ["a", "b", "c"] {
            planner.see(name, Verdict::Up);
        }
        planner
    }

    /// Both paths of a cluster.
    fn see(&mut self, cluster: &str, verdict: Verdict) {
        let health = ClusterHealth {
            traffic: verdict,
            control: verdict,
            returned_since: None,
        };
        self.health.insert(cluster.to_owned(), health);
    }

    fn plan(&mut self, api: &Api) -> FailoverPlan {
        let bindings = reader::bindings(&api.index, &api.kinds, &api.fresh());
        let clusters = schedule::reconcile::cluster_views(&api.index, &api.kinds);
        let world = World {
            now: lifeboat_health::MonoTime::from_millis(self.tick * 500),
            wall: api.wall,
            health: &self.health,
            clusters: &clusters,
            bindings: &bindings,
            settings: &self.settings,
            budget: Tokens(100),
            epoch: self.epoch,
        };
        self.tick += 1;
        plan(&mut self.state, &world)
    }

    /// One plan, carried out, and everything else after it.
    fn tick(&mut self, api: &mut Api) -> FailoverPlan {
        let plan = self.plan(api);
        for step in executor::steps(&plan, &api.index, &api.kinds) {
            for intent in step.intents {
                api.write(intent);
            }
            api.write(step.write);
        }
        let is_lost = |cluster: &str| self.health.get(cluster).is_some_and(ClusterHealth::is_lost);
        for write in crate::failover::intents::garbage(&api.index, &api.kinds, is_lost) {
            api.write(write);
        }
        api.settle();
        plan
    }

    fn run(&mut self, api: &mut Api, seconds: u64) {
        for _ in 0..seconds * 2 {
            self.tick(api);
        }
    }
}

#[test]
fn a_lost_cluster_is_evacuated_and_the_scheduler_leaves_it_so() {
    let mut api = Api::new();
    api.shop();
    api.settle();
    let mut planner = Planner::new();
    planner.see("a", Verdict::Down);
    api.silent = vec!["a"];
    for tick in 0..10 {
        let plan = planner.tick(&mut api);
        assert!(
            tick >= 6 || plan.changes_nothing(),
            "evicted before the hold, at tick {tick}: {plan:#?}"
        );
    }
    assert_eq!(api.placement("shop-deployment"), at(&[("b", 4), ("c", 4)]));
    // The Service is where it is needed already: taking it off a dead cluster would gain nothing.
    assert_eq!(api.index.list(&api.kinds.eviction_intent).len(), 1);
    let work = api.index.list_namespace(&api.kinds.work, "karmada-es-a");
    let template = api
        .index
        .get(&api.templates[0], &Key::new("default", "shop"))
        .unwrap();
    assert!(work.len() <= 2, "{work:#?}");
    assert!(template.pointer("/status/readyReplicas").and_then(Value::as_i64) >= Some(8));
}

#[test]
fn what_a_workload_needs_goes_where_it_goes_and_no_longer() {
    let mut api = Api::new();
    let config = Kind::new("v1", "ConfigMap", "configmaps", true);
    api.templates.push(config.clone());
    api.shop();
    api.create(
        &config,
        json!({ "metadata": { "name": "settings", "namespace": "default" }, "data": { "k": "v" } }),
    );
    let (policy, deployment) = (api.kinds.policy.clone(), api.templates[0].clone());
    let shop = Key::new("default", "shop");
    let merge = |kind: &Kind, patch: Value| Write {
        kind: kind.clone(),
        key: shop.clone(),
        op: Op::Merge(patch),
    };
    let volumes = json!([{ "name": "v", "configMap": { "name": "settings" } }]);
    api.write(merge(
        &deployment,
        json!({ "spec": { "template": { "spec": { "volumes": volumes } } } }),
    ));
    api.write(merge(&policy, json!({ "spec": { "propagateDeps": true } })));
    api.settle();
    let works = |api: &Api| {
        let works = api.index.list(&api.kinds.work);
        let of_config = |work: &&Arc<Value>| work["spec"]["workload"]["manifests"][0]["kind"] == "ConfigMap";
        works.iter().filter(of_config).count()
    };
    assert_eq!(works(&api), 3);
    api.write(merge(&policy, json!({ "spec": { "propagateDeps": null } })));
    // The works carry a finalizer that a member takes off: that they are going is what counts.
    for _ in 0..ROUNDS {
        api.obey();
        api.round();
    }
    let going = api.index.list(&api.kinds.work);
    let left = going.iter().filter(|work| {
        work["spec"]["workload"]["manifests"][0]["kind"] == "ConfigMap"
            && work.pointer("/metadata/deletionTimestamp").is_none()
    });
    assert_eq!(left.count(), 0);
    // Nobody needs its binding either.
    for work in going.iter() {
        api.index.delete(&api.kinds.work, &Key::of(work));
    }
    api.settle();
    let binding = Key::new("default", "settings-configmap");
    assert!(api.index.get(&api.kinds.binding, &binding).is_none());
}
