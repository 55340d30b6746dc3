//! One consumer's whole belief: every observer's rows for every target, and the verdicts that follow.
//!
//! ```text
//! ingest: Datagram ─ admitted by Observers (boot, seq, delay) ─ probed as the profile can judge ─> Seen rows of each Subject
//! poll:   Subject ─Tally─> cut rule (who goes Down together) ─> decide ─> Transition; then flap suppression, gray failure,
//!                                                                                     partial outages
//! ```

mod cut;
mod decide;
mod fitting;
mod loss;
mod lower;
mod observers;
mod partial;
mod profiles;
mod subject;

use std::collections::BTreeMap;

use crate::evidence::Datagram;
use crate::invariants;
use crate::profile::{ProbesOtherwise, Profile};
use crate::target::{Family, Path, Target, TargetId};
use crate::time::MonoTime;
use crate::verdict::{Transition, Verdict, Witness};
use crate::view::{FleetView, ObserverView};

pub use observers::{MAX_OBSERVERS, Rejected};

use fitting::Fitting;
use observers::Observers;
use profiles::Profiles;
use subject::{Subject, Tally};

/// Evidence in, verdicts out. Pure: time is an argument, and the same calls give the same transitions.
#[derive(Clone, Debug)]
pub struct Quorum {
    profiles: Profiles,
    /// In order of (cluster, path, family).
    subjects: Vec<Subject>,
    index: BTreeMap<TargetId, usize>,
    observers: Observers,
    revision: u64,
    /// When losses were last sampled.
    sampled: Option<MonoTime>,
    /// Until then a poll would find what the last one found, if nothing is heard.
    quiet_until: MonoTime,
}

/// What became of a datagram's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ingested {
    /// Rows taken in.
    pub rows: u32,
    /// Of those, rows too old on arrival to count.
    pub stale: u32,
    /// Rows of targets that this consumer does not know.
    pub unknown: u32,
    /// Rows of targets that the observer probes otherwise than their profile can judge; they are not taken in.
    pub otherwise: u32,
    /// What of the probing is not the profile's; that of a target that is not taken in, if there is one.
    pub probes_otherwise: Option<ProbesOtherwise>,
}

impl Quorum {
    /// `profile` is the fleet's; a target may override it. Targets given twice keep their first definition
    /// ([`crate::check_targets`] finds them), and one whose override cannot be is judged by the fleet's
    /// ([`crate::check_overrides`]).
    pub fn new(targets: Vec<Target>, profile: Profile) -> Quorum {
        let mut quorum = Quorum {
            profiles: Profiles::new(profile),
            subjects: Vec::new(),
            index: BTreeMap::new(),
            observers: Observers::default(),
            revision: 0,
            sampled: None,
            quiet_until: MonoTime::ZERO,
        };
        quorum.set_targets(targets);
        quorum
    }

    /// Replace the targets. One whose (cluster, path, family) stays keeps its verdict and penalty, and its
    /// rows too if its check is unchanged.
    pub fn set_targets(&mut self, mut targets: Vec<Target>) {
        targets.sort_by(|a, b| (&a.cluster, a.path, a.family).cmp(&(&b.cluster, b.path, b.family)));
        targets.dedup_by(|b, a| (&a.cluster, a.path, a.family) == (&b.cluster, b.path, b.family));
        let mut before: BTreeMap<(String, Path, Family), Subject> = std::mem::take(&mut self.subjects)
            .into_iter()
            .map(|subject| (subject.key(), subject))
            .collect();
        let own = self.profiles.replace(&targets);
        let profiles = &self.profiles;
        self.subjects = targets
            .into_iter()
            .zip(own)
            .map(|(target, own_profile)| {
                let mut subject = match before.remove(&(target.cluster.clone(), target.path, target.family)) {
                    Some(subject) => subject.redefined(target),
                    None => Subject::new(target),
                };
                subject.own_profile = own_profile;
                subject.rejudge_ages(profiles.of(&subject));
                subject
            })
            .collect();
        self.index = self
            .subjects
            .iter()
            .enumerate()
            .map(|(at, subject)| (subject.id, at))
            .collect();
        self.revision += 1;
        self.quiet_until = MonoTime::ZERO;
    }

