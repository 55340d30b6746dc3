//! When an invariant is asked, and against which truth.

use std::collections::BTreeSet;

use lifeboat_chaos::simulate::{Progress, Sim};
use lifeboat_health::invariants::{self, Holds};
use lifeboat_health::{Preset, Transition, Verdict};

use super::{CONSUMER_CLOCK, Event, World};
use crate::simulate::detection::consumer::Consumer;
use crate::simulate::detection::formula;
use crate::simulate::detection::observer::Observer;
use crate::simulate::detection::outcome::Finding;

impl World<'_> {
    pub(super) fn poll(&mut self, index: usize, sim: &mut Sim<Event>) {
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

    pub(super) fn found(&mut self, holds: Holds, now_us: u64, consumer: Option<usize>) {
        if let Err(broken) = holds
            && self.progress != Progress::Broken
        {
            self.progress = Progress::Broken;
            self.outcome.finding = Some(Finding::new(broken, now_us, consumer));
        }
    }

    pub(super) fn note_unclean(&mut self, now_us: u64) {
        let learns = self.fleet.slowed(self.fleet.profile.interval() * 30);
        let learns_us = u64::try_from(learns.as_micros()).unwrap_or(u64::MAX);
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
    pub(super) fn due(&mut self, target: usize, died_us: u64, now_us: u64) {
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
            let limit = self.fleet.worst_down();
            let mut holds = invariants::l1_down_within(died, down, limit);
            if self.fleet.preset == Preset::Fast && limit == formula::worst_down(&self.fleet.profile) {
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

    /// From now on the consumer must learn anew from the observer. One with a lower boot id than before is not heard until ten
    /// seconds after the last datagram of its earlier life.
    pub(super) fn unheard(&mut self, observer: usize, consumer: usize, now_us: u64) {
        let (targets, consumers) = (self.conditions.target_count(), self.consumers.len());
        let until_us = now_us + if self.set_back[observer] { 11_000_000 } else { 0 };
        for target in 0..targets {
            self.unclean_us[(observer * targets + target) * consumers + consumer] = until_us;
        }
    }
}
