//! The degree that is in force: it rises when a quorum has found a higher one for `grayAfterMs`, and falls by one each
//! `grayHoldMs` in which the quorum found less.

use crate::gray::Gray;
use crate::profile::Profile;
use crate::time::MonoTime;

/// One target's degree of gray over time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Course {
    degree: Gray,
    /// The least degree found above the one in force, and since when.
    rising: Option<(Gray, MonoTime)>,
    /// Since when less was found.
    falling: Option<MonoTime>,
}

impl Course {
    pub(crate) fn degree(self) -> Gray {
        self.degree
    }

    /// The degree is not about to change.
    pub(crate) fn is_at_rest(self) -> bool {
        self.rising.is_none() && self.falling.is_none()
    }

    /// The degree that is in force, or the higher one that a quorum finds and that soon may be.
    pub(crate) fn to_come(self) -> Gray {
        self.rising.map_or(self.degree, |(least, _)| least)
    }

    /// Another cluster's degree falls now: one that would follow within `grayAfterMs` falls with it, so that clusters
    /// which were alike are not told apart for a moment. Whether it does.
    pub(crate) fn fall_along(&mut self, now: MonoTime, profile: &Profile) -> bool {
        let soon = profile.gray_hold().saturating_sub(profile.gray_after());
        let falls = self
            .falling
            .is_some_and(|since| now.saturating_since(since) >= soon);
        if falls {
            (self.degree, self.falling) = (self.degree.milder(), None);
        }
        falls
    }

    /// Take in what a quorum finds now; `None` while too few observers are fresh, which changes nothing. Whether the
    /// degree changed.
    pub(crate) fn step(&mut self, found: Option<Gray>, now: MonoTime, profile: &Profile) -> bool {
        let before = self.degree;
        let Some(found) = found else {
            (self.rising, self.falling) = (None, None);
            return false;
        };
        self.rising = (found > before).then(|| {
            let (least, since) = self.rising.unwrap_or((found, now));
            (least.min(found), since)
        });
        self.falling = (found < before).then(|| self.falling.unwrap_or(now));
        if let Some((least, since)) = self.rising
            && now.saturating_since(since) >= profile.gray_after()
        {
            (self.degree, self.rising) = (least, None);
        } else if let Some(since) = self.falling
            && now.saturating_since(since) >= profile.gray_hold()
        {
            (self.degree, self.falling) = (before.milder(), None);
        }
        self.degree != before
    }
}
