//! All stages together: what one round writes, the next one has nothing to add to.

use serde_json::{Value, json};

use super::{
    binding,
    policy::{self, PolicyView},
    status, works,
};
use crate::{interpret, store::merge};

/// The control plane's objects about one workload, and what its members hold.
struct Plane {
    template: Value,
    policies: Vec<PolicyView>,
    binding: Option<Value>,
    works: Vec<Value>,
}

impl Plane {
    fn new(template: Value, placement: Value) -> Self {
        let selector = json!({"apiVersion": template["apiVersion"], "kind": template["kind"]});
        let policy = PolicyView::read(&json!({
            "kind": "PropagationPolicy", "metadata": { "namespace": "default", "name": "p", "uid": "p-1" },
            "spec": { "resourceSelectors": [selector], "placement": placement },
        }));
        Self {
            template,
            policies: vec![policy.unwrap()],
            binding: None,
            works: Vec::new(),
        }
    }

    /// One round of the controller; returns how many writes it took.
    fn round(&mut self) -> usize {
        let mut writes = 0;
        let mut write = |patch: Option<Value>, object: &mut Value| {
            if let Some(patch) = patch {
                merge::apply(patch, object);
                writes += 1;
            }
        };
        let winner = policy::winner(&self.template, &self.policies).unwrap();
        write(policy::claim_patch(&self.template, winner), &mut self.template);
        let desired = binding::desired(&self.template, winner);
        let held = self.binding.get_or_insert_with(|| json!({}));
        if *held == json!({}) {
            write(Some(desired), held);
        } else {
            write(binding::patch(held, &desired), held);
        }
        let desired = works::desired(held, &self.template);
        for work in &desired {
            match self
                .works
                .iter_mut()
                .find(|held| works::cluster(held) == works::cluster(work))
            {
                Some(held) => write(works::patch(held, work), held),
                None => {
                    let mut made = json!({});
                    write(Some(work.clone()), &mut made);
                    self.works.push(made);
                }
            }
        }
        let held_works: Vec<&Value> = self.works.iter().collect();
        let gone: Vec<String> = works::orphans(&held_works, &desired)
            .into_iter()
            .filter_map(works::cluster)
            .map(str::to_owned)
            .collect();
        self.works
            .retain(|work| !gone.iter().any(|cluster| works::cluster(work) == Some(cluster)));
        let by_cluster: Vec<(&str, &Value)> = self
            .works
            .iter()
            .map(|work| (works::cluster(work).unwrap(), work))
            .collect();
        write(status::binding_patch(held, &by_cluster), held);
        write(status::template_patch(&self.template, held), &mut self.template);
        writes + gone.len()
    }

    fn settle(&mut self) {
        for _ in 0..5 {
            if self.round() == 0 {
                return;
            }
        }
        panic!("still writing: {:?}", self.binding);
    }

    fn schedule(&mut self, clusters: Value, tasks: Value) {
        merge::apply(
            json!({"spec": {"clusters": clusters, "gracefulEvictionTasks": tasks}}),
            self.binding.as_mut().unwrap(),
        );
    }

    /// Members run what their works say, with all replicas ready.
    fn run(&mut self) {
        for work in &mut self.works {
            let mut object = work["spec"]["workload"]["manifests"][0].clone();
            let replicas = object["spec"]["replicas"].clone();
            object["metadata"]["generation"] = json!(1);
            object["status"] = json!({
                "observedGeneration": 1, "replicas": replicas, "readyReplicas": replicas,
                "updatedReplicas": replicas, "availableReplicas": replicas,
            });
            work["status"] = json!({
                "conditions": [{"type": "Applied", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
                "manifestStatuses": [{
                    "identifier": {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "default", "name": "shop"},
                    "health": interpret::health(&object).as_str(), "status": interpret::reflect(&object),
                }],
            });
        }
    }

    fn replicas(&self) -> Vec<(&str, i64)> {
        let of = |work: &Value| {
            work.pointer("/spec/workload/manifests/0/spec/replicas")
                .and_then(Value::as_i64)
        };
        self.works
            .iter()
            .map(|work| (works::cluster(work).unwrap(), of(work).unwrap()))
            .collect()
    }
}

fn shop() -> Plane {
    let template = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"namespace": "default", "name": "shop", "uid": "u-1", "resourceVersion": "1", "generation": 1},
        "spec": {"replicas": 6, "template": {"metadata": {"creationTimestamp": null}, "spec": {"containers": []}}},
    });
    Plane::new(
        template,
        json!({"replicaScheduling": {"replicaSchedulingType": "Divided"}}),
    )
}

#[test]
fn a_workload_reaches_its_members_and_its_status_comes_back() {
    let mut plane = shop();
    plane.settle();
    assert_eq!(plane.replicas(), []);
    plane.schedule(
        json!([{"name": "a", "replicas": 4}, {"name": "b", "replicas": 2}]),
        json!([]),
    );
    plane.settle();
    assert_eq!(plane.replicas(), [("a", 4), ("b", 2)]);
    plane.run();
    plane.settle();
    let status = &plane.template["status"];
    assert_eq!(
        (&status["readyReplicas"], &status["observedGeneration"]),
        (&json!(6), &json!(1))
    );
    let binding = plane.binding.unwrap();
    let fully = binding["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["type"] == "FullyApplied");
    assert_eq!(fully.unwrap()["status"], "True");
}

#[test]
fn a_lost_cluster_keeps_its_work_until_the_task_ends() {
    let mut plane = shop();
    plane.settle();
    plane.schedule(
        json!([{"name": "a", "replicas": 4}, {"name": "b", "replicas": 2}]),
        json!([]),
    );
    plane.settle();
    plane.run();
    plane.settle();
    plane.schedule(
        json!([{"name": "b", "replicas": 2}, {"name": "c", "replicas": 4}]),
        json!([{"fromCluster": "a", "replicas": 4}]),
    );
    plane.template["spec"]["template"]["spec"]["hostNetwork"] = json!(true);
    plane.settle();
    assert_eq!(plane.replicas(), [("a", 4), ("b", 2), ("c", 4)]);
    let changed = |plane: &Plane| {
        let new = |work: &&Value| {
            work.pointer("/spec/workload/manifests/0/spec/template/spec/hostNetwork")
                .is_some()
        };
        plane
            .works
            .iter()
            .filter(new)
            .filter_map(works::cluster)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(changed(&plane), ["b", "c"]);
    plane.schedule(
        json!([{"name": "b", "replicas": 2}, {"name": "c", "replicas": 4}]),
        json!([]),
    );
    plane.settle();
    assert_eq!(plane.replicas(), [("b", 2), ("c", 4)]);
}
