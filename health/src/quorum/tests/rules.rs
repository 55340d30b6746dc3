//! Each rule of the quorum by itself, on rows made by hand.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::bench::{Bench, Says};
use crate::{Datagram, Family, Header, Ingested, MAX_OBSERVERS, Path, Profile, Rejected, Row, Verdict};

/// How many votes Dead of `v` observers make a Down from Up, the rest voting Clear.
#[track_caller]
fn check_q(v: usize, q: usize) {
    for dead in 0..=v {
        let mut bench = Bench::new(&["a"], Profile::fast());
        bench.say(0, &vec![Says::Clear; v]);
        assert_eq!(bench.poll().len(), 1);
        let votes: Vec<Says> = (0..v)
            .map(|n| if n < dead { Says::Dead } else { Says::Clear })
            .collect();
        bench.ms += 100;
        bench.say(0, &votes);
        let down = bench.poll().iter().any(|t| t.to == Verdict::Down);
        assert_eq!(down, dead >= q, "{dead} of {v}");
    }
}

#[test]
fn votes_needed_for_a_down() {
    check_q(3, 3);
    check_q(4, 3);
    check_q(5, 4);
    check_q(7, 5);
}

#[test]
fn a_transition_carries_its_evidence() {
    let mut bench = Bench::new(&["a"], Profile::fast());
    bench.say(0, &[Says::Clear; 5]);
    bench.poll();
    bench.ms += 100;
    bench.say(0, &[Says::Dead, Says::Hard, Says::Dead, Says::Dead, Says::Clear]);
    let transition = bench.poll().remove(0);
    assert_eq!(
        (transition.from, transition.to, transition.q, transition.fresh),
        (Verdict::Up, Verdict::Down, 4, 5)
    );
    assert_eq!(transition.reason, "4 votes Dead of 5 fresh observers, 4 needed");
    let json = serde_json::to_value(&transition).unwrap();
    assert_eq!(json["evidence"][1]["observer"], "o1");
    assert_eq!(json["evidence"][1]["hard"][0], "refused");
    assert_eq!(json["evidence"][4]["vote"], "Clear");
    let (region, counted) = (&json["evidence"][4]["region"], &json["evidence"][4]["counted"]);
    assert_eq!((region, counted), (&"r".into(), &true.into()));
}

#[test]
fn cold_start_needs_three_successes_at_q_observers() {
    use Says::{Clear, Nothing};
    let mut bench = Bench::new(&["a"], Profile::fast());
    bench.say(0, &[Nothing; 5]);
    assert!(bench.poll().is_empty());
    bench.say(0, &[Clear, Clear, Clear, Nothing, Nothing]);
    assert!(bench.poll().is_empty(), "three of five");
    bench.say(0, &[Clear, Clear, Clear, Clear, Nothing]);
    let up = bench.poll().remove(0);
    assert_eq!((up.from, up.to), (Verdict::Unknown, Verdict::Up));
}

#[test]
fn a_cluster_that_is_dead_at_the_start_is_down() {
    let mut bench = Bench::new(&["a"], Profile::fast());
    assert_eq!(bench.hold(0, &[Says::Dead; 5], 100), [Verdict::Down]);
}

#[test]
fn fewer_than_three_fresh_observers_freeze() {
    let mut bench = Bench::new(&["a"], Profile::fast());
    assert!(bench.hold(0, &[Says::Clear; 2], 1_000).is_empty());
    assert!(
        bench
            .quorum
            .view(bench.now())
            .cell("a", Path::Traffic, Family::V4)
            .unwrap()
            .frozen
    );
    let mut single = Bench::new(
        &["a"],
        Profile {
            min_fresh: 1,
            ..Profile::fast()
        },
    );
    assert_eq!(single.hold(0, &[Says::Clear], 100), [Verdict::Up]);
    assert_eq!(single.hold(0, &[Says::Dead], 100), [Verdict::Down]);
}

