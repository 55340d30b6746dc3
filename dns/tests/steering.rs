//! Verdicts move the answers: through the sink, over real queries.

mod support;

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::{Duration, SystemTime};

use hickory_proto::rr::RecordType;
use lifeboat_dns::{
    Action, Filter, Geo, GeoSources, GeoTable, NetworkInput, Notice, OnAllDown, Override, Ramp, Server,
    ServerConfig, register_all,
};
use lifeboat_health::{MonoTime, Verdict};
use prometheus_client::registry::Registry;
use support::{SHOP, Verdicts, address, addresses, ask, config, eventually, plan, query, served};

fn demo(state: &std::path::Path) -> ServerConfig {
    let mut config = config(state);
    config.ramp = Ramp {
        step_permille: 250,
        per: Duration::ZERO,
        at_least_ttl: true,
    };
    config
}

#[test]
fn one_dies_and_comes_back() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(demo(home.path())).unwrap();
    server.apply(plan(1)).unwrap();
    let mut verdicts = Verdicts::of(&server);
    verdicts.tick(0);
    assert_eq!(served(&server), "abcde", "Unknown serves the plan as it stands");
    verdicts.set("abcde", Verdict::Up);
    verdicts.set("b", Verdict::Down);
    verdicts.tick(1_000);
    assert_eq!(served(&server), "acde");
    // A plan that comes meanwhile does not bring it back.
    server.apply(plan(2)).unwrap();
    assert_eq!(served(&server), "acde");
    verdicts.set("b", Verdict::Recovering);
    verdicts.tick(20_000);
    let share = |server: &Server| {
        let shares = server.shares();
        let shop = shares
            .iter()
            .find(|name| name.name == "shop.demo.example")
            .unwrap();
        shop.answers
            .iter()
            .find(|answer| answer.cluster == "b")
            .map_or(0.0, |answer| answer.share)
    };
    assert!((share(&server) - 0.25 / 4.25).abs() < 1e-9);
    for (step, ms) in [25_000, 30_000, 35_000].into_iter().enumerate() {
        verdicts.tick(ms);
        let weight = 0.25 * (step as f64 + 2.0);
        assert!((share(&server) - weight / (4.0 + weight)).abs() < 1e-9);
    }
    server.stop();
}

#[test]
fn a_fleet_that_dies_keeps_its_whole_set() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(demo(home.path())).unwrap();
    server.apply(plan(1)).unwrap();
    let mut verdicts = Verdicts::of(&server);
    verdicts.set("abcde", Verdict::Up);
    verdicts.tick(0);
    // One after another, 50 ms apart.
    for (index, cluster) in ["a", "b", "c", "d", "e"].iter().enumerate() {
        verdicts.set(cluster, Verdict::Down);
        verdicts.tick(1_000 + 50 * index as u64);
        assert!(!server.shares()[0].answers.is_empty());
    }
    assert_eq!(served(&server), "abcde");
    assert_eq!(server.status().panic_names, 2);
    assert!(server.shares().iter().all(|name| name.panic));
    // All return.
    verdicts.set("abcde", Verdict::Recovering);
    verdicts.tick(60_000);
    verdicts.tick(61_500);
    assert_eq!(served(&server), "abcde");
    assert_eq!(server.status().panic_names, 0);
    server.stop();
}

#[test]
fn a_second_death_in_another_episode() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(demo(home.path())).unwrap();
    let mut two = plan(1);
    two.names[0].endpoints.truncate(2);
    server.apply(two).unwrap();
    let mut verdicts = Verdicts::of(&server);
    verdicts.set("abcde", Verdict::Up);
    verdicts.tick(0);
    verdicts.set("a", Verdict::Down);
    verdicts.tick(1_000);
    assert_eq!(served(&server), "b");
    verdicts.set("b", Verdict::Down);
    verdicts.tick(60_000);
    assert_eq!(
        served(&server),
        "b",
        "the set served just before the present episode"
    );
    // A third death that does not concern the name changes nothing.
    verdicts.set("c", Verdict::Down);
    verdicts.tick(120_000);
    assert_eq!(served(&server), "b");
    server.stop();
}

