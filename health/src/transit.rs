//! Finds datagrams that were delayed on their way, without comparing two machines' clocks.
//!
//! `arrival − sent_at` is the difference of two clocks plus the way's delay. Its lowest value of the last
//! seconds is
//! the undelayed one; what lies above that is delay. Clocks that run at different rates tilt that floor, so the
//! floor is a line: its slope is the median over all pairs of half-second minima (Theil and Sen), which a sudden
//! delay does not move.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::MonoTime;

const BUCKET_US: u64 = 500_000;
const BUCKETS: usize = 10;
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

    fn project(&self, lowest: &Lowest, to_us: u64) -> f64 {
        lowest.offset_us as f64 + self.slope * to_us.saturating_sub(lowest.arrived_us) as f64
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
                self.buckets.push_back(sample);
                let oldest = sample.bucket.saturating_sub(BUCKETS as u64);
                self.buckets
                    .retain(|lowest| lowest.bucket > oldest || lowest.bucket == sample.bucket);
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
        slopes.sort_by(f64::total_cmp);
        let median = slopes.get(slopes.len() / 2).copied().unwrap_or(0.0);
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

    /// Sends each 100 ms for 20 s from a clock that is `offset_ms` off and runs `rate` times as fast; the
    /// datagram sent
    /// at 15 s is `delay_ms` late. Answers with (its excess, the largest of all others after the first 4 s), in ms.
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

    #[test]
    fn absurd_stamps_do_not_panic() {
        let mut transit = Transit::default();
        for sent in [u64::MAX, 0, 1 << 63, 17, u64::MAX / 2] {
            for arrived in [0, u64::MAX, 5_000_000, 1 << 62] {
                transit.record(MonoTime::from_micros(sent), MonoTime::from_micros(arrived));
            }
        }
        assert!(transit.buckets.len() <= BUCKETS + 1);
    }
}
