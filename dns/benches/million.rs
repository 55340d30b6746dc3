//! What a million names cost: memory, lookups, building, swapping and starting; each measured in a process of its own.
//!
//! Names are `host-NNNNNNN` in one zone of a master file whose lines are in no order. Memory is counted from the
//! snapshot's own tables, and seen from outside as resident memory. A lookup is `answer()` on a query made on the spot,
//! for a name drawn at random; the same queries for a thousand names tell what the number of names costs. What one thread
//! does by itself is timed in its processor time, so that others on the machine count less.
//!
//! Exits with 1 where a figure is not what it must be.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a measurement prints what it found and stops at what it cannot use"
)]

mod figure;

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use figure::{Figure, figure};
use lifeboat_dns::{
    Catalog, EndpointInput, GateTable, Listen, NameInput, OnAllDown, Outcome, PLAIN, QueryMeta, Scratch,
    Server, ServerConfig, Snapshot, SnapshotInput, Stamp, Transport, Zone, answer, zonefile,
};
use lifeboat_health::MonoTime;

const MANY: usize = 1_000_000;
const FEW: usize = 1_000;
/// Lookups of one round, and rounds; the fastest round counts.
const LOOKUPS: usize = 2_000_000;
const ROUNDS: usize = 5;
/// Queries over UDP of one round, and how many wait for their answers at a time.
const QUERIES: usize = 200_000;
const OUTSTANDING: usize = 50;
/// Zones of the plan of which one changes.
const ZONES: usize = 1_000;

/// A name, what gives its figures, and what they are.
type Scenario = (&'static str, fn() -> Vec<f64>, &'static [Figure]);

