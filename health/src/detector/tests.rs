use proptest::prelude::*;

use super::*;

const ID: TargetId = TargetId(1);

fn at(ms: u64) -> MonoTime {
    MonoTime::from_millis(ms)
}

fn outcome(series: Series, started_ms: u64, miss: Option<Hard>) -> Outcome {
    let first_byte = miss.is_none().then_some(Duration::from_millis(2));
    Outcome {
        series,
        started: at(started_ms),
        connect: None,
        tls: None,
        first_byte,
        miss,
    }
}

/// Runs `script`, one outcome each 100 ms: `+` good, `-` missed, `r` refused; and of the fresh series `p`
/// good, `m` missed,
/// `R` refused. Answers with (miss streak, success streak, hard).
fn run(script: &str) -> (u16, u16, Hard) {
    let mut detector = Detector::new(&Profile::fast());
    for (n, letter) in script.chars().enumerate() {
        let started = 100 * n as u64;
        let (series, miss) = match letter {
            '+' => (Series::Warm, None),
            '-' => (Series::Warm, Some(Hard::NONE)),
            'r' => (Series::Warm, Some(Hard::REFUSED)),
            'p' => (Series::Fresh, None),
            'm' => (Series::Fresh, Some(Hard::NONE)),
            'R' => (Series::Fresh, Some(Hard::REFUSED)),
            other => panic!("{other}"),
        };
        detector.record(&outcome(series, started, miss), at(started + 60));
    }
    let row = detector.row(ID, at(100_000));
    (row.miss_streak, row.success_streak, row.hard)
}

#[track_caller]
fn check(script: &str, expected: (u16, u16, Hard)) {
    assert_eq!(run(script), expected, "{script}");
}

#[test]
fn connects_forget_a_slow_spell_as_soon_as_answers_do() {
    let timed = |series, ms: u64| Outcome {
        connect: (series == Series::Fresh).then(|| Duration::from_millis(ms)),
        first_byte: Some(Duration::from_millis(ms)),
        ..outcome(series, 0, None)
    };
    let mut detector = Detector::new(&Profile::fast());
    let mut probes = |count: u32, ms| {
        for n in 0..count {
            detector.record(&timed(Series::Warm, ms), at(0));
            if n % 10 == 0 {
                detector.record(&timed(Series::Fresh, ms), at(0));
            }
        }
        detector.timeouts().connect
    };
    assert_eq!(probes(30, 2), Duration::from_millis(60));
    // What is slow for all is allowed to be.
    assert!(probes(30, 200) > Duration::from_millis(200));
    assert_eq!(probes(30, 2), Duration::from_millis(60));
    assert!(detector.connect.timeout() > Duration::from_millis(200));
}

#[test]
fn streaks_are_raw() {
    check("", (0, 0, Hard::NONE));
    check("+++", (0, 3, Hard::NONE));
    check("+++-", (1, 0, Hard::NONE));
    check("---+", (0, 1, Hard::NONE));
    check("+-----", (5, 0, Hard::NONE));
}

#[test]
fn hard_evidence_holds_while_it_is_repeated() {
    check("+rrr", (3, 0, Hard::REFUSED));
    check("+--r", (3, 0, Hard::REFUSED));
    check("+rr-", (3, 0, Hard::NONE));
    check("+r+", (0, 1, Hard::NONE));
}

#[test]
fn a_fresh_miss_counts_only_beside_a_warm_one() {
    check("+m", (0, 1, Hard::NONE));
    check("+R", (0, 1, Hard::NONE));
    check("+mmm", (0, 1, Hard::NONE));
    check("-m", (1, 0, Hard::NONE));
    check("-R", (1, 0, Hard::REFUSED));
    check("-+m", (0, 1, Hard::NONE));
    check("-p", (1, 0, Hard::NONE));
}

