//! The correctness checklist over the pure function; each test names its RFC section.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use hickory_proto::op::{DEFAULT_MAX_PAYLOAD_LEN, Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};
use lifeboat_health::Family;
use proptest::prelude::*;

use super::*;
use crate::catalog::Catalog;
use crate::gate::FULL;
use crate::gate::table::GateValue;
use crate::input::SnapshotInput;

const PLAN: &str = include_str!("tests/plan.json");

struct Bench {
    snapshot: Snapshot,
    gates: GateTable,
    scratch: Scratch,
}

impl Bench {
    fn new() -> Self {
        let plan: SnapshotInput = serde_json::from_str(PLAN).unwrap();
        let gates = GateTable::new();
        let (catalog, applied) = Catalog::default().applied(&plan).unwrap();
        assert_eq!(applied.rejected, []);
        Self {
            snapshot: catalog.build(&gates).unwrap(),
            gates,
            scratch: Scratch::new(),
        }
    }

    fn raw(&mut self, packet: &[u8], transport: Transport, draw: u64) -> (Outcome, Vec<u8>) {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let meta = QueryMeta {
            client: local,
            local,
            transport,
            now: MonoTime::ZERO,
            draw,
        };
        let mut out = vec![0xee; if transport == Transport::Udp { 1232 } else { 65_535 }];
        let outcome = answer(
            &mut self.scratch,
            packet,
            &meta,
            &self.snapshot,
            &self.gates,
            &mut out,
        );
        match outcome {
            Outcome::Reply(reply) => out.truncate(reply.len),
            Outcome::Dropped => out.clear(),
        }
        (outcome, out)
    }

    fn send(&mut self, query: &Message) -> Message {
        let (_, out) = self.raw(&query.to_vec().unwrap(), Transport::Udp, 0);
        Message::from_vec(&out).unwrap()
    }

    fn ask(&mut self, name: &str, kind: RecordType) -> Message {
        self.send(&question(name, kind))
    }
}

fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_str(name).unwrap(), kind));
    message
}

fn with_edns(mut message: Message, payload: u16) -> Message {
    let mut edns = Edns::new();
    edns.set_max_payload(payload).set_version(0);
    message.set_edns(edns);
    message
}

fn addresses(message: &Message) -> Vec<IpAddr> {
    message
        .answers
        .iter()
        .filter_map(|record| record.data.ip_addr())
        .collect()
}

fn check(name: &str, kind: RecordType, rcode: ResponseCode, answers: usize, authorities: usize) -> Message {
    let reply = Bench::new().ask(name, kind);
    assert_eq!(reply.metadata.response_code, rcode, "{name} {kind}");
    assert_eq!(
        (reply.answers.len(), reply.authorities.len()),
        (answers, authorities),
        "{name} {kind}: {reply}"
    );
    reply
}

/// RFC 1035 §4.1.1: id and RD copied, QR and AA set, RA clear; §4.1.2: the question as it was.
#[test]
fn header_and_question_are_echoed() {
    let reply = check("shop.demo.example.", RecordType::A, ResponseCode::NoError, 1, 0);
    assert_eq!(reply.metadata.id, 7);
    assert_eq!(reply.metadata.message_type, MessageType::Response);
    assert!(reply.metadata.authoritative && reply.metadata.recursion_desired);
    assert!(
        !reply.metadata.recursion_available && !reply.metadata.truncation && !reply.metadata.authentic_data
    );
    assert_eq!(reply.answers[0].ttl, 5);
    assert_eq!(reply.answers[0].name.to_string(), "shop.demo.example.");
    assert!(reply.edns.is_none(), "RFC 6891 §6.1.1: no OPT unasked");
}

/// RFC 4343 §3: names compare without case; draft-vixie-dnsext-dns0x20: the question comes back octet for octet.
#[test]
fn case_is_ignored_and_kept() {
    let packet = question("sHoP.dEmO.eXaMpLe.", RecordType::A).to_vec().unwrap();
    let (_, out) = Bench::new().raw(&packet, Transport::Udp, 0);
    assert_eq!(&out[12..packet.len()], &packet[12..]);
    assert_eq!(addresses(&Message::from_vec(&out).unwrap()).len(), 1);
}

