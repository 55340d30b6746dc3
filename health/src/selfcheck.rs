//! An observer blames itself first: when its own loop or its own links are bad, it abstains.

use std::time::Duration;

use serde::Serialize;

use crate::mutant::Mutant;
use crate::profile::Profile;
use crate::time::MonoTime;

/// Why an observer does not vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AbstainReason {
    /// Its loop woke too late, so its timers say nothing about the targets.
    LoopLag,
    /// None of its anchors answers.
    Anchors,
    /// It lacks something local: descriptors, ports, memory.
    Local,
}

/// The state of one observer's self-check.
///
/// It goes on abstaining for `abstainHoldMs` after the cause is gone: rows made meanwhile still hold misses
/// that were its own.
#[derive(Clone, Debug)]
pub struct SelfCheck {
    limit: Duration,
    hold: Duration,
    /// The longest timeout of a cluster's own.
    own_timeout: Duration,
    anchor_misses: u16,
    standing: Option<(AbstainReason, MonoTime)>,
}

impl SelfCheck {
    pub fn new(profile: &Profile) -> SelfCheck {
        SelfCheck {
            limit: profile.loop_lag(),
            hold: profile.abstain_hold(),
            own_timeout: Duration::ZERO,
            anchor_misses: u16::try_from(profile.anchor_misses).unwrap_or(u16::MAX),
            standing: None,
        }
    }

    /// Probes of some clusters may take this long: an abstention lasts until those that were under way are over, too.
    pub fn wait_for_probes(&mut self, timeout: Duration) {
        self.own_timeout = timeout;
    }

    /// How late a timer woke.
    pub fn record_lag(&mut self, lag: Duration, now: MonoTime) {
        if lag > self.limit {
            self.blame(AbstainReason::LoopLag, now);
        }
    }

    /// A probe could not even be sent.
    pub fn record_local_failure(&mut self, now: MonoTime) {
        self.blame(AbstainReason::Local, now);
    }

    /// The miss streaks of all anchors. No anchors, no blame.
    pub fn record_anchors(&mut self, miss_streaks: impl IntoIterator<Item = u16>, now: MonoTime) {
        let mut streaks = miss_streaks.into_iter().peekable();
        if streaks.peek().is_some() && streaks.all(|misses| misses >= self.anchor_misses) {
            self.blame(AbstainReason::Anchors, now);
        }
    }

    /// Whether the observer abstains, and why.
    pub fn abstains(&self, now: MonoTime) -> Option<AbstainReason> {
        self.standing
            .filter(|(_, until)| now < *until && !Mutant::NoSelfCheck.is_on())
            .map(|(reason, _)| reason)
    }

    fn blame(&mut self, reason: AbstainReason, now: MonoTime) {
        self.standing = Some((reason, now + self.hold.max(self.own_timeout)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> MonoTime {
        MonoTime::from_millis(ms)
    }

    #[test]
    fn lag_beyond_fifty_milliseconds_holds_for_a_while() {
        let mut check = SelfCheck::new(&Profile::fast());
        check.record_lag(Duration::from_millis(50), at(1_000));
        assert_eq!(check.abstains(at(1_000)), None);
        check.record_lag(Duration::from_millis(51), at(1_000));
        assert_eq!(check.abstains(at(1_299)), Some(AbstainReason::LoopLag));
        assert_eq!(check.abstains(at(1_300)), None);
    }

    #[test]
    fn an_abstention_outlasts_the_slowest_clusters_probes() {
        let mut check = SelfCheck::new(&Profile::fast());
        check.wait_for_probes(Duration::from_millis(800));
        check.record_local_failure(at(1_000));
        assert_eq!(check.abstains(at(1_799)), Some(AbstainReason::Local));
        assert_eq!(check.abstains(at(1_800)), None);
        check.wait_for_probes(Duration::ZERO);
        check.record_local_failure(at(2_000));
        assert_eq!(check.abstains(at(2_300)), None);
    }

    #[test]
    fn one_good_anchor_is_enough() {
        let mut check = SelfCheck::new(&Profile::fast());
        check.record_anchors([9, 0], at(0));
        check.record_anchors([1, 1], at(0));
        check.record_anchors([], at(0));
        assert_eq!(check.abstains(at(0)), None);
        check.record_anchors([2, 9], at(0));
        assert_eq!(check.abstains(at(299)), Some(AbstainReason::Anchors));
        check.record_local_failure(at(400));
        assert_eq!(check.abstains(at(401)), Some(AbstainReason::Local));
    }
}
