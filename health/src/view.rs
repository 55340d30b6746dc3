//! The whole of what one consumer believes at one moment, for everyone who reads verdicts.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::gray::GrayState;
use crate::loss::LossEstimate;
use crate::profile::{ProbesOtherwise, ProfilePatch};
use crate::region::{PartialOutage, RegionView};
use crate::target::{Family, Path};
use crate::time::MonoTime;
use crate::verdict::{Transition, Verdict};

/// Key of a cell: (cluster, path, family).
pub type CellKey = (String, Path, Family);

/// One consumer's beliefs about every target and every observer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FleetView {
    /// When the view was made, on the consumer's clock.
    pub at: MonoTime,
    #[serde(serialize_with = "cells_as_list")]
    pub cells: BTreeMap<CellKey, Cell>,
    /// By name.
    pub observers: Vec<ObserverView>,
}

/// What is believed about one target.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cell {
    /// The last verdict reached; it stands while `frozen`.
    pub verdict: Verdict,
    /// Too few fresh observers to decide anything: no transition, no eviction, no change of weight.
    pub frozen: bool,
    /// At least q fresh votes Clear now.
    pub positively_healthy: bool,
    /// Kept out of rotation for flapping, whatever the verdict.
    pub suppressed: bool,
    /// Since when the verdict stands.
    pub since: MonoTime,
    pub votes: Votes,
    /// Observers with a fresh row who do not abstain.
    pub fresh: u32,
    /// Votes that a decision needs now.
    pub q: u32,
    /// Median of the fresh observers' round-trip times.
    pub rtt_ms: Option<f64>,
    /// Flap penalty, decayed to `FleetView::at`.
    pub penalty: f64,
    /// Downs since the penalty was last below the profile's `flapRelease`.
    pub downs: u32,
    /// Gray failure; of the traffic path only.
    pub gray: GrayState,
    /// What the observers of each region say, in order of the regions. Shared: views are made many times a second, and this
    /// seldom changes.
    #[serde(serialize_with = "as_list")]
    pub regions: Arc<[RegionView]>,
    /// Some regions reach it and others do not. Changes no verdict.
    pub partial: Option<PartialOutage>,
    /// What its probes lose while it is up; `None` before the first sample.
    pub losses: Option<LossEstimate>,
    /// When the penalty has decayed to `flapRelease`, on the consumer's clock, if no Down follows.
    pub release_at: MonoTime,
    /// The cluster's override of the fleet's profile, where it has one that is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detection: Option<Box<ProfilePatch>>,
}

impl Cell {
    /// Whether traffic may go there: not Down, not suppressed.
    pub fn usable(&self) -> bool {
        self.verdict.serves() && !self.suppressed
    }

    /// The verdict for those who must not act on an old one: Unknown while frozen.
    pub fn current(&self) -> Verdict {
        if self.frozen {
            Verdict::Unknown
        } else {
            self.verdict
        }
    }
}

/// Votes by kind; they add up to the observers that ever sent a row for this target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Votes {
    pub clear: u32,
    pub suspect: u32,
    pub dead: u32,
    /// Stale rows, observers that abstain, rows without an opinion yet.
    pub abstain: u32,
}

/// What is known about one observer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObserverView {
    pub name: String,
    pub region: String,
    /// A datagram of which anything counts arrived within the profile's `freshMs`.
    pub fresh: bool,
    /// The observer's own self-check failed.
    pub abstaining: bool,
    /// Since its last datagram.
    pub age_ms: u32,
    /// Datagrams accepted.
    pub datagrams: u64,
    /// Gaps in its sequence.
    pub lost: u64,
    /// The longest silence in its fresh rows, in misses, over all targets.
    pub longest_silence: u32,
    /// It probes otherwise than this consumer's profile says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probes_otherwise: Option<ProbesOtherwise>,
}

impl FleetView {
    pub fn cell(&self, cluster: &str, path: Path, family: Family) -> Option<&Cell> {
        self.cells.get(&(cluster.to_owned(), path, family))
    }

    /// The verdict on one path, for every decision about replicas and about weights in plans: Down only where each family that is probed is
    /// known to be Down now. A family that is frozen, or was never decided, may well be reached by users: it leaves the path Unknown,
    /// and what is Unknown is never grounds to evict.
    pub fn path_verdict(&self, cluster: &str, path: Path) -> Verdict {
        self.better_family(cluster, path)
            .map_or(Verdict::Unknown, Cell::current)
    }

