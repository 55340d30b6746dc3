//! Defaults and validation of propagation policies.

use lifeboat::api::Cluster;
use lifeboat::api::policy::{ClusterAffinityTerm, Failover, Placement, PropagationSpec, ResourceSelector};
use lifeboat::api::validate::{FieldError, Validate, propagation};
use serde_json::{Value, json};

use super::{compare, errors, expected_errors, read};

fn pairs(found: &[FieldError]) -> Value {
    errors(
        found
            .iter()
            .map(|error| (error.kind.reason().to_owned(), error.field.clone())),
    )
}

#[test]
fn defaults_and_validation() {
    compare("random/policy-default-and-validate.json", |input, expect| {
        let mut spec: PropagationSpec = read(&input["spec"]);
        let namespace = input["namespace"].as_str();
        spec.fill_defaults(namespace);
        let found = propagation(&spec, namespace);
        let defaulted: PropagationSpec = read(&expect["defaulted"]);
        Some((
            json!([defaulted, expected_errors(expect)]),
            json!([spec, pairs(&found)]),
        ))
    });
}

#[test]
fn propagation_specs() {
    compare(
        "go-tables/validation.ValidatePropagationSpec.json",
        |input, expect| {
            let mut spec = input["spec"].clone();
            if spec["resourceSelectors"].is_null() {
                spec["resourceSelectors"] = json!([]);
            }
            let spec: PropagationSpec = read(&spec);
            let namespace = input["namespace"]
                .as_str()
                .filter(|namespace| !namespace.is_empty());
            Some((expected_errors(expect), pairs(&propagation(&spec, namespace))))
        },
    );
}

fn checked(spec: &PropagationSpec) -> Value {
    pairs(&propagation(spec, None))
}

/// One of Karmada's tables whose rows are a part of a placement.
fn compare_placements(file: &str, placement: impl Fn(&Value) -> Placement) {
    compare(file, |input, expect| {
        let spec = PropagationSpec {
            placement: Some(placement(input)),
            ..PropagationSpec::default()
        };
        Some((expected_errors(expect), checked(&spec)))
    });
}

#[test]
fn placements() {
    compare_placements("go-tables/validation.ValidatePlacement.json", |input| {
        read(&input["placement"])
    });
    compare_placements("go-tables/validation.validateClusterTolerations.json", |input| {
        Placement {
            cluster_tolerations: read(&input["tolerations"]),
            ..Placement::default()
        }
    });
    compare_placements("go-tables/validation.ValidateWorkloadAffinity.json", |input| {
        Placement {
            workload_affinity: read(&input["workloadAffinity"]),
            ..Placement::default()
        }
    });
    compare_placements("go-tables/validation.ValidateOverflowAffinities.json", |input| {
        let term: ClusterAffinityTerm = read(&input["affinityTerm"]);
        let placement: Placement = read(&json!({
            "replicaScheduling": { "replicaSchedulingType": "Divided", "replicaDivisionPreference": "Aggregated" },
        }));
        Placement {
            cluster_affinities: vec![term],
            ..placement
        }
    });
}

#[test]
fn failover() {
    let compare = |file, failover: fn(&Value) -> Failover| {
        compare(file, |input, expect| {
            let spec = PropagationSpec {
                resource_selectors: vec![ResourceSelector::default()],
                failover: Some(failover(input)),
                propagate_deps: true,
                ..PropagationSpec::default()
            };
            Some((expected_errors(expect), checked(&spec)))
        });
    };
    compare("go-tables/validation.ValidateApplicationFailover.json", |input| {
        Failover {
            application: read(&input["applicationFailover"]),
            ..Failover::default()
        }
    });
    compare("go-tables/validation.validateClusterFailover.json", |input| {
        Failover {
            cluster: read(&input["clusterFailover"]),
            ..Failover::default()
        }
    });
}

#[test]
fn clusters() {
    compare("go-tables/cluster.ValidateCluster.json", |input, expect| {
        let mut cluster = input["cluster"].clone();
        cluster["apiVersion"] = json!("cluster.karmada.io/v1alpha1");
        cluster["kind"] = json!("Cluster");
        let cluster: Cluster = lifeboat::api::view(&cluster).unwrap();
        Some((expected_errors(expect), pairs(&cluster.validate())))
    });
}