#[test]
fn the_last_usable_cluster_serves_though_it_flaps() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(demo(home.path())).unwrap();
    let mut two = plan(1);
    two.names[0].endpoints = two.names[0].endpoints[1..3].to_vec();
    server.apply(two).unwrap();
    let mut verdicts = Verdicts::of(&server);
    verdicts.set("abcde", Verdict::Up);
    assert_eq!(verdicts.tick(0), []);
    verdicts.hold_back("c", MonoTime::from_millis(500_000));
    let told = verdicts.tick(1_000);
    assert!(
        matches!(told, [Notice::HeldBack { cluster, held_back, .. }] if cluster == "c" && held_back.downs == 3),
        "{told:?}"
    );
    assert_eq!(served(&server), "b");
    let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let note = || {
        let told = server.explain(SHOP, "A", client, None).unwrap();
        let health = told.steps.iter().find(|step| step.filter == "health").unwrap();
        health.candidates[1].note.clone()
    };
    assert!(
        note().starts_with("held back after 3 Downs, until about "),
        "{}",
        note()
    );
    verdicts.set("b", Verdict::Down);
    assert_eq!(verdicts.tick(30_000), [], "no PANIC: c can serve");
    assert_eq!(served(&server), "c");
    assert!(
        note().ends_with("nobody else is known to be healthy"),
        "{}",
        note()
    );
    let shares = server.shares();
    assert!(shares.iter().all(|name| !name.panic));
    verdicts.set("c", Verdict::Up);
    let told = verdicts.tick(500_000);
    assert!(
        matches!(told, [Notice::Released { cluster, .. }] if cluster == "c"),
        "{told:?}"
    );
    server.stop();
}

#[test]
fn a_dead_cluster_that_leaves_the_plan_first_is_not_answered_on_its_way_out() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(demo(home.path())).unwrap();
    server.apply(plan(1)).unwrap();
    let mut verdicts = Verdicts::of(&server);
    verdicts.set("abcde", Verdict::Up);
    verdicts.set("b", Verdict::Down);
    verdicts.tick(0);
    assert_eq!(served(&server), "acde");
    let mut without = plan(2);
    for name in &mut without.names {
        name.endpoints.retain(|endpoint| endpoint.cluster != "b");
    }
    server.apply(without).unwrap();
    assert!(!server.clusters().contains("b"));
    assert_eq!(served(&server), "acde");
    verdicts.vanish("b");
    verdicts.tick(10);
    assert_eq!(served(&server), "acde");
    // The other way round it is answered: whom nobody observes counts as healthy.
    verdicts.set("c", Verdict::Down);
    verdicts.tick(20);
    verdicts.vanish("c");
    verdicts.tick(30);
    assert!(server.clusters().contains("c"));
    assert_eq!(served(&server), "acde");
    server.stop();
}

#[test]
fn what_is_over_is_told_of_a_cluster_that_nobody_observes_any_more() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(demo(home.path())).unwrap();
    server.apply(plan(1)).unwrap();
    let mut verdicts = Verdicts::of(&server);
    verdicts.set("abcde", Verdict::Up);
    verdicts.hold_back("b", MonoTime::from_millis(500_000));
    verdicts.lower("c", 250);
    let told = verdicts.tick(0);
    assert!(
        matches!(told, [Notice::HeldBack { cluster: b, .. }, Notice::Gray { cluster: c, .. }] if b == "b" && c == "c"),
        "{told:?}"
    );
    verdicts.vanish("b");
    verdicts.vanish("c");
    let told = verdicts.tick(10);
    assert!(
        matches!(told, [Notice::Released { cluster: b, .. }, Notice::Gray { cluster: c, gray, .. }]
            if b == "b" && c == "c" && gray.factor_permille == 1_000),
        "{told:?}"
    );
    assert_eq!(verdicts.tick(20), []);
    server.stop();
}

