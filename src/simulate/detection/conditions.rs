//! How the network and the clusters are now: the sum of the faults in force.

use lifeboat_chaos::simulate::Draws;
use lifeboat_health::{Family, Path};

use super::fault::Fault;
use super::fleet::Fleet;

/// Losses in bursts (Gilbert 1960): a good state that loses nothing, a bad one that loses everything.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Loss {
    /// From good to bad, at each step.
    worsens: f64,
    /// From bad to good.
    mends: f64,
}

impl Loss {
    /// With a share of losses and the mean length of a burst, both in steps.
    pub(super) fn new(share: f64, burst: f64) -> Loss {
        let mends = 1.0 / burst.max(1.0);
        Loss {
            worsens: (mends * share / (1.0 - share).max(1e-9)).min(1.0),
            mends,
        }
    }

    /// One step of the chain; whether what is sent now is lost.
    pub(super) fn step(self, bad: &mut bool, draws: &mut Draws) -> bool {
        *bad = if *bad {
            !draws.chance(self.mends)
        } else {
            draws.chance(self.worsens)
        };
        *bad
    }
}

/// What a probe meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meets {
    /// A connection takes the round trip, an answer possibly longer.
    Answer {
        rtt_us: u64,
        answer_us: u64,
        server_error: bool,
    },
    Silence {
        own_fault: bool,
    },
    /// No connection is accepted; one that stands is reset.
    Refused {
        rtt_us: u64,
    },
}