#[test]
fn a_fresh_miss_long_after_the_warm_one_does_not_count() {
    let mut detector = Detector::new(&Profile::fast());
    detector.record(&outcome(Series::Warm, 0, Some(Hard::NONE)), at(60));
    detector.record(&outcome(Series::Fresh, 500, Some(Hard::REFUSED)), at(800));
    assert!(detector.row(ID, at(800)).hard.is_empty());
}

#[test]
fn warm_and_fresh_phases_have_their_own_timeouts() {
    let mut detector = Detector::new(&Profile::fast());
    let all = Duration::from_millis(300);
    assert_eq!(
        detector.timeouts(),
        Timeouts {
            warm: all,
            connect: all,
            tls: all * 2,
            first_byte: all
        }
    );
    for _ in 0..50 {
        detector.record(&outcome(Series::Warm, 0, None), at(2));
        let slow = Outcome {
            connect: Some(Duration::from_millis(150)),
            tls: Some(Duration::from_millis(320)),
            first_byte: Some(Duration::from_millis(160)),
            ..outcome(Series::Fresh, 0, None)
        };
        detector.record(&slow, at(310));
    }
    let timeouts = detector.timeouts();
    assert_eq!(timeouts.warm, Duration::from_millis(60));
    assert!(timeouts.connect > Duration::from_millis(149) && timeouts.first_byte > timeouts.connect);
    assert!(timeouts.tls > Duration::from_millis(319));
    assert_eq!(detector.smoothed(Phase::Warm), Some(Duration::from_millis(2)));
}

#[test]
fn a_latency_jump_beyond_the_timeout_is_not_silence() {
    let mut detector = Detector::new(&Profile::fast());
    for n in 0..50 {
        detector.record(&outcome(Series::Warm, n, None), at(n));
    }
    let jump = Duration::from_millis(200);
    let mut misses = 0;
    for n in 0..50 {
        let started = 1_000 + n * 100;
        if detector.timeouts().warm < jump {
            detector.record(
                &outcome(Series::Warm, started, Some(Hard::NONE)),
                at(started + 60),
            );
            detector.record_late(Phase::Warm, jump);
            misses += 1;
        } else {
            let good = Outcome {
                first_byte: Some(jump),
                ..outcome(Series::Warm, started, None)
            };
            detector.record(&good, at(started + 200));
        }
    }
    assert!(misses < 3, "{misses} misses");
}

#[test]
fn a_row_ages_and_an_unprobed_target_is_never_fresh() {
    let mut detector = Detector::new(&Profile::fast());
    assert_eq!(detector.row(ID, at(5)).age_ms, u32::MAX);
    detector.record(&outcome(Series::Warm, 0, None), at(10));
    assert_eq!(detector.row(ID, at(170)).age_ms, 160);
    assert_eq!(detector.row(ID, at(170)).rtt_us, 2_000);
}

proptest! {
    /// Whatever happens, at most one streak is above zero and the window agrees with the warm outcomes.
    #[test]
    fn facts_agree_with_the_history(script in "[-+rpmR]{0,300}") {
        let (misses, successes, hard) = run(&script);
        prop_assert!(misses == 0 || successes == 0);
        prop_assert!(hard.is_empty() || misses > 0);
        let warm: Vec<char> = script.chars().filter(|c| "+-r".contains(*c)).collect();
        let tail = warm.iter().rev().take_while(|c| **c == '+').count();
        prop_assert_eq!(usize::from(successes), tail);
    }
}

/// Probes of a target as far away as `rtt_ms`, with TLS handshakes of so many round trips, on a virtual clock: each
/// phase against its own timeout, connections kept as the prober keeps them.
struct Far {
    detector: Detector,
    /// When each kept connection is free again.
    free: Vec<MonoTime>,
    under_way: Vec<MonoTime>,
    rtt_ms: u64,
    tls_round_trips: u64,
    misses: u32,
    skipped: u32,
}

impl Far {
    /// Up to 10 ms of jitter, by the draw.
    fn trip(&self, round_trips: u64, draw: u64) -> Duration {
        Duration::from_millis(self.rtt_ms * round_trips + draw % 11)
    }