#[test]
fn the_shortest_panic_is_told() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(demo(home.path())).unwrap();
    server.apply(plan(1)).unwrap();
    let mut verdicts = Verdicts::of(&server);
    verdicts.set("abcde", Verdict::Up);
    assert_eq!(verdicts.tick(0), []);
    // `many` is in a alone.
    verdicts.set("a", Verdict::Down);
    assert_eq!(verdicts.tick(10), [Notice::Panic]);
    assert_eq!(verdicts.tick(20), []);
    verdicts.set("a", Verdict::Recovering);
    assert_eq!(verdicts.tick(30), [Notice::Calm]);
    // A plan can bring it about as well.
    verdicts.set("b", Verdict::Down);
    assert_eq!(verdicts.tick(40), []);
    let mut alone = plan(2);
    alone.names[0].endpoints = alone.names[0].endpoints[1..2].to_vec();
    server.apply(alone).unwrap();
    assert_eq!(verdicts.tick(50), [Notice::Panic]);
    server.stop();
}

#[test]
fn geo_data_is_reloaded_under_the_same_plan() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(demo(home.path())).unwrap();
    let mut plan = plan(1);
    let of = |cluster: &str, code: &str| (cluster.to_owned(), vec![code.to_owned()]);
    let countries = [of("b", "DE"), of("c", "FR")].into_iter().collect();
    plan.names[0].steer = vec![Filter::Geo(Geo {
        countries,
        ..Geo::default()
    })];
    server.apply(plan).unwrap();
    assert_eq!(served(&server), "abcde");
    for (country, expected) in [("DE", "b"), ("FR", "c")] {
        let networks = vec![NetworkInput {
            prefix: "127.0.0.0/8".to_owned(),
            country: Some(country.to_owned()),
            ..NetworkInput::default()
        }];
        let geo = GeoTable::load(&GeoSources {
            networks,
            ..GeoSources::default()
        });
        server.set_geo(geo.unwrap()).unwrap();
        assert_eq!(served(&server), expected);
    }
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let told = server.explain(SHOP, "A", local, None).unwrap();
    let geo = told.steps.iter().find(|step| step.filter == "geo").unwrap();
    assert_eq!(
        geo.detail,
        "the client is in country FR: the clusters listed for it"
    );
    assert_eq!((told.answer.as_str(), told.scope), ("c 100.0 %, TTL 5 s", 8));
    let elsewhere = Some("198.51.100.0/24".parse().unwrap());
    let told = server.explain(SHOP, "A", local, elsewhere).unwrap();
    assert!(told.answer.starts_with("a 20.0 %, b 20.0 %"), "{}", told.answer);
    assert_eq!(told.scope, 1, "all of 128.0.0.0/1 is unknown");
    let opted_out = Some("0.0.0.0/0".parse().unwrap());
    assert_eq!(
        server.explain(SHOP, "A", local, opted_out).unwrap().answer,
        "c 100.0 %, TTL 5 s"
    );
    server.stop();
}

fn ordered(of: &str, action: Action) -> Override {
    Override {
        of: of.to_owned(),
        action,
        until: SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40),
        reason: "maintenance".to_owned(),
    }
}

