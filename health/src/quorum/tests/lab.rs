//! A fleet in virtual time: real detectors, schedules, self-checks, wire encoding and quorum; only the network
//! is made up.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::evidence::{Hard, Header, Row, decode, encode_table};
use crate::invariants::{self, Broken};
use crate::{
    Check, Detector, Family, FleetView, MonoTime, Outcome, Path, Probing, Profile, Quorum, Schedule,
    SelfCheck, Series, Target, Transition, Verdict,
};

/// What a probe meets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Answers,
    Silent,
    Refuses,
    /// The observer has no way there.
    NoWay,
}

/// One probe, as the world sees it.
pub(super) struct Asked<'a> {
    pub(super) observer: usize,
    /// `None` for an anchor.
    pub(super) cluster: Option<&'a str>,
    pub(super) path: Path,
    pub(super) ms: u64,
}

type World<'a> = Box<dyn FnMut(&Asked<'_>) -> Reach + 'a>;

pub(super) struct Lab<'a> {
    pub(super) quorum: Quorum,
    pub(super) log: Vec<Transition>,
    pub(super) view: FleetView,
    /// Whether the datagrams of this observer get through at this millisecond.
    pub(super) delivers: Box<dyn Fn(usize, u64) -> bool + 'a>,
    /// Whether observers say how they probe, as they do since version 3.
    pub(super) says_probing: bool,
    /// An observer's clock, from true milliseconds to its own microseconds.
    pub(super) clock: Box<dyn Fn(usize, u64) -> u64 + 'a>,
    observers: Vec<Observer>,
    targets: Vec<Target>,
    world: World<'a>,
    rng: fastrand::Rng,
    profile: Profile,
    ms: u64,
}

struct Observer {
    name: String,
    probes: Vec<Probed>,
    /// Of each probe.
    probing: Vec<Probing>,
    anchor: Probed,
    check: SelfCheck,
    seq: u64,
    next_send: u64,
}

struct Probed {
    detector: Detector,
    schedule: Schedule,
    under_way: Vec<(u64, Outcome)>,
}

pub(super) fn targets(clusters: &[&str]) -> Vec<Target> {
    let mut all = Vec::new();
    for (n, cluster) in clusters.iter().enumerate() {
        for (path, port) in [(Path::Traffic, 8_000), (Path::Control, 6_443)] {
            let octet = u8::try_from(n + 1).unwrap();
            let check = Check::Tcp {
                address: ([127, 0, octet, 1], port).into(),
            };
            all.push(Target {
                cluster: (*cluster).to_owned(),
                path,
                family: Family::V4,
                check,
                detection: None,
            });
        }
    }
    all
}

fn at(ms: u64) -> MonoTime {
    MonoTime::from_millis(ms)
}

impl<'a> Lab<'a> {
    pub(super) fn new(
        observers: usize,
        clusters: &[&str],
        seed: u64,
        profile: Profile,
        world: impl FnMut(&Asked<'_>) -> Reach + 'a,
    ) -> Lab<'a> {
        Lab::of(observers, targets(clusters), seed, profile, world)
    }