const SCENARIOS: [Scenario; 7] = [
    (
        "memory",
        memory,
        &[
            figure("memory of the snapshot, counted, a name", "octets", Some(400.0)),
            figure("memory of the zone's image, counted, a name", "octets", None),
            figure("resident for the snapshot, a name", "octets", Some(400.0)),
            figure("reading the master file", "s", None),
            figure("building the snapshot", "s", Some(1.0)),
        ],
    ),
    (
        "steered",
        steered,
        &[
            figure("resident for the snapshot, a steered name", "octets", Some(400.0)),
            figure("checking a plan with steered names", "s", None),
            figure("building their snapshot", "s", Some(1.0)),
        ],
    ),
    (
        "lookups",
        lookups,
        &[
            figure("lookup, 1,000 names", "ns", None),
            figure("lookup, 1,000,000 names", "ns", None),
            figure("the second by the first", "x", None),
            figure("lookup of no name, 1,000,000 names", "ns", None),
        ],
    ),
    (
        "queries",
        queries,
        &[
            figure("query over UDP, 1,000 names", "ns", None),
            figure("query over UDP, 1,000,000 names", "ns", None),
            figure("the second by the first", "x", Some(1.5)),
        ],
    ),
    (
        "swap",
        swap,
        &[
            figure("resident while one zone is served", "MB", None),
            figure(
                "peak while another replaces it, from file to first answer",
                "MB",
                None,
            ),
            figure("the second by the first", "x", Some(2.0)),
        ],
    ),
    (
        "start",
        start,
        &[
            figure("last-known-good on disk", "MB", None),
            figure("from the start to the first answer", "s", Some(2.0)),
        ],
    ),
    (
        "change",
        change,
        &[figure(
            "one zone of 1,000 with 1,000 names each changes",
            "s",
            Some(1.0),
        )],
    ),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, scenario] = arguments.as_slice()
        && flag == "--scenario"
    {
        let (_, run, _) = SCENARIOS
            .iter()
            .find(|(name, ..)| name == scenario)
            .expect("a scenario of ours");
        println!(
            "{}",
            run().iter().map(f64::to_string).collect::<Vec<_>>().join(" ")
        );
        return ExitCode::SUCCESS;
    }
    // Cargo hands every benchmark this; a test run only wants to see it build.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let mut kept = true;
    figure::heads();
    for (scenario, _, figures) in &SCENARIOS {
        let output = Command::new(std::env::current_exe().expect("this program's path"))
            .args(["--scenario", scenario])
            .output()
            .expect("this program runs");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let values: Vec<f64> = printed
            .split_whitespace()
            .filter_map(|value| value.parse().ok())
            .collect();
        assert!(
            values.len() == figures.len(),
            "{scenario}: {printed}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        kept &= figure::print(figures, &values);
    }
    if kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The text of a zone of so many names; `salt` makes another content.
fn text(names: usize, salt: usize) -> String {
    let mut text = String::from("$TTL 300\n@ SOA ns hm 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53\n");
    for line in 0..names {
        // An odd step goes through every number once, in no order.
        let name = line * 7_368_787 % names;
        let [a, b, c, _] = (name + salt)
            .to_le_bytes()
            .first_chunk()
            .copied()
            .expect("a number has them");
        writeln!(text, "host-{name:07} A 10.{c}.{b}.{a}").expect("a string takes it");
    }
    text
}

fn zone(apex: &str, text: &str) -> Arc<Zone> {
    let apex = zonefile::parse_name(apex).expect("a name");
    let mut source = |_: &Path| Ok(text.as_bytes().to_vec());
    let reading = zonefile::read(&apex, Path::new("zone"), &mut source);
    Arc::new(reading.zone.unwrap_or_else(|| panic!("{:?}", reading.problems)))
}

fn plan(seq: u64, files: Vec<Arc<Zone>>) -> SnapshotInput {
    SnapshotInput {
        stamp: Stamp {
            fleet_uid: "bench".to_owned(),
            epoch: 1,
            seq,
        },
        files,
        ..SnapshotInput::default()
    }
}

fn built(files: Vec<Arc<Zone>>, gates: &GateTable) -> (Catalog, Snapshot) {
    let (catalog, applied) = Catalog::default().applied(&plan(1, files)).expect("a first plan");
    assert!(applied.rejected.is_empty(), "{:?}", applied.rejected);
    let snapshot = catalog.build(gates).expect("it fits");
    (catalog, snapshot)
}

/// A line of the kernel's account of this process, in octets.
fn account(line: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells");
    let found = status.lines().find_map(|row| row.strip_prefix(line));
    let kibibytes = found.and_then(|row| {
        row.trim_start_matches(':')
            .split_whitespace()
            .next()?
            .parse::<f64>()
            .ok()
    });
    kibibytes.expect("a number") * 1024.0
}

fn reset_peak() {
    fs::write("/proc/self/clear_refs", "5").expect("Linux forgets the peak");
}

/// Processor time of this thread.
fn worked_s() -> f64 {
    let told = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells");
    let nanoseconds = told
        .split_whitespace()
        .next()
        .and_then(|time| time.parse::<f64>().ok());
    nanoseconds.expect("a number") / 1e9
}

#[expect(clippy::cast_precision_loss, reason = "figures are shown to people")]
fn a_name(octets: usize) -> f64 {
    octets as f64 / MANY as f64
}

fn memory() -> Vec<f64> {
    let gates = GateTable::new();
    let text = text(MANY, 0);
    let from = worked_s();
    let zone = zone("example.org", &text);
    let reading_s = worked_s() - from;
    drop(text);
    let image = zone.memory();
    let (catalog, first) = built(vec![zone], &gates);
    drop(first);
    let before = account("VmRSS");
    let from = worked_s();
    let snapshot = catalog.build(&gates).expect("it fits");
    let building_s = worked_s() - from;
    let resident = (account("VmRSS") - before) / a_million();
    vec![
        a_name(snapshot.memory()),
        a_name(image),
        resident,
        reading_s,
        building_s,
    ]
}

/// Every name of the zone is steered, between two clusters.
fn steered() -> Vec<f64> {
    let endpoint = |cluster: &str, last| EndpointInput {
        cluster: cluster.to_owned(),
        addresses: vec![IpAddr::from([192, 0, 2, last])],
        weight: 1,
    };
    let names = (0..MANY).map(|number| NameInput {
        name: format!("host-{number:07}.example.org"),
        zone: "example.org".to_owned(),
        epoch: 1,
        seq: 1,
        ttl: 5,
        steer: Vec::new(),
        on_all_down: OnAllDown::LastGood,
        degraded_ttl: None,
        https: None,
        svcb: None,
        endpoints: vec![endpoint("eu", 1), endpoint("us", 2)],
    });
    let plan = SnapshotInput {
        names: names.collect(),
        ..plan(1, vec![zone("example.org", &text(0, 0))])
    };
    let gates = GateTable::new();
    let from = worked_s();
    let (catalog, applied) = Catalog::default().applied(&plan).expect("a first plan");
    let checking_s = worked_s() - from;
    assert!(applied.names == MANY, "{:?}", applied.rejected.first());
    let before = account("VmRSS");
    let from = worked_s();
    let snapshot = catalog.build(&gates).expect("it fits");
    let building_s = worked_s() - from;
    let resident = (account("VmRSS") - before) / a_million();
    black_box(snapshot);
    vec![resident, checking_s, building_s]
}

#[expect(clippy::cast_precision_loss, reason = "figures are shown to people")]
fn a_million() -> f64 {
    MANY as f64
}

/// A query for `host-NNNNNNN.example.org`, whose digits stand at [`DIGITS`].
fn query() -> Vec<u8> {
    let mut packet = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    packet.extend_from_slice(b"\x0chost-0000000\x07example\x03org\x00\x00\x01\x00\x01");
    packet
}

const DIGITS: usize = 12 + 1 + 5;

fn put_digits(packet: &mut [u8], mut number: usize) {
    for digit in packet[DIGITS..DIGITS + 7].iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

/// Nanoseconds of one lookup among so many names, the first of which is `from`.
fn lookup_ns(snapshot: &Snapshot, gates: &GateTable, from: usize, names: usize) -> f64 {
    let mut packet = query();
    let mut scratch = Scratch::new();
    scratch.fit(snapshot);
    let mut random = fastrand::Rng::with_seed(1);
    let mut out = [0; 1232];
    let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = worked_s();
        for _ in 0..LOOKUPS {
            put_digits(&mut packet, from + random.usize(..names));
            let meta = QueryMeta {
                client,
                local: client,
                transport: Transport::Udp,
                now: MonoTime::ZERO,
                ecs: true,
                unix_s: 0,
                protocol: &PLAIN,
                draw: 0,
            };
            let outcome = answer(&mut scratch, black_box(&packet), &meta, snapshot, gates, &mut out);
            assert!(matches!(outcome, Outcome::Reply(_)));
        }
        #[expect(clippy::cast_precision_loss, reason = "figures are shown to people")]
        let each = (worked_s() - start) * 1e9 / LOOKUPS as f64;
        best = best.min(each);
    }
    best
}

fn lookups() -> Vec<f64> {
    let gates = GateTable::new();
    let (_, few) = built(vec![zone("example.org", &text(FEW, 0))], &gates);
    let (_, many) = built(vec![zone("example.org", &text(MANY, 0))], &gates);
    let small = lookup_ns(&few, &gates, 0, FEW);
    let large = lookup_ns(&many, &gates, 0, MANY);
    let absent = lookup_ns(&many, &gates, MANY, MANY);
    vec![small, large, large / small, absent]
}

fn server(state: &Path) -> Server {
    let listen = [Listen {
        tcp: false,
        ..SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()
    }];
    let mut config = ServerConfig::new("million", listen, state);
    config.start_grace = Duration::ZERO;
    config.soak = Duration::ZERO;
    Server::start(config).expect("a server on loopback")
}

/// Waits for the answer to one query; it must hold a record.
fn ask(server: &Server) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(server.local_addrs()[0]).expect("loopback");
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a timeout");
    let mut packet = query();
    put_digits(&mut packet, MANY / 2);
    socket.send(&packet).expect("loopback takes it");
    let mut out = [0; 1232];
    let length = socket.recv(&mut out).expect("an answer");
    assert!(length > packet.len() && out[7] == 1, "{:?}", &out[..length]);
}

