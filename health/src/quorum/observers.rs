//! The observers a consumer hears: which datagrams of theirs are admitted, and how late those were.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::evidence::Header;
use crate::mutant::Mutant;
use crate::profile::{ProbesOtherwise, Probing, Profile};
use crate::time::MonoTime;
use crate::transit::Transit;
use crate::view::ObserverView;

/// Most observers that one consumer keeps. A further one takes the place of one silent for a minute, or is
/// rejected.
pub const MAX_OBSERVERS: usize = 64;

/// A boot id lower than the known one is taken for a restart once the known one has been silent for this long: an
/// observer whose wall clock was set back must not be unheard for as long as that.
const REBOOT_SILENCE: Duration = Duration::from_secs(10);
const GONE: Duration = Duration::from_secs(60);

/// Why a datagram was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Rejected {
    #[error("the boot id is lower than one already seen")]
    Boot,
    #[error("the sequence number is not above the last one: replayed or reordered")]
    Sequence,
    #[error("delayed on its way for longer than a row stays fresh")]
    Delayed,
    #[error("more than {MAX_OBSERVERS} observers")]
    TooMany,
}

/// A datagram that may be used.
pub(super) struct Admitted {
    pub(super) slot: usize,
    /// Delay on the way, above the least of late.
    pub(super) delay: Duration,
    /// What was known from this slot belongs to an earlier boot or another observer.
    pub(super) forget: bool,
    /// How its rows' targets are probed, if it says.
    pub(super) probing: Option<Probing>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Observers {
    slots: Vec<Observer>,
    by_name: BTreeMap<String, usize>,
    /// Slots of observers that were dropped.
    vacant: Vec<usize>,
    changes: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Observer {
    pub(super) name: String,
    pub(super) abstaining: bool,
    pub(super) region: String,
    boot: u64,
    seq: u64,
    /// The last datagram of the boot, admitted or late.
    heard: MonoTime,
    arrived: MonoTime,
    transit: Transit,
    /// When the last one came of which anything counted.
    counted: Option<MonoTime>,
    /// How it probes otherwise than it should, and until when it is said to if it does not say so again.
    otherwise: Option<(ProbesOtherwise, MonoTime)>,
    datagrams: u64,
    lost: u64,
    was_fresh: bool,
    shown_abstaining: bool,
    shown_otherwise: Option<bool>,
}

impl Observers {
    pub(super) fn get(&self, slot: usize) -> Option<&Observer> {
        self.slots.get(slot)
    }

    pub(super) fn admit(
        &mut self,
        header: &Header,
        now: MonoTime,
        profile: &Profile,
    ) -> Result<Admitted, Rejected> {
        let (slot, new) = match self.by_name.get(&header.observer) {
            Some(slot) => (*slot, false),
            None => (self.make_room(header, now)?, true),
        };
        let observer = self.slots.get_mut(slot).ok_or(Rejected::TooMany)?;
        let reboot = header.boot != observer.boot;
        if !new && header.boot < observer.boot && now.saturating_since(observer.heard) < REBOOT_SILENCE {
            return Err(Rejected::Boot);
        }
        if !new && !reboot && header.seq <= observer.seq {
            return Err(Rejected::Sequence);
        }
        if reboot {
            observer.transit = Transit::default();
            observer.boot = header.boot;
        } else if !new {
            observer.lost = observer.lost.saturating_add(header.seq - observer.seq - 1);
        }
        observer.seq = header.seq;
        observer.heard = now;
        let delay = if Mutant::WallClock.is_on() {
            now.saturating_since(header.sent_at)
        } else {
            observer.transit.record(header.sent_at, now)
        };
        if delay >= profile.fresh() {
            return Err(Rejected::Delayed);
        }
        observer.arrived = now;
        observer.datagrams += 1;
        if observer.abstaining != header.abstain || observer.region != header.region {
            observer.abstaining = header.abstain;
            observer.region.clone_from(&header.region);
            self.changes += 1;
        }
        Ok(Admitted {
            slot,
            delay,
            forget: new || reboot,
            probing: header.probing,
        })
    }

    /// Note what became of a datagram that was admitted: whether anything of it `counts`, and how it was probed otherwise.
    pub(super) fn note(
        &mut self,
        admitted: &Admitted,
        counts: bool,
        otherwise: Option<ProbesOtherwise>,
        now: MonoTime,
        profile: &Profile,
    ) {
        let Some(observer) = self.slots.get_mut(admitted.slot) else {
            return;
        };
        if counts {
            observer.counted = Some(now);
        }
        let standing = observer.otherwise.take_if(|(_, until)| now < *until);
        // What does not count outweighs what does, and of two the one that was told stays.
        let (outweighs, again) = match (&standing, &otherwise) {
            (Some((before, _)), Some(now)) => (before.counts && !now.counts, before == now),
            (None, new) => (new.is_some(), false),
            (Some(_), None) => (false, false),
        };
        let until = || {
            let each = admitted.probing.map_or(0, |probing| probing.send_ms);
            now + profile.fresh().max(2 * Duration::from_millis(each.into()))
        };
        observer.otherwise = if outweighs || again {
            otherwise.map(|otherwise| (otherwise, until()))
        } else {
            standing
        };
    }

    /// Keeps those whose name `counts`; the slots of the others.
    pub(super) fn retain(&mut self, counts: impl Fn(&str) -> bool) -> Vec<usize> {
        let gone: Vec<usize> = self
            .by_name
            .extract_if(.., |name, _| !counts(name))
            .map(|(_, slot)| slot)
            .collect();
        for slot in &gone {
            if let Some(observer) = self.slots.get_mut(*slot) {
                *observer = Observer::default();
            }
        }
        self.changes += u64::from(!gone.is_empty());
        self.vacant.extend(&gone);
        gone
    }

    /// Note who turned fresh, stale or abstaining, or began or ceased to probe otherwise, since the last call; whether anyone did.
    pub(super) fn refresh(&mut self, now: MonoTime, profile: &Profile) -> bool {
        let mut changed = false;
        for observer in &mut self.slots {
            let fresh = observer.is_fresh(now, profile);
            changed |= fresh != observer.was_fresh || observer.abstaining != observer.shown_abstaining;
            let otherwise = observer.otherwise(now).map(|otherwise| otherwise.counts);
            changed |= otherwise != observer.shown_otherwise;
            observer.shown_otherwise = otherwise;
            observer.was_fresh = fresh;
            observer.shown_abstaining = observer.abstaining;
        }
        changed
    }

    /// Rises whenever another observer is heard, one begins or ceases to abstain, or one is in another region than before.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// When the first of those that were fresh at the last [`Self::refresh`] will not be, if it is not heard again.
    pub(super) fn fresh_until(&self, profile: &Profile) -> Option<MonoTime> {
        let fresh = self.slots.iter().filter(|observer| observer.was_fresh);
        fresh
            .filter_map(|observer| Some(observer.counted? + profile.fresh()))
            .min()
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// `longest`: by slot, the longest silence.
    pub(super) fn view(&self, longest: &[u32], now: MonoTime, profile: &Profile) -> Vec<ObserverView> {
        let by_name = self
            .by_name
            .values()
            .filter_map(|slot| Some((*slot, self.slots.get(*slot)?)));
        by_name
            .map(|(slot, observer)| ObserverView {
                name: observer.name.clone(),
                region: observer.region.clone(),
                fresh: observer.is_fresh(now, profile),
                abstaining: observer.abstaining,
                age_ms: u32::try_from(now.saturating_since(observer.arrived).as_millis()).unwrap_or(u32::MAX),
                datagrams: observer.datagrams,
                lost: observer.lost,
                longest_silence: longest.get(slot).copied().unwrap_or_default(),
                probes_otherwise: observer.otherwise(now).cloned(),
            })
            .collect()
    }

    fn make_room(&mut self, header: &Header, now: MonoTime) -> Result<usize, Rejected> {
        let newcomer = Observer {
            name: header.observer.clone(),
            abstaining: header.abstain,
            region: header.region.clone(),
            boot: header.boot,
            seq: header.seq,
            heard: now,
            arrived: now,
            ..Observer::default()
        };
        let slot = if let Some(slot) = self.vacant.pop() {
            *self.slots.get_mut(slot).ok_or(Rejected::TooMany)? = newcomer;
            slot
        } else if self.slots.len() < MAX_OBSERVERS {
            self.slots.push(newcomer);
            self.slots.len() - 1
        } else {
            let longest_silent = self
                .slots
                .iter_mut()
                .enumerate()
                .min_by_key(|(_, observer)| observer.heard);
            let (slot, gone) = longest_silent
                .filter(|(_, observer)| now.saturating_since(observer.heard) >= GONE)
                .ok_or(Rejected::TooMany)?;
            self.by_name.remove(&gone.name);
            *gone = newcomer;
            slot
        };
        self.by_name.insert(header.observer.clone(), slot);
        self.changes += 1;
        Ok(slot)
    }
}

impl Observer {
    fn is_fresh(&self, now: MonoTime, profile: &Profile) -> bool {
        let recent = |at| now.saturating_since(at) < profile.fresh();
        self.counted.is_some_and(recent)
    }

    fn otherwise(&self, now: MonoTime) -> Option<&ProbesOtherwise> {
        let standing = self.otherwise.as_ref().filter(|(_, until)| now < *until);
        standing.map(|(otherwise, _)| otherwise)
    }
}
