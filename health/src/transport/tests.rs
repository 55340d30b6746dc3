mod roles;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn::{Connection, Endpoint, EndpointConfig, TokioRuntime};

use super::*;
use crate::evidence::{Header, Row, decode, encode_table};
use crate::metrics::{
    ConsumerLabel, ConsumerMetrics, ConsumerResultLabel, HeardLabel, ObserverMetrics, ObserverResultLabel,
    WhoLabel,
};
use crate::server::{Manners, Server};
use crate::{
    Check, Family, FleetView, MonoClock, MonoTime, Path, Profile, StatusRange, Target, Transition, Verdict,
    VerdictSink,
};

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

struct Deaf;

impl VerdictSink for Deaf {
    fn tick(&mut self, _: MonoTime, _: &[Transition], _: &FleetView) {}
}

fn target(cluster: &str, url: String) -> Target {
    let check = Check::Http {
        url,
        host: None,
        expect: StatusRange::default(),
    };
    Target {
        cluster: cluster.into(),
        path: Path::Traffic,
        family: Family::V4,
        check,
        detection: None,
    }
}

fn consumer_at(
    listen: SocketAddr,
    tls: &Identity,
    targets: Vec<Target>,
    metrics: &ConsumerMetrics,
) -> Result<Consumer, ConsumerError> {
    let config = ConsumerConfig {
        name: "dns-1".into(),
        listen,
        tls: tls.clone(),
        targets,
        observers: None,
        profile: Profile {
            min_fresh: 1,
            ..Profile::fast()
        },
        metrics: metrics.clone(),
    };
    Consumer::spawn(config, Box::new(Deaf))
}

fn observer(name: &str, tls: &Identity, targets: Vec<Target>, consumers: Vec<SocketAddr>) -> Observer {
    Observer::spawn(observer_config(name, tls, targets, consumers)).unwrap()
}

fn observer_config(
    name: &str,
    tls: &Identity,
    targets: Vec<Target>,
    consumers: Vec<SocketAddr>,
) -> ObserverConfig {
    ObserverConfig {
        name: name.into(),
        region: "r".into(),
        targets,
        anchors: Vec::new(),
        consumers,
        tls: tls.clone(),
        profile: Profile::fast(),
        seed: 1,
        metrics: ObserverMetrics::default(),
    }
}

/// Wait for something to become true; the bound is generous because only order matters.
#[expect(clippy::disallowed_methods, reason = "a test measures")]
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn count(metrics: &ConsumerMetrics, result: &'static str) -> u64 {
    let label = ConsumerResultLabel {
        consumer: "dns-1".into(),
        result,
    };
    metrics.datagrams.get_or_create(&label).get()
}

fn heard(observer: &str) -> HeardLabel {
    HeardLabel {
        consumer: "dns-1".into(),
        observer: observer.into(),
    }
}

/// An observer's side of a connection, made by hand.
async fn dial(identity: &Identity, consumer: &Consumer) -> Connection {
    let socket = UdpSocket::bind(ANY).unwrap();
    let endpoint = Endpoint::new(EndpointConfig::default(), None, socket, Arc::new(TokioRuntime)).unwrap();
    let patient = Profile {
        ack_timeout_ms: 10_000,
        ..Profile::fast()
    };
    let config = tls::client(identity, &patient, 0).unwrap();
    endpoint
        .connect_with(config, consumer.local_addr(), CONSUMER_NAME)
        .unwrap()
        .await
        .unwrap()
}

fn datagram(observer: &str, seq: u64) -> Bytes {
    let sent_at = MonoClock::new().now();
    let header = Header {
        observer: observer.into(),
        region: "r".into(),
        boot: 1,
        seq,
        sent_at,
        abstain: false,
        probing: None,
    };
    let mut all = Vec::new();
    encode_table(&header, &[Row::default()], |bytes| all.push(bytes));
    all.remove(0).into()
}

