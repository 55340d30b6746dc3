//! What an API server with our definitions answers to a bad name, address, duration or operator.

use std::net::IpAddr;

use lifeboat_chaos::apiserver::{Gvr, Store};
use serde_json::{Value, json};

use super::crds;
use crate::api::{TrafficPolicy, validate::Validate, view};

const NAME: &str = "must be a DNS name of letters, digits, hyphens and underscores, with single dots between its labels, \
                    such as shop.demo.example";
const HYPHEN: &str =
    "must be a DNS name in which no label, the part between two dots, begins or ends with a hyphen";
const LABEL: &str =
    "must be a DNS name in which no label, the part between two dots, has more than 63 characters";
const MAILBOX: &str = "must be a mailbox in the form of a DNS name, with a dot for the at sign, such as hostmaster.demo.example";
const ADDRESS: &str = "must be an IPv4 address such as 192.0.2.1 or an IPv6 address such as 2001:db8::1";
const DURATION: &str =
    "must be a duration: numbers with the units h, m, s or ms, such as 30s, 500ms or 1h30m";

/// An API server that has all our definitions.
fn server() -> Store {
    let store = Store::new(64);
    let definitions = Gvr::new("apiextensions.k8s.io", "v1", "customresourcedefinitions");
    for crd in crds() {
        store
            .create(&definitions, None, serde_json::to_value(crd).unwrap())
            .unwrap();
    }
    store
}

/// What the server says to an object of `kind`; empty when it takes it.
fn answer(store: &Store, kind: &str, spec: &Value) -> String {
    let (resource, namespace) = match kind {
        "TrafficPolicy" => ("trafficpolicies", Some("default")),
        "Zone" => ("zones", None),
        _ => ("failoverpolicies", None),
    };
    let object = json!({
        "apiVersion": "lifeboat.dev/v1alpha1", "kind": kind, "metadata": { "generateName": "demo-" }, "spec": spec,
    });
    let outcome = store.create(&Gvr::new("lifeboat.dev", "v1alpha1", resource), namespace, object);
    let refusal = outcome.err().map(|error| error.to_string()).unwrap_or_default();
    match refusal.split_once(" is invalid: ") {
        Some((_, causes)) => causes.to_owned(),
        None => refusal,
    }
}

fn traffic_policy(name: &str) -> Value {
    json!({
        "zone": "demo.example", "name": name, "service": { "name": "shop" }, "steer": [{ "weighted": {} }],
    })
}

fn zone(addresses: &[&str]) -> Value {
    json!({
        "soa": { "mname": "ns1.demo.example", "rname": "hostmaster.demo.example" },
        "nameServers": [{ "name": "ns1.demo.example", "addresses": addresses }],
    })
}

fn merged(mut spec: Value, patch: &Value) -> Value {
    json_patch::merge(&mut spec, patch);
    spec
}

#[track_caller]
fn check(store: &Store, kind: &str, spec: &Value, field: &str, value: &str, allowed: &str) {
    let expected = format!("{field}: Invalid value: {value:?}: {allowed}");
    assert_eq!(answer(store, kind, spec), expected);
}

#[test]
fn names() {
    let store = server();
    let long = "a".repeat(64);
    for (name, allowed) in [
        ("", NAME),
        (".", NAME),
        ("sh op.demo.example", NAME),
        ("shop..demo.example", NAME),
        ("https://shop.demo.example/", NAME),
        ("shöp.demo.example", NAME),
        ("-shop.demo.example", HYPHEN),
        ("shop-.demo.example", HYPHEN),
        ("shop.demo.example-", HYPHEN),
        (&format!("{long}.demo.example"), LABEL),
    ] {
        check(
            &store,
            "TrafficPolicy",
            &traffic_policy(name),
            "spec.name",
            name,
            allowed,
        );
        let spec = merged(traffic_policy("shop.demo.example"), &json!({ "zone": name }));
        check(&store, "TrafficPolicy", &spec, "spec.zone", name, allowed);
        assert!(refused_without_schema(name), "{name}");
    }
    let server = merged(
        zone(&[]),
        &json!({ "nameServers": [{ "name": "ns1@demo.example" }] }),
    );
    check(
        &store,
        "Zone",
        &server,
        "spec.nameServers[0].name",
        "ns1@demo.example",
        NAME,
    );
    let primary = merged(zone(&[]), &json!({ "soa": { "mname": "ns1 demo" } }));
    check(&store, "Zone", &primary, "spec.soa.mname", "ns1 demo", NAME);
    let mailbox = merged(
        zone(&[]),
        &json!({ "soa": { "rname": "hostmaster@demo.example" } }),
    );
    check(
        &store,
        "Zone",
        &mailbox,
        "spec.soa.rname",
        "hostmaster@demo.example",
        MAILBOX,
    );

    let longest = [&long[1..]; 4].join(".")[..253].to_owned();
    for name in [
        "shop.demo.example",
        "Shop.Demo.Example.",
        "_acme-challenge.demo.example",
        "a--b.x",
        "1",
        &longest,
        &format!("{longest}."),
    ] {
        assert_eq!(
            answer(&store, "TrafficPolicy", &traffic_policy(name)),
            "",
            "{name}"
        );
        assert!(!refused_without_schema(name), "{name}");
    }
}