#[test]
fn an_operator_drains_clusters_within_the_safety_rule() {
    let home = tempfile::tempdir().unwrap();
    let mut config = demo(home.path());
    config.min_active_clusters = 2;
    let server = Server::start(config).unwrap();
    server.apply(plan(1)).unwrap();
    let mut verdicts = Verdicts::of(&server);
    verdicts.set("abcde", Verdict::Up);
    verdicts.tick(0);
    let drain = |clusters: &str| {
        let orders = clusters.chars().map(|c| ordered(&c.to_string(), Action::Down));
        server.set_overrides(orders.collect())
    };
    drain("abc").unwrap();
    verdicts.tick(10);
    assert_eq!(served(&server), "de");
    assert_eq!(
        drain("abcd").unwrap_err().to_string(),
        "override of d: down would leave 1 of 5 clusters active for IPv4; at least 2 must stay"
    );
    assert!(
        drain("z")
            .unwrap_err()
            .to_string()
            .contains("clusters are a, b, c, d, e")
    );
    let mut ended = ordered("a", Action::Up);
    ended.until = SystemTime::UNIX_EPOCH;
    assert!(server.set_overrides(vec![ended]).is_err());
    assert_eq!(server.overrides().len(), 3, "what is refused changes nothing");
    // One of the two that are left dies: the newest drain is lifted.
    verdicts.set("e", Verdict::Down);
    verdicts.tick(20);
    assert_eq!(served(&server), "cd");
    let told = server
        .explain(SHOP, "A", IpAddr::V4(Ipv4Addr::LOCALHOST), None)
        .unwrap();
    let health = told.steps.iter().find(|step| step.filter == "health").unwrap();
    let notes: Vec<&str> = health.candidates.iter().map(|of| of.note.as_str()).collect();
    assert_eq!(notes[0], "override down: maintenance");
    assert!(
        notes[2].starts_with("override down is lifted, too few clusters would be active"),
        "{}",
        notes[2]
    );
    server.set_overrides(Vec::new()).unwrap();
    verdicts.tick(30);
    assert_eq!(served(&server), "abcd");
    server.stop();
}

/// Orders about one name leave the others alone, and empty no answer.
#[test]
fn an_operator_orders_single_names() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(demo(home.path())).unwrap();
    let mut plan = plan(1);
    let mut other = plan.names[0].clone();
    other.name = "other.demo.example".to_owned();
    other.on_all_down = OnAllDown::Fallback(vec!["203.0.113.9".parse().unwrap()]);
    plan.names.push(other);
    server.apply(plan).unwrap();
    let mut verdicts = Verdicts::of(&server);
    verdicts.set("abcde", Verdict::Up);
    verdicts.tick(0);
    let of = |name: &str| {
        let shares = server.shares().into_iter().find(|of| of.name == name).unwrap();
        shares
            .answers
            .into_iter()
            .map(|of| of.cluster)
            .collect::<String>()
    };
    let mut order = |orders: &[(&str, Action)], down: &str| {
        let orders = orders.iter().map(|(of, action)| ordered(of, *action));
        server
            .set_overrides(orders.collect())
            .map_err(|refused| refused.to_string())?;
        verdicts.set("abcde", Verdict::Up);
        verdicts.set(down, Verdict::Down);
        verdicts.tick(10);
        Ok::<_, String>(())
    };
    let (shop, b) = ("shop.demo.example", "shop.demo.example/b");
    order(&[(b, Action::Down)], "").unwrap();
    assert_eq!(
        (of(shop).as_str(), of("other.demo.example").as_str()),
        ("acde", "abcde")
    );
    let told = server
        .explain(SHOP, "A", IpAddr::V4(Ipv4Addr::LOCALHOST), None)
        .unwrap();
    let told = told.steps.iter().find(|step| step.filter == "override").unwrap();
    assert_eq!(told.detail, "override of shop.demo.example/b down: maintenance");
    order(&[(b, Action::Down)], "acde").unwrap();
    assert_eq!(of(shop), "b", "an order is lifted where nobody else is left");
    order(&[(b, Action::Up)], "b").unwrap();
    assert_eq!(
        (of(shop).as_str(), of("other.demo.example").as_str()),
        ("abcde", "acde")
    );
    order(&[(shop, Action::Up)], "abc").unwrap();
    assert_eq!(
        (of(shop).as_str(), of("other.demo.example").as_str()),
        ("abcde", "de")
    );
    order(&[("Other.demo.example.", Action::Down)], "").unwrap();
    let asked = ask(server.local_addrs()[0], "other.demo.example.", RecordType::A);
    assert_eq!(addresses(&asked), ["203.0.113.9".parse::<IpAddr>().unwrap()]);
    order(&[], "").unwrap();
    assert_eq!(of("other.demo.example"), "abcde");

    let four: Vec<String> = "abcd".chars().map(|c| format!("{shop}/{c}")).collect();
    let four: Vec<(&str, Action)> = four.iter().map(|of| (of.as_str(), Action::Down)).collect();
    order(&four, "").unwrap();
    for (orders, words) in [
        (
            [four.as_slice(), &[("e", Action::Down)]].concat(),
            "0 of 5 clusters active",
        ),
        (
            vec![(shop, Action::Weight(10))],
            "a name has no weight of its own",
        ),
        (vec![(shop, Action::Down)], "its onAllDown is lastGood"),
        (
            vec![("shop.demo.example/z", Action::Up)],
            "but with a, b, c, d, e",
        ),
        (
            vec![("absent.demo.example/a", Action::Up)],
            "absent.demo.example is no steered name",
        ),
        (
            vec![("absent.demo.example", Action::Up)],
            "no such cluster or steered name",
        ),
        (
            vec![(shop, Action::Up), ("SHOP.demo.example", Action::Up)],
            "there are two",
        ),
    ] {
        let refused = order(&orders, "").unwrap_err();
        assert!(refused.contains(words), "{refused}");
    }
    assert_eq!(of(shop), "e", "what is refused changes nothing");
    server.stop();
}