/// Processor time of the thread that answers over UDP.
fn answered_s() -> f64 {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux tells").flatten();
    let told = tasks.filter_map(|task| {
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        let time = fs::read_to_string(task.path().join("schedstat")).ok()?;
        let nanoseconds: f64 = time.split_whitespace().next()?.parse().ok()?;
        name.starts_with("million-udp").then_some(nanoseconds)
    });
    told.sum::<f64>() / 1e9
}

/// Nanoseconds of the server's thread that one query takes, system calls and all: best of some rounds.
fn query_ns(names: usize) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let server = server(folder.path());
    server
        .apply(plan(1, vec![zone("example.org", &text(names, 0))]))
        .expect("a first plan");
    saved(&server, 1);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(server.local_addrs()[0]).expect("loopback");
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a timeout");
    let mut random = fastrand::Rng::with_seed(1);
    let (mut packet, mut out) = (query(), [0; 1232]);
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let from = answered_s();
        for _ in 0..QUERIES / OUTSTANDING {
            for _ in 0..OUTSTANDING {
                put_digits(&mut packet, random.usize(..names));
                socket.send(&packet).expect("loopback takes it");
            }
            for _ in 0..OUTSTANDING {
                socket.recv(&mut out).expect("an answer");
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "figures are shown to people")]
        let each = (answered_s() - from) * 1e9 / QUERIES as f64;
        best = best.min(each);
    }
    server.stop();
    best
}

