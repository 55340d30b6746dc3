//! Whatever a packet holds, it is answered or dropped.

use super::*;
use crate::cookie::{CookieRules, CookieSecrets};
use crate::protocol::Identity;
use hickory_proto::serialize::binary::BinEncodable;

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

fn with_everything_on() -> Bench {
    let mut bench = Bench::new();
    bench.protocol = Protocol {
        cookies: Some(CookieRules {
            secrets: CookieSecrets::parse("e5e973e5a6b2a43f48e7dc849e37bfcf").unwrap(),
            enforce: true,
        }),
        identity: Identity {
            nsid: Some(vec![7; 128]),
            ..Identity::default()
        },
        keepalive_tenths: Some(300),
        ..Protocol::default()
    };
    bench
}

/// Every packet, however made, is answered with something hickory-proto can read, or dropped; never a panic.
fn survives(packet: &[u8], draw: u64) -> Result<(), TestCaseError> {
    reads_like_hickory(packet)?;
    let transports = [Transport::Udp, Transport::Tcp];
    for (everything, transport) in [false, true].map(|on| transports.map(|by| (on, by))).concat() {
        let mut bench = if everything {
            with_everything_on()
        } else {
            Bench::new()
        };
        let (outcome, mut out) = bench.raw(packet, transport, draw);
        if let Outcome::Reply(reply) = outcome {
            prop_assert_eq!(&out[..2], &packet[..2]);
            prop_assert!(out[2] & 0x80 != 0 && reply.len >= 12);
            prop_assert!(transport == Transport::Tcp || reply.len <= 1232);
            prop_assert!(reply.rcode != Rcode::ServFail, "the slow path panicked");
            prop_assert!(Message::from_vec(&out).is_ok(), "{:?} from {:?}", out, packet);
            let short = cut(&mut out, &reply);
            prop_assert!(short.len <= reply.len);
            let short = &out[..short.len];
            prop_assert!(Message::from_vec(short).is_ok(), "{:?} from {:?}", short, packet);
        }
    }
    Ok(())
}

/// What both the hand parser and hickory-proto accept, both read alike.
fn reads_like_hickory(packet: &[u8]) -> Result<(), TestCaseError> {
    let mut qname = QName::new();
    if packet.len() < HEADER_LEN {
        return Ok(());
    }
    let (Ok(ours), Ok(theirs)) = (query::parse(packet, &mut qname), Message::from_vec(packet)) else {
        return Ok(());
    };
    let question = &theirs.queries[0];
    prop_assert_eq!(theirs.queries.len(), 1);
    prop_assert_eq!(ours.qtype, u16::from(question.query_type()));
    prop_assert_eq!(qname.wire(), question.name().to_lowercase().to_bytes().unwrap());
    let edns = theirs
        .edns
        .as_ref()
        .map(|edns| (edns.max_payload(), edns.version(), edns.flags().dnssec_ok));
    let expected = ours
        .edns
        .map(|edns| (edns.payload.max(512), edns.version, edns.dnssec_ok));
    prop_assert_eq!(
        expected,
        edns.map(|(payload, version, dnssec_ok)| (payload.max(512), version, dnssec_ok))
    );
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
        option in prop::option::of((
            prop::sample::select(vec![3_u16, 8, 10, 11, 65_001]),
            prop::collection::vec(any::<u8>(), 0..45),
        )),
        mutations in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in 0_usize..8,
        draw: u64,
    ) {
        let mut query = question(&name, RecordType::from(kind));
        if let Some(payload) = edns {
            query = with_edns(query, payload);
        }
        let mut packet = query.to_vec().unwrap();
        if let (Some(_), Some((code, data))) = (edns, option) {
            packet = cookies::add_option(packet, code, &data);
        }
        for (at, value) in mutations {
            let at = at.index(packet.len());
            packet[at] = value;
        }
        packet.truncate(packet.len() - cut.min(packet.len()));
        survives(&packet, draw)?;
    }
}
