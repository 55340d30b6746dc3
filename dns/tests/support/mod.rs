//! A server on free loopback ports with a plan of five clusters, and ways to ask it.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RecordType};
use lifeboat_dns::{
    EndpointInput, Filter, GateSink, NameInput, NameServerInput, Notice, OnAllDown, Server, ServerConfig,
    SnapshotInput, SoaInput, Stamp, ZoneInput,
};
use lifeboat_health::{
    Cell, Family, FleetView, Gray, GrayState, MonoTime, Path as Tested, Verdict, VerdictSink as _,
};

pub(crate) const CLUSTERS: [&str; 5] = ["a", "b", "c", "d", "e"];
pub(crate) const SHOP: &str = "shop.demo.example.";

pub(crate) fn config(state: &Path) -> ServerConfig {
    let listen = vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0)];
    let mut config = ServerConfig::new("dns-1", listen, state);
    config.start_grace = Duration::ZERO;
    config.soak = Duration::ZERO;
    config.seed = Some(1);
    config
}

/// Clusters a to e at 192.0.2.1 to 192.0.2.5, `shop` weighted over all, `many` with 100 addresses.
pub(crate) fn plan(seq: u64) -> SnapshotInput {
    let name = |name: &str, steer, endpoints| NameInput {
        name: format!("{name}.demo.example"),
        zone: "demo.example".to_owned(),
        epoch: 1,
        seq,
        ttl: 5,
        steer,
        on_all_down: OnAllDown::LastGood,
        degraded_ttl: None,
        https: None,
        svcb: None,
        endpoints,
    };
    let endpoints = CLUSTERS
        .iter()
        .enumerate()
        .map(|(index, cluster)| EndpointInput {
            cluster: (*cluster).to_owned(),
            addresses: vec![address(index)],
            weight: 1,
        })
        .collect();
    let many = EndpointInput {
        cluster: "a".to_owned(),
        addresses: (1..=100).map(|last| IpAddr::from([198, 51, 100, last])).collect(),
        weight: 1,
    };
    SnapshotInput {
        stamp: Stamp {
            fleet_uid: "fleet".to_owned(),
            epoch: 1,
            seq,
        },
        zones: vec![ZoneInput {
            name: "demo.example".to_owned(),
            soa: SoaInput {
                mname: "ns1.demo.example".to_owned(),
                rname: "hostmaster.demo.example".to_owned(),
                refresh: 3600,
                retry: 600,
                expire: 86400,
                minimum: 5,
            },
            ttl: 300,
            name_servers: vec![NameServerInput {
                name: "ns1.demo.example".to_owned(),
                addresses: vec![IpAddr::from([192, 0, 2, 53])],
            }],
            records: Vec::new(),
        }],
        names: vec![
            name("shop", weighted(), endpoints),
            name("many", vec![Filter::All {}, Filter::Rotation {}], vec![many]),
        ],
        ..SnapshotInput::default()
    }
}

fn weighted() -> Vec<Filter> {
    vec![Filter::Health {}, Filter::Weighted(BTreeMap::new())]
}

pub(crate) fn address(index: usize) -> IpAddr {
    IpAddr::from([192, 0, 2, u8::try_from(index + 1).unwrap()])
}

pub(crate) fn query(name: &str, kind: RecordType, id: u16) -> Vec<u8> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(Name::from_str(name).unwrap(), kind));
    message.to_vec().unwrap()
}

pub(crate) fn ask(server: SocketAddr, name: &str, kind: RecordType) -> Message {
    let bind = if server.is_ipv4() {
        "127.0.0.1:0"
    } else {
        "[::1]:0"
    };
    let socket = UdpSocket::bind(bind).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket.connect(server).unwrap();
    socket.send(&query(name, kind, 9)).unwrap();
    let mut buffer = [0; 2048];
    let length = socket.recv(&mut buffer).unwrap();
    Message::from_vec(&buffer[..length]).unwrap()
}

