//! When the server begins to answer: once there is a plan where it waits for one, and every live target has a verdict or
//! the grace is over.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// How often a waiting thread looks whether to stop.
const LOOK: Duration = Duration::from_millis(100);

pub(crate) struct Readiness {
    state: Mutex<State>,
    wake: Condvar,
    grace_ends: Instant,
}

struct State {
    planned: bool,
    judged: bool,
}

impl Readiness {
    /// `planned`: no plan is waited for.
    #[expect(clippy::disallowed_methods, reason = "the grace after a start")]
    pub(crate) fn new(grace: Duration, planned: bool) -> Self {
        Self {
            state: Mutex::new(State {
                planned,
                judged: false,
            }),
            wake: Condvar::new(),
            grace_ends: Instant::now() + grace,
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the grace after a start")]
    pub(crate) fn is_ready(&self) -> bool {
        let state = self.state.lock();
        state.planned && (state.judged || Instant::now() >= self.grace_ends)
    }

    /// Every live target has a verdict.
    pub(crate) fn all_judged(&self) {
        self.state.lock().judged = true;
        self.wake.notify_all();
    }

    /// There is a plan.
    pub(crate) fn planned(&self) {
        self.state.lock().planned = true;
        self.wake.notify_all();
    }

    /// Waits until ready; false when told to stop before.
    #[expect(clippy::disallowed_methods, reason = "the grace after a start")]
    pub(crate) fn wait(&self, stopping: impl Fn() -> bool) -> bool {
        let mut state = self.state.lock();
        loop {
            if stopping() {
                return false;
            }
            let now = Instant::now();
            if state.planned && (state.judged || now >= self.grace_ends) {
                return true;
            }
            let until = match self.grace_ends {
                ends if now < ends => ends.min(now + LOOK),
                _ => now + LOOK,
            };
            self.wake.wait_until(&mut state, until);
        }
    }
}
