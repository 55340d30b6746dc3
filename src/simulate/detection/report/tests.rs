//! What makes a run one that holds.

use super::*;
use crate::simulate::detection::swarm::Settings;

/// A run that met everything, with so many of the Downs that the formula says.
fn run(seeds: u64, share: f64, expected: f64) -> Swarm {
    let mut totals = Totals {
        seeds,
        sometimes: Sometimes {
            panic: 1,
            freeze: 1,
            flap_suppression: 1,
            abstention: 1,
            group_cut: 1,
            partial_outage: 1,
            frozen: 1,
            gray: 1,
        },
        ..Totals::default()
    };
    for setting in Setting::ALL {
        let seconds = expected / setting.expected_per_second(Preset::Fast, 40);
        totals
            .losses
            .note(setting, 40, seconds, (expected * share).round() as u64);
    }
    Swarm {
        settings: Settings {
            first_seed: 0,
            seeds,
            preset: None,
            loss_seconds: 60,
            threads: None,
        },
        totals,
        failed: Vec::new(),
        trace_hash: 0,
        took: Duration::ZERO,
    }
}

#[track_caller]
fn check(swarm: &Swarm, holds: bool) {
    assert_eq!(Report::of(swarm).holds(), holds);
}

#[test]
fn a_run_holds_where_false_downs_are_as_many_as_the_formula_says() {
    check(&run(1_000, 0.8, 110.0), true);
    check(&run(1_000, 0.4, 110.0), false);
    check(&run(1_000, 2.2, 110.0), false);
    check(&run(100, 2.2, 110.0), false);
}

#[test]
fn a_long_run_that_can_compare_nothing_does_not_hold() {
    check(&run(1_000, 1.0, 90.0), false);
    check(&run(1_000, 1.0, 0.0), false);
    let short = Report::of(&run(999, 1.0, 90.0));
    assert!(short.holds() && !short.must_compare());
    let too_few: Vec<u32> = short.too_few().map(|row| row.observers).collect();
    assert_eq!(too_few, [3, 3, 5], "a short run is told what it lacks");
    let mut left_out = run(1_000, 1.0, 110.0);
    left_out.totals.losses = Losses::default();
    check(&left_out, true);
}

#[test]
fn an_extrapolation_that_is_missing_or_too_short_does_not_hold() {
    let report = Report::of(&run(1_000, 1.0, 110.0));
    let found = report.extrapolation.clone().unwrap();
    assert!(found.years >= found.least_years && found.least_years == 1_000.0);
    let with = |extrapolation| Report {
        extrapolation,
        ..report.clone()
    };
    assert!(with(Some(found.clone())).holds());
    assert!(!with(None).holds());
    let years = found.least_years - 1.0;
    assert!(!with(Some(Extrapolation { years, ..found })).holds());
}

#[test]
fn what_a_long_run_never_met_or_broke_does_not_hold() {
    let mut swarm = run(1_000, 1.0, 110.0);
    swarm.totals.sometimes.group_cut = 0;
    assert_eq!(Report::of(&swarm).never_reached, ["group cut"]);
    check(&swarm, false);
    swarm.totals.seeds = 999;
    check(&swarm, true);
    swarm.totals.seeds = 1_000;
    // A profile may be without it.
    swarm.settings.preset = Some(Preset::Fast);
    check(&swarm, true);
    swarm.totals.failed = 1;
    check(&swarm, false);
}
