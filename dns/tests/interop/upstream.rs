//! Our server with one zone, two clusters and a name that is steered between them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lifeboat_dns::{
    EndpointInput, GateSink, NameInput, Server, ServerConfig, SnapshotInput, Stamp, Steer, zonefile,
};
use lifeboat_health::{Cell, Family, FleetView, MonoTime, Path as Tested, Verdict, VerdictSink as _};

/// Of the steered name.
pub(crate) const TTL_S: u32 = 2;
/// Of the clusters eu and us.
pub(crate) const ADDRESSES: [[u8; 4]; 2] = [[192, 0, 2, 1], [192, 0, 2, 2]];

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
        let endpoint = |(cluster, octets): (&str, [u8; 4])| EndpointInput {
            cluster: cluster.to_owned(),
            addresses: vec![IpAddr::from(octets)],
            weight: 1,
        };
        let plan = SnapshotInput {
            stamp: Stamp {
                fleet_uid: "fleet".to_owned(),
                epoch: 1,
                seq: 1,
            },
            files: vec![Arc::new(reading.zone.unwrap())],
            names: vec![NameInput {
                name: "shop.demo.test".to_owned(),
                zone: "demo.test".to_owned(),
                epoch: 1,
                seq: 1,
                ttl: TTL_S,
                steer: Steer::Failover {
                    order: vec!["eu".to_owned(), "us".to_owned()],
                },
                endpoints: ["eu", "us"].into_iter().zip(ADDRESSES).map(endpoint).collect(),
            }],
            ..SnapshotInput::default()
        };
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
