//! Webster's method, the dispenser, and dividing replicas over clusters.

use std::collections::BTreeMap;

use lifeboat::api::TargetCluster;
use lifeboat::api::policy::StaticClusterWeight;
use lifeboat::schedule::{
    Assignment, Candidate, ClusterView, Mode, Strategy, allocate_seats, assign_replicas, dispense,
    divide_dynamic, divide_static,
};
use serde_json::{Value, json};

use super::{compare, expected_targets, list, number, read, replicas, targets, text, tie_breaker};

#[test]
fn webster() {
    compare("random/webster.json", |input, expect| {
        let votes: BTreeMap<String, i64> = read(&input["partyVotes"]);
        let initial: BTreeMap<String, i64> = read(&input["initialAssignments"]);
        let ours = allocate_seats(number(&input["newSeats"]), &votes, &initial, tie_breaker(input));
        let ours: Vec<Value> = ours
            .iter()
            .map(|party| json!({ "name": party.name, "seats": party.seats, "votes": party.votes }))
            .collect();
        Some((expect["parties"].clone(), json!(ours)))
    });
}

#[test]
fn dispenser() {
    compare("random/dispense.json", |input, expect| {
        let weights: Vec<(String, i64)> = list(&input["weights"])
            .iter()
            .map(|entry| (text(&entry["cluster"]).to_owned(), number(&entry["weight"])))
            .collect();
        let initial: Vec<TargetCluster> = read(&input["initialAssignment"]);
        let uid = text(&input["bindingUID"]);
        let (clusters, remaining) = dispense(replicas(&input["newReplicas"]), &weights, &initial, uid);
        let theirs = json!([
            expected_targets(&expect["clusters"], true),
            number(&expect["remaining"])
        ]);
        Some((theirs, json!([targets(&clusters, true), remaining])))
    });
}

pub(crate) fn candidates(value: &Value) -> Vec<Candidate> {
    list(value)
        .iter()
        .map(|entry| Candidate {
            name: text(&entry["name"]).to_owned(),
            region: text(&entry["region"]).to_owned(),
            score: number(&entry["score"]),
            allocatable: i32::try_from(number(&entry["allocatable"])).unwrap(),
            available: number(&entry["available"]),
            overflow_order: usize::try_from(number(&entry["overflowOrder"])).unwrap(),
        })
        .collect()
}

fn strategy(name: &str) -> Strategy {
    match name {
        "Duplicated" => Strategy::Duplicated,
        "Aggregated" => Strategy::Aggregated,
        "StaticWeight" => Strategy::StaticWeight,
        "DynamicWeight" => Strategy::DynamicWeight,
        other => panic!("unknown strategy {other}"),
    }
}

fn dynamic(file: &str) {
    compare(file, |input, expect| {
        let previous: Vec<TargetCluster> = read(&input["previous"]);
        let mode = if input["mode"] == "Fresh" {
            Mode::Fresh
        } else {
            Mode::Steady
        };
        let ours = divide_dynamic(
            replicas(&input["replicas"]),
            &candidates(&input["candidates"]),
            &previous,
            strategy(input["strategy"].as_str().unwrap()),
            mode,
            text(&input["bindingUID"]),
        );
        if expect["goSortDependent"] == true {
            let stable = expected_targets(&expect["stableClusters"], false);
            return Some((stable, targets(&ours.unwrap_or_default(), false)));
        }
        Some(match ours {
            Err(_) => (expect["error"].clone(), json!(true)),
            Ok(_) if expect["error"] == true => (json!("error"), json!("no error")),
            Ok(clusters) => (
                expected_targets(&expect["clusters"], false),
                targets(&clusters, false),
            ),
        })
    });
}

#[test]
fn aggregated_steady() {
    dynamic("random/division-aggregated-steady.json");
}

#[test]
fn aggregated_fresh() {
    dynamic("random/division-aggregated-fresh.json");
}

#[test]
fn dynamic_weight_steady() {
    dynamic("random/division-dynamic-weight-steady.json");
}

#[test]
fn dynamic_weight_fresh() {
    dynamic("random/division-dynamic-weight-fresh.json");
}

#[test]
fn static_weight() {
    compare("random/division-static-weight.json", |input, expect| {
        let views: Vec<ClusterView> = list(&input["candidates"])
            .iter()
            .map(|entry| ClusterView {
                name: text(&entry["name"]).to_owned(),
                labels: read(&entry["labels"]),
                ..ClusterView::default()
            })
            .collect();
        let given = Some(&input["staticWeightList"]).filter(|rules| !rules.is_null());
        let rules: Option<Vec<StaticClusterWeight>> = given.map(read);
        let views: Vec<&ClusterView> = views.iter().collect();
        let uid = text(&input["bindingUID"]);
        let ours = divide_static(replicas(&input["replicas"]), &views, rules.as_deref(), uid);
        Some((expected_targets(&expect["clusters"], true), targets(&ours, true)))
    });
}

#[test]
fn assignment() {
    compare("random/assign-replicas.json", |input, expect| {
        let previous: Vec<TargetCluster> = read(&input["previous"]);
        let uid = text(&input["bindingUID"]);
        let candidates = candidates(&input["candidates"]);
        let assignment = Assignment {
            uid,
            replicas: replicas(&input["replicas"]),
            workload: number(&input["replicas"]) > 0,
            strategy: strategy(input["strategy"].as_str().unwrap()),
            mode: Mode::Steady,
            previous: &previous,
            rules: None,
            overflow: input["overflow"] == true,
        };
        let views: Vec<ClusterView> = candidates
            .iter()
            .map(|candidate| ClusterView {
                name: candidate.name.clone(),
                ..ClusterView::default()
            })
            .collect();
        let views: Vec<&ClusterView> = views.iter().collect();
        Some(match assign_replicas(&assignment, &candidates, &views) {
            Err(_) => (expect["error"].clone(), json!(true)),
            Ok(_) if expect["error"] == true => (json!("error"), json!("no error")),
            Ok(clusters) => (
                expected_targets(&expect["clusters"], false),
                targets(&clusters, false),
            ),
        })
    });
}
