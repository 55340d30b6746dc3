//! One target: what each observer last said about it, the verdict that stands, and the count of votes.

mod count;
mod degree;
mod probed;
mod seen;

use std::time::Duration;

use super::observers::{Admitted, Observers};
use crate::evidence::Row;
use crate::flap::Flap;
use crate::gray::{self, Course, Gray, GrayState};
use crate::loss::{self, Meter, Sighting};
use crate::profile::{Probing, Profile};
use crate::region;
use crate::target::{Family, Path, Target, TargetId};
use crate::time::MonoTime;
use crate::verdict::{Transition, Verdict, Witness};
use crate::view::Cell;
use crate::vote::{self, Vote};

use count::Counted;
pub(super) use count::Tally;

#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) target: Target,
    pub(super) id: TargetId,
    /// Its place among the profiles of clusters, if it is not judged by the fleet's.
    pub(super) own_profile: Option<usize>,
    pub(super) verdict: Verdict,
    pub(super) flap: Flap,
    /// Out of rotation for flapping, after the last usable cluster has been spared.
    pub(super) suppressed: bool,
    /// Since when enough votes for a Down stand.
    pub(super) condemned_since: Option<MonoTime>,
    /// Since when at least `cutVotes` votes Dead stand.
    pub(super) dying_since: Option<MonoTime>,
    /// Which observer regions are cut off.
    pub(super) partial: region::Course,
    pub(super) losses: Meter,
    /// Silences that began since the losses were last sampled.
    bursts: u32,
    since: MonoTime,
    course: Course,
    /// Without its reason, which is told as of a view.
    gray: GrayState,
    /// By the observer's slot.
    seen: Vec<Option<Seen>>,
    /// A row said something of gray failure, and it has not been found since that none does.
    finds_gray: bool,
    counted: Counted,
    shown: Shown,
}

/// What a view shows of one poll, ages aside.
type Shown = (Tally, Verdict, bool, (Gray, u32));

/// One observer's last row, and what had to be remembered of those before.
#[derive(Clone, Debug)]
struct Seen {
    row: Row,
    arrived: MonoTime,
    delay: Duration,
    /// How the target was probed, if the observer says.
    probing: Option<Probing>,
    /// From here on the row is too old to count.
    fresh_until: MonoTime,
    /// The vote that stands; a row without an opinion does not change it.
    vote: Vote,
    /// What it says of gray failure.
    gray: Gray,
    /// When a row last said Dead.
    dead_at: Option<MonoTime>,
    /// When the first miss of the silence was known.
    silent_since: Option<MonoTime>,
    /// Since when no row had a streak of `suspectMisses`, without a gap in the rows.
    calm_since: Option<MonoTime>,
}

impl Subject {
    pub(super) fn new(target: Target) -> Subject {
        Subject {
            id: target.id(),
            target,
            own_profile: None,
            verdict: Verdict::Unknown,
            flap: Flap::default(),
            suppressed: false,
            condemned_since: None,
            dying_since: None,
            partial: region::Course::default(),
            losses: Meter::default(),
            bursts: 0,
            since: MonoTime::ZERO,
            course: Course::default(),
            gray: GrayState::default(),
            seen: Vec::new(),
            finds_gray: false,
            counted: Counted::default(),
            shown: Shown::default(),
        }
    }

    /// The same subject under a new definition: rows about another check are not rows about this one.
    pub(super) fn redefined(mut self, target: Target) -> Subject {
        let id = target.id();
        if id != self.id {
            self.seen.clear();
            (self.condemned_since, self.dying_since) = (None, None);
            (self.course, self.gray) = (Course::default(), GrayState::default());
            self.partial = region::Course::default();
            self.losses = Meter::default();
        }
        Subject { target, id, ..self }
    }

    /// How old a row may be is the profile's to say, and that may have changed.
    pub(super) fn rejudge_ages(&mut self, profile: &Profile) {
        for seen in self.seen.iter_mut().flatten() {
            seen.fresh_until = seen.counts_until(seen.age(seen.arrived), profile);
        }
        self.counted = Counted::default();
    }

    pub(super) fn key(&self) -> (String, Path, Family) {
        (self.target.cluster.clone(), self.target.path, self.target.family)
    }

