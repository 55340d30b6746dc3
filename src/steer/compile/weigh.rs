//! Candidate endpoints of one name and their weights: never more than what is ready there.
//!
//! | what is known of the cluster | counts as ready |
//! |---|---|
//! | control path Up or Recovering, fresh report | what it reports |
//! | both paths Down, no FREEZE, someone else serves | 0, until a fresh report after its return |
//! | anything else, was in the plan | what it last reported: not to see it is no reason to lower it |
//! | anything else, was not in the plan | 0, until a fresh report |
//!
//! A cluster without the Service that users are to reach is not a candidate.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_dns::{EndpointInput, Filter, NameInput};
use lifeboat_health::Verdict;

use super::{
    Problems, Reason,
    claim::canonical,
    input::{Input, PolicyView, WorkloadView},
};
use crate::api::SteerStep;
use crate::failover::{ClusterHealth, Phase};

/// A single endpoint's weight at most: the sum over thousands of endpoints stays inside 32 bits.
pub(crate) const WEIGHT_MAX: u32 = 1_000_000;

/// The entry of one name, or nothing where it is not ready and was never live.
pub(crate) fn name(
    input: &Input<'_>,
    policy: &PolicyView,
    name: &str,
    live: Option<&NameInput>,
    problems: &mut Problems,
) -> Option<NameInput> {
    let filters = SteerStep::filters(&policy.steer, &BTreeMap::new());
    let steered = filters.iter().flat_map(Filter::clusters);
    let steered = steered.map(|cluster| ("spec.steer", cluster));
    let weighted = policy
        .weights
        .keys()
        .map(|cluster| ("spec.weights", cluster.as_str()));
    let named: BTreeSet<(&str, &str)> = steered.chain(weighted).collect();
    let named = named.into_iter();
    for (field, cluster) in named.filter(|(_, cluster)| !input.clusters.contains_key(*cluster)) {
        let known: Vec<&str> = input.clusters.keys().map(String::as_str).collect();
        let message = format!(
            "{field} names {cluster:?}: there is no such Cluster; registered clusters: {}",
            known.join(", ")
        );
        problems.push(Reason::UnknownCluster, message);
    }
    let Some(workload) = input.workloads.get(&policy.workload) else {
        let message = format!(
            "spec.workload names {}: no policy has placed such a workload",
            policy.workload
        );
        problems.push(Reason::WorkloadNotFound, message);
        return keep(policy, live, problems);
    };
    let endpoints = endpoints(input, policy, workload, live, problems);
    if endpoints.is_empty() {
        return keep(policy, live, problems);
    }
    Some(NameInput {
        name: name.to_owned(),
        zone: canonical(&policy.zone),
        epoch: 0,
        seq: 0,
        ttl: policy.ttl,
        steer: chain(policy, &endpoints, problems),
        on_all_down: policy.on_all_down.clone(),
        degraded_ttl: policy.degraded_ttl,
        https: policy.https.clone(),
        svcb: policy.svcb.clone(),
        endpoints,
    })
}

/// The filters for these endpoints. Weights of which none is left are passed over: a plan says who is to answer.
fn chain(policy: &PolicyView, endpoints: &[EndpointInput], problems: &mut Problems) -> Vec<Filter> {
    let ready = |endpoint: &EndpointInput| {
        let factor = policy.weights.get(&endpoint.cluster).copied().unwrap_or(1);
        (endpoint.cluster.clone(), endpoint.weight / factor.max(1))
    };
    let mut filters = SteerStep::filters(&policy.steer, &endpoints.iter().map(ready).collect());
    for filter in &mut filters {
        if let Filter::Weighted(weights) = filter
            && !weights.is_empty()
            && !endpoints
                .iter()
                .any(|endpoint| weights.get(&endpoint.cluster).is_some_and(|weight| *weight > 0))
        {
            let left: Vec<&str> = endpoints.iter().map(|e| e.cluster.as_str()).collect();
            let message = format!(
                "spec.steer weighted: none of its clusters is ready; those that are share by their replicas: {}",
                left.join(", ")
            );
            problems.push(Reason::WeightsPassedOver, message);
            weights.clear();
        }
    }
    filters
}

/// Nothing can be said for the name: it stays as it was, or out.
fn keep(policy: &PolicyView, live: Option<&NameInput>, problems: &mut Problems) -> Option<NameInput> {
    let workload = &policy.workload;
    let mut needed = match &policy.service {
        Some(service) => format!("an address and {service}"),
        None => "an address".to_owned(),
    };
    if policy.weights.values().any(|weight| *weight == 0) {
        needed.push_str(" whose spec.weights is not 0");
    }
    match live {
        Some(live) => {
            let clusters: Vec<&str> = live.endpoints.iter().map(|e| e.cluster.as_str()).collect();
            let message = format!(
                "no replica of {workload} is ready in a cluster with {needed}: the name keeps {}",
                clusters.join(", ")
            );
            problems.push(Reason::KeepsLastEndpoints, message);
        }
        None => {
            let message = format!(
                "no replica of {workload} is ready in a cluster with {needed}: the name is left out until one is"
            );
            problems.push(Reason::NotReady, message);
        }
    }
    live.cloned()
}

