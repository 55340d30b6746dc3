//! How plans change the catalog, and what each kind of bad input is told.

use std::net::IpAddr;

mod files;
mod services;

use super::*;
use crate::input::{
    EndpointInput, Filter, NameInput, NameServerInput, OnAllDown, RecordInput, SoaInput, ZoneInput,
};

fn stamp(seq: u64) -> Stamp {
    Stamp {
        fleet_uid: "fleet".to_owned(),
        epoch: 1,
        seq,
    }
}

fn zone() -> ZoneInput {
    ZoneInput {
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
            addresses: vec!["192.0.2.53".parse().unwrap()],
        }],
        records: Vec::new(),
    }
}

fn endpoint(cluster: &str, address: &str) -> EndpointInput {
    EndpointInput {
        cluster: cluster.to_owned(),
        addresses: vec![address.parse::<IpAddr>().unwrap()],
        weight: 1,
    }
}

fn name(seq: u64) -> NameInput {
    NameInput {
        name: "shop.demo.example".to_owned(),
        zone: "demo.example".to_owned(),
        epoch: 1,
        seq,
        ttl: 5,
        steer: Vec::new(),
        on_all_down: OnAllDown::LastGood,
        degraded_ttl: None,
        https: None,
        svcb: None,
        endpoints: vec![endpoint("a", "192.0.2.1"), endpoint("b", "192.0.2.2")],
    }
}

fn plan(seq: u64) -> SnapshotInput {
    SnapshotInput {
        stamp: stamp(seq),
        zones: vec![zone()],
        names: vec![name(seq)],
        ..SnapshotInput::default()
    }
}

fn held(catalog: &Catalog) -> Vec<NameInput> {
    catalog.names().map(|name| name.input.clone()).collect()
}

#[test]
fn only_newer_plans_of_the_same_fleet_are_taken() {
    let (catalog, applied) = Catalog::default().applied(&plan(5)).unwrap();
    assert_eq!((applied.zones, applied.names, applied.changed), (1, 1, 2));
    for seq in [4, 5] {
        let refused = catalog.applied(&plan(seq)).unwrap_err();
        assert!(matches!(refused, Refused::NotNewer { .. }), "{refused}");
    }
    let mut later_epoch = plan(1);
    later_epoch.stamp.epoch = 2;
    assert!(catalog.applied(&later_epoch).is_ok());
    let mut foreign = plan(6);
    foreign.stamp.fleet_uid = "other".to_owned();
    assert!(matches!(
        catalog.applied(&foreign).unwrap_err(),
        Refused::ForeignFleet { .. }
    ));
    let mut nameless = plan(6);
    nameless.stamp.fleet_uid.clear();
    assert_eq!(catalog.applied(&nameless).unwrap_err(), Refused::NoFleet);
}

#[test]
fn a_plan_below_the_high_water_is_refused_after_a_restart() {
    let (mut catalog, _) = Catalog::default().applied(&plan(5)).unwrap();
    catalog.remember_high_water(&stamp(8));
    assert!(matches!(
        catalog.applied(&plan(7)).unwrap_err(),
        Refused::BelowHighWater { .. }
    ));
    assert!(
        catalog.applied(&plan(8)).is_ok(),
        "the plan served before the restart is taken again"
    );
}

#[test]
fn a_record_set_keeps_its_own_stamp() {
    let (catalog, _) = Catalog::default().applied(&plan(5)).unwrap();
    let mut late = plan(6);
    late.names[0].seq = 4;
    late.names[0].endpoints.truncate(1);
    let (catalog, applied) = catalog.applied(&late).unwrap();
    assert_eq!((applied.skipped, applied.changed), (1, 0));
    assert_eq!(held(&catalog), [name(5)]);
}

#[test]
fn nothing_disappears_unless_removed_says_so() {
    let (catalog, _) = Catalog::default().applied(&plan(1)).unwrap();
    let empty = SnapshotInput {
        stamp: stamp(2),
        ..SnapshotInput::default()
    };
    let (catalog, applied) = catalog.applied(&empty).unwrap();
    assert_eq!((applied.zones, applied.names), (1, 1));

    let zone_first = SnapshotInput {
        stamp: stamp(3),
        removed: vec!["demo.example".to_owned()],
        ..SnapshotInput::default()
    };
    let (catalog, applied) = catalog.applied(&zone_first).unwrap();
    assert_eq!((applied.zones, applied.removed), (1, 0));
    assert!(
        applied.rejected[0]
            .to_string()
            .contains("still holds the name shop.demo.example")
    );

    let removed = vec!["demo.example.".to_owned(), "shop.demo.example".to_owned()];
    let both = SnapshotInput {
        stamp: stamp(4),
        removed,
        ..SnapshotInput::default()
    };
    let (_, applied) = catalog.applied(&both).unwrap();
    assert_eq!((applied.zones, applied.names, applied.removed), (0, 0, 2));
}