/// The controller checks names once more, for API servers that do not know rules in a schema.
fn refused_without_schema(name: &str) -> bool {
    let object = json!({ "metadata": { "name": "p" }, "spec": traffic_policy(name) });
    let policy: TrafficPolicy = view(&object).unwrap();
    let errors = policy.spec.validate();
    errors
        .iter()
        .any(|error| error.detail.starts_with("must be a DNS name"))
}

#[test]
fn addresses() {
    let store = server();
    for address in [
        "",
        "ns1.demo.example",
        "192.0.2",
        "192.0.2.256",
        "192.0.2.01",
        "192.0.2.1/24",
        "192.0.2.1:53",
        ":1",
        "1:",
        ":::",
        "1::2::3",
        "12345::",
        "2001:db8::g",
        "fe80::1%eth0",
        "[2001:db8::1]",
    ] {
        let field = "spec.nameServers[0].addresses[0]";
        check(&store, "Zone", &zone(&[address]), field, address, ADDRESS);
        assert!(address.parse::<IpAddr>().is_err(), "{address}");
    }
    let good = [
        "192.0.2.1",
        "0.0.0.0",
        "255.255.255.255",
        "2001:DB8::1",
        "::",
        "::1",
    ];
    assert_eq!(answer(&store, "Zone", &zone(&good)), "");
}

/// Every number of groups with `::` at every place or nowhere, against the standard library.
#[test]
fn shapes_of_ipv6_addresses() {
    let store = server();
    for groups in 1..=9 {
        for gap in 0..=groups + 1 {
            let (before, after) = (gap.min(groups), groups - gap.min(groups));
            let side = |count: usize| vec!["af0"; count].join(":");
            let address = if gap > groups {
                side(groups)
            } else {
                format!("{}::{}", side(before), side(after))
            };
            let taken = answer(&store, "Zone", &zone(&[&address])).is_empty();
            assert_eq!(taken, address.parse::<IpAddr>().is_ok(), "{address}");
        }
    }
}

#[test]
fn service_records() {
    let store = server();
    let with = |https: Value| merged(traffic_policy("shop.demo.example"), &json!({ "https": https }));
    let good = json!({ "alpn": ["h2", "h3"], "noDefaultAlpn": true, "port": 8443, "mandatory": ["alpn"], "alternates": 0 });
    assert_eq!(answer(&store, "TrafficPolicy", &with(good)), "");
    for (https, field) in [
        (json!({ "port": 0 }), "spec.https.port: Invalid value: 0"),
        (json!({ "port": 70_000 }), "spec.https.port: Invalid value: 70000"),
        (
            json!({ "alternates": 9 }),
            "spec.https.alternates: Invalid value: 9",
        ),
        (json!({ "alpn": "h2" }), "spec.https.alpn: Invalid value"),
        (
            json!({ "mandatory": ["hint"] }),
            "spec.https.mandatory[0]: Unsupported value: \"hint\"",
        ),
    ] {
        let told = answer(&store, "TrafficPolicy", &with(https));
        assert!(told.contains(field), "{told}");
    }
}

#[test]
fn durations_and_operators() {
    let store = server();
    let kind = "FailoverPolicy";
    for duration in ["", "30", "-30s", "30 s", "half a minute"] {
        check(
            &store,
            kind,
            &json!({ "hold": duration }),
            "spec.hold",
            duration,
            DURATION,
        );
        let spec = json!({ "failback": { "settle": duration } });
        check(&store, kind, &spec, "spec.failback.settle", duration, DURATION);
    }
    for duration in ["30s", "1h30m", "500ms", "1.5s", "10µs"] {
        assert_eq!(
            answer(&store, kind, &json!({ "hold": duration })),
            "",
            "{duration}"
        );
    }
    for (selector, key, allowed) in [
        (
            "labelSelector",
            "tier",
            r#""In", "NotIn", "Exists", "DoesNotExist""#,
        ),
        ("fieldSelector", "region", r#""In", "NotIn""#),
    ] {
        let with = |operator: &str| {
            let expression = json!({ "key": key, "operator": operator, "values": ["a"] });
            json!({ "clusters": { selector: { "matchExpressions": [expression] } } })
        };
        let expected = format!(
            "spec.clusters.{selector}.matchExpressions[0].operator: Unsupported value: \"Foo\": supported values: {allowed}"
        );
        assert_eq!(answer(&store, kind, &with("Foo")), expected);
        assert_eq!(answer(&store, kind, &with("NotIn")), "");
    }
}
