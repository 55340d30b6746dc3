//! What the server says of itself.

use super::cookies::add_option;
use super::*;
use crate::protocol::{Identity, Version};

const NSID: u16 = 3;

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.protocol.identity = Identity {
        nsid: Some(b"fra-1".to_vec()),
        name: Some("ns1.fra".to_owned()),
        version: Version::Text("none of yours".to_owned()),
    };
    bench
}

fn ask_nsid(bench: &mut Bench, name: &str, kind: RecordType, data: &[u8]) -> Message {
    let query = with_edns(question(name, kind), 512).to_vec().unwrap();
    let (_, out) = bench.raw(&add_option(query, NSID, data), Transport::Udp, 0);
    Message::from_vec(&out).unwrap()
}

fn nsid(reply: &Message) -> Option<Vec<u8>> {
    let option = reply.edns.as_ref()?.option(NSID.into())?;
    Vec::<u8>::try_from(option).ok()
}

/// RFC 5001 §2.1, §2.2: told to who asks and nobody else, whatever the answer is; data in the query is ignored.
#[test]
fn nsid_is_told_to_who_asks() {
    for (name, kind) in [
        ("shop.demo.example.", RecordType::A),
        ("absent.demo.example.", RecordType::A),
        ("example.org.", RecordType::A),
        ("many.demo.example.", RecordType::A),
    ] {
        for data in [&b""[..], b"who?"] {
            let reply = ask_nsid(&mut bench(), name, kind, data);
            assert_eq!(nsid(&reply).as_deref(), Some(&b"fra-1"[..]), "{name}");
        }
        let reply = ask_nsid(&mut Bench::new(), name, kind, b"");
        assert_eq!(nsid(&reply), None, "nothing to tell");
        let reply = bench().send(&with_edns(question(name, kind), 512));
        assert_eq!(nsid(&reply), None, "not asked");
    }
}

/// RFC 4892 §3: `id.server` and `version.server`, and the older names for them, in class CHAOS.
#[test]
fn names_and_versions_in_chaos() {
    fn check(bench: &mut Bench, name: &str, expected: Option<&str>) {
        let mut query = question(name, RecordType::TXT);
        query.queries[0].set_query_class(DNSClass::CH);
        let reply = bench.send(&query);
        let told: Vec<String> = reply
            .answers
            .iter()
            .map(|record| record.data.to_string())
            .collect();
        let told: Vec<&str> = told.iter().map(|text| text.trim_matches('"')).collect();
        match expected {
            Some(text) => assert_eq!(told, [text], "{name}"),
            None => assert_eq!(reply.metadata.response_code, ResponseCode::Refused, "{name}"),
        }
    }
    let own = concat!("lifeboat ", env!("CARGO_PKG_VERSION"));
    for name in ["version.bind.", "VERSION.server."] {
        check(&mut bench(), name, Some("none of yours"));
        check(&mut Bench::new(), name, Some(own));
        let mut hidden = bench();
        hidden.protocol.identity.version = Version::Hidden;
        check(&mut hidden, name, None);
    }
    for name in ["id.server.", "hostname.bind."] {
        check(&mut bench(), name, Some("ns1.fra"));
        check(&mut Bench::new(), name, None);
    }
    check(&mut bench(), "authors.bind.", None);
}
