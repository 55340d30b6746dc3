//! The answer path allocates nothing: counted by an allocator that counts.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};

mod support;

use hickory_proto::rr::RecordType;
use lifeboat_dns::{
    Catalog, Degrees, GateTable, GeoSources, GeoTable, Location, NetworkInput, Outcome, QueryMeta, Scratch,
    SnapshotInput, Transport, answer,
};
use lifeboat_health::MonoTime;
use support::{plan, query};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[allow(unsafe_code, reason = "only an allocator sees allocations")]
// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are the ones `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Every filter in some chain.
const CHAINS: [&str; 6] = [
    r#"[{"geo": {"countries": {"a": ["DE"]}, "continents": {"b": ["EU"]}, "networks": {"c": ["office"]}, "asns": {"d": [1]}}}, {"weighted": {"a": 7, "b": 3}}]"#,
    r#"[{"geo": {"locations": {"a": {"latitude": 50, "longitude": 8}, "b": {"latitude": 40, "longitude": -70}}}},
        {"latency": {"rows": [{"prefix": "198.51.0.0/16", "rttMs": {"a": 9, "b": 8}}, {"country": "DE", "rttMs": {"a": 1}}], "within": 50}}]"#,
    r#"[{"failover": {"tiers": [["c", "b"], ["a"]], "trickle": 100}}, {"weighted": {"a": 1, "b": 2, "c": 3}}, {"max": 1}]"#,
    r#"[{"capacity": {"clusters": {"a": {"ready": 1}, "b": {"ready": 2}}, "demand": 5}}, {"failover": {"tiers": [["a"], ["b", "c"]]}}]"#,
    r#"[{"capacity": {"clusters": {"a": {"ready": 1}, "b": {"ready": 2}}, "demand": 9}}, {"sticky": {}}, {"rotation": {}}]"#,
    r#"[{"health": {}}, {"all": {}}, {"rotation": {}}, {"max": 3}]"#,
];

/// The plan, with a name for each chain.
fn steered() -> SnapshotInput {
    let mut plan = plan(1);
    for (index, chain) in CHAINS.iter().enumerate() {
        let mut name = plan.names[0].clone();
        name.name = format!("steered-{index}.demo.example");
        name.steer = serde_json::from_str(chain).unwrap();
        plan.names.push(name);
    }
    plan
}

/// Adds an OPT with a client subnet (RFC 7871 §6).
fn with_subnet(mut packet: Vec<u8>) -> Vec<u8> {
    packet[11] = 1;
    packet.extend_from_slice(b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0b");
    packet.extend_from_slice(b"\x00\x08\x00\x07\x00\x01\x18\x00\xc6\x33\x64");
    packet
}

#[test]
fn the_answer_path_allocates_nothing() {
    let gates = GateTable::new();
    let (catalog, applied) = Catalog::default().applied(&steered()).unwrap();
    assert_eq!(applied.rejected, []);
    let network = NetworkInput {
        prefix: "198.51.100.0/24".to_owned(),
        country: Some("DE".to_owned()),
        continent: Some("EU".to_owned()),
        location: Some(Location {
            latitude: Degrees::try_from(50.1).unwrap(),
            longitude: Degrees::try_from(8.7).unwrap(),
        }),
        ..NetworkInput::default()
    };
    let geo = GeoTable::load(&GeoSources {
        networks: vec![network],
        ..GeoSources::default()
    });
    let snapshot = catalog.build(&gates).unwrap().with_geo(geo.unwrap().into());
    let mut scratch = Scratch::new();
    scratch.fit(&snapshot);
    let names = [
        "shop.demo.example.",
        "demo.example.",
        "absent.demo.example.",
        "a.b.c.absent.demo.example.",
        "example.",
    ];
    let kinds = [
        RecordType::A,
        RecordType::AAAA,
        RecordType::SOA,
        RecordType::NS,
        RecordType::ANY,
    ];
    let mut packets: Vec<Vec<u8>> = names
        .iter()
        .flat_map(|name| kinds.iter().map(|kind| query(name, *kind, 1)))
        .collect();
    for name in (0..CHAINS.len()).map(|index| format!("steered-{index}.demo.example.")) {
        packets.push(query(&name, RecordType::A, 1));
        packets.push(with_subnet(query(&name, RecordType::A, 1)));
    }
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut out = [0; 1232];
    let before = ALLOCATIONS.with(Cell::get);
    for draw in 0..100 {
        for packet in &packets {
            let meta = QueryMeta {
                client: local,
                local,
                transport: Transport::Udp,
                now: MonoTime::ZERO,
                ecs: true,
                draw,
            };
            let outcome = answer(&mut scratch, packet, &meta, &snapshot, &gates, &mut out);
            assert!(matches!(outcome, Outcome::Reply(_)));
        }
    }
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
}