#[test]
fn what_is_kept_is_restored() {
    let (catalog, _) = Catalog::default().applied(&plan(3)).unwrap();
    let (kept, _) = catalog.kept().unwrap();
    let kept = serde_json::from_slice(&serde_json::to_vec(&kept).unwrap()).unwrap();
    let (restored, problems) = Catalog::restored(kept, vec![check::zone(&zone()).unwrap()]);
    assert_eq!(problems, []);
    assert_eq!(restored.stamp(), catalog.stamp());
    assert_eq!(held(&restored), held(&catalog));
    assert_eq!(zone_data(&restored), zone_data(&catalog));
}

fn zone_data(catalog: &Catalog) -> Vec<&crate::zone::Zone> {
    catalog.zones.values().map(|zone| &*zone.data).collect()
}

/// Applies a plan whose name was spoilt by `change`: it must be rejected for `expected`, and the good one must stay.
fn check_name(change: impl Fn(&mut NameInput), expected: &str) {
    let (catalog, _) = Catalog::default().applied(&plan(1)).unwrap();
    let mut bad = plan(2);
    change(&mut bad.names[0]);
    let (catalog, applied) = catalog.applied(&bad).unwrap();
    let told: Vec<String> = applied.rejected.iter().map(Problem::to_string).collect();
    assert!(
        told.len() == 1 && told[0].contains(expected),
        "{told:?} should say `{expected}`"
    );
    assert_eq!(held(&catalog), [name(1)]);
}

#[test]
fn a_bad_name_is_named_and_leaves_the_good_one() {
    check_name(
        |name| name.endpoints.clear(),
        "name shop.demo.example: endpoints: is empty",
    );
    check_name(
        |name| name.endpoints[1].addresses.clear(),
        "endpoints[1].addresses: is empty for the cluster b",
    );
    check_name(
        |name| name.endpoints.iter_mut().for_each(|e| e.weight = 0),
        "endpoints: has only weights of 0",
    );
    check_name(
        |name| name.endpoints[1].cluster = "a".to_owned(),
        "endpoints[1].cluster: the cluster a has two",
    );
    check_name(
        |name| name.endpoints[1].addresses = name.endpoints[0].addresses.clone(),
        "192.0.2.1 is listed twice",
    );
    check_name(
        |name| name.ttl = 0x8000_0000,
        "ttl: is 2147483648; at most 2147483647",
    );
    check_name(
        |name| name.name = "shop.other.example".to_owned(),
        "outside its zone demo.example",
    );
    check_name(
        |name| name.name = "a..demo.example".to_owned(),
        "name: has an empty label",
    );
    check_name(
        |name| name.zone = "example".to_owned(),
        "no zone example; it has demo.example",
    );
    check_name(
        |name| name.name = "ns1.demo.example".to_owned(),
        "has fixed addresses",
    );
}

#[test]
fn what_stands_in_when_all_are_down_is_checked() {
    check_name(
        |name| name.on_all_down = OnAllDown::Fallback(Vec::new()),
        "onAllDown.fallback: has no IPv4 address, and the endpoints have; at least one is needed",
    );
    check_name(
        |name| name.on_all_down = OnAllDown::Fallback(vec!["192.0.2.9".parse().unwrap(); 2]),
        "onAllDown.fallback: the address 192.0.2.9 is listed twice",
    );
    for ttl_s in [0, 6] {
        check_name(
            |name| name.degraded_ttl = Some(ttl_s),
            "1 to the name's ttl of 5 seconds are allowed",
        );
    }
}

