//! One seed: its fleet and faults drawn, run, run again where that must not differ, and shrunk where it broke something.

use std::panic::{AssertUnwindSafe, catch_unwind};

use lifeboat_chaos::simulate::{Draws, Phases, Timed, Trace, shrink};
use lifeboat_health::Preset;
use lifeboat_health::invariants::{self, Broken};

use super::fault::{self, Fault};
use super::fleet::Fleet;
use super::outcome::{Finding, Outcome};
use super::world::{Plan, simulate};

/// One seed in this many is run four times: as it is, again, and with clocks that are off, or run otherwise.
const TWINS_EACH: u64 = 16;
/// Most runs that shrinking may take.
const SHRINK_RUNS: usize = 200;

/// What a seed came to.
#[derive(Clone, Debug)]
pub struct Exam {
    pub seed: u64,
    pub fleet: Fleet,
    pub faults: Vec<Timed<Fault>>,
    pub outcome: Outcome,
    /// Of its faults those that suffice to break the same invariant.
    pub shrunk: Option<Vec<Timed<Fault>>>,
}

/// Examine one seed. `preset` overrides the one it would draw; `text` keeps the lines of the trace.
pub fn examine(seed: u64, preset: Option<Preset>, text: bool) -> Exam {
    let mut draws = Draws::new(seed, 0);
    let fleet = Fleet::draw(
        &mut draws,
        &mut Draws::new(seed, 3),
        &mut Draws::new(seed, 4),
        preset,
    );
    let unit_us = fleet.unit_us();
    let (warm_us, calm_us) = (3 * unit_us, draws.between(8, 20) * unit_us);
    let faults = fault::draw(&mut draws, &fleet, warm_us, calm_us);
    let plan = Plan {
        phases: Phases {
            calm_us,
            end_us: u64::MAX,
        },
        liveness: true,
        keep_story: true,
    };
    let trace = if text {
        Trace::with_text()
    } else {
        Trace::default()
    };
    let go = |fleet: &Fleet, faults: &[Timed<Fault>], trace| guarded(fleet, faults, seed, plan, trace);
    let mut outcome = go(&fleet, &faults, trace);
    if outcome.finding.is_none() && seed.is_multiple_of(TWINS_EACH) {
        let others = Others::of(&fleet, |fleet| go(fleet, &faults, Trace::default()));
        outcome.finding = others.twins(&outcome);
        outcome.probes += others.probes();
    }
    let shrunk = outcome.finding.as_ref().map(|finding| {
        let by_twins = matches!(finding.invariant, "S19" | "S20");
        shrink(&faults, SHRINK_RUNS, |some| {
            let one = go(&fleet, some, Trace::default());
            let found = one.finding.clone().or_else(|| {
                by_twins
                    .then(|| Others::of(&fleet, |fleet| go(fleet, some, Trace::default())).twins(&one))
                    .flatten()
            });
            found.is_some_and(|other| other.invariant == finding.invariant)
        })
    });
    Exam {
        seed,
        fleet,
        faults,
        outcome,
        shrunk,
    }
}

/// Further runs of a seed.
struct Others {
    again: Outcome,
    /// Clocks are off by other hours.
    off: Outcome,
    /// And run at other rates.
    skewed: Outcome,
}

impl Others {
    fn of(fleet: &Fleet, run: impl Fn(&Fleet) -> Outcome) -> Others {
        Others {
            again: run(fleet),
            off: run(&fleet.with_other_clocks()),
            skewed: run(&fleet.with_skewed_clocks()),
        }
    }

    fn probes(&self) -> u64 {
        self.again.probes + self.off.probes + self.skewed.probes
    }

    /// S20 and S19, between whole runs.
    fn twins(&self, outcome: &Outcome) -> Option<Finding> {
        let held = invariants::s20_same_seed_same_log(outcome.hash, self.again.hash)
            .and_then(|()| invariants::s19_clocks_change_nothing(&outcome.story, &self.off.story));
        let broken = held.err().or_else(|| {
            let finding = self.off.finding.as_ref().or(self.skewed.finding.as_ref())?;
            Some(Broken {
                invariant: "S19",
                detail: format!(
                    "with other clocks {} is broken: {}",
                    finding.invariant, finding.detail
                ),
            })
        })?;
        Some(Finding::new(broken, outcome.ended_us, None))
    }
}

/// A run in which a panic is a finding like another.
fn guarded(fleet: &Fleet, faults: &[Timed<Fault>], seed: u64, plan: Plan, trace: Trace) -> Outcome {
    let run = || simulate(fleet, faults, seed, plan, trace);
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        let broken = Broken {
            invariant: "S20",
            detail: format!("panic: {}", text.unwrap_or("without a text")),
        };
        Outcome {
            finding: Some(Finding::new(broken, 0, None)),
            ..Outcome::default()
        }
    })
}