    fn probe(&mut self, series: Series, now: MonoTime, draw: u64) {
        self.under_way.retain(|end| *end > now);
        let profile = Profile::fast();
        let handshakes = Phase::Tls.most_ms(&profile) / profile.interval_ms;
        if self.under_way.len() >= profile.connections() + usize::try_from(handshakes).unwrap() {
            self.skipped += 1;
            return;
        }
        let timeouts = self.detector.timeouts();
        let mut took = now;
        let mut outcome = Outcome {
            first_byte: None,
            ..outcome(series, now.as_micros() / 1_000, None)
        };
        let kept = self
            .free
            .iter()
            .position(|at| *at <= now)
            .filter(|_| series == Series::Warm);
        let kept = kept.map(|at| self.free.swap_remove(at));
        let phases: &[(Phase, u64)] = if kept.is_some() {
            &[(Phase::Warm, 1)]
        } else {
            &[
                (Phase::Connect, 1),
                (Phase::Tls, self.tls_round_trips),
                (series.answer(), 1),
            ]
        };
        for (n, (phase, round_trips)) in phases.iter().enumerate() {
            let trip = self.trip(*round_trips, draw >> (8 * n));
            took = took + trip;
            if trip > timeouts.of(*phase) {
                self.misses += 1;
                self.detector.record_late(*phase, trip);
            }
            match phase {
                Phase::Connect => outcome.connect = Some(trip),
                Phase::Tls => outcome.tls = Some(trip),
                Phase::Warm | Phase::FirstByte => outcome.first_byte = Some(trip),
            }
        }
        self.under_way.push(took);
        if series == Series::Warm {
            self.free.push(took);
        }
        self.detector.record(&outcome, took);
    }
}

#[track_caller]
fn far(rtt_ms: u64, tls_round_trips: u64) {
    let profile = Profile::fast();
    let mut far = Far {
        detector: Detector::new(&profile),
        free: Vec::new(),
        under_way: Vec::new(),
        rtt_ms,
        tls_round_trips,
        misses: 0,
        skipped: 0,
    };
    let mut schedule = crate::Schedule::new(&profile, MonoTime::ZERO, 7);
    for n in 0..3_000 {
        let (now, draw) = (schedule.due(), crate::target::mix(n));
        let fresh = schedule.advance(now, draw);
        far.probe(Series::Warm, now, draw);
        if fresh {
            far.probe(Series::Fresh, now, crate::target::mix(draw));
        }
    }
    assert_eq!((far.misses, far.skipped), (0, 0), "{rtt_ms} ms");
    let most =
        profile.connections() + usize::try_from(Phase::Tls.most_ms(&profile) / profile.interval_ms).unwrap();
    assert!(far.free.len() <= most, "{} connections", far.free.len());
}

#[test]
fn a_far_target_with_tls_is_never_missed() {
    far(1, 1);
    far(99, 1);
    far(150, 1);
    far(150, 2);
    far(250, 1);
}

/// What answers late or with errors is missed, and is no silence; a death among such answers is one from the last of them on.
#[test]
fn late_and_wrong_answers_end_the_silence() {
    let mut detector = Detector::new(&Profile::fast());
    let facts = |detector: &Detector| {
        let row = detector.row(ID, at(1_000));
        (row.miss_streak, row.silence(), row.late_of_100, row.errors_of_100)
    };
    let miss = |detector: &mut Detector, ms: u64| {
        detector.record(&outcome(Series::Warm, ms, Some(Hard::NONE)), at(ms + 60));
    };
    for n in 0..4 {
        miss(&mut detector, 100 * n);
    }
    assert_eq!(facts(&detector), (4, 4, 0, 0));
    detector.record_late(Phase::Connect, Duration::from_millis(250));
    assert_eq!(facts(&detector), (4, 4, 0, 0), "a connection is no answer");
    detector.record_late(Phase::Warm, Duration::from_millis(400));
    assert_eq!(facts(&detector), (4, 0, 1, 0));
    detector.record_error(&outcome(Series::Warm, 400, Some(Hard::NONE)), at(460));
    detector.record_error(&outcome(Series::Warm, 500, Some(Hard::NONE)), at(560));
    assert_eq!(facts(&detector), (6, 0, 1, 2));
    assert_eq!(detector.row(ID, at(1_000)).error_streak, 2);
    miss(&mut detector, 600);
    assert_eq!(facts(&detector), (7, 1, 1, 2));
    detector.record_late(Phase::FirstByte, Duration::from_millis(400));
    assert_eq!(facts(&detector), (7, 0, 1, 2));
    assert_eq!(detector.row(ID, at(1_000)).error_streak, 0);
    detector.record(&outcome(Series::Warm, 700, None), at(702));
    assert_eq!(facts(&detector), (0, 0, 1, 2));
    detector.forgive();
    assert_eq!(facts(&detector), (0, 0, 1, 2));
}

