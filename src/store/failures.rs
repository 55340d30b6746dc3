//! How a watch that fails is tried again: soon at first, then more rarely, and told when that changes. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// Wait after the first failure; each further one doubles it.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait. Short, for what a watch keeps current must follow soon after its server returns.
const LONGEST: Duration = Duration::from_secs(2);
/// What worked for less than this has not recovered: a server may list and not watch.
const SETTLED: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Failures {
    /// After the last failure; none before the first.
    wait: Option<Duration>,
    works_since: Option<Instant>,
    told_of_recovery: bool,
}

impl Failures {
    /// It failed: how long to wait, and whether that is news.
    pub(super) fn failed(&mut self, now: Instant) -> (Duration, bool) {
        let worked = self.works_since.take().map(|since| now.duration_since(since));
        let going_on = self.wait.filter(|_| worked.is_none_or(|worked| worked < SETTLED));
        let wait = going_on.map_or(FIRST, |held| (held * 2).min(LONGEST));
        self.wait = Some(wait);
        if going_on.is_none() {
            self.told_of_recovery = false;
        }
        (wait, going_on.is_none())
    }

    /// It works: whether that is news.
    pub(super) fn works(&mut self, now: Instant) -> bool {
        self.works_since.get_or_insert(now);
        let news = self.wait.is_some() && !self.told_of_recovery;
        self.told_of_recovery = true;
        news
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "some moment to count from")]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_news_once_and_the_wait_grows_to_a_limit() {
        let (mut failures, begin) = (Failures::default(), Instant::now());
        let at = |ms| begin + Duration::from_millis(ms);
        let wait = Duration::from_millis;
        assert!(!failures.works(at(0)), "it never failed");
        assert_eq!(failures.failed(at(0)), (wait(500), true));
        assert_eq!(failures.failed(at(500)), (wait(1_000), false));
        assert_eq!(failures.failed(at(1_500)), (wait(2_000), false));
        assert_eq!(failures.failed(at(3_500)), (wait(2_000), false));
        assert!(failures.works(at(5_500)));
        assert!(!failures.works(at(6_000)));
        // It worked for too short a time to be anything else than the same failure.
        assert_eq!(failures.failed(at(15_400)), (wait(2_000), false));
        assert!(!failures.works(at(17_500)));
        assert_eq!(failures.failed(at(27_500)), (wait(500), true));
        assert!(failures.works(at(28_000)));
    }

    #[test]
    fn the_first_failure_is_news_however_soon_it_comes() {
        let (mut failures, now) = (Failures::default(), Instant::now());
        failures.works(now);
        assert_eq!(failures.failed(now), (FIRST, true));
        assert_eq!(failures.failed(now), (2 * FIRST, false));
        assert!(failures.works(now));
    }
}