/// What is in force now.
#[derive(Clone, Debug)]
pub(super) struct Conditions {
    targets: Vec<TargetState>,
    /// By observer and cluster.
    links: Vec<Vec<Link>>,
    pub(super) isolated: Vec<bool>,
    pub(super) paused: Vec<bool>,
    pub(super) consumer_paused: Vec<bool>,
    /// By observer and consumer.
    evidence: Vec<Vec<Evidence>>,
    clusters: usize,
    per_cluster: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct TargetState {
    silent: bool,
    refuses: bool,
    server_errors: bool,
    slow: Option<Slow>,
    /// Of users' requests 40 % fail.
    users_fail: bool,
}

#[derive(Clone, Copy, Debug)]
struct Slow {
    since_us: u64,
    add_us: u64,
    ramp_us: u64,
    answers_only: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Link {
    cut: bool,
    refuses: bool,
    loss: Option<Loss>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evidence {
    pub(super) cut: bool,
    pub(super) loss: Option<Loss>,
    pub(super) add_us: u64,
}

/// A fault in force.
#[derive(Clone, Debug)]
pub(super) struct Active {
    pub(super) fault: Fault,
    pub(super) since_us: u64,
    /// The half of a flap in which the cluster is silent.
    pub(super) flap_down: bool,
}

impl Conditions {
    pub(super) fn none(fleet: &Fleet) -> Conditions {
        let per_cluster = 2 * fleet.families.len();
        Conditions {
            targets: vec![TargetState::default(); fleet.clusters * per_cluster],
            links: vec![vec![Link::default(); fleet.clusters]; fleet.observers],
            isolated: vec![false; fleet.observers],
            paused: vec![false; fleet.observers],
            consumer_paused: vec![false; fleet.consumers],
            evidence: vec![vec![Evidence::default(); fleet.consumers]; fleet.observers],
            clusters: fleet.clusters,
            per_cluster,
        }
    }

    /// The sum of the faults in force.
    pub(super) fn sum<'a>(fleet: &Fleet, active: impl Iterator<Item = &'a Active>) -> Conditions {
        let mut sum = Conditions::none(fleet);
        for active in active {
            sum.add(fleet, active);
        }
        sum
    }

    fn add(&mut self, fleet: &Fleet, active: &Active) {
        match &active.fault {
            Fault::PowerOff { clusters } => {
                self.on_targets(fleet, clusters, |_, _, state| state.silent = true)
            }
            Fault::Flap { clusters, .. } if active.flap_down => {
                self.on_targets(fleet, clusters, |_, _, state| state.silent = true);
            }
            Fault::Flap { .. } | Fault::Restart { .. } => {}
            Fault::Gray { clusters } => self.on_targets(fleet, clusters, |path, _, state| {
                state.users_fail |= path == Path::Traffic;
            }),
            Fault::PathDown {
                clusters,
                path,
                family,
                refuses,
            } => self.on_targets(fleet, clusters, |of, its, state| {
                if of == *path && family.is_none_or(|family| family == its) {
                    state.refuses |= refuses;
                    state.silent |= !refuses;
                }
            }),
            Fault::ServerErrors { clusters, path: of } => {
                self.on_targets(fleet, clusters, |path, _, state| {
                    state.server_errors |= path == *of
                })
            }
            Fault::Slow {
                clusters,
                add_ms,
                ramp_ms,
                answers_only,
            } => self.on_targets(fleet, clusters, |_, _, state| {
                state.slow = Some(Slow {
                    answers_only: *answers_only,
                    since_us: active.since_us,
                    add_us: add_ms * 1_000,
                    ramp_us: ramp_ms * 1_000,
                });
            }),
            Fault::LinkCut {
                observers,
                clusters,
                refuses,
            } => self.on_links(observers, clusters, |link| {
                link.cut |= !refuses;
                link.refuses |= refuses;
            }),
            Fault::Loss {
                observers,
                clusters,
                permille,
                burst,
            } => {
                let loss = Loss::new(*permille as f64 / 1_000.0, *burst as f64);
                self.on_links(observers, clusters, |link| link.loss = Some(loss));
            }
            Fault::Isolate { observers } => set(&mut self.isolated, observers),
            Fault::SharedDependency => set(&mut self.isolated, &[]),
            Fault::Pause { observers } => set(&mut self.paused, observers),
            Fault::PauseConsumer { consumers } => set(&mut self.consumer_paused, consumers),
            Fault::EvidenceCut { observers, consumers } => {
                self.on_evidence(observers, consumers, |evidence| evidence.cut = true)
            }
            Fault::EvidenceLoss {
                observers,
                consumers,
                permille,
                burst,
            } => {
                let loss = Loss::new(*permille as f64 / 1_000.0, *burst as f64);
                self.on_evidence(observers, consumers, |evidence| evidence.loss = Some(loss));
            }
            Fault::EvidenceDelay {
                observers,
                consumers,
                add_ms,
            } => self.on_evidence(observers, consumers, |evidence| evidence.add_us += add_ms * 1_000),
        }
    }

    fn on_targets(
        &mut self,
        fleet: &Fleet,
        clusters: &[usize],
        mut change: impl FnMut(Path, Family, &mut TargetState),
    ) {
        let (per_cluster, families) = (self.per_cluster, fleet.families.len());
        for (index, state) in self.targets.iter_mut().enumerate() {
            if named(clusters, index / per_cluster) {
                let within = index % per_cluster;
                let path = if within < families {
                    Path::Traffic
                } else {
                    Path::Control
                };
                change(path, fleet.families[within % families], state);
            }
        }
    }

    fn on_links(&mut self, observers: &[usize], clusters: &[usize], change: impl Fn(&mut Link)) {
        for (observer, links) in self.links.iter_mut().enumerate() {
            for (cluster, link) in links.iter_mut().enumerate() {
                if named(observers, observer) && named(clusters, cluster) {
                    change(link);
                }
            }
        }
    }

    fn on_evidence(
        &mut self,
        observers: &[usize],
        consumers: &[usize],
        mut change: impl FnMut(&mut Evidence),
    ) {
        for (observer, row) in self.evidence.iter_mut().enumerate() {
            for (consumer, evidence) in row.iter_mut().enumerate() {
                if named(observers, observer) && named(consumers, consumer) {
                    change(evidence);
                }
            }
        }
    }

    /// What a probe to a target meets. `bad` is the state of the link's chain of losses.
    pub(super) fn meets(
        &self,
        observer: usize,
        target: usize,
        now_us: u64,
        rtt_us: u64,
        bad: &mut bool,
        draws: &mut Draws,
    ) -> Meets {
        if self.isolated[observer] {
            return Meets::Silence { own_fault: true };
        }
        let state = &self.targets[target];
        let link = &self.links[observer][target / self.per_cluster];
        let lost = link.loss.is_some_and(|loss| loss.step(bad, draws));
        if state.silent || link.cut || lost {
            return Meets::Silence { own_fault: false };
        }
        let add_us = state.slow.map_or(0, |slow| {
            let ran = now_us.saturating_sub(slow.since_us).min(slow.ramp_us);
            (slow.add_us * ran)
                .checked_div(slow.ramp_us)
                .unwrap_or(slow.add_us)
        });
        let answer_us = rtt_us + add_us;
        let answers_only = state.slow.is_some_and(|slow| slow.answers_only);
        let rtt_us = if answers_only { rtt_us } else { answer_us };
        if link.refuses || state.refuses {
            Meets::Refused { rtt_us }
        } else {
            Meets::Answer {
                rtt_us,
                answer_us,
                server_error: state.server_errors,
            }
        }
    }

    /// What a probe to an anchor meets.
    pub(super) fn anchor_meets(&self, observer: usize, rtt_us: u64) -> Meets {
        if self.isolated[observer] {
            Meets::Silence { own_fault: true }
        } else {
            Meets::Answer {
                rtt_us,
                answer_us: rtt_us,
                server_error: false,
            }
        }
    }

    pub(super) fn evidence(&self, observer: usize, consumer: usize) -> &Evidence {
        &self.evidence[observer][consumer]
    }

    /// Whether a target is dead, whoever asks.
    pub(super) fn is_dead(&self, target: usize) -> bool {
        self.targets[target].silent
    }

    pub(super) fn target_count(&self) -> usize {
        self.targets.len()
    }

    /// Whether everything between an observer, a target and a consumer is as it should be.
    pub(super) fn is_clean(&self, observer: usize, target: usize, consumer: usize) -> bool {
        let link = &self.links[observer][target / self.per_cluster];
        let evidence = &self.evidence[observer][consumer];
        !self.isolated[observer]
            && !self.paused[observer]
            && !link.cut
            && !link.refuses
            && link.loss.is_none()
            && !evidence.cut
            && evidence.loss.is_none()
            && evidence.add_us == 0
    }

    pub(super) fn is_slow(&self, target: usize) -> bool {
        self.targets[target].slow.is_some()
    }

    /// By target: whether users' requests fail; empty while nobody's do, for then nobody reports.
    pub(super) fn users_fail(&self) -> Vec<bool> {
        if self.targets.iter().any(|target| target.users_fail) {
            self.targets.iter().map(|target| target.users_fail).collect()
        } else {
            Vec::new()
        }
    }

    pub(super) fn cluster_of(&self, target: usize) -> usize {
        (target / self.per_cluster).min(self.clusters)
    }
}

/// Whether a list names an index; an empty one names all.
pub(super) fn named(list: &[usize], index: usize) -> bool {
    list.is_empty() || list.contains(&index)
}

fn set(flags: &mut [bool], list: &[usize]) {
    for (index, flag) in flags.iter_mut().enumerate() {
        *flag |= named(list, index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_have_the_share_and_the_bursts_they_are_made_with() {
        let mut draws = Draws::new(1, 1);
        let loss = Loss::new(0.03, 3.0);
        let (mut bad, mut lost, mut bursts) = (false, 0_u32, 0_u32);
        for _ in 0..1_000_000 {
            let before = bad;
            lost += u32::from(loss.step(&mut bad, &mut draws));
            bursts += u32::from(bad && !before);
        }
        assert!((28_500..31_500).contains(&lost), "{lost}");
        let mean = f64::from(lost) / f64::from(bursts);
        assert!((2.9..3.1).contains(&mean), "{mean}");
    }
}
