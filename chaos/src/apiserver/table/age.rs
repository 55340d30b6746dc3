//! Durations as kubectl shows them: `12s`, `3m20s`, `5h12m`, `3d4h`, `40d`, `2y3d`.

use std::time::Duration;

use jiff::Timestamp;

use crate::apiserver::clock;

/// Age of an RFC 3339 stamp.
pub(super) fn since(stamp: Option<&str>, now: Timestamp) -> String {
    stamp
        .and_then(|stamp| clock::age(stamp, now))
        .map_or_else(|| "<unknown>".to_owned(), human)
}

pub(super) fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let two = |major: u64, a: &str, minor: u64, b: &str| {
        if minor == 0 {
            format!("{major}{a}")
        } else {
            format!("{major}{a}{minor}{b}")
        }
    };
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        63_072_000..252_288_000 => two(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_kubectl_shows_them() {
        for (seconds, expected) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (200, "3m20s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (18_720, "5h12m"),
            (28_800, "8h"),
            (180_000, "2d2h"),
            (691_200, "8d"),
            (63_072_000, "2y"),
        ] {
            assert_eq!(human(Duration::from_secs(seconds)), expected, "{seconds}");
        }
    }
}
