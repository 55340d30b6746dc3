//! One scheduling round from request to decision.

use super::affinity::cluster_matches;
use super::assign::{Assignment, assign_replicas};
use super::candidate::Candidate;
use super::divide::{Mode, Short, strategy_of};
use super::estimate::{UNLIMITED, max_replicas};
use super::filter::filter;
use super::resources::Resources;
use super::score::score;
use super::spread::{SpreadError, select_clusters};
use super::view::ClusterView;
use crate::api::TargetCluster;
use crate::api::policy::{ClusterAffinityTerm, Placement};

/// Everything a round looks at.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// UID of the workload, for the tie-break.
    pub uid: &'a str,
    /// Wanted replicas.
    pub replicas: i32,
    /// What one replica needs.
    pub requirements: &'a Resources,
    /// `apiVersion` and kind of the workload.
    pub gvk: (&'a str, &'a str),
    /// Where to, and how many.
    pub placement: &'a Placement,
    /// Where the workload is at present.
    pub previous: &'a [TargetCluster],
    /// Clusters it is being evicted from.
    pub evicting: &'a [String],
    /// Divide everything anew.
    pub fresh: bool,
    /// The group of candidates in use.
    pub observed_affinity: Option<&'a str>,
    /// All member clusters.
    pub clusters: &'a [ClusterView],
    /// When the decision is made.
    pub now: jiff::Timestamp,
}

/// Where the workload goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Replicas by cluster.
    pub clusters: Vec<TargetCluster>,
    /// The group of candidates that was used.
    pub affinity: Option<String>,
    /// Why other clusters were not feasible.
    pub reasons: Vec<Reason>,
}

/// Why a cluster is not feasible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The cluster.
    pub cluster: String,
    /// The filter that refused it.
    pub filter: &'static str,
    /// What the filter says.
    pub message: String,
}

/// The workload cannot be placed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// No cluster passes the filters.
    #[error("no cluster fits: {}", list(.reasons))]
    NoFit {
        /// Why, by cluster.
        reasons: Vec<Reason>,
    },
    /// The clusters cannot take all replicas.
    #[error("not enough room: {short}{}", also(.reasons))]
    Unschedulable {
        /// What is missing.
        short: Short,
        /// Why other clusters were not feasible.
        reasons: Vec<Reason>,
    },
    /// The spread constraints cannot be satisfied.
    #[error("{spread}{}", also(.reasons))]
    Spread {
        /// Which one.
        spread: SpreadError,
        /// Why other clusters were not feasible.
        reasons: Vec<Reason>,
    },
}

impl ScheduleError {
    /// The reason of the `Scheduled` condition, in Karmada's words.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoFit { .. } => "NoClusterFit",
            Self::Unschedulable { .. } => "Unschedulable",
            Self::Spread { .. } => "SchedulerError",
        }
    }
}

impl Request<'_> {
    /// Whether the cluster holds the workload already.
    pub(super) fn holds(&self, cluster: &str) -> bool {
        self.previous.iter().any(|target| target.name == cluster)
    }

    /// Whether replicas mean anything for the kind.
    pub(super) fn is_workload(&self) -> bool {
        self.replicas > 0 || !self.requirements.is_empty()
    }
}

