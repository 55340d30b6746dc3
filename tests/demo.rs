//! The demo as a user runs it: the binary, real sockets on free ports, its report and its messages.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    io::{BufRead, BufReader, Read},
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::Path,
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use serde_json::Value;

const LIFEBOAT: &str = env!("CARGO_BIN_EXE_lifeboat");

/// Ports for one demo.
struct Ports {
    dns: SocketAddr,
    console: SocketAddr,
    api: SocketAddr,
    member_api: u16,
    vip: u16,
}

impl Ports {
    fn free() -> Self {
        let mut next = candidates();
        let mut port = |members: std::ops::RangeInclusive<u8>| {
            next.find(|port| {
                members
                    .clone()
                    .all(|member| is_free(Ipv4Addr::new(127, 0, member, 1), *port))
            })
            .unwrap()
        };
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            dns: local(port(0..=0)),
            console: local(port(0..=0)),
            api: local(port(0..=0)),
            member_api: port(1..=5),
            vip: port(1..=5),
        }
    }

    fn arguments(&self) -> Vec<String> {
        let Self {
            dns,
            console,
            api,
            member_api,
            vip,
        } = self;
        [
            ("--dns", dns.to_string()),
            ("--console", console.to_string()),
            ("--api", api.to_string()),
            ("--member-api-port", member_api.to_string()),
            ("--vip-port", vip.to_string()),
        ]
        .into_iter()
        .flat_map(|(flag, value)| [flag.to_owned(), value])
        .collect()
    }
}

/// Candidates that were tried.
static STEP: AtomicU16 = AtomicU16::new(0);

/// Ports below those the kernel gives to outgoing connections, which could take a port between its choice and its
/// use; other processes begin elsewhere, other tests of this one go on behind.
fn candidates() -> impl Iterator<Item = u16> {
    let first = u16::try_from(std::process::id() % 1000).unwrap() * 17;
    let steps = std::iter::from_fn(|| Some(STEP.fetch_add(1, Ordering::Relaxed)));
    steps
        .take(10_000)
        .map(move |step| 12_000 + (first + step) % 18_000)
}

fn is_free(address: Ipv4Addr, port: u16) -> bool {
    TcpListener::bind((address, port)).is_ok() && UdpSocket::bind((address, port)).is_ok()
}

fn run(arguments: &[&str]) -> Output {
    Command::new(LIFEBOAT)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn complaint(arguments: &[&str], code: i32, words: &[&str]) {
    let output = run(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{arguments:?} does not say {word:?}: {said}");
    }
}

#[test]
fn a_power_off_is_survived_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let ports = Ports::free().arguments();
    let mut arguments: Vec<&str> = "demo --headless --seed 7 --hold 1s --pod-start 500ms --duration 14s \
                                    --fault power-off:eu-central-1@2s"
        .split_whitespace()
        .collect();
    arguments.extend(ports.iter().map(String::as_str));
    arguments.extend([
        "--report",
        report.to_str().unwrap(),
        "--state",
        folder.path().to_str().unwrap(),
    ]);
    let output = run(&arguments);
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let report: Value = serde_json::from_slice(&std::fs::read(&report).expect(&said)).unwrap();
    let number = |pointer: &str| report.pointer(pointer).and_then(Value::as_u64);
    assert_eq!(report["kind"], "DrillReport");
    assert_eq!(report["seed"], 7);
    assert!(number("/timings_ms/all_dns_changed").is_some(), "{report:#}");
    assert!(number("/timings_ms/evictions_done").is_some(), "{report:#}");
    for field in [
        "empty_answers",
        "servfail",
        "down_cluster_answers_after_all_changed",
    ] {
        assert_eq!(number(&format!("/dns/{field}")), Some(0), "{field}: {report:#}");
    }
    assert_eq!(
        number("/workloads/ready_end"),
        number("/workloads/desired"),
        "{report:#}"
    );
    let first = said
        .split("--kubeconfig ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next())
        .unwrap();
    assert!(
        Path::new(first).exists(),
        "the first kubeconfig printed is the control plane's: {first}"
    );
}

#[test]
fn a_demo_stopped_before_its_drill_says_aborted() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let mut demo = Command::new(LIFEBOAT)
        .args("demo --headless --duration 60s --report".split_whitespace())
        .arg(&report)
        .args(Ports::free().arguments())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(demo.stdout.take().unwrap());
    said.read_line(&mut String::new()).unwrap();
    let stopped = Command::new("kill")
        .args(["-INT", &demo.id().to_string()])
        .status()
        .unwrap();
    assert!(stopped.success());
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(demo.wait().unwrap().code(), Some(1), "{rest}");
    let report: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert_eq!(report["outcome"], "aborted", "{report:#}");
}