/// The filters of a plan as JSON, and what is said of them.
#[test]
fn bad_filters_are_rejected_by_path() {
    let check = |filters: &str, expected: &str| {
        let filters: Vec<Filter> = serde_json::from_str(filters).unwrap();
        check_name(|name| name.steer = filters.clone(), expected);
    };
    check(
        r#"[{"all": {}}, {"max": 0}]"#,
        "steer[1].max: is 0; at least one address is needed",
    );
    check(
        r#"[{"failover": {"tiers": [["z"], ["y", "z"]]}}]"#,
        "steer[0].failover.tiers[1][1]: the cluster z is listed twice",
    );
    check(
        r#"[{"failover": {"tiers": [[]]}}]"#,
        "steer[0].failover.tiers[0]: is empty; at least one cluster is needed",
    );
    check(
        r#"[{"failover": {"tiers": [["a"]], "trickle": 501}}]"#,
        "steer[0].failover.trickle: is 501; 0 to 500 thousandths are allowed",
    );
    check(
        r#"[{"capacity": {"clusters": {"a": {"ready": 1, "headroom": 1000}}}}]"#,
        "steer[0].capacity.clusters.a.headroom: is 1000; 0 to 999 thousandths are allowed",
    );
    check(
        r#"[{"capacity": {"clusters": {}}}]"#,
        "steer[0].capacity.clusters: is empty; at least one cluster is needed",
    );
    check(
        r#"[{"capacity": {"clusters": {"a": {"ready": 1}}, "demand": 0}}]"#,
        "steer[0].capacity.demand: is 0",
    );
    check(
        r#"[{"weighted": {"a": 0, "z": 7}}]"#,
        "steer[0].weighted: gives no cluster of the name a weight; at least one of a, b needs one above 0",
    );
    check(
        r#"[{"sticky": {"v4Prefix": 33}}]"#,
        "steer[0].sticky.v4Prefix: is 33; 1 to 32 bits are allowed",
    );
    check(
        r#"[{"sticky": {"v6Prefix": 0}}]"#,
        "steer[0].sticky.v6Prefix: is 0; 1 to 128 bits are allowed",
    );
    check(
        r#"[{"geo": {"countries": {"a": ["DE", "Germany"]}}}]"#,
        "steer[0].geo.countries.a[1]: is \"Germany\"; two capital letters by ISO 3166-1, such as DE, are allowed",
    );
    check(
        r#"[{"geo": {"continents": {"b": ["XX"]}}}]"#,
        "steer[0].geo.continents.b[0]: is \"XX\"; AF, AN, AS, EU, NA, OC, SA are allowed",
    );
    check(
        r#"[{"geo": {"locations": {"a": {"latitude": 91, "longitude": 0}}}}]"#,
        "steer[0].geo.locations.a.latitude: is 91; -90 to 90 degrees are allowed",
    );
    check(
        r#"[{"geo": {}}]"#,
        "steer[0].geo: is empty; at least one of networks, asns, countries, continents and locations is needed",
    );
    check(
        r#"[{"latency": {"rows": []}}]"#,
        "steer[0].latency.rows: is empty; at least one row is needed",
    );
    check(
        r#"[{"latency": {"rows": [{"prefix": "10.0.0.0", "rttMs": {"a": 1}}]}}]"#,
        "steer[0].latency.rows[0].prefix: is \"10.0.0.0\"; a CIDR prefix such as 198.51.100.0/24 is allowed",
    );
    check(
        r#"[{"latency": {"rows": [{"country": "DE", "asn": 1, "rttMs": {"a": 1}}]}}]"#,
        "steer[0].latency.rows[0]: must have exactly one of prefix, network, asn, country and continent",
    );
    check(
        r#"[{"latency": {"rows": [{"asn": 1, "rttMs": {"a": 1}}, {"asn": 1, "rttMs": {"a": 1}}]}}]"#,
        "steer[0].latency.rows[1]: is the second row for AS1; one is allowed",
    );
    check(
        r#"[{"latency": {"rows": [{"asn": 1, "rttMs": {}}]}}]"#,
        "steer[0].latency.rows[0].rttMs: is empty; the time to at least one cluster is needed",
    );
    check(
        r#"[{"latency": {"rows": [{"asn": 1, "rttMs": {"a": 1}}], "within": 1001}}]"#,
        "steer[0].latency.within: is 1001; 0 to 1000 per cent are allowed",
    );
    check(
        r#"[{"weighted": {}}, {"health": {}}]"#,
        "steer[1].health: stands after weighted; the order is health",
    );
    check(
        r#"[{"max": 1}, {"max": 2}]"#,
        "steer[1].max: stands twice; once is allowed",
    );
    check(
        r#"[{"weighted": {}}, {"all": {}}]"#,
        "steer[1].all: stands beside a filter",
    );
    check(
        r#"[{"all": {}}, {"sticky": {}}]"#,
        "steer[1].sticky: stands beside all",
    );
}

#[test]
fn a_name_listed_twice_is_taken_from_neither() {
    let mut twice = plan(1);
    twice.names.push(NameInput {
        name: "Shop.Demo.Example.".to_owned(),
        ..name(1)
    });
    let (catalog, applied) = Catalog::default().applied(&twice).unwrap();
    assert_eq!(applied.rejected.len(), 2);
    assert_eq!(held(&catalog), []);
}