#[test]
fn rows_go_stale_after_half_a_second() {
    let mut bench = Bench::new(&["a"], Profile::fast());
    bench.say(0, &[Says::Clear; 5]);
    bench.poll();
    let fresh = |bench: &mut Bench| {
        bench.poll();
        bench
            .quorum
            .view(bench.now())
            .cell("a", Path::Traffic, Family::V4)
            .unwrap()
            .fresh
    };
    bench.ms += 499;
    assert_eq!(fresh(&mut bench), 5);
    bench.ms += 1;
    assert_eq!(fresh(&mut bench), 0);
}

#[test]
fn a_rows_own_age_counts() {
    let mut bench = Bench::new(&["a"], Profile::fast());
    let row = Row {
        age_ms: 500,
        ..bench.row(0, Says::Clear)
    };
    let (header, now) = (bench.header(0), bench.now());
    let ingested = bench.quorum.ingest(
        &Datagram {
            header,
            rows: vec![row],
        },
        now,
    );
    assert_eq!(
        ingested,
        Ok(Ingested {
            rows: 1,
            stale: 1,
            ..Ingested::default()
        })
    );
}

#[test]
fn recovery_takes_ten_seconds_without_a_streak() {
    let mut bench = Bench::new(&["a"], Profile::fast());
    bench.hold(0, &[Says::Dead; 5], 500);
    assert_eq!(bench.hold(0, &[Says::Steady; 5], 9_900), [Verdict::Recovering]);
    assert_eq!(bench.hold(0, &[Says::Steady; 5], 400), [Verdict::Up]);
}

#[test]
fn a_streak_of_three_misses_starts_the_ten_seconds_again() {
    let mut bench = Bench::new(&["a"], Profile::fast());
    bench.hold(0, &[Says::Dead; 5], 500);
    bench.hold(0, &[Says::Steady; 5], 8_000);
    bench.hold(0, &[Says::Suspect; 5], 300);
    assert!(bench.hold(0, &[Says::Steady; 5], 9_800).is_empty());
    assert_eq!(bench.hold(0, &[Says::Steady; 5], 400), [Verdict::Up]);
}

#[test]
fn recovery_needs_ninety_of_a_hundred() {
    let mut bench = Bench::new(&["a"], Profile::fast());
    bench.hold(0, &[Says::Dead; 5], 500);
    assert_eq!(
        bench.hold(0, &[Says::Clear; 5], 30_000),
        [Verdict::Recovering],
        "50 of 100 good"
    );
    assert_eq!(bench.hold(0, &[Says::Steady; 5], 100), [Verdict::Up]);
}

#[test]
fn the_cut_rule_waits_for_another_cluster_on_its_way_down() {
    use Says::{Clear, Dead};
    let downs = |bench: &mut Bench| {
        let mut all = bench.poll();
        all.retain(|t| t.to == Verdict::Down);
        all
    };
    let start = |bench: &mut Bench| {
        bench.say(0, &[Clear; 5]);
        bench.say(1, &[Clear; 5]);
        bench.poll();
        bench.ms += 100;
    };
    let mut bench = Bench::new(&["a", "b"], Profile::fast());
    start(&mut bench);
    bench.say(0, &[Dead, Dead, Dead, Dead, Clear]);
    bench.say(1, &[Dead, Dead, Clear, Clear, Clear]);
    assert!(downs(&mut bench).is_empty(), "b has two votes of four");
    bench.ms += 60;
    bench.say(1, &[Dead, Dead, Dead, Dead, Clear]);
    let group = downs(&mut bench);
    assert_eq!(group.len(), 2);
    assert!(
        group[0].reason.ends_with("decided together with 1 more"),
        "{}",
        group[0].reason
    );

    let mut bench = Bench::new(&["a", "b"], Profile::fast());
    start(&mut bench);
    bench.say(0, &[Dead, Dead, Dead, Dead, Clear]);
    bench.say(1, &[Dead, Dead, Clear, Clear, Clear]);
    assert!(downs(&mut bench).is_empty());
    bench.ms += 99;
    assert!(downs(&mut bench).is_empty());
    bench.ms += 1;
    let alone = downs(&mut bench);
    assert_eq!(
        (alone.len(), alone[0].cluster.as_str()),
        (1, "a"),
        "100 ms are enough"
    );

    let mut bench = Bench::new(&["a", "b"], Profile::fast());
    start(&mut bench);
    bench.say(0, &[Dead, Dead, Dead, Dead, Clear]);
    bench.say(1, &[Dead, Clear, Clear, Clear, Clear]);
    assert_eq!(
        downs(&mut bench).len(),
        1,
        "one vote is not a cluster on its way down"
    );
}