#[tokio::test]
async fn strangers_foreign_names_replays_and_rubbish_are_rejected_and_counted() {
    let fleet = Identity::generate_fleet(&["observer-1", "observer-2"], &["dns-1"]).unwrap();
    let other_fleet = Identity::generate_fleet(&["observer-1"], &[]).unwrap();
    let metrics = ConsumerMetrics::default();
    let consumer = consumer_at(ANY, &fleet["dns-1"], Vec::new(), &metrics).unwrap();

    let mixed = Identity {
        roots: fleet["dns-1"].roots.clone(),
        ..other_fleet["observer-1"].clone()
    };
    let stranger = dial(&mixed, &consumer).await;
    let ended = stranger.closed().await;
    assert!(
        ended.to_string().contains("certificate") || ended.to_string().contains("crypto"),
        "{ended}"
    );
    until("the failed handshake's count", || {
        count(&metrics, "handshake") == 1
    })
    .await;

    let second = dial(&fleet["observer-2"], &consumer).await;
    for foreign in [
        datagram("observer-1", 1),
        datagram(CONSUMER_NAME, 1),
        datagram("*", 1),
    ] {
        second.send_datagram(foreign).unwrap();
    }
    until("the foreign names' count", || {
        count(&metrics, "foreign-name") == 3
    })
    .await;
    assert!(consumer.view().observers.is_empty());

    second.send_datagram(datagram("observer-2", 7)).unwrap();
    until("the first datagram", || count(&metrics, "accepted") == 1).await;
    for old in [7, 6] {
        second.send_datagram(datagram("observer-2", old)).unwrap();
    }
    until("the replays' count", || count(&metrics, "sequence") == 2).await;
    second.send_datagram(Bytes::from_static(b"rubbish")).unwrap();
    until("the rubbish's count", || count(&metrics, "malformed") == 1).await;
    let mut next_version = datagram("observer-2", 8).to_vec();
    next_version[2] = 4;
    second.send_datagram(next_version.into()).unwrap();
    until("the other version's count", || count(&metrics, "version") == 1).await;
    second.send_datagram(datagram("observer-2", 8)).unwrap();
    until("evidence goes on", || count(&metrics, "accepted") == 2).await;
    until("the view", || consumer.view().observers.len() == 1).await;
    consumer.stop();
}

#[tokio::test]
async fn a_consumer_without_the_consumers_name_is_not_dialled() {
    let fleet = Identity::generate_fleet(&["observer-1"], &["dns-1"]).unwrap();
    let mut nameless = rcgen::CertificateParams::new(vec!["dns-1".to_owned()]).unwrap();
    nameless.distinguished_name = rcgen::DistinguishedName::new();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = nameless.self_signed(&key).unwrap();
    let own = Identity {
        cert_chain: vec![certificate.der().clone()],
        key: rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        roots: fleet["dns-1"].roots.clone(),
    };
    let consumer = consumer_at(ANY, &own, Vec::new(), &ConsumerMetrics::default()).unwrap();
    let socket = UdpSocket::bind(ANY).unwrap();
    let endpoint = Endpoint::new(EndpointConfig::default(), None, socket, Arc::new(TokioRuntime)).unwrap();
    let config = tls::client(&fleet["observer-1"], &Profile::fast(), 0).unwrap();
    let dialled = endpoint
        .connect_with(config, consumer.local_addr(), CONSUMER_NAME)
        .unwrap()
        .await;
    assert!(
        dialled.is_err(),
        "the consumer's certificate is of no known authority"
    );
}

#[tokio::test]
async fn a_restarted_consumer_hears_its_observers_again() {
    let server = Server::start(Manners::Answer(200)).await;
    let fleet = Identity::generate_fleet(&["observer-1"], &["dns-1"]).unwrap();
    let targets = vec![target("a", server.url())];
    let first = consumer_at(ANY, &fleet["dns-1"], targets.clone(), &ConsumerMetrics::default()).unwrap();
    let addr = first.local_addr();
    let observer = observer("observer-1", &fleet["observer-1"], targets.clone(), vec![addr]);
    let up = |consumer: &Consumer| {
        consumer
            .view()
            .cell("a", Path::Traffic, Family::V4)
            .is_some_and(|cell| cell.verdict == Verdict::Up)
    };
    until("Up at the first consumer", || up(&first)).await;
    first.stop();
    let second = consumer_at(addr, &fleet["dns-1"], targets, &ConsumerMetrics::default()).unwrap();
    until("Up at the second consumer", || up(&second)).await;
    assert_eq!(second.view().observers[0].region, "r");
    observer.stop();
    until("the observer is missed", || !second.view().observers[0].fresh).await;
    assert!(
        second
            .view()
            .cells
            .values()
            .all(|cell| cell.frozen && cell.verdict == Verdict::Up)
    );
}

