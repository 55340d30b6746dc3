//! PANIC for one address family: may anything be withdrawn now?
//!
//! A withdrawal needs a survivor that is positively healthy. When the whole family is down, the fault is more likely
//! near the observers; withdrawals then wait until some cluster has been positively healthy for [`SETTLE`], so that
//! the first to return does not get the traffic of all.

use std::time::Duration;

use lifeboat_health::{Cell, MonoTime, Verdict};

pub(crate) const SETTLE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct FamilyState {
    pub(super) total: bool,
    healthy_since: Option<MonoTime>,
}

/// What holds for a family at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    /// The whole family went down and nothing has come back for good.
    pub(crate) total: bool,
    pub(crate) may_withdraw: bool,
    pub(crate) survivors: usize,
    /// Only suppressed clusters are healthy: suppression does not count now.
    ignore_suppression: bool,
}

impl Judged {
    pub(crate) fn wants_out(&self, cell: &Cell) -> bool {
        cell.verdict == Verdict::Down || (cell.suppressed && !self.ignore_suppression)
    }
}

/// Known to be able to serve now.
pub(crate) fn healthy(cell: &Cell) -> bool {
    cell.positively_healthy && !cell.frozen && cell.verdict.serves()
}

impl FamilyState {
    pub(crate) fn judge(&mut self, now: MonoTime, cells: &[(&str, &Cell)]) -> Judged {
        let unsuppressed = cells
            .iter()
            .filter(|(_, cell)| healthy(cell) && !cell.suppressed)
            .count();
        let ignore_suppression = unsuppressed == 0;
        let survivors = if ignore_suppression {
            cells.iter().filter(|(_, cell)| healthy(cell)).count()
        } else {
            unsuppressed
        };
        if !cells.is_empty() && cells.iter().all(|(_, cell)| cell.current() == Verdict::Down) {
            self.total = true;
            self.healthy_since = None;
        } else if self.total {
            if survivors == 0 {
                self.healthy_since = None;
            } else if now.saturating_since(*self.healthy_since.get_or_insert(now)) >= SETTLE {
                self.total = false;
            }
        }
        Judged {
            total: self.total,
            may_withdraw: !self.total && survivors > 0,
            survivors,
            ignore_suppression,
        }
    }
}
