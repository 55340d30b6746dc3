//! How long after a verdict has come to a server its answers are others, while 100,000 queries a second come in. Needs Debian's
//! dnsperf. Run with `cargo bench -p lifeboat-dns --bench verdict`.
//!
//! The time runs from the call that brings the verdict to the receipt of the first answer that follows it, by a client that
//! asks again and again and whose query, like all others, waits for its turn.
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

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use figure::{Figure, figure};
use lifeboat_dns::{
    EndpointInput, GateSink, NameInput, NameServerInput, OnAllDown, Server, ServerConfig, SnapshotInput,
    SoaInput, Stamp, ZoneInput,
};
use lifeboat_health::{Cell, Family, FleetView, MonoTime, Path, Verdict, VerdictSink as _};

const VERDICTS: usize = 500;
const SECONDS: u64 = 15;

const FIGURES: [Figure; 4] = [
    figure("queries meanwhile", "/s", None),
    figure("from a verdict to the changed answer, p50", "ms", Some(1.0)),
    figure("from a verdict to the changed answer, p99", "ms", Some(1.0)),
    figure("from a verdict to the changed answer, worst", "ms", None),
];

fn main() -> ExitCode {
    // Cargo hands every benchmark this; a test run only wants to see it build.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    figure::heads();
    if figure::print(&FIGURES, &measure()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The name is answered with 192.0.2.1, of cluster a, while that is up, else with 192.0.2.2.
fn plan() -> SnapshotInput {
    let endpoint = |(cluster, last): (&str, u8)| EndpointInput {
        cluster: cluster.to_owned(),
        addresses: vec![IpAddr::from([192, 0, 2, last])],
        weight: 1,
    };
    let steer = r#"[{"failover": {"tiers": [["a"], ["b"]]}}]"#;
    SnapshotInput {
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
            records: Vec::new(),
        }],
        names: vec![NameInput {
            name: "shop.demo.example".to_owned(),
            zone: "demo.example".to_owned(),
            epoch: 1,
            seq: 1,
            ttl: 5,
            steer: serde_json::from_str(steer).expect("filters"),
            on_all_down: OnAllDown::LastGood,
            degraded_ttl: None,
            https: None,
            svcb: None,
            endpoints: [("a", 1), ("b", 2)].map(endpoint).to_vec(),
        }],
        ..SnapshotInput::default()
    }
}

/// Asks until the answer holds 192.0.2.`last`.
fn ask_until(socket: &UdpSocket, last: u8, mut meanwhile: impl FnMut()) {
    let query = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x04shop\x04demo\x07example\0\0\x01\0\x01";
    let mut out = [0; 512];
    loop {
        socket.send(query).expect("loopback takes it");
        let length = socket.recv(&mut out).expect("an answer");
        if out[..length].ends_with(&[192, 0, 2, last]) {
            return;
        }
        meanwhile();
    }
}

/// Brings the verdict on cluster a, a minute after the last one.
fn bring(sink: &mut GateSink, minute: &mut u64, verdict: Verdict) {
    let cell = |verdict| Cell {
        verdict,
        positively_healthy: verdict == Verdict::Up,
        ..Cell::default()
    };
    let mut view = FleetView::default();
    for (cluster, verdict) in [("a", verdict), ("b", Verdict::Up)] {
        view.cells
            .insert((cluster.to_owned(), Path::Traffic, Family::V4), cell(verdict));
    }
    *minute += 1;
    sink.tick(MonoTime::from_millis(*minute * 60_000), &[], &view);
}

fn measure() -> Vec<f64> {
    let folder = tempfile::tempdir().expect("a folder");
    let listen = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
    let mut config = ServerConfig::new("verdict", listen, folder.path().join("state"));
    config.start_grace = Duration::ZERO;
    let server = Server::start(config).expect("a server on loopback");
    server.apply(plan()).expect("a first plan");
    let address = server.local_addrs()[0];

    let queries = folder.path().join("queries");
    fs::write(&queries, "shop.demo.example A\n").expect("the disk takes it");
    let load = Command::new("dnsperf")
        .args([
            "-s",
            "127.0.0.1",
            "-Q",
            "100000",
            "-T",
            "1",
            "-c",
            "16",
            "-q",
            "2000",
        ])
        .args([
            "-p",
            &address.port().to_string(),
            "-l",
            &SECONDS.to_string(),
            "-d",
        ])
        .arg(&queries)
        .stdout(Stdio::piped())
        .spawn()
        .expect("Debian's dnsperf");

    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(address).expect("loopback");
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a timeout");
    let (mut sink, mut minute) = (server.verdict_sink(), 0);
    let pause = Duration::from_secs(SECONDS - 3) / u32::try_from(VERDICTS).expect("a few");
    std::thread::sleep(Duration::from_secs(1));
    let mut took_ms: Vec<f64> = (0..VERDICTS)
        .map(|_| {
            bring(&mut sink, &mut minute, Verdict::Up);
            // Its return is a ramp.
            ask_until(&socket, 1, || bring(&mut sink, &mut minute, Verdict::Up));
            std::thread::sleep(pause);
            let from = Instant::now();
            bring(&mut sink, &mut minute, Verdict::Down);
            ask_until(&socket, 2, || ());
            from.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    took_ms.sort_by(f64::total_cmp);
    let told = load.wait_with_output().expect("dnsperf ends");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let per_s = told.lines().find_map(|line| {
        line.trim()
            .strip_prefix("Queries per second:")?
            .trim()
            .parse()
            .ok()
    });
    server.stop();
    vec![
        per_s.unwrap_or_else(|| panic!("dnsperf tells: {told}")),
        took_ms[VERDICTS / 2],
        took_ms[VERDICTS * 99 / 100],
        took_ms[VERDICTS - 1],
    ]
}
