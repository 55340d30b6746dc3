//! `lifeboat dns` as a process: one configuration file, real packets, real signals.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "nameserver/process.rs"]
mod process;

use std::{net::IpAddr, time::Duration};

use hickory_proto::{
    op::ResponseCode,
    rr::{RData, RecordType},
};
use process::{Cluster, Folder, Nameserver};
use serde_json::Value;

const ZONE: &str = "\
$TTL 300
@ SOA ns1.example.net. hostmaster 7 3600 600 86400 60
@ NS ns1.example.net.
www A 192.0.2.80
alias CNAME www
*.wild TXT \"wild\"
";

/// Two clusters, each probed at an address of its own.
fn configuration(eu: &Cluster, us: &Cluster) -> String {
    format!(
        "zones: [{{name: example.org, file: example.org.zone}}]\n\
         clusters:\n\
         - {{name: eu, region: europe, addresses: [192.0.2.1], checks: [{{kind: http, url: '{}'}}]}}\n\
         - {{name: us, region: america, addresses: [192.0.2.2], checks: [{{kind: http, url: '{}'}}]}}\n\
         names:\n\
         - {{name: shop.example.org, ttl: 5, steer: [{{health: {{}}}}, {{all: {{}}}}]}}\n",
        eu.url(),
        us.url()
    )
}

fn address(text: &str) -> RData {
    match text.parse().unwrap() {
        IpAddr::V4(v4) => RData::A(v4.into()),
        IpAddr::V6(v6) => RData::AAAA(v6.into()),
    }
}

#[test]
fn a_configuration_alone_is_a_complete_server() {
    let (eu, us) = (Cluster::start(), Cluster::start());
    let folder = Folder::with(&[("example.org.zone", ZONE)]);
    let server = Nameserver::start(&folder, &configuration(&eu, &us));
    let check = |name: &str, kind, code, data: &[RData]| {
        let answer = server.ask(name, kind);
        let found: Vec<RData> = answer.answers.iter().map(|record| record.data.clone()).collect();
        assert_eq!((answer.response_code, &found[..]), (code, data), "{name}");
        assert!(answer.authoritative, "{name}");
    };
    check(
        "www.example.org.",
        RecordType::A,
        ResponseCode::NoError,
        &[address("192.0.2.80")],
    );
    check("no.example.org.", RecordType::A, ResponseCode::NXDomain, &[]);
    check("www.example.org.", RecordType::AAAA, ResponseCode::NoError, &[]);
    assert_eq!(server.ask("alias.example.org.", RecordType::A).answers.len(), 2);
    assert_eq!(
        server.ask("a.b.wild.example.org.", RecordType::TXT).answers.len(),
        1
    );
    server.until_answered("shop.example.org.", &["192.0.2.1", "192.0.2.2"]);

    // It withdraws what dies, and takes back what returns.
    eu.dies();
    server.until_answered("shop.example.org.", &["192.0.2.2"]);
    server.until("the verdict in the status", |status| {
        status["clusters"][0]["families"][0]["verdict"] == "Down"
    });
    let told = server.explain(&["shop.example.org"]);
    assert!(told.contains("withdrawn") && told.contains("192.0.2.1"), "{told}");
    // Who saw what.
    let told = server.explain(&["cluster", "eu"]);
    assert!(told.contains("Down") && told.contains("builtin"), "{told}");
    let events = server.get("/api/events").1;
    assert!(
        events.contains("\"cluster\":\"eu\"") && events.contains("missStreak"),
        "{events}"
    );
    let (code, told) = folder.output(&[
        "evidence",
        "record",
        "a.evidence",
        "--for",
        "500ms",
        "--server",
        &server.url(),
    ]);
    assert_eq!(code, 0, "{told}");
    let (code, told) = folder.output(&["evidence", "replay", "a.evidence"]);
    assert!(code == 0 && told.contains("eu"), "{told}");
    eu.returns();
    server.until_answered("shop.example.org.", &["192.0.2.1", "192.0.2.2"]);
    let status = server.status();
    assert_eq!(status["zones"][0]["serving"], "file");
    assert_eq!(status["observers"][0]["fresh"], true);
    assert_eq!(status["configuration"]["refused"], Value::Null);
    let metrics = server.get("/metrics").1;
    assert!(
        metrics.contains("lifeboat_dns_zone_file_in_force{zone=\"example.org\"} 1"),
        "{metrics}"
    );
}