    pub(super) fn of(
        observers: usize,
        targets: Vec<Target>,
        seed: u64,
        profile: Profile,
        world: impl FnMut(&Asked<'_>) -> Reach + 'a,
    ) -> Lab<'a> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut probed = |own: &Profile| Probed {
            detector: Detector::new(own),
            schedule: Schedule::new(own, MonoTime::ZERO, rng.u64(..)),
            under_way: Vec::new(),
        };
        let own = |target: &Target| target.own_profile(&profile).unwrap();
        let own: Vec<Profile> = targets
            .iter()
            .map(|target| own(target).unwrap_or_else(|| profile.clone()))
            .collect();
        let observers: Vec<Observer> = (0..observers)
            .map(|n| Observer {
                name: format!("observer-{n}"),
                probes: own.iter().map(&mut probed).collect(),
                probing: own.iter().map(Probing::of).collect(),
                anchor: probed(&profile),
                check: SelfCheck::new(&profile),
                seq: 0,
                next_send: (n as u64 * 37) % 100,
            })
            .collect();
        Lab {
            quorum: Quorum::new(targets.clone(), profile.clone()),
            log: Vec::new(),
            view: FleetView::default(),
            delivers: Box::new(|_, _| true),
            says_probing: true,
            clock: Box::new(|_, ms| ms * 1_000),
            observers,
            targets,
            world: Box::new(world),
            rng,
            profile,
            ms: 0,
        }
    }

    /// Advance to the given millisecond, in steps of one; the log's part that was made meanwhile.
    pub(super) fn run_to(&mut self, ms: u64) -> &[Transition] {
        let start = self.log.len();
        while self.ms < ms {
            self.ms += 1;
            for n in 0..self.observers.len() {
                self.observe(n);
            }
            if self.ms.is_multiple_of(10) {
                self.decide();
            }
        }
        &self.log[start..]
    }

    fn observe(&mut self, n: usize) {
        let (ms, now) = (self.ms, at(self.ms));
        let observer = &mut self.observers[n];
        let names = self
            .targets
            .iter()
            .map(|target| (Some(target.cluster.as_str()), target.path));
        let all = names
            .zip(&mut observer.probes)
            .chain([((None, Path::Traffic), &mut observer.anchor)]);
        for ((cluster, path), probed) in all {
            let asked = Asked {
                observer: n,
                cluster,
                path,
                ms,
            };
            probed.step(&asked, &mut self.world, &mut self.rng, ms);
        }
        let asked_until = MonoTime::ZERO + Detector::first_round(&self.profile);
        let anchor = &observer.anchor.detector;
        let anchor = anchor.anchor(self.profile.fresh(), asked_until, now);
        observer.check.judge_anchors([anchor], now);
        if observer.next_send <= ms {
            observer.next_send = ms + 100;
            let mut alike: BTreeMap<Probing, Vec<Row>> = BTreeMap::new();
            let probes = observer.probes.iter().zip(&observer.probing);
            for ((probed, probing), target) in probes.zip(&self.targets) {
                let rows = alike.entry(*probing).or_default();
                rows.push(probed.detector.row(target.id(), now));
            }
            let mut header = Header {
                observer: observer.name.clone(),
                region: String::new(),
                boot: 1,
                seq: observer.seq + 1,
                sent_at: MonoTime::from_micros((self.clock)(n, ms)),
                abstain: observer.check.abstains(now).is_some(),
                probing: None,
            };
            let mut datagrams = Vec::new();
            for (probing, rows) in alike {
                header.probing = self.says_probing.then_some(probing);
                header.seq = encode_table(&header, &rows, |bytes| datagrams.push(bytes));
            }
            observer.seq = header.seq - 1;
            if (self.delivers)(n, ms) {
                for bytes in datagrams {
                    let taken = self.quorum.ingest(&decode(&bytes).unwrap(), now);
                    assert!(taken.is_ok(), "observer {n} at {ms} ms: {taken:?}");
                }
            }
        }
    }

    fn decide(&mut self) {
        let now = at(self.ms);
        let transitions = self.quorum.poll(now);
        let view = self.quorum.view(now);
        let hold = |holds: Result<(), Broken>| assert_eq!(holds, Ok(()), "at {} ms", self.ms);
        for transition in &transitions {
            let profile = self.quorum.profile_of(transition);
            hold(invariants::s6_down_has_quorum(transition, profile));
            hold(invariants::s7_frozen_decides_nothing(transition, profile));
        }
        hold(invariants::s7_frozen_stands_still(&self.view, &view));
        for (key, after) in &view.cells {
            let others_usable = view.cells.iter().any(|(other, cell)| {
                other.0 != key.0 && (other.1, other.2) == (key.1, key.2) && cell.usable()
            });
            if let Some(before) = self.view.cells.get(key) {
                hold(invariants::s14_suppressed_stays_out(
                    before,
                    after,
                    !others_usable,
                    &self.profile,
                ));
            }
        }
        self.view = view;
        self.log.extend(transitions);
    }

    /// `ms cluster/path from>to` of each transition since the given time, the time left out.
    pub(super) fn story(&self, since_ms: u64) -> Vec<String> {
        let since = self.log.iter().filter(|t| t.at > at(since_ms));
        since
            .map(|t| format!("{}/{} {}>{}", t.cluster, t.path, t.from, t.to))
            .collect()
    }

    /// When the cluster's path reached a verdict after `since_ms`, in milliseconds from it.
    pub(super) fn reached(&self, cluster: &str, path: Path, to: Verdict, since_ms: u64) -> Option<u64> {
        let mut found = self
            .log
            .iter()
            .filter(|t| t.cluster == cluster && t.path == path && t.to == to);
        found
            .find(|t| t.at > at(since_ms))
            .map(|t| t.at.as_micros() / 1_000 - since_ms)
    }

    pub(super) fn verdict(&self, cluster: &str, path: Path) -> Verdict {
        self.view.cell(cluster, path, Family::V4).unwrap().verdict
    }
}

impl Probed {
    fn step(&mut self, asked: &Asked<'_>, world: &mut World<'_>, rng: &mut fastrand::Rng, ms: u64) {
        let now = at(ms);
        if self.schedule.due() <= now {
            let fresh = self.schedule.advance(now, rng.u64(..));
            let series = if fresh {
                &[Series::Warm, Series::Fresh][..]
            } else {
                &[Series::Warm]
            };
            for series in series {
                let timeout = self.detector.timeouts().warm;
                let (takes, miss) = match world(asked) {
                    Reach::Answers => (2, None),
                    Reach::Refuses => (1, Some(Hard::REFUSED)),
                    Reach::Silent => (u64::try_from(timeout.as_millis()).unwrap(), Some(Hard::NONE)),
                    Reach::NoWay => {
                        self.detector.lapse();
                        continue;
                    }
                };
                let first_byte = miss.is_none().then_some(Duration::from_millis(takes));
                let outcome = Outcome {
                    series: *series,
                    started: now,
                    connect: None,
                    tls: None,
                    first_byte,
                    miss,
                };
                self.under_way.push((ms + takes, outcome));
            }
        }
        let detector = &mut self.detector;
        self.under_way.retain(|(ends, outcome)| {
            if *ends <= ms {
                detector.record(outcome, now);
            }
            *ends > ms
        });
    }
}
