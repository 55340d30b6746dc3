//! EDNS Client Subnet (RFC 7871).

use super::*;

/// A query with one OPT that holds these options.
fn with_options(name: &str, kind: RecordType, options: &[u8]) -> Vec<u8> {
    let mut packet = with_edns(question(name, kind), 1232).to_vec().unwrap();
    let at = packet.len() - 2;
    packet[at..].copy_from_slice(&u16::try_from(options.len()).unwrap().to_be_bytes());
    packet.extend_from_slice(options);
    packet
}

/// An ECS option as it stands in a query: FAMILY, SOURCE and SCOPE PREFIX-LENGTH, ADDRESS.
fn subnet(family: u16, source: u8, scope: u8, address: &[u8]) -> Vec<u8> {
    let mut option = vec![0, 8];
    option.extend_from_slice(&u16::try_from(address.len() + 4).unwrap().to_be_bytes());
    option.extend_from_slice(&family.to_be_bytes());
    option.extend_from_slice(&[source, scope]);
    option.extend_from_slice(address);
    option
}

/// The options of the response's OPT, which stands last.
fn options(response: &[u8]) -> Vec<u8> {
    let opt = response
        .windows(3)
        .rposition(|octets| octets == [0, 0, 41])
        .unwrap();
    response[opt + 11..].to_vec()
}

fn check(name: &str, kind: RecordType, sent: &[u8], expected: &[u8]) {
    let packet = with_options(name, kind, sent);
    let (_, out) = Bench::new().raw(&packet, Transport::Udp, 0);
    assert_eq!(
        out[3] & 0xf,
        if name.starts_with("absent") { 3 } else { 0 },
        "{name}"
    );
    assert_eq!(options(&out), expected, "{name} {sent:?}");
}

/// RFC 7871 §7.2.1: FAMILY, SOURCE PREFIX-LENGTH and ADDRESS come back as they were; the scope is what the answer depends on,
/// which may be more than was told.
#[test]
fn the_subnet_is_echoed_with_the_scope_used() {
    let (sticky, a) = ("sticky.demo.example.", RecordType::A);
    check(
        sticky,
        a,
        &subnet(1, 24, 0, &[198, 51, 100]),
        &subnet(1, 24, 20, &[198, 51, 100]),
    );
    check(
        sticky,
        a,
        &subnet(1, 16, 0, &[198, 51]),
        &subnet(1, 16, 20, &[198, 51]),
    );
    check(
        sticky,
        a,
        &subnet(1, 32, 0, &[198, 51, 100, 7]),
        &subnet(1, 32, 20, &[198, 51, 100, 7]),
    );
    let six = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0];
    check(sticky, a, &subnet(2, 56, 0, &six), &subnet(2, 56, 44, &six));
    check(
        sticky,
        RecordType::AAAA,
        &subnet(1, 24, 0, &[198, 51, 100]),
        &subnet(1, 24, 20, &[198, 51, 100]),
    );
}

/// RFC 7871 §7.2.1, §7.4: an answer that is the same for everybody, and a negative one, has scope 0.
#[test]
fn what_does_not_depend_on_the_client_has_scope_0() {
    let (sent, expected) = (
        subnet(1, 24, 0, &[198, 51, 100]),
        subnet(1, 24, 0, &[198, 51, 100]),
    );
    for name in ["shop.demo.example.", "ns1.demo.example.", "absent.demo.example."] {
        check(name, RecordType::A, &sent, &expected);
    }
    check("sticky.demo.example.", RecordType::TXT, &sent, &expected);
}

/// RFC 7871 §7.1.2: a source prefix of 0 asks not to be told apart: the answer is that of the resolver's own address, and
/// its scope is 0.
#[test]
fn a_client_can_opt_out() {
    for option in [subnet(1, 0, 0, &[]), subnet(2, 0, 0, &[]), subnet(0, 0, 0, &[])] {
        check("sticky.demo.example.", RecordType::A, &option, &option);
    }
    let mut bench = Bench::new();
    let mut ask = |sent: &[u8]| {
        let packet = with_options("sticky.demo.example.", RecordType::A, sent);
        let (_, out) = bench.raw(&packet, Transport::Udp, 0);
        addresses(&Message::from_vec(&out).unwrap())
    };
    assert_eq!(ask(&subnet(1, 0, 0, &[])), ask(&[]));
}

/// The network that the option names decides, not the resolver that sends it.
#[test]
fn the_subnet_decides() {
    let mut bench = Bench::new();
    let mut seen = std::collections::BTreeSet::new();
    for third in 0..=255 {
        let mut ask = |fourth| {
            let option = subnet(1, 32, 0, &[198, 51, third, fourth]);
            let packet = with_options("sticky.demo.example.", RecordType::A, &option);
            let (_, out) = bench.raw(&packet, Transport::Udp, 0);
            addresses(&Message::from_vec(&out).unwrap())
        };
        let first = ask(0);
        assert_eq!(first, ask(255), "the bits behind the scope change nothing");
        seen.insert(first);
    }
    assert!(seen.len() > 1);
}

