//! zonemaster-cli on a zone of ours, as delegated by a root of our own and undelegated, on port 53 of addresses that only a network namespace of this test has:
//! `dns/tests/zonemaster/run.sh` makes it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use lifeboat_dns::{
    EndpointInput, Filter, NameInput, OnAllDown, Server, ServerConfig, SnapshotInput, Stamp, zonefile,
};
use serde_json::Value;

/// In networks of different operators, as zonemaster asks for.
const SERVERS: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 213, 1, 53), Ipv4Addr::new(10, 214, 1, 53)];
const ROOT: Ipv4Addr = Ipv4Addr::new(10, 215, 0, 1);

const ZONE: &str = "$TTL 3600
@ SOA ns1 hostmaster 2026010101 14400 3600 1209600 3600
@ NS ns1
@ NS ns2
@ MX 10 mail
@ A 10.213.1.80
ns1 A 10.213.1.53
ns2 A 10.214.1.53
mail A 10.213.1.25
www CNAME shop
";

/// The zones above, which zonemaster walks down from: the root, and `test` with the delegation.
const ROOT_ZONE: &str = "$TTL 3600
@ SOA a.root-servers.test. nobody.test. 1 14400 3600 1209600 3600
@ NS a.root-servers.test.
a.root-servers.test. A 10.215.0.1
test NS a.root-servers.test.
";
const TOP_ZONE: &str = "$TTL 3600
@ SOA a.root-servers nobody 1 14400 3600 1209600 3600
@ NS a.root-servers
a.root-servers A 10.215.0.1
demo NS ns1.demo
demo NS ns2.demo
ns1.demo A 10.213.1.53
ns2.demo A 10.214.1.53
";

/// What it finds wrong of the place where the test runs: private addresses, which nobody has a reverse zone for.
const OF_THE_PLACE: [&str; 2] = ["NAMESERVER_IP_PRIVATE_NETWORK", "NAMESERVER_IP_WITHOUT_REVERSE"];

/// What it has to find, or else it has not looked: RFC 1034 §4.3.1, RFC 6891, RFC 8906, RFC 4343, RFC 1123 §6.1.4.2 among them.
const FOUND: [&str; 10] = [
    "ARE_AUTHORITATIVE",
    "CASE_QUERIES_RESULTS_OK",
    "EDNS0_SUPPORT",
    "HAS_NAMESERVERS",
    "NO_RECURSOR",
    "NO_UPWARD_REFERRAL",
    "ONE_SOA_SERIAL",
    "QNAME_CASE_SENSITIVE",
    "REFERRAL_SIZE_OK",
    "SAME_SOURCE_IP",
];

fn serve(home: &Path, addresses: &[Ipv4Addr], zones: &[(&str, &str)]) -> Server {
    let listen = addresses.iter().map(|address| SocketAddr::from((*address, 53)));
    let mut config = ServerConfig::new("zonemaster", listen, home);
    config.start_grace = Duration::ZERO;
    let server = Server::start(config).unwrap();
    let files = zones.iter().map(|(apex, text)| {
        let mut source = |_: &Path| Ok(text.as_bytes().to_vec());
        let reading = zonefile::read(&zonefile::parse_name(apex).unwrap(), Path::new("z"), &mut source);
        Arc::new(reading.zone.unwrap())
    });
    let stamp = Stamp {
        fleet_uid: "fleet".to_owned(),
        epoch: 1,
        seq: 1,
    };
    let mut plan = SnapshotInput {
        stamp,
        files: files.collect(),
        ..SnapshotInput::default()
    };
    if zones.iter().any(|(apex, _)| *apex == "demo.test") {
        plan.names.push(NameInput {
            name: "shop.demo.test".to_owned(),
            zone: "demo.test".to_owned(),
            epoch: 1,
            seq: 1,
            ttl: 30,
            steer: vec![Filter::Weighted(Default::default())],
            on_all_down: OnAllDown::LastGood,
            degraded_ttl: None,
            https: None,
            svcb: None,
            endpoints: vec![EndpointInput {
                cluster: "eu".to_owned(),
                addresses: vec![IpAddr::from([10, 213, 1, 80])],
                weight: 1,
            }],
        });
    }
    assert_eq!(server.apply(plan).unwrap().rejected, []);
    server
}

#[test]
#[ignore = "needs zonemaster-cli and a network namespace of its own: just dns-interop"]
fn zonemaster_finds_nothing_wrong() {
    let home = tempfile::tempdir().unwrap();
    let ours = serve(&home.path().join("ours"), &SERVERS, &[("demo.test", ZONE)]);
    let above = serve(
        &home.path().join("above"),
        &[ROOT],
        &[(".", ROOT_ZONE), ("test", TOP_ZONE)],
    );
    let hints = home.path().join("hints");
    std::fs::write(
        &hints,
        format!(". 3600 NS a.root-servers.test.\na.root-servers.test. 3600 A {ROOT}\n"),
    )
    .unwrap();
    // As the zone above has delegated it, and as it would be delegated.
    let servers = [1, 2].map(|number| format!("ns{number}.demo.test/10.21{}.1.53", number + 2));
    let [first, second] = &servers;
    for more in [&[][..], &["--ns", first, "--ns", second]] {
        let output = Command::new("zonemaster-cli")
            .args(["--json", "--raw", "--level", "INFO", "--no-ipv6", "--hints"])
            .arg(&hints)
            .args(more)
            .arg("demo.test")
            .output()
            .unwrap();
        check(&output, more);
    }
    ours.stop();
    above.stop();
}

fn check(output: &Output, more: &[&str]) {
    let text = String::from_utf8_lossy(&output.stdout);
    let entries: Vec<Value> = serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!(
            "{more:?}: {error}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        )
    });
    let of = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let wrong: Vec<&Value> = entries
        .iter()
        .filter(|entry| matches!(&*of(entry, "level"), "WARNING" | "ERROR" | "CRITICAL"))
        .filter(|entry| !OF_THE_PLACE.contains(&&*of(entry, "tag")))
        .collect();
    assert!(wrong.is_empty(), "{more:?}: {wrong:#?}");
    let missing: Vec<&str> = FOUND
        .into_iter()
        .filter(|tag| !entries.iter().any(|entry| of(entry, "tag") == *tag))
        .collect();
    assert!(
        missing.is_empty(),
        "{more:?}: zonemaster does not say {missing:?}: {text}"
    );
}
