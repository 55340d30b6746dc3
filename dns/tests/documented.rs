//! Every example of `docs/steering.md` is taken by a server as it stands.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::net::{IpAddr, Ipv4Addr};

use lifeboat_dns::{EndpointInput, Filter, GeoSources, GeoTable, Server};
use support::{SHOP, config, plan};

const PAGE: &str = include_str!("../../docs/steering.md");

/// The fenced blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    PAGE.split(fence.as_str())
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

#[test]
fn every_chain_of_the_page_steers_a_name() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(config(home.path())).unwrap();
    let chains = blocks("json");
    assert_eq!(chains.len(), 6);
    for (seq, chain) in (1..).zip(chains) {
        let mut plan = plan(seq);
        let shop = &mut plan.names[0];
        shop.steer = serde_json::from_str::<Vec<Filter>>(chain).unwrap();
        shop.endpoints = [("eu", 1), ("us", 2), ("ap", 3)]
            .map(|(cluster, last)| EndpointInput {
                cluster: cluster.to_owned(),
                addresses: vec![IpAddr::from([192, 0, 2, last])],
                weight: 1,
            })
            .to_vec();
        assert_eq!(server.apply(plan).unwrap().rejected, [], "{chain}");
        // As many steps as filters: each is told of, health once.
        let told = server
            .explain(SHOP, "A", IpAddr::V4(Ipv4Addr::LOCALHOST), None)
            .unwrap();
        for key in [
            "geo", "latency", "failover", "capacity", "sticky", "rotation", "max",
        ] {
            let listed = chain.contains(&format!("{{\"{key}\""));
            let explained = told.steps.iter().any(|step| step.filter == key);
            assert_eq!(listed, explained, "{key} in {chain}");
        }
    }
    server.stop();
}

#[test]
fn the_rows_of_the_page_are_read() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("networks.csv");
    let rows = blocks("csv");
    assert_eq!(rows.len(), 1);
    std::fs::write(&file, rows[0]).unwrap();
    let sources = GeoSources {
        networks_files: vec![file],
        ..GeoSources::default()
    };
    GeoTable::load(&sources).unwrap();
}
