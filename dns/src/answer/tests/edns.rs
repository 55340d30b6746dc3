//! EDNS.

use super::*;

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
    assert_eq!(
        u16::from(reply.metadata.response_code),
        16,
        "hickory-proto calls 16 BADSIG"
    );
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

/// RFC 7828 §3.3.1, §3.3.2: the idle time is told over TCP to who asks, and never over UDP.
#[test]
fn keepalive_is_told_over_tcp() {
    let query = with_edns(question("shop.demo.example.", RecordType::A), 1232);
    let asks = cookies::add_option(query.to_vec().unwrap(), 11, b"");
    let told = |bench: &mut Bench, packet: &[u8], transport| {
        let (outcome, out) = bench.raw(packet, transport, 0);
        let reply = Message::from_vec(&out).unwrap();
        let option = reply.edns.unwrap().option(11.into()).cloned();
        let data = option.map(|option| Vec::<u8>::try_from(&option).unwrap());
        let Outcome::Reply(reply) = outcome else {
            panic!("no reply")
        };
        assert_eq!(reply.keepalive_tenths.is_some(), data.is_some());
        data
    };
    let mut bench = Bench::new();
    assert_eq!(told(&mut bench, &asks, Transport::Tcp), None, "off");
    bench.protocol.keepalive_tenths = Some(300);
    assert_eq!(told(&mut bench, &asks, Transport::Tcp), Some(vec![1, 44]));
    assert_eq!(told(&mut bench, &asks, Transport::Udp), None);
    let plain = query.to_vec().unwrap();
    assert_eq!(told(&mut bench, &plain, Transport::Tcp), None, "not asked");
}
