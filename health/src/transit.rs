//! Finds datagrams that were delayed on their way, without comparing two machines' clocks.
//!
//! `arrival − sent_at` is the difference of two clocks plus the way's delay. Its lowest value of the last
//! seconds in which anything arrived is
//! the undelayed one; what lies above that is delay. Clocks that run at different rates tilt that floor, so the
//! floor is a line: its slope is the median over all pairs of half-second minima (Theil and Sen), which a sudden
//! delay does not move.
//!
//! A silence does not end the floor, however long: a reader that stood still finds datagrams that have waited for it as long,
//! and nothing but the floor from before tells those from fresh ones.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::MonoTime;

const BUCKET_US: u64 = 500_000;
const BUCKETS: usize = 10;
const WINDOW_US: u64 = BUCKET_US * BUCKETS as u64;
/// A smaller slope is noise: over the window it stands for less than 50 ms.
const LEAST_SLOPE: f64 = 0.01;
/// A larger one is no clock's rate but a jump.
const MOST_SLOPE: f64 = 0.5;

/// The floor of `arrival − sent_at` of one boot of one observer.
#[derive(Clone, Debug, Default)]
pub struct Transit {
    buckets: VecDeque<Lowest>,
    slope: f64,
}

/// The lowest offset of one half second.
#[derive(Clone, Copy, Debug)]
struct Lowest {
    bucket: u64,
    arrived_us: u64,
    offset_us: i64,
}

impl Transit {
    /// How long a datagram was delayed above the floor.
    pub fn record(&mut self, sent_at: MonoTime, arrived: MonoTime) -> Duration {
        let arrived_us = arrived.as_micros();
        let offset_us = arrived_us.wrapping_sub(sent_at.as_micros()).cast_signed();
        self.take_in(Lowest {
            bucket: arrived_us / BUCKET_US,
            arrived_us,
            offset_us,
        });
        let floor = self
            .buckets
            .iter()
            .map(|lowest| self.project(lowest, arrived_us))
            .fold(f64::MAX, f64::min);
        // The slope is 1 − (sender's rate / reader's rate), and a delay shows in the sender's time.
        let excess = (offset_us as f64 - floor) / (1.0 - self.slope);
        if excess > 0.0 {
            Duration::try_from_secs_f64(excess / 1e6).unwrap_or(Duration::MAX)
        } else {
            Duration::ZERO
        }
    }

    /// The slope is known of the window; beyond it a small error would grow without a bound.
    fn project(&self, lowest: &Lowest, to_us: u64) -> f64 {
        let since_us = to_us.saturating_sub(lowest.arrived_us).min(WINDOW_US);
        lowest.offset_us as f64 + self.slope * since_us as f64
    }

    fn take_in(&mut self, sample: Lowest) {
        match self.buckets.back_mut() {
            Some(last) if last.bucket == sample.bucket => {
                if sample.offset_us < last.offset_us {
                    *last = sample;
                }
            }
            _ => {
                self.slope = self.estimate_slope();
                if self.buckets.len() >= BUCKETS {
                    self.buckets.pop_front();
                }
                self.buckets.push_back(sample);
            }
        }
    }

    fn estimate_slope(&self) -> f64 {
        let mut slopes = Vec::with_capacity(BUCKETS * BUCKETS / 2);
        for (at, a) in self.buckets.iter().enumerate() {
            for b in self.buckets.iter().skip(at + 1) {
                let rise = b.offset_us as f64 - a.offset_us as f64;
                slopes.push(rise / b.arrived_us.saturating_sub(a.arrived_us).max(1) as f64);
            }
        }
        if slopes.len() < 6 {
            return 0.0;
        }
        let middle = slopes.len() / 2;
        let (_, median, _) = slopes.select_nth_unstable_by(middle, f64::total_cmp);
        let median = *median;
        if (LEAST_SLOPE..=MOST_SLOPE).contains(&median.abs()) {
            median
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends each 100 ms for 20 s from a clock that is `offset_ms` off and runs `rate` times as fast; the datagram sent at
    /// 15 s is `delay_ms` late. Answers with (its excess, the largest of all others after the first 4 s), in ms.
    fn run(offset_ms: u64, rate: f64, delay_ms: u64) -> (u128, u128) {
        let mut datagrams: Vec<(u64, u64, bool)> = (0..200_u64)
            .map(|n| {
                let true_us = n * 100_000;
                let sent_us = offset_ms * 1_000 + (true_us as f64 * rate) as u64;
                let way_us = 5_000 + n * 7_919 % 3_000 + if n == 150 { delay_ms * 1_000 } else { 0 };
                (true_us + way_us, sent_us, n == 150)
            })
            .collect();
        datagrams.sort_unstable();
        let mut transit = Transit::default();
        let (mut late, mut others) = (0, 0);
        for (arrived, sent, delayed) in datagrams {
            let excess = transit
                .record(MonoTime::from_micros(sent), MonoTime::from_micros(arrived))
                .as_millis();
            if delayed {
                late = excess;
            } else if arrived >= 4_000_000 {
                others = others.max(excess);
            }
        }
        (late, others)
    }

    #[track_caller]
    fn check(offset_ms: u64, rate: f64) {
        let (late, others) = run(offset_ms, rate, 600);
        assert!(
            (560..=640).contains(&late),
            "a delay of 600 ms shows as {late} ms"
        );
        assert!(others < 40, "an undelayed datagram shows a delay of {others} ms");
    }

    #[test]
    fn delay_shows_whatever_the_clocks_say() {
        check(0, 1.0);
        check(3_600_000, 1.0);
        check(0, 1.0005);
        check(0, 1.3);
        check(3_600_000, 1.0 / 1.3);
    }

    /// A datagram each 100 ms; the reader stands still from 20 s on for `pause_ms`, then finds all that has waited.
    #[track_caller]
    fn check_pause(rate: f64, pause_ms: u64, backwards: bool) {
        let mut transit = Transit::default();
        let ends_ms = 20_000 + pause_ms;
        let mut record = |sent_ms: u64, arrived_ms: u64| {
            let sent_us = (sent_ms as f64 * 1_000.0 * rate) as u64;
            transit.record(MonoTime::from_micros(sent_us), MonoTime::from_millis(arrived_ms))
        };
        for sent in (0..20_000).step_by(100) {
            record(sent, sent + 5);
        }
        let mut waited: Vec<u64> = (20_000..ends_ms).step_by(100).collect();
        if backwards {
            waited.reverse();
        }
        for sent in waited {
            let (delay, real) = (record(sent, ends_ms + 5).as_millis(), u128::from(ends_ms - sent));
            assert!(delay.abs_diff(real) < 40, "{delay} ms of {real} ms");
        }
        let after = record(ends_ms + 50, ends_ms + 55).as_millis();
        assert!(after < 40, "sent after the pause: {after} ms");
    }

    #[test]
    fn what_waited_for_a_reader_that_stood_still_is_late() {
        for backwards in [false, true] {
            check_pause(1.0, 3_000, backwards);
            check_pause(1.0, 300_000, backwards);
            check_pause(1.000_1, 300_000, backwards);
        }
    }

    #[test]
    fn absurd_stamps_do_not_panic() {
        let mut transit = Transit::default();
        for sent in [u64::MAX, 0, 1 << 63, 17, u64::MAX / 2] {
            for arrived in [0, u64::MAX, 5_000_000, 1 << 62] {
                transit.record(MonoTime::from_micros(sent), MonoTime::from_micros(arrived));
            }
        }
        assert!(transit.buckets.len() <= BUCKETS);
    }
}
