//! When a target's next probe is due: every T with jitter, and every so often one on a fresh connection.

use std::time::Duration;

use crate::profile::Profile;
use crate::time::MonoTime;

/// The timetable of one target's probes. Draws come from outside; any 64 random bits will do.
#[derive(Clone, Debug)]
pub struct Schedule {
    interval_us: u64,
    jitter_us: u64,
    fresh_every: u64,
    count: u64,
    due: MonoTime,
}

impl Schedule {
    /// The first probe is due within one T of `now`, so that the targets of one observer spread over it.
    pub fn new(profile: &Profile, now: MonoTime, draw: u64) -> Schedule {
        let interval_us = u64::from(profile.interval_ms) * 1_000;
        let fresh_every = u64::from(profile.fresh_every.max(1));
        Schedule {
            interval_us,
            jitter_us: interval_us * u64::from(profile.jitter_percent) / 100,
            fresh_every,
            count: (draw >> 32) % fresh_every,
            due: now + Duration::from_micros(below(draw, interval_us)),
        }
    }

    pub fn due(&self) -> MonoTime {
        self.due
    }

    /// The probe that was due has been sent: whether one on a fresh connection goes with it, and when the next
    /// is due.
    ///
    /// Probes that a late loop did not send are skipped, not sent in a burst.
    pub fn advance(&mut self, now: MonoTime, draw: u64) -> bool {
        let fresh = self.count.is_multiple_of(self.fresh_every);
        self.count = self.count.wrapping_add(1);
        let interval = self.interval_us - self.jitter_us + below(draw, 2 * self.jitter_us + 1);
        let next = self.due + Duration::from_micros(interval);
        self.due = if next < now {
            now + Duration::from_micros(below(draw, self.interval_us))
        } else {
            next
        };
        fresh
    }
}

/// `draw` mapped onto `0..bound`, without the modulo's bias.
fn below(draw: u64, bound: u64) -> u64 {
    let scaled = (u128::from(crate::target::mix(draw)) * u128::from(bound)) >> 64;
    u64::try_from(scaled).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_in_ten_goes_with_a_fresh_connection() {
        let mut schedule = Schedule::new(&Profile::fast(), MonoTime::ZERO, 99);
        let fresh = (0..100)
            .filter(|draw| schedule.advance(schedule.due(), *draw))
            .count();
        assert_eq!(fresh, 10);
    }

    #[test]
    fn the_mean_interval_is_t() {
        let mut schedule = Schedule::new(&Profile::fast(), MonoTime::ZERO, 5);
        let start = schedule.due();
        for draw in 0..10_000 {
            schedule.advance(schedule.due(), draw);
        }
        let mean = schedule.due().saturating_since(start).as_micros() / 10_000;
        assert!((99_500..100_500).contains(&mean), "{mean} µs");
    }

    #[test]
    fn a_pause_is_not_followed_by_a_burst() {
        let mut schedule = Schedule::new(&Profile::fast(), MonoTime::ZERO, 5);
        let resumed = MonoTime::from_millis(10_000);
        schedule.advance(resumed, 1);
        assert!(schedule.due() >= resumed && schedule.due() < resumed + Duration::from_millis(100));
    }

    proptest! {
        #[test]
        fn jitter_is_ten_percent_to_either_side(first in any::<u64>(), draws in proptest::collection::vec(any::<u64>(), 1..50)) {
            let mut schedule = Schedule::new(&Profile::fast(), MonoTime::from_millis(7), first);
            prop_assert!(schedule.due() < MonoTime::from_millis(107));
            for draw in draws {
                let before = schedule.due();
                schedule.advance(before, draw);
                let interval = schedule.due().saturating_since(before).as_millis();
                prop_assert!((90..=110).contains(&interval));
            }
        }
    }
}