/// RFC 2308 §2, §3: NXDOMAIN and NODATA carry the SOA with TTL = min(TTL, MINIMUM); AA stays set.
#[test]
fn negative_answers_carry_the_soa() {
    for (name, kind, rcode) in [
        ("absent.demo.example.", RecordType::A, ResponseCode::NXDomain),
        ("a.b.absent.demo.example.", RecordType::A, ResponseCode::NXDomain),
        ("shop.demo.example.", RecordType::MX, ResponseCode::NoError),
        ("demo.example.", RecordType::A, ResponseCode::NoError),
    ] {
        let reply = check(name, kind, rcode, 0, 1);
        let soa = &reply.authorities[0];
        assert_eq!((soa.record_type(), soa.ttl), (RecordType::SOA, 5));
        assert_eq!(soa.name.to_string(), "demo.example.");
        assert!(reply.metadata.authoritative);
    }
}

/// RFC 4074 §4: AAAA for a name with A alone is NODATA, never NXDOMAIN.
#[test]
fn a_type_that_is_not_configured_is_nodata() {
    check(
        "v4only.demo.example.",
        RecordType::AAAA,
        ResponseCode::NoError,
        0,
        1,
    );
    check(
        "shop.demo.example.",
        RecordType::AAAA,
        ResponseCode::NoError,
        1,
        0,
    );
    check(
        "shop.demo.example.",
        RecordType::from(65280),
        ResponseCode::NoError,
        0,
        1,
    );
}

/// RFC 8020 §2 and RFC 4592 §2.2.2: a name with names below it exists, without data.
#[test]
fn empty_non_terminals_exist() {
    check("deep.demo.example.", RecordType::A, ResponseCode::NoError, 0, 1);
    check(
        "very.deep.demo.example.",
        RecordType::A,
        ResponseCode::NoError,
        1,
        0,
    );
    check(
        "x.deep.demo.example.",
        RecordType::A,
        ResponseCode::NXDomain,
        0,
        1,
    );
}

/// RFC 4592 §2.1.1, §3.3.1: the wildcard answers below its closest encloser, not across a name that exists.
#[test]
fn wildcards_answer_below_their_parent() {
    let reply = check(
        "anything.wild.demo.example.",
        RecordType::TXT,
        ResponseCode::NoError,
        1,
        0,
    );
    assert_eq!(reply.answers[0].name.to_string(), "anything.wild.demo.example.");
    check(
        "a.b.wild.demo.example.",
        RecordType::TXT,
        ResponseCode::NoError,
        1,
        0,
    );
    check(
        "anything.wild.demo.example.",
        RecordType::A,
        ResponseCode::NoError,
        0,
        1,
    );
    check("wild.demo.example.", RecordType::TXT, ResponseCode::NoError, 0, 1);
    check(
        "real.wild.demo.example.",
        RecordType::TXT,
        ResponseCode::NoError,
        0,
        1,
    );
    check(
        "below.real.wild.demo.example.",
        RecordType::TXT,
        ResponseCode::NXDomain,
        0,
        1,
    );
}

/// RFC 1034 §4.3.1, RFC 8906 §3.1: outside its zones an authoritative server refuses, without AA.
#[test]
fn names_outside_the_zones_are_refused() {
    for name in ["example.", "other.example.", "xdemo.example.", "."] {
        let reply = check(name, RecordType::A, ResponseCode::Refused, 0, 0);
        assert!(!reply.metadata.authoritative);
    }
    let mut empty = Bench {
        snapshot: Snapshot::empty(),
        ..Bench::new()
    };
    assert_eq!(
        empty
            .ask("shop.demo.example.", RecordType::A)
            .metadata
            .response_code,
        ResponseCode::Refused
    );
}

