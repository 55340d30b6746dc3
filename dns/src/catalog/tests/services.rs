//! HTTPS and SVCB records of names in plans: what is wrong with them, and what else may stand where they need names.

use super::*;
use crate::input::ServiceInput;

fn stated(json: &str) -> Option<Box<ServiceInput>> {
    Some(serde_json::from_str(json).unwrap())
}

/// A plan whose `shop` has HTTPS records with an alternate.
fn with_https(seq: u64) -> SnapshotInput {
    let mut plan = plan(seq);
    plan.names[0].https = stated("{}");
    plan
}

fn told(applied: &Applied) -> Vec<String> {
    applied.rejected.iter().map(Problem::to_string).collect()
}

#[track_caller]
fn check(https: &str, expected: &str) {
    let expected = format!("name shop.demo.example: https{expected}");
    check_name(|name| name.https = stated(https), &expected);
}

/// RFC 9460 §7.1.1, §7.2, §8, RFC 9849 §4.
#[test]
fn bad_parameters_are_told_by_field() {
    check(
        r#"{"alpn": ["h2", ""]}"#,
        ".alpn[1]: has 0 octets; 1 to 255 are allowed",
    );
    let long = format!(r#"{{"alpn": ["{}"]}}"#, "x".repeat(256));
    check(&long, ".alpn[0]: has 256 octets; 1 to 255 are allowed");
    check(
        r#"{"alpn": ["h2", "h2"]}"#,
        ".alpn[1]: is \"h2\" a second time; once is allowed",
    );
    check(
        r#"{"noDefaultAlpn": true}"#,
        ".noDefaultAlpn: is true without alpn",
    );
    for port in [0, 70_000, -1] {
        check(
            &format!(r#"{{"port": {port}}}"#),
            &format!(".port: is {port}; 1 to 65535 are allowed"),
        );
    }
    check(r#"{"ech": "?"}"#, ".ech: is not base64");
    check(r#"{"ech": "AAb+DQAA"}"#, ".ech: is no ECHConfigList");
    check(r#"{"ech": ""}"#, ".ech: is no ECHConfigList");
    check(
        r#"{"mandatory": ["alpn"]}"#,
        ".mandatory[0]: is a key that the records have not",
    );
    check(
        r#"{"alpn": ["h2"], "mandatory": ["alpn", "alpn"]}"#,
        ".mandatory[1]: stands twice; once is allowed",
    );
    check(
        r#"{"port": 8443, "mandatory": ["port"]}"#,
        ".mandatory[0]: is mandatory in HTTPS records anyhow; alpn and ech are allowed",
    );
    for alternates in [9, 300, -1] {
        check(
            &format!(r#"{{"alternates": {alternates}}}"#),
            &format!(".alternates: is {alternates}; 0 to 8 are allowed"),
        );
    }
    let ids: Vec<String> = (0..60)
        .map(|number| format!("\"{}{number:02}\"", "x".repeat(98)))
        .collect();
    check(
        &format!(r#"{{"alpn": [{}], "alternates": 7}}"#, ids.join(", ")),
        ": takes 48512 octets in 8 records; at most 32000 are allowed",
    );
    check_name(
        |name| name.svcb = stated(r#"{"port": 0}"#),
        "name shop.demo.example: svcb.port: is 0",
    );
    let (_, applied) = Catalog::default().applied(&with_svcb_port()).unwrap();
    assert_eq!(told(&applied), [""; 0], "no key is mandatory by itself in SVCB");
    let unknown = serde_json::from_str::<ServiceInput>(r#"{"mandatory": ["ipv4hint"]}"#);
    let unknown = unknown.unwrap_err().to_string();
    assert!(unknown.contains("`no-default-alpn`, `port`, `ech`"), "{unknown}");
}

fn with_svcb_port() -> SnapshotInput {
    let mut plan = plan(1);
    plan.names[0].svcb = stated(r#"{"port": 853, "mandatory": ["port"]}"#);
    plan
}

#[test]
fn a_cluster_needs_a_label() {
    let named = |cluster: &'static str| {
        move |name: &mut NameInput| {
            name.https = stated("{}");
            name.endpoints[1].cluster = cluster.to_owned();
        }
    };
    let field = "name shop.demo.example: https.alternates: the cluster";
    check_name(
        named("b.c"),
        &format!("{field} b.c cannot be a label before the name: it has the character `.`"),
    );
    check_name(named("*"), &format!("{field} * cannot be a label"));
    let expected = "https.alternates: the clusters a and A would both have the name a.shop.demo.example";
    check_name(named("A"), expected);
    check_name(
        |name| {
            name.https = stated(r#"{"alternates": 1}"#);
            name.name = "*.demo.example".to_owned();
        },
        "https.alternates: is 1, and clusters have no names below a wildcard; 0 is allowed",
    );
    let mut plan = plan(1);
    named("b.c")(&mut plan.names[0]);
    plan.names[0].https = stated(r#"{"alternates": 0}"#);
    let (_, applied) = Catalog::default().applied(&plan).unwrap();
    assert_eq!(told(&applied), [""; 0]);
}

/// What stands in the zone where records or names would go keeps them out, whichever comes first.
#[test]
fn the_zone_has_to_leave_room() {
    for (fixed, name_told, zone_told) in [
        (
            record("shop", "HTTPS", &["1 ."]),
            "name shop.demo.example: https: the zone demo.example has fixed HTTPS records for the name; one of the two is allowed",
            "has fixed HTTPS or SVCB records for shop.demo.example, which has steered ones",
        ),
        (
            record("b.shop.demo.example", "A", &["192.0.2.9"]),
            "https.alternates: the zone demo.example has fixed addresses for b.shop.demo.example, which would be the name of the cluster \
             b; 0 alternates need no such names",
            "has fixed addresses for b.shop.demo.example, which is that of a cluster of shop.demo.example, which has alternates",
        ),
        (
            record("b.shop.demo.example", "CNAME", &["x.example."]),
            "has a CNAME for b.shop.demo.example",
            "has a CNAME for b.shop.demo.example",
        ),
        (
            record("shop", "DNAME", &["x.example."]),
            "has a DNAME above a.shop.demo.example",
            "has a DNAME above a.shop.demo.example",
        ),
    ] {
        let mut zone_first = with_https(1);
        zone_first.zones[0].records = vec![fixed.clone()];
        let (_, applied) = Catalog::default().applied(&zone_first).unwrap();
        let [problem] = &told(&applied)[..] else {
            panic!("{applied:?}")
        };
        assert!(problem.contains(name_told), "{problem}");

        let (catalog, applied) = Catalog::default().applied(&with_https(1)).unwrap();
        assert_eq!(told(&applied), [""; 0]);
        let mut zone_later = plan(2);
        zone_later.names.clear();
        zone_later.zones[0].records = vec![fixed];
        let (_, applied) = catalog.applied(&zone_later).unwrap();
        let [problem] = &told(&applied)[..] else {
            panic!("{applied:?}")
        };
        assert!(
            problem.starts_with("zone demo.example: records: ") && problem.contains(zone_told),
            "{problem}"
        );
    }
    // Other records stand beside the names.
    let mut beside = with_https(1);
    beside.zones[0].records = vec![record("b.shop.demo.example", "TXT", &["x"])];
    let (catalog, applied) = Catalog::default().applied(&beside).unwrap();
    assert_eq!(told(&applied), [""; 0]);
    catalog.build(&GateTable::new()).unwrap();
}

/// A name is steered, or that of a cluster: the one that was there first stays, until a plan takes it away.
#[test]
fn a_name_of_a_cluster_is_not_steered() {
    let own = |seq| {
        let mut own = name(seq);
        own.name = "b.shop.demo.example".to_owned();
        own.endpoints = vec![endpoint("z", "192.0.2.9")];
        own
    };
    let only = |seq, names| SnapshotInput {
        stamp: stamp(seq),
        names,
        ..SnapshotInput::default()
    };
    let (catalog, applied) = Catalog::default().applied(&with_https(1)).unwrap();
    assert_eq!(told(&applied), [""; 0]);
    let (_, applied) = catalog.applied(&only(2, vec![own(2)])).unwrap();
    assert_eq!(
        told(&applied),
        ["name b.shop.demo.example: name: is that of a cluster of shop.demo.example, which has alternates"]
    );
    // A plan that takes the alternates away may have the name, in whichever order it lists the two.
    for names in [vec![own(2), name(2)], vec![name(2), own(2)]] {
        let (catalog, applied) = catalog.applied(&only(2, names)).unwrap();
        assert_eq!((told(&applied), applied.names), (Vec::new(), 2));
        let again = only(3, with_https(3).names);
        let (_, applied) = catalog.applied(&again).unwrap();
        assert_eq!(
            told(&applied),
            [
                "name shop.demo.example: https.alternates: b.shop.demo.example is steered, which would be the name of the cluster b; 0 \
                 alternates need no such names"
            ]
        );
    }
    let mut removed = only(2, vec![own(2)]);
    removed.removed = vec!["shop.demo.example".to_owned()];
    let (_, applied) = catalog.applied(&removed).unwrap();
    assert_eq!((told(&applied), applied.names), (Vec::new(), 1));
}

#[test]
fn an_inner_zone_keeps_its_names() {
    let mut plan = with_https(1);
    plan.zones.push(ZoneInput {
        name: "b.shop.demo.example".to_owned(),
        name_servers: vec![NameServerInput {
            name: "ns.example".to_owned(),
            addresses: Vec::new(),
        }],
        ..zone()
    });
    let (_, applied) = Catalog::default().applied(&plan).unwrap();
    let expected = "https.alternates: b.shop.demo.example belongs to the zone b.shop.demo.example, which would be the name";
    assert!(told(&applied)[0].contains(expected), "{applied:?}");
}

/// Plans from before these fields are the same octets as ever; last-known-good holds what there is.
#[test]
fn they_are_kept() {
    let json = serde_json::to_string(&name(1)).unwrap();
    assert!(!json.contains("https") && !json.contains("svcb"), "{json}");
    let full = r#"{"alpn":["h2"],"noDefaultAlpn":true,"port":8443,"ech":"AAT+DQAA","mandatory":["alpn"],"alternates":1}"#;
    let mut plan = plan(1);
    plan.names[0].https = stated(full);
    plan.names[0].svcb = stated("{}");
    let json = serde_json::to_string(&plan.names[0]).unwrap();
    assert!(json.contains(full) && json.contains(r#""svcb":{}"#), "{json}");
    let (catalog, applied) = Catalog::default().applied(&plan).unwrap();
    assert_eq!(told(&applied), [""; 0]);
    let file = catalog.to_last_known_good().unwrap();
    let (restored, problems) = Catalog::from_last_known_good(&file).unwrap();
    assert_eq!((problems, held(&restored)), (Vec::new(), held(&catalog)));
    assert_eq!(restored.targets, catalog.targets);
    assert_eq!(restored.targets.len(), 2);
}
