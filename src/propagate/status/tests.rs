use super::*;
use crate::store::merge::apply;

fn work(applied: &str, ready: i64) -> Value {
    json!({
        "spec": {"workload": {"manifests": [{}]}},
        "status": {
            "conditions": [{"type": "Applied", "status": applied, "message": "told", "lastTransitionTime": "2026-01-02T00:00:00Z"}],
            "manifestStatuses": [
                {"identifier": {"version": "v1", "kind": "Secret", "name": "shop", "namespace": "default"}, "health": "Healthy"},
                {
                    "identifier": {"ordinal": 1, "group": "apps", "version": "v1", "kind": "Deployment", "resource": "deployments",
                        "name": "shop", "namespace": "default"},
                    "health": "Healthy",
                    "status": {"replicas": ready, "readyReplicas": ready, "generation": 1, "observedGeneration": 1, "resourceTemplateGeneration": 2},
                },
            ],
        },
    })
}

fn binding(clusters: Value) -> Value {
    json!({
        "metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {
            "resource": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "default", "name": "shop"},
            "clusters": clusters,
        },
        "status": {"schedulerObservedGeneration": 4, "conditions": [{"type": "Scheduled", "status": "True"}]},
    })
}

#[test]
fn what_the_works_say_is_collected_once() {
    let mut held = binding(json!([{"name": "a"}, {"name": "b"}]));
    let (a, b) = (work("True", 2), work("True", 1));
    let works = [("b", &b), ("a", &a)];
    let patch = binding_patch(&held, &works).unwrap();
    let items = &patch["status"]["aggregatedStatus"];
    assert_eq!(
        (
            &items[0]["clusterName"],
            &items[0]["applied"],
            &items[0]["health"]
        ),
        (&json!("a"), &json!(true), &json!("Healthy"))
    );
    assert_eq!(items[0]["status"]["readyReplicas"], 2);
    assert_eq!(
        patch["status"]["conditions"],
        json!([{"type": "Scheduled", "status": "True"}, {
            "type": "FullyApplied", "status": "True", "reason": "FullyAppliedSuccess",
            "message": "All works have been successfully applied", "lastTransitionTime": "2026-01-02T00:00:00Z",
        }]),
    );
    json_patch::merge(&mut held, &patch);
    assert_eq!(held["status"]["schedulerObservedGeneration"], 4);
    assert_eq!(binding_patch(&held, &works), None);
}

#[test]
fn a_work_that_is_not_applied_says_why() {
    let held = binding(json!([{"name": "a"}, {"name": "b"}]));
    let (a, b) = (work("False", 2), json!({}));
    let mut gone = work("True", 1);
    gone["metadata"] = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
    assert_eq!(
        collected(&held, &[("a", &a), ("b", &b), ("c", &gone)]),
        [
            json!({"clusterName": "a", "appliedMessage": "told", "health": "Unknown"}),
            json!({"clusterName": "b", "health": "Unknown"}),
        ],
    );
    let patch = binding_patch(&held, &[("a", &a)]).unwrap();
    assert_eq!(patch["status"]["conditions"][1]["reason"], "FullyAppliedFailed");
}

#[test]
fn the_template_gets_the_sum() {
    let mut held = binding(json!([{"name": "a"}, {"name": "b"}]));
    let (a, b) = (work("True", 2), work("True", 1));
    apply(binding_patch(&held, &[("a", &a), ("b", &b)]).unwrap(), &mut held);
    let mut template = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"generation": 2},
        "status": {"unavailableReplicas": 3, "conditions": []}});
    let patch = template_patch(&template, &held).unwrap();
    assert_eq!(
        patch,
        json!({"status": {"observedGeneration": 2, "replicas": 3, "readyReplicas": 3, "unavailableReplicas": null}})
    );
    json_patch::merge(&mut template, &patch);
    assert_eq!(template_patch(&template, &held), None);
    assert_eq!(
        template_patch(&json!({"apiVersion": "v1", "kind": "ConfigMap"}), &held),
        None
    );
}

#[test]
fn a_rollout_does_not_wait_for_a_cluster_that_was_left() {
    let mut held = binding(json!([{"name": "a"}, {"name": "b"}]));
    let (a, mut b) = (work("True", 2), work("True", 6));
    // The one that died has never heard of the template's second generation.
    b["status"]["manifestStatuses"][1]["status"]["resourceTemplateGeneration"] = json!(1);
    apply(binding_patch(&held, &[("a", &a), ("b", &b)]).unwrap(), &mut held);
    let template = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"generation": 2}});
    let waits = template_patch(&template, &held).unwrap();
    assert_ne!(waits["status"]["observedGeneration"], 2);
    held["spec"]["clusters"] = json!([{"name": "a"}]);
    held["spec"]["gracefulEvictionTasks"] =
        json!([{"fromCluster": "b", "reason": "ClusterDown", "producer": "p"}]);
    let status = template_patch(&template, &held).unwrap()["status"].clone();
    assert_eq!(
        (&status["observedGeneration"], &status["readyReplicas"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(
        items(&held).len(),
        2,
        "the binding still says what the other one said"
    );
}