    /// The cell that [`FleetView::path_verdict`] is of.
    pub fn better_family(&self, cluster: &str, path: Path) -> Option<&Cell> {
        let (v4, v6) = (
            self.cell(cluster, path, Family::V4),
            self.cell(cluster, path, Family::V6),
        );
        match (v4, v6) {
            (Some(a), Some(b)) if a.current().better(b.current()) == a.current() => Some(a),
            (_, Some(b)) => Some(b),
            (a, None) => a,
        }
    }

    /// The partial outage of a path: of the family that is used for decisions about replicas, or else of the other.
    pub fn partial_outage(&self, cluster: &str, path: Path) -> Option<&PartialOutage> {
        let better = self
            .better_family(cluster, path)
            .and_then(|cell| cell.partial.as_ref());
        better.or_else(|| {
            [Family::V4, Family::V6]
                .into_iter()
                .find_map(|family| self.cell(cluster, path, family)?.partial.as_ref())
        })
    }

    /// Names of all clusters with a cell, in order, each once.
    pub fn clusters(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .cells
            .keys()
            .map(|(cluster, _, _)| cluster.as_str())
            .collect();
        names.dedup();
        names
    }
}

/// Receives every poll of a consumer, on the consumer's own thread. What it does must be short.
pub trait VerdictSink: Send {
    fn tick(&mut self, now: MonoTime, transitions: &[Transition], view: &FleetView);
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
    cluster: &'a str,
    path: Path,
    family: Family,
    #[serde(flatten)]
    cell: &'a Cell,
}

fn as_list<S: Serializer>(regions: &Arc<[RegionView]>, serializer: S) -> Result<S::Ok, S::Error> {
    regions.serialize(serializer)
}

fn cells_as_list<S: Serializer>(cells: &BTreeMap<CellKey, Cell>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(cells.iter().map(|((cluster, path, family), cell)| Listed {
        cluster,
        path: *path,
        family: *family,
        cell,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_json_with_named_cells() {
        let mut view = FleetView::default();
        view.cells
            .insert(("a".into(), Path::Traffic, Family::V4), Cell::default());
        let json = serde_json::to_value(&view).unwrap();
        assert_eq!(json["cells"][0]["cluster"], "a");
        assert_eq!(json["cells"][0]["family"], "ipv4");
        assert_eq!(json["cells"][0]["verdict"], "Unknown");
    }

    #[test]
    fn a_path_is_down_only_where_no_family_may_be_alive() {
        use Verdict::{Down, Recovering, Suspect, Unknown, Up};
        let check = |families: &[(Family, Verdict, bool)], expected| {
            let mut view = FleetView::default();
            for (family, verdict, frozen) in families {
                let cell = Cell {
                    verdict: *verdict,
                    frozen: *frozen,
                    ..Cell::default()
                };
                view.cells.insert(("a".into(), Path::Traffic, *family), cell);
            }
            assert_eq!(view.path_verdict("a", Path::Traffic), expected, "{families:?}");
        };
        check(&[], Unknown);
        for family in [Family::V4, Family::V6] {
            check(&[(family, Down, false)], Down);
            check(&[(family, Down, true)], Unknown);
        }
        let both = |one: (Verdict, bool), other: (Verdict, bool), expected| {
            for (v4, v6) in [(one, other), (other, one)] {
                check(&[(Family::V4, v4.0, v4.1), (Family::V6, v6.0, v6.1)], expected);
            }
        };
        both((Down, false), (Down, false), Down);
        for held in [Up, Down, Suspect, Recovering, Unknown] {
            both((Down, false), (held, true), Unknown);
        }
        both((Down, false), (Unknown, false), Unknown);
        for alive in [Up, Suspect, Recovering] {
            both((Down, false), (alive, false), alive);
            both((Down, true), (alive, false), alive);
        }
    }

    #[test]
    fn the_better_family_is_shown() {
        let mut view = FleetView::default();
        let cell = |verdict, frozen| Cell {
            verdict,
            frozen,
            ..Cell::default()
        };
        view.cells.insert(
            ("a".into(), Path::Traffic, Family::V4),
            cell(Verdict::Down, false),
        );
        view.cells
            .insert(("a".into(), Path::Traffic, Family::V6), cell(Verdict::Up, false));
        assert_eq!(
            view.better_family("a", Path::Traffic).unwrap().verdict,
            Verdict::Up
        );
        view.cells
            .insert(("a".into(), Path::Traffic, Family::V6), cell(Verdict::Down, true));
        assert!(
            view.better_family("a", Path::Traffic).unwrap().frozen,
            "a frozen family is not known to be down"
        );
        assert_eq!(view.better_family("b", Path::Traffic), None);
        assert_eq!(view.clusters(), ["a"]);
    }
}
