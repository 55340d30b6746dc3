//! What a target's round-trip time usually is: the windowed minimum of its smoothed time, after BBR's `min_rtt` filter
//! (draft-ietf-ccwg-bbr). A rise that lasts longer than the window is the new usual.

use std::time::Duration;

use crate::time::MonoTime;

/// Two halves of this length: a minimum is forgotten after half an hour to an hour.
const HALF: Duration = Duration::from_secs(30 * 60);

/// The least smoothed round-trip time of late.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usual {
    before: Option<Duration>,
    /// The least of this half, and when the half began.
    current: Option<(Duration, MonoTime)>,
}

impl Usual {
    pub(super) fn sample(&mut self, smoothed: Duration, now: MonoTime) {
        self.current = Some(match self.current {
            Some((least, began)) if now.saturating_since(began) < HALF => (least.min(smoothed), began),
            ended => {
                self.before = ended.map(|(least, _)| least);
                (smoothed, now)
            }
        });
    }

    /// `None` before the first sample.
    pub(super) fn least(&self) -> Option<Duration> {
        let current = self.current.map(|(least, _)| least);
        current.map(|least| self.before.map_or(least, |before| before.min(least)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    #[test]
    fn a_rise_is_noticed_for_at_least_half_an_hour_and_is_usual_after_an_hour() {
        let mut usual = Usual::default();
        assert_eq!(usual.least(), None);
        let minute = |n: u64| MonoTime::from_millis(n * 60_000);
        for n in 0..20 {
            usual.sample(ms(10 + n % 3), minute(n));
        }
        assert_eq!(usual.least(), Some(ms(10)));
        for n in 20..50 {
            usual.sample(ms(200), minute(n));
            assert_eq!(usual.least(), Some(ms(10)), "after {n} minutes");
        }
        for n in 50..90 {
            usual.sample(ms(200), minute(n));
        }
        assert_eq!(usual.least(), Some(ms(200)));
        usual.sample(ms(5), minute(90));
        assert_eq!(usual.least(), Some(ms(5)), "a fall is usual at once");
    }
}
