//! The message layer: header, counts, opcodes, classes, types that are operations, size.

use super::*;

/// RFC 4035 §3.1.6: AD and CD, which are for resolvers, are clear whatever the query has.
#[test]
fn ad_and_cd_are_clear() {
    for name in ["shop.demo.example.", "absent.demo.example.", "example.org."] {
        let mut query = question(name, RecordType::A);
        query.metadata.checking_disabled = true;
        query.metadata.authentic_data = true;
        let reply = Bench::new().send(&query);
        assert!(
            !reply.metadata.checking_disabled && !reply.metadata.authentic_data,
            "{name}"
        );
    }
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
