//! Gray failure: what q observers find, over time, lowers weights, and never makes a cluster Down.

use proptest::prelude::*;

use super::bench::{Bench, Says};
use crate::invariants;
use crate::{Check, Family, Gray, GrayState, Path, Profile, Verdict};
use Says::{Clear, Dead, Failing, Late, Slow, UsersFail};

const CLUSTERS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Five clusters that are Up.
fn fleet() -> Bench {
    let mut bench = Bench::new(&CLUSTERS, Profile::fast());
    run(&mut bench, &[[Clear; 5]; 5], 500);
    bench
}

/// By cluster what the observers say of it, each 100 ms for a while; the verdicts reached.
fn run(bench: &mut Bench, says: &[[Says; 5]], for_ms: u64) -> Vec<Verdict> {
    let end = bench.ms + for_ms;
    let mut reached = Vec::new();
    while bench.ms < end {
        for (target, says) in says.iter().enumerate() {
            bench.say(target, says);
        }
        reached.extend(bench.poll().into_iter().map(|transition| transition.to));
        bench.ms += 100;
    }
    reached
}

fn gray(bench: &Bench, cluster: &str) -> GrayState {
    let view = bench.quorum.view(bench.now());
    view.cell(cluster, Path::Traffic, Family::V4)
        .unwrap()
        .gray
        .clone()
}

/// The factors in thousandths when `of_a` is said of the first cluster for `for_ms`.
#[track_caller]
fn check(of_a: [Says; 5], for_ms: u64, expected: (Gray, u32)) {
    let mut bench = fleet();
    let mut says = [[Clear; 5]; 5];
    says[0] = of_a;
    let reached = run(&mut bench, &says, for_ms);
    assert!(!reached.contains(&Verdict::Down), "{reached:?}");
    let gray = gray(&bench, "a");
    assert_eq!((gray.degree, gray.factor_permille), expected, "{of_a:?}");
    assert_eq!(gray.reason.is_empty(), gray.degree == Gray::None, "{gray:?}");
}

#[test]
fn q_observers_lower_a_weight_and_fewer_do_not() {
    check([Slow; 5], 900, (Gray::None, 1_000));
    check([Slow; 5], 1_100, (Gray::Mild, 500));
    check([Slow, Slow, Slow, Slow, Clear], 1_100, (Gray::Mild, 500));
    check([Slow, Slow, Slow, Clear, Clear], 9_000, (Gray::None, 1_000));
    check([Late; 5], 1_100, (Gray::Severe, 250));
    check([Late, Late, Late, Slow, Clear], 1_100, (Gray::Mild, 500));
    check([Failing; 5], 1_100, (Gray::Failing, 10));
    check([UsersFail; 5], 1_100, (Gray::Severe, 250));
    check(
        [UsersFail, Clear, Clear, Clear, Clear],
        9_000,
        (Gray::None, 1_000),
    );
}

#[test]
fn the_reason_names_who_and_what() {
    let mut bench = fleet();
    let mut says = [[Clear; 5]; 5];
    says[0] = [Late, Late, Late, Late, Clear];
    run(&mut bench, &says, 1_200);
    assert_eq!(
        gray(&bench, "a").reason,
        "severe: 4 of 5 fresh observers find it, 4 needed: answers in 500 ms, usually in 2 ms, \
         20 late of the last 100 probes"
    );
    says[0] = [Slow, Slow, Slow, Late, Late];
    run(&mut bench, &says, 300);
    assert_eq!(
        gray(&bench, "a").reason,
        "severe on its way back: 2 of 5 fresh observers find it, 4 needed: answers in 500 ms, usually in 2 ms, \
         20 late of the last 100 probes",
        "the degree stands, and the figures are those of now"
    );
    says[0] = [Slow; 5];
    run(&mut bench, &says, 300);
    assert_eq!(
        gray(&bench, "a").reason,
        "severe on its way back: 0 of 5 fresh observers find it, 4 needed: answers in 200 ms, usually in 2 ms"
    );
    bench.ms += 1_000;
    bench.poll();
    assert_eq!(
        gray(&bench, "a").reason,
        "severe, as long as too few observers are fresh to tell"
    );
}

/// The weight comes back in steps, one each hold.
#[test]
fn it_recovers_in_steps() {
    let mut bench = fleet();
    let mut says = [[Clear; 5]; 5];
    says[0] = [UsersFail; 5];
    run(&mut bench, &says, 1_500);
    let mut factors = vec![gray(&bench, "a").factor_permille];
    for _ in 0..25 {
        run(&mut bench, &[[Clear; 5]; 5], 1_000);
        let factor = gray(&bench, "a").factor_permille;
        if factors.last() != Some(&factor) {
            factors.push(factor);
        }
    }
    assert_eq!(factors, [250, 500, 1_000]);
}

