//! How fast replicas may be evicted: one token bucket for the fleet, whoever leads.
//!
//! The bucket's content is stored in an API object and changed with preconditions, so leaders share it.
//! Its age is not stored: clocks do not cross machines, so a new leader goes on with what it finds there.

use std::time::Duration;

use lifeboat_health::MonoTime;
use serde::{Deserialize, Serialize};

/// Evictions that may be started now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Tokens(pub u32);

/// Rate and burst of evictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rate {
    pub per_second: u32,
    pub burst: u32,
}

impl Default for Rate {
    fn default() -> Self {
        Self {
            per_second: 100,
            burst: 200,
        }
    }
}

/// What is stored: thousandths of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stored {
    pub milli_tokens: u64,
}

/// A leader's view of the stored bucket.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    rate: Rate,
    milli_tokens: u64,
    filled_at: MonoTime,
}

impl Bucket {
    /// A fleet's first bucket is full.
    pub fn full(rate: Rate, now: MonoTime) -> Self {
        Self::resume(
            rate,
            Stored {
                milli_tokens: u64::MAX,
            },
            now,
        )
    }

    /// Goes on with a bucket another leader, or an earlier life of this one, has stored.
    pub fn resume(rate: Rate, stored: Stored, now: MonoTime) -> Self {
        Self {
            rate,
            milli_tokens: stored.milli_tokens.min(u64::from(rate.burst) * 1000),
            filled_at: now,
        }
    }

    /// What was gained so far was gained at the old rate.
    pub fn set_rate(&mut self, rate: Rate, now: MonoTime) {
        self.tokens(now);
        self.rate = rate;
        self.milli_tokens = self.milli_tokens.min(u64::from(rate.burst) * 1000);
    }

    /// Fills up for the time gone by and says what may be spent.
    pub fn tokens(&mut self, now: MonoTime) -> Tokens {
        let elapsed_ms = now.saturating_since(self.filled_at).as_millis();
        let gained = u64::try_from(elapsed_ms)
            .unwrap_or(u64::MAX)
            .saturating_mul(u64::from(self.rate.per_second));
        self.milli_tokens = self
            .milli_tokens
            .saturating_add(gained)
            .min(u64::from(self.rate.burst) * 1000);
        // Whole milliseconds were counted; the rest of this one counts next time.
        self.filled_at = self.filled_at + Duration::from_millis(u64::try_from(elapsed_ms).unwrap_or(0));
        Tokens(u32::try_from(self.milli_tokens / 1000).unwrap_or(u32::MAX))
    }

    /// Takes `count` tokens; false, and nothing taken, when there are not as many.
    pub fn take(&mut self, count: u32, now: MonoTime) -> bool {
        let enough = self.tokens(now) >= Tokens(count);
        if enough {
            self.milli_tokens -= u64::from(count) * 1000;
        }
        enough
    }

    pub fn stored(&self) -> Stored {
        Stored {
            milli_tokens: self.milli_tokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> MonoTime {
        MonoTime::from_micros(ms * 1000)
    }

    #[test]
    fn fills_at_its_rate_up_to_the_burst() {
        let mut bucket = Bucket::full(
            Rate {
                per_second: 10,
                burst: 20,
            },
            at(0),
        );
        assert!(bucket.take(20, at(0)));
        assert!(!bucket.take(1, at(99)));
        assert!(bucket.take(1, at(100)));
        assert_eq!(bucket.tokens(at(1_100)), Tokens(10));
        assert_eq!(bucket.tokens(at(60_000)), Tokens(20));
    }

    #[test]
    fn a_refused_take_costs_nothing() {
        let mut bucket = Bucket::full(
            Rate {
                per_second: 1,
                burst: 5,
            },
            at(0),
        );
        assert!(!bucket.take(6, at(0)));
        assert_eq!(bucket.tokens(at(0)), Tokens(5));
    }

    #[test]
    fn a_new_leader_does_not_get_a_second_budget() {
        let rate = Rate {
            per_second: 10,
            burst: 20,
        };
        let mut first = Bucket::full(rate, at(0));
        assert!(first.take(20, at(0)));
        let mut second = Bucket::resume(rate, first.stored(), at(7_000_000));
        assert_eq!(second.tokens(at(7_000_000)), Tokens(0));
    }

    #[test]
    fn time_that_runs_backwards_gives_nothing() {
        let mut bucket = Bucket::full(
            Rate {
                per_second: 1000,
                burst: 1,
            },
            at(1000),
        );
        assert!(bucket.take(1, at(1000)));
        assert_eq!(bucket.tokens(at(0)), Tokens(0));
    }
}
