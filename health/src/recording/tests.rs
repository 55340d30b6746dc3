use proptest::prelude::*;

use super::*;
use crate::evidence::{Header, Row, encode_table};
use crate::{Check, Family, Path, Target, Verdict};

fn target() -> Target {
    Target {
        cluster: "a".to_owned(),
        path: Path::Traffic,
        family: Family::V4,
        check: Check::Tcp {
            address: ([192, 0, 2, 1], 443).into(),
        },
        detection: None,
    }
}

fn outage() -> Vec<u8> {
    outage_of(target())
}

/// Five observers that find the target well for a second, and silent from then on.
fn outage_of(target: Target) -> Vec<u8> {
    let preamble = Preamble {
        consumer: "dns-1".to_owned(),
        started: "2026-01-01T00:00:00Z".to_owned(),
        profile: Profile::fast(),
        targets: vec![target.clone()],
    };
    let mut bytes = Vec::new();
    let mut recorder = Recorder::start(&mut bytes, &preamble).unwrap();
    for round in 0..30_u16 {
        for observer in 1..=5_u64 {
            let at = MonoTime::from_micros(u64::from(round) * 100_000 + observer * 1_000);
            let header = Header {
                observer: format!("observer-{observer}"),
                boot: 1,
                seq: u64::from(round) + 1,
                sent_at: at,
                ..Header::default()
            };
            let row = Row {
                target: target.id(),
                miss_streak: round.saturating_sub(10),
                success_streak: if round <= 10 { round + 1 } else { 0 },
                good_of_100: 100,
                ..Row::default()
            };
            encode_table(&header, &[row], |datagram| {
                recorder.record(at, &datagram).unwrap()
            });
        }
    }
    bytes
}

fn replay(bytes: &[u8], profile: Profile) -> Vec<(u64, Verdict)> {
    let mut recording = Recording::open(bytes).unwrap();
    let mut told = Vec::new();
    let (replayed, result) = recording.replay(profile, |now, transitions, _| {
        let at_ms = now.as_micros() / 1_000;
        told.extend(transitions.iter().map(|transition| (at_ms, transition.to)));
    });
    result.unwrap();
    assert_eq!((replayed.datagrams, replayed.rejected), (150, 0));
    told
}

#[test]
fn a_recorded_outage_is_decided_again_and_otherwise() {
    let bytes = outage();
    let fast = replay(&bytes, Profile::fast());
    let verdicts: Vec<Verdict> = fast.iter().map(|(_, verdict)| *verdict).collect();
    assert_eq!(verdicts, [Verdict::Up, Verdict::Suspect, Verdict::Down]);
    let patient = Profile {
        dead_misses: 10,
        hard_misses: 10,
        ..Profile::fast()
    };
    let patient = replay(&bytes, patient);
    let down = |told: &[(u64, Verdict)]| told.last().unwrap().0;
    assert_eq!(down(&patient) - down(&fast), 500, "five probes later");
}