#[tokio::test]
async fn clusters_join_and_leave_while_running() {
    let (a, b) = (
        Server::start(Manners::Answer(200)).await,
        Server::start(Manners::Answer(200)).await,
    );
    let fleet = Identity::generate_fleet(&["observer-1"], &["dns-1"]).unwrap();
    let (a, b) = (target("a", a.url()), target("b", b.url()));
    let consumer = consumer_at(ANY, &fleet["dns-1"], vec![a.clone()], &ConsumerMetrics::default()).unwrap();
    let observer = observer(
        "observer-1",
        &fleet["observer-1"],
        vec![a.clone()],
        vec![consumer.local_addr()],
    );
    let is = |cluster: &str, verdict| {
        consumer
            .view()
            .cell(cluster, Path::Traffic, Family::V4)
            .map(|cell| cell.verdict)
            == Some(verdict)
    };
    until("a is Up", || is("a", Verdict::Up)).await;
    consumer.set_targets(vec![a.clone(), b.clone()]).unwrap();
    observer.set_targets(vec![a.clone(), b.clone()]).unwrap();
    until("b is Up", || is("b", Verdict::Up)).await;
    consumer.set_targets(vec![b.clone()]).unwrap();
    observer.set_targets(vec![b.clone()]).unwrap();
    until("a is gone", || consumer.view().clusters() == ["b"]).await;
    let twice = observer.set_targets(vec![b.clone(), b]).unwrap_err().to_string();
    assert!(
        twice.contains("observer observer-1: target b/traffic/ipv4 is given twice"),
        "{twice}"
    );
}

/// One that this host has no way to says nothing of the observer: it goes on voting about the others.
#[tokio::test]
async fn a_target_without_a_way_keeps_nobody_from_voting() {
    let server = Server::start(Manners::Answer(200)).await;
    let fleet = Identity::generate_fleet(&["observer-1"], &["dns-1"]).unwrap();
    let nowhere = Target {
        family: Family::V6,
        ..target("a", "http://[fe80::1]/".into())
    };
    let targets = vec![target("a", server.url()), nowhere];
    let consumer = consumer_at(ANY, &fleet["dns-1"], targets.clone(), &ConsumerMetrics::default()).unwrap();
    let config = observer_config(
        "observer-1",
        &fleet["observer-1"],
        targets,
        vec![consumer.local_addr()],
    );
    let metrics = config.metrics.clone();
    let observer = Observer::spawn(config).unwrap();
    let verdict = |family| {
        let view = consumer.view();
        view.cell("a", Path::Traffic, family).map(|cell| cell.verdict)
    };
    let unusable = || {
        let label = ObserverResultLabel {
            observer: "observer-1".into(),
            result: "unusable",
        };
        metrics.probes.get_or_create(&label).get()
    };
    until("Up by IPv4", || verdict(Family::V4) == Some(Verdict::Up)).await;
    until("probes by IPv6", || unusable() > 10).await;
    server.set(Manners::Silent);
    until("Down by IPv4", || verdict(Family::V4) == Some(Verdict::Down)).await;
    let view = consumer.view();
    let cell = view.cell("a", Path::Traffic, Family::V6).unwrap();
    assert_eq!(
        (cell.verdict, cell.frozen, cell.fresh),
        (Verdict::Unknown, true, 0)
    );
    observer.stop();
}

#[tokio::test]
async fn an_observer_without_its_anchors_abstains() {
    let (server, anchor) = (
        Server::start(Manners::Answer(200)).await,
        Server::start(Manners::Answer(200)).await,
    );
    let fleet = Identity::generate_fleet(&["observer-1"], &["dns-1"]).unwrap();
    let targets = vec![target("a", server.url())];
    let consumer = consumer_at(ANY, &fleet["dns-1"], targets.clone(), &ConsumerMetrics::default()).unwrap();
    let anchors = vec![Check::Http {
        url: anchor.url(),
        host: None,
        expect: StatusRange::default(),
    }];
    let config = observer_config(
        "observer-1",
        &fleet["observer-1"],
        targets,
        vec![consumer.local_addr()],
    );
    let _observer = Observer::spawn(ObserverConfig { anchors, ..config }).unwrap();
    let abstains = || {
        consumer
            .view()
            .observers
            .first()
            .map(|observer| observer.abstaining)
    };
    until("it votes", || abstains() == Some(false)).await;
    anchor.stop().await;
    until("it abstains", || abstains() == Some(true)).await;
    assert!(
        consumer
            .view()
            .cells
            .values()
            .all(|cell| cell.verdict != Verdict::Down)
    );
}

