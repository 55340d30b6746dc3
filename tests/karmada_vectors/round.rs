//! Whole scheduling rounds.

use lifeboat::api::{ResourceBindingSpec, TargetCluster};
use lifeboat::schedule::{ClusterView, Request, Resources, ScheduleError, feasible, round, select};
use serde_json::{Value, json};

use super::{compare, expected_targets, list, read, targets, text};

#[test]
fn whole_rounds() {
    compare("random/schedule.json", |input, expect| {
        let spec: ResourceBindingSpec = read(&input["spec"]);
        let clusters: Vec<ClusterView> = list(&input["clusters"])
            .iter()
            .map(super::selection::cluster)
            .collect();
        let requirements = Resources::of_replica(spec.replica_requirements.as_ref());
        let placement = spec.placement.clone().unwrap_or_default();
        let evicting: Vec<String> = spec
            .graceful_eviction_tasks
            .iter()
            .map(|task| task.from_cluster.clone())
            .collect();
        let time = |value: &Value| {
            value
                .as_str()
                .and_then(|text| text.parse::<jiff::Timestamp>().ok())
        };
        let last = time(&input["status"]["lastScheduledTime"]);
        let fresh = spec
            .reschedule_triggered_at
            .as_ref()
            .is_some_and(|asked| Some(asked.0) > last);
        let observed = text(&input["status"]["schedulerObservingAffinityName"]);
        let request = Request {
            uid: &spec.resource.uid,
            replicas: spec.replicas,
            requirements: &requirements,
            gvk: (&spec.resource.api_version, &spec.resource.kind),
            placement: &placement,
            previous: &spec.clusters,
            evicting: &evicting,
            fresh,
            observed_affinity: Some(observed),
            clusters: &clusters,
            now: jiff::Timestamp::UNIX_EPOCH,
        };
        let term = placement
            .cluster_affinities
            .iter()
            .find(|term| term.affinity_name == observed);
        let (candidates, _) = feasible(&request, term);
        let mut names: Vec<&str> = candidates
            .iter()
            .map(|candidate| candidate.name.as_str())
            .collect();
        names.sort_unstable();
        let selected = if candidates.is_empty() {
            None
        } else {
            select(&request, &candidates).ok()
        };
        let selected: Option<Vec<String>> =
            selected.map(|chosen| chosen.into_iter().map(|candidate| candidate.name).collect());
        let outcome = match round(&request, term) {
            Ok(decision) => {
                let with_empty = input["emptyWorkloadPropagation"] == true;
                let clusters = attach_empty(decision.clusters, with_empty, selected.as_deref());
                json!({ "clusters": targets(&clusters, false) })
            }
            Err(ScheduleError::NoFit { .. }) => json!({ "error": "fit" }),
            Err(ScheduleError::Unschedulable { .. }) => json!({ "error": "unschedulable" }),
            Err(ScheduleError::Spread { .. }) => json!({ "error": "other" }),
        };
        let theirs = if expect["error"] == true {
            json!({ "error": expect["errorKind"] })
        } else {
            json!({ "clusters": expected_targets(&expect["clusters"], false) })
        };
        Some((
            json!([expect["feasible"], expect["selected"], theirs]),
            json!([names, selected, outcome]),
        ))
    });
}

/// With the option `emptyWorkloadPropagation` Karmada lists selected clusters without replicas, too.
fn attach_empty(
    mut clusters: Vec<TargetCluster>,
    enabled: bool,
    selected: Option<&[String]>,
) -> Vec<TargetCluster> {
    for name in selected.unwrap_or_default().iter().filter(|_| enabled) {
        if !clusters.iter().any(|target| target.name == *name) {
            clusters.push(TargetCluster::new(name, 0));
        }
    }
    clusters
}
