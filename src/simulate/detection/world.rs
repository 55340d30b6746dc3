//! The world: who is due when, what reaches whom, and when which invariant is asked.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use lifeboat_chaos::simulate::{Draws, Ended, Phases, Progress, Sim, Timed, Trace, World as Simulated, run};
use lifeboat_health::invariants::{self, Broken, Holds};
use lifeboat_health::{Path, Series, TargetId, Transition, Verdict};

use super::conditions::{Active, Conditions, named};
use super::consumer::{self, Consumer};
use super::fault::Fault;
use super::fleet::{Clock, Fleet};
use super::formula;
use super::observer::{Ending, Observer, What};
use super::outcome::{Finding, Outcome};
use super::watch::Watch;

/// A consumer's own clock is as good as any: it compares nothing with anyone else's.
const CONSUMER_CLOCK: Clock = Clock::TRUE;
/// How long evidence takes at most on a good way, in microseconds.
pub(super) const WAY_US: u64 = 20_000;

#[derive(Debug)]
pub(super) enum Event {
    Probe {
        observer: usize,
        at: usize,
        life: u32,
    },
    Ends {
        observer: usize,
        at: usize,
        life: u32,
        due_us: u64,
        ending: Ending,
    },
    Send {
        observer: usize,
        life: u32,
    },
    Deliver {
        observer: usize,
        consumer: usize,
        bytes: Rc<[u8]>,
    },
    Poll {
        consumer: usize,
    },
    /// A flapping cluster changes sides.
    Flap {
        id: u64,
    },
    /// Whoever is dead since then must be Down by now.
    Due {
        target: usize,
        died_us: u64,
    },
    Kill,
    Revive,
    Penalty,
    WholeAgain,
}

/// What a run does beyond its faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) phases: Phases,
    /// In the liveness phase a cluster dies, is found, returns and must have its whole weight again.
    pub(super) liveness: bool,
    pub(super) keep_story: bool,
    /// Count how many observers are wrong at once; for runs in which nothing but losses happens.
    pub(super) count_alarms: bool,
}

pub(super) struct World<'a> {
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
    /// By target: until when estimates of its round trip may still be those of a slow time. Connects are sampled once in
    /// `freshEvery` probes, so their timeout takes long to come down.
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

