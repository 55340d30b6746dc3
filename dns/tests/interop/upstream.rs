//! Our server with one zone, two clusters and names that are steered between them, by health alone and by where a client is.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use lifeboat_dns::{
    EndpointInput, Failover, Filter, GateSink, Geo, GeoSources, GeoTable, NameInput, NetworkInput, OnAllDown,
    Server, ServerConfig, SnapshotInput, Stamp, zonefile,
};
use lifeboat_health::{Cell, Family, FleetView, MonoTime, Path as Tested, Verdict, VerdictSink as _};

use crate::daemon::free_port;

/// Of the names that a test waits for.
pub(crate) const TTL_S: u32 = 2;
/// Of the name whose place in a cache is tested: longer than any machine takes.
const LONG_TTL_S: u32 = 600;
/// Of the clusters eu and us.
pub(crate) const ADDRESSES: [[u8; 4]; 2] = [[192, 0, 2, 1], [192, 0, 2, 2]];

/// By cluster, where its clients are: networks that a client tells of, and networks that it asks from. Beside each lies one of the same
/// length of which nothing is known, so that this length is the scope of an answer.
const NETWORKS: [(&str, [&str; 2]); 2] = [
    ("eu", ["198.18.0.0/18", "127.1.0.0/18"]),
    ("us", ["198.19.0.0/18", "127.2.0.0/18"]),
];
/// Of their prefixes.
pub(crate) const SCOPE: u8 = 18;

const ZONE: &str = "$TTL 60
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
www CNAME ns
chain CNAME www
old DNAME demo.test.
*.wild A 192.0.2.9
a.b.c.d A 192.0.2.8
shout MX 10 ns
$GENERATE 1-40 big TXT \"record $ of a set that does not fit into one datagram of 1232 octets by far\"
";

/// A relay between a resolver and our server, which knows no EDNS: a query with an OPT is a format error to it (RFC 6891 §7). TCP passes
/// through: BIND takes a DNAME from nowhere else, without cookies.
pub(crate) struct Old {
    pub(crate) address: SocketAddr,
    refused: Arc<AtomicU64>,
}

