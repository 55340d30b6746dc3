use proptest::prelude::*;

use super::*;
use crate::profile::Profile;

fn header() -> Header {
    Header {
        observer: "observer-1".into(),
        region: "eu-north-1".into(),
        boot: 7,
        seq: 41,
        sent_at: MonoTime::from_micros(123_456_789),
        abstain: true,
        probing: Some(Probing::of(&Profile::wan())),
    }
}

fn rows(count: u64) -> Vec<Row> {
    (0..count)
        .map(|n| Row {
            target: TargetId(n),
            miss_streak: 3,
            rtt_us: 9,
            ..Row::default()
        })
        .collect()
}

fn encoded(header: &Header, rows: &[Row]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    encode_table(header, rows, |bytes| all.push(bytes));
    all
}

#[test]
fn a_large_table_is_several_datagrams_that_each_stand_alone() {
    let table = rows(1_000);
    let datagrams = encoded(&header(), &table);
    assert!(datagrams.len() > 20);
    let mut seen = Vec::new();
    for (at, bytes) in datagrams.iter().enumerate() {
        assert!(bytes.len() <= MAX_DATAGRAM_BYTES);
        let datagram = decode(bytes).unwrap();
        assert_eq!(
            datagram.header,
            Header {
                seq: 41 + at as u64,
                ..header()
            }
        );
        seen.extend(datagram.rows);
    }
    assert_eq!(seen, table);
    let bytes: usize = datagrams.iter().map(Vec::len).sum();
    assert!(bytes <= table_bytes(table.len()));
}

#[test]
fn a_datagram_moves_to_another_region() {
    let datagrams = encoded(&header(), &rows(100));
    for bytes in &datagrams {
        for (region, written) in [("us", "us"), ("", ""), ("far away", "far-away")] {
            let moved = decode(&in_region(bytes, region)).unwrap();
            let before = decode(bytes).unwrap();
            assert_eq!((moved.rows, moved.header.region.as_str()), (before.rows, written));
        }
        let long = "x".repeat(2 * MAX_NAME_BYTES);
        assert_eq!(
            decode(&in_region(bytes, &long)).unwrap().header.region,
            long[..MAX_NAME_BYTES]
        );
        assert_eq!(in_region(&bytes[..20], "us"), bytes[..20]);
    }
}

#[test]
fn an_empty_table_still_carries_the_self_check() {
    let datagrams = encoded(&header(), &[]);
    assert_eq!(datagrams.len(), 1);
    let datagram = decode(&datagrams[0]).unwrap();
    assert!(datagram.header.abstain && datagram.rows.is_empty());
}

#[test]
fn as_many_bytes_healthy_or_not() {
    let well = vec![
        Row {
            success_streak: u16::MAX,
            good_of_100: 100,
            ..Row::default()
        };
        10
    ];
    let dead = vec![
        Row {
            miss_streak: 900,
            hard: Hard::REFUSED,
            age_ms: u32::MAX,
            ..Row::default()
        };
        10
    ];
    assert_eq!(
        encoded(&header(), &well)[0].len(),
        encoded(&header(), &dead)[0].len()
    );
}

#[test]
fn what_is_wrong_is_said() {
    let good = encoded(&header(), &rows(2)).remove(0);
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        decode(&bytes).unwrap_err()
    };
    assert_eq!(with(0, b'X'), DecodeError::Magic);
    assert_eq!(with(2, 4), DecodeError::Version(4));
    assert_eq!(with(2, 0), DecodeError::Version(0));
    assert_eq!(with(3, 0x82), DecodeError::Flags(0x82));
    assert_eq!(with(28, 64), DecodeError::Name);
    assert_eq!(with(29, b' '), DecodeError::Name);
    let first_row = good.len() - 2 * ROW_BYTES;
    let probing = first_row - 1 - PROBING_BYTES;
    assert_eq!(
        with(probing + 1, 0),
        DecodeError::Probing {
            interval_ms: 0,
            jitter_percent: 10
        }
    );
    assert_eq!(
        with(probing + 2, 101),
        DecodeError::Probing {
            interval_ms: 200,
            jitter_percent: 101
        }
    );
    assert_eq!(with(first_row + 12, 101), DecodeError::Share(101));
    assert_eq!(with(first_row + 23, 4), DecodeError::Heard(4));
    assert_eq!(with(first_row + 24, 101), DecodeError::Share(101));
    assert_eq!(with(first_row + 25, 101), DecodeError::Share(101));
    assert_eq!(with(first_row + 33, 4), DecodeError::Users(1_024));
    assert_eq!(with(first_row + 11, 1), DecodeError::Streaks);
    assert_eq!(with(first_row - 1, 3), DecodeError::Truncated);
    assert_eq!(with(first_row - 1, 1), DecodeError::Trailing);
    for length in 0..good.len() {
        assert!(decode(&good[..length]).is_err(), "cut at {length}");
    }
    assert_eq!(decode(&[0; 1_201]).unwrap_err(), DecodeError::TooLong);
    assert_eq!(decode(&[]).unwrap_err(), DecodeError::Truncated);
}

