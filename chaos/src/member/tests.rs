//! A member cluster from outside: objects in, HTTP out, power off and on.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

use super::*;
use crate::{
    apiserver::Gvr,
    fault::{FaultSpec, Faults},
};

const SOON: Duration = Duration::from_secs(20);
const QUIET: Duration = Duration::from_millis(200);

async fn member(pod_start_delay: Duration) -> MemberCluster {
    MemberCluster::start(MemberConfig {
        name: "eu".to_owned(),
        provider: "aws".to_owned(),
        region: "eu".to_owned(),
        zones: vec!["eu-a".to_owned(), "eu-b".to_owned()],
        nodes: NodeShape::default(),
        pod_start_delay,
        api_listen: "127.0.9.1:0".parse().unwrap(),
        vip_listen: "127.0.9.1:0".parse().unwrap(),
        seed: 1,
    })
    .await
    .unwrap()
}

fn deployments() -> Gvr {
    Gvr::new("apps", "v1", "deployments")
}

fn install(member: &MemberCluster, image: &str, replicas: u32) {
    let labels = json!({ "app": "shop" });
    let containers =
        json!([{ "name": "shop", "image": image, "resources": { "requests": { "cpu": "250m" } } }]);
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "shop", "namespace": "default" },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": { "containers": containers } },
        },
    });
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": "shop", "namespace": "default" },
        "spec": { "selector": labels, "ports": [{ "port": 80 }] },
    });
    let store = member.store();
    store.create(&deployments(), Some("default"), deployment).unwrap();
    store
        .create(&Gvr::new("", "v1", "services"), Some("default"), service)
        .unwrap();
}