#[test]
fn what_all_have_in_common_changes_nothing() {
    let mut bench = fleet();
    let reached = run(&mut bench, &[[Late; 5]; 5], 20_000);
    assert!(!reached.contains(&Verdict::Down));
    for cluster in CLUSTERS {
        let gray = gray(&bench, cluster);
        assert_eq!((gray.degree, gray.factor_permille), (Gray::Severe, 1_000));
    }
}

/// Two observers are no majority of any, so nothing moves either way.
#[test]
fn too_few_observers_keep_what_is() {
    let mut bench = fleet();
    let mut says = [[Clear; 5]; 5];
    says[0] = [Slow; 5];
    run(&mut bench, &says, 1_500);
    for _ in 0..200 {
        for target in 0..5 {
            bench.say(target, &[Clear, Clear]);
        }
        bench.poll();
        bench.ms += 100;
    }
    assert_eq!(gray(&bench, "a").factor_permille, 500);
}

/// A jump to so late that it looked like a death is taken back when the answers come, at the lowered weight.
#[test]
fn a_cluster_that_answers_late_after_all_is_not_down_for_long() {
    let mut bench = fleet();
    let mut says = [[Clear; 5]; 5];
    says[0] = [Dead; 5];
    assert_eq!(run(&mut bench, &says, 200), [Verdict::Down]);
    says[0] = [Late, Late, Late, Dead, Dead];
    assert_eq!(run(&mut bench, &says, 2_000), []);
    says[0] = [Late, Late, Late, Late, Dead];
    assert_eq!(run(&mut bench, &says, 2_000), [Verdict::Recovering]);
    assert_eq!(gray(&bench, "a").factor_permille, 250);
    // Errors alone are no sign of a return.
    says[0] = [Dead; 5];
    assert_eq!(run(&mut bench, &says, 200), [Verdict::Down]);
    says[0] = [Failing; 5];
    assert_eq!(run(&mut bench, &says, 2_000), []);
}

/// The dead are out of the brake's sum: it weighs those that serve.
#[test]
fn the_dead_do_not_count_among_those_that_can_take_more() {
    let mut bench = fleet();
    let mut says = [[Clear; 5]; 5];
    (says[0], says[1], says[2]) = ([Dead; 5], [Dead; 5], [Failing; 5]);
    run(&mut bench, &says, 1_500);
    assert_eq!(gray(&bench, "c").factor_permille, 10, "of three that serve");
    says[3] = [Dead; 5];
    run(&mut bench, &says, 500);
    assert_eq!(gray(&bench, "c").factor_permille, 10, "of two that serve");
    says[4] = [Failing; 5];
    run(&mut bench, &says, 1_500);
    assert_eq!(gray(&bench, "c").factor_permille, 1_000, "both alike");
}

/// What another check has found says nothing about this one.
#[test]
fn another_check_starts_without_gray() {
    let mut bench = fleet();
    let mut says = [[Clear; 5]; 5];
    says[0] = [Slow; 5];
    run(&mut bench, &says, 1_500);
    assert_eq!(gray(&bench, "a").factor_permille, 500);
    let mut targets = bench.targets.clone();
    bench.quorum.set_targets(targets.clone());
    assert_eq!(gray(&bench, "a").factor_permille, 500, "the same check");
    targets[0].check = Check::Tcp {
        address: ([192, 0, 2, 1], 80).into(),
    };
    bench.quorum.set_targets(targets);
    assert_eq!(gray(&bench, "a"), GrayState::default());
}

fn any_says() -> impl Strategy<Value = Says> {
    prop_oneof![
        Just(Clear),
        Just(Slow),
        Just(Late),
        Just(Failing),
        Just(UsersFail)
    ]
}

proptest! {
    /// Whatever is said of gray failure, in whatever order and by whomever: nothing goes Down, and enough weight stays.
    #[test]
    fn gray_failure_alone_takes_nobody_down(
        rounds in proptest::collection::vec((proptest::array::uniform5(proptest::array::uniform5(any_says())), 1..30_u64), 1..8),
    ) {
        let mut bench = fleet();
        for (says, tenths) in rounds {
            let reached = run(&mut bench, &says, 100 * tenths);
            prop_assert!(!reached.contains(&Verdict::Down), "{:?}", reached);
            let factors = CLUSTERS.map(|cluster| gray(&bench, cluster).factor_permille);
            prop_assert_eq!(invariants::gray_leaves_enough(&factors, &Profile::fast()), Ok(()));
        }
    }
}
