//! What the two brakes look at: PANIC of the DNS tier and FREEZE of the eviction tier. The tiers apply them.

use std::collections::BTreeSet;

use crate::target::{Family, Path};
use crate::verdict::Verdict;
use crate::view::FleetView;

/// How many of a fleet's clusters are Down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DownShare {
    pub down: u32,
    pub all: u32,
}

impl DownShare {
    /// More than `percent` of at least three clusters, or every one.
    pub fn exceeds(self, percent: u32) -> bool {
        let share = u64::from(self.down) * 100 > u64::from(self.all) * u64::from(percent);
        (share && self.all >= 3) || (self.down == self.all && self.all > 0)
    }
}

impl FleetView {
    /// Clusters that stay in and are positively healthy on the traffic path of one family. None of them: PANIC. One that is
    /// suppressed for flapping counts where it stays in, as it does while nobody else is positively healthy.
    pub fn survivors(&self, family: Family, withdrawn: &BTreeSet<&str>) -> Vec<&str> {
        self.cells
            .iter()
            .filter(|((cluster, path, its_family), cell)| {
                *path == Path::Traffic
                    && *its_family == family
                    && cell.positively_healthy
                    && cell.verdict.serves()
                    && !withdrawn.contains(cluster.as_str())
            })
            .map(|((cluster, _, _), _)| cluster.as_str())
            .collect()
    }

    /// The share of clusters that are Down on one path or both, better family of each; frozen ones are not.
    pub fn down_share(&self) -> DownShare {
        let mut share = DownShare { down: 0, all: 0 };
        let (mut cluster, mut cluster_down) = (None, false);
        // Cells are in order of cluster, path, family: both families of a path stand beside each other.
        let mut cells = self.cells.iter().peekable();
        while let Some(((name, path, _), cell)) = cells.next() {
            if cluster != Some(name) {
                share.all += 1;
                (cluster, cluster_down) = (Some(name), false);
            }
            let mut verdict = cell.current();
            while let Some((_, other)) = cells.next_if(|((its, of, _), _)| its == name && of == path) {
                verdict = verdict.better(other.current());
            }
            if verdict == Verdict::Down && !cluster_down {
                share.down += 1;
                cluster_down = true;
            }
        }
        share
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Cell;

    fn view(cells: &[(&str, Path, Verdict, bool)]) -> FleetView {
        let mut view = FleetView::default();
        for (cluster, path, verdict, positively_healthy) in cells {
            let cell = Cell {
                verdict: *verdict,
                positively_healthy: *positively_healthy,
                ..Cell::default()
            };
            view.cells.insert(((*cluster).into(), *path, Family::V4), cell);
        }
        view
    }

    #[test]
    fn survivors_are_positively_healthy_and_stay_in() {
        let view = view(&[
            ("a", Path::Traffic, Verdict::Up, true),
            ("b", Path::Traffic, Verdict::Up, false),
            ("c", Path::Traffic, Verdict::Down, false),
            ("d", Path::Control, Verdict::Up, true),
            ("e", Path::Traffic, Verdict::Up, true),
        ]);
        assert_eq!(view.survivors(Family::V4, &BTreeSet::from(["e"])), ["a"]);
        assert!(view.survivors(Family::V6, &BTreeSet::new()).is_empty());
    }

    #[test]
    fn one_that_is_suppressed_survives_where_it_stays_in() {
        let mut view = view(&[
            ("a", Path::Traffic, Verdict::Recovering, true),
            ("b", Path::Traffic, Verdict::Up, false),
        ]);
        let flapping = view.cells.values_mut().next().unwrap();
        flapping.suppressed = true;
        assert_eq!(view.survivors(Family::V4, &BTreeSet::new()), ["a"]);
        assert!(view.survivors(Family::V4, &BTreeSet::from(["a"])).is_empty());
    }

    #[test]
    fn a_cluster_looks_down_by_either_path() {
        let view = view(&[
            ("a", Path::Traffic, Verdict::Down, false),
            ("a", Path::Control, Verdict::Down, false),
            ("b", Path::Traffic, Verdict::Down, false),
            ("b", Path::Control, Verdict::Up, true),
            ("c", Path::Traffic, Verdict::Suspect, false),
        ]);
        assert_eq!(view.down_share(), DownShare { down: 2, all: 3 });
    }

    #[test]
    fn the_share_counts_from_three_clusters() {
        let check =
            |down, all, expected| assert_eq!(DownShare { down, all }.exceeds(55), expected, "{down}/{all}");
        check(1, 2, false);
        check(2, 2, true);
        check(1, 3, false);
        check(2, 3, true);
        check(3, 6, false);
        check(4, 6, true);
        check(11, 20, false);
        check(12, 20, true);
        check(0, 0, false);
    }
}
