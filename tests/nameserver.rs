//! `lifeboat dns` as a process: one configuration file, real packets, real signals.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "nameserver/kubernetes.rs"]
mod kubernetes;
#[expect(dead_code, reason = "shared with the tests of observers")]
#[path = "observers/plane.rs"]
mod plane;
#[path = "nameserver/privileges.rs"]
mod privileges;
#[path = "nameserver/process.rs"]
mod process;
#[path = "nameserver/protocol.rs"]
mod protocol;

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

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
    let documented = include_str!("../docs/metrics.md");
    for line in metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let scraped = line.replace(" counter", "_total").replace(" gauge", "");
        let (name, _) = scraped.split_once(' ').unwrap_or((&scraped, ""));
        let elsewhere = name.starts_with("lifeboat_qos_");
        assert!(elsewhere || documented.contains(&format!("`{name}`")), "{name}");
    }
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

/// A mistake in a check takes nothing from its cluster: not its probes, not its place among the names.
#[test]
fn a_mistake_in_a_check_changes_nothing_and_no_check_is_none() {
    let (eu, us) = (Cluster::start(), Cluster::start());
    let folder = Folder::with(&[("example.org.zone", ZONE)]);
    let good = configuration(&eu, &us);
    let bad = good.replacen("kind: http", "kind: htpp", 1);
    assert_ne!(good, bad);
    // At its start, too, the name is served: with both, for nobody looks at the first.
    let server = Nameserver::start(&folder, &bad);
    server.until_answered("shop.example.org.", &["192.0.2.1", "192.0.2.2"]);
    let (_, told) = folder.output(&["dns", "status", "--server", &server.url()]);
    assert!(
        told.contains("checks[0]") && told.contains("htpp") && told.contains("not probed"),
        "{told}"
    );

    server.configure(&good);
    server.until("the first is probed", |status| {
        status["clusters"][0]["families"][0]["verdict"] == "Up"
    });
    server.configure(&bad);
    server.until("the mistake is told", |status| {
        status["configuration"]["problems"].to_string().contains("htpp")
    });
    eu.dies();
    server.until_answered("shop.example.org.", &["192.0.2.2"]);
    eu.returns();
    server.until_answered("shop.example.org.", &["192.0.2.1", "192.0.2.2"]);

    // Down, and then nobody shall look any more.
    eu.dies();
    server.until_answered("shop.example.org.", &["192.0.2.2"]);
    let unchecked = good.replacen(&eu.url(), "", 1);
    let check = unchecked.find("checks:").unwrap();
    let end = check + unchecked[check..].find(']').unwrap() + 1;
    server.configure(&format!("{}checks: []{}", &unchecked[..check], &unchecked[end..]));
    server.until_answered("shop.example.org.", &["192.0.2.1", "192.0.2.2"]);
}

