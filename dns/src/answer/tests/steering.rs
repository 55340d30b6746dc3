//! Steered names: shared decisions, rotation, PANIC.

use super::*;
use crate::input::OnAllDown;

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

impl Bench {
    /// The plan with `shop` changed.
    pub(super) fn with_shop(change: impl Fn(&mut crate::input::NameInput)) -> Self {
        let mut plan: SnapshotInput = serde_json::from_str(PLAN).unwrap();
        let shop = plan
            .names
            .iter_mut()
            .find(|name| name.name == "shop.demo.example");
        change(shop.unwrap());
        let mut bench = Self::new();
        let (catalog, applied) = Catalog::default().applied(&plan).unwrap();
        assert_eq!(applied.rejected, []);
        bench.snapshot = catalog.build(&bench.gates).unwrap();
        bench
    }

    pub(super) fn withdraw(&self, clusters: &[&str], last_good: u32) {
        for cluster in clusters {
            let slot = self.gates.intern(cluster, Family::V4).unwrap();
            let value = GateValue {
                gate: 0,
                last_good,
                episode: 1,
                ..GateValue::default()
            };
            self.gates.store(slot, value);
        }
    }

    /// The answer for `shop`, with the text of its extended error.
    fn shop(&mut self, draw: u64) -> (Message, Outcome, Vec<u8>) {
        let query = with_edns(question("shop.demo.example.", RecordType::A), 1232);
        let (outcome, out) = self.raw(&query.to_vec().unwrap(), Transport::Udp, draw);
        (Message::from_vec(&out).unwrap(), outcome, out)
    }
}

pub(super) fn ttls(message: &Message) -> Vec<u32> {
    message.answers.iter().map(|record| record.ttl).collect()
}

/// RFC 8914 §4.1 and §2: what a name has for the case that nobody is healthy is done, and told.
#[test]
fn a_name_says_what_serves_when_all_are_down() {
    let fallback = ["198.51.100.1", "2001:db8::f", "198.51.100.2"].map(|address| address.parse().unwrap());
    let mut bench = Bench::with_shop(|shop| shop.on_all_down = OnAllDown::Fallback(fallback.to_vec()));
    bench.withdraw(&["a", "b"], FULL);
    assert_eq!(
        addresses(&bench.shop(0).0),
        [IpAddr::from([192, 0, 2, 3])],
        "not before"
    );
    bench.withdraw(&["c"], FULL);
    let (reply, outcome, out) = bench.shop(0);
    assert_eq!(addresses(&reply), [fallback[0], fallback[2]]);
    assert!(out.ends_with(b"\x00\x0f\x00\x14\x00\x00fallback addresses"));
    assert!(matches!(outcome, Outcome::Reply(Reply { panic: true, .. })));
    assert_eq!(ttls(&reply), [2, 2]);

    let mut bench = Bench::with_shop(|shop| shop.on_all_down = OnAllDown::Servfail);
    bench.withdraw(&["a", "b", "c"], FULL);
    let (reply, outcome, out) = bench.shop(0);
    assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
    assert!(reply.answers.is_empty() && !reply.metadata.authoritative);
    assert!(out.ends_with(b"\x00\x0f\x00\x14\x00\x00no healthy cluster"));
    assert!(matches!(outcome, Outcome::Reply(Reply { panic: true, .. })));

    let mut bench = Bench::with_shop(|shop| shop.on_all_down = OnAllDown::All);
    // a was lost in an earlier episode: the last good set would not have it.
    bench.withdraw(&["a"], 0);
    bench.withdraw(&["b", "c"], FULL);
    let (reply, _, out) = bench.shop(0);
    assert_eq!(addresses(&reply), [IpAddr::from([192, 0, 2, 1])]);
    assert!(out.ends_with(b"\x00\x0f\x00\x0e\x00\x00all clusters"));
    let mut last_good = Bench::new();
    last_good.withdraw(&["a"], 0);
    last_good.withdraw(&["b", "c"], FULL);
    assert_eq!(addresses(&last_good.shop(0).0), [IpAddr::from([192, 0, 2, 2])]);
}

/// While something may change soon, answers are kept for a shorter time; through an alias too.
#[test]
fn ttls_are_shorter_in_a_degraded_state() {
    let mut bench = Bench::new();
    assert_eq!(ttls(&bench.shop(0).0), [5]);
    bench.withdraw(&["a"], FULL);
    assert_eq!(ttls(&bench.shop(0).0), [2]);
    assert_eq!(ttls(&bench.ask("www.demo.example.", RecordType::A)), [300, 2]);
    assert_eq!(
        ttls(&bench.ask("shop.demo.example.", RecordType::AAAA)),
        [5],
        "that family is well"
    );
    let mut bench = Bench::with_shop(|shop| shop.degraded_ttl = Some(4));
    bench.withdraw(&["a"], FULL);
    assert_eq!(ttls(&bench.shop(0).0), [4]);
    let mut bench = Bench::with_shop(|shop| shop.ttl = 1);
    bench.withdraw(&["a"], FULL);
    assert_eq!(ttls(&bench.shop(0).0), [1]);
}