    pub(super) fn forget(&mut self, slot: usize) {
        if let Some(seen) = self.seen.get_mut(slot) {
            *seen = None;
            (self.counted.heard, self.counted.revoted) = (true, true);
        }
    }

    /// Take in a row; its age on arrival.
    pub(super) fn ingest(
        &mut self,
        row: &Row,
        admitted: &Admitted,
        abstain: bool,
        now: MonoTime,
        profile: &Profile,
    ) -> Duration {
        if self.seen.len() <= admitted.slot {
            self.seen.resize(admitted.slot + 1, None);
        }
        let Some(place) = self.seen.get_mut(admitted.slot) else {
            return Duration::MAX;
        };
        let mut seen = Seen {
            row: *row,
            arrived: now,
            delay: admitted.delay,
            probing: admitted.probing,
            fresh_until: MonoTime::ZERO,
            vote: Vote::Abstain,
            gray: Gray::None,
            dead_at: None,
            silent_since: None,
            calm_since: None,
        };
        let age = seen.age(now);
        seen.fresh_until = seen.counts_until(age, profile);
        // Rows of an observer that abstains hold misses of its own; nothing of them may outlive the abstention.
        if !abstain {
            let before = place.as_ref();
            seen.vote = vote::standing(before.map_or(Vote::Abstain, |b| b.vote), row, profile);
            seen.gray = gray::opinion(row, before.map_or(Gray::None, |b| b.gray), profile);
            let said_dead = vote::vote(row, profile) == Vote::Dead;
            seen.dead_at = if said_dead {
                Some(now)
            } else {
                before.and_then(|b| b.dead_at)
            };
            self.bursts += u32::from(before.is_some_and(|before| seen.lost_anew(before)));
            seen.silent_since = seen.silence_began(before, now, profile);
            let unbroken = before.filter(|b| now < b.fresh_until).and_then(|b| b.calm_since);
            let calm = u32::from(row.miss_streak) < profile.suspect_misses;
            seen.calm_since = calm.then(|| unbroken.unwrap_or(now));
        }
        self.finds_gray |= seen.gray > Gray::None;
        self.counted.heard = true;
        self.counted.revoted |= place
            .as_ref()
            .is_none_or(|before| before.vote != seen.vote || now >= before.fresh_until.min(seen.fresh_until));
        *place = Some(seen);
        age
    }

    /// Whether the brake counts it among those that can take traffic.
    pub(super) fn takes_traffic(&self) -> bool {
        self.verdict.serves() && !self.suppressed
    }

    /// Note since when the target is condemned, or on its way there.
    pub(super) fn track(&mut self, tally: &Tally, now: MonoTime, profile: &Profile) {
        let open = !tally.frozen && self.verdict != Verdict::Down;
        let keep = |since: Option<MonoTime>, holds: bool| holds.then(|| since.unwrap_or(now));
        self.condemned_since = keep(self.condemned_since, open && tally.dead >= tally.q);
        self.dying_since = keep(self.dying_since, open && tally.dead >= profile.cut_votes);
    }

    pub(super) fn transition(
        &mut self,
        to: Verdict,
        tally: &Tally,
        observers: &Observers,
        now: MonoTime,
        profile: &Profile,
        reason: String,
    ) -> Transition {
        let from = std::mem::replace(&mut self.verdict, to);
        self.since = now;
        if to == Verdict::Down {
            self.flap.strike(now, profile);
            (self.condemned_since, self.dying_since) = (None, None);
        }
        let evidence = self.evidence(observers, now);
        let Target {
            cluster,
            path,
            family,
            check: _,
            detection: _,
        } = &self.target;
        Transition {
            cluster: cluster.clone(),
            path: *path,
            family: *family,
            from,
            to,
            at: now,
            q: tally.q,
            fresh: tally.fresh,
            evidence,
            reason,
        }
    }

    /// Keep what this poll found, for views; whether it differs from what the last one found.
    pub(super) fn settle(&mut self, tally: Tally) -> bool {
        let gray = (self.gray.degree, self.gray.factor_permille);
        let found = (tally, self.verdict, self.suppressed, gray);
        let changed = self.shown != found;
        if changed {
            self.shown = found;
        }
        changed
    }

