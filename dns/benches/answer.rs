//! CPU of `answer()` for one query, without sockets: plain, and with everything that steering can ask. Run with
//! `cargo bench -p lifeboat-dns --bench answer`.
//!
//! The kinds take turns in short rounds and the least round of each counts, so that a busy machine disturbs all alike.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "prints its table")]
#![allow(clippy::disallowed_methods, reason = "measures time")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use lifeboat_dns::{
    Catalog, Degrees, EndpointInput, Filter, GateTable, GeoSources, GeoTable, Location, NameInput,
    NameServerInput, NetworkInput, OnAllDown, Outcome, PLAIN, QueryMeta, RecordInput, Scratch, Snapshot,
    SnapshotInput, SoaInput, Stamp, Transport, ZoneInput, answer,
};
use lifeboat_health::MonoTime;

/// IPv4 networks in the geo table: as many as a country database has.
const NETWORKS: u32 = 300_000;
const ROUNDS: usize = 200;
const QUERIES_A_ROUND: u32 = 20_000;

/// Name, type of query, and whether it carries a client subnet.
const KINDS: [(&str, &str, bool); 7] = [
    ("plain A", "www", false),
    ("plain A, ECS", "www", true),
    ("weighted", "weighted", false),
    ("weighted + geo + ECS", "geo", true),
    ("weighted + nearest + ECS", "nearest", true),
    ("failover, 3 tiers", "failover", false),
    ("sticky + ECS", "sticky", true),
];

fn chains() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([
        (
            "weighted",
            r#"[{"health": {}}, {"weighted": {"a": 70, "b": 30, "c": 10}}]"#,
        ),
        (
            "geo",
            r#"[{"health": {}}, {"geo": {"countries": {"a": ["AA", "AB", "AC"], "b": ["AA", "BB", "BC"], "c": ["CC"]}}},
                {"weighted": {"a": 70, "b": 30, "c": 10}}]"#,
        ),
        (
            "nearest",
            r#"[{"geo": {"locations": {"a": {"latitude": 50.1, "longitude": 8.7}, "b": {"latitude": 39, "longitude": -77},
                "c": {"latitude": 1.3, "longitude": 103.8}}}}, {"weighted": {}}]"#,
        ),
        (
            "failover",
            r#"[{"failover": {"tiers": [["a"], ["b"], ["c"]], "trickle": 10}}]"#,
        ),
        ("sticky", r#"[{"sticky": {}}]"#),
    ])
}

fn snapshot(gates: &GateTable) -> Snapshot {
    let endpoint = |(index, cluster): (usize, &&str)| EndpointInput {
        cluster: (*cluster).to_owned(),
        addresses: vec![IpAddr::from([192, 0, 2, u8::try_from(index + 1).unwrap()])],
        weight: 1,
    };
    let name = |(label, chain): (&str, &str)| NameInput {
        name: format!("{label}.demo.example"),
        zone: "demo.example".to_owned(),
        epoch: 1,
        seq: 1,
        ttl: 5,
        steer: serde_json::from_str::<Vec<Filter>>(chain).unwrap(),
        on_all_down: OnAllDown::LastGood,
        degraded_ttl: None,
        https: None,
        svcb: None,
        endpoints: ["a", "b", "c"].iter().enumerate().map(endpoint).collect(),
    };
    let plan = SnapshotInput {
        stamp: Stamp {
            fleet_uid: "bench".to_owned(),
            epoch: 1,
            seq: 1,
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
            records: vec![RecordInput {
                name: "www".to_owned(),
                ttl: None,
                kind: "A".to_owned(),
                data: vec!["192.0.2.1".to_owned()],
            }],
        }],
        names: chains().into_iter().map(name).collect(),
        removed: Vec::new(),
        ..SnapshotInput::default()
    };
    let (catalog, applied) = Catalog::default().applied(&plan).unwrap();
    assert_eq!(applied.rejected, []);
    catalog.build(gates).unwrap().with_geo(geo().into())
}

/// Networks of 600 countries' worth of codes, none like its neighbour.
fn geo() -> GeoTable {
    let networks = (0..NETWORKS).map(|index| {
        let address = Ipv4Addr::from_bits(index.wrapping_mul(14_316) & 0xffff_ff00);
        let letter = |number: u32| char::from(b'A' + u8::try_from(number % 26).unwrap());
        let degrees = |number: u32, range: f64| Degrees::try_from(f64::from(number % 100) / 100.0 * range);
        NetworkInput {
            prefix: format!("{address}/24"),
            country: Some([letter(index), letter(index / 26)].into_iter().collect()),
            location: Some(Location {
                latitude: degrees(index, 80.0).unwrap(),
                longitude: degrees(index / 7, 179.0).unwrap(),
            }),
            ..NetworkInput::default()
        }
    });
    let sources = GeoSources {
        networks: networks.collect(),
        ..GeoSources::default()
    };
    GeoTable::load(&sources).unwrap()
}

/// A query for an A record; with a subnet, from networks all over the table.
fn packets(label: &str, subnet: bool) -> Vec<Vec<u8>> {
    let mut rng = fastrand::Rng::with_seed(7);
    (0..1_024)
        .map(|_| {
            let mut packet = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
            for label in [label, "demo", "example"] {
                packet.push(u8::try_from(label.len()).unwrap());
                packet.extend_from_slice(label.as_bytes());
            }
            packet.extend_from_slice(b"\x00\x00\x01\x00\x01");
            packet.extend_from_slice(b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00");
            if subnet {
                let network = (rng.u32(..NETWORKS).wrapping_mul(14_316) >> 8).to_be_bytes();
                packet.extend_from_slice(b"\x0b\x00\x08\x00\x07\x00\x01\x18\x00");
                packet.extend_from_slice(&network[1..]);
            } else {
                packet.push(0);
            }
            packet
        })
        .collect()
}

fn main() {
    let gates = GateTable::new();
    let snapshot = snapshot(&gates);
    let mut scratch = Scratch::new();
    scratch.fit(&snapshot);
    let kinds: Vec<Vec<Vec<u8>>> = KINDS
        .iter()
        .map(|(_, label, subnet)| packets(label, *subnet))
        .collect();
    let mut best = [f64::INFINITY; KINDS.len()];
    let mut rng = fastrand::Rng::with_seed(1);
    let mut out = [0; 1232];
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    for _ in 0..ROUNDS {
        for (packets, best) in kinds.iter().zip(&mut best) {
            let start = Instant::now();
            for packet in packets.iter().cycle().take(QUERIES_A_ROUND as usize) {
                let meta = QueryMeta {
                    client: local,
                    local,
                    transport: Transport::Udp,
                    now: MonoTime::ZERO,
                    ecs: true,
                    unix_s: 0,
                    protocol: &PLAIN,
                    draw: rng.u64(..),
                };
                let outcome = answer(
                    &mut scratch,
                    black_box(packet),
                    &meta,
                    &snapshot,
                    &gates,
                    &mut out,
                );
                assert!(matches!(black_box(outcome), Outcome::Reply(reply) if reply.len > 12));
            }
            *best = best.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(QUERIES_A_ROUND));
        }
    }
    println!("{:<26} {:>8} {:>12}", "answer()", "ns", "above plain");
    for ((kind, _, _), ns) in KINDS.iter().zip(best) {
        println!("{kind:<26} {ns:>8.1} {:>12.1}", ns - best[0]);
    }
}
