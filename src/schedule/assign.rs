//! From chosen clusters to the final assignment: strategy, overflow tiers, no empty entries.

use super::candidate::Candidate;
use super::divide::{Mode, Short, Strategy, divide_dynamic, divide_static, duplicate};
use super::view::ClusterView;
use crate::api::TargetCluster;
use crate::api::policy::StaticClusterWeight;

/// What is to be assigned, and how.
#[derive(Clone, Copy, Debug)]
pub struct Assignment<'a> {
    /// UID of the workload, for the tie-break.
    pub uid: &'a str,
    /// Wanted replicas.
    pub replicas: i32,
    /// Whether replicas mean anything for the kind.
    pub workload: bool,
    /// How they are divided.
    pub strategy: Strategy,
    /// Whether the present division is kept.
    pub mode: Mode,
    /// The present division.
    pub previous: &'a [TargetCluster],
    /// Fixed weights.
    pub rules: Option<&'a [StaticClusterWeight]>,
    /// Whether clusters are filled tier by tier.
    pub overflow: bool,
}

/// Assigns replicas to the candidates, which must be among `clusters` where weights select by label or field.
///
/// # Errors
/// The candidates cannot take all replicas.
pub fn assign_replicas(
    assignment: &Assignment<'_>,
    candidates: &[Candidate],
    clusters: &[&ClusterView],
) -> Result<Vec<TargetCluster>, Short> {
    if !assignment.workload {
        return Ok(duplicate(0, candidates));
    }
    let mut targets = if assignment.overflow {
        by_tier(assignment, candidates, clusters)?
    } else {
        by_strategy(assignment, candidates, clusters)?
    };
    targets.retain(|target| target.replicas > 0);
    Ok(targets)
}

fn by_tier(
    assignment: &Assignment<'_>,
    candidates: &[Candidate],
    clusters: &[&ClusterView],
) -> Result<Vec<TargetCluster>, Short> {
    let mut tiers: Vec<usize> = candidates
        .iter()
        .map(|candidate| candidate.overflow_order)
        .collect();
    tiers.sort_unstable();
    tiers.dedup();
    let mut remaining = i64::from(assignment.replicas);
    let mut targets = Vec::new();
    for tier in tiers {
        if remaining <= 0 {
            break;
        }
        let members: Vec<Candidate> = candidates
            .iter()
            .filter(|candidate| candidate.overflow_order == tier)
            .cloned()
            .collect();
        let held: Vec<TargetCluster> = assignment
            .previous
            .iter()
            .filter(|target| members.iter().any(|member| member.name == target.name))
            .cloned()
            .collect();
        let room = members
            .iter()
            .map(|member| member.available)
            .fold(0, i64::saturating_add);
        let share = remaining.min(room);
        if share == 0 {
            continue;
        }
        let part = Assignment {
            replicas: i32::try_from(share).unwrap_or(i32::MAX),
            previous: &held,
            ..*assignment
        };
        targets.extend(by_strategy(&part, &members, clusters)?);
        remaining -= share;
    }
    if remaining > 0 {
        let wanted = i64::from(assignment.replicas);
        return Err(Short {
            what: "filling tiers",
            available: wanted - remaining,
            wanted,
        });
    }
    Ok(targets)
}

fn by_strategy(
    assignment: &Assignment<'_>,
    candidates: &[Candidate],
    clusters: &[&ClusterView],
) -> Result<Vec<TargetCluster>, Short> {
    match assignment.strategy {
        Strategy::Duplicated => Ok(duplicate(assignment.replicas, candidates)),
        Strategy::StaticWeight => {
            let views: Vec<&ClusterView> = candidates
                .iter()
                .filter_map(|candidate| clusters.iter().copied().find(|view| view.name == candidate.name))
                .collect();
            Ok(divide_static(
                assignment.replicas,
                &views,
                assignment.rules,
                assignment.uid,
            ))
        }
        Strategy::Aggregated | Strategy::DynamicWeight => divide_dynamic(
            assignment.replicas,
            candidates,
            assignment.previous,
            assignment.strategy,
            assignment.mode,
            assignment.uid,
        ),
    }
}