#[test]
fn what_cannot_start_says_why() {
    let fleet = Identity::generate_fleet(&["observer-1"], &["dns-1"]).unwrap();
    let (identity, listens) = (&fleet["observer-1"], &fleet["dns-1"]);
    let taken = UdpSocket::bind(ANY).unwrap();
    let addr = taken.local_addr().unwrap();
    let metrics = ConsumerMetrics::default();
    let message = |result: Result<Consumer, ConsumerError>| result.err().unwrap().to_string();
    let busy = message(consumer_at(addr, listens, Vec::new(), &metrics));
    assert!(
        busy.starts_with(&format!("consumer dns-1: listen on udp {addr}: ")),
        "{busy}"
    );
    let bad = message(consumer_at(
        ANY,
        listens,
        vec![target("a", "gopher://x".into())],
        &metrics,
    ));
    assert!(
        bad.contains("consumer dns-1: target a/traffic/ipv4: url \"gopher://x\""),
        "{bad}"
    );

    let check = |config: ObserverConfig, expected: &str| {
        let message = Observer::spawn(config).err().unwrap().to_string();
        assert!(message.contains(expected), "{message}");
    };
    let config = || observer_config("observer-1", identity, Vec::new(), Vec::new());
    check(
        ObserverConfig {
            name: "observer-2".into(),
            ..config()
        },
        "\"observer-2\" is not a name in the certificate",
    );
    check(
        ObserverConfig {
            name: String::new(),
            ..config()
        },
        "observer name \"\": allowed are 1 to 63",
    );
    check(
        ObserverConfig {
            region: "a b".into(),
            ..config()
        },
        "observer region \"a b\": allowed are 0 to 63",
    );
    let profile = Profile {
        interval_ms: 1,
        ..Profile::fast()
    };
    check(
        ObserverConfig { profile, ..config() },
        "observer observer-1: profile field intervalMs is 1",
    );
    let anchors = vec![Check::Tcp {
        address: ([127, 0, 0, 1], 0).into(),
    }];
    check(
        ObserverConfig { anchors, ..config() },
        "observer observer-1: anchor 0: address 127.0.0.1:0",
    );
}

#[tokio::test]
async fn certificates_change_while_evidence_flows() {
    let old = Identity::generate_fleet(&["observer-1", "observer-2"], &["dns-1"]).unwrap();
    let new = Identity::generate_fleet(&["observer-1"], &["dns-1"]).unwrap();
    let both: Vec<_> = [&old, &new]
        .into_iter()
        .flat_map(|fleet| fleet["dns-1"].roots.clone())
        .collect();
    let trusting = |identity: &Identity| Identity {
        roots: both.clone(),
        ..identity.clone()
    };
    let metrics = ConsumerMetrics::default();
    let consumer = consumer_at(ANY, &trusting(&old["dns-1"]), Vec::new(), &metrics).unwrap();
    let to = vec![consumer.local_addr()];
    let observer = observer("observer-1", &trusting(&old["observer-1"]), Vec::new(), to);
    until("evidence", || count(&metrics, "accepted") > 0).await;

    observer.set_identity(trusting(&new["observer-1"])).unwrap();
    consumer.set_identity(&new["dns-1"]).unwrap();
    let before = count(&metrics, "accepted");
    until("evidence goes on", || count(&metrics, "accepted") > before + 5).await;
    // From now on only the new fleet's certificates are taken, and the observer has one.
    let gone = dial(&trusting(&old["observer-2"]), &consumer)
        .await
        .closed()
        .await;
    assert!(
        gone.to_string().contains("certificate") || gone.to_string().contains("crypto"),
        "{gone}"
    );
    let before = count(&metrics, "accepted");
    until("evidence goes on", || count(&metrics, "accepted") > before).await;
    let view = consumer.view();
    assert_eq!((view.observers.len(), view.observers[0].lost), (1, 0));

    let foreign = observer
        .set_identity(new["dns-1"].clone())
        .unwrap_err()
        .to_string();
    assert!(
        foreign.contains("observer-1") && foreign.contains("not a name"),
        "{foreign}"
    );
}