/// A cluster that nobody observes counts as healthy, so whoever is dead is observed for as long as names are answered with it.
#[test]
fn the_dead_are_not_answered_for_a_mistake_nor_on_their_way_out() {
    let (eu, us) = (Cluster::start(), Cluster::start());
    // So many names that a plan takes longer than the gates do.
    let large = format!("{ZONE}$GENERATE 1-30000 h$ A 192.0.2.9\n");
    let folder = Folder::with(&[("example.org.zone", &large)]);
    let entry = |name: &str, last: u8, cluster: &Cluster| {
        let url = cluster.url();
        format!("- {{name: {name}, addresses: [192.0.2.{last}], checks: [{{kind: http, url: '{url}'}}]}}\n")
    };
    let (dead, alive) = (entry("eu", 1, &eu), entry("us", 2, &us));
    let text = |clusters: &[&str], of_the_name: &str| {
        format!(
            "zones: [{{name: example.org, file: example.org.zone}}]\nclusters:\n{}\
             names:\n- {{name: shop.example.org, ttl: 5, clusters: [{of_the_name}]}}\n",
            clusters.concat()
        )
    };
    let server = Nameserver::start(&folder, &text(&[&dead, &alive], "eu, us"));
    server.until_answered("shop.example.org.", &["192.0.2.1", "192.0.2.2"]);
    eu.dies();
    server.until_answered("shop.example.org.", &["192.0.2.2"]);

    // No entry, and three that cannot be told to be its own. A cluster that is new with each shows that the targets are in force.
    let mistakes = [
        ("", "cluster eu: has no entry any more"),
        (&dead.replace("name: eu", "nmae: eu"), "unknown field `nmae`"),
        (&dead.replace("name: eu", "name: 5"), "clusters[0]: name"),
        (&dead.replace("name: eu, ", ""), "missing field `name`"),
    ];
    for (index, (mistake, told)) in mistakes.into_iter().enumerate() {
        // Each time from the good one.
        server.configure(&text(&[&dead, &alive], "eu, us"));
        server.until("no problem", |status| {
            status["configuration"]["problems"] == serde_json::json!([])
        });
        let new = format!("new-{index}");
        server.configure(&text(&[mistake, &alive, &entry(&new, 3, &us)], "eu, us"));
        server.until(told, |status| {
            let mut clusters = status["clusters"].as_array().unwrap().iter();
            let seen = clusters.any(|one| one["name"] == *new && one["families"][0]["verdict"] == "Up");
            seen && status["configuration"]["problems"].to_string().contains(told)
        });
        assert_eq!(server.addresses("shop.example.org."), ["192.0.2.2"], "{mistake}");
    }
    // It is probed all the while.
    eu.returns();
    server.until_answered("shop.example.org.", &["192.0.2.1", "192.0.2.2"]);
    eu.dies();
    server.until_answered("shop.example.org.", &["192.0.2.2"]);

    // Out of the clusters and the names in one edit, and never answered on the way.
    server.configure(&text(&[&dead, &alive], "eu, us"));
    server.until("no problem", |status| {
        status["configuration"]["problems"] == serde_json::json!([])
    });
    let done = AtomicBool::new(false);
    let answered = thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut answered = BTreeSet::new();
            while !done.load(Ordering::SeqCst) {
                answered.extend(server.addresses("shop.example.org."));
            }
            answered
        });
        server.configure(&text(&[&alive], "us"));
        server.until("one cluster", |status| {
            status["clusters"].as_array().unwrap().len() == 1
        });
        done.store(true, Ordering::SeqCst);
        asking.join().unwrap()
    });
    assert_eq!(answered, BTreeSet::from(["192.0.2.2".to_owned()]));
}

