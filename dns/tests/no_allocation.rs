//! The answer path allocates nothing: counted by an allocator that counts.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};

mod support;

use hickory_proto::rr::RecordType;
use lifeboat_dns::{
    Catalog, CookieRules, CookieSecrets, Degrees, GateTable, GeoSources, GeoTable, Identity, Ladder,
    LimitRules, Limiter, Location, NetworkInput, Outcome, PLAIN, Protocol, QueryMeta, Rung, Scratch,
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
        let https = r#"{"alpn": ["h2", "h3"], "port": 8443, "ech": "AAT+DQAA", "alternates": 2}"#;
        name.https = serde_json::from_str(https).unwrap();
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

/// Adds an OPT with a cookie of a client and one of a server (RFC 7873 §4).
fn with_cookie(mut packet: Vec<u8>) -> Vec<u8> {
    packet[11] = 1;
    packet.extend_from_slice(b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x1c");
    packet.extend_from_slice(b"\x00\x0a\x00\x18client..");
    packet.extend_from_slice(b"\x01\x00\x00\x00\x00\x00\x00\x00a server");
    packet
}

/// Adds an OPT that asks who answers (RFC 5001 §2.1).
fn with_nsid(mut packet: Vec<u8>) -> Vec<u8> {
    packet[11] = 1;
    packet.extend_from_slice(b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x04\x00\x03\x00\x00");
    packet
}

/// All that can be on.
fn everything() -> Protocol {
    let secrets = "e5e973e5a6b2a43f48e7dc849e37bfcf\n445536bcd2513298075a5d379663c962";
    Protocol {
        cookies: Some(CookieRules {
            secrets: CookieSecrets::parse(secrets).unwrap(),
            enforce: false,
        }),
        rate_limit: Some(LimitRules {
            answers_per_second: 10,
            nxdomains_per_second: 5,
            errors_per_second: 1,
            slip: 2,
            ipv4: Ladder::ipv4(vec![Rung { length: 32, times: 1 }, Rung { length: 24, times: 8 }]).unwrap(),
            ipv6: Ladder::ipv6(vec![Rung { length: 56, times: 1 }]).unwrap(),
            exempt: vec!["192.0.2.0/24".parse().unwrap()],
            table_size: 64,
        }),
        identity: Identity {
            nsid: Some(b"here".to_vec()),
            ..Identity::default()
        },
        keepalive_tenths: Some(300),
    }
}

#[test]
fn the_answer_path_allocates_nothing() {
    allocates_nothing(&PLAIN);
}

#[test]
fn with_everything_on_it_allocates_nothing() {
    allocates_nothing(&everything());
}

fn allocates_nothing(protocol: &Protocol) {
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
        RecordType::HTTPS,
    ];
    let mut packets: Vec<Vec<u8>> = names
        .iter()
        .flat_map(|name| kinds.iter().map(|kind| query(name, *kind, 1)))
        .collect();
    for name in (0..CHAINS.len()).map(|index| format!("steered-{index}.demo.example.")) {
        packets.push(query(&name, RecordType::A, 1));
        packets.push(query(&name, RecordType::HTTPS, 1));
        packets.push(with_subnet(query(&name, RecordType::HTTPS, 1)));
        packets.push(with_subnet(query(&name, RecordType::A, 1)));
        packets.push(with_cookie(query(&name, RecordType::A, 1)));
        packets.push(with_nsid(query(&name, RecordType::A, 1)));
    }
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut out = [0; 1232];
    let limiter = protocol
        .rate_limit
        .clone()
        .map(|rules| Limiter::new(rules, [7; 16]));
    let before = ALLOCATIONS.with(Cell::get);
    for draw in 0..100 {
        for packet in &packets {
            let meta = QueryMeta {
                client: local,
                local,
                transport: Transport::Udp,
                now: MonoTime::ZERO,
                ecs: true,
                unix_s: 0,
                protocol,
                draw,
            };
            let outcome = answer(&mut scratch, packet, &meta, &snapshot, &gates, &mut out);
            let Outcome::Reply(reply) = outcome else {
                panic!("no reply")
            };
            if let Some(limiter) = &limiter {
                limiter.judge(meta.client, meta.transport, &reply, meta.now, draw);
            }
        }
    }
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
}
