//! Names and negative answers.

use super::*;

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
        ("demo.example.", RecordType::MX, ResponseCode::NoError),
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
