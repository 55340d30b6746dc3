//! The one place where this crate reads the machine's monotonic clock.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::MonoTime;

static ORIGIN: OnceLock<Instant> = OnceLock::new();

/// Reads monotonic time. All clocks of one process share one origin, so their readings compare.
#[derive(Clone, Copy, Debug)]
pub struct MonoClock {
    origin: Instant,
}

impl MonoClock {
    #[expect(clippy::disallowed_methods, reason = "the one source of monotonic time")]
    pub fn new() -> MonoClock {
        MonoClock {
            origin: *ORIGIN.get_or_init(Instant::now),
        }
    }

    pub fn now(&self) -> MonoTime {
        MonoTime::ZERO + self.origin.elapsed()
    }

    /// The instant a point stands for, for timers.
    pub fn instant(&self, at: MonoTime) -> Instant {
        self.origin + Duration::from_micros(at.as_micros())
    }
}

impl Default for MonoClock {
    fn default() -> MonoClock {
        MonoClock::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the one source of monotonic time")]
    fn clocks_share_an_origin_and_never_step_back() {
        let (a, b) = (MonoClock::new(), MonoClock::new());
        let first = a.now();
        let second = b.now();
        assert!(second >= first);
        assert!(a.instant(first) <= Instant::now());
    }
}
