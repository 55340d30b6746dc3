//! Profiles fitted to evidence that is there: how often was probed is past, and misses are counted in the probes that there are. And rows
//! of observers that probed otherwise than the others, fitted to such a profile.

use lifeboat_health::{Profile, ProfilePatch, Row};

/// The profile for all that was probed as the fleet's profile said when it was `recorded`.
pub(super) fn fleet(wanted: &Profile, recorded: &Profile) -> Profile {
    let probes = |count| as_long(count, wanted.interval_ms, recorded.interval_ms);
    Profile {
        suspect_misses: probes(wanted.suspect_misses),
        dead_misses: probes(wanted.dead_misses),
        hard_misses: probes(wanted.hard_misses),
        gray_misses: probes(wanted.gray_misses).min(MOST_GRAY_MISSES),
        clear_successes: probes(wanted.clear_successes),
        ..wanted.observed_as(recorded)
    }
}

/// The override of a cluster that keeps it. Its interval would be its own under the wanted profile too, so misses of which it does
/// not speak are as many as the profile says, of whatever length the fleet's are.
pub(super) fn kept(recorded: &ProfilePatch, wanted: &Profile) -> ProfilePatch {
    let mut own = recorded.clone();
    // A preset speaks of all.
    if own.preset.is_none() && own.interval_ms.is_some() {
        count_misses(&mut own, wanted, |count| count);
    }
    own
}

/// What is left of a cluster's override where it is judged by the profile for all, which is `fitted` to the fleet's probes: how it was
/// probed, with the misses that last as long in its own probes, and rows that may be as old as those make them.
pub(super) fn left_out(recorded: &ProfilePatch, wanted: &Profile, fitted: &Profile) -> Option<ProfilePatch> {
    let mut own = recorded.probed();
    if own == ProfilePatch::default() {
        return None;
    }
    if let Some(interval_ms) = own.interval_ms {
        count_misses(&mut own, wanted, |count| {
            as_long(count, wanted.interval_ms, interval_ms)
        });
    }
    let probed = Profile {
        interval_ms: own.interval_ms.unwrap_or(fitted.interval_ms),
        jitter_percent: own.jitter_percent.unwrap_or(fitted.jitter_percent),
        timeout_max_ms: own.timeout_max_ms.unwrap_or(fitted.timeout_max_ms),
        phase_timeout_ms: own.phase_timeout_ms.unwrap_or(fitted.phase_timeout_ms),
        ..fitted.clone()
    };
    let least = u32::try_from(probed.least_fresh_ms()).unwrap_or(u32::MAX);
    own.fresh_ms = (least > wanted.fresh_ms).then_some(least);
    Some(own)
}

/// A row says no more.
const MOST_GRAY_MISSES: u32 = 255;

/// What an override does not say of streaks is the wanted profile's, in so many of the cluster's `probes`.
fn count_misses(own: &mut ProfilePatch, wanted: &Profile, probes: impl Fn(u32) -> u32) {
    let gray = probes(wanted.gray_misses).min(MOST_GRAY_MISSES);
    own.suspect_misses
        .get_or_insert_with(|| probes(wanted.suspect_misses));
    own.dead_misses.get_or_insert_with(|| probes(wanted.dead_misses));
    own.hard_misses.get_or_insert_with(|| probes(wanted.hard_misses));
    own.gray_misses.get_or_insert(gray);
    own.clear_successes
        .get_or_insert_with(|| probes(wanted.clear_successes));
}

/// A row of what was probed each `probed_ms`, in probes of `judged_ms`: a streak is as long as before, in whole ones of these.
pub(super) fn row(row: &Row, probed_ms: u32, judged_ms: u32) -> Row {
    let whole = |streak: u16| {
        let lasts = u64::from(streak) * u64::from(probed_ms);
        u16::try_from(lasts / u64::from(judged_ms).max(1)).unwrap_or(u16::MAX)
    };
    let miss_streak = whole(row.miss_streak);
    Row {
        miss_streak,
        heard_at: miss_streak - whole(row.silence()),
        success_streak: whole(row.success_streak),
        error_streak: u8::try_from(whole(row.error_streak.into())).unwrap_or(u8::MAX),
        ..*row
    }
}

/// So many of the probes that were made as last as long as `count` probes of the wanted interval.
fn as_long(count: u32, wanted_ms: u32, probed_ms: u32) -> u32 {
    let lasts = u64::from(count) * u64::from(wanted_ms);
    u32::try_from(lasts.div_ceil(u64::from(probed_ms).max(1))).unwrap_or(u32::MAX)
}
