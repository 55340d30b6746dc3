//! Dividing replicas over chosen clusters, as in `pkg/scheduler/core/{assignment,division_algorithm}.go`.

use super::affinity::cluster_matches;
use super::candidate::Candidate;
use super::view::ClusterView;
use super::webster::dispense;
use crate::api::TargetCluster;
use crate::api::policy::{DivisionPreference, Placement, SchedulingType, StaticClusterWeight};

/// How replicas are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Every cluster gets all.
    Duplicated,
    /// As few clusters as hold them.
    Aggregated,
    /// By fixed weights, whatever fits.
    StaticWeight,
    /// By what each cluster can take.
    DynamicWeight,
}

/// Whether the present division is kept as far as possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Only the difference moves.
    Steady,
    /// Everything is divided anew.
    Fresh,
}

/// The clusters can take fewer replicas than are wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: the clusters can take {available} replicas and {wanted} are wanted")]
pub struct Short {
    /// What was attempted.
    pub what: &'static str,
    /// What they can take.
    pub available: i64,
    /// What is to be placed.
    pub wanted: i64,
}

/// The strategy a placement asks for. Divided without a preference means fixed, equal weights.
pub fn strategy_of(placement: &Placement) -> Strategy {
    let Some(scheduling) = placement.replica_scheduling.as_ref() else {
        return Strategy::Duplicated;
    };
    if placement.scheduling_type() == SchedulingType::Duplicated {
        return Strategy::Duplicated;
    }
    match scheduling.replica_division_preference {
        Some(DivisionPreference::Aggregated) => Strategy::Aggregated,
        Some(DivisionPreference::Weighted) | None => {
            let dynamic = scheduling
                .weight_preference
                .as_ref()
                .and_then(|weights| weights.dynamic_weight);
            if dynamic.is_some() {
                Strategy::DynamicWeight
            } else {
                Strategy::StaticWeight
            }
        }
    }
}

/// All replicas to every cluster, in the given order.
pub fn duplicate(replicas: i32, candidates: &[Candidate]) -> Vec<TargetCluster> {
    candidates
        .iter()
        .map(|candidate| TargetCluster::new(&candidate.name, replicas))
        .collect()
}

/// By fixed weights; `rules` absent means equal ones. Capacity and the present division are not looked at.
pub fn divide_static(
    replicas: i32,
    candidates: &[&ClusterView],
    rules: Option<&[StaticClusterWeight]>,
    uid: &str,
) -> Vec<TargetCluster> {
    let weight_of = |cluster: &ClusterView| match rules {
        None => 1,
        Some(rules) => rules
            .iter()
            .filter(|rule| cluster_matches(cluster, &rule.target_cluster))
            .map(|rule| rule.weight)
            .max()
            .unwrap_or_default(),
    };
    let mut weights: Vec<(String, i64)> = candidates
        .iter()
        .map(|cluster| (cluster.name.clone(), weight_of(cluster)))
        .filter(|(_, weight)| *weight > 0)
        .collect();
    if weights.is_empty() {
        weights = candidates
            .iter()
            .map(|cluster| (cluster.name.clone(), 1))
            .collect();
    }
    dispense(replicas, &weights, &[], uid).0
}

/// By what clusters can take: `Aggregated` or `DynamicWeight`.
///
/// # Errors
/// They cannot take all: nothing is placed then.
pub fn divide_dynamic(
    replicas: i32,
    candidates: &[Candidate],
    previous: &[TargetCluster],
    strategy: Strategy,
    mode: Mode,
    uid: &str,
) -> Result<Vec<TargetCluster>, Short> {
    let held: Vec<TargetCluster> = previous
        .iter()
        .filter(|target| candidates.iter().any(|candidate| candidate.name == target.name))
        .cloned()
        .collect();
    let held_by = |name: &str| {
        held.iter()
            .find(|target| target.name == name)
            .map_or(0, |t| t.replicas)
    };
    let assigned: i64 = held.iter().map(|target| i64::from(target.replicas)).sum();
    let wanted = i64::from(replicas);
    let allocatable = |candidate: &Candidate| (candidate.name.clone(), i64::from(candidate.allocatable));

    if mode == Mode::Fresh {
        let weights = candidates.iter().map(|candidate| {
            let (name, free) = allocatable(candidate);
            (name, free + i64::from(held_by(&candidate.name)))
        });
        return spread_over("fresh scheduling", wanted, weights.collect(), &[], strategy, uid);
    }
    match assigned.cmp(&wanted) {
        std::cmp::Ordering::Equal => Ok(held),
        std::cmp::Ordering::Greater => {
            let weights = held
                .iter()
                .map(|target| (target.name.clone(), i64::from(target.replicas)));
            spread_over("scaling down", wanted, weights.collect(), &[], strategy, uid)
        }
        std::cmp::Ordering::Less => {
            let weights = candidates.iter().map(allocatable).collect();
            spread_over("scaling up", wanted - assigned, weights, &held, strategy, uid)
        }
    }
}

/// Divides `wanted` by `weights` and adds the shares to what is `held`.
fn spread_over(
    what: &'static str,
    wanted: i64,
    mut weights: Vec<(String, i64)>,
    held: &[TargetCluster],
    strategy: Strategy,
    uid: &str,
) -> Result<Vec<TargetCluster>, Short> {
    weights.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    let available = weights
        .iter()
        .map(|(_, weight)| *weight)
        .fold(0, i64::saturating_add);
    if available < wanted {
        return Err(Short {
            what,
            available,
            wanted,
        });
    }
    if strategy == Strategy::Aggregated {
        let holds = |name: &str| {
            held.iter()
                .any(|target| target.name == name && target.replicas > 0)
        };
        weights.sort_by_key(|(name, _)| !holds(name));
        let mut sum = 0;
        let enough = weights.iter().position(|(_, weight)| {
            sum += *weight;
            sum >= wanted
        });
        weights.truncate(enough.map_or(weights.len(), |index| index + 1));
    }
    let shares = dispense(i32::try_from(wanted).unwrap_or(i32::MAX), &weights, &[], uid).0;
    let mut targets = held.to_vec();
    for share in shares {
        match targets.iter_mut().find(|target| target.name == share.name) {
            Some(target) => target.replicas = target.replicas.saturating_add(share.replicas),
            None => targets.push(share),
        }
    }
    Ok(targets)
}
