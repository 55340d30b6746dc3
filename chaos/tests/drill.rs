//! A whole drill over real sockets: two simulated members, and stand-ins for the DNS servers, the control plane and
//! the console, which do on a fault what the product is to do.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking"
)]

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Json, Router,
    extract::State,
    response::sse::{Event, Sse},
    routing::get,
};
use futures::StreamExt;
use hickory_proto::{
    op::{Message, OpCode},
    rr::{RData, Record, rdata::A},
};
use lifeboat_chaos::{
    apiserver::Gvr,
    drill::{
        Drill, DrillConfig, DrillError, Limits, LiveStats, MemberEndpoint, Outcome, Progress, WorkloadRef,
    },
    fault::{FaultEventKind, Faults, ScheduledFault},
    member::{Fleet, MemberConfig, NodeShape},
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::{broadcast, mpsc},
};
use tokio_stream::wrappers::BroadcastStream;
use tokio_util::sync::CancellationToken;

const NAME: &str = "shop.demo.example";

/// What the stand-ins agree on: the clusters that serve, and those that hold the binding.
#[derive(Clone)]
struct Product {
    serving: Arc<Mutex<Vec<IpAddr>>>,
    holders: Arc<Mutex<Vec<&'static str>>>,
    timeline: broadcast::Sender<Value>,
}

async fn dns(product: Product) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        let mut turn = 0;
        loop {
            let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
            let query = Message::from_vec(&buffer[..length]).unwrap();
            let mut response = Message::response(query.metadata.id, OpCode::Query);
            let question = query.queries[0].clone();
            turn += 1;
            let serving = product.serving.lock().clone();
            if let IpAddr::V4(address) = serving[turn % serving.len()] {
                let data = RData::A(A(address));
                response.add_answer(Record::from_rdata(question.name().clone(), 1, data));
            }
            response.add_query(question);
            socket.send_to(&response.to_vec().unwrap(), peer).await.unwrap();
        }
    });
    address
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

async fn control_plane(product: Product) -> SocketAddr {
    let bindings = |State(product): State<Product>| async move {
        let clusters: Vec<_> = product
            .holders
            .lock()
            .iter()
            .map(|name| json!({ "name": name }))
            .collect();
        Json(json!({ "items": [{
            "metadata": { "namespace": "default", "name": "shop-deployment" },
            "spec": {
                "replicas": 4,
                "resource": { "kind": "Deployment", "namespace": "default", "name": "shop" },
                "placement": { "replicaScheduling": { "replicaSchedulingType": "Divided" } },
                "clusters": clusters,
            },
        }] }))
    };
    let template = || async { Json(json!({ "spec": { "replicas": 4 } })) };
    let router = Router::new()
        .route("/apis/work.karmada.io/v1alpha2/resourcebindings", get(bindings))
        .route("/apis/apps/v1/namespaces/default/deployments/shop", get(template));
    serve(router.with_state(product)).await
}

async fn console(product: Product) -> SocketAddr {
    let stream = |State(product): State<Product>| async move {
        let events = BroadcastStream::new(product.timeline.subscribe()).filter_map(|event| async {
            let data = event.ok()?.to_string();
            Some(Ok::<_, Infallible>(Event::default().event("timeline").data(data)))
        });
        Sse::new(events)
    };
    serve(
        Router::new()
            .route("/api/stream", get(stream))
            .with_state(product),
    )
    .await
}

fn workload(replicas: u32) -> Value {
    let labels = json!({ "app": "shop" });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "shop", "namespace": "default" },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": { "containers": [{ "name": "shop", "image": "shop:1" }] },
            },
        },
    })
}

fn service() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": "shop", "namespace": "default" },
        "spec": { "selector": { "app": "shop" }, "ports": [{ "port": 80 }] },
    })
}

