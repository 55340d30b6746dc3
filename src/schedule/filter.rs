//! Filters: why a cluster cannot be chosen.
//!
//! A cluster that holds the workload already passes the checks of kinds and taints, so that nothing is taken
//! away by scheduling alone; eviction is for that.

use super::affinity::cluster_matches;
use super::round::Request;
use super::taint::tolerates;
use super::view::ClusterView;
use crate::api::policy::{ClusterAffinityTerm, SpreadField};

/// The first filter that refuses the cluster, with what it says; `None` when all pass.
pub fn filter(
    request: &Request<'_>,
    term: Option<&ClusterAffinityTerm>,
    cluster: &ClusterView,
) -> Option<(&'static str, String)> {
    let checks: [(&'static str, Option<String>); 5] = [
        ("APIEnablement", api_enablement(request, cluster)),
        ("TaintToleration", taints(request, cluster)),
        ("ClusterAffinity", affinity(request, term, cluster)),
        ("SpreadConstraint", spread(request, cluster)),
        ("ClusterEviction", eviction(request, cluster)),
    ];
    checks
        .into_iter()
        .find_map(|(filter, refusal)| refusal.map(|message| (filter, message)))
}

fn api_enablement(request: &Request<'_>, cluster: &ClusterView) -> Option<String> {
    let (api_version, kind) = request.gvk;
    let passes = request.holds(&cluster.name) || cluster.serves(api_version, kind);
    (!passes).then(|| format!("the cluster does not serve {kind} of {api_version}"))
}

fn taints(request: &Request<'_>, cluster: &ClusterView) -> Option<String> {
    if request.holds(&cluster.name) {
        return None;
    }
    cluster
        .taints
        .iter()
        .filter(|taint| matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute"))
        .find(|taint| {
            !request
                .placement
                .cluster_tolerations
                .iter()
                .any(|toleration| tolerates(toleration, taint))
        })
        .map(|taint| {
            let value = taint
                .value
                .as_deref()
                .map_or(String::new(), |value| format!("={value}"));
            format!(
                "the cluster has the taint {}{value}:{} that is not tolerated",
                taint.key, taint.effect
            )
        })
}

fn affinity(
    request: &Request<'_>,
    term: Option<&ClusterAffinityTerm>,
    cluster: &ClusterView,
) -> Option<String> {
    let refusal = |what: String| Some(format!("the cluster does not match {what}"));
    if let Some(affinity) = &request.placement.cluster_affinity {
        return if cluster_matches(cluster, affinity) {
            None
        } else {
            refusal("the cluster affinity".into())
        };
    }
    let term = term?;
    let overflow = request.is_workload()
        && term
            .overflow_affinities
            .iter()
            .any(|tier| cluster_matches(cluster, &tier.affinity));
    if overflow || cluster_matches(cluster, &term.affinity) {
        return None;
    }
    refusal(format!("the cluster affinity {}", term.affinity_name))
}

fn spread(request: &Request<'_>, cluster: &ClusterView) -> Option<String> {
    request
        .placement
        .spread_constraints
        .iter()
        .find_map(|constraint| {
            let missing = match constraint.spread_by_field? {
                SpreadField::Provider => cluster.provider.is_empty().then_some("provider"),
                SpreadField::Region => cluster.region.is_empty().then_some("region"),
                SpreadField::Zone => cluster.zones.is_empty().then_some("zone"),
                SpreadField::Cluster => None,
            };
            missing.map(|property| format!("the cluster has no {property} to spread by"))
        })
}

fn eviction(request: &Request<'_>, cluster: &ClusterView) -> Option<String> {
    request
        .evicting
        .contains(&cluster.name)
        .then(|| "the workload is being evicted from the cluster".to_owned())
}
