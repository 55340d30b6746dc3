//! How fast a cluster that came back gets its traffic again.

use std::time::Duration;

use super::FULL;

/// A cluster that returns starts at one step and gains one every `per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ramp {
    /// Share of the plan weight gained in each step, in thousandths; 1000 is no ramp.
    pub step_permille: u32,
    /// Time between two steps.
    pub per: Duration,
    /// A step takes at least the longest TTL of the names that use the cluster.
    pub at_least_ttl: bool,
}

impl Default for Ramp {
    /// 10 % per max(TTL, 30 s).
    fn default() -> Self {
        Self {
            step_permille: 100,
            per: Duration::from_secs(30),
            at_least_ttl: true,
        }
    }
}

impl Ramp {
    pub(crate) fn step_millionths(&self) -> u32 {
        self.step_permille.saturating_mul(1_000).clamp(1, FULL)
    }

    pub(crate) fn per_step(&self, ttl_s: u32) -> Duration {
        if self.at_least_ttl {
            self.per.max(Duration::from_secs(ttl_s.into()))
        } else {
            self.per
        }
    }
}
