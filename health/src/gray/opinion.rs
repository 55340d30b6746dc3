//! What one observer's row says of gray failure, under the consumer's profile.

use crate::evidence::Row;
use crate::gray::Gray;
use crate::profile::Profile;

/// The highest degree that a row shows. `standing` is what the same observer's row before showed: of that degree and
/// those below it `grayReleasePercent` of each threshold is enough, so that a value near one does not flutter.
pub fn opinion(row: &Row, standing: Gray, profile: &Profile) -> Gray {
    let shown = [Gray::Failing, Gray::Severe, Gray::Mild]
        .into_iter()
        .find(|degree| shows(row, *degree, *degree <= standing, profile));
    shown.unwrap_or(Gray::None)
}

fn shows(row: &Row, degree: Gray, held: bool, profile: &Profile) -> bool {
    let at = |threshold: u32| {
        let percent = if held { profile.gray_release_percent } else { 100 };
        (u64::from(threshold) * u64::from(percent) / 100).max(1)
    };
    let bad = u64::from(row.late_of_100) + u64::from(row.errors_of_100);
    let users = |permille| {
        u64::from(row.user_requests) >= at(profile.gray_min_requests)
            && u64::from(row.user_errors_permille) >= at(permille)
    };
    match degree {
        Gray::None => true,
        Gray::Mild => {
            let usual_us = u64::from(row.usual_rtt_us);
            let rise_us = u64::from(row.rtt_us).saturating_sub(usual_us);
            let slow = usual_us > 0
                && rise_us >= at(profile.gray_slow_ms) * 1_000
                && rise_us * 100 >= usual_us * at(profile.gray_slow_percent.saturating_sub(100));
            slow || bad >= at(profile.gray_mild_of_100) || users(profile.gray_mild_errors_permille)
        }
        Gray::Severe => {
            let misses = u32::from(row.miss_streak);
            let all_answered =
                misses >= profile.gray_misses && u32::from(row.silence()) < profile.suspect_misses;
            all_answered
                || bad >= at(profile.gray_severe_of_100)
                || users(profile.gray_severe_errors_permille)
        }
        // Of what users report at most Severe: a weight so low would leave too few of them to report a recovery.
        Gray::Failing => u64::from(row.error_streak) >= at(profile.gray_misses),
    }
}

/// A row's part in it, for people; a round trip that is hardly longer than usual is none.
pub(crate) fn told(row: &Row) -> String {
    let ms = |us: u32| f64::from(us) / 1_000.0;
    let mut parts = Vec::new();
    if row.usual_rtt_us > 0 && row.rtt_us >= row.usual_rtt_us.saturating_mul(2) {
        let (rtt, usual) = (ms(row.rtt_us), ms(row.usual_rtt_us));
        parts.push(format!("answers in {rtt:.0} ms, usually in {usual:.0} ms"));
    }
    if row.late_of_100 > 0 {
        parts.push(format!("{} late of the last 100 probes", row.late_of_100));
    }
    if row.errors_of_100 > 0 {
        parts.push(format!("{} answered 5xx", row.errors_of_100));
    }
    if row.user_requests > 0 && row.user_errors_permille > 0 {
        let share = f64::from(row.user_errors_permille) / 10.0;
        parts.push(format!(
            "{share:.1} % of {} users' requests answered 5xx",
            row.user_requests
        ));
    }
    parts.join(", ")
}
