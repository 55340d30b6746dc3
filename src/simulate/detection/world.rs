//! The world: who is due when, what reaches whom, and when which invariant is asked.
//!
//! ```text
//! faults ──> Conditions ──> traffic: probes, datagrams ──> Consumer
//!                │                                             │ polls
//!                └── what was clean, who is dead ──> judge <───┘
//! ending: a cluster dies, is found and returns once every fault is over
//! ```

mod ending;
mod event;
mod faults;
mod judge;
mod traffic;

use std::rc::Rc;

use lifeboat_chaos::simulate::{Draws, Ended, Phases, Progress, Sim, Timed, Trace, World as Simulated, run};
use lifeboat_health::{Path, TargetId};

use self::{ending::Returning, event::Event};
use super::conditions::{Active, Conditions};
use super::consumer::Consumer;
use super::fault::Fault;
use super::fleet::{Clock, Fleet};
use super::observer::{Observer, What};
use super::outcome::Outcome;
use super::watch::Watch;

/// A consumer's own clock is as good as any: it compares nothing with anyone else's.
const CONSUMER_CLOCK: Clock = Clock::TRUE;
/// How long evidence takes at most on a good way, in microseconds.
pub(super) const WAY_US: u64 = 20_000;

/// What a run does beyond its faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) phases: Phases,
    /// In the liveness phase a cluster dies, is found, returns and must have its whole weight again.
    pub(super) liveness: bool,
    pub(super) keep_story: bool,
}

struct World<'a> {
    fleet: &'a Fleet,
    plan: Plan,
    observers: Vec<Observer>,
    consumers: Vec<Consumer>,
    watches: Vec<Watch>,
    conditions: Conditions,
    active: Vec<(u64, Active)>,
    next_id: u64,
    draws: Draws,
    /// Events of machines that stand still, until they run again: observers, then consumers.
    held: Vec<Vec<Event>>,
    /// By target: since when it is dead.
    dead_since: Vec<Option<u64>>,
    /// By observer, target, consumer: when the way between them was last not as it should be.
    unclean_us: Vec<u64>,
    /// Observers that started anew with a lower boot id than before.
    set_back: Vec<bool>,
    /// By target: until when estimates of its round trip may still be those of a slow time.
    slow_until_us: Vec<u64>,
    /// By observer and consumer: a connection that was lost takes a while to come back.
    reconnected_us: Vec<Vec<u64>>,
    /// By observer and consumer: the chain of losses.
    evidence_bad: Vec<Vec<bool>>,
    way_us: Vec<Vec<u64>>,
    returning: Option<Returning>,
    outcome: Outcome,
    progress: Progress,
}

/// Runs a fleet through its faults.
pub(super) fn simulate(
    fleet: &Fleet,
    faults: &[Timed<Fault>],
    seed: u64,
    plan: Plan,
    trace: Trace,
) -> Outcome {
    let mut world = World::new(fleet, seed, plan);
    let mut sim = Sim::new(trace);
    world.start(&mut sim);
    let Ended {
        at_us, hash, events, ..
    } = run(&mut world, &mut sim, faults, plan.phases);
    let World {
        outcome,
        watches,
        consumers,
        ..
    } = world;
    let cells = consumers.first().map(|consumer| consumer.view.cells.values());
    Outcome {
        losses: cells
            .into_iter()
            .flatten()
            .filter_map(|cell| cell.losses)
            .collect(),
        downs: watches.first().map_or(0, |watch| watch.downs),
        hash,
        events,
        ended_us: at_us,
        lines: sim.trace.into_lines(),
        ..outcome
    }
}

