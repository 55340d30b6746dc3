//! Zones of master files, and those whose file could not be loaded.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::input::BrokenZone;
use crate::stamp::Stamp;
use crate::zonefile::{self, parse_name};

const ZONE: &str = "$TTL 300
@ SOA ns hm 77 3600 600 86400 60
@ NS ns
ns A 192.0.2.53
a.b TXT x
*.wild 30 A 192.0.2.7
sub NS ns.sub
sub NS ns
ns.sub A 192.0.2.90
old DNAME b
shop TXT beside
";

fn plan() -> SnapshotInput {
    let mut source = |_: &Path| Ok(ZONE.as_bytes().to_vec());
    let reading = zonefile::read(&parse_name("file.example").unwrap(), Path::new("z"), &mut source);
    let broken = |name: &str| BrokenZone {
        name: name.to_owned(),
        reason: "z:1:1: error".to_owned(),
    };
    let stated: SnapshotInput = serde_json::from_str(PLAN).unwrap();
    let mut shop = stated.names.into_iter().next().unwrap();
    shop.name = "shop.file.example".to_owned();
    shop.zone = "file.example".to_owned();
    SnapshotInput {
        stamp: Stamp {
            fleet_uid: "fleet".to_owned(),
            epoch: 1,
            seq: 8,
        },
        files: vec![Arc::new(reading.zone.unwrap())],
        names: vec![shop],
        broken: vec![broken("broken.file.example"), broken("other.example")],
        ..SnapshotInput::default()
    }
}

fn bench() -> Bench {
    let gates = GateTable::new();
    let (catalog, applied) = Catalog::default().applied(&plan()).unwrap();
    let told: Vec<String> = applied.rejected.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "zone broken.file.example: file: z:1:1: error",
            "zone other.example: file: z:1:1: error"
        ]
    );
    Bench {
        snapshot: catalog.build(&gates).unwrap(),
        gates,
        scratch: Scratch::new(),
        ecs: true,
        unix_s: 0,
        protocol: Protocol::default(),
    }
}

#[test]
fn a_file_is_served_with_names_steered_in_it() {
    let mut bench = bench();
    let mut check = |name: &str, kind, rcode, counts: (usize, usize, usize)| {
        let reply = bench.ask(name, kind);
        let sections = (
            reply.answers.len(),
            reply.authorities.len(),
            reply.additionals.len(),
        );
        assert_eq!(
            (reply.metadata.response_code, sections),
            (rcode, counts),
            "{name} {kind}: {reply}"
        );
        reply
    };
    let ok = ResponseCode::NoError;
    check("file.example.", RecordType::NS, ok, (1, 0, 1));
    check("b.file.example.", RecordType::A, ok, (0, 1, 0));
    check("a.b.file.example.", RecordType::TXT, ok, (1, 0, 0));
    check(
        "x.file.example.",
        RecordType::A,
        ResponseCode::NXDomain,
        (0, 1, 0),
    );
    check("x.wild.file.example.", RecordType::A, ok, (1, 0, 0));
    check("x.sub.file.example.", RecordType::A, ok, (0, 2, 2));
    check("a.old.file.example.", RecordType::TXT, ok, (3, 0, 0));
    check("shop.file.example.", RecordType::TXT, ok, (1, 0, 0));
    let shop = check("shop.file.example.", RecordType::A, ok, (1, 0, 0));
    assert_eq!(shop.answers[0].ttl, 5, "the TTL of what is steered");
    let soa = check("file.example.", RecordType::SOA, ok, (1, 0, 0));
    let RData::SOA(soa) = &soa.answers[0].data else {
        panic!("{soa}");
    };
    assert_eq!((soa.serial, soa.minimum), (77, 60));
    // RFC 2308 §3: the least of the SOA's TTL and its minimum.
    let absent = check(
        "x.file.example.",
        RecordType::A,
        ResponseCode::NXDomain,
        (0, 1, 0),
    );
    assert_eq!(absent.authorities[0].ttl, 60);
}

pub(super) fn serving(zones: &[(&str, &str)]) -> Bench {
    let files = zones.iter().map(|(apex, text)| {
        let mut source = |_: &Path| Ok(text.as_bytes().to_vec());
        let reading = zonefile::read(&parse_name(apex).unwrap(), Path::new("z"), &mut source);
        Arc::new(reading.zone.unwrap())
    });
    let stamp = Stamp {
        fleet_uid: "fleet".to_owned(),
        epoch: 1,
        seq: 1,
    };
    let plan = SnapshotInput {
        stamp,
        files: files.collect(),
        ..SnapshotInput::default()
    };
    let gates = GateTable::new();
    let (catalog, _) = Catalog::default().applied(&plan).unwrap();
    Bench {
        snapshot: catalog.build(&gates).unwrap(),
        gates,
        scratch: Scratch::new(),
        ecs: true,
        unix_s: 0,
        protocol: Protocol::default(),
    }
}

