//! Votes by region, and the outage that follows from them over time.

use proptest::prelude::*;

use super::*;
use crate::time::MonoTime;
use Vote::{Abstain, Clear, Dead, Suspect};

/// Observers as (region, vote), all fresh.
fn views(votes: &[(&str, Vote)]) -> Vec<RegionView> {
    let ballots = votes.iter().map(|(region, vote)| Ballot {
        region,
        vote: *vote,
        counted: true,
    });
    by_region(ballots, &Profile::fast())
}

#[track_caller]
fn check(votes: &[(&str, Vote)], expected: &[(&str, Reach)]) {
    let found = views(votes);
    let found: Vec<_> = found
        .iter()
        .map(|view| (view.region.as_str(), view.reach))
        .collect();
    assert_eq!(found, expected, "{votes:?}");
}

#[test]
fn each_region_decides_for_itself() {
    use Reach::{NotReached, Reached, Unclear};
    check(&[], &[]);
    check(
        &[("us", Clear), ("eu", Dead), ("ap", Suspect), ("sa", Abstain)],
        &[
            ("ap", Unclear),
            ("eu", NotReached),
            ("sa", Unclear),
            ("us", Reached),
        ],
    );
    check(&[("eu", Dead), ("eu", Clear)], &[("eu", Unclear)]);
    check(&[("eu", Dead), ("eu", Dead)], &[("eu", NotReached)]);
    check(&[("eu", Clear), ("eu", Clear), ("eu", Dead)], &[("eu", Unclear)]);
    check(
        &[("eu", Clear), ("eu", Clear), ("eu", Clear), ("eu", Dead)],
        &[("eu", Reached)],
    );
}

#[test]
fn what_is_stale_or_abstains_says_nothing() {
    let ballots = [("eu", Dead, false), ("us", Clear, true), ("us", Dead, false)];
    let ballots = ballots.map(|(region, vote, counted)| Ballot {
        region,
        vote,
        counted,
    });
    let found = by_region(ballots, &Profile::fast());
    let told: Vec<_> = found
        .iter()
        .map(|v| (v.reach, v.fresh, v.votes.abstain))
        .collect();
    assert_eq!(told, [(Reach::Unclear, 0, 1), (Reach::Reached, 1, 1)]);
}

/// Runs a script of (seconds, votes of `eu`, `ap` and `us`) in steps of 100 ms; the cut-off regions after each of its lines.
fn course(script: &[(u64, [Option<Vote>; 3])]) -> Vec<String> {
    let profile = Profile::fast();
    let (mut course, mut now_ms, mut told) = (Course::default(), 0, Vec::new());
    for (seconds, votes) in script {
        for _ in 0..seconds * 10 {
            let fresh = ["eu", "ap", "us"].into_iter().zip(votes);
            let votes: Vec<_> = fresh
                .filter_map(|(region, vote)| Some((region, (*vote)?)))
                .collect();
            course.step(&views(&votes), MonoTime::from_millis(now_ms), &profile);
            now_ms += 100;
        }
        let standing = course
            .standing()
            .map(|outage| format!("{} | {}", outage.reached.join(","), outage.not_reached.join(",")));
        told.push(standing.unwrap_or_default());
    }
    told
}

const ALL_WELL: [Option<Vote>; 3] = [Some(Clear); 3];
const EU_OUT: [Option<Vote>; 3] = [Some(Dead), Some(Clear), Some(Clear)];

#[test]
fn a_region_is_cut_off_after_a_while_and_for_as_long() {
    assert_eq!(
        course(&[
            (9, ALL_WELL),
            (3, EU_OUT),
            (1, EU_OUT),
            (3, ALL_WELL),
            (1, ALL_WELL)
        ]),
        ["", "", "ap,us | eu", "ap,us | eu", ""]
    );
}

#[test]
fn a_death_and_a_return_that_regions_see_one_after_the_other_are_not_partial() {
    let [dead, late] = [[Some(Dead); 3], [Some(Dead), Some(Dead), Some(Clear)]];
    assert_eq!(
        course(&[(9, ALL_WELL), (2, EU_OUT), (60, dead), (2, late), (9, ALL_WELL)]),
        ["", "", "", "", ""]
    );
}

#[test]
fn more_regions_join_and_all_of_them_end_it() {
    let two_out = [Some(Dead), Some(Dead), Some(Clear)];
    assert_eq!(
        course(&[(5, EU_OUT), (5, two_out), (5, [Some(Dead); 3])]),
        ["ap,us | eu", "us | ap,eu", ""]
    );
}

#[test]
fn what_is_cut_off_together_is_told_together() {
    let (one, two) = (
        [Some(Dead), Some(Clear), Some(Clear)],
        [Some(Dead), Some(Dead), Some(Clear)],
    );
    assert_eq!(course(&[(1, one), (3, two)]), ["", "us | ap,eu"]);
    assert_eq!(
        course(&[(2, one), (2, two), (2, two)]),
        ["", "us | eu", "us | ap,eu"]
    );
}

#[test]
fn a_region_that_flutters_or_has_lost_its_observers() {
    let unclear = [Some(Dead), Some(Suspect), Some(Suspect)];
    assert_eq!(
        course(&[(2, EU_OUT), (2, unclear), (2, EU_OUT)]),
        ["", "", "ap,us | eu"],
        "what is unclear neither counts nor resets"
    );
    let no_eu = [None, Some(Clear), Some(Clear)];
    assert_eq!(
        course(&[(5, EU_OUT), (2, no_eu), (2, no_eu)])[1..],
        ["ap,us | eu", ""]
    );
}

#[test]
fn what_is_reached_from_nowhere_ends_as_a_whole() {
    let (two_out, one_back) = (
        [Some(Dead), Some(Dead), Some(Clear)],
        [Some(Clear), Some(Dead), Some(Clear)],
    );
    let told = "us | ap,eu";
    assert_eq!(
        course(&[
            (5, two_out),
            (2, one_back),
            (1, [Some(Dead); 3]),
            (1, [Some(Dead); 3])
        ]),
        [told, told, told, ""]
    );
}

#[test]
fn a_pause_keeps_what_stands_and_forgets_what_was_to_come() {
    let profile = Profile::fast();
    let eu_out = views(&[("eu", Dead), ("us", Clear)]);
    let mut course = Course::default();
    let at = MonoTime::from_millis;
    assert!(!course.step(&eu_out, at(0), &profile));
    course.pause();
    assert!(!course.step(&eu_out, at(60_000), &profile));
    assert!(course.step(&eu_out, at(63_000), &profile));
    course.pause();
    assert_eq!(course.standing().unwrap().since, at(63_000));
}

proptest! {
    /// Whatever is seen: an outage in force names regions of both kinds or none, and no region twice.
    #[test]
    fn an_outage_is_never_of_nobody(script in proptest::collection::vec(proptest::array::uniform4(0..4_usize), 1..60)) {
        let profile = Profile::fast();
        let mut course = Course::default();
        for (second, votes) in (0_u64..).zip(script) {
            let votes = ["a", "b", "c", "d"].into_iter().zip(votes.map(|at| [Clear, Suspect, Dead, Abstain][at]));
            course.step(&views(&votes.collect::<Vec<_>>()), MonoTime::from_millis(1_000 * second), &profile);
            if let Some(outage) = course.standing() {
                prop_assert!(!outage.not_reached.is_empty() && !outage.reached.is_empty());
                prop_assert!(outage.reached.iter().all(|region| !outage.not_reached.contains(region)));
                prop_assert!(outage.not_reached.is_sorted() && outage.reached.is_sorted());
            }
        }
    }
}