#[tokio::test]
async fn only_listed_observers_count() {
    let fleet = Identity::generate_fleet(&["observer-1", "observer-2"], &["dns-1"]).unwrap();
    let metrics = ConsumerMetrics::default();
    let consumer = consumer_at(ANY, &fleet["dns-1"], Vec::new(), &metrics).unwrap();
    consumer.set_observers(Some([("observer-2".to_owned(), String::new())].into()));
    let connection = dial(&fleet["observer-1"], &consumer).await;
    connection.send_datagram(datagram("observer-1", 1)).unwrap();
    until("it is counted", || count(&metrics, "unlisted-name") == 1).await;
    consumer.set_observers(None);
    connection.send_datagram(datagram("observer-1", 2)).unwrap();
    until("it counts", || count(&metrics, "accepted") == 1).await;
    let region = || Some(consumer.view().observers.first()?.region.clone());
    until("its own region counts", || region().as_deref() == Some("r")).await;
    consumer.set_observers(Some([("observer-1".to_owned(), "listed".to_owned())].into()));
    connection.send_datagram(datagram("observer-1", 3)).unwrap();
    until("the listed region counts", || {
        region().as_deref() == Some("listed")
    })
    .await;
    // Whoever is taken off the list is forgotten, whatever it goes on sending.
    let shown = || metrics.evidence_age.get(&heard("observer-1")).is_some();
    until("its age is shown", shown).await;
    consumer.set_observers(Some([("observer-2".to_owned(), String::new())].into()));
    connection.send_datagram(datagram("observer-1", 4)).unwrap();
    until("it is counted again", || count(&metrics, "unlisted-name") == 2).await;
    until("nothing of it is left", || {
        consumer.view().observers.is_empty() && !shown()
    })
    .await;
}

#[tokio::test]
async fn consumers_come_and_go() {
    let fleet = Identity::generate_fleet(&["observer-1"], &["dns-1"]).unwrap();
    let (first, second) = (ConsumerMetrics::default(), ConsumerMetrics::default());
    let one = consumer_at(ANY, &fleet["dns-1"], Vec::new(), &first).unwrap();
    let two = consumer_at(ANY, &fleet["dns-1"], Vec::new(), &second).unwrap();
    let observer = observer(
        "observer-1",
        &fleet["observer-1"],
        Vec::new(),
        vec![one.local_addr()],
    );
    until("the first hears", || count(&first, "accepted") > 0).await;
    observer.set_consumers([two.local_addr()]);
    until("the second hears", || count(&second, "accepted") > 0).await;
    until("the first hears no more", || {
        one.view().observers.iter().all(|observer| !observer.fresh)
    })
    .await;
}

#[tokio::test]
async fn too_few_observers_are_told_by_a_metric() {
    let fleet = Identity::generate_fleet(&[], &["dns-1"]).unwrap();
    let metrics = ConsumerMetrics::default();
    let config = ConsumerConfig {
        name: "dns-1".into(),
        listen: ANY,
        tls: fleet["dns-1"].clone(),
        targets: Vec::new(),
        observers: None,
        profile: Profile::fast(),
        metrics: metrics.clone(),
    };
    let consumer = Consumer::spawn(config, Box::new(Deaf)).unwrap();
    let lacking = |expected: i64| {
        let label = ConsumerLabel {
            consumer: "dns-1".into(),
        };
        metrics
            .lacking
            .get(&label)
            .is_some_and(|gauge| gauge.get() == expected)
    };
    until("nobody is heard", || lacking(3)).await;
    let listed = |count: usize| {
        (1..=count)
            .map(|n| (format!("observer-{n}"), String::new()))
            .collect()
    };
    for (count, expected) in [(2, 1), (3, 0), (4, 0), (1, 2)] {
        consumer.set_observers(Some(listed(count)));
        until("the list counts", || lacking(expected)).await;
    }
}

