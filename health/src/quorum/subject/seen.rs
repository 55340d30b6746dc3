//! What one observer's last row says: its age, its silence, its calm.

use std::time::Duration;

use super::Seen;
use crate::profile::Profile;
use crate::time::MonoTime;

impl Seen {
    /// Since the probe that the row last took in ended, as far as this consumer's own clock can tell.
    pub(super) fn age(&self, now: MonoTime) -> Duration {
        now.saturating_since(self.arrived)
            .saturating_add(Duration::from_millis(self.row.age_ms.into()))
            .saturating_add(self.delay)
    }

    /// From here on it is too old to count, if it had this age on arrival; rounded up to whole microseconds.
    pub(super) fn counts_until(&self, age: Duration, profile: &Profile) -> MonoTime {
        self.arrived + (profile.fresh().saturating_sub(age) + Duration::from_nanos(999))
    }

    /// A silence began since the row before, be it over by now.
    pub(super) fn lost_anew(&self, before: &Seen) -> bool {
        let (was, is) = (&before.row, &self.row);
        if is.silence() > 0 {
            was.silence() == 0 || is.silence() < was.silence()
        } else {
            // One that fell to nothing lapsed: after a loss there would be a miss or a success.
            let anew = (1..was.success_streak).contains(&is.success_streak);
            was.silence() == 0 && is.miss_streak == 0 && anew
        }
    }

    /// When the silence of the row began: known from a row before, or reckoned back by one T of its observer for each miss.
    pub(super) fn silence_began(
        &self,
        before: Option<&Seen>,
        now: MonoTime,
        profile: &Profile,
    ) -> Option<MonoTime> {
        let misses = self.row.silence();
        let earlier = u32::from(misses.checked_sub(1)?);
        let known = before
            .filter(|before| before.row.silence() <= misses)
            .and_then(|before| before.silent_since);
        let each = self.probing.map_or_else(
            || profile.interval(),
            |probing| Duration::from_millis(probing.interval_ms.into()),
        );
        let reckoned = || now.saturating_sub(self.age(now) + each * earlier);
        Some(known.unwrap_or_else(reckoned))
    }

    /// Answers come, too late to be successes; errors do not count.
    pub(super) fn answers_late(&self, profile: &Profile) -> bool {
        u32::from(self.row.silence()) < profile.suspect_misses
            && self.row.error_streak == 0
            && u32::from(self.row.late_of_100) >= profile.clear_successes
    }

    /// From when on it has been content for the whole recovery time; `None` where that takes another row.
    pub(super) fn steady_from(&self, profile: &Profile) -> Option<MonoTime> {
        let good = u32::from(self.row.good_of_100) >= profile.recover_good;
        Some(self.calm_since? + profile.recover_hold()).filter(|_| good)
    }
}
