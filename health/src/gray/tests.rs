//! Degrees from rows, over time, and under the brake.

use proptest::prelude::*;

use super::*;
use crate::evidence::Row;
use crate::invariants;
use Gray::{Failing, Mild, None as Clear, Severe};

const ALL: [Gray; 4] = [Clear, Mild, Severe, Failing];

/// A target that usually answers in 2 ms and now in `rtt_ms`.
fn row(rtt_ms: u32, late: u8, errors: u8) -> Row {
    Row {
        rtt_us: rtt_ms * 1_000,
        usual_rtt_us: 2_000,
        late_of_100: late,
        errors_of_100: errors,
        ..Row::default()
    }
}

#[track_caller]
fn check(row: &Row, standing: Gray, expected: Gray) {
    assert_eq!(opinion(row, standing, &Profile::fast()), expected, "{row:?}");
}

#[test]
fn thresholds_and_their_hysteresis() {
    check(&row(2, 0, 0), Clear, Clear);
    check(&row(51, 0, 0), Clear, Clear);
    check(&row(52, 0, 0), Clear, Mild);
    check(&row(51, 0, 0), Mild, Mild);
    check(&row(26, 0, 0), Mild, Clear);
    check(&row(2, 9, 0), Clear, Clear);
    check(&row(2, 5, 5), Clear, Mild);
    check(&row(2, 5, 0), Mild, Mild);
    check(&row(2, 4, 0), Mild, Clear);
    check(&row(300, 49, 0), Clear, Mild);
    check(&row(300, 30, 20), Clear, Severe);
    check(&row(300, 25, 0), Severe, Severe);
    check(&row(300, 24, 0), Severe, Mild);
}

/// Far away is not slow: a rise counts beside what is usual there.
#[test]
fn slow_is_slower_than_usual() {
    let at = |rtt_ms: u32, usual_ms: u32| Row {
        rtt_us: rtt_ms * 1_000,
        usual_rtt_us: usual_ms * 1_000,
        ..Row::default()
    };
    check(&at(150, 140), Clear, Clear);
    check(&at(240, 80), Clear, Clear);
    check(&at(320, 80), Clear, Mild);
    check(&at(40, 4), Clear, Clear);
    check(&at(900, 0), Clear, Clear);
}

#[test]
fn a_run_of_wrong_answers_is_severe_and_of_errors_failing() {
    let run = |miss_streak: u16, heard_at: u16, error_streak: u8| Row {
        miss_streak,
        heard_at,
        error_streak,
        late_of_100: 9,
        ..Row::default()
    };
    check(&run(9, 9, 0), Clear, Clear);
    check(&run(10, 10, 0), Clear, Severe);
    check(&run(10, 8, 0), Clear, Severe);
    check(&run(10, 7, 0), Clear, Clear);
    check(&run(10, 10, 10), Clear, Failing);
    check(&run(10, 10, 9), Clear, Severe);
    check(&run(9, 9, 5), Failing, Failing);
    check(&run(9, 9, 4), Failing, Mild);
}

#[test]
fn users_say_at_most_severe_and_only_when_enough_of_them_ask() {
    let users = |requests: u16, permille: u16| Row {
        user_requests: requests,
        user_errors_permille: permille,
        ..Row::default()
    };
    check(&users(1_000, 49), Clear, Clear);
    check(&users(1_000, 50), Clear, Mild);
    check(&users(1_000, 400), Clear, Severe);
    check(&users(1_000, 1_000), Clear, Severe);
    check(&users(49, 1_000), Clear, Clear);
    check(&users(25, 400), Severe, Severe);
    check(&users(24, 400), Severe, Clear);
}

/// Runs `script`: what is found in each second, and what is in force after it.
#[track_caller]
fn course(script: &[(Option<Gray>, Gray)]) {
    let profile = Profile::fast();
    let mut course = Course::default();
    for (second, (found, expected)) in (0_u64..).zip(script) {
        course.step(*found, MonoTime::from_millis(1_000 * second), &profile);
        assert_eq!(course.degree(), *expected, "in second {second}");
    }
}

#[test]
fn it_rises_after_a_second_to_the_least_found() {
    course(&[(Some(Mild), Clear), (Some(Mild), Mild)]);
    course(&[(Some(Mild), Clear), (Some(Clear), Clear), (Some(Mild), Clear)]);
    course(&[(Some(Severe), Clear), (Some(Mild), Mild)]);
    course(&[(Some(Failing), Clear), (None, Clear), (Some(Failing), Clear)]);
}