/// RFC 7871 §6: an unknown family, a prefix longer than its addresses, too few or too many octets, bits behind the prefix,
/// or a scope in a query.
#[test]
fn a_malformed_subnet_is_a_format_error() {
    let malformed = [
        subnet(3, 24, 0, &[198, 51, 100]),
        subnet(0, 8, 0, &[198]),
        subnet(1, 33, 0, &[198, 51, 100, 7, 0]),
        subnet(2, 129, 0, &[0; 17]),
        subnet(1, 24, 0, &[198, 51]),
        subnet(1, 24, 0, &[198, 51, 100, 0]),
        subnet(1, 23, 0, &[198, 51, 101]),
        subnet(1, 24, 24, &[198, 51, 100]),
        vec![0, 8, 0, 3, 0, 1, 0],
        vec![0, 8, 0, 0],
    ];
    for option in malformed {
        let packet = with_options("shop.demo.example.", RecordType::A, &option);
        let (_, out) = Bench::new().raw(&packet, Transport::Udp, 0);
        let reply = Message::from_vec(&out).unwrap();
        assert_eq!(reply.metadata.response_code, ResponseCode::FormErr, "{option:?}");
        assert!(reply.answers.is_empty() && reply.edns.is_some());
        assert!(options(&out).is_empty(), "{option:?}");
    }
}

/// Other options stand beside it (RFC 6891 §6.1.2), and a query of the unusual shape is read alike.
#[test]
fn the_subnet_is_found_among_other_options_and_records() {
    let expected = subnet(1, 24, 20, &[198, 51, 100]);
    let mut sent = b"\x00\x0a\x00\x08abcdefgh".to_vec();
    sent.extend(subnet(1, 24, 0, &[198, 51, 100]));
    sent.extend(b"\xfd\xe9\x00\x00");
    check("sticky.demo.example.", RecordType::A, &sent, &expected);

    let mut packet = with_options("sticky.demo.example.", RecordType::A, &sent);
    packet[11] = 2;
    packet.extend_from_slice(b"\x00\x00\x10\x00\x01\x00\x00\x00\x00\x00\x02\x01x");
    let (_, out) = Bench::new().raw(&packet, Transport::Udp, 0);
    assert_eq!(options(&out), expected);
}

/// Who is not believed is answered as if the option were not there.
#[test]
fn a_server_can_leave_the_subnet_alone() {
    for option in [subnet(1, 24, 0, &[198, 51, 100]), subnet(9, 24, 0, &[1])] {
        let packet = with_options("sticky.demo.example.", RecordType::A, &option);
        let mut bench = Bench::new();
        bench.ecs = false;
        let (_, out) = bench.raw(&packet, Transport::Udp, 0);
        assert_eq!(out[3] & 0xf, 0);
        assert!(options(&out).is_empty());
    }
}

/// The option has its place reserved: what does not fit truncates, and the option stays (RFC 6891 §7).
#[test]
fn a_truncated_answer_keeps_the_subnet() {
    let option = subnet(
        2,
        128,
        0,
        &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    );
    let packet = with_options("many.demo.example.", RecordType::A, &option);
    let (outcome, out) = Bench::new().raw(&packet, Transport::Udp, 0);
    assert!(matches!(outcome, Outcome::Reply(Reply { truncated: true, .. })));
    assert_eq!(options(&out), option);
}

/// RFC 7871 §7.2.1: the scope is the length of the prefix that decided, also where nothing is known; and it is only as
/// long as the tables that the name looks into make it.
#[test]
fn the_scope_of_geo_is_that_of_the_deciding_prefix() {
    let rows = "prefix,name,country,asn\n\
                198.51.100.0/22,,DE,\n198.51.104.0/21,,US,\n\
                198.51.100.0/30,,,64500\n192.0.2.128/25,office,,\n";
    let mut bench = Bench::new();
    bench.snapshot = bench
        .snapshot
        .with_geo(crate::geo::tests::table(&[], rows).into());
    let mut check = |name: &str, address: [u8; 3], scope: u8, expected: u8| {
        let packet = with_options(name, RecordType::A, &subnet(1, 24, 0, &address));
        let (_, out) = bench.raw(&packet, Transport::Udp, 0);
        let answer = addresses(&Message::from_vec(&out).unwrap());
        assert_eq!(
            options(&out),
            subnet(1, 24, scope, &address),
            "{name} {address:?}"
        );
        assert_eq!(
            answer,
            [IpAddr::from([192, 0, 2, expected])],
            "{name} {address:?}"
        );
    };
    check("countries.demo.example.", [198, 51, 101], 22, 2);
    check("countries.demo.example.", [198, 51, 109], 21, 3);
    // 198.51.112.0/20 is the largest block around it that none of the prefixes lies in; nobody is left out.
    check("countries.demo.example.", [198, 51, 120], 20, 1);
    // The autonomous system could make a difference, as far as 198.51.100.0/30 is near.
    check("asns.demo.example.", [198, 51, 100], 30, 3);
    check("asns.demo.example.", [198, 51, 101], 24, 1);
    check("asns.demo.example.", [203, 0, 113], 5, 1);
}