/// Two members with two of four replicas each, on one free port for both VIPs.
async fn fleet(first: u8) -> Fleet {
    let free = TcpListener::bind((std::net::Ipv4Addr::new(127, 0, first, 1), 0))
        .await
        .unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let member = |index: u8, name: &str| MemberConfig {
        name: name.to_owned(),
        provider: "aws".to_owned(),
        region: name.to_owned(),
        zones: vec![format!("{name}-a")],
        nodes: NodeShape::default(),
        pod_start_delay: Duration::from_millis(100),
        api_listen: ([127, 0, index, 1], 0).into(),
        vip_listen: ([127, 0, index, 1], port).into(),
        seed: 1,
    };
    let fleet = Fleet::start([member(first, "eu"), member(first + 1, "us")])
        .await
        .unwrap();
    for member in fleet.members() {
        let store = member.store();
        store
            .create(
                &Gvr::new("apps", "v1", "deployments"),
                Some("default"),
                workload(2),
            )
            .unwrap();
        store
            .create(&Gvr::new("", "v1", "services"), Some("default"), service())
            .unwrap();
    }
    fleet
}

fn product(fleet: &Fleet) -> Product {
    Product {
        serving: Arc::new(Mutex::new(
            fleet
                .members()
                .iter()
                .map(|member| member.vip_addr().ip())
                .collect(),
        )),
        holders: Arc::new(Mutex::new(vec!["eu", "us"])),
        timeline: broadcast::Sender::new(16),
    }
}

/// What the product is to do when `eu` dies and comes back.
async fn react(
    product: Product,
    fleet: Arc<Fleet>,
    mut events: broadcast::Receiver<lifeboat_chaos::fault::FaultEvent>,
) {
    let eu = fleet.member("eu").unwrap().vip_addr().ip();
    let us = fleet.member("us").unwrap();
    while let Ok(event) = events.recv().await {
        tokio::time::sleep(Duration::from_millis(200)).await;
        if event.what == FaultEventKind::Injected {
            let _ = product
                .timeline
                .send(json!({ "type": "cluster.suspect", "cluster": "eu", "detail": "" }));
            let _ = product
                .timeline
                .send(json!({ "type": "cluster.down", "cluster": "eu", "detail": "5 of 5" }));
            product.serving.lock().retain(|address| *address != eu);
            *product.holders.lock() = vec!["us"];
            let patch = json!({ "spec": { "replicas": 4 } });
            let deployments = Gvr::new("apps", "v1", "deployments");
            us.store()
                .patch_merge(&deployments, Some("default"), "shop", &patch, None)
                .unwrap();
        } else {
            product.serving.lock().push(eu);
        }
    }
}

