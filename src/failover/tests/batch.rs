//! Many bindings at once.

use std::collections::BTreeMap;

use super::fleet::{FIVE, Fleet, divided, duplicated, names};
use crate::api::policy::{
    ClusterPreferences, DivisionPreference, DynamicWeightFactor, ReplicaSchedulingStrategy,
};

#[test]
fn a_thousand_bindings_do_not_pile_onto_one_cluster() {
    fn check(apps: usize, cpu_millis: i64, change: impl Fn(&mut ReplicaSchedulingStrategy)) {
        let mut fleet = Fleet::new(&FIVE).budget(100, 1000);
        for name in FIVE {
            fleet.cluster(name).view.free.cpu_millis = cpu_millis;
        }
        for app in 0..apps {
            let mut binding = divided(&format!("app-{app:04}"), &[("a", 1)]);
            change(binding.placement.replica_scheduling.as_mut().unwrap());
            fleet = fleet.with(binding);
        }
        fleet.power_off(&["a"]);
        fleet.run(7);
        let mut by_cluster: BTreeMap<&str, usize> = BTreeMap::new();
        for binding in &fleet.bindings {
            *by_cluster.entry(binding.clusters[0].name.as_str()).or_default() += 1;
        }
        let even = ["b", "c", "d", "e"].map(|name| (name, apps / 4));
        assert_eq!(by_cluster, BTreeMap::from(even));
    }
    let aggregated = |strategy: &mut ReplicaSchedulingStrategy| {
        strategy.replica_division_preference = Some(DivisionPreference::Aggregated);
    };
    let dynamic = |strategy: &mut ReplicaSchedulingStrategy| {
        strategy.weight_preference = Some(ClusterPreferences {
            dynamic_weight: Some(DynamicWeightFactor::AvailableReplicas),
            ..ClusterPreferences::default()
        });
    };
    check(1000, 1_000_000, aggregated);
    check(200, 1_000_000, dynamic);
    // Equal static weights know no better than the tie-break, until a cluster is full.
    check(200, 25_000, |_| {});
}

#[test]
fn what_is_left_goes_to_the_most_important() {
    let mut fleet = Fleet::new(&["a", "b", "c"]);
    // Room for three replicas each.
    for name in ["b", "c"] {
        fleet.cluster(name).view.free.cpu_millis = 1_500;
    }
    for app in 0..10 {
        let mut binding = divided(&format!("app-{app}"), &[("a", 1)]);
        binding.priority = app;
        fleet = fleet.with(binding);
    }
    fleet.power_off(&["a"]);
    fleet.run(10);
    let moved: Vec<i32> = fleet
        .bindings
        .iter()
        .filter(|b| !b.tasks.is_empty())
        .map(|binding| binding.priority)
        .collect();
    assert_eq!(moved, [4, 5, 6, 7, 8, 9]);
    assert_eq!(fleet.last.no_target.len(), 4);
}

#[test]
fn a_second_wave_counts_what_the_first_has_just_sent() {
    let mut fleet = Fleet::new(&["a", "b", "c", "d"]).budget(1, 4);
    fleet.pod_start = std::time::Duration::from_secs(30);
    for name in ["b", "c", "d"] {
        fleet.cluster(name).view.free.cpu_millis = 1_000;
    }
    // Their pods do not start for long; what they were sent must not be given away twice.
    for app in 0..8 {
        fleet = fleet.with(divided(&format!("app-{app}"), &[("a", 1)]));
    }
    fleet.power_off(&["a"]);
    fleet.run(80);
    assert_eq!(fleet.evictions, 6);
    for name in ["b", "c", "d"] {
        let sent: i32 = fleet
            .bindings
            .iter()
            .flat_map(|binding| &binding.clusters)
            .filter(|target| target.name == name)
            .map(|target| target.replicas)
            .sum();
        assert_eq!(sent, 2);
    }
}

#[test]
fn a_duplicated_workload_keeps_its_number_of_clusters() {
    let mut fleet = Fleet::new(&FIVE).with(duplicated("twin", &["a", "b"], 4));
    fleet.power_off(&["a"]);
    fleet.run(10);
    let twin = fleet.binding("twin");
    assert_eq!(names(&twin.clusters).len(), 2);
    assert!(names(&twin.clusters).contains("b") && !names(&twin.clusters).contains("a"));
    assert!(twin.clusters.iter().all(|target| target.replicas == 4));
}

#[test]
fn a_duplicated_workload_without_a_further_candidate_stays_as_it_is() {
    let mut twin = duplicated("twin", &["a", "b"], 4);
    twin.placement.spread_constraints.clear();
    twin.placement.cluster_affinity = super::fleet::among(&["a", "b"]);
    let mut fleet = Fleet::new(&FIVE).with(twin);
    fleet.power_off(&["a"]);
    fleet.run(30);
    assert_eq!((fleet.evictions, fleet.placed("twin").as_str()), (0, "a4 b4"));
    assert!(fleet.last.no_target.is_empty());
}