    /// Forget the observers that do not count any more, with all that they said.
    pub fn retain_observers(&mut self, counts: impl Fn(&str) -> bool) {
        for slot in self.observers.retain(counts) {
            self.subjects.iter_mut().for_each(|subject| subject.forget(slot));
            self.revision += 1;
            self.quiet_until = MonoTime::ZERO;
        }
    }

    /// What each observer sees of a cluster now.
    pub fn witnesses(&self, cluster: &str, now: MonoTime) -> Vec<(Path, Family, Vec<Witness>)> {
        let its = self.subjects.iter().filter(|subject| subject.key().0 == cluster);
        its.map(|subject| {
            let (_, path, family) = subject.key();
            (path, family, subject.evidence(&self.observers, now))
        })
        .collect()
    }

    /// Take in one datagram, from the observer whom the transport has identified.
    ///
    /// # Errors
    /// Why all of it was rejected.
    pub fn ingest(&mut self, datagram: &Datagram, now: MonoTime) -> Result<Ingested, Rejected> {
        self.quiet_until = MonoTime::ZERO;
        let admitted = self
            .observers
            .admit(&datagram.header, now, &self.profiles.fleet)?;
        if admitted.forget {
            self.subjects
                .iter_mut()
                .for_each(|subject| subject.forget(admitted.slot));
        }
        let mut ingested = Ingested::default();
        let mut fitting = Fitting::new(admitted.probing);
        for row in &datagram.rows {
            let Some(subject) = self
                .index
                .get(&row.target)
                .and_then(|at| self.subjects.get_mut(*at))
            else {
                ingested.unknown += 1;
                continue;
            };
            let profile = self.profiles.of(subject);
            if !fitting.counts(subject, profile) {
                ingested.otherwise += 1;
                continue;
            }
            let age = subject.ingest(row, &admitted, datagram.header.abstain, now, profile);
            ingested.rows += 1;
            ingested.stale += u32::from(age >= profile.fresh());
        }
        ingested.probes_otherwise = fitting.told();
        let counts = ingested.otherwise == 0 || ingested.rows > 0;
        let told = ingested.probes_otherwise.clone();
        self.observers
            .note(&admitted, counts, told, now, &self.profiles.fleet);
        Ok(ingested)
    }

    /// Decide, as of `now`. Call it often: each 10 ms.
    pub fn poll(&mut self, now: MonoTime) -> Vec<Transition> {
        if now < self.quiet_until {
            return Vec::new();
        }
        let Quorum {
            profiles,
            subjects,
            observers,
            revision,
            sampled,
            ..
        } = self;
        let tallies: Vec<Tally> = subjects
            .iter_mut()
            .map(|subject| subject.tally(observers, now, profiles.of(subject)))
            .collect();
        for (subject, tally) in subjects.iter_mut().zip(&tallies) {
            subject.track(tally, now, profiles.of(subject));
        }
        let released = cut::released(subjects, now, profiles);
        let group = released.iter().filter(|down| **down).count();
        let mut transitions = Vec::new();
        for ((subject, tally), down) in subjects.iter_mut().zip(&tallies).zip(released) {
            if let Some(to) = decide::decide(subject.verdict, tally, down, subject.suppressed) {
                let profile = profiles.of(subject);
                let reason = decide::reason(subject.verdict, to, tally, group, profile);
                let transition = subject.transition(to, tally, observers, now, profile, reason);
                debug_assert_eq!(invariants::s6_down_has_quorum(&transition, profile), Ok(()));
                debug_assert_eq!(invariants::gray_is_not_down(&transition, profile), Ok(()));
                debug_assert_eq!(
                    invariants::s7_frozen_decides_nothing(&transition, profile),
                    Ok(())
                );
                transitions.push(transition);
            }
        }
        suppress(subjects, &tallies, now, profiles);
        lower::lower(subjects, &tallies, observers, now, profiles);
        loss::sample(subjects, &tallies, observers, sampled, now, profiles);
        let mut changed = partial::track(subjects, &tallies, now, profiles);
        changed |= observers.refresh(now, &profiles.fleet);
        for (subject, tally) in subjects.iter_mut().zip(tallies) {
            changed |= subject.settle(tally);
        }
        *revision += u64::from(changed);
        self.quiet_until = if changed {
            MonoTime::ZERO
        } else {
            self.quiet_until().unwrap_or_default()
        };
        transitions
    }

