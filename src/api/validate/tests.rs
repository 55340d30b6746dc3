//! YAML that people have: our samples, and Karmada's where those are at hand.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{FieldError, Validate};
use crate::api::{
    Cluster, ClusterPropagationPolicy, FailoverPolicy, PropagationPolicy, TrafficPolicy, ViewError, Work,
    Zone, view,
};
use crate::controller::Kinds;
use crate::propagate::reconcile::{Round, policies};
use crate::store::{Index, Key};

/// Defaults and checks one object as the controller does; kinds of others pass.
fn check(object: &Value) -> Result<Vec<FieldError>, ViewError> {
    Ok(match object["kind"].as_str().unwrap_or_default() {
        "PropagationPolicy" => {
            let mut policy = view::<PropagationPolicy>(object)?;
            let namespace = policy
                .metadata
                .namespace
                .get_or_insert_with(|| "default".into())
                .clone();
            policy.spec.fill_defaults(Some(&namespace));
            policy.validate()
        }
        "ClusterPropagationPolicy" => {
            let mut policy = view::<ClusterPropagationPolicy>(object)?;
            policy.spec.fill_defaults(None);
            policy.validate()
        }
        "Cluster" => view::<Cluster>(object)?.validate(),
        "TrafficPolicy" => view::<TrafficPolicy>(object)?.spec.validate(),
        "Zone" => view::<Zone>(object)?.spec.validate(),
        "FailoverPolicy" => view::<FailoverPolicy>(object)?.spec.validate(),
        "Work" => view::<Work>(object).map(|_| Vec::new())?,
        _ => Vec::new(),
    })
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
}

fn check_folder(folder: &Path) -> usize {
    let mut paths = Vec::new();
    files(folder, &mut paths);
    paths.sort();
    for path in &paths {
        let text = std::fs::read_to_string(path).unwrap();
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        for document in documents {
            let errors = check(&document);
            assert_eq!(errors, Ok(Vec::new()), "{}", path.display());
        }
    }
    paths.len()
}

#[test]
fn our_samples_are_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/samples");
    assert!(check_folder(&folder) > 0);
}

#[test]
fn karmadas_samples_are_valid() {
    let folder = std::env::var_os("LIFEBOAT_VECTORS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/karmada-vectors"),
        PathBuf::from,
    );
    if check_folder(&folder.join("samples")) == 0 {
        println!("skipped: no Karmada samples");
    }
}

#[test]
fn what_is_wrong_is_told_by_object_and_field() {
    let object = json!({
        "apiVersion": "lifeboat.dev/v1alpha1", "kind": "TrafficPolicy",
        "metadata": { "namespace": "default", "name": "shop" },
        "spec": {
            "zone": "demo.example", "name": "shop.demo.example", "service": { "name": "shop" },
            "steer": [{ "weighted": {} }], "weights": { "eu-central-1": -1 },
        },
    });
    let error = check(&object).unwrap_err();
    assert_eq!(
        (error.object.as_str(), error.path.as_str()),
        ("TrafficPolicy default/shop", "spec.weights.eu-central-1")
    );
    assert!(error.reason.contains("-1"), "{error}");
}

/// Wherever a policy selects by labels, a broken operator is told by its field.
#[test]
fn operators_of_label_selectors_are_checked_everywhere() {
    let selector = json!({ "matchExpressions": [{ "key": "tier", "operator": "Foo", "values": ["a"] }] });
    let affinity = json!({ "labelSelector": selector });
    let named = |name: &str| json!({ "affinityName": name, "labelSelector": selector });
    let mut term = named("first");
    term["overflowAffinities"] = json!([named("second")]);
    let policy = |placement: Value| {
        json!({
            "apiVersion": "policy.karmada.io/v1alpha1", "kind": "PropagationPolicy",
            "metadata": { "namespace": "default", "name": "web" },
            "spec": {
                "resourceSelectors": [{ "apiVersion": "apps/v1", "kind": "Deployment", "labelSelector": selector }],
                "placement": placement,
            },
        })
    };
    let dynamic = json!({ "replicaDivisionPreference": "Aggregated", "replicaSchedulingType": "Divided" });
    let fixed = json!({
        "replicaDivisionPreference": "Weighted", "replicaSchedulingType": "Divided",
        "weightPreference": { "staticWeightList": [{ "targetCluster": affinity, "weight": 1 }] },
    });
    let in_selector = "spec.resourceSelectors[0].labelSelector";
    for (placement, expected) in [
        (
            json!({ "clusterAffinity": affinity, "replicaScheduling": fixed }),
            vec![
                "spec.placement.clusterAffinity.labelSelector",
                "spec.placement.replicaScheduling.weightPreference.staticWeightList[0].targetCluster.labelSelector",
                in_selector,
            ],
        ),
        (
            json!({ "clusterAffinities": [term], "replicaScheduling": dynamic }),
            vec![
                "spec.placement.clusterAffinities[0].labelSelector",
                "spec.placement.clusterAffinities[0].overflowAffinities[0].labelSelector",
                in_selector,
            ],
        ),
    ] {
        let errors = check(&policy(placement)).unwrap();
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let wrong = |path: &str| {
            format!("{path}.matchExpressions[0].operator: \"Foo\": must be In, NotIn, Exists or DoesNotExist")
        };
        assert_eq!(found, expected.iter().map(|path| wrong(path)).collect::<Vec<_>>());
    }
}

/// Karmada's policies have no status: what a check finds becomes an Event by way of the round's complaints.
#[test]
fn a_policy_with_a_broken_selector_is_complained_about() {
    let kinds = Kinds::default();
    let index = Index::default();
    index.apply(
        &kinds.policy,
        json!({
            "apiVersion": "policy.karmada.io/v1alpha1", "kind": "PropagationPolicy",
            "metadata": { "namespace": "default", "name": "web" },
            "spec": { "resourceSelectors": [{
                "apiVersion": "apps/v1", "kind": "Deployment",
                "labelSelector": { "matchExpressions": [{ "key": "tier", "operator": "Foo" }] },
            }] },
        }),
    );
    let mut round = Round::default();
    assert_eq!(policies(&index, &kinds, &mut round), []);
    let message = "spec.resourceSelectors[0].labelSelector.matchExpressions[0].operator: \"Foo\": must be In, NotIn, Exists or DoesNotExist";
    assert_eq!(
        round.complaints,
        [(
            kinds.policy.clone(),
            Key::new("default", "web"),
            message.to_owned()
        )]
    );
}