fn queries() -> Vec<f64> {
    let (few, many) = (query_ns(FEW), query_ns(MANY));
    vec![few, many, many / few]
}

fn saved(server: &Server, seq: u64) {
    while server
        .status()
        .last_known_good
        .saved
        .is_none_or(|stamp| stamp.seq != seq)
    {
        std::thread::yield_now();
    }
}

fn swap() -> Vec<f64> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |seq: usize| folder.path().join(format!("{seq}.zone"));
    for seq in [1, 2] {
        fs::write(file(seq), text(MANY, seq)).expect("the disk takes it");
    }
    let apex = zonefile::parse_name("example.org").expect("a name");
    let read = |seq| zonefile::read(&apex, &file(seq), &mut |path| zonefile::from_disk(path)).zone;
    let server = server(&folder.path().join("state"));
    let first = Arc::new(read(1).expect("a good zone"));
    server.apply(plan(1, vec![first])).expect("a first plan");
    saved(&server, 1);
    ask(&server);
    let one = account("VmRSS");
    reset_peak();
    let second = Arc::new(read(2).expect("a good zone"));
    server.apply(plan(2, vec![second])).expect("a newer plan");
    ask(&server);
    let peak = account("VmHWM");
    vec![one / 1e6, peak / 1e6, peak / one]
}

fn start() -> Vec<f64> {
    let folder = tempfile::tempdir().expect("a folder");
    let first = server(folder.path());
    first
        .apply(plan(1, vec![zone("example.org", &text(MANY, 0))]))
        .expect("a first plan");
    saved(&first, 1);
    first.stop();
    let sizes = fs::read_dir(folder.path()).expect("the folder").flatten();
    let octets: u64 = sizes.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum();
    let from = Instant::now();
    let second = server(folder.path());
    ask(&second);
    let first_answer_s = from.elapsed().as_secs_f64();
    second.stop();
    #[expect(clippy::cast_precision_loss, reason = "figures are shown to people")]
    let megabytes = octets as f64 / 1e6;
    vec![megabytes, first_answer_s]
}

fn change() -> Vec<f64> {
    let gates = GateTable::new();
    let zones: Vec<Arc<Zone>> = (0..ZONES)
        .map(|number| zone(&format!("z{number}.example.org"), &text(MANY / ZONES, 0)))
        .collect();
    let (catalog, _served) = built(zones, &gates);
    let changed = zone("z7.example.org", &text(MANY / ZONES, 1));
    let from = worked_s();
    let (next, applied) = catalog.applied(&plan(2, vec![changed])).expect("a newer plan");
    black_box(next.build(&gates).expect("it fits"));
    let took_s = worked_s() - from;
    assert!(applied.changed == 1, "{applied:?}");
    vec![took_s]
}
