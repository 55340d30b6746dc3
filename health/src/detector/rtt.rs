//! Smoothed round-trip time and the timeout that follows from it (RFC 6298 §2, with bounds of our own).

use std::time::Duration;

/// Least margin above SRTT (RFC 6298's G): a far target whose time never varies is not missed for the first packet that
/// waits in a queue.
const GRANULARITY_US: u64 = 10_000;

/// SRTT and RTTVAR of one phase of a probe.
#[derive(Clone, Copy, Debug)]
pub struct Rtt {
    /// `(SRTT, RTTVAR)`, in microseconds.
    estimate: Option<(u64, u64)>,
    last: Option<Duration>,
    least_us: u64,
    most_us: u64,
}

impl Rtt {
    pub fn new(least_ms: u32, most_ms: u32) -> Rtt {
        Rtt {
            estimate: None,
            last: None,
            least_us: u64::from(least_ms.min(most_ms)) * 1_000,
            most_us: u64::from(most_ms) * 1_000,
        }
    }

    pub fn sample(&mut self, rtt: Duration) {
        self.last = Some(rtt);
        let rtt = u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX).min(1 << 40);
        self.estimate = Some(match self.estimate {
            None => (rtt, rtt / 2),
            Some((smoothed, variation)) => (
                (7 * smoothed + rtt) / 8,
                (3 * variation + smoothed.abs_diff(rtt)) / 4,
            ),
        });
    }

    pub fn smoothed(&self) -> Option<Duration> {
        self.estimate.map(|(smoothed, _)| Duration::from_micros(smoothed))
    }

    pub fn last(&self) -> Option<Duration> {
        self.last
    }

    /// clamp(SRTT + max(G, 4·RTTVAR), least..most); `most` before the first sample.
    pub fn timeout(&self) -> Duration {
        let us = self.estimate.map_or(self.most_us, |(smoothed, variation)| {
            (smoothed + GRANULARITY_US.max(4 * variation)).clamp(self.least_us, self.most_us)
        });
        Duration::from_micros(us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    #[track_caller]
    fn check(samples: &[u64], expected: Duration) {
        let mut rtt = Rtt::new(60, 300);
        samples.iter().for_each(|sample| rtt.sample(ms(*sample)));
        assert_eq!(rtt.timeout(), expected);
    }

    #[test]
    fn timeouts() {
        check(&[], ms(300));
        check(&[1], ms(60));
        check(&[50], ms(150));
        check(&[150], ms(300));
        check(&[500], ms(300));
        check(&[40; 40], ms(60));
        check(&[150; 40], ms(160));
    }

    #[test]
    fn one_late_answer_makes_room_for_the_next() {
        let mut rtt = Rtt::new(60, 300);
        (0..100).for_each(|_| rtt.sample(ms(1)));
        assert_eq!(rtt.timeout(), ms(60));
        rtt.sample(ms(120));
        assert!(rtt.timeout() > ms(120), "{:?}", rtt.timeout());
    }
}
