//! Five observers, a consumer and two web servers, over real sockets: one server stops, its cluster goes Down,
//! comes back.
//! Only the order of verdicts is asserted; how fast they come is measured elsewhere.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what failed by failing"
)]

mod server;
mod told;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use lifeboat_health::{
    Check, Consumer, ConsumerConfig, ConsumerMetrics, Family, Identity, Observer, ObserverConfig,
    ObserverMetrics, Path, Profile, Target, Transition, Verdict, invariants,
};
use server::{Manners, Server};
use tokio::sync::mpsc;
use told::Tell;

/// Forgiving timeouts, for machines that are busy; a short recovery.
fn profile() -> Profile {
    Profile {
        timeout_min_ms: 300,
        recover_hold_ms: 300,
        recover_good: 1,
        ..Profile::fast()
    }
}

fn targets(servers: &[(&str, &Server)]) -> Vec<Target> {
    let of = |(cluster, server): &(&str, &Server)| {
        let traffic = Check::Http {
            url: server.url(),
            host: None,
            expect: "200".parse().unwrap(),
        };
        let control = Check::Tcp { address: server.addr };
        [(Path::Traffic, traffic), (Path::Control, control)].map(|(path, check)| Target {
            cluster: (*cluster).to_owned(),
            path,
            family: Family::V4,
            check,
            detection: None,
        })
    };
    servers.iter().flat_map(of).collect()
}

fn observers(
    fleet: &BTreeMap<String, Identity>,
    targets: &[Target],
    anchor: SocketAddr,
    to: SocketAddr,
) -> Vec<Observer> {
    (1..=5)
        .map(|n| {
            let name = format!("observer-{n}");
            let config = ObserverConfig {
                tls: fleet[&name].clone(),
                name,
                region: format!("region-{n}"),
                targets: targets.to_vec(),
                anchors: vec![Check::Tcp { address: anchor }],
                consumers: vec![to],
                profile: profile(),
                seed: n,
                metrics: ObserverMetrics::default(),
            };
            Observer::spawn(config).unwrap()
        })
        .collect()
}

/// The next transition of a cluster's path, checked against the invariants.
async fn next(told: &mut mpsc::Receiver<Transition>, cluster: &str, path: Path) -> Transition {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(60), told.recv()).await;
        let transition = next
            .unwrap_or_else(|_| panic!("no verdict on {cluster}/{path}"))
            .unwrap();
        invariants::s6_down_has_quorum(&transition, &profile()).unwrap();
        invariants::s7_frozen_decides_nothing(&transition, &profile()).unwrap();
        if transition.cluster == cluster && transition.path == path {
            return transition;
        }
        assert_ne!(
            (transition.cluster.as_str(), transition.to),
            ("b", Verdict::Down),
            "{transition:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_stops_is_down_and_recovers() {
    let (a, b) = (
        Server::start(Manners::Answer(200)).await,
        Server::start(Manners::Answer(200)).await,
    );
    let anchor = Server::start(Manners::Silent).await;
    let addr = a.addr;
    let targets = targets(&[("a", &a), ("b", &b)]);
    let names = [
        "observer-1",
        "observer-2",
        "observer-3",
        "observer-4",
        "observer-5",
    ];
    let fleet = Identity::generate_fleet(&names, &["dns-1"]).unwrap();
    let (tell, mut told) = Tell::channel();
    let config = ConsumerConfig {
        name: "dns-1".into(),
        listen: ([127, 0, 0, 1], 0).into(),
        tls: fleet["dns-1"].clone(),
        targets: targets.clone(),
        observers: None,
        profile: profile(),
        metrics: ConsumerMetrics::default(),
    };
    let consumer = Consumer::spawn(config, Box::new(tell)).unwrap();
    let observers = observers(&fleet, &targets, anchor.addr, consumer.local_addr());

    let up = next(&mut told, "a", Path::Traffic).await;
    assert_eq!((up.from, up.to), (Verdict::Unknown, Verdict::Up));

    a.stop().await;
    let mut reached = Vec::new();
    let down = loop {
        let transition = next(&mut told, "a", Path::Traffic).await;
        reached.push(transition.to);
        if transition.to == Verdict::Down {
            break transition;
        }
    };
    assert!(
        reached
            .iter()
            .rev()
            .skip(1)
            .all(|verdict| matches!(verdict, Verdict::Suspect | Verdict::Up))
    );
    assert!(
        down.evidence
            .iter()
            .filter(|witness| !witness.hard.is_empty())
            .count()
            >= 3,
        "{:?}",
        down.evidence
    );

    let a = Server::start_at(addr, Manners::Answer(200)).await;
    assert_eq!(next(&mut told, "a", Path::Traffic).await.to, Verdict::Recovering);
    assert_eq!(next(&mut told, "a", Path::Traffic).await.to, Verdict::Up);
    let view = consumer.view();
    let cell = view.cell("a", Path::Traffic, Family::V4).unwrap();
    assert!(cell.penalty > 900.0 && !cell.suppressed && cell.rtt_ms.is_some());
    assert_eq!(view.observers.len(), 5);

    observers.into_iter().for_each(Observer::stop);
    consumer.stop();
    drop((a, b, anchor));
}