/// RFC 4035 §3.1.4.1: of DS the upper side of a cut speaks, also where both sides are zones of ours; not where a third zone
/// that is none of ours lies between.
#[test]
fn ds_is_answered_by_the_zone_above() {
    let upper = "$TTL 300
@ SOA ns hm 1 3600 600 86400 60
@ NS ns.elsewhere.test.
signed NS ns.elsewhere.test.
signed DS 1 13 2 00000000000000000000000000000000000000000000000000000000000000aa
plain NS ns.elsewhere.test.
theirs NS ns.elsewhere.test.
";
    let lower = "@ 300 SOA ns hm 1 3600 600 86400 60\n@ 300 NS ns.elsewhere.test.\n";
    let mut bench = serving(&[
        ("example", upper),
        ("signed.example", lower),
        ("plain.example", lower),
        ("ours.theirs.example", lower),
    ]);
    let mut check = |name: &str, answers: usize, soa: &[&str]| {
        let reply = bench.ask(name, RecordType::DS);
        assert!(reply.metadata.authoritative, "{name}: {reply}");
        let negative: Vec<String> = reply
            .authorities
            .iter()
            .map(|record| record.name.to_string())
            .collect();
        assert_eq!(reply.answers.len(), answers, "{name}");
        assert_eq!(negative, soa, "{name}");
    };
    check("signed.example.", 1, &[]);
    check("plain.example.", 0, &["example."]);
    check("ours.theirs.example.", 0, &["ours.theirs.example."]);
    check("below.signed.example.", 0, &["signed.example."]);
}

/// RFC 8914 §4.21: REFUSED for a name of no zone of ours says why.
#[test]
fn a_name_of_no_zone_is_told_so() {
    let mut bench = bench();
    let reply = bench.send(&with_edns(question("elsewhere.test.", RecordType::A), 1232));
    let edns = reply.edns.unwrap();
    let [(_, option)] = edns.options().as_ref() else {
        panic!("{edns:?}");
    };
    let octets: Vec<u8> = option.try_into().unwrap();
    assert_eq!(
        (reply.metadata.response_code, &octets[..]),
        (ResponseCode::Refused, &b"\x00\x14"[..])
    );
}

/// RFC 8914 §4.25; no other server of the zone would be asked after REFUSED.
#[test]
fn a_zone_that_cannot_be_loaded_fails() {
    let mut bench = bench();
    for name in [
        "other.example.",
        "a.b.other.example.",
        "broken.file.example.",
        "x.broken.file.example.",
    ] {
        let reply = bench.send(&with_edns(question(name, RecordType::A), 1232));
        assert_eq!(reply.metadata.response_code, ResponseCode::ServFail, "{name}");
        assert!(!reply.metadata.authoritative && reply.authorities.is_empty());
        let edns = reply.edns.unwrap();
        let [(_, option)] = edns.options().as_ref() else {
            panic!("{name}: {edns:?}");
        };
        let octets: Vec<u8> = option.try_into().unwrap();
        assert_eq!(octets, b"\x00\x18zone not loaded");
    }
    let reply = bench.ask("example.", RecordType::A);
    assert_eq!(reply.metadata.response_code, ResponseCode::Refused);
}

#[test]
fn a_zone_that_breaks_later_stays_and_one_that_is_mended_is_served() {
    let (catalog, _) = Catalog::default().applied(&plan()).unwrap();
    let mut next = plan();
    next.stamp.seq = 9;
    next.files.clear();
    next.broken = vec![BrokenZone {
        name: "file.example".to_owned(),
        reason: "z:1:1: error".to_owned(),
    }];
    let (catalog, applied) = catalog.applied(&next).unwrap();
    assert_eq!(
        applied.rejected[0].to_string(),
        "zone file.example: file: z:1:1: error; the version before it stays"
    );
    let mut source = |_: &Path| Ok(ZONE.as_bytes().to_vec());
    let mended = zonefile::read(&parse_name("other.example").unwrap(), Path::new("z"), &mut source);
    next.stamp.seq = 10;
    next.files = vec![Arc::new(mended.zone.unwrap())];
    next.broken.clear();
    let (catalog, applied) = catalog.applied(&next).unwrap();
    assert_eq!((applied.rejected.len(), applied.zones), (0, 2));
    let gates = GateTable::new();
    let mut bench = Bench {
        snapshot: catalog.build(&gates).unwrap(),
        gates,
        scratch: Scratch::new(),
        ecs: true,
        unix_s: 0,
        protocol: Protocol::default(),
    };
    for (name, rcode) in [
        ("a.b.file.example.", ResponseCode::NoError),
        ("a.b.other.example.", ResponseCode::NoError),
        ("broken.file.example.", ResponseCode::ServFail),
    ] {
        assert_eq!(
            bench.ask(name, RecordType::TXT).metadata.response_code,
            rcode,
            "{name}"
        );
    }
}