    pub(super) fn cell(&self, observers: &Observers, now: MonoTime, profile: &Profile) -> Cell {
        let (tally, ..) = &self.shown;
        let mut rtts: Vec<u32> = Vec::with_capacity(self.seen.len());
        let fresh = self
            .witnesses(observers)
            .filter(|(seen, abstaining)| !abstaining && seen.row.rtt_us > 0 && now < seen.fresh_until);
        rtts.extend(fresh.map(|(seen, _)| seen.row.rtt_us));
        rtts.sort_unstable();
        Cell {
            verdict: self.verdict,
            frozen: tally.frozen || tally.fresh == 0,
            positively_healthy: tally.is_positively_healthy(),
            suppressed: self.suppressed,
            since: self.since,
            votes: tally.votes,
            fresh: tally.fresh,
            q: tally.q,
            rtt_ms: rtts.get(rtts.len() / 2).map(|us| f64::from(*us) / 1_000.0),
            penalty: self.flap.penalty(now, profile),
            downs: self.flap.downs(),
            gray: self.gray_now(tally, observers, now),
            regions: self.regions(),
            partial: self.partial.standing().cloned(),
            losses: self
                .losses
                .estimate(tally.fresh, &self.probed(observers, now, profile)),
            release_at: self.flap.release_at(profile),
            detection: self.own_profile.and_then(|_| self.target.detection.clone()),
        }
    }

    pub(super) fn evidence(&self, observers: &Observers, now: MonoTime) -> Vec<Witness> {
        let named = self
            .seen
            .iter()
            .enumerate()
            .filter_map(|(slot, seen)| Some((observers.get(slot)?, seen.as_ref()?)));
        let mut evidence: Vec<Witness> = named
            .map(|(observer, seen)| Witness {
                observer: observer.name.clone(),
                region: observer.region.clone(),
                vote: seen.vote,
                miss_streak: seen.row.miss_streak.into(),
                silence: seen.row.silence().into(),
                success_streak: seen.row.success_streak.into(),
                hard: seen.row.hard,
                age_ms: millis(seen.age(now)),
                rtt_us: seen.row.rtt_us,
                silent_ms: seen.silent_since.map(|at| millis(now.saturating_since(at))),
                dead_ms: seen.dead_at.map(|at| millis(now.saturating_since(at))),
                counted: !observer.abstaining && now < seen.fresh_until,
                abstains: observer.abstaining,
            })
            .collect();
        evidence.sort_by(|a, b| a.observer.cmp(&b.observer));
        evidence
    }

    /// What fresh observers see now of losses, and the silences that began since the last time.
    pub(super) fn sighting(&mut self, observers: &Observers, now: MonoTime, profile: &Profile) -> Sighting {
        let mut sighting = Sighting {
            bursts: std::mem::take(&mut self.bursts),
            ..Sighting::default()
        };
        for (seen, abstaining) in self.witnesses(observers) {
            if abstaining || now >= seen.fresh_until {
                continue;
            }
            let silence = u32::from(seen.row.silence());
            if silence > loss::CUT_OFF * profile.dead_misses {
                sighting.cut_off += 1;
            } else {
                sighting.fresh += 1;
                sighting.silent += u32::from(silence > 0);
            }
        }
        sighting
    }

    /// Raise each slot's number to the silence of its row, where that is fresh.
    pub(super) fn longest_silences(&self, longest: &mut [u32], now: MonoTime) {
        for (seen, longest) in self.seen.iter().zip(longest) {
            let fresh = seen.as_ref().filter(|seen| now < seen.fresh_until);
            *longest = (*longest).max(fresh.map_or(0, |seen| seen.row.silence().into()));
        }
    }

    /// What each observer said last, and whether that observer abstains.
    fn witnesses<'a>(&'a self, observers: &'a Observers) -> impl Iterator<Item = (&'a Seen, bool)> {
        self.seen
            .iter()
            .enumerate()
            .filter_map(|(slot, seen)| Some((seen.as_ref()?, observers.get(slot)?.abstaining)))
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
