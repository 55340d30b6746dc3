//! Choosing clusters by spread constraints, as in `pkg/scheduler/core/spreadconstraint`.

mod groups;
mod region;

use super::candidate::Candidate;
use crate::api::policy::{DivisionPreference, Placement, SchedulingType, SpreadConstraint, SpreadField};
pub use groups::{Group, select_groups};
pub use region::group_score;

/// No set of clusters satisfies the constraints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpreadError {
    /// Fewer clusters than `minGroups`.
    #[error("spreadConstraints: {found} clusters are feasible and minGroups is {wanted}")]
    TooFewClusters {
        /// Feasible clusters.
        found: usize,
        /// `minGroups`.
        wanted: i64,
    },
    /// Fewer regions than `minGroups`.
    #[error("spreadConstraints: {found} regions are feasible and minGroups is {wanted}")]
    TooFewRegions {
        /// Regions with feasible clusters.
        found: usize,
        /// `minGroups`.
        wanted: i64,
    },
    /// No choice of regions holds `minGroups` clusters.
    #[error("spreadConstraints: no choice of regions holds {wanted} clusters")]
    RegionsTooSmall {
        /// `minGroups` of the cluster constraint.
        wanted: i64,
    },
    /// No choice of that many clusters can take the replicas.
    #[error("spreadConstraints: no {clusters} clusters together can take {replicas} replicas")]
    NotEnoughRoom {
        /// How many clusters may be chosen.
        clusters: usize,
        /// How many replicas they must take.
        replicas: i32,
    },
    /// A constraint on something else than cluster and region.
    #[error("spreadConstraints: only cluster and region are supported for spreadByField")]
    Unsupported,
}

/// Overflow tier, then score, then room, then name.
pub fn sort_candidates(candidates: &mut [Candidate]) {
    candidates.sort_by(|left, right| {
        left.overflow_order
            .cmp(&right.overflow_order)
            .then(right.score.cmp(&left.score))
            .then(right.available.cmp(&left.available))
            .then_with(|| left.name.as_bytes().cmp(right.name.as_bytes()))
    });
}

/// The clusters that are chosen, in order, from candidates in any order.
///
/// # Errors
/// No set of clusters satisfies the constraints.
pub fn select_clusters(
    placement: &Placement,
    candidates: &[Candidate],
    replicas: i32,
) -> Result<Vec<Candidate>, SpreadError> {
    let mut sorted = candidates.to_vec();
    sort_candidates(&mut sorted);
    if placement.spread_constraints.is_empty() || ignores_constraints(placement) {
        return Ok(sorted);
    }
    let by = |field: SpreadField| {
        placement
            .spread_constraints
            .iter()
            .rev()
            .find(|constraint| constraint.spread_by_field == Some(field))
    };
    let ignores_room = placement.scheduling_type() == SchedulingType::Duplicated;
    match (by(SpreadField::Region), by(SpreadField::Cluster)) {
        (Some(region), cluster) => {
            let none = SpreadConstraint::default();
            region::select(placement, &sorted, region, cluster.unwrap_or(&none), replicas)
        }
        (None, Some(cluster)) => by_cluster(sorted, cluster, (!ignores_room).then_some(replicas)),
        (None, None) => Err(SpreadError::Unsupported),
    }
}

/// Fixed weights name their clusters themselves.
fn ignores_constraints(placement: &Placement) -> bool {
    let Some(scheduling) = &placement.replica_scheduling else {
        return false;
    };
    let weighted = scheduling.replica_division_preference == Some(DivisionPreference::Weighted);
    placement.scheduling_type() == SchedulingType::Divided
        && weighted
        && scheduling
            .weight_preference
            .as_ref()
            .is_none_or(|weights| !weights.static_weight_list.is_empty() && weights.dynamic_weight.is_none())
}

/// The first `maxGroups` clusters, or others where those have no room for the replicas.
fn by_cluster(
    mut sorted: Vec<Candidate>,
    constraint: &SpreadConstraint,
    replicas: Option<i32>,
) -> Result<Vec<Candidate>, SpreadError> {
    let minimum = usize::try_from(constraint.min_groups).unwrap_or_default();
    if sorted.len() < minimum {
        return Err(SpreadError::TooFewClusters {
            found: sorted.len(),
            wanted: constraint.min_groups,
        });
    }
    let count = max_groups(constraint).min(sorted.len());
    let mut rest = sorted.split_off(count);
    let Some(replicas) = replicas else {
        return Ok(sorted);
    };
    let enough = |chosen: &[Candidate]| {
        chosen
            .iter()
            .map(|candidate| candidate.available)
            .fold(0, i64::saturating_add)
            >= i64::from(replicas)
    };
    for index in (0..sorted.len()).rev() {
        if enough(&sorted) {
            break;
        }
        let roomiest = rest.iter_mut().reduce(|best, next| {
            if next.available > best.available {
                next
            } else {
                best
            }
        });
        if let Some(other) = roomiest.filter(|other| other.available > sorted[index].available) {
            std::mem::swap(&mut sorted[index], other);
        }
    }
    if enough(&sorted) && !sorted.is_empty() {
        Ok(sorted)
    } else {
        Err(SpreadError::NotEnoughRoom {
            clusters: count,
            replicas,
        })
    }
}

/// Most groups; 0 sets no limit.
fn max_groups(constraint: &SpreadConstraint) -> usize {
    match usize::try_from(constraint.max_groups) {
        Ok(0) | Err(_) => usize::MAX,
        Ok(limit) => limit,
    }
}
