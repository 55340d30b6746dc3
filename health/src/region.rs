//! What each observer region sees, kept apart: a cluster that some regions reach and others do not is a *partial* outage. One
//! verdict for everybody hides it, and users stand in regions (OSDI 2020, "Toward a Generic Fault Tolerance Technique for
//! Partial Network Partitioning").
//!
//! ```text
//! votes of the observers of one region ──by_region──> Reach ──another region differs for partialAfterMs: Course──> PartialOutage
//! ```

mod course;

use std::fmt;

use serde::Serialize;

use crate::profile::Profile;
use crate::view::Votes;
use crate::vote::Vote;

pub(crate) use course::Course;
pub use course::PartialOutage;

/// Whether the observers of one region reach a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Reach {
    /// A quorum of the region's fresh observers votes Clear.
    Reached,
    /// A quorum of the region's fresh observers votes Dead.
    NotReached,
    /// Neither; or no observer of the region is fresh.
    #[default]
    Unclear,
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reach::Reached => "reached",
            Reach::NotReached => "not reached",
            Reach::Unclear => "unclear",
        })
    }
}

/// One observer's vote on a target.
#[derive(Clone, Copy, Debug)]
pub struct Ballot<'a> {
    /// The observer's region as it says itself; empty where it says none.
    pub region: &'a str,
    pub vote: Vote,
    /// The row is fresh and the observer does not abstain.
    pub counted: bool,
}

/// What the observers of one region say of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RegionView {
    /// Empty for observers that name no region.
    pub region: String,
    pub reach: Reach,
    pub votes: Votes,
    /// Observers of the region with a fresh row who do not abstain.
    pub fresh: u32,
}

/// The votes by region, in order of the regions' names. A region decides for itself by ⌊2·V/3⌋ + 1 of its V fresh observers,
/// so a single observer speaks for its region.
pub fn by_region<'a>(ballots: impl IntoIterator<Item = Ballot<'a>>, profile: &Profile) -> Vec<RegionView> {
    let mut views: Vec<RegionView> = Vec::new();
    for Ballot {
        region,
        vote,
        counted,
    } in ballots
    {
        let at = views.partition_point(|view| view.region.as_str() < region);
        if views.get(at).is_none_or(|view| view.region != region) {
            let region = region.to_owned();
            let view = RegionView {
                region,
                ..RegionView::default()
            };
            views.insert(at, view);
        }
        let Some(view) = views.get_mut(at) else {
            continue;
        };
        view.fresh += u32::from(counted);
        let votes = &mut view.votes;
        let place = match vote {
            Vote::Clear if counted => &mut votes.clear,
            Vote::Suspect if counted => &mut votes.suspect,
            Vote::Dead if counted => &mut votes.dead,
            Vote::Clear | Vote::Suspect | Vote::Dead | Vote::Abstain => &mut votes.abstain,
        };
        *place += 1;
    }
    for view in &mut views {
        let q = profile.q(view.fresh);
        view.reach = if view.votes.clear >= q {
            Reach::Reached
        } else if view.votes.dead >= q {
            Reach::NotReached
        } else {
            Reach::Unclear
        };
    }
    views
}

#[cfg(test)]
mod tests;