/// RFC 1035 §3.3: SOA, NS with glue, TXT as the zone says; the serial is the plan's sequence number.
#[test]
fn apex_records() {
    let reply = check("demo.example.", RecordType::SOA, ResponseCode::NoError, 1, 0);
    let RData::SOA(soa) = &reply.answers[0].data else {
        panic!("no SOA: {reply}")
    };
    assert_eq!((soa.serial, soa.minimum, reply.answers[0].ttl), (7, 5, 300));
    let reply = check("demo.example.", RecordType::NS, ResponseCode::NoError, 2, 0);
    assert_eq!(
        reply.additionals.len(),
        2,
        "A and AAAA of the name server inside the zone"
    );
    let reply = check("demo.example.", RecordType::TXT, ResponseCode::NoError, 1, 0);
    let RData::TXT(text) = &reply.answers[0].data else {
        panic!("no TXT: {reply}")
    };
    assert_eq!(
        text.txt_data.len(),
        2,
        "RFC 1035 §3.3.14: long text is cut at 255 octets"
    );
    check("ns1.demo.example.", RecordType::AAAA, ResponseCode::NoError, 1, 0);
}

/// RFC 8482 §4.2: ANY gets one HINFO.
#[test]
fn any_is_minimal() {
    let reply = check("shop.demo.example.", RecordType::ANY, ResponseCode::NoError, 1, 0);
    assert_eq!(reply.answers[0].record_type(), RecordType::HINFO);
    check("deep.demo.example.", RecordType::ANY, ResponseCode::NoError, 0, 1);
}

/// RFC 6895 §3.1: query types that are operations.
#[test]
fn operations_are_not_data() {
    check("demo.example.", RecordType::AXFR, ResponseCode::Refused, 0, 0);
    check("demo.example.", RecordType::IXFR, ResponseCode::Refused, 0, 0);
    check("demo.example.", RecordType::from(253), ResponseCode::NotImp, 0, 0);
}

/// RFC 6891 §6.1.1, §6.2.3; RFC 9715 §3.2: OPT for OPT, version 0, DO copied, 1232 advertised, options not echoed.
#[test]
fn edns_is_answered() {
    let mut query = with_edns(question("shop.demo.example.", RecordType::A), 4096);
    query.edns.as_mut().unwrap().set_dnssec_ok(true);
    let reply = Bench::new().send(&query);
    let edns = reply.edns.unwrap();
    assert_eq!(
        (edns.version(), edns.max_payload(), edns.flags().dnssec_ok),
        (0, 1232, true)
    );
    assert!(edns.options().as_ref().is_empty());

    let mut packet = with_edns(question("shop.demo.example.", RecordType::A), 1232)
        .to_vec()
        .unwrap();
    let length = packet.len();
    packet[length - 1] = 8;
    packet.extend_from_slice(b"\x00\x0a\x00\x04abcd");
    let (_, out) = Bench::new().raw(&packet, Transport::Udp, 0);
    let reply = Message::from_vec(&out).unwrap();
    assert_eq!(addresses(&reply).len(), 1);
    assert!(reply.edns.unwrap().options().as_ref().is_empty());
}

/// RFC 6891 §6.1.3: an EDNS version we do not know gets BADVERS in a version 0 OPT, and no answer.
#[test]
fn unknown_edns_version_is_badvers() {
    let mut query = with_edns(question("shop.demo.example.", RecordType::A), 1232);
    query.edns.as_mut().unwrap().set_version(1);
    let reply = Bench::new().send(&query);
    assert_eq!(u16::from(reply.metadata.response_code), 16, "hickory-proto calls 16 BADSIG");
    assert_eq!((reply.answers.len(), reply.edns.unwrap().version()), (0, 0));
}