/// Decides where a workload goes.
///
/// With groups of candidates the one in use comes first, then those after it, as in Karmada; when all of those
/// fail, the ones before it are tried too, so that a returned primary is found when its backup dies.
///
/// # Errors
/// Says for the first group that was tried why it cannot be placed, by cluster.
pub fn schedule(request: &Request<'_>) -> Result<Decision, ScheduleError> {
    let terms = &request.placement.cluster_affinities;
    if request.placement.cluster_affinity.is_some() || terms.is_empty() {
        return round(request, None);
    }
    let observed = request.observed_affinity.unwrap_or_default();
    let start = terms
        .iter()
        .position(|term| term.affinity_name == observed)
        .unwrap_or_default();
    let mut first = None;
    for term in terms[start..].iter().chain(&terms[..start]) {
        match round(request, Some(term)) {
            Ok(decision) => return Ok(decision),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or(ScheduleError::NoFit { reasons: Vec::new() }))
}

/// One round with one group of candidates, or with `clusterAffinity` where `term` is absent.
///
/// # Errors
/// Says why the workload cannot be placed, by cluster.
pub fn round(request: &Request<'_>, term: Option<&ClusterAffinityTerm>) -> Result<Decision, ScheduleError> {
    let (candidates, reasons) = feasible(request, term);
    if candidates.is_empty() {
        return Err(ScheduleError::NoFit { reasons });
    }
    let chosen = match select(request, &candidates) {
        Ok(chosen) => chosen,
        Err(spread) => return Err(ScheduleError::Spread { spread, reasons }),
    };
    let scheduling = request.placement.replica_scheduling.as_ref();
    let weights = scheduling.and_then(|scheduling| scheduling.weight_preference.as_ref());
    let views: Vec<&ClusterView> = request.clusters.iter().collect();
    let assignment = Assignment {
        uid: request.uid,
        replicas: request.replicas,
        workload: request.is_workload(),
        strategy: strategy_of(request.placement),
        mode: if request.fresh { Mode::Fresh } else { Mode::Steady },
        previous: request.previous,
        rules: weights.map(|weights| weights.static_weight_list.as_slice()),
        overflow: term.is_some_and(|term| !term.overflow_affinities.is_empty()),
    };
    match assign_replicas(&assignment, &chosen, &views) {
        Ok(mut clusters) => {
            clusters.sort_by(|left, right| left.name.as_bytes().cmp(right.name.as_bytes()));
            Ok(Decision {
                clusters,
                affinity: term.map(|term| term.affinity_name.clone()),
                reasons,
            })
        }
        Err(short) => Err(ScheduleError::Unschedulable { short, reasons }),
    }
}

/// Clusters that pass the filters with what they can take, and why the others do not.
pub fn feasible(request: &Request<'_>, term: Option<&ClusterAffinityTerm>) -> (Vec<Candidate>, Vec<Reason>) {
    let mut candidates = Vec::new();
    let mut reasons = Vec::new();
    for cluster in request.clusters {
        match filter(request, term, cluster) {
            None => candidates.push(candidate(request, term, cluster)),
            Some((filter, message)) => {
                reasons.push(Reason {
                    cluster: cluster.name.clone(),
                    filter,
                    message,
                });
            }
        }
    }
    (candidates, reasons)
}

/// The candidates that are chosen by the spread constraints, in order.
///
/// # Errors
/// No set of clusters satisfies the constraints.
pub fn select(request: &Request<'_>, candidates: &[Candidate]) -> Result<Vec<Candidate>, SpreadError> {
    select_clusters(request.placement, candidates, request.replicas)
}

fn candidate(request: &Request<'_>, term: Option<&ClusterAffinityTerm>, cluster: &ClusterView) -> Candidate {
    let held = request.previous.iter().find(|target| target.name == cluster.name);
    let allocatable = if request.replicas == 0 {
        UNLIMITED
    } else {
        max_replicas(&cluster.free, request.requirements)
    };
    Candidate {
        name: cluster.name.clone(),
        region: cluster.region.clone(),
        score: score(&cluster.name, request.previous),
        allocatable,
        available: i64::from(allocatable) + held.map_or(0, |target| i64::from(target.replicas)),
        overflow_order: term.map_or(0, |term| overflow_order(term, cluster)),
    }
}

/// Tier of a cluster that matches nothing: after every tier there can be.
const LAST_TIER: usize = 1000;

fn overflow_order(term: &ClusterAffinityTerm, cluster: &ClusterView) -> usize {
    if cluster_matches(cluster, &term.affinity) {
        return 0;
    }
    let tier = term
        .overflow_affinities
        .iter()
        .position(|tier| cluster_matches(cluster, &tier.affinity));
    tier.map_or(LAST_TIER, |index| index + 1)
}

fn list(reasons: &[Reason]) -> String {
    if reasons.is_empty() {
        return "there are no member clusters".into();
    }
    let each = reasons
        .iter()
        .map(|reason| format!("{}: {}", reason.cluster, reason.message));
    each.collect::<Vec<_>>().join("; ")
}

fn also(reasons: &[Reason]) -> String {
    if reasons.is_empty() {
        String::new()
    } else {
        format!(" (others: {})", list(reasons))
    }
}