/// Beside clusters that are checked, one that is not takes over from nobody.
#[test]
fn who_cannot_take_over_is_warned_of() {
    let (eu, us) = (Cluster::start(), Cluster::start());
    let folder = Folder::with(&[("example.org.zone", ZONE)]);
    let text =
        configuration(&eu, &us).replacen("names:", "- {name: spare, addresses: [192.0.2.3]}\nnames:", 1);
    folder.write(
        "checked.yaml",
        &format!("listen: [{{address: '127.0.0.1:0'}}]\n{text}"),
    );
    let warning = "warning: names: shop.example.org: no ipv4 check looks at spare";
    let (code, told) = folder.output(&["dns", "--check", "--config", "checked.yaml"]);
    assert!(code == 0 && told.contains(warning), "{told}");
    let server = Nameserver::start(&folder, &text);
    let (_, told) = folder.output(&["dns", "status", "--server", &server.url()]);
    assert!(told.contains(warning) && told.contains("1 of 1 needed"), "{told}");
    // And so it is.
    eu.dies();
    server.until_answered("shop.example.org.", &["192.0.2.2", "192.0.2.3"]);
    us.dies();
    server.until("held", |status| {
        status["clusters"][1]["families"][0]["held"] == true
    });
    assert!(
        server
            .addresses("shop.example.org.")
            .contains(&"192.0.2.2".to_owned())
    );
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
    folder.write("fine.zone", ZONE);
    folder.write(
        "port.yaml",
        "listen: [{address: '127.0.0.1:0'}]\nzones: [{name: example.org, file: fine.zone}]\n\
         clusters: [{name: eu, addresses: [192.0.2.1]}]\n\
         names: [{name: shop.example.org, https: {port: 70000}}]\n",
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
    let (code, told) = run("port.yaml");
    let wrong = "error: name shop.example.org: https.port: is 70000; 1 to 65535 are allowed\n";
    assert!(code == 1 && told.contains(wrong), "{told}");
    let counts = "port.yaml: 1 zone, 0 names, 1 cluster; 1 error, ";
    assert!(told.contains(counts), "{told}");
    for (line, part) in [
        ("cookies: {secretsFile: nowhere}", "cookies.secretsFile"),
        ("cookies: {secretsFile: bad.zone}", "line 1: is no secret"),
        ("rateLimit: {answersPerSecond: 0}", "rateLimit.answersPerSecond"),
        ("identity: {nsid: 0xz}", "identity.nsid"),
        ("tcpKeepaliveSeconds: 6554", "allowed is 1 to 6553"),
        ("sampling: {file: queries.jsonl, oneIn: 0}", "sampling.oneIn"),
        (
            "observers: {profile: {preset: fast}}",
            "minFresh is 3: it must be at most 1",
        ),
    ] {
        folder.write(
            "one.yaml",
            &format!("listen: [{{address: '127.0.0.1:0'}}]\n{line}\n"),
        );
        let (code, told) = run("one.yaml");
        assert!(code != 0 && told.contains(part), "{line}: {code} {told}");
    }
    folder.write(
        "one.yaml",
        "listen: [{address: '127.0.0.1:0', proxy: {from: []}}]\n",
    );
    let (code, told) = run("one.yaml");
    assert!(
        code != 0 && told.contains("listen[0].proxy.from: is empty"),
        "{told}"
    );
    folder.write("good.yaml", "listen: [{address: '127.0.0.1:0'}]\n");
    let (code, told) = run("good.yaml");
    assert_eq!(code, 0, "{told}");
}

/// Evidence of observers that are processes of their own moves the answers.
#[test]
fn observers_elsewhere_are_heard() {
    let (eu, us) = (Cluster::start(), Cluster::start());
    let folder = Folder::with(&[("example.org.zone", ZONE)]);
    folder.certificates(&[
        "--observers",
        "one",
        "two",
        "three",
        "stranger",
        "--consumers",
        "dns-1",
    ]);
    let evidence = process::free_both();
    let tls = |name: &str| format!("tls: {{certificate: {name}.pem, key: {name}.key, roots: authority.pem}}");
    let observers = format!(
        "observers:\n  listen: '{evidence}'\n  {}\n  names: [{{name: one}}, {{name: two}}, {{name: three}}, {{name: never}}]\n  \
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
    let observers = ["one", "two", "three", "stranger"].map(observer);
    server.until("three observers", |status| {
        let fresh = status["observers"].as_array().unwrap().iter();
        fresh.filter(|observer| observer["fresh"] == true).count() == 3
    });
    server.until_answered("shop.example.org.", &["192.0.2.1", "192.0.2.2"]);
    us.dies();
    server.until_answered("shop.example.org.", &["192.0.2.1"]);
    let status = server.status();
    let never = status["observers"].as_array().unwrap().last().unwrap();
    assert_eq!((&never["name"], &never["ageMs"]), (&"never".into(), &Value::Null));
    let (_, told) = folder.output(&["dns", "status", "--server", &server.url()]);
    assert!(told.contains("never heard"), "{told}");
    let (code, told) = folder.output(&["get", "observers", "--server", &server.url()]);
    assert!(code == 0 && told.contains("three"), "{told}");
    let (code, told) = folder.output(&["get", "clusters", "--server", &server.url()]);
    assert!(code != 0 && told.contains("lifeboat dns status"), "{told}");
    folder.until_told("dns.log", "its evidence is discarded");
    assert!(folder.read("dns.log").contains("stranger"));

    // Too few are left to decide anything, and all that could be asked says so.
    drop(observers);
    server.until("all of it frozen", |status| {
        status["clusters"][0]["families"][0]["frozen"] == true
    });
    server.until_last_event("evidence.", "evidence.frozen");
    us.returns();
    let told = server.explain(&["shop.example.org"]);
    assert!(told.contains("frozen: too few"), "{told}");
    server.until_answered("shop.example.org.", &["192.0.2.1"]);
}

/// It works today, and will not next month.
#[test]
fn a_certificate_that_ends_soon_is_warned_of() {
    let folder = Folder::with(&[]);
    folder.certificates(&["--observers", "one", "--consumers", "dns-1", "--days", "20"]);
    let tls = |name: &str| format!("tls: {{certificate: {name}.pem, key: {name}.key, roots: authority.pem}}");
    let server = format!(
        "listen: [{{address: '127.0.0.1:0'}}]\nobservers: {{listen: '127.0.0.1:7443', {}}}\n",
        tls("dns-1")
    );
    folder.write("dns.yaml", &server);
    let observer = format!("name: one\nconsumers: ['127.0.0.1:7443']\n{}\n", tls("one"));
    folder.write("observer.yaml", &observer);
    for (what, file, field) in [
        ("dns", "dns.yaml", "observers.tls.certificate"),
        ("observer", "observer.yaml", "tls.certificate"),
    ] {
        let (code, told) = folder.output(&[what, "--check", "--config", file]);
        let warned = told.lines().any(|line| {
            line.starts_with(&format!("warning: {field}")) && line.contains("expires in 19 days")
        });
        assert!(code == 0 && warned, "{told}");
    }
}

/// Who cannot hear its observers at its start answers as it did before, says so, and hears them as soon as it can.
#[test]
fn without_its_evidence_it_answers_as_before() {
    let (eu, us) = (Cluster::start(), Cluster::start());
    let folder = Folder::with(&[("example.org.zone", ZONE)]);
    let server = Nameserver::start(&folder, &configuration(&eu, &us));
    server.until_answered("shop.example.org.", &["192.0.2.1", "192.0.2.2"]);
    us.dies();
    server.until_answered("shop.example.org.", &["192.0.2.1"]);
    server.terminate();

    folder.certificates(&["--observers", "one", "--consumers", "dns-1"]);
    let identity = |who: &str| {
        for end in ["pem", "key"] {
            folder.write(&format!("my.{end}"), &folder.read(&format!("{who}.{end}")));
        }
    };
    identity("one");
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let observers = format!(
        "observers: {{listen: '{}', tls: {{certificate: my.pem, key: my.key, roots: authority.pem}}}}\n",
        taken.local_addr().unwrap()
    );
    let server = Nameserver::start(&folder, &(configuration(&eu, &us) + &observers));
    let told = |words: &str| {
        server.until(words, |status| {
            let problems = status["configuration"]["problems"].as_array().unwrap();
            problems
                .iter()
                .any(|problem| problem.as_str().unwrap().contains(words))
        });
    };
    let in_force = |expected: &str| {
        let line = format!("lifeboat_dns_observers_in_force {expected}\n");
        process::until(&line, || server.get("/metrics").1.contains(&line).then_some(()));
    };
    told("serverAuth");
    in_force("0");
    assert_eq!(server.addresses("shop.example.org."), ["192.0.2.1"]);
    let status = server.status();
    let us = &status["clusters"][1]["families"][0];
    assert!(us["frozen"] == true && us["gate"] == 0.0, "{us}");
    let (code, check) = folder.output(&["dns", "--check", "--config", "dns.yaml"]);
    assert!(code == 1 && check.contains("serverAuth"), "{check}");

    identity("dns-1");
    told("in use");
    drop(taken);
    server.until("all of it in force", |status| {
        status["configuration"]["problems"].as_array().unwrap().is_empty()
    });
    in_force("1");
    assert_eq!(server.addresses("shop.example.org."), ["192.0.2.1"]);
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

    // One about a single name.
    let (code, told) = order("shop.example.org/eu", "down");
    assert_eq!(code, 0, "{told}");
    server.until_answered("shop.example.org.", &["192.0.2.2"]);
    let told = server.explain(&["shop.example.org"]);
    assert!(
        told.contains("override of shop.example.org/eu down: maintenance"),
        "{told}"
    );
    let (code, told) = run(&["clear", "shop.example.org/eu"]);
    assert_eq!(code, 0, "{told}");
    server.until_answered("shop.example.org.", &both);

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
        [
            "order", "order", "order", "order", "clear", "order", "clear", "order"
        ],
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
    assert_eq!(blocks.len(), 5);
    let secret = "e5e973e5a6b2a43f48e7dc849e37bfcf";
    let folder = Folder::with(&[
        ("example.org.zone", ZONE),
        ("cookies.secrets", secret),
        ("control-plane.kubeconfig", kubernetes::KUBECONFIG),
    ]);
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