#[test]
fn answers_wait_for_verdicts_or_the_grace() {
    let home = tempfile::tempdir().unwrap();
    let mut config = demo(home.path());
    config.start_grace = Duration::from_secs(3600);
    let server = Server::start(config).unwrap();
    server.apply(plan(1)).unwrap();
    assert!(!server.ready());
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(server.local_addrs()[0]).unwrap();
    client.send(&query(SHOP, RecordType::A, 1)).unwrap();
    let mut verdicts = Verdicts::of(&server);
    verdicts.tick(0);
    assert!(!server.ready());
    verdicts.set("abcd", Verdict::Up);
    verdicts.tick(10);
    assert!(!server.ready());
    verdicts.set("e", Verdict::Down);
    verdicts.tick(20);
    assert!(server.ready());
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert!(
        client.recv(&mut [0; 512]).unwrap() > 12,
        "the query that waited is answered"
    );
    assert_eq!(served(&server), "abcd");
    server.stop();
}

#[test]
fn an_answer_is_explained() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(demo(home.path())).unwrap();
    server.apply(plan(1)).unwrap();
    let mut verdicts = Verdicts::of(&server);
    verdicts.set("abcde", Verdict::Up);
    verdicts.set("a", Verdict::Down);
    verdicts.tick(0);
    let client = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 200));
    let told = server.explain("shop.demo.example", "a", client, None).unwrap();
    assert_eq!(told.answer, "b 25.0 %, c 25.0 %, d 25.0 %, e 25.0 %, TTL 2 s");
    let health = told.steps.iter().find(|step| step.filter == "health").unwrap();
    let first = &health.candidates[0];
    assert_eq!(
        (first.note.as_str(), first.gate, first.addresses.as_slice()),
        ("withdrawn", 0.0, [address(0)].as_slice())
    );
    assert_eq!(
        server
            .explain("nope.demo.example", "A", client, None)
            .unwrap()
            .answer,
        "NXDOMAIN, with the zone's SOA"
    );
    assert!(
        server
            .explain("shop.demo.example", "AAAA", client, None)
            .unwrap()
            .answer
            .starts_with("no data")
    );
    assert_eq!(
        server.explain("example.org", "A", client, None).unwrap().answer,
        "REFUSED"
    );
    assert!(
        server
            .explain("a..b", "A", client, None)
            .unwrap_err()
            .to_string()
            .contains("empty label")
    );
    assert!(
        server
            .explain("a.b", "NOPE", client, None)
            .unwrap_err()
            .to_string()
            .contains("`NOPE`")
    );
    server.stop();
}

