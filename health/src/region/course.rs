//! The partial outage that is in force: a region is cut off once it has not reached the target for `partialAfterMs` while
//! another did, and no longer once that has ceased for as long. Who is more than half way there when another changes, changes
//! with it.

use std::fmt;

use serde::Serialize;

use super::{Reach, RegionView};
use crate::profile::Profile;
use crate::time::MonoTime;

/// A target that some regions reach and others do not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartialOutage {
    /// Since when there is one, whichever its regions.
    pub since: MonoTime,
    /// Regions that reached it when the cut-off ones last changed, in order.
    pub reached: Vec<String>,
    /// Regions that are cut off, in order.
    pub not_reached: Vec<String>,
}

impl fmt::Display for PartialOutage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (reached, not_reached) = (self.reached.join(", "), self.not_reached.join(", "));
        write!(f, "not reached from {not_reached}; reached from {reached}")
    }
}

/// One target's cut-off regions over time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Course {
    /// Regions that are cut off, or may soon be; in order.
    latches: Vec<Latch>,
    standing: Option<PartialOutage>,
}

#[derive(Clone, Debug)]
struct Latch {
    region: String,
    cut_off: bool,
    /// The opposite is found now.
    other_now: bool,
    /// Since when the opposite is found; what cannot be told in between does not count.
    other_since: Option<MonoTime>,
}

impl Course {
    pub(crate) fn standing(&self) -> Option<&PartialOutage> {
        self.standing.as_ref()
    }

    /// Nothing is cut off, nor about to be.
    pub(crate) fn is_idle(&self) -> bool {
        self.latches.is_empty()
    }

    /// Too few observers are fresh to say anything: what stands stays, and whatever was about to change begins anew.
    pub(crate) fn pause(&mut self) {
        self.latches.retain_mut(|latch| {
            latch.other_since = None;
            latch.cut_off
        });
    }

    /// Take in what the regions see now; whether the outage in force changed.
    pub(crate) fn step(&mut self, views: &[RegionView], now: MonoTime, profile: &Profile) -> bool {
        for view in views.iter().filter(|view| view.reach == Reach::NotReached) {
            let at = self.latches.partition_point(|latch| latch.region < view.region);
            if self
                .latches
                .get(at)
                .is_none_or(|latch| latch.region != view.region)
            {
                let latch = Latch {
                    region: view.region.clone(),
                    cut_off: false,
                    other_now: false,
                    other_since: None,
                };
                self.latches.insert(at, latch);
            }
        }
        for latch in &mut self.latches {
            let found = is_cut_off(&latch.region, views);
            latch.other_now = found.is_some_and(|found| found != latch.cut_off);
            if found.is_some() {
                latch.other_since = latch.other_now.then(|| latch.other_since.unwrap_or(now));
            }
        }
        let due = |latch: &Latch, after| {
            let since = latch.other_since.filter(|_| latch.other_now);
            since.is_some_and(|since| now.saturating_since(since) >= after)
        };
        let any_due = self
            .latches
            .iter()
            .any(|latch| due(latch, profile.partial_after()));
        // Regions that are cut off together are told together.
        let turns = |latch: &Latch| any_due && due(latch, profile.partial_after() / 2);
        let changed = any_due && {
            let cut_off = self.latches.iter().filter(|latch| latch.cut_off != turns(latch));
            self.stand(cut_off.map(|latch| latch.region.clone()).collect(), views, now)
        };
        for latch in &mut self.latches {
            if changed && turns(latch) {
                (latch.cut_off, latch.other_since) = (!latch.cut_off, None);
            }
        }
        self.latches
            .retain(|latch| latch.cut_off || latch.other_since.is_some());
        changed
    }

    /// Tell it so, unless no other region reaches the target at this moment: that is not known to be a partial outage, nor to be
    /// none. It is told once a region does, or once none of them counts as cut off.
    fn stand(&mut self, not_reached: Vec<String>, views: &[RegionView], now: MonoTime) -> bool {
        if not_reached.is_empty() {
            self.standing = None;
            return true;
        }
        let reached = views
            .iter()
            .filter(|view| view.reach == Reach::Reached && !not_reached.contains(&view.region));
        let reached: Vec<String> = reached.map(|view| view.region.clone()).collect();
        let told = !reached.is_empty();
        if told {
            let since = self.standing.as_ref().map_or(now, |standing| standing.since);
            self.standing = Some(PartialOutage {
                since,
                reached,
                not_reached,
            });
        }
        told
    }
}

/// Whether a region does not reach what another does; `None` where that cannot be told. One without a fresh observer is not
/// known to be cut off, and where no region reaches the target the outage is not a partial one.
fn is_cut_off(region: &str, views: &[RegionView]) -> Option<bool> {
    let view = views.iter().find(|view| view.region == region && view.fresh > 0);
    let any = |reach| views.iter().any(|view| view.fresh > 0 && view.reach == reach);
    match view.map(|view| view.reach) {
        None | Some(Reach::Reached) => Some(false),
        Some(Reach::Unclear) => None,
        Some(Reach::NotReached) if any(Reach::Reached) => Some(true),
        Some(Reach::NotReached) => (!any(Reach::Unclear)).then_some(false),
    }
}