/// RFC 6891 §6.1.1: two OPTs are a format error; §6.1.2: so is an OPT that is not at the root, or is cut off.
#[test]
fn malformed_edns_is_a_format_error() {
    let good = with_edns(question("shop.demo.example.", RecordType::A), 1232)
        .to_vec()
        .unwrap();
    let opt = good[good.len() - 11..].to_vec();
    let mut twice = good.clone();
    twice.extend_from_slice(&opt);
    twice[11] = 2;
    let mut not_root = good[..good.len() - 11].to_vec();
    not_root.extend_from_slice(b"\x01x");
    not_root.extend_from_slice(&opt);
    let mut cut_off = good.clone();
    *cut_off.last_mut().unwrap() = 9;
    let mut odd_option = good;
    *odd_option.last_mut().unwrap() = 4;
    odd_option.extend_from_slice(b"\x00\x0a\x00\x09");
    for packet in [twice, not_root, cut_off, odd_option] {
        let (_, out) = Bench::new().raw(&packet, Transport::Udp, 0);
        assert_eq!(out[3] & 0xf, 1, "{packet:?}");
        assert_eq!(&out[..2], &packet[..2]);
    }
}

/// RFC 1035 §4.2.1 and RFC 9715 §3.2: 512 octets without EDNS, min(client, 1232) with it; RFC 2181 §9: what does not
/// fit is left out whole, with TC; over TCP it fits.
#[test]
fn truncation_leaves_empty_sections() {
    let mut bench = Bench::new();
    let plain = question("many.demo.example.", RecordType::A);
    for (query, limit) in [
        (plain.clone(), 512),
        (with_edns(plain.clone(), 600), 600),
        (with_edns(plain.clone(), 65_535), 1232),
    ] {
        let (_, out) = bench.raw(&query.to_vec().unwrap(), Transport::Udp, 0);
        let reply = Message::from_vec(&out).unwrap();
        assert!(reply.metadata.truncation && out.len() <= limit);
        assert_eq!(
            (
                reply.answers.len(),
                reply.authorities.len(),
                reply.additionals.len()
            ),
            (0, 0, 0)
        );
        assert_eq!(reply.edns.is_some(), query.edns.is_some());
    }
    let (outcome, out) = bench.raw(&plain.to_vec().unwrap(), Transport::Tcp, 0);
    let reply = Message::from_vec(&out).unwrap();
    assert!(!reply.metadata.truncation, "{outcome:?}");
    assert_eq!(addresses(&reply).len(), 100);
    // RFC 6891 §6.2.3: a payload below 512 counts as 512.
    let small = with_edns(question("demo.example.", RecordType::NS), 100);
    assert!(!bench.send(&small).metadata.truncation);
}

/// RFC 1035 §4.1.1: other opcodes are not implemented; RFC 8906 §3.1.4.
#[test]
fn other_opcodes_are_not_implemented() {
    for opcode in [1_u8, 2, 4, 5, 6, 15] {
        let mut packet = question("demo.example.", RecordType::SOA).to_vec().unwrap();
        packet[2] = opcode << 3;
        let (_, out) = Bench::new().raw(&packet, Transport::Udp, 0);
        assert_eq!((out[3] & 0xf, out[2] >> 3 & 0xf), (4, opcode));
    }
}

/// RFC 9619 §3: a query has one question.
#[test]
fn other_than_one_question_is_a_format_error() {
    let mut two = question("demo.example.", RecordType::SOA);
    two.add_query(Query::query(
        Name::from_str("demo.example.").unwrap(),
        RecordType::NS,
    ));
    let none = Message::new(7, MessageType::Query, OpCode::Query);
    for message in [two, none] {
        let (_, out) = Bench::new().raw(&message.to_vec().unwrap(), Transport::Udp, 0);
        assert_eq!((out[3] & 0xf, out.len()), (1, 12));
    }
}

/// RFC 5452 §9.1: a response is never answered, nor is what has no whole header.
#[test]
fn responses_and_fragments_are_dropped() {
    let mut packet = question("demo.example.", RecordType::SOA).to_vec().unwrap();
    assert_eq!(
        Bench::new().raw(&packet[..11], Transport::Udp, 0).0,
        Outcome::Dropped
    );
    packet[2] |= 0x80;
    assert_eq!(Bench::new().raw(&packet, Transport::Udp, 0).0, Outcome::Dropped);
}

