//! What is under way between machines: probes to clusters, evidence to consumers.

use std::rc::Rc;
use std::time::Duration;

use lifeboat_chaos::simulate::Sim;
use lifeboat_health::{AbstainReason, Series};

use super::{Event, World};
use crate::simulate::detection::observer::Ending;

impl World<'_> {
    pub(super) fn probe(&mut self, index: usize, at: usize, sim: &mut Sim<Event>) {
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

    pub(super) fn send(&mut self, index: usize, sim: &mut Sim<Event>) {
        let now_us = sim.now_us();
        let observer = &mut self.observers[index];
        let now = observer.clock.read(now_us);
        let mut datagrams: Vec<Rc<[u8]>> = Vec::with_capacity(1);
        let users_fail = self.conditions.users_fail();
        let abstains = observer.table(now, &users_fail, |bytes| datagrams.push(bytes.into()));
        sim.trace.note(u64::from(abstains.is_some()));
        let at_fault = abstains.is_some_and(|reason| reason != AbstainReason::Starting);
        self.outcome.sometimes.abstention += u64::from(at_fault && !observer.at_fault);
        observer.at_fault = at_fault;
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
}
