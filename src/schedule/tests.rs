//! Whole rounds, by hand and at random.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::api::{Placement, TargetCluster};

fn fleet() -> Vec<ClusterView> {
    let cluster = |name: &str, provider: &str, region: &str, cores: i64| ClusterView {
        name: name.into(),
        provider: provider.into(),
        region: region.into(),
        api_enablements: serde_json::from_value(json!([{
            "groupVersion": "apps/v1", "resources": [{ "kind": "Deployment", "name": "deployments" }],
        }]))
        .unwrap(),
        ready: true,
        free: Resources {
            cpu_millis: cores * 1000,
            memory_bytes: 1 << 40,
            pods: 110,
            ..Resources::default()
        },
        ..ClusterView::default()
    };
    vec![
        cluster("eu-central-1", "aws", "eu-central-1", 8),
        cluster("eu-north-1", "aws", "eu-north-1", 4),
        cluster("europe-west1", "gcp", "europe-west1", 16),
    ]
}

struct Case {
    placement: Value,
    replicas: i32,
    previous: Vec<TargetCluster>,
    evicting: Vec<String>,
    observed: Option<&'static str>,
    clusters: Vec<ClusterView>,
}

impl Case {
    fn new(replicas: i32, placement: Value) -> Self {
        let clusters = fleet();
        Self {
            placement,
            replicas,
            previous: Vec::new(),
            evicting: Vec::new(),
            observed: None,
            clusters,
        }
    }

    fn decide(&self) -> Result<Decision, ScheduleError> {
        let placement: Placement = serde_json::from_value(self.placement.clone()).unwrap();
        schedule(&Request {
            uid: "27d3ac71-d464-4fc0-bcd5-ddee2f3d3adc",
            replicas: self.replicas,
            requirements: &Resources {
                cpu_millis: 1000,
                ..Resources::default()
            },
            gvk: ("apps/v1", "Deployment"),
            placement: &placement,
            previous: &self.previous,
            evicting: &self.evicting,
            fresh: false,
            observed_affinity: self.observed,
            clusters: &self.clusters,
            now: jiff::Timestamp::UNIX_EPOCH,
        })
    }

    fn check(&self, expected: &[(&str, i32)]) {
        let decision = self.decide().unwrap();
        let found: Vec<(&str, i32)> = decision
            .clusters
            .iter()
            .map(|target| (target.name.as_str(), target.replicas))
            .collect();
        assert_eq!(found, expected);
    }
}

fn divided(preference: Value) -> Value {
    let mut scheduling = json!({ "replicaSchedulingType": "Divided" });
    json_patch::merge(&mut scheduling, &preference);
    json!({ "replicaScheduling": scheduling })
}

#[test]
fn each_strategy() {
    Case::new(2, json!({})).check(&[("eu-central-1", 2), ("eu-north-1", 2), ("europe-west1", 2)]);
    let aggregated = divided(json!({ "replicaDivisionPreference": "Aggregated" }));
    Case::new(14, aggregated).check(&[("europe-west1", 14)]);
    let dynamic = divided(json!({
        "replicaDivisionPreference": "Weighted", "weightPreference": { "dynamicWeight": "AvailableReplicas" },
    }));
    Case::new(14, dynamic).check(&[("eu-central-1", 4), ("eu-north-1", 2), ("europe-west1", 8)]);
    let fixed = divided(json!({
        "replicaDivisionPreference": "Weighted",
        "weightPreference": { "staticWeightList": [
            { "targetCluster": { "clusterNames": ["eu-north-1"] }, "weight": 1 },
            { "targetCluster": { "fieldSelector": { "matchExpressions": [
                { "key": "provider", "operator": "In", "values": ["gcp"] } ] } }, "weight": 3 },
        ] },
    }));
    Case::new(8, fixed).check(&[("eu-north-1", 2), ("europe-west1", 6)]);
}

#[test]
fn every_refusal_is_told() {
    let mut case = Case::new(1, json!({ "clusterAffinity": { "exclude": ["eu-north-1"] } }));
    case.clusters[0].taints =
        serde_json::from_value(json!([{ "key": "not-ready", "effect": "NoSchedule" }])).unwrap();
    case.evicting = vec!["europe-west1".into()];
    let message = case.decide().unwrap_err().to_string();
    for part in [
        "eu-central-1: ",
        "not-ready:NoSchedule",
        "eu-north-1: ",
        "europe-west1: ",
        "being evicted",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn short_of_room_is_an_error_with_numbers() {
    let aggregated = divided(json!({ "replicaDivisionPreference": "Aggregated" }));
    let error = Case::new(29, aggregated).decide().unwrap_err();
    assert_eq!(error.reason(), "Unschedulable");
    assert!(
        error
            .to_string()
            .contains("can take 28 replicas and 29 are wanted"),
        "{error}"
    );
}

#[test]
fn a_returned_primary_is_found_when_its_backup_dies() {
    let groups = json!({ "clusterAffinities": [
        { "affinityName": "primary", "clusterNames": ["eu-central-1"] },
        { "affinityName": "backup", "clusterNames": ["eu-north-1"] },
    ] });
    let mut case = Case::new(1, groups);
    assert_eq!(case.decide().unwrap().affinity.as_deref(), Some("primary"));
    case.observed = Some("backup");
    assert_eq!(case.decide().unwrap().affinity.as_deref(), Some("backup"));
    case.evicting = vec!["eu-north-1".into()];
    assert_eq!(case.decide().unwrap().affinity.as_deref(), Some("primary"));
}

#[test]
fn what_holds_the_workload_keeps_it_in_spite_of_a_taint() {
    let mut case = Case::new(
        3,
        json!({ "clusterAffinity": { "clusterNames": ["eu-north-1"] } }),
    );
    case.clusters[1].taints =
        serde_json::from_value(json!([{ "key": "not-ready", "effect": "NoSchedule" }])).unwrap();
    assert!(case.decide().is_err());
    case.previous = vec![TargetCluster::new("eu-north-1", 3)];
    case.check(&[("eu-north-1", 3)]);
}

proptest! {
    /// Divided replicas add up, go nowhere they may not, and do not depend on the order of the clusters.
    #[test]
    fn divisions_add_up(
        replicas in 1..40_i32,
        aggregated in any::<bool>(),
        evicted in 0..4_usize,
        held in proptest::collection::vec(0..6_i32, 3),
        rotation in 0..3_usize,
    ) {
        let preference = if aggregated {
            json!({ "replicaDivisionPreference": "Aggregated" })
        } else {
            json!({ "weightPreference": { "dynamicWeight": "AvailableReplicas" } })
        };
        let mut case = Case::new(replicas, divided(preference));
        let names: Vec<String> = case.clusters.iter().map(|cluster| cluster.name.clone()).collect();
        case.previous = names.iter().zip(&held).map(|(name, count)| TargetCluster::new(name, *count)).collect();
        case.evicting = names.get(evicted).cloned().into_iter().collect();
        let first = case.decide();
        case.clusters.rotate_left(rotation);
        if let Ok(decision) = &first {
            prop_assert_eq!(decision.clusters.iter().map(|target| target.replicas).sum::<i32>(), replicas);
            prop_assert!(decision.clusters.iter().all(|target| !case.evicting.contains(&target.name)));
            prop_assert!(decision.clusters.iter().all(|target| target.replicas > 0));
        }
        prop_assert_eq!(first.map(|decision| decision.clusters).ok(), case.decide().map(|d| d.clusters).ok());
    }
}
