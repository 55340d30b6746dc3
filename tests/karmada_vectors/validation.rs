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

#[test]
fn placements() {
    compare("go-tables/validation.ValidatePlacement.json", |input, expect| {
        let spec = PropagationSpec {
            placement: Some(read(&input["placement"])),
            ..PropagationSpec::default()
        };
        Some((expected_errors(expect), checked(&spec)))
    });
    compare(
        "go-tables/validation.validateClusterTolerations.json",
        |input, expect| {
            let placement = Placement {
                cluster_tolerations: read(&input["tolerations"]),
                ..Placement::default()
            };
            let spec = PropagationSpec {
                placement: Some(placement),
                ..PropagationSpec::default()
            };
            Some((expected_errors(expect), checked(&spec)))
        },
    );
    compare(
        "go-tables/validation.ValidateWorkloadAffinity.json",
        |input, expect| {
            let placement = Placement {
                workload_affinity: read(&input["workloadAffinity"]),
                ..Placement::default()
            };
            let spec = PropagationSpec {
                placement: Some(placement),
                ..PropagationSpec::default()
            };
            Some((expected_errors(expect), checked(&spec)))
        },
    );
    compare(
        "go-tables/validation.ValidateOverflowAffinities.json",
        |input, expect| {
            let term: ClusterAffinityTerm = read(&input["affinityTerm"]);
            let mut placement: Placement = read(&json!({
                "replicaScheduling": { "replicaSchedulingType": "Divided", "replicaDivisionPreference": "Aggregated" },
            }));
            placement.cluster_affinities = vec![term];
            let spec = PropagationSpec {
                placement: Some(placement),
                ..PropagationSpec::default()
            };
            Some((expected_errors(expect), checked(&spec)))
        },
    );
}

#[test]
fn failover() {
    let with = |failover: Failover| {
        let selector = ResourceSelector::default();
        PropagationSpec {
            resource_selectors: vec![selector],
            failover: Some(failover),
            propagate_deps: true,
            ..PropagationSpec::default()
        }
    };
    compare(
        "go-tables/validation.ValidateApplicationFailover.json",
        |input, expect| {
            let failover = Failover {
                application: read(&input["applicationFailover"]),
                ..Failover::default()
            };
            Some((expected_errors(expect), checked(&with(failover))))
        },
    );
    compare(
        "go-tables/validation.validateClusterFailover.json",
        |input, expect| {
            let failover = Failover {
                cluster: read(&input["clusterFailover"]),
                ..Failover::default()
            };
            Some((expected_errors(expect), checked(&with(failover))))
        },
    );
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
