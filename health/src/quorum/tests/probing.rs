//! Observers that probe otherwise than the profile says.

use std::time::Duration;

use super::bench::{Bench, Says};
use super::lab::{Asked, Lab, Reach, targets};
use crate::{
    Datagram, Header, MonoTime, Path, Probing, Profile, ProfilePatch, Quorum, Row, Verdict, decode,
    encode_table,
};

fn every(interval_ms: u16) -> Option<Probing> {
    Some(Probing {
        interval_ms,
        ..Probing::of(&Profile::fast())
    })
}

/// One datagram from each observer, over the wire; rows that were not taken in.
fn say(bench: &mut Bench, target: usize, votes: &[(Says, Option<Probing>)]) -> u32 {
    let mut refused = 0;
    for (observer, (says, probing)) in votes.iter().enumerate() {
        let header = Header {
            probing: *probing,
            ..bench.header(observer)
        };
        let (row, now) = (bench.row(target, *says), bench.now());
        encode_table(&header, &[row], |bytes| {
            let ingested = bench.quorum.ingest(&decode(&bytes).unwrap(), now).unwrap();
            refused += ingested.otherwise;
        });
    }
    refused
}

fn hold(bench: &mut Bench, votes: &[(Says, Option<Probing>)], for_ms: u64) -> Vec<Verdict> {
    let end = bench.ms + for_ms;
    let mut reached = Vec::new();
    while bench.ms < end {
        say(bench, 0, votes);
        reached.extend(bench.poll().into_iter().map(|transition| transition.to));
        bench.ms += 100;
    }
    reached
}

#[test]
fn those_that_are_faster_bring_no_down() {
    let mut bench = Bench::new(&["a", "b"], Profile::fast());
    bench.hold(1, &[Says::Steady; 5], 500);
    assert_eq!(
        hold(&mut bench, &[(Says::Steady, every(100)); 5], 500),
        [Verdict::Up]
    );
    let seen = bench.quorum.view(bench.now());
    assert!(
        seen.observers
            .iter()
            .all(|observer| observer.probes_otherwise.is_none())
    );

    // A blip of 100 ms is five misses of theirs.
    assert_eq!(hold(&mut bench, &[(Says::Dead, every(20)); 5], 3_000), []);
    let seen = bench.quorum.view(bench.now());
    for observer in &seen.observers {
        assert!(!observer.fresh);
        let told = observer.probes_otherwise.as_ref().unwrap();
        assert!(
            !told.counts && told.why.starts_with("its intervalMs is 20, here it is 100: "),
            "{told:?}"
        );
    }
    let cell = seen.cell("a", Path::Traffic, crate::Family::V4).unwrap();
    assert!(cell.frozen && cell.verdict == Verdict::Up);

    assert_eq!(hold(&mut bench, &[(Says::Steady, every(100)); 5], 1_000), []);
    let seen = bench.quorum.view(bench.now());
    assert!(
        seen.observers
            .iter()
            .all(|o| o.fresh && o.probes_otherwise.is_none())
    );
}

#[test]
fn a_minority_that_does_not_count_leaves_the_others_to_decide() {
    let mut bench = Bench::new(&["a", "b"], Profile::fast());
    bench.hold(1, &[Says::Steady; 5], 500);
    let five = |says, odd| {
        [
            (says, every(100)),
            (says, every(100)),
            (says, every(100)),
            (says, odd),
            (says, odd),
        ]
    };
    hold(&mut bench, &five(Says::Steady, every(1_000)), 500);
    let cell = |bench: &Bench| {
        let seen = bench.quorum.view(bench.now());
        seen.cell("a", Path::Traffic, crate::Family::V4).cloned().unwrap()
    };
    assert_eq!((cell(&bench).verdict, cell(&bench).fresh), (Verdict::Up, 3));
    assert!(hold(&mut bench, &five(Says::Dead, every(1_000)), 500).contains(&Verdict::Down));
}

#[test]
fn one_that_is_slower_and_one_that_does_not_say_count() {
    let mut bench = Bench::new(&["a", "b"], Profile::fast());
    bench.hold(1, &[Says::Steady; 5], 500);
    assert_eq!(
        say(&mut bench, 0, &[(Says::Steady, every(150)), (Says::Steady, None)]),
        0
    );
    let seen = bench.quorum.view(bench.now());
    let told = seen.observers[0].probes_otherwise.as_ref().unwrap();
    assert!(seen.observers[0].fresh && told.counts, "{told:?}");
    assert_eq!(told.why, "its intervalMs is 150, here it is 100");
    assert_eq!(seen.observers[1].probes_otherwise, None);
}