impl Old {
    pub(crate) fn start(server: SocketAddr) -> Old {
        let address = free_port();
        let socket = UdpSocket::bind(address).unwrap();
        let listener = TcpListener::bind(address).unwrap();
        // The threads end with the test's process.
        thread::spawn(move || {
            for resolver in listener.incoming().map_while(Result::ok) {
                let ours = TcpStream::connect(server).unwrap();
                for (mut from, mut to) in [
                    (resolver.try_clone().unwrap(), ours.try_clone().unwrap()),
                    (ours, resolver),
                ] {
                    thread::spawn(move || {
                        // Either side may end it.
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        let refused = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&refused);
        thread::spawn(move || {
            let ours = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            ours.connect(server).unwrap();
            let mut buffer = [0; 4096];
            while let Ok((length, resolver)) = socket.recv_from(&mut buffer) {
                let with_opt = buffer[10..12] != [0, 0];
                let length = if with_opt {
                    count.fetch_add(1, Ordering::Relaxed);
                    buffer[2] |= 0x80;
                    buffer[3] = 1;
                    buffer[4..12].fill(0);
                    12
                } else {
                    ours.send(&buffer[..length]).unwrap();
                    ours.recv(&mut buffer).unwrap()
                };
                if socket.send_to(&buffer[..length], resolver).is_err() {
                    return;
                }
            }
        });
        Old { address, refused }
    }

    /// Queries with EDNS so far.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// A name of both clusters.
fn name(label: &str, ttl: u32, filter: Filter) -> NameInput {
    let endpoint = |(cluster, octets): (&str, [u8; 4])| EndpointInput {
        cluster: cluster.to_owned(),
        addresses: vec![IpAddr::from(octets)],
        weight: 1,
    };
    NameInput {
        name: format!("{label}.demo.test"),
        zone: "demo.test".to_owned(),
        epoch: 1,
        seq: 1,
        ttl,
        steer: vec![filter],
        on_all_down: OnAllDown::LastGood,
        degraded_ttl: None,
        https: None,
        svcb: None,
        endpoints: ["eu", "us"].into_iter().zip(ADDRESSES).map(endpoint).collect(),
    }
}

/// Each cluster for the clients in the network that has its name.
fn near() -> Filter {
    let networks: BTreeMap<_, _> = NETWORKS
        .into_iter()
        .map(|(cluster, _)| (cluster.to_owned(), vec![cluster.to_owned()]))
        .collect();
    Filter::Geo(Geo {
        networks,
        ..Geo::default()
    })
}

fn geo() -> GeoTable {
    let row = |cluster: &str, prefix: &str| NetworkInput {
        prefix: prefix.to_owned(),
        name: Some(cluster.to_owned()),
        ..NetworkInput::default()
    };
    let networks = NETWORKS
        .iter()
        .flat_map(|(cluster, prefixes)| prefixes.map(|prefix| row(cluster, prefix)))
        .collect();
    GeoTable::load(&GeoSources {
        networks,
        ..GeoSources::default()
    })
    .unwrap()
}

pub(crate) struct Upstream {
    server: Server,
    sink: GateSink,
    view: FleetView,
    now_ms: u64,
    pub(crate) home: tempfile::TempDir,
}

impl Upstream {
    pub(crate) fn start() -> Upstream {
        let home = tempfile::tempdir().unwrap();
        let listen = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
        let mut config = ServerConfig::new("upstream", listen, home.path().join("state"));
        config.start_grace = Duration::ZERO;
        config.ramp.step_permille = 1_000;
        let server = Server::start(config).unwrap();
        let mut source = |_: &Path| Ok(ZONE.as_bytes().to_vec());
        let apex = zonefile::parse_name("demo.test").unwrap();
        let reading = zonefile::read(&apex, Path::new("demo.test"), &mut source);
        let failover = Filter::Failover(Failover {
            tiers: ["eu", "us"].map(|cluster| vec![cluster.to_owned()]).to_vec(),
            trickle: 0,
        });
        let plan = SnapshotInput {
            stamp: Stamp {
                fleet_uid: "fleet".to_owned(),
                epoch: 1,
                seq: 1,
            },
            files: vec![Arc::new(reading.zone.unwrap())],
            names: vec![
                name("shop", TTL_S, failover),
                name("near", LONG_TTL_S, near()),
                name("nearby", TTL_S, near()),
            ],
            ..SnapshotInput::default()
        };
        server.set_geo(geo()).unwrap();
        assert_eq!(server.apply(plan).unwrap().rejected, []);
        let mut upstream = Upstream {
            sink: server.verdict_sink(),
            server,
            view: FleetView::default(),
            now_ms: 0,
            home,
        };
        upstream.set("us", Verdict::Up);
        upstream.set("eu", Verdict::Up);
        upstream
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.local_addrs()[0]
    }

    /// Says what a cluster's verdict is; what returns is back at once, without a ramp.
    pub(crate) fn set(&mut self, cluster: &str, verdict: Verdict) {
        for path in [Tested::Traffic, Tested::Control] {
            let cell = Cell {
                verdict,
                positively_healthy: verdict == Verdict::Up,
                ..Cell::default()
            };
            self.view
                .cells
                .insert((cluster.to_owned(), path, Family::V4), cell);
        }
        self.now_ms += 100;
        self.sink
            .tick(MonoTime::from_millis(self.now_ms), &[], &self.view);
    }

    /// Queries for a type so far.
    pub(crate) fn queries(&self, kind: &str) -> u64 {
        let status = self.server.status();
        status
            .queries
            .iter()
            .filter(|count| count.kind == kind)
            .map(|count| count.count)
            .sum()
    }

    pub(crate) fn over_tcp(&self) -> u64 {
        let status = self.server.status();
        status
            .queries
            .iter()
            .filter(|count| count.transport == "tcp")
            .map(|count| count.count)
            .sum()
    }

    pub(crate) fn truncated(&self) -> u64 {
        self.server.status().truncated
    }
}