/// RFC 1035 §3.1, §4.1.4: label types other than 00, pointers in the question, names too long, trailing octets.
#[test]
fn malformed_questions_are_format_errors() {
    let head = b"\x00\x07\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00";
    let long = [b"\x3f".as_slice(), &[b'a'; 63]].concat().repeat(4);
    let cases: [&[u8]; 7] = [
        b"\xc0\x0c\x00\x01\x00\x01",
        b"\xc0\x04\x00\x01\x00\x01",
        b"\x41x\x00\x00\x01\x00\x01",
        b"\x04demo",
        b"\x04demo\x00\x00\x01",
        b"\x04demo\x00\x00\x01\x00\x01trailing",
        &[long.as_slice(), b"\x00\x00\x01\x00\x01"].concat(),
    ];
    for case in cases {
        let packet = [head.as_slice(), case].concat();
        let (_, out) = Bench::new().raw(&packet, Transport::Udp, 0);
        assert_eq!(out[3] & 0xf, 1, "{case:?}");
    }
}

/// RFC 8906 §3.1: classes we do not serve are refused; RFC 4892 §3: version in class CHAOS.
#[test]
fn classes() {
    let mut bench = Bench::new();
    let mut ask = |name: &str, class: DNSClass| {
        let mut query = question(name, RecordType::TXT);
        query.queries[0].set_query_class(class);
        bench.send(&query)
    };
    for class in [DNSClass::HS, DNSClass::ANY, DNSClass::NONE] {
        assert_eq!(
            ask("demo.example.", class).metadata.response_code,
            ResponseCode::Refused
        );
    }
    let reply = ask("version.bind.", DNSClass::CH);
    assert_eq!(
        (reply.answers.len(), reply.answers[0].dns_class),
        (1, DNSClass::CH)
    );
    assert_eq!(
        ask("hostname.bind.", DNSClass::CH).metadata.response_code,
        ResponseCode::Refused
    );
}

/// RFC 1035 §4.1: records beside the question are read over if they are well-formed.
#[test]
fn extra_records_do_not_disturb() {
    let mut query = question("shop.demo.example.", RecordType::A);
    let extra = Bench::new().ask("shop.demo.example.", RecordType::A).answers[0].clone();
    query.add_additional(extra.clone()).add_answer(extra);
    let reply = Bench::new().send(&with_edns(query, DEFAULT_MAX_PAYLOAD_LEN));
    assert_eq!((addresses(&reply).len(), reply.additionals.len()), (1, 0));
}

/// A and AAAA follow the same rule and the same weights: the same draw gives the same cluster.
#[test]
fn families_share_the_decision() {
    let mut bench = Bench::new();
    for draw in [0, u64::MAX / 3, u64::MAX / 2, u64::MAX] {
        let mut last_octet = |kind| {
            let (_, out) = bench.raw(
                &question("shop.demo.example.", kind).to_vec().unwrap(),
                Transport::Udp,
                draw,
            );
            match addresses(&Message::from_vec(&out).unwrap())[..] {
                [IpAddr::V4(v4)] => v4.octets()[3],
                [IpAddr::V6(v6)] => v6.octets()[15],
                ref other => panic!("{other:?}"),
            }
        };
        assert_eq!(last_octet(RecordType::A), last_octet(RecordType::AAAA));
    }
}