pub(crate) fn read_tcp(stream: &mut TcpStream) -> Message {
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut message).unwrap();
    Message::from_vec(&message).unwrap()
}

pub(crate) fn write_tcp(stream: &mut TcpStream, packet: &[u8]) {
    stream
        .write_all(&u16::try_from(packet.len()).unwrap().to_be_bytes())
        .unwrap();
    stream.write_all(packet).unwrap();
}

pub(crate) fn addresses(message: &Message) -> Vec<IpAddr> {
    message
        .answers
        .iter()
        .filter_map(|record| record.data.ip_addr())
        .collect()
}

/// The clusters that 200 answers for `shop` name, in order.
pub(crate) fn served(server: &Server) -> String {
    let at = server.local_addrs()[0];
    let mut seen = [false; 5];
    for _ in 0..200 {
        let answer = addresses(&ask(at, SHOP, RecordType::A));
        assert_eq!(answer.len(), 1, "one cluster an answer, never none");
        seen[(0..5).find(|index| address(*index) == answer[0]).unwrap()] = true;
    }
    CLUSTERS
        .iter()
        .zip(seen)
        .filter(|(_, seen)| *seen)
        .map(|(cluster, _)| *cluster)
        .collect()
}

/// Waits for something that happens on another thread.
#[expect(clippy::disallowed_methods, reason = "a test gives up")]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not come about within 10 s");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Plays the consumer of evidence: says what each cluster's verdict is and ticks the server's sink.
pub(crate) struct Verdicts {
    pub(crate) sink: GateSink,
    view: FleetView,
}

impl Verdicts {
    pub(crate) fn of(server: &Server) -> Self {
        let mut verdicts = Self {
            sink: server.verdict_sink(),
            view: FleetView::default(),
        };
        verdicts.set("abcde", Verdict::Unknown);
        verdicts
    }

    pub(crate) fn set(&mut self, clusters: &str, verdict: Verdict) {
        let positively_healthy = matches!(verdict, Verdict::Up | Verdict::Recovering);
        for cluster in clusters.chars() {
            for path in [Tested::Traffic, Tested::Control] {
                let cell = Cell {
                    verdict,
                    positively_healthy,
                    ..Cell::default()
                };
                self.view
                    .cells
                    .insert((cluster.to_string(), path, Family::V4), cell);
            }
        }
    }

    /// Up and positively healthy, and kept out after three Downs until the release.
    pub(crate) fn hold_back(&mut self, cluster: &str, release_at: MonoTime) {
        let cell = Cell {
            verdict: Verdict::Up,
            positively_healthy: true,
            suppressed: true,
            downs: 3,
            release_at,
            ..Cell::default()
        };
        self.view
            .cells
            .insert((cluster.to_owned(), Tested::Traffic, Family::V4), cell);
    }

    /// Up, and gray: so much of its weight is left, in thousandths.
    pub(crate) fn lower(&mut self, cluster: &str, factor_permille: u32) {
        let degree = if factor_permille < 1_000 {
            Gray::Severe
        } else {
            Gray::None
        };
        let cell = Cell {
            verdict: Verdict::Up,
            positively_healthy: true,
            gray: GrayState {
                degree,
                factor_permille,
                reason: "answers in 500 ms, usually in 2 ms".to_owned(),
                ..GrayState::default()
            },
            ..Cell::default()
        };
        self.view
            .cells
            .insert((cluster.to_owned(), Tested::Traffic, Family::V4), cell);
    }

    /// Nobody observes the cluster any more.
    pub(crate) fn vanish(&mut self, cluster: &str) {
        self.view.cells.retain(|(of, _, _), _| of != cluster);
    }

    /// What the server has to tell of this tick.
    pub(crate) fn tick(&mut self, ms: u64) -> &[Notice] {
        self.sink.tick(MonoTime::from_millis(ms), &[], &self.view);
        self.sink.notices()
    }
}