#[test]
fn it_falls_by_one_degree_after_each_hold() {
    let profile = Profile::fast();
    let mut course = Course::default();
    let mut fell = Vec::new();
    for tenth in 0..400 {
        let (found, now) = (
            if tenth < 30 { Failing } else { Clear },
            MonoTime::from_millis(100 * tenth),
        );
        if course.step(Some(found), now, &profile) {
            fell.push((tenth, course.degree()));
        }
    }
    assert_eq!(fell, [(10, Failing), (130, Severe), (231, Mild), (332, Clear)]);
}

#[track_caller]
fn braked(degrees: &[Gray], expected: &[u32]) {
    assert_eq!(
        factors(&settled(degrees), &Profile::fast()),
        expected,
        "{degrees:?}"
    );
}

/// Nothing else is to come.
fn settled(degrees: &[Gray]) -> Vec<(Gray, Gray)> {
    degrees.iter().map(|degree| (*degree, *degree)).collect()
}

/// The first to be found gray is not lowered while all others follow.
#[test]
fn the_brake_looks_ahead() {
    let profile = Profile::fast();
    let follow = [(Mild, Mild), (Clear, Mild), (Clear, Severe)];
    assert_eq!(factors(&follow, &profile), [1_000; 3]);
    let one_stays = [(Mild, Mild), (Clear, Mild), (Clear, Clear)];
    assert_eq!(factors(&one_stays, &profile), [500, 1_000, 1_000]);
}

#[test]
fn what_fell_together_falls_together() {
    let profile = Profile::fast();
    let mut courses = [Course::default(); 2];
    let step = |course: &mut Course, found, ms| course.step(Some(found), MonoTime::from_millis(ms), &profile);
    for course in &mut courses {
        step(course, Mild, 0);
        assert!(step(course, Mild, 1_000));
    }
    let [first, second] = &mut courses;
    step(first, Clear, 2_000);
    step(second, Clear, 2_900);
    assert!(
        !second.fall_along(MonoTime::from_millis(11_800), &profile),
        "too early"
    );
    assert!(step(first, Clear, 12_000));
    assert!(second.fall_along(MonoTime::from_millis(12_000), &profile));
    assert_eq!(second.degree(), Clear);
    assert!(!second.fall_along(MonoTime::from_millis(99_000), &profile));
}

#[test]
fn the_brake() {
    braked(&[], &[]);
    braked(&[Severe], &[1_000]);
    braked(&[Mild, Clear, Clear], &[500, 1_000, 1_000]);
    braked(&[Severe, Mild, Clear, Clear], &[250, 500, 1_000, 1_000]);
    // What all have in common is nobody's.
    braked(&[Mild; 5], &[1_000; 5]);
    braked(&[Failing; 5], &[1_000; 5]);
    braked(&[Severe, Mild, Mild], &[500, 1_000, 1_000]);
    // At most twice its share for the one that is well.
    braked(&[Failing, Clear], &[10, 1_000]);
    braked(&[Failing, Failing, Clear], &[250, 250, 1_000]);
    braked(&[Failing, Severe, Mild, Clear], &[250, 250, 500, 1_000]);
    braked(
        &[Severe, Severe, Severe, Severe, Clear],
        &[375, 375, 375, 375, 1_000],
    );
}

fn any_gray() -> impl Strategy<Value = Gray> {
    (0..4_usize).prop_map(|index| ALL[index])
}

proptest! {
    /// Whatever the degrees: nobody at 0, the order is kept, enough is left, and all alike are left alone.
    #[test]
    fn the_brake_keeps_its_promises(degrees in proptest::collection::vec(any_gray(), 1..40), keep in 1..=100_u32) {
        let profile = Profile { gray_keep_percent: keep, ..Profile::fast() };
        let factors = factors(&settled(&degrees), &profile);
        prop_assert_eq!(invariants::gray_leaves_enough(&factors, &profile), Ok(()));
        prop_assert!(factors.contains(&1_000), "the least gray is not lowered");
        for (a, x) in degrees.iter().zip(&factors) {
            for (b, y) in degrees.iter().zip(&factors) {
                prop_assert!(a < b || x <= y, "{a} has {x} and {b} has {y}");
            }
        }
    }

    /// More evidence never makes an opinion milder, nor does an opinion that stands.
    #[test]
    fn opinions_are_monotonous(
        (rtt, late, errors, users) in (0..2_000_u32, 0..=100_u8, 0..=100_u8, 0..=1_000_u16),
        standing in any_gray(),
    ) {
        let profile = Profile::fast();
        let base = Row { user_requests: 1_000, user_errors_permille: users, ..row(rtt, late, errors) };
        let worse = Row {
            rtt_us: base.rtt_us + 1_000,
            late_of_100: (late + 1).min(100),
            errors_of_100: (errors + 1).min(100),
            ..base
        };
        prop_assert!(opinion(&worse, standing, &profile) >= opinion(&base, standing, &profile));
        prop_assert!(opinion(&base, standing, &profile) >= opinion(&base, Clear, &profile));
    }
}
