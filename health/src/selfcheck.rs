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
    /// It has just begun, and the first answer of an anchor may still be under way.
    Starting,
    /// None of its anchors answers.
    Anchors,
    /// It lacks something local: descriptors, ports, memory.
    Local,
}

/// How an anchor stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The answer to its first probe may still be under way.
    Asked,
    /// The misses in a row since an answer that is still fresh.
    Answered(u16),
    /// It has no fresh answer: it is silent, it never answered, or it cannot be probed.
    Silent,
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
    /// No anchor has answered yet, and one still may.
    starting: bool,
    /// Until then anchors without a fresh answer are the lag's doing: nothing was sent or heard while the loop stood.
    lagged_until: MonoTime,
    standing: Option<(AbstainReason, MonoTime)>,
}

impl SelfCheck {
    pub fn new(profile: &Profile) -> SelfCheck {
        SelfCheck {
            limit: profile.loop_lag(),
            hold: profile.abstain_hold(),
            own_timeout: Duration::ZERO,
            anchor_misses: u16::try_from(profile.anchor_misses).unwrap_or(u16::MAX),
            starting: false,
            lagged_until: MonoTime::default(),
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
            self.lagged_until = self.held_until(now);
            self.blame(AbstainReason::LoopLag, now);
        }
    }

    /// A probe could not even be sent.
    pub fn record_local_failure(&mut self, now: MonoTime) {
        self.blame(AbstainReason::Local, now);
    }

    /// How all anchors stand. One with a fresh answer shows that the observer's links are up; what cannot be probed shows
    /// nothing. No anchors, no blame.
    ///
    /// At the start it abstains until the first answer, and no longer: what its probes found meanwhile is forgiven.
    pub fn judge_anchors(&mut self, anchors: impl IntoIterator<Item = Anchor>, now: MonoTime) {
        let (mut any, mut good, mut asked) = (false, false, false);
        for anchor in anchors {
            any = true;
            match anchor {
                Anchor::Asked => asked = true,
                Anchor::Answered(misses) => good |= misses < self.anchor_misses,
                Anchor::Silent => {}
            }
        }
        self.starting = !good && asked;
        if any && !good && !asked {
            let lagged = now < self.lagged_until;
            let reason = if lagged {
                AbstainReason::LoopLag
            } else {
                AbstainReason::Anchors
            };
            self.blame(reason, now);
        }
    }

    /// Whether the observer abstains, and why.
    pub fn abstains(&self, now: MonoTime) -> Option<AbstainReason> {
        let standing = self.standing.filter(|(_, until)| now < *until);
        let reason = standing.map(|(reason, _)| reason);
        reason
            .or_else(|| self.starting.then_some(AbstainReason::Starting))
            .filter(|_| !Mutant::NoSelfCheck.is_on())
    }

    fn blame(&mut self, reason: AbstainReason, now: MonoTime) {
        self.standing = Some((reason, self.held_until(now)));
    }

    fn held_until(&self, now: MonoTime) -> MonoTime {
        now + self.hold.max(self.own_timeout)
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
    fn anchors_that_fell_silent_while_the_loop_stood_are_not_to_blame() {
        let mut check = SelfCheck::new(&Profile::fast());
        let mut after = |lag, anchor, now| {
            check.record_lag(Duration::from_millis(lag), at(now));
            check.judge_anchors([anchor], at(now));
            check.abstains(at(now))
        };
        let (lag, anchors) = (Some(AbstainReason::LoopLag), Some(AbstainReason::Anchors));
        assert_eq!(after(2_000, Anchor::Silent, 3_000), lag);
        assert_eq!(after(0, Anchor::Silent, 3_050), lag);
        assert_eq!(
            after(0, Anchor::Answered(0), 3_349),
            lag,
            "as long after the silence as ever"
        );
        assert_eq!(after(0, Anchor::Answered(0), 3_350), None);
        // Silence that lasts is the anchors'.
        assert_eq!(after(2_000, Anchor::Silent, 6_000), lag);
        assert_eq!(after(0, Anchor::Silent, 6_299), lag);
        assert_eq!(after(0, Anchor::Silent, 6_300), anchors);
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
        let answered = |misses: &[u16]| misses.iter().copied().map(Anchor::Answered).collect::<Vec<_>>();
        for well in [&[9, 0][..], &[1, 1], &[]] {
            check.judge_anchors(answered(well), at(0));
        }
        assert_eq!(check.abstains(at(0)), None);
        check.judge_anchors(answered(&[2, 9]), at(0));
        assert_eq!(check.abstains(at(299)), Some(AbstainReason::Anchors));
        check.record_local_failure(at(400));
        assert_eq!(check.abstains(at(401)), Some(AbstainReason::Local));
    }

    #[test]
    fn what_has_no_fresh_answer_holds_no_abstention_off() {
        let mut check = SelfCheck::new(&Profile::fast());
        let mut after = |anchors: &[Anchor], now| {
            check.judge_anchors(anchors.iter().copied(), at(now));
            check.abstains(at(now))
        };
        let (starting, anchors) = (Some(AbstainReason::Starting), Some(AbstainReason::Anchors));
        assert_eq!(after(&[], 0), None);
        assert_eq!(after(&[Anchor::Asked, Anchor::Silent], 10), starting);
        assert_eq!(
            after(&[Anchor::Answered(0), Anchor::Silent], 20),
            None,
            "no hold at the start"
        );
        assert_eq!(after(&[Anchor::Asked, Anchor::Answered(1)], 30), None);
        assert_eq!(after(&[Anchor::Silent, Anchor::Answered(2)], 40), anchors);
        assert_eq!(after(&[Anchor::Answered(0)], 339), anchors);
        assert_eq!(after(&[Anchor::Answered(0)], 340), None);
        assert_eq!(after(&[Anchor::Silent, Anchor::Silent], 400), anchors);
    }
}