/// A demo that runs until the test is over.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// Late by 150 or by 350 ms, beyond every timeout, a cluster keeps its names and its verdict, and loses weight.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test gives up")]
fn a_slow_cluster_loses_weight_and_is_not_failed_over() {
    let ports = Ports::free();
    let demo = Command::new(LIFEBOAT)
        .args("demo --headless --seed 7".split_whitespace())
        .args(ports.arguments())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let _demo = Running(demo);
    let server = format!("http://{}", ports.console);
    let get = |what: &str| -> Value {
        let output = run(&["get", what, "-o", "json", "--server", &server]);
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    };
    let traffic = |cluster: &str| -> Value {
        let clusters = get("clusters");
        let mut all = clusters.as_array().into_iter().flatten();
        all.find(|its| its["name"] == cluster)
            .map_or(Value::Null, |its| its["traffic"].clone())
    };
    let until = |what: &str, holds: &mut dyn FnMut() -> bool| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !holds() {
            assert!(Instant::now() < deadline, "{what} did not come about");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    let share = |cluster: &str| {
        let names = get("names").to_string();
        let shop: Value = serde_json::from_str(&names).unwrap();
        let shop = shop
            .as_array()
            .into_iter()
            .flatten()
            .find(|name| name["name"].as_str().is_some_and(|n| n.starts_with("shop.")));
        let server = shop.and_then(|shop| shop["servers"].get(0)).cloned();
        let shares = server.map_or(Value::Null, |server| server["answers"].clone());
        let mut all = shares.as_array().into_iter().flatten();
        all.find(|its| its["cluster"] == cluster)
            .and_then(|its| its["share"].as_f64())
            .unwrap_or(0.0)
    };
    let hit = "eu-central-1";
    until("the demo", &mut || {
        share(hit) > 0.4 && traffic(hit)["verdict"] == "Up"
    });
    for (delay_ms, degree, most) in [("150", "mild", 0.35), ("350", "severe", 0.25)] {
        let fault = ["fault", "slow", hit, "--delay-ms", delay_ms, "--server", &server];
        assert!(run(&fault).status.success());
        until(degree, &mut || {
            let now = traffic(hit);
            assert_ne!(now["verdict"], "Down", "{delay_ms} ms: {now}");
            assert_ne!(now["verdict"], "Recovering", "{delay_ms} ms: {now}");
            now["gray"]["degree"] == degree && share(hit) <= most
        });
        assert!(share(hit) > 0.0);
        assert!(run(&["fault", "clear", "--server", &server]).status.success());
    }
    let told = run(&["explain", "shop.demo.example", "--server", &server]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("gray, so"), "{told}");
    let told = run(&["explain", "cluster", hit, "--server", &server]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("gray (severe), 25 % of its weight"), "{told}");
}

#[test]
fn what_listens_beyond_loopback_asks_for_a_token() {
    complaint(
        &["demo", "--api", "0.0.0.0:7444"],
        2,
        &["--api 0.0.0.0:7444", "loopback"],
    );
    complaint(
        &["demo", "--console", "0.0.0.0:8180"],
        2,
        &["--console 0.0.0.0:8180", "--token"],
    );
    complaint(&["demo", "--host", "http://x/"], 2, &["--host", "NAME:PORT"]);
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    complaint(
        &["demo", "--headless", "--api", &address],
        1,
        &["--api", &address, "in use"],
    );
}

#[test]
fn bad_words_are_answered_with_what_is_allowed() {
    complaint(
        &["demo", "--fault", "meteor:eu-central-1@10s"],
        2,
        &["meteor", "power-off", "black-hole"],
    );
    complaint(&["demo", "--fault", "power-off:eu-central-1"], 2, &["@DURATION"]);
    complaint(&["demo", "--hold", "soon"], 2, &["--hold", "soon", "10s"]);
    complaint(&["demo", "--report", "r.json"], 2, &["--duration"]);
    complaint(&["demo", "--duration", "0s"], 2, &["--duration", "above 0"]);
    let power_off = ["fault", "power-off", "eu-central-1", "--for"];
    for (bad, allowed) in [("abc", "1m30s"), ("2h", "60 min"), ("0s", "above 0")] {
        complaint(&[&power_off[..], &[bad]].concat(), 2, &["--for", bad, allowed]);
    }
    let slow = ["fault", "slow", "eu-central-1", "--delay-ms", "30001"];
    complaint(&slow, 2, &["--delay-ms", "1..=30000"]);
    complaint(&["demo", "--frobnicate"], 2, &["--frobnicate"]);
    complaint(
        &["get", "clusters", "--server", "ftp://x"],
        2,
        &["--server", "http://"],
    );
    complaint(&["get", "planets"], 2, &["planets", "clusters"]);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    complaint(
        &["get", "clusters", "--server", &format!("http://{nobody}")],
        3,
        &["cannot reach", "LIFEBOAT_SERVER"],
    );
}
