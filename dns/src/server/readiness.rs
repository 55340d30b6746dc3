//! When the server begins to answer: once every live target has a verdict, or when the grace is over.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// How often a waiting thread looks whether to stop.
const LOOK: Duration = Duration::from_millis(100);

pub(crate) struct Readiness {
    judged: Mutex<bool>,
    wake: Condvar,
    grace_ends: Instant,
}

impl Readiness {
    #[expect(clippy::disallowed_methods, reason = "the grace after a start")]
    pub(crate) fn new(grace: Duration) -> Self {
        Self {
            judged: Mutex::new(false),
            wake: Condvar::new(),
            grace_ends: Instant::now() + grace,
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the grace after a start")]
    pub(crate) fn is_ready(&self) -> bool {
        Instant::now() >= self.grace_ends || *self.judged.lock()
    }

    /// Every live target has a verdict.
    pub(crate) fn all_judged(&self) {
        *self.judged.lock() = true;
        self.wake.notify_all();
    }

    /// Waits until ready; false when told to stop before.
    #[expect(clippy::disallowed_methods, reason = "the grace after a start")]
    pub(crate) fn wait(&self, stopping: impl Fn() -> bool) -> bool {
        let mut judged = self.judged.lock();
        loop {
            if stopping() {
                return false;
            }
            let now = Instant::now();
            if *judged || now >= self.grace_ends {
                return true;
            }
            self.wake.wait_until(&mut judged, self.grace_ends.min(now + LOOK));
        }
    }
}