#[test]
fn overrides_are_recorded_and_outlive_another_profile_unless_taken_out() {
    let own = Target {
        detection: serde_json::from_str(r#"{"deadMisses": 10}"#).unwrap(),
        ..target()
    };
    let bytes = outage_of(own);
    let down = |told: &[(u64, Verdict)]| told.last().unwrap().0;
    let fleet = down(&replay(&outage(), Profile::fast()));
    assert_eq!(down(&replay(&bytes, Profile::fast())) - fleet, 500);
    // Suspect comes when the profile says so, Down when the override does.
    let hasty = Profile {
        suspect_misses: 2,
        ..Profile::fast()
    };
    let told = replay(&bytes, hasty);
    assert_eq!(down(&told) - told[1].0, 800);
    let mut recording = Recording::open(&bytes[..]).unwrap();
    recording.preamble.targets[0].detection = None;
    let mut last = MonoTime::ZERO;
    let transitions = |now, told: &[Transition], _: &Quorum| {
        if !told.is_empty() {
            last = now;
        }
    };
    recording.replay(Profile::fast(), transitions).1.unwrap();
    assert_eq!(last.as_micros() / 1_000, fleet);
}

#[test]
fn damage_is_told_with_its_place() {
    let bytes = outage();
    let all = |bytes: &[u8]| -> Result<(), Damaged> {
        Recording::open(bytes)?.replay(Profile::fast(), |_, _, _| {}).1
    };
    let short = &bytes[..bytes.len() - 1];
    let cut = all(short).unwrap_err();
    let (before, _) = Recording::open(short)
        .unwrap()
        .replay(Profile::fast(), |_, _, _| {});
    assert_eq!(before.datagrams, 149, "what was decided before stands");
    assert!(matches!(cut.problem, Problem::Short) && cut.offset > 100, "{cut}");
    let mut flipped = bytes.clone();
    let last = flipped.len() - 20;
    flipped[last] ^= 1;
    let damaged = all(&flipped).unwrap_err();
    assert!(matches!(damaged.problem, Problem::Checksum), "{damaged}");
    assert_eq!(damaged.offset, cut.offset);
    assert!(damaged.to_string().contains(&format!("at byte {}", cut.offset)));
    assert!(matches!(
        all(b"something else, and long enough").unwrap_err().problem,
        Problem::Magic
    ));
    assert!(matches!(all(b"").unwrap_err().problem, Problem::Short));
}

/// A recording without evidence, with this preamble.
fn opened(preamble: &serde_json::Value) -> Result<Preamble, Damaged> {
    let json = serde_json::to_vec(preamble).unwrap();
    let head = [&u32::try_from(json.len()).unwrap().to_be_bytes()[..], &json].concat();
    let bytes = [&MAGIC[..], &head, &crc32fast::hash(&head).to_be_bytes()].concat();
    Recording::open(&bytes[..]).map(|recording| recording.preamble)
}

#[test]
fn a_profile_from_before_a_rule_is_no_damage() {
    let whole = Recording::open(&outage()[..]).unwrap().preamble;
    let mut json = serde_json::to_value(&whole).unwrap();
    // Out of a range, against another field, not known any more, and not known yet.
    json["profile"]["intervalMs"] = 5.into();
    json["profile"]["minFresh"] = 2.into();
    json["profile"]["lostMs"] = 7.into();
    json["profile"].as_object_mut().unwrap().remove("partialAfterMs");
    json["targets"][0]["detection"] = serde_json::json!({"preset": "wan", "deadMisses": 5_000, "lostMs": 7});
    let Preamble { profile, targets, .. } = opened(&json).unwrap();
    let as_written = Profile {
        interval_ms: 5,
        min_fresh: 2,
        ..Profile::fast()
    };
    assert_eq!(profile, as_written);
    let detection = targets[0].detection.clone().unwrap();
    assert_eq!(
        (detection.preset, detection.dead_misses),
        (Some(crate::Preset::Wan), Some(5_000))
    );
    let refused = profile.validate_judging().unwrap_err().to_string();
    assert!(refused.contains("minFresh is 2"), "{refused}");
    let refused = crate::check_overrides(&targets, &Profile::fast())
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("a/traffic/ipv4: detection: profile field deadMisses is 5000"),
        "{refused}"
    );
    // What was never written is damage all the same.
    json["profile"]["intervalMs"] = "often".into();
    let damaged = opened(&json).unwrap_err();
    assert!(matches!(damaged.problem, Problem::Preamble(_)), "{damaged}");
}

proptest! {
    #[test]
    fn no_bytes_can_do_harm(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), real in any::<bool>(), at in any::<prop::sample::Index>()) {
        if real {
            let mut whole = outage();
            let place = at.index(whole.len());
            whole.truncate(place + 400);
            for (held, wild) in whole.iter_mut().skip(place).zip(&bytes) {
                *held ^= *wild;
            }
            bytes = whole;
        }
        if let Ok(mut recording) = Recording::open(&bytes[..]) {
            let _ = recording.replay(Profile::fast(), |_, _, _| {});
        }
    }
}
