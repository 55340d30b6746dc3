//! Zone cuts.

use super::*;

fn additional(reply: &Message) -> Vec<String> {
    let told = reply
        .additionals
        .iter()
        .map(|record| format!("{} {}", record.name, record.data));
    told.collect()
}

/// RFC 1034 §4.3.2 step 3b, RFC 9471 §3: at a cut and below it a referral, without AA, with the glue of servers below the cut and then of
/// those elsewhere in the zone.
#[test]
fn a_delegated_name_is_referred() {
    for name in [
        "sub.demo.example.",
        "a.b.sub.demo.example.",
        "ns.sub.demo.example.",
    ] {
        let reply = check(name, RecordType::A, ResponseCode::NoError, 0, 3);
        assert!(!reply.metadata.authoritative);
        assert!(
            reply
                .authorities
                .iter()
                .all(|record| record.record_type() == RecordType::NS
                    && record.name.to_string() == "sub.demo.example.")
        );
        assert_eq!(
            additional(&reply),
            [
                "ns.sub.demo.example. 192.0.2.90",
                "ns.sub.demo.example. 2001:db8::90",
                "ns.other.demo.example. 192.0.2.91"
            ]
        );
    }
}

/// RFC 4035 §3.1.4.1: DS at a cut is the parent's to answer.
#[test]
fn the_parent_answers_ds() {
    let reply = check("sub.demo.example.", RecordType::DS, ResponseCode::NoError, 0, 1);
    assert!(reply.metadata.authoritative);
    check("a.sub.demo.example.", RecordType::DS, ResponseCode::NoError, 0, 3);
}

/// RFC 9471 §3.1: where the glue of servers below the cut does not fit, the response is truncated; other addresses may be left out.
#[test]
fn needed_glue_truncates_and_helpful_glue_does_not() {
    let mut bench = Bench::new();
    let query = question("sub.demo.example.", RecordType::A);
    let whole = bench.send(&query).to_vec().unwrap().len();
    let cut_off = |limit: usize, bench: &mut Bench| {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let meta = QueryMeta {
            client: local,
            local,
            transport: Transport::Udp,
            now: MonoTime::ZERO,
            ecs: true,
            unix_s: 0,
            protocol: &crate::PLAIN,
            draw: 0,
        };
        let mut out = vec![0; limit];
        let packet = query.to_vec().unwrap();
        let Bench {
            snapshot,
            gates,
            scratch,
            ..
        } = bench;
        let Outcome::Reply(reply) = answer(scratch, &packet, &meta, snapshot, gates, &mut out) else {
            panic!("no reply");
        };
        out.truncate(reply.len);
        (
            reply.truncated,
            Message::from_vec(&out).unwrap().additionals.len(),
        )
    };
    let mut seen = std::collections::BTreeSet::new();
    for limit in 60..whole + 100 {
        seen.insert(cut_off(limit, &mut bench));
    }
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        [(false, 2), (false, 3), (true, 0)]
    );
}

/// RFC 1034 §4.3.2: an alias into a delegated part ends with a referral; AA is of the alias.
#[test]
fn an_alias_to_a_delegated_name() {
    let reply = check("tosub.demo.example.", RecordType::A, ResponseCode::NoError, 1, 3);
    assert!(reply.metadata.authoritative);
}

/// RFC 2181 §6.1: what lies in a zone of our own inside another is the inner zone's, the NS records at its apex too.
#[test]
fn an_inner_zone_speaks_for_itself() {
    check(
        "www.inner.demo.example.",
        RecordType::A,
        ResponseCode::NoError,
        1,
        0,
    );
    let reply = check(
        "beside.inner.demo.example.",
        RecordType::A,
        ResponseCode::NXDomain,
        0,
        1,
    );
    assert_eq!(reply.authorities[0].name.to_string(), "inner.demo.example.");
    assert_eq!(reply.authorities[0].ttl, 7);
    let reply = check("inner.demo.example.", RecordType::NS, ResponseCode::NoError, 1, 0);
    assert!(reply.metadata.authoritative);
}

/// RFC 1035 §3.3.9: types that the server knows nothing special of come as the zone has them.
#[test]
fn other_types_are_answered() {
    let reply = check("mail.demo.example.", RecordType::MX, ResponseCode::NoError, 2, 0);
    assert_eq!(reply.answers[0].data.to_string(), "10 mx1.demo.example.");
}
