//! Each invariant holds where it should, and is broken, by name, where it should be.

use super::*;
use crate::evidence::Hard;
use crate::region::RegionView;
use crate::target::Path;
use crate::verdict::Witness;

const fn at(ms: u64) -> MonoTime {
    MonoTime::from_millis(ms)
}

#[track_caller]
fn broken(holds: Holds, invariant: &str) {
    assert_eq!(holds.map_err(|broken| broken.invariant), Err(invariant));
}

fn down(dead: usize, of: usize) -> Transition {
    let witness = |n: usize| Witness {
        observer: format!("o{n}"),
        region: String::new(),
        vote: if n < dead { Vote::Dead } else { Vote::Clear },
        miss_streak: 5,
        silence: 5,
        success_streak: 0,
        hard: Hard::NONE,
        age_ms: 10,
        rtt_us: 0,
        silent_ms: None,
        dead_ms: (n < dead).then_some(20),
        counted: true,
        abstains: false,
    };
    let fresh = u32::try_from(of).unwrap();
    Transition {
        cluster: "a".into(),
        path: Path::Traffic,
        family: Family::V4,
        from: Verdict::Up,
        to: Verdict::Down,
        at: at(1),
        q: Profile::fast().q(fresh),
        fresh,
        evidence: (0..of).map(witness).collect(),
        reason: String::new(),
    }
}

#[test]
fn a_down_needs_its_witnesses() {
    let profile = Profile::fast();
    assert_eq!(s6_down_has_quorum(&down(4, 5), &profile), Ok(()));
    broken(s6_down_has_quorum(&down(3, 5), &profile), "S6");
    let spoil = |change: fn(&mut Witness)| {
        let mut transition = down(4, 5);
        change(&mut transition.evidence[0]);
        s6_down_has_quorum(&transition, &profile)
    };
    broken(spoil(|witness| witness.counted = false), "S6");
    broken(spoil(|witness| witness.dead_ms = Some(1_501)), "S6");
    broken(spoil(|witness| witness.observer = "o1".into()), "S6");
    broken(
        s6_down_has_quorum(&Transition { q: 3, ..down(3, 5) }, &profile),
        "S6",
    );
}

#[test]
fn what_answers_is_not_down() {
    let profile = Profile::fast();
    assert_eq!(gray_is_not_down(&down(4, 5), &profile), Ok(()));
    let mut answered = down(4, 5);
    answered.evidence[0].silence = 2;
    broken(gray_is_not_down(&answered, &profile), "gray");
    answered.evidence[0].miss_streak = 2;
    assert_eq!(
        gray_is_not_down(&answered, &profile),
        Ok(()),
        "a vote outlives an answer"
    );
}

#[test]
fn lowering_leaves_enough() {
    let check = |factors: &[u32]| gray_leaves_enough(factors, &Profile::fast());
    assert_eq!(check(&[]), Ok(()));
    assert_eq!(check(&[500, 500]), Ok(()));
    broken(check(&[499, 500]), "gray");
    broken(check(&[0, 1_000, 1_000]), "gray");
    broken(check(&[1_001]), "gray");
}

#[test]
fn a_down_was_seen_by_those_who_vote_for_it() {
    let seen = |by: &[&str]| s6_down_was_seen(&down(4, 5), &by.iter().copied().collect());
    assert_eq!(seen(&["o0", "o1", "o2", "o3"]), Ok(()));
    broken(seen(&["o0", "o1", "o2", "somebody else"]), "S6");
    let alone = Transition { q: 1, ..down(1, 5) };
    broken(s6_down_was_seen(&alone, &BTreeSet::from(["o0"])), "S6");
}

#[test]
fn nobody_goes_down_alone_while_others_follow() {
    let check = |waited_ms, dying: &[&str]| {
        let waited = Duration::from_millis(waited_ms);
        cut_waits_for_the_dying(
            &down(4, 5),
            waited,
            &dying.iter().copied().collect(),
            &Profile::fast(),
        )
    };
    assert_eq!(check(0, &[]), Ok(()));
    assert_eq!(check(100, &["b"]), Ok(()));
    broken(check(99, &["b"]), "cut rule");
}

#[test]
fn too_few_observers_change_nothing() {
    assert_eq!(s7_frozen_decides_nothing(&down(3, 3), &Profile::fast()), Ok(()));
    broken(s7_frozen_decides_nothing(&down(2, 2), &Profile::fast()), "S7");
    let view = |verdict, frozen| {
        let mut view = FleetView::default();
        let cell = Cell {
            verdict,
            frozen,
            ..Cell::default()
        };
        view.cells.insert(("a".into(), Path::Traffic, Family::V4), cell);
        view
    };
    assert_eq!(
        s7_frozen_stands_still(&view(Verdict::Up, true), &view(Verdict::Up, true)),
        Ok(())
    );
    broken(
        s7_frozen_stands_still(&view(Verdict::Up, true), &view(Verdict::Down, true)),
        "S7",
    );
}

