//! Steered names: shared decisions, rotation, PANIC.

use super::*;

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
                ..GateValue::default()
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
