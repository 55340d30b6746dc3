//! Selecting clusters: affinity, capacity, spread constraints.

use lifeboat::api::policy::{ClusterAffinity, Placement};
use lifeboat::api::{Cluster, TargetCluster};
use lifeboat::schedule::{
    Candidate, ClusterView, Group, Resources, cluster_matches, group_score, max_replicas, select_clusters,
    select_groups, sort_candidates,
};
use serde_json::{Value, json};

use super::{compare, list, number, read, replicas, text};

pub(crate) fn cluster(value: &Value) -> ClusterView {
    let mut value = value.clone();
    value["apiVersion"] = json!("cluster.karmada.io/v1alpha1");
    value["kind"] = json!("Cluster");
    let cluster: Cluster = lifeboat::api::view(&value).unwrap();
    ClusterView::from_cluster(&cluster)
}

#[test]
fn affinity() {
    compare("random/cluster-matches.json", |input, expect| {
        let affinity: ClusterAffinity = read(&input["affinity"]);
        let ours = cluster_matches(&cluster(&input["cluster"]), &affinity);
        Some((expect["matches"].clone(), json!(ours)))
    });
}

#[test]
fn capacity() {
    compare("random/estimator-summary.json", |input, expect| {
        let status = json!({ "resourceSummary": input["resourceSummary"] });
        let view = cluster(&json!({ "metadata": { "name": "m" }, "spec": {}, "status": status }));
        let requirements = read(&input["replicaRequirements"]);
        let ours = max_replicas(&view.free, &Resources::of_replica(Some(&requirements)));
        Some((expect["replicas"].clone(), json!(ours)))
    });
}

#[test]
fn groups() {
    compare("random/spread-select-groups.json", |input, expect| {
        let groups: Vec<Group> = list(&input["groups"])
            .iter()
            .map(|group| Group {
                name: text(&group["name"]).to_owned(),
                value: number(&group["value"]),
                weight: number(&group["weight"]),
            })
            .collect();
        let bound = |field: &str| number(&input[field]);
        let ours = select_groups(
            &groups,
            bound("minConstraint"),
            bound("maxConstraint"),
            bound("target"),
        );
        Some((json!(list(&expect["groups"])), json!(ours)))
    });
}

fn spread(file: &str) {
    compare(file, |input, expect| {
        let placement: Placement = read(&input["placement"]);
        let previous: Vec<TargetCluster> = read(&input["previous"]);
        let mut candidates = super::division::candidates(&input["clusters"]);
        for candidate in &mut candidates {
            let held = previous.iter().filter(|target| target.name == candidate.name);
            let held: i64 = held.map(|target| i64::from(target.replicas)).sum();
            candidate.available = i64::from(candidate.allocatable) + held;
        }
        let wanted = replicas(&input["replicas"]);
        let chosen = select_clusters(&placement, &candidates, wanted);
        sort_candidates(&mut candidates);
        let mut ours = json!({
            "sortedClusters": candidates.iter().map(|candidate| &candidate.name).collect::<Vec<_>>(),
            "error": chosen.is_err(),
            "clusters": chosen.unwrap_or_default().iter().map(|candidate| &candidate.name).collect::<Vec<_>>(),
        });
        let mut theirs = json!({
            "sortedClusters": expect["sortedClusters"],
            "error": expect["error"] == true,
            "clusters": list(&expect["clusters"]),
        });
        if let Some(scores) = expect["regionScores"].as_object() {
            theirs["regionScores"] = json!(scores);
            ours["regionScores"] = region_scores(&placement, &candidates, wanted);
        }
        Some((theirs, ours))
    });
}

fn region_scores(placement: &Placement, sorted: &[Candidate], wanted: i32) -> Value {
    use lifeboat::api::policy::{SchedulingType, SpreadField};
    let minimum = |field: SpreadField| {
        let constraints = placement.spread_constraints.iter();
        constraints
            .filter(|constraint| constraint.spread_by_field == Some(field))
            .map(|constraint| constraint.min_groups)
            .next_back()
            .unwrap_or_default()
    };
    let duplicated = placement.scheduling_type() == SchedulingType::Duplicated;
    let mut scores = json!({});
    for candidate in sorted.iter().filter(|candidate| !candidate.region.is_empty()) {
        let members: Vec<&Candidate> = sorted
            .iter()
            .filter(|other| other.region == candidate.region)
            .collect();
        let (region, cluster) = (minimum(SpreadField::Region), minimum(SpreadField::Cluster));
        scores[&candidate.region] = json!(group_score(&members, wanted, duplicated, region, cluster));
    }
    scores
}

#[test]
fn spread_by_cluster() {
    spread("random/spread-select-by-cluster.json");
}

#[test]
fn spread_by_region() {
    spread("random/spread-select-by-region.json");
}