impl<'a> World<'a> {
    fn new(fleet: &'a Fleet, seed: u64, plan: Plan) -> World<'a> {
        let targets: Vec<(TargetId, Path)> = fleet
            .targets()
            .iter()
            .map(|target| (target.id(), target.path))
            .collect();
        let names: Vec<String> = (0..fleet.observers).map(|n| format!("o{n}")).collect();
        let observers = names
            .iter()
            .enumerate()
            .map(|(n, name)| {
                let draws = Draws::new(seed, 100 + n as u64);
                Observer::new(
                    (name.clone(), fleet.regions[n].clone()),
                    fleet.clocks[n],
                    &fleet.profile,
                    &targets,
                    fleet.anchors,
                    draws,
                )
            })
            .collect();
        let mut draws = Draws::new(seed, 1);
        let way_us = (0..fleet.observers)
            .map(|_| {
                (0..fleet.consumers)
                    .map(|_| draws.between(500, WAY_US / 2))
                    .collect()
            })
            .collect();
        let profile = Rc::new(fleet.profile.clone());
        let per_link = |value| vec![vec![value; fleet.consumers]; fleet.observers];
        World {
            observers,
            consumers: (0..fleet.consumers)
                .map(|_| Consumer::new(fleet, names.clone()))
                .collect(),
            watches: (0..fleet.consumers)
                .map(|_| Watch::new(targets.len(), &profile, fleet.ramp))
                .collect(),
            conditions: Conditions::none(fleet),
            active: Vec::new(),
            next_id: 0,
            draws,
            held: (0..fleet.observers + fleet.consumers)
                .map(|_| Vec::new())
                .collect(),
            dead_since: vec![None; targets.len()],
            unclean_us: vec![0; fleet.observers * targets.len() * fleet.consumers],
            set_back: vec![false; fleet.observers],
            slow_until_us: vec![0; targets.len()],
            reconnected_us: per_link(0),
            evidence_bad: vec![vec![false; fleet.consumers]; fleet.observers],
            way_us,
            returning: None,
            outcome: Outcome::default(),
            progress: Progress::Going,
            fleet,
            plan,
        }
    }

    fn start(&mut self, sim: &mut Sim<Event>) {
        for observer in 0..self.observers.len() {
            self.start_observer(observer, sim);
        }
        for consumer in 0..self.consumers.len() {
            let at = self.draws.below(self.poll_us());
            sim.at(at, Event::Poll { consumer });
        }
    }

    fn start_observer(&mut self, index: usize, sim: &mut Sim<Event>) {
        let send_us = u64::from(self.fleet.profile.send_ms) * 1_000;
        let observer = &mut self.observers[index];
        let life = observer.life;
        for at in 0..observer.probes.len() {
            let due = observer.clock.when(observer.probes[at].schedule.due());
            sim.at(
                due,
                Event::Probe {
                    observer: index,
                    at,
                    life,
                },
            );
        }
        let phase = observer.draws.below(send_us);
        sim.after(
            phase,
            Event::Send {
                observer: index,
                life,
            },
        );
    }

    /// Ten milliseconds as in a real consumer; profiles of tens of seconds are polled less often to save work.
    fn poll_us(&self) -> u64 {
        if self.fleet.profile.interval_ms > 1_000 {
            200_000
        } else {
            10_000
        }
    }

    /// The machine of an event that stands still now.
    fn stands_still(&self, event: &Event) -> Option<usize> {
        match event {
            Event::Probe { observer, .. } | Event::Ends { observer, .. } | Event::Send { observer, .. } => {
                self.conditions.paused[*observer].then_some(*observer)
            }
            Event::Deliver { consumer, .. } | Event::Poll { consumer } => {
                self.conditions.consumer_paused[*consumer].then_some(self.observers.len() + consumer)
            }
            Event::Flap { .. }
            | Event::Due { .. }
            | Event::Kill
            | Event::Revive
            | Event::Penalty
            | Event::WholeAgain => None,
        }
    }
}

impl Simulated for World<'_> {
    type Event = Event;
    type Fault = Fault;

    fn handle(&mut self, event: Event, sim: &mut Sim<Event>) {
        if let Some(machine) = self.stands_still(&event) {
            self.held[machine].push(event);
            return;
        }
        let now_us = sim.now_us();
        match event {
            Event::Probe { observer, at, life } => {
                if life == self.observers[observer].life {
                    self.probe(observer, at, sim);
                }
            }
            Event::Ends {
                observer,
                at,
                life,
                due_us,
                ending,
            } => {
                let its = &mut self.observers[observer];
                if life == its.life {
                    let kind = match ending.what {
                        What::Good { .. } => 1,
                        What::TimedOut { .. } => 2,
                        What::Broken { .. } => 3,
                        What::LateAnswer { .. } | What::LateConnect { .. } => 4,
                        What::Error { .. } => 5,
                    };
                    sim.trace
                        .note(now_us ^ (observer as u64) << 56 ^ (at as u64) << 48 ^ kind << 44);
                    let overslept_us = (now_us - due_us) * its.clock.rate_permille / 1_000;
                    its.end(at, &ending, now_us, overslept_us, &self.fleet.profile);
                    self.outcome.probes += 1;
                }
            }
            Event::Send { observer, life } => {
                if life == self.observers[observer].life {
                    self.send(observer, sim);
                }
            }
            Event::Deliver {
                observer,
                consumer,
                bytes,
            } => {
                let taken = self.consumers[consumer].hear(observer, &bytes, CONSUMER_CLOCK.read(now_us));
                sim.trace
                    .note(taken.map_or(u64::MAX, |ingested| ingested.stale.into()));
            }
            Event::Poll { consumer } => self.poll(consumer, sim),
            Event::Flap { id } => self.flap(id, sim),
            Event::Due { target, died_us } => self.due(target, died_us, now_us),
            Event::Kill => self.kill(sim),
            Event::Revive => self.revive(sim),
            Event::Penalty => self.penalty(sim),
            Event::WholeAgain => self.finish(now_us),
        }
    }

    fn fault(&mut self, fault: &Fault, begins: bool, sim: &mut Sim<Event>) {
        sim.trace.line(sim.now_us(), || {
            format!("{}: {fault}", if begins { "fault" } else { "fault over" })
        });
        if begins {
            self.begin(fault.clone(), sim);
        } else if let Some(at) = self.active.iter().position(|(_, active)| active.fault == *fault) {
            self.active.remove(at);
            if let Fault::Restart {
                observers,
                clock_set_back,
            } = fault
            {
                self.restart(observers, *clock_set_back, sim);
            }
        }
        self.change(sim);
    }

    fn calm(&mut self, sim: &mut Sim<Event>) {
        if self.plan.liveness {
            sim.trace.line(sim.now_us(), || "every fault is over".to_owned());
            let heard_us = self
                .unclean_us
                .iter()
                .copied()
                .max()
                .unwrap_or(0)
                .max(sim.now_us());
            sim.at(heard_us + 4 * self.fleet.unit_us(), Event::Kill);
        }
    }

    fn progress(&self) -> Progress {
        self.progress
    }
}
