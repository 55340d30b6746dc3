//! Points on a monotonic clock, as numbers. Every pure core takes `now: MonoTime`; no core reads a clock.

use std::ops::Add;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Microseconds since an origin that is arbitrary and local to one process.
///
/// Two values compare only within the process that made them; nothing of this type is compared across machines.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct MonoTime(u64);

impl MonoTime {
    pub const ZERO: MonoTime = MonoTime(0);

    pub const fn from_micros(micros: u64) -> MonoTime {
        MonoTime(micros)
    }

    pub const fn from_millis(millis: u64) -> MonoTime {
        MonoTime(millis.saturating_mul(1_000))
    }

    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub const fn saturating_since(self, earlier: MonoTime) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// This point moved back by `by`, at most to the origin.
    pub fn saturating_sub(self, by: Duration) -> MonoTime {
        MonoTime(self.0.saturating_sub(micros(by)))
    }
}

impl Add<Duration> for MonoTime {
    type Output = MonoTime;

    fn add(self, by: Duration) -> MonoTime {
        MonoTime(self.0.saturating_add(micros(by)))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let t = MonoTime::from_millis(5);
        assert_eq!(t.saturating_since(MonoTime::from_millis(9)), Duration::ZERO);
        assert_eq!(
            (t + Duration::from_millis(2)).saturating_since(t),
            Duration::from_millis(2)
        );
        assert_eq!(t.saturating_sub(Duration::from_secs(1)), MonoTime::ZERO);
        assert_eq!(
            MonoTime::from_micros(u64::MAX) + Duration::from_secs(1),
            MonoTime::from_micros(u64::MAX)
        );
    }
}
