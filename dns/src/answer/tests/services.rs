//! HTTPS and SVCB records of steered names (RFC 9460).

use domain::utils::base64;
use hickory_proto::rr::rdata::SVCB;
use hickory_proto::rr::rdata::svcb::{SvcParamKey, SvcParamValue};

use super::steering::ttls;
use super::*;
use crate::input::{Filter, NameInput, OnAllDown, ServiceInput};

const SHOP: &str = "shop.demo.example.";

/// Records as a plan states them.
fn stated(json: &str) -> Option<Box<ServiceInput>> {
    Some(serde_json::from_str(json).unwrap())
}

/// The plan, whose `shop` has HTTPS records.
fn served(https: &str, change: impl Fn(&mut NameInput)) -> Bench {
    Bench::with_shop(|shop| {
        shop.https = stated(https);
        change(shop);
    })
}

fn tiers(shop: &mut NameInput) {
    let tiers = r#"[{"failover": {"tiers": [["b"], ["c"], ["a"]]}}]"#;
    shop.steer = serde_json::from_str::<Vec<Filter>>(tiers).unwrap();
}

impl Bench {
    fn drawn(&mut self, name: &str, kind: RecordType, draw: u64) -> Message {
        let query = with_edns(question(name, kind), 1232).to_vec().unwrap();
        let (_, out) = self.raw(&query, Transport::Udp, draw);
        Message::from_vec(&out).unwrap()
    }

    fn gate(&self, cluster: &str, family: Family, gate: u32) {
        let value = GateValue {
            gate,
            episode: u32::from(gate == 0),
            ..GateValue::default()
        };
        self.gates
            .store(self.gates.intern(cluster, family).unwrap(), value);
    }
}

/// The records of an answer, in the order in which they stand.
fn services(message: &Message) -> Vec<&SVCB> {
    let records = message.answers.iter().filter_map(|record| {
        if let RData::HTTPS(https) = &record.data {
            return Some(&**https);
        }
        if let RData::SVCB(svcb) = &record.data {
            return Some(svcb);
        }
        None
    });
    records.collect()
}

/// Hints of a record, IPv4 first.
fn hints(service: &SVCB) -> Vec<IpAddr> {
    let mut hints = Vec::new();
    for (_, value) in &service.svc_params {
        if let SvcParamValue::Ipv4Hint(hint) = value {
            hints.extend(hint.0.iter().map(|address| IpAddr::V4(address.0)));
        }
        if let SvcParamValue::Ipv6Hint(hint) = value {
            hints.extend(hint.0.iter().map(|address| IpAddr::V6(address.0)));
        }
    }
    hints
}

/// `1 . 192.0.2.1 2001:db8::1`.
fn told(message: &Message) -> Vec<String> {
    let told = services(message).into_iter().map(|service| {
        let hints: Vec<String> = hints(service).iter().map(ToString::to_string).collect();
        format!(
            "{} {} {}",
            service.svc_priority,
            service.target_name,
            hints.join(" ")
        )
    });
    told.collect()
}

/// RFC 9460 §2.2: priority, target uncompressed, parameters in strictly ascending order; §2.5.2: `.` is the owner; §7.1.1,
/// §7.2, §7.3, §8: their values.
#[test]
fn parameters_stand_in_order() {
    let all = r#"{"alpn": ["h2", "h3"], "noDefaultAlpn": true, "port": 8443, "ech": "AAT+DQAA",
                  "mandatory": ["ech", "alpn"], "alternates": 0}"#;
    let query = question(SHOP, RecordType::HTTPS).to_vec().unwrap();
    let (_, out) = served(all, |_| {}).raw(&query, Transport::Udp, 0);
    let expected: [&[u8]; 10] = [
        b"\xc0\x0c\x00\x41\x00\x01\x00\x00\x00\x05\x00\x45",
        b"\x00\x01\x00",
        b"\x00\x00\x00\x04\x00\x01\x00\x05",
        b"\x00\x01\x00\x06\x02h2\x02h3",
        b"\x00\x02\x00\x00",
        b"\x00\x03\x00\x02\x20\xfb",
        b"\x00\x04\x00\x04\xc0\x00\x02\x01",
        b"\x00\x05\x00\x06\x00\x04\xfe\x0d\x00\x00",
        b"\x00\x06\x00\x10\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\x00\x00\x00\x01",
    ];
    let record = expected.concat();
    assert!(out.ends_with(&record), "{}", out.escape_ascii());
    assert_eq!(usize::from(record[11]), record.len() - 12);
}

