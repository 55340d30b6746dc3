//! The same fleet on a network of its own: each observer in a network namespace, joined to the middle by veth. There the
//! consumers listen, and clusters have addresses that can be taken away: what is sent to them then is lost without a word.
//! IPv6 is turned off where the observers are.

use std::net::Ipv4Addr;
use std::process::Command;

use lifeboat_health::{Family, Path, Target, Verdict};

use super::fleet::{Fleet, OBSERVERS, Plan, Server, name, target};

const CONSUMERS: Ipv4Addr = Ipv4Addr::new(10, 213, 0, 1);
const ANCHOR: Ipv4Addr = Ipv4Addr::new(10, 213, 0, 2);
const EU: Ipv4Addr = Ipv4Addr::new(10, 213, 1, 1);
const US: Ipv4Addr = Ipv4Addr::new(10, 213, 1, 2);

fn ip(words: &str) {
    let done = Command::new("ip").args(words.split(' ')).output().unwrap();
    assert!(done.status.success(), "ip {words}: {done:?}");
}

/// As on hosts whose administrator did so: no address of the family can be had, that of the loopback included.
fn turn_ipv6_off(inside: &str) {
    let off = "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6";
    let done = Command::new("ip")
        .args(["netns", "exec", inside, "sh", "-c", off])
        .output()
        .unwrap();
    assert!(done.status.success(), "{off}: {done:?}");
}

fn lay_cables() {
    ip("link set lo up");
    for address in [CONSUMERS, ANCHOR, EU, US] {
        ip(&format!("address add {address}/32 dev lo"));
    }
    for observer in 1..=OBSERVERS {
        let (inside, link) = (name(observer), format!("to-{observer}"));
        let (here, there) = (format!("10.213.{observer}0.1"), format!("10.213.{observer}0.2"));
        ip(&format!("netns add {inside}"));
        ip(&format!(
            "link add name {link} type veth peer name way netns {inside}"
        ));
        ip(&format!("address add {here}/24 dev {link}"));
        ip(&format!("link set {link} up"));
        ip(&format!("-n {inside} address add {there}/24 dev way"));
        ip(&format!("-n {inside} link set lo up"));
        ip(&format!("-n {inside} link set way up"));
        ip(&format!("-n {inside} route add default via {here}"));
        turn_ipv6_off(&inside);
    }
}

fn plug(observer: usize, in_: bool) {
    ip(&format!(
        "link set to-{observer} {}",
        if in_ { "up" } else { "down" }
    ));
}

fn power(cluster: Ipv4Addr, on: bool) {
    if on {
        ip(&format!("route del blackhole {cluster}/32"));
        ip(&format!("address add {cluster}/32 dev lo"));
    } else {
        ip(&format!("address del {cluster}/32 dev lo"));
        ip(&format!("route add blackhole {cluster}/32"));
    }
}

#[test]
#[ignore = "needs a network namespace of its own: just namespaces"]
fn links_and_clusters_go_and_come() {
    lay_cables();
    let server = Server::start(Ipv4Addr::UNSPECIFIED);
    let url = |address: Ipv4Addr| format!("http://{address}:{}/", server.address.port());
    // That the observers have no way there keeps none of them from judging the others.
    let out_of_reach = Target {
        family: Family::V6,
        ..target("eu", "http://[fd00:213::1]/")
    };
    let mut fleet = Fleet::start(Plan {
        listen: CONSUMERS,
        targets: vec![target("eu", &url(EU)), target("us", &url(US)), out_of_reach],
        anchors: vec![url(ANCHOR); OBSERVERS],
        differs: |_| "",
        inside: |observer| {
            ["ip", "netns", "exec", &name(observer)]
                .map(str::to_owned)
                .to_vec()
        },
        way: Box::new(|_, consumer| consumer),
        kubeconfig: None,
    });

    power(EU, false);
    fleet.until_both("eu", Verdict::Down, 5);
    power(EU, true);
    fleet.until_both("eu", Verdict::Up, 5);

    for observer in [1, 2] {
        plug(observer, false);
    }
    fleet.until_gone(&[1, 2]);
    power(US, false);
    fleet.until_both("us", Verdict::Down, 3);
    for observer in [1, 2] {
        plug(observer, true);
    }
    fleet.until_both("us", Verdict::Down, 5);
    power(US, true);
    fleet.until_both("us", Verdict::Up, 5);

    // All but one: the one that is left decides nothing, whatever it sees.
    plug(1, false);
    fleet.pause(2);
    fleet.kill(3);
    fleet.kill(4);
    fleet.until_gone(&[1, 2, 3, 4]);
    let told = fleet.told();
    power(EU, false);
    for consumer in &fleet.consumers {
        consumer.until("observer-5 votes Dead", |story| story.cell("eu").votes.dead == 1);
        consumer.until_heard(&name(5), 20);
        let (verdict, frozen, _) = consumer.now(|story| story.stands("eu"));
        assert_eq!((verdict, frozen), (Verdict::Up, true));
    }
    assert_eq!(fleet.told(), told, "one observer decides nothing");
    plug(1, true);
    fleet.resume(2);
    fleet.until_both("eu", Verdict::Down, 3);
    assert_eq!([fleet.downs("eu"), fleet.downs("us")], [[2, 2], [1, 1]]);

    for consumer in &fleet.consumers {
        let cell = consumer.now(|story| story.view.cell("eu", Path::Traffic, Family::V6).cloned());
        let cell = cell.unwrap();
        assert_eq!(
            (cell.verdict, cell.frozen, cell.fresh),
            (Verdict::Unknown, true, 0)
        );
    }
    let told = std::fs::read_to_string(fleet.log(5)).unwrap();
    let lines: Vec<&str> = told
        .lines()
        .filter(|line| line.contains("eu/traffic/ipv6"))
        .collect();
    assert_eq!(lines.len(), 1, "{told}");
    assert!(
        lines[0].contains("this host has no way to fd00:213::1: Cannot assign requested address"),
        "{told}"
    );
}
