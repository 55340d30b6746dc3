//! Choosing clusters by region: regions first, one cluster of each, then the best of the others.

use std::collections::BTreeMap;

use super::groups::{Group, select_groups};
use super::{Candidate, SpreadError, sort_candidates};
use crate::api::policy::{Placement, SchedulingType, SpreadConstraint};

/// Weight of capacity against the plugins' score.
const UNIT: i64 = 1000;

pub(super) fn select(
    placement: &Placement,
    sorted: &[Candidate],
    region: &SpreadConstraint,
    cluster: &SpreadConstraint,
    replicas: i32,
) -> Result<Vec<Candidate>, SpreadError> {
    let mut regions: BTreeMap<&str, Vec<&Candidate>> = BTreeMap::new();
    for candidate in sorted.iter().filter(|candidate| !candidate.region.is_empty()) {
        regions.entry(&candidate.region).or_default().push(candidate);
    }
    if i64::try_from(regions.len()).unwrap_or(i64::MAX) < region.min_groups {
        return Err(SpreadError::TooFewRegions {
            found: regions.len(),
            wanted: region.min_groups,
        });
    }
    let duplicated = placement.scheduling_type() == SchedulingType::Duplicated;
    let groups: Vec<Group> = regions
        .iter()
        .map(|(name, members)| Group {
            name: (*name).to_owned(),
            value: i64::try_from(members.len()).unwrap_or(i64::MAX),
            weight: group_score(
                members,
                replicas,
                duplicated,
                region.min_groups,
                cluster.min_groups,
            ),
        })
        .collect();
    let names = select_groups(&groups, region.min_groups, region.max_groups, cluster.min_groups);
    if names.is_empty() {
        return Err(SpreadError::RegionsTooSmall {
            wanted: cluster.min_groups,
        });
    }
    let mut chosen = Vec::new();
    let mut others = Vec::new();
    for name in &names {
        if let Some((first, rest)) = regions
            .get(name.as_str())
            .and_then(|members| members.split_first())
        {
            chosen.push((*first).clone());
            others.extend(rest.iter().map(|candidate| (*candidate).clone()));
        }
    }
    sort_candidates(&mut others);
    let limit = usize::try_from(cluster.max_groups).unwrap_or_default();
    let more = limit
        .min(chosen.len() + others.len())
        .saturating_sub(chosen.len());
    chosen.extend(others.into_iter().take(more));
    Ok(chosen)
}

/// How good a group of clusters is: the replicas it can take, then the mean score.
///
/// Divided: the clusters are walked until they suffice for the group's share and are as many as a group should
/// have. Duplicated: clusters that hold everything count.
pub fn group_score(
    clusters: &[&Candidate],
    replicas: i32,
    duplicated: bool,
    min_groups: i64,
    cluster_min_groups: i64,
) -> i64 {
    let count = |clusters: usize| i64::try_from(clusters).unwrap_or(i64::MAX);
    let scores = |clusters: &[&Candidate]| clusters.iter().map(|cluster| cluster.score).sum::<i64>();
    if duplicated {
        let fitting: Vec<&Candidate> = clusters
            .iter()
            .copied()
            .filter(|cluster| cluster.available >= i64::from(replicas))
            .collect();
        if fitting.is_empty() {
            return 0;
        }
        return count(fitting.len()) * UNIT + scores(&fitting) / count(fitting.len());
    }
    if clusters.is_empty() {
        return 0;
    }
    let groups = min_groups.max(1);
    let share = (i64::from(replicas) + groups - 1) / groups;
    let enough = cluster_min_groups.max(min_groups);
    let mut room = 0_i64;
    let mut walked = 0;
    for cluster in clusters {
        room = room.saturating_add(cluster.available);
        walked += 1;
        if count(walked) >= enough && room >= share {
            break;
        }
    }
    if room < share {
        return room
            .saturating_mul(UNIT)
            .saturating_add(scores(clusters) / count(clusters.len()));
    }
    share
        .saturating_mul(UNIT)
        .saturating_add(scores(&clusters[..walked]) / count(walked))
}
