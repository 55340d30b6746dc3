//! Episodes: withdrawals that belong together. An episode starts with the first withdrawal and ends 10 s after the
//! last new Down; what was served just before it is the last good set of everything withdrawn in it.

use std::time::Duration;

use lifeboat_health::MonoTime;

/// How long after the last new Down an episode goes on.
pub(crate) const QUIET: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(crate) struct Episode {
    number: u32,
    /// The last new Down, or the withdrawal that began the episode; `None` when no episode is open.
    last_down: Option<MonoTime>,
}

impl Episode {
    /// Goes on counting where an earlier consumer of the same table left off.
    pub(crate) fn resume(&mut self, number: u32) {
        self.number = self.number.max(number);
    }

    /// A cluster has newly gone Down: an open episode goes on.
    pub(crate) fn note_down(&mut self, now: MonoTime) {
        if self.current(now).is_some() {
            self.last_down = Some(now);
        }
    }

    /// The number of the present episode, opening one if there is none.
    pub(crate) fn begin(&mut self, now: MonoTime) -> u32 {
        if self.current(now).is_none() {
            self.number = self.number.saturating_add(1);
            self.last_down = Some(now);
        }
        self.number
    }

    pub(crate) fn current(&self, now: MonoTime) -> Option<u32> {
        self.last_down
            .filter(|last| now.saturating_since(*last) < QUIET)
            .map(|_| self.number)
    }
}