/// Real detectors at an interval of 20 ms, and a blip of 300 ms: less than any Down of the consumer's profile takes.
#[test]
fn a_blip_is_no_down_by_the_word_of_detectors_that_are_faster() {
    let faster = Profile {
        interval_ms: 20,
        timeout_max_ms: 100,
        phase_timeout_ms: 100,
        loop_lag_ms: 20,
        ..Profile::fast()
    };
    for says_probing in [true, false] {
        let blip = |asked: &Asked<'_>| {
            if asked.cluster == Some("a") && (2_000..2_300).contains(&asked.ms) {
                Reach::Silent
            } else {
                Reach::Answers
            }
        };
        let mut lab = Lab::new(5, &["a", "b"], 7, faster.clone(), blip);
        lab.quorum = Quorum::new(targets(&["a", "b"]), Profile::fast());
        lab.says_probing = says_probing;
        let told = lab.run_to(4_000).to_vec();
        let downs = told.iter().filter(|told| told.to == Verdict::Down).count();
        if says_probing {
            assert_eq!(told, [], "they are not counted");
        } else {
            assert!(downs > 0, "who does not say cannot be told apart");
        }
    }
}

/// What is said to be otherwise is not told for ever.
#[test]
fn it_is_told_as_long_as_it_is_so() {
    let mut bench = Bench::new(&["a"], Profile::fast());
    let told = |bench: &Bench| {
        bench.quorum.view(bench.now()).observers[0]
            .probes_otherwise
            .is_some()
    };
    say(&mut bench, 0, &[(Says::Steady, every(20))]);
    bench.poll();
    let revision = bench.quorum.revision();
    assert!(told(&bench));
    bench.ms += 499;
    assert!(told(&bench));
    bench.ms += 1;
    assert!(!told(&bench));
    bench.poll();
    assert!(bench.quorum.revision() > revision);
}

/// A cluster's own profile judges how that cluster is probed, whatever the fleet's says.
#[test]
fn each_target_is_asked_by_its_own_profile() {
    let mut targets = Bench::new(&["a", "b"], Profile::fast()).targets;
    let own: ProfilePatch = serde_json::from_str(r#"{"preset": "wan"}"#).unwrap();
    targets[1].detection = Some(Box::new(own.clone()));
    let mut quorum = Quorum::new(targets.clone(), Profile::fast());
    let wan = Probing::of(&Profile::fast().for_cluster(&own).unwrap());
    let mut seq = 0;
    let mut ingest = |probing: Probing, rows: &[usize]| {
        seq += 1;
        let now = MonoTime::from_millis(1_000) + Duration::from_millis(seq);
        let header = Header {
            observer: "o".to_owned(),
            seq,
            sent_at: now,
            probing: Some(probing),
            ..Header::default()
        };
        let row = |at: &usize| Row {
            target: targets[*at].id(),
            ..Row::default()
        };
        let rows = rows.iter().map(row).collect();
        let ingested = quorum.ingest(&Datagram { header, rows }, now).unwrap();
        let told = quorum.view(now).observers[0].clone();
        (
            (ingested.rows, ingested.otherwise),
            told.fresh,
            told.probes_otherwise,
        )
    };
    assert_eq!(ingest(wan, &[1]), ((1, 0), true, None));
    assert_eq!(ingest(Probing::of(&Profile::fast()), &[0]), ((1, 0), true, None));
    let (rows, fresh, told) = ingest(Probing::of(&Profile::fast()), &[1, 0]);
    assert_eq!((rows, fresh), ((1, 1), true));
    let why = told.unwrap().why;
    assert!(
        why.starts_with("cluster b: its intervalMs is 100, here it is 200: "),
        "{why}"
    );
}

/// The silence is reckoned back by the observer's own interval, and losses are told in its probes.
#[test]
fn estimates_rest_on_the_observers_interval() {
    let mut bench = Bench::new(&["a"], Profile::fast());
    let silent_ms = |bench: &mut Bench, probing| {
        say(bench, 0, &[(Says::Dead, probing)]);
        let now = bench.now();
        bench.quorum.witnesses("a", now)[0].2[0].silent_ms
    };
    assert_eq!(silent_ms(&mut bench, every(150)), Some(600));
    let mut bench = Bench::new(&["a"], Profile::fast());
    assert_eq!(silent_ms(&mut bench, None), Some(400));

    let burst = |probing| {
        let mut bench = Bench::new(&["a"], Profile::fast());
        hold(&mut bench, &[(Says::Steady, probing); 5], 500);
        let mut lossy = [(Says::Steady, probing); 5];
        lossy[0].0 = Says::Suspect;
        for _ in 0..20 {
            hold(&mut bench, &lossy, 500);
            hold(&mut bench, &[(Says::Steady, probing); 5], 500);
        }
        let seen = bench.quorum.view(bench.now());
        let losses = seen.cell("a", Path::Traffic, crate::Family::V4).unwrap().losses;
        losses.unwrap().burst
    };
    let (own, slower) = (burst(every(100)), burst(every(180)));
    assert!(
        own > 1.5 * slower,
        "{own} probes of 100 ms and {slower} of 180 ms"
    );
    assert_eq!(own.to_bits(), burst(None).to_bits());
}