/// RFC 9460 §2.4.1: an alternate has a higher number of priority, and its own name as its target; both types are alike but for
/// the type (§6, §9).
#[test]
fn alternates_follow_by_priority() {
    let mut bench = Bench::with_shop(|shop| {
        tiers(shop);
        shop.https = stated(r#"{"alternates": 2}"#);
        shop.svcb = stated("{}");
    });
    assert_eq!(
        told(&bench.drawn(SHOP, RecordType::HTTPS, 0)),
        [
            "1 . 192.0.2.2 2001:db8::2",
            "2 c.shop.demo.example. 192.0.2.3 2001:db8::3",
            "3 a.shop.demo.example. 192.0.2.1 2001:db8::1"
        ]
    );
    assert_eq!(
        told(&bench.drawn(SHOP, RecordType::SVCB, 0)),
        [
            "1 . 192.0.2.2 2001:db8::2",
            "2 c.shop.demo.example. 192.0.2.3 2001:db8::3"
        ],
        "one where the plan does not say"
    );
    bench.withdraw(&["b"], FULL);
    bench.gate("b", Family::V6, 0);
    let reply = bench.drawn(SHOP, RecordType::HTTPS, 0);
    assert_eq!(
        told(&reply),
        [
            "1 . 192.0.2.3 2001:db8::3",
            "2 a.shop.demo.example. 192.0.2.1 2001:db8::1"
        ]
    );
    assert_eq!(ttls(&reply), [2, 2]);
}

/// RFC 9460 §7.3: hints are of the decision of their own family; the TTL is that of the one that is worse off.
#[test]
fn each_family_has_its_own_hints() {
    let mut bench = served("{}", tiers);
    bench.gate("b", Family::V6, 0);
    let reply = bench.drawn(SHOP, RecordType::HTTPS, 0);
    assert_eq!(
        told(&reply),
        ["1 . 192.0.2.2 2001:db8::3", "2 c.shop.demo.example. 192.0.2.3"],
        "c's IPv6 address stands in the first already"
    );
    assert_eq!(ttls(&reply), [2, 2]);
    bench.gate("c", Family::V6, 0);
    let reply = bench.drawn(SHOP, RecordType::HTTPS, 0);
    assert_eq!(
        told(&reply),
        ["1 . 192.0.2.2 2001:db8::1", "2 c.shop.demo.example. 192.0.2.3"],
        "no withdrawn address"
    );
}

/// A name with addresses of one family has hints of that one.
#[test]
fn one_family_alone() {
    let mut bench = served("{}", |shop| {
        tiers(shop);
        for endpoint in &mut shop.endpoints {
            endpoint.addresses.retain(IpAddr::is_ipv6);
        }
    });
    assert_eq!(
        told(&bench.drawn(SHOP, RecordType::HTTPS, 0)),
        ["1 . 2001:db8::2", "2 c.shop.demo.example. 2001:db8::3"]
    );
}

/// The alternates of clients that a weight has sent to one cluster go to the others in proportion too: b and c weigh 3 and 1.
#[test]
fn alternates_are_spread_by_weight() {
    let mut bench = served("{}", |shop| {
        for (endpoint, weight) in shop.endpoints.iter_mut().zip([4, 3, 1]) {
            endpoint.weight = weight;
        }
    });
    let mut after_a = [0, 0];
    for draw in 0..1_000 {
        // The draws of the lower half are a's.
        let reply = bench.drawn(SHOP, RecordType::HTTPS, draw * (u64::MAX / 2_000));
        match services(&reply)[1].target_name.to_string().as_str() {
            "b.shop.demo.example." => after_a[0] += 1,
            "c.shop.demo.example." => after_a[1] += 1,
            other => panic!("{other}"),
        }
    }
    assert!((700..800).contains(&after_a[0]), "{after_a:?}");
}

/// RFC 9460 §2.5.2: the name of a cluster has the addresses of that one, whatever its health, and no records of its own.
#[test]
fn clusters_have_names_of_their_own() {
    let mut bench = served("{}", tiers);
    bench.withdraw(&["c"], FULL);
    for (kind, expected) in [(RecordType::A, "192.0.2.3"), (RecordType::AAAA, "2001:db8::3")] {
        let reply = bench.ask("C.shop.demo.example.", kind);
        assert_eq!(addresses(&reply), [expected.parse::<IpAddr>().unwrap()]);
        assert_eq!(ttls(&reply), [5]);
    }
    for kind in [RecordType::HTTPS, RecordType::TXT] {
        let reply = bench.ask("c.shop.demo.example.", kind);
        assert_eq!((reply.answers.len(), reply.authorities.len()), (0, 1));
        assert_eq!(reply.metadata.response_code, ResponseCode::NoError);
    }
    let reply = bench.ask("d.shop.demo.example.", RecordType::A);
    assert_eq!(reply.metadata.response_code, ResponseCode::NXDomain);

    let mut bench = served(r#"{"alternates": 0}"#, tiers);
    assert_eq!(
        told(&bench.drawn(SHOP, RecordType::HTTPS, 0)),
        ["1 . 192.0.2.2 2001:db8::2"]
    );
    let reply = bench.ask("c.shop.demo.example.", RecordType::A);
    assert_eq!(
        reply.metadata.response_code,
        ResponseCode::NXDomain,
        "no such names"
    );
}

/// What is in the answer already is no alternate: all clusters are, or all that an answer may have room for.
#[test]
fn nobody_is_in_an_answer_twice() {
    let all = |shop: &mut NameInput| shop.steer = serde_json::from_str(r#"[{"all": {}}]"#).unwrap();
    let expected = "1 . 192.0.2.1 192.0.2.2 192.0.2.3 2001:db8::1 2001:db8::2 2001:db8::3";
    let reply = served(r#"{"alternates": 8}"#, all).drawn(SHOP, RecordType::HTTPS, 0);
    assert_eq!(told(&reply), [expected]);
    let max =
        |shop: &mut NameInput| shop.steer = serde_json::from_str(r#"[{"all": {}}, {"max": 2}]"#).unwrap();
    let reply = served(r#"{"alternates": 8}"#, max).drawn(SHOP, RecordType::HTTPS, 0);
    assert_eq!(
        told(&reply),
        [
            "1 . 192.0.2.1 192.0.2.2 2001:db8::1 2001:db8::2",
            "2 c.shop.demo.example. 192.0.2.3 2001:db8::3"
        ]
    );
}

/// RFC 8914 §2: what a name has for the case that nobody is healthy is done and told as for its addresses.
#[test]
fn nobody_is_healthy() {
    let down = |bench: &Bench, families: &[Family]| {
        for cluster in ["a", "b", "c"] {
            for family in families {
                bench.gate(cluster, *family, 0);
            }
        }
    };
    let both = [Family::V4, Family::V6];
    let ask = |bench: &mut Bench| {
        let query = with_edns(question(SHOP, RecordType::HTTPS), 1232);
        let (outcome, out) = bench.raw(&query.to_vec().unwrap(), Transport::Udp, 0);
        let panic = matches!(outcome, Outcome::Reply(Reply { panic: true, .. }));
        (Message::from_vec(&out).unwrap(), out, panic)
    };

    let mut last_good = served("{}", tiers);
    down(&last_good, &both);
    let (reply, out, panic) = ask(&mut last_good);
    assert_eq!(
        told(&reply),
        [
            "1 . 192.0.2.2 2001:db8::2",
            "2 c.shop.demo.example. 192.0.2.3 2001:db8::3"
        ]
    );
    assert!(out.ends_with(b"last good set") && panic);

    let fallback = ["198.51.100.1", "2001:db8::f"].map(|address| address.parse().unwrap());
    let policy = OnAllDown::Fallback(fallback.to_vec());
    let mut bench = served("{}", |shop| {
        tiers(shop);
        shop.on_all_down = policy.clone();
    });
    down(&bench, &both);
    let (reply, out, panic) = ask(&mut bench);
    assert_eq!(told(&reply), ["1 . 198.51.100.1 2001:db8::f"]);
    assert!(out.ends_with(b"fallback addresses") && panic);

    let mut bench = served("{}", |shop| {
        tiers(shop);
        shop.on_all_down = OnAllDown::Servfail;
    });
    down(&bench, &[Family::V4]);
    let (reply, out, panic) = ask(&mut bench);
    assert_eq!(
        told(&reply),
        ["1 . 2001:db8::2", "2 c.shop.demo.example. 2001:db8::3"],
        "the other family serves"
    );
    assert!(out.ends_with(b"no healthy cluster") && panic);
    down(&bench, &both);
    let (reply, out, panic) = ask(&mut bench);
    assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
    assert!(reply.answers.is_empty() && !reply.metadata.authoritative);
    assert!(out.ends_with(b"no healthy cluster") && panic);
}

/// A family that is well tells who comes next; one in doubt only where all are.
#[test]
fn a_family_in_doubt_has_no_say() {
    let mut bench = served("{}", tiers);
    for cluster in ["a", "b", "c"] {
        bench.gate(cluster, Family::V4, 0);
    }
    bench.gate("c", Family::V6, 0);
    assert_eq!(
        told(&bench.drawn(SHOP, RecordType::HTTPS, 0)),
        [
            "1 . 192.0.2.2 2001:db8::2",
            "2 a.shop.demo.example. 192.0.2.1 2001:db8::1"
        ]
    );
    bench.gate("a", Family::V6, 0);
    assert_eq!(
        told(&bench.drawn(SHOP, RecordType::HTTPS, 0)),
        ["1 . 192.0.2.2 2001:db8::2"],
        "a and c are withdrawn"
    );
}

/// RFC 7871 §7.2.1: the scope covers every decision in the answer.
#[test]
fn the_scope_is_the_larger() {
    let mut bench = served("{}", |shop| {
        let sticky = r#"[{"sticky": {"v4Prefix": 20, "v6Prefix": 44}}]"#;
        shop.steer = serde_json::from_str(sticky).unwrap();
    });
    let mut query = question(SHOP, RecordType::HTTPS).to_vec().unwrap();
    query[11] = 1;
    query.extend_from_slice(b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0b");
    query.extend_from_slice(b"\x00\x08\x00\x07\x00\x01\x18\x00\xc6\x33\x64");
    let (_, out) = bench.raw(&query, Transport::Udp, 0);
    assert!(
        out.ends_with(b"\x00\x08\x00\x07\x00\x01\x18\x14\xc6\x33\x64"),
        "{}",
        out.escape_ascii()
    );
}

/// RFC 9460 §3, RFC 1034 §4.3.2, RFC 6672 §2.2: aliases of every kind lead to the records, and what they refer to stays the same.
#[test]
fn aliases_lead_to_them() {
    let mut bench = served("{}", tiers);
    let expected = [
        "1 . 192.0.2.2 2001:db8::2",
        "2 c.shop.demo.example. 192.0.2.3 2001:db8::3",
    ];
    for (name, aliases) in [
        ("www.demo.example.", 1),
        ("chain.demo.example.", 2),
        ("shop.old.demo.example.", 2),
        ("demo.example.", 0),
    ] {
        let reply = bench.drawn(name, RecordType::HTTPS, 0);
        assert_eq!(told(&reply), expected, "{name}");
        assert_eq!(reply.answers.len(), aliases + 2, "{name}");
        let owner = reply.answers[aliases].name.to_string();
        let of = if aliases == 0 { "demo.example." } else { SHOP };
        assert!(owner.eq_ignore_ascii_case(of), "{name}: {owner}");
    }
    let reply = bench.drawn("demo.example.", RecordType::HTTPS, 0);
    assert_eq!(ttls(&reply), [3, 3], "the ALIAS has the shorter TTL");
}

/// RFC 4592 §3.3.1: a wildcard has them for every name that it stands for; no cluster has a name below it.
#[test]
fn a_wildcard_has_them() {
    let mut bench = Bench::new();
    let mut plan: SnapshotInput = serde_json::from_str(PLAN).unwrap();
    let shop = plan
        .names
        .iter_mut()
        .find(|name| name.name == "shop.demo.example");
    let shop = shop.unwrap();
    shop.name = "*.apps.demo.example".to_owned();
    shop.https = stated("{}");
    tiers(shop);
    let (catalog, applied) = Catalog::default().applied(&plan).unwrap();
    assert_eq!(applied.rejected, []);
    bench.snapshot = catalog.build(&bench.gates).unwrap();
    let reply = bench.drawn("any.apps.demo.example.", RecordType::HTTPS, 0);
    assert_eq!(told(&reply), ["1 . 192.0.2.2 2001:db8::2"]);
    assert_eq!(reply.answers[0].name.to_string(), "any.apps.demo.example.");
}

/// RFC 2181 §9: what does not fit is not there at all, and is whole over TCP.
#[test]
fn truncation_is_of_the_whole() {
    let query = question(SHOP, RecordType::HTTPS).to_vec().unwrap();
    for (ech, transport, truncated) in [
        (100, Transport::Udp, false),
        (250, Transport::Udp, true),
        (250, Transport::Tcp, false),
    ] {
        let octets = [&u16::to_be_bytes(ech)[..], &vec![0; ech.into()]].concat();
        let ech = format!(r#"{{"ech": "{}"}}"#, base64::encode_string(&octets));
        let (outcome, out) = served(&ech, tiers).raw(&query, transport, 0);
        let Outcome::Reply(reply) = outcome else {
            panic!("dropped")
        };
        let message = Message::from_vec(&out).unwrap();
        assert_eq!(
            (reply.truncated, message.metadata.truncation),
            (truncated, truncated)
        );
        assert_eq!(services(&message).len(), if truncated { 0 } else { 2 });
    }
}

/// RFC 8482 §4.2: ANY is answered as ever. A name without these records has no data of their type (RFC 2308 §2.2).
#[test]
fn other_questions_are_answered_as_ever() {
    let mut bench = served("{}", tiers);
    let reply = bench.ask(SHOP, RecordType::ANY);
    assert_eq!(reply.answers.len(), 1);
    assert_eq!(reply.answers[0].record_type(), RecordType::HINFO);
    for (name, kind) in [(SHOP, RecordType::SVCB), ("all.demo.example.", RecordType::HTTPS)] {
        let reply = bench.ask(name, kind);
        assert_eq!((reply.answers.len(), reply.authorities.len()), (0, 1), "{name}");
    }
}

/// Chains of every kind, for three clusters.
const CHAINS: [&str; 7] = [
    "[]",
    r#"[{"weighted": {"a": 5, "b": 1, "c": 1}}]"#,
    r#"[{"failover": {"tiers": [["c"], ["b", "a"]], "trickle": 100}}]"#,
    r#"[{"all": {}}, {"rotation": {}}, {"max": 2}]"#,
    r#"[{"sticky": {}}]"#,
    r#"[{"capacity": {"clusters": {"a": {"ready": 1}, "b": {"ready": 0}}, "demand": 5}}, {"rotation": {}}]"#,
    r#"[{"failover": {"tiers": [["a", "b"], ["c"]]}}, {"all": {}}]"#,
];

proptest! {
    /// Whatever the health, the filters and the draw: the decoder takes the answer (RFC 9460 §2.2), the first record's hints are
    /// what A and AAAA answer, no address stands in two records, and none is withdrawn while another of its family is not.
    #[test]
    fn hints_follow_the_addresses(
        gates in prop::collection::vec(prop::sample::select(vec![0, 0, FULL / 2, FULL]), 6),
        chain in prop::sample::select(CHAINS.to_vec()),
        alternates in 0_u8..=3,
        draw: u64,
    ) {
        let stated = format!(r#"{{"alpn": ["h3"], "port": 443, "ech": "AAT+DQAA", "alternates": {alternates}}}"#);
        let mut bench = served(&stated, |shop| shop.steer = serde_json::from_str(chain).unwrap());
        let families = [Family::V4, Family::V6];
        for ((cluster, family), gate) in
            ["a", "b", "c"].iter().flat_map(|cluster| families.map(|family| (cluster, family))).zip(&gates)
        {
            bench.gate(cluster, family, *gate);
        }
        let reply = bench.drawn(SHOP, RecordType::HTTPS, draw);
        let records = services(&reply);
        prop_assert!(!records.is_empty() && records.len() <= usize::from(alternates) + 1);
        let of = |kind, bench: &mut Bench| addresses(&bench.drawn(SHOP, kind, draw));
        let own = [of(RecordType::A, &mut bench), of(RecordType::AAAA, &mut bench)].concat();
        let mut all = Vec::new();
        for (index, record) in records.into_iter().enumerate() {
            prop_assert_eq!(usize::from(record.svc_priority), index + 1);
            let keys: Vec<SvcParamKey> = record.svc_params.iter().map(|(key, _)| *key).collect();
            prop_assert!(keys.is_sorted_by(|one, other| one < other), "{:?}", keys);
            let hints = hints(record);
            prop_assert!(!hints.is_empty());
            if index == 0 {
                prop_assert!(record.target_name.is_root());
                prop_assert_eq!(&hints, &own);
            } else {
                let target = record.target_name.to_string();
                let theirs = [of_name(&mut bench, &target, RecordType::A), of_name(&mut bench, &target, RecordType::AAAA)];
                prop_assert!(hints.iter().all(|hint| theirs.concat().contains(hint)), "{}", target);
            }
            all.extend(hints);
        }
        for (at, hint) in all.iter().enumerate() {
            prop_assert!(!all[..at].contains(hint), "{hint} twice");
            let (cluster, family) = match hint {
                IpAddr::V4(v4) => (usize::from(v4.octets()[3]) - 1, 0),
                IpAddr::V6(v6) => (usize::from(v6.octets()[15]) - 1, 1),
            };
            let healthy = (0..3).any(|cluster| gates[cluster * 2 + family] > 0);
            prop_assert!(gates[cluster * 2 + family] > 0 || !healthy, "{hint} is withdrawn");
        }
    }
}

fn of_name(bench: &mut Bench, name: &str, kind: RecordType) -> Vec<IpAddr> {
    addresses(&bench.ask(name, kind))
}
