//! An agent's heartbeats over real sockets, and targets that share a prober.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what failed by failing"
)]

mod server;
mod told;

use std::time::Duration;

use lifeboat_health::metrics::ObserverResultLabel;
use lifeboat_health::probe::heartbeat::HeartbeatSender;
use lifeboat_health::{
    Check, Consumer, ConsumerConfig, ConsumerMetrics, Family, Hard, Identity, Observer, ObserverConfig,
    ObserverMetrics, Path, Profile, Target, Transition, Verdict,
};
use server::{Manners, Server};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use told::Tell;

const KEY: &[u8] = b"an example key of thirty-two bytes";

/// One observer decides; forgiving timeouts, for machines that are busy.
fn profile() -> Profile {
    Profile {
        timeout_min_ms: 300,
        recover_hold_ms: 300,
        recover_good: 1,
        ..Profile::single()
    }
}

struct Pair {
    consumer: Consumer,
    observer: Observer,
    metrics: ObserverMetrics,
    told: mpsc::Receiver<Transition>,
}

fn start(targets: Vec<Target>) -> Pair {
    let fleet = Identity::generate_fleet(&["observer-1"], &["dns-1"]).unwrap();
    let (tell, told) = Tell::channel();
    let consumer = ConsumerConfig {
        observers: None,
        name: "dns-1".into(),
        listen: ([127, 0, 0, 1], 0).into(),
        tls: fleet["dns-1"].clone(),
        targets: targets.clone(),
        profile: profile(),
        metrics: ConsumerMetrics::default(),
    };
    let consumer = Consumer::spawn(consumer, Box::new(tell)).unwrap();
    let metrics = ObserverMetrics::default();
    let observer = ObserverConfig {
        name: "observer-1".into(),
        region: "region-1".into(),
        targets,
        anchors: Vec::new(),
        consumers: vec![consumer.local_addr()],
        tls: fleet["observer-1"].clone(),
        profile: profile(),
        seed: 1,
        metrics: metrics.clone(),
    };
    let observer = Observer::spawn(observer).unwrap();
    Pair {
        consumer,
        observer,
        metrics,
        told,
    }
}

/// The next time that a cluster's verdict is `to`.
async fn until(told: &mut mpsc::Receiver<Transition>, cluster: &str, to: Verdict) -> Transition {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(60), told.recv()).await;
        let next = next
            .unwrap_or_else(|_| panic!("{cluster} is not {to:?}"))
            .unwrap();
        if next.cluster == cluster && next.to == to {
            return next;
        }
    }
}

#[tokio::test]
async fn an_agent_that_stops_is_down_and_one_that_returns_is_up() {
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("key");
    std::fs::write(&key_file, KEY).unwrap();
    let mut pair = start(vec![Target {
        cluster: "a".into(),
        path: Path::Control,
        family: Family::V4,
        check: Check::Heartbeat {
            agent: "agent-a".into(),
            key_file: key_file.to_str().unwrap().into(),
        },
        detection: None,
    }]);
    let ear = pair
        .observer
        .listen_for_heartbeats(([127, 0, 0, 1], 0).into())
        .unwrap();
    let agent = |stop: &CancellationToken| {
        let interval = Duration::from_millis(profile().interval_ms.into());
        let sender = HeartbeatSender::new("agent-a", KEY, vec![ear], interval).unwrap();
        tokio::spawn(sender.run(stop.clone()))
    };
    let stop = CancellationToken::new();
    let running = agent(&stop);
    until(&mut pair.told, "a", Verdict::Up).await;
    stop.cancel();
    running.await.unwrap();
    let down = until(&mut pair.told, "a", Verdict::Down).await;
    assert!(
        down.evidence.iter().all(|witness| witness.hard == Hard::STOPPING),
        "{:?}",
        down.evidence
    );
    let stop = CancellationToken::new();
    let running = agent(&stop);
    until(&mut pair.told, "a", Verdict::Up).await;
    // An agent that dies without a word is missed.
    running.abort();
    until(&mut pair.told, "a", Verdict::Down).await;
    pair.observer.stop();
    pair.consumer.stop();
}

#[tokio::test]
async fn targets_of_one_address_are_probed_once_and_told_apart() {
    let server = Server::start(Manners::Answer(200)).await;
    let target = |cluster: &str| Target {
        cluster: cluster.into(),
        path: Path::Traffic,
        family: Family::V4,
        check: Check::Http {
            url: server.url(),
            host: None,
            expect: "200".parse().unwrap(),
        },
        detection: None,
    };
    let mut pair = start(vec![target("a"), target("b")]);
    let first = pair.told.recv().await.unwrap().cluster;
    let second = if first == "a" { "b" } else { "a" };
    until(&mut pair.told, second, Verdict::Up).await;
    let count = |result| {
        let label = ObserverResultLabel {
            observer: "observer-1".into(),
            result,
        };
        pair.metrics.targets.get_or_create_owned(&label).get()
    };
    assert_eq!((count("targets"), count("probers")), (2, 1));
    // One goes, the other is probed on without a pause.
    pair.observer.set_targets(vec![target("b")]).unwrap();
    while count("targets") == 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!((count("targets"), count("probers")), (1, 1));
    pair.observer.stop();
    pair.consumer.stop();
}