#[test]
fn an_old_minority_delays_nobody() {
    use Says::{Clear, Dead};
    let mut bench = Bench::new(&["a", "b"], Profile::fast());
    let partial = [Dead, Dead, Clear, Clear, Clear];
    for _ in 0..20 {
        bench.say(0, &[Clear; 5]);
        bench.say(1, &partial);
        bench.poll();
        bench.ms += 100;
    }
    bench.say(0, &[Dead; 5]);
    bench.say(1, &partial);
    assert_eq!(bench.poll().len(), 1);
}

#[test]
fn the_last_usable_cluster_is_never_suppressed() {
    let mut bench = Bench::new(&["a", "b"], Profile::fast());
    for _ in 0..3 {
        bench.hold(0, &[Says::Dead; 5], 500);
        bench.hold(0, &[Says::Steady; 5], 11_000);
        bench.say(1, &[Says::Clear; 5]);
        bench.poll();
    }
    let suppressed = |bench: &mut Bench, cluster: &str| {
        bench.poll();
        bench
            .quorum
            .view(bench.now())
            .cell(cluster, Path::Traffic, Family::V4)
            .unwrap()
            .suppressed
    };
    bench.say(1, &[Says::Clear; 5]);
    assert!(suppressed(&mut bench, "a"));
    bench.say(1, &[Says::Dead; 5]);
    bench.say(0, &[Says::Steady; 5]);
    assert!(!suppressed(&mut bench, "a"), "b is Down: a is all there is");
    bench.ms += 100;
    bench.say(1, &[Says::Clear; 5]);
    bench.say(0, &[Says::Steady; 5]);
    assert!(suppressed(&mut bench, "a"));
}

#[test]
fn sequences_must_rise() {
    let mut bench = Bench::new(&["a"], Profile::fast());
    let now = bench.now();
    let mut send = |boot: u64, seq: u64, ms: u64| {
        let header = Header {
            boot,
            seq,
            ..bench.header(0)
        };
        let at = now + std::time::Duration::from_millis(ms);
        let header = Header {
            sent_at: at,
            ..header
        };
        bench
            .quorum
            .ingest(
                &Datagram {
                    header,
                    rows: Vec::new(),
                },
                at,
            )
            .map(|_| ())
    };
    assert_eq!(send(5, 10, 0), Ok(()));
    assert_eq!(send(5, 10, 1), Err(Rejected::Sequence));
    assert_eq!(send(5, 9, 1), Err(Rejected::Sequence));
    assert_eq!(send(5, 13, 1), Ok(()));
    assert_eq!(send(6, 1, 2), Ok(()), "a restart");
    assert_eq!(send(5, 14, 3), Err(Rejected::Boot));
    assert_eq!(send(5, 14, 10_001), Err(Rejected::Boot));
    assert_eq!(
        send(5, 15, 10_003),
        Ok(()),
        "restarted with its wall clock set back"
    );
    assert_eq!(bench.quorum.view(now).observers[0].lost, 2);
}

#[test]
fn a_delayed_datagram_is_rejected_and_a_late_one_is_older() {
    let mut bench = Bench::new(&["a"], Profile::fast());
    for _ in 0..10 {
        bench.say(0, &[Says::Clear; 3]);
        bench.ms += 100;
    }
    let sent = bench.now();
    let late = |bench: &mut Bench, ms: u64| {
        let header = Header {
            sent_at: sent,
            ..bench.header(0)
        };
        let rows = vec![bench.row(0, Says::Dead)];
        bench.quorum.ingest(
            &Datagram { header, rows },
            sent + std::time::Duration::from_millis(ms),
        )
    };
    assert_eq!(late(&mut bench, 600), Err(Rejected::Delayed));
    let ingested = late(&mut bench, 450).unwrap();
    assert_eq!((ingested.rows, ingested.stale), (1, 0));
}

