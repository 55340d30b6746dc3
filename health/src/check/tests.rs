use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::*;
use crate::target::Family;

#[track_caller]
fn check(url: &str, expected: Result<(&str, &str, &str), &str>) {
    let given = Check::Http {
        url: url.into(),
        host: None,
        expect: StatusRange::default(),
    };
    let family = given.family().unwrap_or(Family::V4);
    match (given.parse(family), expected) {
        (Ok(Probe::Http(HttpProbe { at, host, path, .. })), Ok(wanted)) => {
            let at = match at {
                Remote::Address(address) => address.to_string(),
                Remote::Name { name, port } => format!("{name} {port}"),
            };
            assert_eq!((at.as_str(), host.as_str(), path.as_str()), wanted);
        }
        (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
        (got, wanted) => panic!("{url}: got {got:?}, wanted {wanted:?}"),
    }
}

#[test]
fn urls() {
    check(
        "http://127.0.1.1:8000/healthz",
        Ok(("127.0.1.1:8000", "127.0.1.1:8000", "/healthz")),
    );
    check("http://127.0.1.1", Ok(("127.0.1.1:80", "127.0.1.1", "/")));
    check(
        "http://[::1]:8000/a?b=c",
        Ok(("[::1]:8000", "[::1]:8000", "/a?b=c")),
    );
    check("http://[::1]/", Ok(("[::1]:80", "[::1]", "/")));
    check(
        "http://vip.example:81/x",
        Ok(("vip.example 81", "vip.example:81", "/x")),
    );
    check("https://vip.example/", Err("the scheme is not http"));
    check("http://", Err("neither an address nor a host name"));
    check("http:///x", Err("neither an address nor a host name"));
    check("http://a b/", Err("visible ASCII"));
    check("http://a:x/", Err("the port is no number from 1 to 65535"));
    check("http://a:0/", Err("port 0"));
    check("http://127.0.0.1:0/", Err("port 0"));
    check("http://u@a/", Err("user information"));
    check("http://a/#b", Err("fragment"));
    check("http://a?b", Err("the path is missing"));
    check(
        &format!("http://a/{}", "x".repeat(3_000)),
        Err("longer than 2048"),
    );
}

#[test]
fn families_and_ports_must_fit() {
    let tcp = |address: &str| Check::Tcp {
        address: address.parse().unwrap(),
    };
    assert!(tcp("127.0.0.1:1").parse(Family::V4).is_ok());
    assert!(matches!(
        tcp("127.0.0.1:1").parse(Family::V6),
        Err(CheckError::Family { .. })
    ));
    assert!(matches!(
        tcp("[::1]:0").parse(Family::V6),
        Err(CheckError::Port { .. })
    ));
    assert_eq!(tcp("[::1]:5").family(), Some(Family::V6));
}

#[test]
fn status_ranges() {
    let parse = |text: &str| text.parse::<StatusRange>();
    assert_eq!(parse("200-399"), Ok(StatusRange::default()));
    assert_eq!(parse("204").unwrap().to_string(), "204");
    for bad in ["", "x", "99", "600", "300-200", "200-", "1-2-3"] {
        let message = parse(bad).unwrap_err().to_string();
        assert!(
            message.contains("FIRST-LAST") && message.contains(bad),
            "{message}"
        );
    }
    assert!(StatusRange::default().contains(399) && !StatusRange::default().contains(400));
}

#[test]
fn a_host_header_cannot_smuggle() {
    let with = |host: &str| {
        Check::Http {
            url: "http://127.0.0.1/".into(),
            host: Some(host.into()),
            expect: StatusRange::default(),
        }
        .parse(Family::V4)
    };
    assert!(with("shop.demo.example").is_ok());
    for bad in ["", "a b", "a\r\nX: y", "a/b"] {
        assert!(matches!(with(bad), Err(CheckError::Host { .. })), "{bad:?}");
    }
}

fn parse(yaml: serde_json::Value, family: Family) -> Result<Probe, CheckError> {
    serde_json::from_value::<Check>(yaml).unwrap().parse(family)
}

#[track_caller]
fn refused(yaml: serde_json::Value, expected: &str) {
    let message = parse(yaml, Family::V4).unwrap_err().to_string();
    assert!(message.contains(expected), "{message}");
}

const PEM: &str = "-----BEGIN CERTIFICATE-----\n";

#[test]
fn tls_takes_its_name_from_the_host_unless_one_is_given() {
    let name = |yaml| {
        let probe = parse(yaml, Family::V4).unwrap();
        let (Probe::Http(HttpProbe { tls: Some(tls), .. }) | Probe::Tls { tls, .. }) = probe else {
            panic!("{probe:?}")
        };
        tls.server_name
    };
    let roots = json!({"pem": PEM});
    let https = |url: &str| json!({"kind": "https", "url": url, "tls": {"roots": roots}});
    assert_eq!(name(https("https://vip.example:8443/x")), "vip.example");
    assert_eq!(name(https("https://127.0.0.1/x")), "127.0.0.1");
    let tls = json!({"kind": "tls", "address": "127.0.0.1:443", "tls": {"roots": roots, "serverName": "a.example"}});
    assert_eq!(name(tls), "a.example");
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    refused(
        json!({"kind": "https", "url": "http://a/", "tls": {"roots": {"pem": PEM}}}),
        "the scheme is not https",
    );
    refused(
        json!({"kind": "https", "url": "https://a/"}),
        "tls.roots: missing",
    );
    refused(
        json!({"kind": "https", "url": "https://a/", "tls": {"roots": {"pem": "x"}}}),
        "no certificate in the PEM text",
    );
    refused(
        json!({"kind": "grpc", "url": "http://a", "tls": {"roots": {"pem": PEM}}}),
        "the url's scheme is http",
    );
    refused(json!({"kind": "grpc", "url": "https://a"}), "tls.roots: missing");
    refused(
        json!({"kind": "grpc", "url": "http://a/x"}),
        "the path is not sent",
    );
    refused(
        json!({"kind": "readyz", "url": "https://a/x", "tls": {"roots": {"pem": PEM}}}),
        "the path is not /readyz",
    );
    refused(
        json!({"kind": "readyz", "url": "https://a", "tokenFile": "token", "tls": {"roots": {"pem": PEM}}}),
        "tokenFile \"token\"",
    );
    refused(
        json!({"kind": "dns", "address": "127.0.0.1:53", "name": "a..b"}),
        "name \"a..b\"",
    );
    refused(json!({"kind": "icmp", "ip": "::1"}), "not of the target's family");
    refused(json!({"kind": "program", "command": []}), "command: empty");
    refused(
        json!({"kind": "program", "command": ["true"]}),
        "not an absolute path",
    );
    refused(
        json!({"kind": "program", "command": ["/bin/true"], "env": {"A=": "b"}}),
        "env \"A=\"",
    );
    refused(
        json!({"kind": "heartbeat", "agent": "", "keyFile": "/k"}),
        "agent \"\"",
    );
}

#[test]
fn words_of_a_dns_check() {
    let yaml = json!({"kind": "dns", "address": "127.0.0.1:53", "name": "shop.example", "recordType": "AAAA",
        "rcode": "NXDOMAIN"});
    let Probe::Dns {
        record_type, rcode, ..
    } = parse(yaml, Family::V4).unwrap()
    else {
        panic!()
    };
    assert_eq!((record_type.name(), rcode.code()), ("AAAA", 3));
}

/// Custom resources merge the kinds into one list of fields, which only works while equal names have equal schemas.
#[test]
fn a_field_means_the_same_in_every_kind() {
    let schema = serde_json::to_value(schemars::schema_for!(Check)).unwrap();
    let mut seen = BTreeMap::new();
    for kind in schema["oneOf"].as_array().unwrap() {
        for (field, meaning) in kind["properties"].as_object().unwrap() {
            assert!(
                field == "kind" || meaning["description"].is_string(),
                "{field} is not documented"
            );
            if field != "kind" {
                assert_eq!(seen.entry(field).or_insert(meaning), &meaning, "{field}");
            }
        }
    }
    assert!(seen.len() > 10);
}

/// Each text that is hashed shows in the hash: two checks with differing fields have differing texts.
#[test]
fn every_field_is_in_the_hash() {
    let tls = json!({"roots": {"file": "/ca"}});
    let all = [
        json!({"kind": "https", "url": "https://a/", "tls": tls}),
        json!({"kind": "https", "url": "https://a/", "tls": {"roots": {"pem": "/ca"}}}),
        json!({"kind": "https", "url": "https://a/", "tls": {"roots": {"file": "/ca"}, "serverName": "b"}}),
        json!({"kind": "https", "url": "https://a/", "tls": {"roots": {"file": "/ca"}, "expiryWarningDays": 3}}),
        json!({"kind": "readyz", "url": "https://a/", "tls": tls}),
        json!({"kind": "readyz", "url": "https://a/", "tls": tls, "tokenFile": "/t"}),
        json!({"kind": "tls", "address": "127.0.0.1:1", "tls": tls}),
        json!({"kind": "grpc", "url": "http://a"}),
        json!({"kind": "grpc", "url": "http://a", "service": "s"}),
        json!({"kind": "dns", "address": "127.0.0.1:1", "name": "a"}),
        json!({"kind": "dns", "address": "127.0.0.1:1", "name": "a", "rcode": "REFUSED"}),
        json!({"kind": "dns", "address": "127.0.0.1:1", "name": "a", "recordType": "TXT"}),
        json!({"kind": "dns", "address": "127.0.0.1:1", "name": "a", "answer": "1"}),
        json!({"kind": "icmp", "ip": "127.0.0.1"}),
        json!({"kind": "program", "command": ["/a", "b"]}),
        json!({"kind": "program", "command": ["/a"], "env": {"b": "c"}}),
        json!({"kind": "heartbeat", "agent": "a", "keyFile": "/k"}),
    ];
    let mut texts = BTreeSet::new();
    for yaml in &all {
        let check: Check = serde_json::from_value(yaml.clone()).unwrap();
        let mut together = Vec::new();
        check.each_text(|text| together.push(text.to_owned()));
        assert!(texts.insert(together), "{yaml}");
    }
}