/// Of the service records, the decisions about both families, then who comes after.
#[test]
fn service_records_are_explained() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(demo(home.path())).unwrap();
    let mut plan = plan(1);
    let shop = &mut plan.names[0];
    let tiers = r#"[{"failover": {"tiers": [["a", "b"], ["c"], ["d"]]}}, {"weighted": {"a": 3, "b": 1, "c": 1, "d": 1}}]"#;
    shop.steer = serde_json::from_str(tiers).unwrap();
    shop.endpoints.truncate(4);
    shop.endpoints[2].addresses.push("2001:db8::3".parse().unwrap());
    shop.https = serde_json::from_str(r#"{"alpn": ["h2"]}"#).unwrap();
    assert_eq!(server.apply(plan).unwrap().rejected, []);
    let mut verdicts = Verdicts::of(&server);
    verdicts.set("abcd", Verdict::Up);
    verdicts.tick(0);
    let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let told = |server: &Server| server.explain(SHOP, "https", client, None).unwrap();
    let before = told(&server);
    assert_eq!(
        before.answer,
        "first ipv4hint a 75.0 %, b 25.0 %, TTL 5 s and ipv6hint c 100.0 %, TTL 5 s; then a 25.0 %, b 75.0 %"
    );
    assert_eq!((before.kind.as_str(), before.ttl), ("HTTPS", Some(5)));
    let filters: Vec<&str> = before.steps.iter().map(|step| step.filter.as_str()).collect();
    let family = ["health", "failover", "weighted"];
    let expected = [
        &["lookup", "ipv4hint"][..],
        &family,
        &["ipv6hint"],
        &family,
        &["alternates"],
    ]
    .concat();
    assert_eq!(filters, expected);
    verdicts.set("ab", Verdict::Down);
    verdicts.tick(1_000);
    let after = told(&server);
    assert_eq!(
        after.answer,
        "first ipv4hint c 100.0 %, TTL 2 s and ipv6hint c 100.0 %, TTL 5 s; then d 100.0 %"
    );
    assert_eq!(after.ttl, Some(2));
    server.stop();
}

#[test]
fn metrics_tell_the_state() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(demo(home.path())).unwrap();
    server.apply(plan(7)).unwrap();
    assert!(server.apply(plan(7)).is_err());
    let mut verdicts = Verdicts::of(&server);
    verdicts.set("abcde", Verdict::Down);
    verdicts.tick(0);
    served(&server);
    let at = server.local_addrs()[0];
    for name in ["absent.demo.example.", "a.broken.example.", "elsewhere.example."] {
        ask(at, name, RecordType::A);
    }
    eventually("the counts", || {
        let queries = server.status().queries;
        queries.iter().map(|count| count.count).sum::<u64>() == 203
    });
    let mut registry = Registry::default();
    register_all(&[&server], &mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in [
        r#"lifeboat_dns_queries_total{server="dns-1",transport="udp",qtype="A",rcode="NOERROR"} 200"#,
        r#"lifeboat_dns_zone_queries_total{server="dns-1",zone="demo.example",rcode="NOERROR"} 200"#,
        r#"lifeboat_dns_zone_queries_total{server="dns-1",zone="demo.example",rcode="NXDOMAIN"} 1"#,
        r#"lifeboat_dns_zone_queries_total{server="dns-1",zone="(other)",rcode="other"} 2"#,
        r#"lifeboat_dns_name_queries_total{server="dns-1",name="shop.demo.example"} 200"#,
        r#"lifeboat_dns_panic_answers_total{server="dns-1"} 200"#,
        r#"lifeboat_dns_panic_names{server="dns-1"} 2"#,
        r#"lifeboat_dns_plan_seq{server="dns-1"} 7"#,
        r#"lifeboat_dns_plans_refused_total{server="dns-1"} 1"#,
        r#"lifeboat_dns_gate_ratio{server="dns-1",cluster="a",family="ipv4"} 1.0"#,
        r#"lifeboat_dns_gray_ratio{server="dns-1",cluster="a",family="ipv4"} 1.0"#,
        r#"lifeboat_dns_gate_held_back{server="dns-1",cluster="a",family="ipv4"} 0"#,
        r#"lifeboat_dns_ready{server="dns-1"} 1"#,
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    server.stop();
}