#[test]
fn unknown_targets_are_counted_and_observers_are_bounded() {
    let mut bench = Bench::new(&["a"], Profile::fast());
    let now = bench.now();
    for observer in 0..MAX_OBSERVERS {
        let header = bench.header(observer);
        let ingested = bench.quorum.ingest(
            &Datagram {
                header,
                rows: vec![Row::default()],
            },
            now,
        );
        assert_eq!(
            ingested,
            Ok(Ingested {
                unknown: 1,
                ..Ingested::default()
            })
        );
    }
    let header = bench.header(MAX_OBSERVERS);
    let late = now + std::time::Duration::from_secs(60);
    let datagram = Datagram {
        header,
        rows: Vec::new(),
    };
    assert_eq!(bench.quorum.ingest(&datagram, now), Err(Rejected::TooMany));
    assert!(
        bench.quorum.ingest(&datagram, late).is_ok(),
        "the longest silent makes room"
    );
}

#[test]
fn a_changed_check_keeps_the_verdict_but_not_the_rows() {
    let mut bench = Bench::new(&["a", "b"], Profile::fast());
    bench.hold(0, &[Says::Clear; 5], 100);
    bench.hold(1, &[Says::Clear; 5], 100);
    let mut changed = bench.targets.clone();
    changed[0].check = crate::Check::Tcp {
        address: ([127, 0, 9, 9], 1).into(),
    };
    bench.quorum.set_targets(changed);
    bench.poll();
    let view = bench.quorum.view(bench.now());
    let cell = |cluster| view.cell(cluster, Path::Traffic, Family::V4).unwrap();
    assert_eq!((cell("a").verdict, cell("a").fresh), (Verdict::Up, 0));
    assert_eq!((cell("b").verdict, cell("b").fresh), (Verdict::Up, 5));
}

fn any_says() -> impl Strategy<Value = Says> {
    prop_oneof![
        Just(Says::Clear),
        Just(Says::Suspect),
        Just(Says::Dead),
        Just(Says::Hard),
        Just(Says::Steady),
        Just(Says::Nothing),
        Just(Says::Slow),
        Just(Says::Late),
        Just(Says::Failing),
        Just(Says::UsersFail)
    ]
}

proptest! {
    /// Whatever observers say, with whatever gaps: no panic, S6 and S7 hold (asserted inside `poll`), and each transition
    /// starts from where the last one ended.
    #[test]
    fn any_evidence(rounds in proptest::collection::vec((0..3_usize, proptest::collection::vec(any_says(), 0..8), 0..700_u64), 1..120)) {
        let mut bench = Bench::new(&["a", "b", "c"], Profile::fast());
        let mut verdicts = BTreeMap::new();
        for (target, votes, gap) in rounds {
            bench.say(target, &votes);
            for transition in bench.poll() {
                let before = verdicts.insert(transition.cluster.clone(), transition.to).unwrap_or_default();
                prop_assert_eq!(before, transition.from);
                prop_assert_ne!(transition.from, transition.to);
            }
            bench.ms += gap;
        }
        let view = bench.quorum.view(bench.now());
        let suppressed = view.cells.values().filter(|cell| cell.verdict.serves()).all(|cell| cell.suppressed);
        prop_assert!(!suppressed || view.cells.values().all(|cell| cell.verdict == Verdict::Down));
    }
    /// Between polls mostly nothing happens, and such polls are skipped: one that decides anew each time finds the same.
    #[test]
    fn skipped_polls_would_have_found_nothing(rounds in proptest::collection::vec((0..3_usize, proptest::collection::vec(any_says(), 0..8), 0..80_u64), 1..50)) {
        let bench = || Bench::new(&["a", "b", "c"], Profile::fast());
        let (mut skips, mut decides) = (bench(), bench());
        for (target, votes, polls) in rounds {
            skips.say(target, &votes);
            decides.say(target, &votes);
            for _ in 0..=polls {
                decides.quorum.quiet_until = crate::MonoTime::ZERO;
                prop_assert_eq!(skips.poll(), decides.poll());
                skips.ms += 10;
                decides.ms += 10;
            }
            let now = skips.now();
            prop_assert_eq!(skips.quorum.view(now), decides.quorum.view(now));
        }
    }
}
