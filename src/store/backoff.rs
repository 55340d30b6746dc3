//! When something that failed is tried again: soon at first, then ever more rarely. Pure.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

/// Wait after the first failure; each further one doubles it.
const FIRST: Duration = Duration::from_millis(250);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(30);

/// What failed, by key, as far as it goes on failing. `V` is the version that failed: another one is tried at once.
pub struct Backoff<K, V> {
    failing: BTreeMap<K, Failing<V>>,
}

struct Failing<V> {
    version: V,
    message: String,
    wait: Duration,
    until: Instant,
}

impl<K, V> Default for Backoff<K, V> {
    fn default() -> Self {
        Self {
            failing: BTreeMap::new(),
        }
    }
}

impl<K: Ord, V: PartialEq> Backoff<K, V> {
    /// Whether it is too early to try this version again.
    pub fn waits(&self, key: &K, version: &V, now: Instant) -> bool {
        self.failing
            .get(key)
            .is_some_and(|failing| failing.version == *version && now < failing.until)
    }

    /// Takes note of a failure; true if it is news, and not what was said last time.
    pub fn failed(&mut self, key: K, version: V, message: String, now: Instant) -> bool {
        let held = self.failing.get(&key);
        let news = held.is_none_or(|held| held.message != message);
        let again = held.filter(|held| held.version == version);
        let wait = again.map_or(FIRST, |held| (held.wait * 2).min(LONGEST));
        let failing = Failing {
            version,
            message,
            wait,
            until: now + wait,
        };
        self.failing.insert(key, failing);
        news
    }

    /// It works.
    pub fn done(&mut self, key: &K) {
        self.failing.remove(key);
    }

    /// Forgets what nobody wants any more.
    pub fn retain(&mut self, wanted: impl Fn(&K) -> bool) {
        self.failing.retain(|key, _| wanted(key));
    }

    /// Why it failed last, while it fails.
    pub fn message(&self, key: &K) -> Option<&str> {
        self.failing.get(key).map(|failing| failing.message.as_str())
    }

    /// When the next of them is due.
    pub fn next(&self) -> Option<Instant> {
        self.failing.values().map(|failing| failing.until).min()
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "some moment to count from")]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_a_limit_and_begins_anew_with_another_version() {
        let (mut backoff, mut now) = (Backoff::default(), Instant::now());
        for expected in [250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000_u64] {
            backoff.failed("a", 1, "no".to_owned(), now);
            let due = now + Duration::from_millis(expected);
            assert_eq!(backoff.next(), Some(due));
            assert!(backoff.waits(&"a", &1, due - Duration::from_millis(1)));
            assert!(!backoff.waits(&"a", &1, due) && !backoff.waits(&"a", &2, now));
            now = due;
        }
        backoff.failed("a", 2, "no".to_owned(), now);
        assert_eq!(backoff.next(), Some(now + FIRST));
    }

    #[test]
    fn the_same_failure_is_news_once() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        assert!(backoff.failed("a", 1, "no".to_owned(), now));
        assert!(!backoff.failed("a", 2, "no".to_owned(), now));
        assert!(backoff.failed("a", 2, "still no".to_owned(), now));
        backoff.done(&"a");
        assert_eq!((backoff.message(&"a"), backoff.next()), (None, None));
        assert!(backoff.failed("a", 2, "still no".to_owned(), now));
    }
}