/// Status and body of one request to the VIP.
async fn get(member: &MemberCluster, host: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(member.vip_addr()).await.unwrap();
    let path = if host == "healthz" { "/healthz" } else { "/" };
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(SOON, stream.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

/// Waits for the store to satisfy `condition`.
async fn until(member: &MemberCluster, what: &str, condition: impl Fn(&Value) -> bool) {
    let store = member.store();
    let mut changes = store.subscribe();
    let wait = async {
        loop {
            let deployment = store.get(&deployments(), Some("default"), "shop").unwrap();
            if condition(&deployment) {
                return;
            }
            changes.changed().await.unwrap();
        }
    };
    timeout(SOON, wait).await.unwrap_or_else(|_| {
        panic!(
            "{what}: {:#}",
            store.get(&deployments(), Some("default"), "shop").unwrap()
        )
    });
}

fn ready(count: u64) -> impl Fn(&Value) -> bool {
    move |deployment| deployment["status"]["readyReplicas"].as_u64().unwrap_or(0) == count
}

/// Waits until the VIP answers with this status: it follows the store within a moment.
async fn until_vip(member: &MemberCluster, status: u16) -> Value {
    let end = Instant::now() + SOON;
    loop {
        let (got, body) = get(member, "shop.demo.example").await;
        if got == status {
            return body;
        }
        assert!(Instant::now() < end, "the VIP answers {got}: {body}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_vip_serves_an_application_while_it_has_ready_pods() {
    let member = member(Duration::from_millis(50)).await;
    assert_eq!(get(&member, "healthz").await.0, 200);
    assert_eq!(get(&member, "shop.demo.example").await.0, 404);
    install(&member, "shop:1", 3);
    until(&member, "three ready pods", ready(3)).await;
    let body = until_vip(&member, 200).await;
    assert_eq!(
        (&body["cluster"], &body["application"]),
        (&json!("eu"), &json!("shop"))
    );
    let deployment = member
        .store()
        .get(&deployments(), Some("default"), "shop")
        .unwrap();
    assert_eq!(
        deployment["status"]["observedGeneration"],
        deployment["metadata"]["generation"]
    );
    assert_eq!(deployment["status"]["conditions"][0]["type"], "Available");

    let patch = json!({ "spec": { "replicas": 0 } });
    member
        .store()
        .patch_merge(&deployments(), Some("default"), "shop", &patch, None)
        .unwrap();
    until(&member, "no ready pod", ready(0)).await;
    until_vip(&member, 503).await;
    assert_eq!(member.failed_writes(), 0);
    assert!(member.vip_counters().served >= 1);
    member.stop().await;
}

#[tokio::test]
async fn a_rolling_update_replaces_all_pods_and_a_broken_one_stops() {
    let member = member(Duration::ZERO).await;
    install(&member, "shop:1", 4);
    until(&member, "four ready pods", ready(4)).await;
    let image = |image: &str| {
        let containers = json!([{ "name": "shop", "image": image }]);
        let patch = json!({ "spec": { "template": { "spec": { "containers": containers } } } });
        member
            .store()
            .patch_merge(&deployments(), Some("default"), "shop", &patch, None)
            .unwrap();
    };
    image("shop:2");
    until(&member, "the update", |deployment| {
        let status = &deployment["status"];
        status["observedGeneration"] == 2
            && status["updatedReplicas"] == 4
            && status["replicas"] == 4
            && status["availableReplicas"] == 4
    })
    .await;
    image("shop:broken");
    until(&member, "a standstill", |deployment| {
        let status = &deployment["status"];
        status["observedGeneration"] == 3
            && status["updatedReplicas"] == 2
            && status["availableReplicas"] == 3
    })
    .await;
    member.stop().await;
}

#[tokio::test]
async fn power_off_silences_everything_and_pods_start_anew_afterwards() {
    let delay = Duration::from_millis(300);
    let member = member(delay).await;
    install(&member, "shop:1", 2);
    until(&member, "two ready pods", ready(2)).await;
    until_vip(&member, 200).await;
    let faults = Faults::new([member.fault_target()], None);
    let mut old = TcpStream::connect(member.vip_addr()).await.unwrap();

    let fault = faults
        .inject(&FaultSpec::new("power-off".parse().unwrap(), ["eu"]))
        .unwrap();
    for address in [member.vip_addr(), member.api_addr()] {
        assert!(
            timeout(QUIET, TcpStream::connect(address)).await.is_err(),
            "{address} answered"
        );
    }
    assert!(
        timeout(QUIET, old.read(&mut [0; 1])).await.is_err(),
        "an old connection heard something"
    );

    let cleared = Instant::now();
    faults.clear(fault.id).unwrap();
    let deployment = member
        .store()
        .get(&deployments(), Some("default"), "shop")
        .unwrap();
    assert_eq!(
        deployment["status"]["readyReplicas"], 0,
        "no pod is ready when the power returns"
    );
    let error = timeout(SOON, old.read(&mut [0; 1])).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(get(&member, "shop").await.0, 503);
    until(&member, "two ready pods again", ready(2)).await;
    assert!(cleared.elapsed() >= delay);
    until_vip(&member, 200).await;
    member.stop().await;
}

#[tokio::test]
async fn a_black_hole_leaves_the_pods_running() {
    let member = member(Duration::ZERO).await;
    install(&member, "shop:1", 1);
    until(&member, "a ready pod", ready(1)).await;
    until_vip(&member, 200).await;
    let faults = Faults::new([member.fault_target()], None);
    faults
        .inject(&FaultSpec::new("black-hole".parse().unwrap(), ["eu"]))
        .unwrap();
    assert!(
        timeout(QUIET, TcpStream::connect(member.vip_addr()))
            .await
            .is_err()
    );
    faults.clear_all();
    assert_eq!(get(&member, "shop").await.0, 200);
    faults
        .inject(&FaultSpec::new("vip-down".parse().unwrap(), ["eu"]))
        .unwrap();
    let error = TcpStream::connect(member.vip_addr()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    TcpStream::connect(member.api_addr()).await.unwrap();
    faults.clear_all();
    assert_eq!(get(&member, "shop").await.0, 200);
    member.stop().await;
}

#[tokio::test]
async fn an_ingress_routes_by_host_and_path() {
    let member = member(Duration::ZERO).await;
    install(&member, "shop:1", 1);
    let backend = json!({ "service": { "name": "shop", "port": { "number": 80 } } });
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": "web", "namespace": "default" },
        "spec": { "rules": [{
            "host": "www.example",
            "http": { "paths": [{ "path": "/", "pathType": "Prefix", "backend": backend }] },
        }] },
    });
    member
        .store()
        .create(
            &Gvr::new("networking.k8s.io", "v1", "ingresses"),
            Some("default"),
            ingress,
        )
        .unwrap();
    until(&member, "a ready pod", ready(1)).await;
    until_vip(&member, 200).await;
    assert_eq!(get(&member, "www.example").await.0, 200);
    assert_eq!(get(&member, "www2.example").await.0, 404);
    member.stop().await;
}

/// Waits until the object has what `condition` asks for.
async fn until_object(member: &MemberCluster, gvr: &Gvr, name: &str, condition: impl Fn(&Value) -> bool) {
    let store = member.store();
    let mut changes = store.subscribe();
    let wait = async {
        while !store
            .get(gvr, Some("default"), name)
            .is_ok_and(|object| condition(&object))
        {
            changes.changed().await.unwrap();
        }
    };
    timeout(SOON, wait).await.unwrap_or_else(|_| {
        panic!("{gvr} {name}: {:#?}", store.get(gvr, Some("default"), name));
    });
}

#[tokio::test]
async fn every_kind_comes_to_rest() {
    let member = member(Duration::from_millis(20)).await;
    let labels = json!({ "app": "x" });
    let pod_spec =
        json!({ "containers": [{ "name": "c", "image": "x:1", "ports": [{ "containerPort": 80 }] }] });
    let template = json!({ "metadata": { "labels": labels }, "spec": pod_spec });
    let spec = json!({
        "replicas": 2, "serviceName": "x", "selector": { "matchLabels": labels }, "template": template,
    });
    let mut job_template = template.clone();
    job_template["spec"]["restartPolicy"] = json!("Never");
    job_template["metadata"]["annotations"] = json!({ RUN_TIME: "20ms" });
    let apps = |resource: &str| Gvr::new("apps", "v1", resource);
    let core = |resource: &str| Gvr::new("", "v1", resource);
    let jobs = Gvr::new("batch", "v1", "jobs");
    let ports = json!([{ "name": "http", "port": 80 }]);
    for (gvr, version, kind, spec) in [
        (apps("statefulsets"), "apps/v1", "StatefulSet", spec.clone()),
        (
            apps("daemonsets"),
            "apps/v1",
            "DaemonSet",
            json!({ "selector": spec["selector"], "template": template }),
        ),
        (apps("replicasets"), "apps/v1", "ReplicaSet", spec.clone()),
        (
            jobs.clone(),
            "batch/v1",
            "Job",
            json!({ "completions": 2, "template": job_template }),
        ),
        (core("pods"), "v1", "Pod", pod_spec.clone()),
        (
            core("services"),
            "v1",
            "Service",
            json!({ "type": "LoadBalancer", "selector": labels, "ports": ports }),
        ),
    ] {
        let object = json!({
            "apiVersion": version, "kind": kind,
            "metadata": { "name": "x", "namespace": "default" }, "spec": spec,
        });
        member.store().create(&gvr, Some("default"), object).unwrap();
    }
    until_object(&member, &apps("statefulsets"), "x", |set| {
        set["status"]["readyReplicas"] == 2
    })
    .await;
    until_object(&member, &apps("daemonsets"), "x", |set| {
        set["status"]["numberReady"] == 3
    })
    .await;
    until_object(&member, &apps("replicasets"), "x", |set| {
        set["status"]["readyReplicas"] == 2
    })
    .await;
    until_object(&member, &core("pods"), "x", pods_ready).await;
    until_object(&member, &jobs, "x", |job| job["status"]["succeeded"] == 2).await;
    until_object(&member, &core("services"), "x", |service| {
        service["status"]["loadBalancer"]["ingress"][0]["ip"] == "127.0.9.1"
            && service["spec"]["ports"][0]["nodePort"].as_i64() >= Some(30_000)
    })
    .await;
    member
        .store()
        .delete(&core("pods"), Some("default"), "x")
        .unwrap();
    let pods = core("pods");
    let gone = async {
        let mut changes = member.store().subscribe();
        while member.store().get(&pods, Some("default"), "x").is_ok() {
            changes.changed().await.unwrap();
        }
    };
    timeout(SOON, gone).await.expect("a deleted pod goes");
    let mut changes = member.store().subscribe();
    let rest = async { while timeout(QUIET, changes.changed()).await.is_ok() {} };
    timeout(SOON, rest).await.expect("the cluster comes to rest");
    assert_eq!(member.failed_writes(), 0);
    member.stop().await;
}

fn pods_ready(pod: &Value) -> bool {
    json::condition_is_true(pod, "Ready")
}

#[tokio::test]
async fn a_fleet_starts_and_a_port_in_use_is_named() {
    let options = FleetOptions {
        api_port: 0,
        vip_port: 0,
        ..FleetOptions::default()
    };
    let fleet = Fleet::showcase(&options).await.unwrap();
    let names: Vec<_> = fleet.members().iter().map(MemberCluster::name).collect();
    assert_eq!(
        names,
        [
            "eu-north-1",
            "eu-central-1",
            "europe-north1",
            "europe-west1",
            "us-east1"
        ]
    );
    let taken = fleet.member("us-east1").unwrap();
    assert_eq!(taken.vip_addr().ip().to_string(), "127.0.5.1");
    let (nodes, _) = taken
        .store()
        .list(&Gvr::new("", "v1", "nodes"), None, "")
        .unwrap();
    assert_eq!(
        (nodes.len(), &nodes[0]["status"]["allocatable"]["cpu"]),
        (3, &json!("4"))
    );

    let config = MemberConfig {
        vip_listen: taken.vip_addr(),
        ..taken.config().clone()
    };
    let error = MemberCluster::start(config).await.err().unwrap();
    assert!(
        error
            .to_string()
            .contains("bind the ingress VIP of cluster `us-east1` on 127.0.5.1:"),
        "{error}"
    );
    fleet.stop().await;
}