#[test]
fn changes_are_taken_and_mistakes_are_not() {
    let (eu, us) = (Cluster::start(), Cluster::start());
    let folder = Folder::with(&[("example.org.zone", ZONE)]);
    let text = configuration(&eu, &us);
    let server = Nameserver::start(&folder, &text);
    let www = |address: &str| ZONE.replace("192.0.2.80", address);
    let zone = |status: &Value| status["zones"][0].clone();

    folder.write("example.org.zone", &www("192.0.2.81"));
    server.until_answered("www.example.org.", &["192.0.2.81"]);

    folder.write("example.org.zone", &www("192.0.2.999"));
    server.hangup();
    server.until("the refusal", |status| zone(status)["serving"] == "lastKnownGood");
    let status = server.status();
    let told = zone(&status)["problems"][0].as_str().unwrap().to_owned();
    assert!(
        told.contains("example.org.zone:4:7") && told.contains("192.0.2.999"),
        "{told}"
    );
    server.until_answered("www.example.org.", &["192.0.2.81"]);

    // One bad name costs no other; what it was stays.
    let more = "- {name: new.example.org, steer: [{weighted: {eu: 1}}]}\n";
    let bad = text.replace("ttl: 5", "ttl: soon") + more;
    server.configure(&bad);
    server.until("the bad name", |status| {
        status["configuration"]["problems"]
            .to_string()
            .contains("names[0] (shop.example.org): ttl")
    });
    server.until_answered("new.example.org.", &["192.0.2.1"]);
    assert_eq!(server.ask("shop.example.org.", RecordType::A).answers[0].ttl, 5);

    // What is no configuration at all is refused whole.
    server.configure(&format!("{text}lissten: 1\n"));
    server.until("the refusal", |status| {
        status["configuration"]["refused"]
            .as_str()
            .is_some_and(|told| told.contains("lissten"))
    });
    server.until_answered("new.example.org.", &["192.0.2.1"]);

    // What is asked for no more goes.
    server.configure(&text);
    server.until("the old text", |status| {
        status["configuration"]["refused"].is_null()
    });
    server.until_code("new.example.org.", ResponseCode::NXDomain);
}

#[test]
fn a_bad_zone_fails_alone_and_is_served_once_it_is_mended() {
    let folder = Folder::with(&[("good.zone", ZONE), ("bad.zone", "@ 1 A 1\n")]);
    let server = Nameserver::start(
        &folder,
        "zones: [{name: good.example, file: good.zone}, {name: bad.example., file: bad.zone}]\n",
    );
    server.until_answered("www.good.example.", &["192.0.2.80"]);
    server.until_code("www.bad.example.", ResponseCode::ServFail);
    assert_eq!(
        server.ask("elsewhere.example.", RecordType::A).response_code,
        ResponseCode::Refused
    );
    let zones = server.status()["zones"].clone();
    assert_eq!(zones[0]["serving"], "nothing", "{zones}");
    folder.write("bad.zone", ZONE);
    server.until_answered("www.bad.example.", &["192.0.2.80"]);
}

#[test]
fn last_known_good_serves_where_the_configuration_is_bad_at_start() {
    let folder = Folder::with(&[("example.org.zone", ZONE)]);
    let text = "zones: [{name: example.org, file: example.org.zone}]\n";
    let server = Nameserver::start(&folder, text);
    server.until_answered("www.example.org.", &["192.0.2.80"]);
    folder.until_file("state/config-good.json");
    let admin = server.admin();
    assert!(server.terminate() < Duration::from_secs(2));

    let server = Nameserver::start_with(&folder, "listen: nowhere\nstate: state\n", admin);
    server.until_answered("www.example.org.", &["192.0.2.80"]);
    let status = server.status();
    let configuration = &status["configuration"];
    assert_eq!(configuration["lastKnownGood"], true, "{configuration}");
    assert!(
        configuration["refused"].as_str().unwrap().contains("nowhere"),
        "{configuration}"
    );

    // Mended, it is in force without a restart.
    server.configure(text);
    server.until("the mended file", |status| {
        status["configuration"]["lastKnownGood"] == false
    });
}