#[test]
fn a_withdrawal_leaves_someone() {
    let mut view = FleetView::default();
    for cluster in ["a", "b"] {
        let cell = Cell {
            verdict: Verdict::Up,
            positively_healthy: true,
            ..Cell::default()
        };
        view.cells
            .insert((cluster.into(), Path::Traffic, Family::V4), cell);
    }
    let check = |withdrawn: &[&str], last_good| {
        let withdrawn = withdrawn.iter().copied().collect();
        s8a_withdrawal_leaves_a_survivor(&withdrawn, &view, Family::V4, last_good)
    };
    assert_eq!(check(&[], false), Ok(()));
    assert_eq!(check(&["a"], false), Ok(()));
    assert_eq!(check(&["a", "b"], true), Ok(()));
    broken(check(&["a", "b"], false), "S8a");
    assert_eq!(s1_something_is_served(1), Ok(()));
    broken(s1_something_is_served(0), "S1");
}

#[test]
fn suppression_ends_by_its_penalty() {
    let cell = |suppressed, penalty| Cell {
        suppressed,
        penalty,
        ..Cell::default()
    };
    let profile = Profile::fast();
    let check =
        |penalty, last| s14_suppressed_stays_out(&cell(true, 0.0), &cell(false, penalty), last, &profile);
    assert_eq!(check(749.0, false), Ok(()));
    assert_eq!(check(2_000.0, true), Ok(()));
    broken(check(2_000.0, false), "S14");
}

#[test]
fn s14_weights_rise_by_steps() {
    assert_eq!(s14_ramp_within_step(250_000, 500_000, 250_000), Ok(()));
    assert_eq!(s14_ramp_within_step(1_000_000, 0, 1), Ok(()));
    broken(s14_ramp_within_step(250_000, 500_001, 250_000), "S14");
}

#[test]
fn logs_compare() {
    let (one, later) = (
        down(4, 5),
        Transition {
            at: at(9),
            ..down(4, 5)
        },
    );
    let other = Transition {
        to: Verdict::Suspect,
        ..down(4, 5)
    };
    let alone = std::slice::from_ref::<Transition>;
    assert_eq!(
        s19_clocks_change_nothing(&story(alone(&one)), &story(alone(&later))),
        Ok(())
    );
    broken(
        s19_clocks_change_nothing(&story(alone(&one)), &story(alone(&other))),
        "S19",
    );
    assert_eq!(
        s20_same_seed_same_log(log_hash(alone(&one)), log_hash(alone(&one))),
        Ok(())
    );
    broken(
        s20_same_seed_same_log(log_hash(alone(&one)), log_hash(alone(&later))),
        "S20",
    );
}

#[test]
fn time_limits() {
    assert_eq!(l1_down_in_time(at(0), Some(at(1_000))), Ok(()));
    broken(l1_down_in_time(at(0), Some(at(1_001))), "L1");
    broken(l1_down_in_time(at(0), None), "L1");
    assert_eq!(
        l1_down_within(at(0), Some(at(7)), Duration::from_millis(7)),
        Ok(())
    );
    broken(l1_down_within(at(0), Some(at(8)), Duration::from_millis(7)), "L1");
    assert_eq!(l2_withdrawn_in_time(at(5), Some(at(305))), Ok(()));
    broken(l2_withdrawn_in_time(at(5), Some(at(306))), "L2");
    let ramp = Duration::from_secs(300);
    let weight = |ms| l9_weight_returns(at(0), Some(at(ms)), ramp, Duration::ZERO, &Profile::fast());
    assert_eq!(weight(310_800), Ok(()));
    broken(weight(311_000), "L9");
}

#[test]
fn a_partial_outage_is_what_the_regions_see() {
    let outage = |reached: &[&str], not_reached: &[&str]| PartialOutage {
        since: at(1),
        reached: reached.iter().map(|region| (*region).to_owned()).collect(),
        not_reached: not_reached.iter().map(|region| (*region).to_owned()).collect(),
    };
    let view = |region: &str, reach| RegionView {
        region: region.into(),
        reach,
        ..RegionView::default()
    };
    let mut cell = Cell {
        regions: vec![
            view("eu", Reach::Reached),
            view("us", Reach::NotReached),
            view("ap", Reach::Unclear),
        ]
        .into(),
        ..Cell::default()
    };
    let mut seen = |before: Option<&PartialOutage>, outage| {
        cell.partial = Some(outage);
        partial_outage_is_seen(before, &cell)
    };
    let begun = outage(&["eu"], &["us"]);
    assert_eq!(seen(None, begun.clone()), Ok(()));
    // What stood before stands as long as nothing is told anew.
    let stood = outage(&["us"], &["ap", "eu"]);
    assert_eq!(seen(Some(&stood), stood.clone()), Ok(()));
    assert_eq!(
        seen(Some(&outage(&["eu"], &["ap"])), outage(&["eu"], &["ap", "us"])),
        Ok(())
    );
    broken(seen(None, outage(&["eu"], &["ap"])), "partial outage");
    broken(seen(None, outage(&["eu", "us"], &["us"])), "partial outage");
    broken(seen(None, outage(&[], &["us"])), "partial outage");
    broken(seen(Some(&begun), outage(&["eu"], &[])), "partial outage");
}
