//! The controllers over worlds written by hand: what they want, and that they come to rest.

use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::member::{
    json::text,
    scheduler,
    world::{Kind, Site},
};

fn world() -> World {
    World {
        site: Site {
            cluster: "eu".to_owned(),
            vip: IpAddr::V4(Ipv4Addr::new(127, 0, 1, 1)),
            pod_network: 1,
        },
        now: Timestamp::from_second(1_700_000_000).unwrap(),
        deployments: Vec::new(),
        replica_sets: Vec::new(),
        stateful_sets: Vec::new(),
        daemon_sets: Vec::new(),
        jobs: Vec::new(),
        pods: Vec::new(),
        services: Vec::new(),
        endpoints: Vec::new(),
        endpoint_slices: Vec::new(),
        ingresses: Vec::new(),
        nodes: Vec::new(),
    }
}

fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({
        "kind": kind,
        "metadata": { "name": name, "namespace": "default", "uid": format!("uid-{name}"), "generation": 1 },
        "spec": spec,
    })
}

fn template(image: &str) -> Value {
    json!({
        "metadata": { "labels": { "app": "shop" } },
        "spec": { "containers": [{ "name": "c", "image": image, "resources": { "requests": { "cpu": "1" } } }] },
    })
}

fn workload(kind: &str, replicas: i64) -> Value {
    let selector = json!({ "matchLabels": { "app": "shop" } });
    object(
        kind,
        "shop",
        json!({ "replicas": replicas, "selector": selector, "template": template("shop:1") }),
    )
}

fn node(name: &str, cpu: &str) -> Value {
    json!({
        "metadata": { "name": name, "labels": { "zone": "a" } },
        "status": { "allocatable": { "cpu": cpu, "memory": "16Gi", "pods": "110" } },
    })
}

fn pod(name: &str, owner: &str, node: &str, ready: bool) -> Value {
    json!({
        "metadata": {
            "name": name, "namespace": "default", "uid": format!("uid-{name}"), "labels": { "app": "shop" },
            "ownerReferences": [{ "uid": owner, "controller": true }],
        },
        "spec": { "nodeName": node, "containers": [{ "name": "c", "resources": { "requests": { "cpu": "1" } } }] },
        "status": {
            "phase": "Running", "podIP": "10.1.0.1",
            "conditions": [{ "type": "Ready", "status": if ready { "True" } else { "False" } }],
        },
    })
}

fn draw() -> fastrand::Rng {
    fastrand::Rng::with_seed(1)
}

fn count(writes: &[Write], kind: Kind) -> (usize, usize) {
    let created = writes
        .iter()
        .filter(|write| matches!(write, Write::Create { kind: one, .. } if *one == kind));
    let deleted = writes
        .iter()
        .filter(|write| matches!(write, Write::Delete { kind: one, .. } if *one == kind));
    (created.count(), deleted.count())
}

