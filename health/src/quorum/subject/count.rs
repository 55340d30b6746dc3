//! The count of votes on one target, kept while nothing that it rests on changed.

use std::sync::Arc;

use super::super::observers::Observers;
use super::Subject;
use crate::profile::Profile;
use crate::region::{Ballot, RegionView, by_region};
use crate::time::MonoTime;
use crate::view::Votes;
use crate::vote::Vote;

/// The votes as they were last counted. Mostly neither a row nor a moment that matters comes between two polls.
#[derive(Clone, Debug, Default)]
pub(super) struct Counted {
    tally: Tally,
    /// If no row comes, the count holds up to here: then a row is too old, a vote Dead outside its window, or a calm long enough.
    until: MonoTime,
    /// [`Observers::changes`] when it was made.
    changes: u64,
    /// A row has come since.
    pub(super) heard: bool,
    /// A vote that it does not hold has come since, or one is gone.
    pub(super) revoted: bool,
    regions: Arc<[RegionView]>,
}

/// The votes on one target at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Tally {
    pub(in super::super) votes: Votes,
    /// Observers with a fresh row who do not abstain.
    pub(in super::super) fresh: u32,
    pub(in super::super) q: u32,
    pub(in super::super) frozen: bool,
    /// Votes Dead cast within the window of a Down.
    pub(in super::super) dead: u32,
    /// Votes Clear of observers that have been content for the whole recovery time.
    pub(in super::super) steady: u32,
    /// Observers that get answers, be they late.
    pub(in super::super) answering: u32,
}

impl Subject {
    pub(in super::super) fn tally(
        &mut self,
        observers: &Observers,
        now: MonoTime,
        profile: &Profile,
    ) -> Tally {
        let changes = observers.changes();
        let counted = &self.counted;
        let (over, others) = (now >= counted.until, changes != counted.changes);
        if over || others || counted.revoted {
            self.count_regions(observers, now, profile);
        }
        if over || others || self.counted.heard {
            (self.counted.tally, self.counted.until) = self.count(observers, now, profile);
            self.counted.changes = changes;
            (self.counted.heard, self.counted.revoted) = (false, false);
        }
        debug_assert_eq!(self.counted.tally, self.count(observers, now, profile).0);
        self.counted.tally
    }

    /// The votes as of `now`, and until when they stay so if no row comes.
    fn count(&self, observers: &Observers, now: MonoTime, profile: &Profile) -> (Tally, MonoTime) {
        let mut tally = Tally::default();
        let mut until = MonoTime::from_micros(u64::MAX);
        for (seen, abstaining) in self.witnesses(observers) {
            if abstaining || now >= seen.fresh_until {
                tally.votes.abstain += 1;
                continue;
            }
            tally.fresh += 1;
            until = until.min(seen.fresh_until);
            match seen.vote {
                Vote::Clear => {
                    tally.votes.clear += 1;
                    tally.answering += 1;
                    match seen.steady_from(profile) {
                        Some(from) if from <= now => tally.steady += 1,
                        Some(from) => until = until.min(from),
                        None => {}
                    }
                }
                Vote::Suspect => {
                    tally.votes.suspect += 1;
                    tally.answering += u32::from(seen.answers_late(profile));
                }
                Vote::Dead => {
                    tally.votes.dead += 1;
                    let window = |at: MonoTime| at + profile.down_window();
                    if let Some(last) = seen.dead_at.map(window).filter(|last| now <= *last) {
                        tally.dead += 1;
                        until = until.min(last);
                    }
                }
                Vote::Abstain => tally.votes.abstain += 1,
            }
        }
        tally.q = profile.q(tally.fresh);
        tally.frozen = tally.fresh < profile.min_fresh;
        (tally, until)
    }

    fn count_regions(&mut self, observers: &Observers, now: MonoTime, profile: &Profile) {
        let seen = self.seen.iter().enumerate();
        let ballots = seen.filter_map(|(slot, seen)| {
            let (seen, observer) = (seen.as_ref()?, observers.get(slot)?);
            Some(Ballot {
                region: &observer.region,
                vote: seen.vote,
                counted: !observer.abstaining && now < seen.fresh_until,
            })
        });
        self.counted.regions = by_region(ballots, profile).into();
    }

    /// Until when polls change nothing, if no row comes; `None` while something is under way that takes its time.
    pub(in super::super) fn quiet_until(&self) -> Option<MonoTime> {
        let at_rest = self.condemned_since.is_none()
            && self.dying_since.is_none()
            && !self.flap.suppressed()
            && self.course.is_at_rest()
            && self.partial.is_idle();
        at_rest.then_some(self.counted.until)
    }

    /// The votes by region as of the last [`Self::tally`].
    pub(in super::super) fn regions(&self) -> Arc<[RegionView]> {
        Arc::clone(&self.counted.regions)
    }
}

impl Tally {
    pub(in super::super) fn is_positively_healthy(&self) -> bool {
        !self.frozen && self.votes.clear >= self.q
    }

    /// At least q observers get answers, late ones counted.
    pub(in super::super) fn answers(&self) -> bool {
        !self.frozen && self.answering >= self.q
    }
}