/// A cluster on its way back, at the end of a run.
struct Returning {
    recovered_us: u64,
    penalty: Duration,
    deadline_us: Option<u64>,
    /// Since when everything is as it was.
    whole_us: Option<u64>,
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
    let World { outcome, watches, .. } = world;
    Outcome {
        alarms: watches.into_iter().next().and_then(|watch| watch.alarms),
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
                    name.clone(),
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
                .map(|_| Watch::new(targets.len(), plan.count_alarms, &profile))
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

    fn probe(&mut self, index: usize, at: usize, sim: &mut Sim<Event>) {
        let now_us = sim.now_us();
        let profile = &self.fleet.profile;
        let observer = &mut self.observers[index];
        let now = observer.clock.read(now_us);
        let fresh = observer.launch(at, now);
        let clusters = self.fleet.clusters;
        let anchor = at >= observer.targets;
        let cluster = if anchor {
            clusters
        } else {
            self.conditions.cluster_of(at)
        };
        let base_us = self.fleet.rtt_us[index][cluster];
        for series in [Series::Warm, Series::Fresh]
            .into_iter()
            .take(1 + usize::from(fresh))
        {
            let rtt_us = base_us + observer.draws.below(base_us / 8 + 1);
            let meets = if anchor {
                self.conditions.anchor_meets(index, rtt_us)
            } else {
                let mut bad = observer.probes[at].bad;
                let meets = self
                    .conditions
                    .meets(index, at, now_us, rtt_us, &mut bad, &mut observer.draws);
                observer.probes[at].bad = bad;
                meets
            };
            let (clock, life) = (observer.clock, observer.life);
            observer.probe(at, series, meets, profile, |after_us, what| {
                let due_us = clock.when(now + Duration::from_micros(after_us));
                sim.at(
                    due_us,
                    Event::Ends {
                        observer: index,
                        at,
                        life,
                        due_us,
                        ending: Ending {
                            series,
                            started: now,
                            what,
                        },
                    },
                );
            });
        }
        let due = observer.clock.when(observer.probes[at].schedule.due());
        sim.at(
            due,
            Event::Probe {
                observer: index,
                at,
                life: observer.life,
            },
        );
    }

    fn send(&mut self, index: usize, sim: &mut Sim<Event>) {
        let now_us = sim.now_us();
        let observer = &mut self.observers[index];
        let now = observer.clock.read(now_us);
        let mut datagrams: Vec<Rc<[u8]>> = Vec::with_capacity(1);
        let users_fail = self.conditions.users_fail();
        let abstains = observer.table(now, &users_fail, |bytes| datagrams.push(bytes.into()));
        sim.trace.note(u64::from(abstains));
        let next = observer.clock.when(now + self.fleet.profile.send());
        sim.at(
            next,
            Event::Send {
                observer: index,
                life: observer.life,
            },
        );
        for consumer in 0..self.consumers.len() {
            let evidence = *self.conditions.evidence(index, consumer);
            if evidence.cut || now_us < self.reconnected_us[index][consumer] {
                continue;
            }
            for bytes in &datagrams {
                let bad = &mut self.evidence_bad[index][consumer];
                let lost = evidence.loss.is_some_and(|loss| loss.step(bad, &mut self.draws));
                if !lost {
                    let way_us = self.way_us[index][consumer];
                    let late_us = self.draws.below(way_us + 1) + self.draws.below(evidence.add_us + 1);
                    sim.after(
                        way_us + late_us,
                        Event::Deliver {
                            observer: index,
                            consumer,
                            bytes: Rc::clone(bytes),
                        },
                    );
                }
            }
        }
    }

    fn poll(&mut self, index: usize, sim: &mut Sim<Event>) {
        let now = CONSUMER_CLOCK.read(sim.now_us());
        let consumer = &mut self.consumers[index];
        let polled = consumer.poll(now);
        let observers = &self.observers;
        let profile = &self.fleet.profile;
        // As long as evidence can live: the window of a Down, and its own age on arrival.
        let oldest_us = sim
            .now_us()
            .saturating_sub(u64::from(profile.down_window_ms + 2 * profile.fresh_ms) * 1_000);
        let cells = &consumer.view.cells;
        let missing = |transition: &Transition| -> BTreeSet<String> {
            let at = cells.keys().position(|(cluster, path, family)| {
                (cluster, *path, *family) == (&transition.cluster, transition.path, transition.family)
            });
            let missed = |observer: &&Observer| {
                at.and_then(|at| observer.probes.get(at)?.missed.dead_us)
                    .is_some_and(|dead_us| dead_us >= oldest_us)
            };
            observers
                .iter()
                .filter(missed)
                .map(|observer| observer.name.clone())
                .collect()
        };
        for transition in &polled.transitions {
            sim.trace.note_text(&transition.cluster);
            sim.trace.note(transition.to as u64 * 8 + transition.from as u64);
            sim.trace.note_text(&transition.reason);
            if self.plan.keep_story && index == 0 {
                self.outcome.story.push(format!(
                    "{}/{}/{} {}>{}",
                    transition.cluster, transition.path, transition.family, transition.from, transition.to
                ));
            }
        }
        let now_us = sim.now_us();
        let (many, trace) = (self.fleet.consumers > 1, &mut sim.trace);
        let mut tell = |line: String| {
            trace.line(now_us, || {
                if many {
                    format!("dns-{index}: {line}")
                } else {
                    line
                }
            });
        };
        let holds = self.watches[index].judge(
            consumer,
            &polled,
            now,
            missing,
            &mut self.outcome.sometimes,
            &mut tell,
        );
        self.found(holds, now_us, Some(index));
        if let Some(returning) = &mut self.returning {
            let whole = self.consumers.iter().all(Consumer::is_whole);
            returning.whole_us = whole.then(|| returning.whole_us.unwrap_or(now_us));
            if whole && returning.deadline_us.is_some() {
                self.finish(now_us);
            }
        }
        sim.after(self.poll_us(), Event::Poll { consumer: index });
    }

    /// L9: everything is as it was before anything happened.
    fn finish(&mut self, now_us: u64) {
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

    fn found(&mut self, holds: Holds, now_us: u64, consumer: Option<usize>) {
        if let Err(broken) = holds
            && self.progress != Progress::Broken
        {
            self.progress = Progress::Broken;
            self.outcome.finding = Some(Finding::new(broken, now_us, consumer));
        }
    }

    /// Bring the conditions up to date with the faults in force.
    fn change(&mut self, sim: &mut Sim<Event>) {
        let now_us = sim.now_us();
        self.note_unclean(now_us);
        let before = std::mem::replace(
            &mut self.conditions,
            Conditions::sum(self.fleet, self.active.iter().map(|(_, active)| active)),
        );
        for target in 0..self.conditions.target_count() {
            let dead = self.conditions.is_dead(target);
            if dead && self.dead_since[target].is_none() {
                self.dead_since[target] = Some(now_us);
                let limit = formula::worst_down(&self.fleet.profile);
                let limit_us = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
                sim.after(
                    limit_us,
                    Event::Due {
                        target,
                        died_us: now_us,
                    },
                );
            } else if !dead {
                self.dead_since[target] = None;
            }
        }
        for observer in 0..self.observers.len() {
            if before.paused[observer] && !self.conditions.paused[observer] {
                self.release(observer, sim);
            }
            for consumer in 0..self.consumers.len() {
                let healed = before.evidence(observer, consumer).cut
                    && !self.conditions.evidence(observer, consumer).cut;
                if healed {
                    let timeout_us = u64::from(self.fleet.profile.ack_timeout_ms) * 1_000;
                    self.reconnected_us[observer][consumer] = now_us + self.draws.below(timeout_us + 100_000);
                }
            }
        }
        for consumer in 0..self.consumers.len() {
            if before.consumer_paused[consumer] && !self.conditions.consumer_paused[consumer] {
                self.release(self.observers.len() + consumer, sim);
                for observer in 0..self.observers.len() {
                    if self.set_back[observer] {
                        self.unheard(observer, consumer, now_us);
                    }
                }
            }
        }
        self.note_unclean(now_us);
    }

    /// A machine runs again: all that waited for it is due at once, in an order that is not its own.
    fn release(&mut self, machine: usize, sim: &mut Sim<Event>) {
        let mut waiting = std::mem::take(&mut self.held[machine]);
        if self.draws.chance(0.5) {
            waiting.reverse();
        }
        let now_us = sim.now_us();
        for event in waiting {
            sim.at(now_us, event);
        }
    }

    fn note_unclean(&mut self, now_us: u64) {
        let samples = 30 * u64::from(self.fleet.profile.fresh_every);
        let learns_us = samples * u64::from(self.fleet.profile.interval_ms) * 1_000;
        for (target, slow_until_us) in self.slow_until_us.iter_mut().enumerate() {
            if self.conditions.is_slow(target) {
                *slow_until_us = now_us + learns_us;
            }
        }
        let (targets, consumers) = (self.conditions.target_count(), self.consumers.len());
        for observer in 0..self.observers.len() {
            for target in 0..targets {
                for consumer in 0..consumers {
                    let clean = self.conditions.is_clean(observer, target, consumer)
                        && !self.conditions.consumer_paused[consumer];
                    if !clean {
                        let last = &mut self.unclean_us[(observer * targets + target) * consumers + consumer];
                        *last = (*last).max(now_us);
                    }
                }
            }
        }
    }

    /// L1, where a quorum of observers has seen the target and reached the consumer undisturbed all the while.
    fn due(&mut self, target: usize, died_us: u64, now_us: u64) {
        if self.dead_since[target] != Some(died_us) || self.slow_until_us[target] > died_us {
            return;
        }
        self.note_unclean(now_us);
        let (targets, consumers) = (self.conditions.target_count(), self.consumers.len());
        let settled_us = died_us.saturating_sub(3 * self.fleet.unit_us());
        let needed = 2 * self.observers.len() / 3 + 1;
        for consumer in 0..consumers {
            let core = (0..self.observers.len())
                .filter(|observer| {
                    let last = self.unclean_us[(observer * targets + target) * consumers + consumer];
                    last < settled_us
                })
                .count();
            if core < needed || settled_us == 0 {
                continue;
            }
            let died = CONSUMER_CLOCK.read(died_us);
            let cell = self.consumers[consumer].view.cells.values().nth(target);
            let down = cell
                .filter(|cell| cell.verdict == Verdict::Down)
                .map(|cell| cell.since.max(died));
            let mut holds = invariants::l1_down_within(died, down, formula::worst_down(&self.fleet.profile));
            if self.fleet.preset == lifeboat_health::Preset::Fast {
                holds = holds.and_then(|()| invariants::l1_down_in_time(died, down));
            }
            self.found(holds, now_us, Some(consumer));
            if let (Some(down), Some(_)) = (down, &self.returning) {
                let took = down.saturating_since(died).as_micros();
                self.outcome
                    .detections_us
                    .push(u64::try_from(took).unwrap_or(u64::MAX));
            }
        }
    }

    /// One that flaps, if there is any, or anyone.
    fn kill(&mut self, sim: &mut Sim<Event>) {
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
        let limit_us = u64::try_from(formula::worst_down(&self.fleet.profile).as_micros()).unwrap_or(0);
        sim.after(limit_us + self.fleet.unit_us(), Event::Revive);
    }

    fn revive(&mut self, sim: &mut Sim<Event>) {
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
    fn penalty(&mut self, sim: &mut Sim<Event>) {
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
        returning.penalty += consumer::gray_lasts(&self.consumers, profile);
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

    fn begin(&mut self, fault: Fault, sim: &mut Sim<Event>) {
        let id = self.next_id;
        self.next_id += 1;
        if let Fault::Flap { down_ms, .. } = &fault {
            sim.after(down_ms * 1_000, Event::Flap { id });
        }
        self.active.push((
            id,
            Active {
                fault,
                since_us: sim.now_us(),
                flap_down: true,
            },
        ));
    }

    fn flap(&mut self, id: u64, sim: &mut Sim<Event>) {
        let Some((_, active)) = self.active.iter_mut().find(|(its, _)| *its == id) else {
            return;
        };
        let Fault::Flap { up_ms, down_ms, .. } = &active.fault else {
            return;
        };
        active.flap_down = !active.flap_down;
        let next_ms = if active.flap_down { *down_ms } else { *up_ms };
        sim.after(next_ms * 1_000, Event::Flap { id });
        self.change(sim);
    }

    fn restart(&mut self, observers: &[usize], clock_set_back: bool, sim: &mut Sim<Event>) {
        let now_us = sim.now_us();
        for index in 0..self.observers.len() {
            if named(observers, index) {
                self.observers[index].restart(&self.fleet.profile, now_us, clock_set_back);
                self.start_observer(index, sim);
                self.set_back[index] |= clock_set_back;
                for consumer in 0..self.consumers.len() {
                    self.unheard(index, consumer, now_us);
                }
            }
        }
    }

    /// From now on the consumer must learn anew from the observer. One with a lower boot id than before is not heard until ten
    /// seconds after the last datagram of its earlier life.
    fn unheard(&mut self, observer: usize, consumer: usize, now_us: u64) {
        let (targets, consumers) = (self.conditions.target_count(), self.consumers.len());
        let until_us = now_us + if self.set_back[observer] { 11_000_000 } else { 0 };
        for target in 0..targets {
            self.unclean_us[(observer * targets + target) * consumers + consumer] = until_us;
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
                        What::Broken(_) => 3,
                        What::LateAnswer { .. } | What::LateConnect { .. } => 4,
                        What::Error => 5,
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