/// Like `check_name`, for the zone.
fn check_zone(change: impl Fn(&mut ZoneInput), expected: &str) {
    let (catalog, _) = Catalog::default().applied(&plan(1)).unwrap();
    let mut bad = plan(2);
    change(&mut bad.zones[0]);
    let (catalog, applied) = catalog.applied(&bad).unwrap();
    let told: Vec<String> = applied.rejected.iter().map(Problem::to_string).collect();
    assert!(
        told.len() == 1 && told[0].contains(expected),
        "{told:?} should say `{expected}`"
    );
    assert_eq!(zone_data(&catalog), [&check::zone(&zone()).unwrap()]);
}

fn record(name: &str, kind: &str, data: &[&str]) -> RecordInput {
    let data = data.iter().map(|text| (*text).to_owned()).collect();
    RecordInput {
        name: name.to_owned(),
        ttl: None,
        kind: kind.to_owned(),
        data,
    }
}

#[test]
fn a_bad_zone_is_named_and_leaves_the_good_one() {
    check_zone(
        |zone| zone.name_servers.clear(),
        "zone demo.example: nameServers: is empty",
    );
    check_zone(
        |zone| zone.name_servers[0].addresses.clear(),
        "nameServers[0].addresses: is empty",
    );
    check_zone(|zone| zone.ttl = u32::MAX, "ttl: is 4294967295");
    check_zone(
        |zone| zone.soa.mname = "n s".to_owned(),
        "soa.mname: has the character ` `",
    );
    check_zone(
        |zone| zone.records = vec![record("www", "OPT", &["x"])],
        "records[0].kind: is OPT; types of data are allowed, such as A, AAAA, CAA",
    );
    check_zone(
        |zone| zone.records = vec![record("www", "MX", &["x"])],
        "records[0].data[0]: `x` in MX data: expected decimal number; PREFERENCE NAME is allowed",
    );
    check_zone(
        |zone| zone.records = vec![record("@", "NS", &["a.example."])],
        "those are the zone's nameServers",
    );
    check_zone(
        |zone| {
            zone.records = vec![
                record("www", "CNAME", &["a.example."]),
                record("www", "TXT", &["x"]),
            ]
        },
        "records[1].data[0]: www.demo.example has a CNAME record and others",
    );
    check_zone(
        |zone| zone.records = vec![record("@", "CNAME", &["a.example."])],
        "records[0].data[0]: demo.example has a CNAME record and others; it may stand alone",
    );
    check_zone(
        |zone| zone.records = vec![record("www", "CNAME", &["a.example.", "b.example."])],
        "www.demo.example has two CNAME records; one is allowed",
    );
    check_zone(
        |zone| {
            zone.records = vec![
                record("x", "DNAME", &["a.example."]),
                record("a.x.demo.example", "TXT", &["x"]),
            ]
        },
        "a.x.demo.example lies below the DNAME record of x.demo.example",
    );
    check_zone(
        |zone| zone.records = vec![record("*.x.demo.example", "NS", &["a.example."])],
        "wildcard *.x.demo.example has an NS record",
    );
    check_zone(
        |zone| zone.records = vec![record("www", "A", &["192.0.2.300"])],
        "records[0].data[0]: `192.0.2.300` in A data: expected an IPv4 address",
    );
    check_zone(
        |zone| zone.records = vec![record("www", "A", &[])],
        "records[0].data: is empty",
    );
    check_zone(
        |zone| zone.records = vec![record("www.example", "TXT", &["x"])],
        "www.example lies outside the zone",
    );
    check_zone(
        |zone| zone.records = vec![record("shop", "A", &["192.0.2.9"])],
        "shop.demo.example, which is steered",
    );
    check_zone(
        |zone| zone.records = vec![record("@", "TXT", &["x"]), record("@", "txt", &["y"])],
        "second txt record set",
    );
}

#[test]
fn plan_data_is_strict_and_round_trips() {
    let json = serde_json::to_string(&plan(1)).unwrap();
    assert_eq!(serde_json::from_str::<SnapshotInput>(&json).unwrap(), plan(1));
    let negative = json.replace("\"weight\":1", "\"weight\":-1");
    assert!(
        serde_json::from_str::<SnapshotInput>(&negative)
            .unwrap_err()
            .to_string()
            .contains("-1")
    );
    let unknown = json.replace("\"ttl\":5", "\"ttl\":5,\"tttl\":6");
    assert!(
        serde_json::from_str::<SnapshotInput>(&unknown)
            .unwrap_err()
            .to_string()
            .contains("tttl")
    );
}