async fn config(fleet: &Fleet, product: &Product) -> DrillConfig {
    DrillConfig {
        seed: 7,
        duration: Duration::from_millis(7_000),
        faults: vec!["power-off:eu@1s".parse::<ScheduledFault>().unwrap()],
        clear_at: Some(Duration::from_millis(4_500)),
        dns: vec![dns(product.clone()).await, dns(product.clone()).await],
        names: vec![NAME.to_owned()],
        vip_port: fleet.members()[0].vip_addr().port(),
        members: fleet
            .members()
            .iter()
            .map(|member| MemberEndpoint {
                name: member.name().to_owned(),
                api: member.api_addr(),
                vips: vec![member.vip_addr().ip()],
            })
            .collect(),
        control_plane: control_plane(product.clone()).await,
        console: console(product.clone()).await,
        token: None,
        workloads: vec![WorkloadRef {
            namespace: "default".to_owned(),
            name: "shop".to_owned(),
        }],
        users: 6,
        user_interval: Duration::from_millis(100),
        preflight: Duration::from_secs(20),
        limits: Limits::new(Duration::from_secs(1), Duration::ZERO, Duration::from_millis(100)),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_off_is_measured_from_outside() {
    let fleet = Arc::new(fleet(21).await);
    let product = product(&fleet);
    let config = config(&fleet, &product).await;
    let faults = Faults::new(fleet.fault_targets(), None);
    tokio::spawn(react(product.clone(), fleet.clone(), faults.subscribe()));
    let live = LiveStats::new(&config.dns);
    let (progress, mut steps) = mpsc::channel(64);

    let report = Drill::run(
        &config,
        &faults,
        &live,
        Some(&progress),
        &CancellationToken::new(),
    )
    .await
    .unwrap();

    let shown = serde_json::to_string_pretty(&report).unwrap();
    let timings = &report.timings_ms;
    let between = |what: &str, got: Option<u64>, least: u64, most: u64| {
        assert!(
            got.is_some_and(|ms| (least..=most).contains(&ms)),
            "{what}: {got:?}\n{shown}"
        );
    };
    between("down", timings.down, 200, 1_500);
    between("first_dns_change", timings.first_dns_change, 150, 1_500);
    between("all_dns_changed", timings.all_dns_changed, 150, 1_500);
    between("users_recovered", timings.users_recovered, 1, 3_000);
    between("evictions_done", timings.evictions_done, 200, 2_500);
    between("replicas_ready", timings.replicas_ready, 200, 3_000);
    between("traffic_returned", timings.traffic_returned, 200, 2_500);
    assert_eq!(
        (report.workloads.desired, report.workloads.ready_end),
        (4, 4),
        "{shown}"
    );
    assert!(
        report.workloads.ready_lowest < 4 && report.users.failed > 0,
        "{shown}"
    );
    assert!(
        report.dns.queries > 500 && report.dns.empty_answers == 0 && report.dns.servfail == 0,
        "{shown}"
    );
    assert_eq!(report.dns.down_cluster_answers_after_all_changed, 0, "{shown}");
    assert!(report.users.longest_outage_ms >= 1_000, "{shown}");
    assert_ne!(report.outcome, Outcome::Aborted);
    assert!(faults.active().is_empty());
    assert!(live.snapshot().users.requests >= report.users.requests);
    let mut seen = Vec::new();
    while let Ok(step) = steps.try_recv() {
        seen.push(step);
    }
    assert!(matches!(seen.last(), Some(Progress::Finished)));
    assert!(seen.iter().any(|step| matches!(step, Progress::Started)));
}

/// Compiles only for a future that `tokio::spawn` takes.
fn sendable<F: Future + Send>(future: F) -> F {
    future
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_that_cannot_be_meant_is_refused_and_a_stopped_one_is_aborted() {
    let fleet = fleet(23).await;
    let product = product(&fleet);
    let mut config = config(&fleet, &product).await;
    let faults = Faults::new(fleet.fault_targets(), None);
    let live = LiveStats::new(&config.dns);
    let stop = CancellationToken::new();

    let mut bad = config.clone();
    bad.faults = vec!["power-off:mars@1s".parse().unwrap()];
    let error = Drill::run(&bad, &faults, &live, None, &stop).await.unwrap_err();
    assert!(matches!(error, DrillError::Fault { .. }), "{error}");
    bad.faults = vec!["power-off:eu@9s".parse().unwrap()];
    let error = Drill::run(&bad, &faults, &live, None, &stop).await.unwrap_err();
    assert!(
        error.to_string().contains("not before the end of the drill"),
        "{error}"
    );
    let mut bad = config.clone();
    bad.dns = vec!["127.0.0.1:9".parse().unwrap()];
    bad.preflight = Duration::from_millis(500);
    let error = Drill::run(&bad, &faults, &live, None, &stop).await.unwrap_err();
    assert!(error.to_string().contains("shop"), "{error}");

    config.faults = vec!["power-off:eu@100ms".parse().unwrap()];
    let (progress, mut steps) = mpsc::channel(64);
    let stopper = {
        let stop = stop.clone();
        tokio::spawn(async move {
            while let Some(step) = steps.recv().await {
                if matches!(step, Progress::Fault(_)) {
                    stop.cancel();
                }
            }
        })
    };
    let report = sendable(Drill::run(&config, &faults, &live, Some(&progress), &stop))
        .await
        .unwrap();
    assert_eq!(report.outcome, Outcome::Aborted);
    assert!(
        faults.active().is_empty(),
        "a stopped drill leaves no fault behind"
    );
    drop(progress);
    stopper.await.unwrap();
    fleet.stop().await;
}