#[test]
fn a_deployment_gets_a_replica_set_named_after_its_template() {
    let mut world = world();
    world.deployments.push(workload("Deployment", 3));
    let writes = deployment::wants(&world);
    let Some(Write::Create { object: set, .. }) = writes.first() else {
        panic!("{writes:?}")
    };
    let hash = pods::template_hash(&template("shop:1"));
    assert_eq!(text(set, "/metadata/name"), format!("shop-{hash}"));
    assert_eq!(set["spec"]["replicas"], 3);
    assert_eq!(
        set["spec"]["selector"]["matchLabels"]["pod-template-hash"],
        hash.as_str()
    );
    assert_eq!(
        set["spec"]["template"]["metadata"]["labels"]["pod-template-hash"],
        hash.as_str()
    );
    assert_eq!(
        set["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
        "1"
    );
}

#[test]
fn the_order_of_keys_in_a_template_is_no_new_revision() {
    let one: Value = serde_json::from_str(r#"{"a":1,"b":{"c":[1,2],"d":null}}"#).unwrap();
    let two: Value = serde_json::from_str(r#"{"b":{"c":[1,2]},"a":1}"#).unwrap();
    assert_eq!(pods::template_hash(&one), pods::template_hash(&two));
    assert_ne!(
        pods::template_hash(&one),
        pods::template_hash(&json!({"a": 1, "b": {"c": [2, 1]}}))
    );
}

#[test]
fn a_replica_set_makes_and_deletes_pods() {
    let check = |replicas: i64, pods: &[(&str, &str, bool)], expected: (usize, usize)| {
        let mut world = world();
        world.replica_sets.push(workload("ReplicaSet", replicas));
        world.pods.extend(
            pods.iter()
                .map(|(name, node, ready)| pod(name, "uid-shop", node, *ready)),
        );
        let writes = replica_set::wants(&world, &mut draw());
        assert_eq!(count(&writes, Kind::Pod), expected, "{replicas} with {pods:?}");
        writes
    };
    check(3, &[], (3, 0));
    check(2, &[("a", "n", true), ("b", "n", true)], (0, 0));
    let writes = check(
        1,
        &[("a", "n", true), ("b", "", false), ("c", "n", false)],
        (0, 2),
    );
    let deleted = writes.iter().filter_map(|write| match write {
        Write::Delete { name, .. } => Some(name.as_str()),
        _ => None,
    });
    assert_eq!(deleted.collect::<Vec<_>>(), ["b", "c"], "the useless go first");
}

#[test]
fn a_stateful_set_goes_up_in_order_and_down_in_reverse() {
    let named = |replicas: i64, pods: &[(&str, bool)]| {
        let mut world = world();
        let mut set = workload("StatefulSet", replicas);
        set["status"] = json!({ "currentRevision": "old" });
        let revision = format!("shop-{}", pods::template_hash(&template("shop:1")));
        world.stateful_sets.push(set);
        world.pods.extend(pods.iter().map(|(name, ready)| {
            let mut pod = pod(name, "uid-shop", "n", *ready);
            pod["metadata"]["labels"]["controller-revision-hash"] = json!(revision);
            pod
        }));
        let names = stateful_set::wants(&world)
            .into_iter()
            .filter_map(|write| match write {
                Write::Create { object, .. } => Some(format!("+{}", text(&object, "/metadata/name"))),
                Write::Delete { name, .. } => Some(format!("-{name}")),
                Write::Merge { .. } | Write::Remove { .. } => None,
            });
        names.collect::<Vec<_>>()
    };
    assert_eq!(named(3, &[]), ["+shop-0"]);
    assert_eq!(named(3, &[("shop-0", false)]), [""; 0]);
    assert_eq!(named(3, &[("shop-0", true)]), ["+shop-1"]);
    assert_eq!(
        named(1, &[("shop-0", true), ("shop-1", true), ("shop-2", true)]),
        ["-shop-2"]
    );
}

#[test]
fn a_daemon_set_has_one_pod_on_every_node_that_takes_it() {
    let mut world = world();
    world.daemon_sets.push(workload("DaemonSet", 0));
    world.nodes = vec![node("n1", "4"), node("n2", "4")];
    world.nodes[1]["spec"] = json!({ "taints": [{ "key": "gpu", "effect": "NoSchedule" }] });
    assert_eq!(count(&daemon_set::wants(&world, &mut draw()), Kind::Pod), (1, 0));
    let tolerations = json!([{ "key": "gpu", "operator": "Exists" }]);
    world.daemon_sets[0]["spec"]["template"]["spec"]["tolerations"] = tolerations;
    assert_eq!(count(&daemon_set::wants(&world, &mut draw()), Kind::Pod), (2, 0));
}

#[test]
fn a_job_ends_when_enough_pods_have_succeeded() {
    let mut world = world();
    let spec = json!({ "completions": 3, "parallelism": 2, "template": template("job:1") });
    world.jobs.push(object("Job", "shop", spec));
    assert_eq!(count(&job::wants(&world, &mut draw()), Kind::Pod), (2, 0));
    for name in ["a", "b", "c"] {
        let mut done = pod(name, "uid-shop", "n", false);
        done["status"]["phase"] = json!("Succeeded");
        world.pods.push(done);
    }
    let writes = job::wants(&world, &mut draw());
    let [
        Write::Merge {
            patch, status: true, ..
        },
    ] = writes.as_slice()
    else {
        panic!("{writes:?}")
    };
    assert_eq!(patch["status"]["conditions"][0]["type"], "Complete");
}

#[test]
fn the_scheduler_spreads_within_capacity_and_says_why_not() {
    let mut world = world();
    world.nodes = vec![node("n1", "2"), node("n2", "1")];
    world.pods = (0..4)
        .map(|index| pod(&format!("p{index}"), "uid-shop", "", false))
        .collect();
    let writes = scheduler::wants(&world);
    let mut placed: Vec<_> = writes
        .iter()
        .filter_map(|write| match write {
            Write::Merge {
                patch, status: false, ..
            } => patch.pointer("/spec/nodeName").and_then(Value::as_str),
            _ => None,
        })
        .collect();
    placed.sort_unstable();
    assert_eq!(placed, ["n1", "n1", "n2"]);
    let refused = writes.iter().find_map(|write| match write {
        Write::Merge {
            patch, status: true, ..
        } => Some(&patch["status"]["conditions"]),
        _ => None,
    });
    let condition = refused.unwrap().as_array().unwrap().last().unwrap();
    assert_eq!(
        (&condition["type"], &condition["reason"]),
        (&json!("PodScheduled"), &json!("Unschedulable"))
    );
    assert_eq!(
        condition["message"],
        "0/2 nodes are available: 2 Insufficient cpu."
    );
    assert_eq!(count(&writes, Kind::Event), (1, 0));
}

#[test]
fn a_service_gets_an_address_and_the_endpoints_of_ready_pods() {
    let mut world = world();
    let ports = json!([{ "port": 80, "targetPort": 8080 }]);
    world.services.push(object(
        "Service",
        "shop",
        json!({ "selector": { "app": "shop" }, "ports": ports }),
    ));
    world.pods = vec![pod("a", "x", "n", true), pod("b", "x", "n", false)];
    let writes = service::wants(&world);
    let address = writes.iter().find_map(|write| match write {
        Write::Merge { patch, .. } => patch.pointer("/spec/clusterIP").and_then(Value::as_str),
        _ => None,
    });
    assert!(address.unwrap().starts_with("10.96."), "{address:?}");
    let created = |wanted: Kind| {
        writes.iter().find_map(|write| match write {
            Write::Create { kind, object } if *kind == wanted => Some(object),
            _ => None,
        })
    };
    let subset = &created(Kind::Endpoints).unwrap()["subsets"][0];
    assert_eq!(subset["addresses"][0]["targetRef"]["name"], "a");
    assert_eq!(subset["notReadyAddresses"][0]["targetRef"]["name"], "b");
    assert_eq!(subset["ports"][0]["port"], 8080);
    assert_eq!(
        created(Kind::EndpointSlice).unwrap()["endpoints"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}