    /// Where nothing is under way, only the next row, or one that grows too old, can change anything; and losses are sampled.
    fn quiet_until(&self) -> Option<MonoTime> {
        let sample = self.sampled? + self.profiles.fleet.send();
        let fresh = self.observers.fresh_until(&self.profiles.fleet);
        let first = fresh.map_or(sample, |fresh| fresh.min(sample));
        let mut subjects = self.subjects.iter().map(Subject::quiet_until);
        subjects.try_fold(first, |first, until| Some(first.min(until?)))
    }

    /// Rises whenever a poll changed anything that a view shows, ages and round-trip times aside.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Everything believed, with ages as of `now`; verdicts and votes are those of the last poll.
    pub fn view(&self, now: MonoTime) -> FleetView {
        FleetView {
            at: now,
            cells: self
                .subjects
                .iter()
                .map(|subject| {
                    let profile = self.profiles.of(subject);
                    (subject.key(), subject.cell(&self.observers, now, profile))
                })
                .collect(),
            observers: self.observer_views(now),
        }
    }

    fn observer_views(&self, now: MonoTime) -> Vec<ObserverView> {
        let mut longest = vec![0; self.observers.len()];
        for subject in &self.subjects {
            subject.longest_silences(&mut longest, now);
        }
        self.observers.view(&longest, now, &self.profiles.fleet)
    }

    /// The fleet's.
    pub fn profile(&self) -> &Profile {
        &self.profiles.fleet
    }

    /// By which the target that made the transition is judged.
    pub fn profile_of(&self, transition: &Transition) -> &Profile {
        let wanted = (&transition.cluster, transition.path, transition.family);
        let key = |subject: &Subject| {
            let target = &subject.target;
            (&target.cluster, target.path, target.family).cmp(&wanted)
        };
        let found = self.subjects.binary_search_by(key).ok();
        let subject = found.and_then(|at| self.subjects.get(at));
        subject.map_or(&self.profiles.fleet, |subject| self.profiles.of(subject))
    }
}

/// Flap suppression, by (path, family): release what has decayed, and spare the last usable cluster.
///
/// Where every cluster that is not Down is suppressed, the one with the lowest penalty is let in. A frozen cell keeps what
/// it has, except for that.
fn suppress(subjects: &mut [Subject], tallies: &[Tally], now: MonoTime, profiles: &Profiles) {
    for (subject, tally) in subjects.iter_mut().zip(tallies) {
        if !tally.frozen {
            subject.flap.release(now, profiles.of(subject));
        }
        subject.suppressed = subject.flap.suppressed();
    }
    for path in [Path::Traffic, Path::Control] {
        for family in [Family::V4, Family::V6] {
            let in_reach = |subject: &&mut Subject| {
                subject.target.path == path
                    && subject.target.family == family
                    && subject.verdict != Verdict::Down
            };
            let mut spared: Option<&mut Subject> = None;
            for subject in subjects.iter_mut().filter(in_reach) {
                if !subject.suppressed {
                    spared = None;
                    break;
                }
                let penalty = |subject: &Subject| subject.flap.penalty(now, profiles.of(subject));
                if spared
                    .as_deref()
                    .is_none_or(|least| penalty(subject) < penalty(least))
                {
                    spared = Some(subject);
                }
            }
            if let Some(last_usable) = spared {
                last_usable.suppressed = false;
            }
        }
    }
}

#[cfg(test)]
mod tests;