#[test]
fn check_tells_every_mistake_and_fails() {
    let folder = Folder::with(&[("bad.zone", "@ 1 A 1\n")]);
    folder.write(
        "dns.yaml",
        "listen: [{address: '127.0.0.1:0'}]\nzones: [{name: bad.example, file: bad.zone}]\n\
         clusters: [{name: eu, addresses: [192.0.2.1], checks: [{kind: pigeon}]}]\n\
         names: [{name: a.example.com}, {name: b.bad.example, ttl: 100000}]\nuser: nobody-has-this-name\n",
    );
    let run = |file: &str| folder.output(&["dns", "--check", "--config", file]);
    let (code, told) = run("dns.yaml");
    assert_eq!(code, 1, "{told}");
    for part in [
        "bad.zone:1:",
        "pigeon",
        "a.example.com",
        "ttl: is 100000",
        "nobody-has-this-name",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    folder.write("good.yaml", "listen: [{address: '127.0.0.1:0'}]\n");
    let (code, told) = run("good.yaml");
    assert_eq!(code, 0, "{told}");
}

/// Evidence of observers that are processes of their own moves the answers.
#[test]
fn observers_elsewhere_are_heard() {
    let (eu, us) = (Cluster::start(), Cluster::start());
    let folder = Folder::with(&[("example.org.zone", ZONE)]);
    folder.certificates(&["--observers", "one", "two", "three", "--consumers", "dns-1"]);
    let evidence = process::free_udp();
    let tls = |name: &str| format!("tls: {{certificate: {name}.pem, key: {name}.key, roots: authority.pem}}");
    let observers = format!(
        "observers:\n  listen: '{evidence}'\n  {}\n  names: [{{name: one}}, {{name: two}}, {{name: three}}]\n  \
         profile: {{preset: fast, timeoutMinMs: 300, loopLagMs: 200, recoverHoldMs: 300, recoverGood: 1}}\n",
        tls("dns-1")
    );
    let server = Nameserver::start(&folder, &(configuration(&eu, &us) + &observers));
    let observer = |name: &str| {
        let text = format!(
            "name: {name}\nconsumers: ['{evidence}']\n{}\n\
             profile: {{preset: fast, timeoutMinMs: 300, loopLagMs: 200, recoverHoldMs: 300, recoverGood: 1}}\n\
             targets:\n\
             - {{cluster: eu, path: traffic, family: ipv4, check: {{kind: http, url: '{}'}}}}\n\
             - {{cluster: us, path: traffic, family: ipv4, check: {{kind: http, url: '{}'}}}}\n",
            tls(name),
            eu.url(),
            us.url()
        );
        folder.write(&format!("{name}.yaml"), &text);
        folder.run(&["observer", "--config", &format!("{name}.yaml")])
    };
    let _observers = ["one", "two", "three"].map(observer);
    server.until("three observers", |status| {
        let fresh = status["observers"].as_array().unwrap().iter();
        fresh.filter(|observer| observer["fresh"] == true).count() == 3
    });
    server.until_answered("shop.example.org.", &["192.0.2.1", "192.0.2.2"]);
    us.dies();
    server.until_answered("shop.example.org.", &["192.0.2.1"]);
}

/// What cannot observe at its start does not start: it would answer for ever with what is dead.
#[test]
fn without_its_evidence_it_does_not_start() {
    let folder = Folder::with(&[]);
    folder.certificates(&["--observers", "one", "--consumers", "dns-1"]);
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let start = |who: &str| {
        let tls = format!("tls: {{certificate: {who}.pem, key: {who}.key, roots: authority.pem}}");
        folder.write(
            "dns.yaml",
            &format!("listen: [{{address: '127.0.0.1:0'}}]\nstate: state\nobservers: {{listen: '127.0.0.1:{port}', {tls}}}\n"),
        );
        folder.output(&["dns", "--config", "dns.yaml"])
    };
    let (code, told) = start("dns-1");
    assert!(code == 1 && told.contains(&port.to_string()), "{code} {told}");
    let (code, told) = start("one");
    assert!(code == 1 && told.contains("serverAuth"), "{code} {told}");
    let (code, told) = folder.output(&["dns", "--check", "--config", "dns.yaml"]);
    assert!(code == 1 && told.contains("serverAuth"), "{code} {told}");
}

/// Orders of operators: bounded, kept over a restart, audited, and ended.
#[test]
fn overrides_are_bounded_and_outlive_a_restart() {
    let folder = Folder::with(&[("example.org.zone", ZONE)]);
    let text = "zones: [{name: example.org, file: example.org.zone}]\n\
         clusters: [{name: eu, addresses: [192.0.2.1]}, {name: us, addresses: [192.0.2.2]}]\n\
         names: [{name: shop.example.org, steer: [{all: {}}]}]\n";
    let server = Nameserver::start(&folder, text);
    folder.until_file("state/control.sock");
    let both = ["192.0.2.1", "192.0.2.2"];
    server.until_answered("shop.example.org.", &both);
    let run = |words: &[&str]| folder.output(&[&["dns", "override"], words, &["--state", "state"]].concat());
    let order =
        |cluster: &str, action: &str| run(&[cluster, action, "--for", "1h", "--reason", "maintenance"]);

    let (code, told) = order("eu", "down");
    assert!(
        code == 0 && told.contains("eu") && told.contains("maintenance"),
        "{told}"
    );
    server.until_answered("shop.example.org.", &["192.0.2.2"]);
    let (code, told) = order("us", "down");
    assert!(code == 4 && told.contains("at least 1 must stay"), "{told}");
    let (code, told) = order("asia", "down");
    assert!(code == 4 && told.contains("eu, us"), "{told}");
    let (code, told) = order("eu", "sideways");
    assert!(code == 2 && told.contains("weight=1 to weight=100"), "{told}");
    let (code, told) = run(&["eu", "up", "--for", "1h", "--reason", " "]);
    assert!(code == 4 && told.contains("--reason"), "{told}");

    let admin = server.admin();
    server.terminate();
    let server = Nameserver::start_on(&folder, text, admin);
    server.until_answered("shop.example.org.", &["192.0.2.2"]);
    let (_, told) = run(&["list"]);
    assert!(
        told.contains("maintenance") && told.contains("in force"),
        "{told}"
    );
    let (code, told) = run(&["clear", "eu"]);
    assert_eq!(code, 0, "{told}");
    server.until_answered("shop.example.org.", &both);
    let (code, told) = run(&["clear", "eu"]);
    assert!(code == 4 && told.contains("standing: none"), "{told}");

    // One that ends by itself.
    let (code, told) = run(&["us", "down", "--for", "1s", "--reason", "short"]);
    assert_eq!(code, 0, "{told}");
    server.until_answered("shop.example.org.", &["192.0.2.1"]);
    server.until_answered("shop.example.org.", &both);
    let audit = folder.read("state/audit.log");
    let did: Vec<&str> = audit
        .lines()
        .filter_map(|line| line.split("\"did\":\"").nth(1)?.split('"').next())
        .collect();
    assert_eq!(
        did,
        ["order", "order", "order", "order", "clear", "order"],
        "{audit}"
    );
    assert!(
        audit.contains("at least 1 must stay") && audit.contains("\"uid\":"),
        "{audit}"
    );
}

/// What a server probes is what observers' files take.
#[test]
fn targets_are_printed_for_observers() {
    let folder = Folder::with(&[(
        "dns.yaml",
        "listen: [{address: '127.0.0.1:0'}]\n\
         clusters: [{name: eu, addresses: [192.0.2.1], checks: [{kind: http, url: 'http://192.0.2.1/'}]}]\n",
    )]);
    let (code, told) = folder.output(&["dns", "targets", "--config", "dns.yaml"]);
    assert_eq!(code, 0, "{told}");
    let yaml: Value = serde_saphyr::from_str(&told).unwrap();
    assert_eq!(yaml["targets"][0]["cluster"], "eu", "{told}");
    assert_eq!(yaml["targets"][0]["check"]["url"], "http://192.0.2.1/", "{told}");
}

/// Every configuration in the documentation is one that the server takes.
#[test]
fn the_documented_configurations_are_good() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/dns.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let blocks: Vec<&str> = docs
        .split("```yaml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert_eq!(blocks.len(), 2);
    let folder = Folder::with(&[("example.org.zone", ZONE)]);
    folder.certificates(&[
        "--observers",
        "observer-paris",
        "--consumers",
        "dns-1",
        "--out",
        "fleet",
    ]);
    for block in blocks {
        let text = if block.starts_with("listen:") {
            block.to_owned()
        } else {
            format!("listen: [{{address: '127.0.0.1:0'}}]\n{block}")
        };
        folder.write("dns.yaml", &text);
        let (code, told) = folder.output(&["dns", "--check", "--config", "dns.yaml"]);
        assert_eq!(code, 0, "{told}{text}");
    }
}