fn endpoints(
    input: &Input<'_>,
    policy: &PolicyView,
    workload: &WorkloadView,
    live: Option<&NameInput>,
    problems: &mut Problems,
) -> Vec<EndpointInput> {
    let mut endpoints = Vec::new();
    let mut without_service = Vec::new();
    for cluster in &workload.clusters {
        let factor = policy.weights.get(cluster).copied().unwrap_or(1);
        let weight = match counted(input, workload, cluster, live) {
            Counted::Replicas(ready) => ready.saturating_mul(factor),
            // It has the factor in it already.
            Counted::LastWeight(weight) if factor > 0 => weight,
            Counted::LastWeight(_) => 0,
        };
        let weight = weight
            .min(wanted(workload, cluster).saturating_mul(factor))
            .min(WEIGHT_MAX);
        if weight == 0 {
            continue;
        }
        if !has_service(input, policy, cluster) {
            without_service.push(cluster.as_str());
            continue;
        }
        let addresses = input
            .clusters
            .get(cluster)
            .map(|edge| edge.addresses.clone())
            .unwrap_or_default();
        if addresses.is_empty() {
            let message = format!(
                "Cluster {cluster} runs {} and has no address: its annotation {} is to hold one",
                policy.workload,
                super::input::INGRESS_ADDRESSES
            );
            problems.push(Reason::NoAddress, message);
            continue;
        }
        endpoints.push(EndpointInput {
            cluster: cluster.clone(),
            addresses,
            weight,
        });
    }
    if let (Some(service), false) = (&policy.service, without_service.is_empty()) {
        let message = format!(
            "spec.service names {service}: no policy propagates it to {}, where users would reach nothing",
            without_service.join(", ")
        );
        problems.push(Reason::ServiceNotFound, message);
    }
    endpoints
}

/// Whether users who are sent to the cluster reach the policy's Service there.
pub(crate) fn has_service(input: &Input<'_>, policy: &PolicyView, cluster: &str) -> bool {
    policy.service.as_ref().is_none_or(|service| {
        let placed = input.workloads.get(service);
        placed.is_some_and(|placed| placed.present.contains(cluster))
    })
}

/// While traffic is shifted no cluster gets more than what it will have afterwards.
fn wanted(workload: &WorkloadView, cluster: &str) -> u32 {
    match &workload.movement {
        Some(movement) if movement.phase != Phase::Raise => {
            let target = movement.target.iter().find(|target| target.name == cluster);
            target.map_or(0, |target| u32::try_from(target.replicas).unwrap_or(0))
        }
        Some(_) | None => u32::MAX,
    }
}

/// What may be counted on in a cluster.
enum Counted {
    Replicas(u32),
    /// Nothing was ever reported to this leader: what the plan had stands.
    LastWeight(u32),
}

fn counted(input: &Input<'_>, workload: &WorkloadView, cluster: &str, live: Option<&NameInput>) -> Counted {
    let health = health(input, cluster);
    let report = workload.ready.get(cluster);
    let reported = report.map(|report| u32::try_from(report.replicas).unwrap_or(0));
    let seen = matches!(health.control, Verdict::Up | Verdict::Recovering);
    if seen && report.is_some_and(|report| report.fresh) {
        return Counted::Replicas(reported.unwrap_or(0));
    }
    let survivor = |other: &String| {
        other != cluster
            && self::health(input, other).is_up()
            && workload
                .ready
                .get(other)
                .is_some_and(|report| report.fresh && report.replicas > 0)
    };
    if health.is_lost() && !input.freeze && workload.clusters.iter().any(survivor) {
        return Counted::Replicas(0);
    }
    let last = live.map(|live| live.endpoints.iter().find(|endpoint| endpoint.cluster == cluster));
    match (last, reported) {
        (Some(None), _) | (None, None) => Counted::Replicas(0),
        // With no plan to go by, what is reported is the best there is.
        (Some(Some(_)) | None, Some(reported)) => Counted::Replicas(reported),
        (Some(Some(endpoint)), None) => Counted::LastWeight(endpoint.weight),
    }
}

fn health(input: &Input<'_>, cluster: &str) -> ClusterHealth {
    input
        .health
        .get(cluster)
        .copied()
        .unwrap_or(ClusterHealth::UNKNOWN)
}
