//! Gray failure lowers a cluster's share of the answers, and gives it back; no answer is ever empty.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::net::{IpAddr, Ipv4Addr};

use hickory_proto::rr::RecordType;
use lifeboat_dns::{Notice, Server};
use lifeboat_health::Verdict;
use support::{SHOP, Verdicts, address, addresses, ask, config, plan, served};

/// How many of 400 answers name the second cluster.
fn answers_of_b(server: &Server) -> usize {
    let at = server.local_addrs()[0];
    let answers = (0..400).map(|_| addresses(&ask(at, SHOP, RecordType::A)));
    answers
        .inspect(|answer| assert_eq!(answer.len(), 1, "one cluster an answer, never none"))
        .filter(|answer| answer[0] == address(1))
        .count()
}

fn share_of_b(server: &Server) -> f64 {
    let shares = server.shares();
    let shop = shares
        .iter()
        .find(|name| name.name == "shop.demo.example")
        .unwrap();
    let b = shop.answers.iter().find(|answer| answer.cluster == "b");
    b.map_or(0.0, |answer| answer.share)
}

#[test]
fn a_gray_clusters_share_falls_and_recovers() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(config(home.path())).unwrap();
    server.apply(plan(1)).unwrap();
    let mut verdicts = Verdicts::of(&server);
    verdicts.set("abcde", Verdict::Up);
    assert_eq!(verdicts.tick(0), []);
    assert!((50..110).contains(&answers_of_b(&server)), "a fifth of 400");

    verdicts.lower("b", 250);
    let notices = verdicts.tick(1_000);
    let [
        Notice::Gray {
            cluster,
            gray,
            family: _,
        },
    ] = notices
    else {
        panic!("{notices:?}");
    };
    assert_eq!((cluster.as_str(), gray.factor_permille), ("b", 250));
    assert!((share_of_b(&server) - 0.25 / 4.25).abs() < 1e-9);
    let lowered = answers_of_b(&server);
    assert!((5..50).contains(&lowered), "{lowered} of 400, 24 expected");
    let told = server
        .explain(SHOP, "A", IpAddr::V4(Ipv4Addr::LOCALHOST), None)
        .unwrap();
    let b = &told.steps[1].candidates[1];
    assert_eq!(
        b.note,
        "gray, so 25 % of its weight: answers in 500 ms, usually in 2 ms"
    );
    assert!((b.gate - 0.25).abs() < 1e-9);
    assert!(!told.panic);
    assert_eq!(verdicts.tick(1_010), []);

    verdicts.lower("b", 1_000);
    assert_eq!(verdicts.tick(20_000).len(), 1);
    assert!((share_of_b(&server) - 0.2).abs() < 1e-9);
    assert!((50..110).contains(&answers_of_b(&server)));
    server.stop();
}

/// The last one to serve is gray at the lowest: it answers everything.
#[test]
fn a_gray_cluster_serves_where_the_others_are_down() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(config(home.path())).unwrap();
    server.apply(plan(1)).unwrap();
    let mut verdicts = Verdicts::of(&server);
    verdicts.set("abcde", Verdict::Up);
    verdicts.lower("b", 1);
    verdicts.tick(0);
    verdicts.set("acde", Verdict::Down);
    verdicts.tick(1_000);
    assert_eq!(served(&server), "b");
    verdicts.set("b", Verdict::Down);
    verdicts.tick(1_500);
    assert_eq!(served(&server), "abcde", "the last good set");
    server.stop();
}

/// A gray cluster that goes down and returns ramps up from its lowered weight.
#[test]
fn ramps_and_gray_failure_multiply() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(config(home.path())).unwrap();
    server.apply(plan(1)).unwrap();
    let mut verdicts = Verdicts::of(&server);
    verdicts.set("abcde", Verdict::Up);
    verdicts.tick(0);
    verdicts.set("b", Verdict::Down);
    verdicts.tick(1_000);
    assert_eq!(served(&server), "acde");
    verdicts.lower("b", 500);
    verdicts.tick(2_000);
    assert!(
        (share_of_b(&server) - 0.05 / 4.05).abs() < 1e-9,
        "a tenth, and half of it"
    );
    verdicts.tick(32_000);
    assert!((share_of_b(&server) - 0.1 / 4.1).abs() < 1e-9);
    verdicts.lower("b", 1_000);
    verdicts.tick(33_000);
    assert!((share_of_b(&server) - 0.2 / 4.2).abs() < 1e-9);
    server.stop();
}