/// A hang: what was asked in its last second is answered all at once when it is over. The timeout learns of it; the round trip does
/// not, once an answer is in time.
#[test]
fn a_hang_that_is_over_is_no_slow_target() {
    let mut detector = Detector::new(&Profile::fast());
    let rtt = |detector: &Detector| Duration::from_micros(detector.row(ID, at(9_999)).rtt_us.into());
    let usual = Duration::from_millis(2);
    for n in 0..50 {
        detector.record(&outcome(Series::Warm, n * 100, None), at(n * 100 + 2));
    }
    for n in 50..60 {
        detector.record(
            &outcome(Series::Warm, n * 100, Some(Hard::NONE)),
            at(n * 100 + 60),
        );
    }
    for n in 0..10 {
        detector.record_late(Phase::Warm, Duration::from_millis(1_000 - n * 90));
    }
    assert!(rtt(&detector) > 100 * usual, "as it answers now");
    detector.record(&outcome(Series::Warm, 6_000, None), at(6_002));
    let row = detector.row(ID, at(6_002));
    assert_eq!(
        (rtt(&detector), row.usual_rtt_us, row.late_of_100),
        (usual, 2_000, 10)
    );
    assert_eq!(
        detector.timeout(Phase::Warm),
        Duration::from_millis(300),
        "the next hang may be waited for"
    );
}

/// Late for hours, and then dead.
#[test]
fn a_streak_beyond_its_field_still_knows_silence() {
    let mut detector = Detector::new(&Profile::fast());
    for n in 0..70_000 {
        detector.record(&outcome(Series::Warm, n, Some(Hard::NONE)), at(n));
        detector.record_late(Phase::Warm, Duration::from_millis(500));
    }
    assert_eq!(detector.row(ID, at(1)).silence(), 0);
    for n in 0..5 {
        detector.record(&outcome(Series::Warm, n, Some(Hard::NONE)), at(n));
    }
    assert_eq!(detector.row(ID, at(1)).silence(), 5);
}

/// After an abstention only what is missed from then on counts; a success in between clears as ever.
#[test]
fn misses_of_ones_own_are_no_part_of_a_later_streak() {
    let mut detector = Detector::new(&Profile::fast());
    let miss = |detector: &mut Detector, ms: u64| {
        let outcome = Outcome {
            series: Series::Warm,
            started: MonoTime::from_millis(ms),
            connect: None,
            tls: None,
            first_byte: None,
            miss: Some(Hard::REFUSED),
        };
        detector.record(&outcome, MonoTime::from_millis(ms + 60));
        detector.row(TargetId(1), MonoTime::from_millis(ms + 60))
    };
    for n in 0..50 {
        miss(&mut detector, n * 100);
    }
    detector.forgive();
    let row = detector.row(TargetId(1), MonoTime::from_millis(5_000));
    assert_eq!((row.miss_streak, row.hard), (0, Hard::NONE));
    assert_eq!(miss(&mut detector, 5_000).miss_streak, 1);
}
