//! How a target was probed, where estimates rest on it: as those observers say who count now.

use std::borrow::Cow;

use super::super::observers::Observers;
use super::Subject;
use crate::profile::Profile;
use crate::time::MonoTime;

impl Subject {
    /// The profile that judges it, with the mean of its observers' intervals and least timeouts. Who does not say probes as the profile
    /// does.
    pub(super) fn probed<'a>(
        &self,
        observers: &Observers,
        now: MonoTime,
        profile: &'a Profile,
    ) -> Cow<'a, Profile> {
        let own = (profile.interval_ms, profile.timeout_min_ms);
        let (mut sum, mut count, mut all_own) = ((0, 0), 0, true);
        for (seen, abstaining) in self.witnesses(observers) {
            if abstaining || now >= seen.fresh_until {
                continue;
            }
            let its = seen.probing.map_or(own, |probing| {
                (probing.interval_ms.into(), probing.timeout_min_ms.into())
            });
            all_own &= its == own;
            sum = (sum.0 + its.0, sum.1 + its.1);
            count += 1;
        }
        if all_own {
            return Cow::Borrowed(profile);
        }
        Cow::Owned(Profile {
            interval_ms: sum.0 / count,
            timeout_min_ms: sum.1 / count,
            ..profile.clone()
        })
    }
}
