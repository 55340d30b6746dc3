//! Whether a consumer can decide anything.

use std::time::Duration;

use lifeboat_health::{FleetView, MonoTime};

/// How long it must be so before it is told: a start, or one late round, is nothing to tell.
const LASTS: Duration = Duration::from_secs(1);

/// What was told of one consumer.
#[derive(Default)]
pub(super) struct Freezing {
    since: Option<MonoTime>,
    told: bool,
}

/// Something to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Every verdict stands as it is.
    Freezes,
    Decides,
}

impl Freezing {
    pub(super) fn look(&mut self, now: MonoTime, frozen: bool) -> Option<Change> {
        if !frozen {
            self.since = None;
            return std::mem::take(&mut self.told).then_some(Change::Decides);
        }
        let since = *self.since.get_or_insert(now);
        if self.told || now.saturating_since(since) < LASTS {
            return None;
        }
        self.told = true;
        Some(Change::Freezes)
    }
}

/// Nothing can be decided about any cluster.
pub(super) fn is_frozen(view: &FleetView) -> bool {
    !view.cells.is_empty() && view.cells.values().all(|cell| cell.frozen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_told_once_and_so_is_its_end() {
        let at = |ms| MonoTime::ZERO + Duration::from_millis(ms);
        let mut freezing = Freezing::default();
        let seen = [
            (0, true),
            (900, true),
            (950, false),
            (1_000, true),
            (1_999, true),
            (2_000, true),
            (5_000, true),
            (5_100, false),
            (5_200, false),
        ];
        let told: Vec<(u64, Change)> = seen
            .into_iter()
            .filter_map(|(ms, frozen)| Some((ms, freezing.look(at(ms), frozen)?)))
            .collect();
        assert_eq!(told, [(2_000, Change::Freezes), (5_100, Change::Decides)]);
    }
}