/// RFC 8914 §4.1: when every candidate is in doubt the answer says so, and is not empty.
#[test]
fn panic_is_told_by_ede() {
    let mut bench = Bench::new();
    for cluster in ["a", "b", "c"] {
        let slot = bench.gates.intern(cluster, Family::V4).unwrap();
        bench.gates.store(
            slot,
            GateValue {
                gate: 0,
                last_good: FULL,
                episode: 1,
                held: false,
            },
        );
    }
    let query = with_edns(question("shop.demo.example.", RecordType::A), 1232);
    let (outcome, out) = bench.raw(&query.to_vec().unwrap(), Transport::Udp, 0);
    assert!(matches!(outcome, Outcome::Reply(Reply { panic: true, .. })));
    assert!(out.ends_with(b"last good set"));
    assert_eq!(addresses(&Message::from_vec(&out).unwrap()).len(), 1);
    let six = with_edns(question("shop.demo.example.", RecordType::AAAA), 1232);
    let (outcome, _) = bench.raw(&six.to_vec().unwrap(), Transport::Udp, 0);
    assert!(
        matches!(outcome, Outcome::Reply(Reply { panic: false, .. })),
        "the other family is well"
    );
}

#[test]
fn all_is_rotated_and_limited() {
    let mut bench = Bench::new();
    let mut ask = |draw| {
        let packet = question("all.demo.example.", RecordType::A).to_vec().unwrap();
        let (_, out) = bench.raw(&packet, Transport::Udp, draw);
        addresses(&Message::from_vec(&out).unwrap())
    };
    let (first, last) = (ask(0), ask(u64::MAX));
    assert_eq!((first.len(), last.len()), (2, 2));
    assert_ne!(first, last);
}

/// Every packet, however made, is answered with something hickory-proto can read, or dropped; never a panic.
fn survives(packet: &[u8], draw: u64) -> Result<(), TestCaseError> {
    for transport in [Transport::Udp, Transport::Tcp] {
        let (outcome, out) = Bench::new().raw(packet, transport, draw);
        if let Outcome::Reply(reply) = outcome {
            prop_assert_eq!(&out[..2], &packet[..2]);
            prop_assert!(out[2] & 0x80 != 0 && reply.len >= 12);
            prop_assert!(transport == Transport::Tcp || reply.len <= 1232);
            prop_assert!(reply.rcode != Rcode::ServFail, "the slow path panicked");
            prop_assert!(Message::from_vec(&out).is_ok(), "{:?} from {:?}", out, packet);
        }
    }
    Ok(())
}

fn sample_names() -> impl Strategy<Value = String> {
    let names = [
        "shop.demo.example.",
        "demo.example.",
        "many.demo.example.",
        "x.wild.demo.example.",
        "deep.demo.example.",
        "no.demo.example.",
        "all.demo.example.",
        "example.",
        ".",
    ];
    prop::sample::select(names.map(str::to_owned).to_vec())
}

proptest! {
    // A failure prints the seed and the shrunk packet.
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_packets_are_survived(packet in prop::collection::vec(any::<u8>(), 0..600), draw: u64) {
        survives(&packet, draw)?;
    }

    #[test]
    fn mutated_packets_are_survived(
        name in sample_names(),
        kind in prop::sample::select(vec![1_u16, 2, 6, 16, 28, 41, 65, 250, 252, 255, 4000]),
        edns: Option<u16>,
        mutations in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in 0_usize..8,
        draw: u64,
    ) {
        let mut query = question(&name, RecordType::from(kind));
        if let Some(payload) = edns {
            query = with_edns(query, payload);
        }
        let mut packet = query.to_vec().unwrap();
        for (at, value) in mutations {
            let at = at.index(packet.len());
            packet[at] = value;
        }
        packet.truncate(packet.len() - cut.min(packet.len()));
        survives(&packet, draw)?;
    }
}

#[test]
fn addresses_are_written_as_they_are() {
    let reply = check("v4only.demo.example.", RecordType::A, ResponseCode::NoError, 1, 0);
    assert_eq!(addresses(&reply), [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))]);
    let reply = check("ns1.demo.example.", RecordType::AAAA, ResponseCode::NoError, 1, 0);
    assert_eq!(
        addresses(&reply),
        [IpAddr::V6(Ipv6Addr::from_str("2001:db8::53").unwrap())]
    );
}
