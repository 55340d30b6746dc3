//! The end of a run: a cluster dies, is found, returns, and must have its whole weight again.

use std::time::Duration;

use lifeboat_chaos::simulate::{Progress, Sim};
use lifeboat_health::Verdict;
use lifeboat_health::invariants::{self, Broken};

use super::{CONSUMER_CLOCK, Event, World};
use crate::simulate::detection::consumer;
use crate::simulate::detection::fault::Fault;
use crate::simulate::detection::formula;

/// A cluster on its way back, at the end of a run.
pub(super) struct Returning {
    pub(super) recovered_us: u64,
    pub(super) penalty: Duration,
    pub(super) deadline_us: Option<u64>,
    /// Since when everything is as it was.
    pub(super) whole_us: Option<u64>,
}

impl World<'_> {
    /// One that flaps, if there is any, or anyone.
    pub(super) fn kill(&mut self, sim: &mut Sim<Event>) {
        let suppressed: Vec<usize> = self.consumers[0]
            .view
            .cells
            .values()
            .enumerate()
            .filter(|(_, cell)| cell.suppressed)
            .map(|(target, _)| self.conditions.cluster_of(target))
            .collect();
        let clusters = if suppressed.is_empty() {
            let count = if self.fleet.clusters > 3 {
                1 + self.draws.index(2)
            } else {
                1
            };
            self.draws.some(count, self.fleet.clusters)
        } else {
            vec![suppressed[self.draws.index(suppressed.len())]]
        };
        self.returning = Some(Returning {
            recovered_us: u64::MAX,
            penalty: Duration::ZERO,
            deadline_us: None,
            whole_us: None,
        });
        let fault = Fault::PowerOff { clusters };
        sim.trace.line(sim.now_us(), || format!("fault: {fault}"));
        self.begin(fault, sim);
        self.change(sim);
        let limit_us = u64::try_from(self.fleet.worst_down().as_micros()).unwrap_or(0);
        sim.after(limit_us + self.fleet.unit_us(), Event::Revive);
    }

    pub(super) fn revive(&mut self, sim: &mut Sim<Event>) {
        sim.trace
            .line(sim.now_us(), || "fault over: power-off".to_owned());
        self.active.clear();
        self.change(sim);
        self.returning = Some(Returning {
            recovered_us: sim.now_us(),
            penalty: Duration::ZERO,
            deadline_us: None,
            whole_us: None,
        });
        sim.after(2 * self.fleet.unit_us(), Event::Penalty);
    }

    /// By now every strike has been counted: how long the worst penalty will last.
    pub(super) fn penalty(&mut self, sim: &mut Sim<Event>) {
        let profile = &self.fleet.profile;
        let half_life = f64::from(profile.flap_half_life_s);
        let worst = self
            .consumers
            .iter()
            .flat_map(|consumer| consumer.view.cells.values())
            .filter(|cell| cell.suppressed)
            .map(|cell| (cell.penalty / f64::from(profile.flap_release)).log2() * half_life)
            .fold(0.0, f64::max);
        let Some(returning) = &mut self.returning else {
            return;
        };
        let since = sim.now_us() - returning.recovered_us;
        if worst > 0.0 {
            returning.penalty = Duration::from_secs_f64(worst) + Duration::from_micros(since);
        }
        returning.penalty += self.fleet.slowed(consumer::gray_lasts(&self.consumers, profile));
        // Of the last hundred probes, so many must have been good.
        let hundred = profile.slowest_interval() * 100;
        returning.penalty += self.fleet.slowed(hundred) - hundred;
        let limit = profile.recover_hold()
            + profile.slowest_interval() * profile.clear_successes
            + profile.fresh()
            + self.fleet.ramp_length()
            + formula::SLACK
            + returning.penalty;
        let deadline_us = returning.recovered_us + u64::try_from(limit.as_micros()).unwrap_or(0) + 1_000;
        returning.deadline_us = Some(deadline_us);
        sim.at(deadline_us, Event::WholeAgain);
    }

    /// L9: everything is as it was before anything happened.
    pub(super) fn finish(&mut self, now_us: u64) {
        let Some(returning) = &self.returning else {
            return;
        };
        let holds = invariants::l9_weight_returns(
            CONSUMER_CLOCK.read(returning.recovered_us),
            returning.whole_us.map(|at| CONSUMER_CLOCK.read(at)),
            self.fleet.ramp_length() + formula::SLACK,
            returning.penalty,
            &self.fleet.profile,
        );
        let holds = holds.map_err(|broken| Broken {
            detail: format!("{}: {}", broken.detail, self.unwhole()),
            ..broken
        });
        self.found(holds, now_us, None);
        if self.progress == Progress::Going {
            self.progress = Progress::Settled;
        }
    }

    fn unwhole(&self) -> String {
        let mut odd = Vec::new();
        for consumer in &self.consumers {
            for ((cluster, path, family), cell) in &consumer.view.cells {
                if cell.verdict != Verdict::Up || cell.frozen || cell.suppressed {
                    odd.push(format!(
                        "{cluster}/{path}/{family} {} frozen {} suppressed {}",
                        cell.verdict, cell.frozen, cell.suppressed
                    ));
                }
            }
            odd.extend(
                consumer
                    .gate_views
                    .iter()
                    .filter(|gate| gate.gate < 1.0 || gate.held)
                    .map(|gate| {
                        format!(
                            "gate {}/{} {} held {}",
                            gate.cluster, gate.family, gate.gate, gate.held
                        )
                    }),
            );
        }
        odd.join(", ")
    }
}
