//! Eviction tasks of others than the planner end as in Karmada; the only ready copy outlives them.

use super::*;

/// The shop at rest, then taken off `a` by somebody else.
fn evicted(task: &Value) -> Api {
    let mut api = Api::new();
    api.shop();
    api.settle();
    let mut whole = json!({ "fromCluster": "a", "producer": "TaintManager", "reason": "TaintUntolerated", "replicas": 4 });
    json_patch::merge(&mut whole, task);
    let clusters = json!([{ "name": "b", "replicas": 2 }, { "name": "c", "replicas": 2 }]);
    let patch = json!({ "spec": { "clusters": clusters, "gracefulEvictionTasks": [whole] } });
    api.write(Write {
        kind: api.kinds.binding.clone(),
        key: Key::new("default", "shop-deployment"),
        op: Op::Merge(patch),
    });
    api
}

fn tasks(api: &Api) -> Vec<Value> {
    let key = Key::new("default", "shop-deployment");
    let binding = api.index.get(&api.kinds.binding, &key).unwrap();
    let tasks = binding
        .pointer("/spec/gracefulEvictionTasks")
        .and_then(Value::as_array);
    tasks.cloned().unwrap_or_default()
}

fn copies_in_a(api: &Api) -> usize {
    let works = api.index.list_namespace(&api.kinds.work, "karmada-es-a");
    let deployments = works.iter().filter(|work| {
        let manifest = work.pointer("/spec/workload/manifests/0/kind");
        manifest.is_some_and(|kind| kind == "Deployment")
            && work.pointer("/metadata/deletionTimestamp").is_none()
    });
    deployments.count()
}

fn later(api: &mut Api, seconds: i64) {
    api.wall += jiff::SignedDuration::from_secs(seconds);
    api.settle();
}

/// What the shop has in a cluster is unhealthy from now on.
fn never_healthy(api: &mut Api, cluster: &'static str) {
    api.silent.push(cluster);
    for work in api
        .index
        .list_namespace(&api.kinds.work, &format!("karmada-es-{cluster}"))
    {
        let mut status = work["status"].clone();
        status["manifestStatuses"][0]["health"] = json!("Unhealthy");
        api.write(Write {
            kind: api.kinds.work.clone(),
            key: Key::of(&work),
            op: Op::MergeStatus(json!({ "status": status })),
        });
    }
}

#[test]
fn a_task_ends_when_the_replacement_is_healthy() {
    let mut api = evicted(&json!({}));
    api.settle();
    assert_eq!(api.placement("shop-deployment"), at(&[("b", 4), ("c", 4)]));
    assert_eq!((tasks(&api), copies_in_a(&api)), (Vec::new(), 0));
}

#[test]
fn what_was_healthy_before_the_replacement_ends_no_task() {
    let mut api = evicted(&json!({}));
    // The members still report the two replicas they had before, and that these are healthy.
    while api.round() > 0 {}
    assert_eq!(api.placement("shop-deployment"), at(&[("b", 4), ("c", 4)]));
    assert_eq!((tasks(&api).len(), copies_in_a(&api)), (1, 1));
    api.settle();
    assert_eq!((tasks(&api).len(), copies_in_a(&api)), (0, 0));
}

#[test]
fn a_suppressed_task_goes_on_until_somebody_decides() {
    let mut api = evicted(&json!({ "suppressDeletion": true, "x-unknown": 1 }));
    api.settle();
    later(&mut api, 3600);
    let held = tasks(&api);
    assert_eq!((held.len(), copies_in_a(&api)), (1, 1));
    // Its beginning is noted, and what we do not know survives.
    assert_eq!(
        (&held[0]["creationTimestamp"], &held[0]["x-unknown"]),
        (&json!("2026-01-01T00:00:00Z"), &json!(1))
    );
    let mut decided = held[0].clone();
    decided["suppressDeletion"] = json!(false);
    api.write(Write {
        kind: api.kinds.binding.clone(),
        key: Key::new("default", "shop-deployment"),
        op: Op::Merge(json!({ "spec": { "gracefulEvictionTasks": [decided] } })),
    });
    api.settle();
    assert_eq!((tasks(&api), copies_in_a(&api)), (Vec::new(), 0));
}

#[test]
fn a_task_ends_at_its_timeout_while_something_is_ready_elsewhere() {
    for (task, timeout) in [(json!({}), 600), (json!({ "gracePeriodSeconds": 30 }), 30)] {
        let mut api = evicted(&task);
        never_healthy(&mut api, "b");
        api.settle();
        later(&mut api, timeout);
        assert_eq!((tasks(&api).len(), copies_in_a(&api)), (1, 1), "{timeout}");
        later(&mut api, 1);
        assert_eq!((tasks(&api).len(), copies_in_a(&api)), (0, 0), "{timeout}");
    }
}

#[test]
fn the_only_ready_copy_outlives_its_timeout() {
    let mut api = evicted(&json!({}));
    api.silent = vec!["b", "c"];
    api.settle();
    later(&mut api, 3600);
    assert_eq!((tasks(&api).len(), copies_in_a(&api)), (1, 1));
    let round = graceful_eviction::round(&api.index, &api.kinds, &api.fresh(), api.wall);
    assert_eq!((round.writes, round.retry), (Vec::new(), None));
    api.silent.clear();
    later(&mut api, 1);
    assert_eq!((tasks(&api), copies_in_a(&api)), (Vec::new(), 0));
}
