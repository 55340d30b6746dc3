//! Faults come and go: the conditions they make, and what that does to those who live in them.

use lifeboat_chaos::simulate::Sim;

use super::{Event, World};
use crate::simulate::detection::conditions::{Active, Conditions, named};
use crate::simulate::detection::fault::Fault;

impl World<'_> {
    /// Bring the conditions up to date with the faults in force.
    pub(super) fn change(&mut self, sim: &mut Sim<Event>) {
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
                let limit_us = u64::try_from(self.fleet.worst_down().as_micros()).unwrap_or(u64::MAX);
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

    pub(super) fn begin(&mut self, fault: Fault, sim: &mut Sim<Event>) {
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

    pub(super) fn flap(&mut self, id: u64, sim: &mut Sim<Event>) {
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

    pub(super) fn restart(&mut self, observers: &[usize], clock_set_back: bool, sim: &mut Sim<Event>) {
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
}