#[tokio::test]
async fn what_arrives_can_be_recorded() {
    let fleet = Identity::generate_fleet(&["observer-1"], &["dns-1"]).unwrap();
    let consumer = consumer_at(ANY, &fleet["dns-1"], Vec::new(), &ConsumerMetrics::default()).unwrap();
    let mut tap = consumer.tap();
    let connection = dial(&fleet["observer-1"], &consumer).await;
    let sent = datagram("observer-1", 1);
    connection.send_datagram(sent.clone()).unwrap();
    assert_eq!(tap.recv().await.unwrap().1, sent);
    // What is on record is what was decided by: the listed region, and not the observer's own.
    let regions = [("Nordic countries", "Nordic-countries"), ("", "r")];
    for (seq, (listed, recorded)) in (2..).zip(regions) {
        consumer.set_observers(Some([("observer-1".to_owned(), listed.to_owned())].into()));
        connection.send_datagram(datagram("observer-1", seq)).unwrap();
        let header = decode(&tap.recv().await.unwrap().1).unwrap().header;
        assert_eq!((header.region.as_str(), header.seq), (recorded, seq));
    }
}

/// What is probed otherwise is in datagrams of its own, each of which says how; a consumer with the same overrides counts all.
#[tokio::test]
async fn rows_go_with_how_their_targets_are_probed() {
    let fleet = Identity::generate_fleet(&["observer-1"], &["dns-1"]).unwrap();
    let server = Server::start(Manners::Answer(200)).await;
    let own = |cluster: &str, patch: &str| Target {
        detection: serde_json::from_str(patch).unwrap(),
        ..target(cluster, server.url())
    };
    let targets = vec![
        target("fleet", server.url()),
        own("judged", r#"{"deadMisses": 12}"#),
        own("wan", r#"{"preset": "wan"}"#),
    ];
    let metrics = ConsumerMetrics::default();
    let consumer = consumer_at(ANY, &fleet["dns-1"], targets.clone(), &metrics).unwrap();
    let mut tap = consumer.tap();
    let at = vec![consumer.local_addr()];
    let _observer = observer("observer-1", &fleet["observer-1"], targets.clone(), at);
    until("all count", || {
        let view = consumer.view();
        view.cells.len() == 3 && view.cells.values().all(|cell| cell.fresh == 1)
    })
    .await;
    assert_eq!(consumer.view().observers[0].probes_otherwise, None);
    let mut said = Vec::new();
    while said.len() < 2 {
        let (_, bytes) = tap.recv().await.unwrap();
        let datagram = decode(&bytes).unwrap();
        let interval = datagram.header.probing.unwrap().interval_ms;
        let names = datagram.rows.iter().map(|row| {
            let its = targets.iter().find(|target| target.id() == row.target);
            its.unwrap().cluster.as_str()
        });
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        said.push((interval, names));
    }
    said.sort();
    assert_eq!(said, [(100, vec!["fleet", "judged"]), (200, vec!["wan"])]);
}

/// First packets of handshakes that whoever can see the wire replays, with no certificate: an observer comes in all the same.
#[tokio::test]
async fn replayed_first_packets_keep_nobody_out() {
    let mut fleet = Identity::generate_fleet(&["o1"], &["dns-1"]).unwrap();
    let (theirs, ours) = (fleet.remove("o1").unwrap(), fleet.remove("dns-1").unwrap());
    let metrics = ConsumerMetrics::default();
    let consumer = consumer_at(ANY, &ours, Vec::new(), &metrics).unwrap();

    let wire = tokio::net::UdpSocket::bind(ANY).await.unwrap();
    let socket = UdpSocket::bind(ANY).unwrap();
    let endpoint = Endpoint::new(EndpointConfig::default(), None, socket, Arc::new(TokioRuntime)).unwrap();
    let mut first = Vec::new();
    for _ in 0..300 {
        let config = tls::client(&theirs, &Profile::fast(), 0).unwrap();
        let connecting = endpoint.connect_with(config, wire.local_addr().unwrap(), CONSUMER_NAME);
        let mut packet = vec![0; 2_000];
        let (length, _) = wire.recv_from(&mut packet).await.unwrap();
        drop(connecting);
        packet.truncate(length);
        first.push(packet);
    }
    let stranger = UdpSocket::bind(ANY).unwrap();
    for packet in &first {
        stranger.send_to(packet, consumer.local_addr()).unwrap();
    }
    let label = ConsumerLabel {
        consumer: "dns-1".into(),
    };
    until("a retry", || {
        metrics.retried_connections.get_or_create(&label).get() > 0
    })
    .await;
    let connection = dial(&theirs, &consumer).await;
    connection.send_datagram(datagram("o1", 1)).unwrap();
    until("its evidence", || count(&metrics, "accepted") == 1).await;
    assert_eq!(metrics.refused_connections.get_or_create(&label).get(), 0);
    consumer.stop();
}