/// Random bytes and randomly damaged datagrams never panic, and what decodes encodes to the same bytes.
#[test]
fn damaged_datagrams() {
    let seed = std::env::var("LIFEBOAT_TEST_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    println!("LIFEBOAT_TEST_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let good = encoded(&header(), &rows(20)).remove(0);
    for _ in 0..5_000 {
        let bytes = if rng.bool() {
            let mut bytes = good.clone();
            for _ in 0..rng.usize(1..4) {
                let at = rng.usize(..bytes.len());
                bytes[at] = rng.u8(..);
            }
            bytes.truncate(rng.usize(..=bytes.len()));
            bytes
        } else {
            (0..rng.usize(..1_300)).map(|_| rng.u8(..)).collect()
        };
        if let Ok(datagram) = decode(&bytes)
            && bytes[2] == VERSION
        {
            assert_eq!(encoded(&datagram.header, &datagram.rows), [bytes]);
        }
    }
}

/// Observers of releases before do not say how they probe, or nothing of gray failure, and are heard all the same.
#[test]
fn versions_one_and_two_are_read() {
    let silent = Header {
        probing: None,
        ..header()
    };
    let now = encoded(&header(), &rows(3)).remove(0);
    let probing = now.len() - 3 * ROW_BYTES - 1 - PROBING_BYTES;
    let mut two = [&now[..probing], &now[probing + PROBING_BYTES..]].concat();
    two[2] = 2;
    let datagram = decode(&two).unwrap();
    assert_eq!((&datagram.header, datagram.rows), (&silent, rows(3)));
    assert_eq!(encoded(&silent, &rows(3)), [two.clone()]);

    let head = two.len() - 3 * ROW_BYTES;
    let mut old = two[..head].to_vec();
    old[2] = 1;
    for row in two[head..].chunks(ROW_BYTES) {
        old.extend_from_slice(&row[..22]);
    }
    let datagram = decode(&old).unwrap();
    assert_eq!((datagram.header, datagram.rows), (silent, rows(3)));
    for old in [two, old] {
        for length in 0..old.len() {
            assert!(decode(&old[..length]).is_err(), "cut at {length}");
        }
    }
}

fn any_row() -> impl Strategy<Value = Row> {
    (
        any::<u64>(),
        any::<u16>(),
        any::<bool>(),
        0..=100_u8,
        any::<u8>(),
        any::<(u32, u32, u32)>(),
        (0..=100_u8, 0..=100_u8, any::<u8>()),
        (any::<u16>(), any::<u16>(), 0..=1_000_u16),
    )
        .prop_map(
            |(target, streak, missed, good_of_100, hard, times, (late, errors, error_streak), users)| Row {
                target: TargetId(target),
                miss_streak: if missed { streak } else { 0 },
                heard_at: if missed { users.0.min(streak) } else { 0 },
                success_streak: if missed { 0 } else { streak },
                good_of_100,
                late_of_100: late,
                errors_of_100: errors,
                error_streak,
                hard: Hard(hard),
                rtt_us: times.0,
                usual_rtt_us: times.1,
                user_requests: users.1,
                user_errors_permille: users.2,
                age_ms: times.2,
            },
        )
}

fn any_probing() -> impl Strategy<Value = Option<Probing>> {
    let any = (1..=u16::MAX, 0..=100_u8, any::<[u16; 6]>());
    proptest::option::of(any.prop_map(|(interval_ms, jitter_percent, rest)| {
        let [
            timeout_min_ms,
            timeout_max_ms,
            phase_timeout_ms,
            late_ms,
            send_ms,
            loop_lag_ms,
        ] = rest;
        Probing {
            interval_ms,
            jitter_percent,
            timeout_min_ms,
            timeout_max_ms,
            phase_timeout_ms,
            late_ms,
            send_ms,
            loop_lag_ms,
        }
    }))
}

proptest! {
    #[test]
    fn every_table_survives_the_wire(
        observer in "[!-~]{1,63}",
        region in "[!-~]{0,63}",
        (boot, seq, sent_at) in (any::<u64>(), 0..u64::MAX / 2, any::<u64>()),
        (abstain, probing) in (any::<bool>(), any_probing()),
        table in proptest::collection::vec(any_row(), 0..200),
    ) {
        let header = Header { observer, region, boot, seq, sent_at: MonoTime::from_micros(sent_at), abstain, probing };
        let mut back = Vec::new();
        for (at, bytes) in encoded(&header, &table).iter().enumerate() {
            prop_assert!(bytes.len() <= MAX_DATAGRAM_BYTES);
            let datagram = decode(bytes).unwrap();
            prop_assert_eq!(datagram.header, Header { seq: seq + at as u64, ..header.clone() });
            back.extend(datagram.rows);
        }
        prop_assert_eq!(back, table);
    }

    #[test]
    fn random_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..1_300)) {
        let _ = decode(&bytes);
    }
}
