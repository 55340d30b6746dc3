//! Bindings, works, and what is collected from them.

use std::collections::BTreeSet;

use lifeboat::propagate::{binding, names, policy::PolicyView, status, works};
use serde_json::{Value, json};

use super::{compare, text};

fn works_of(input: &Value) -> Vec<(String, &Value)> {
    let cluster = |work: &Value| names::cluster_of(text(&work["metadata"]["namespace"])).map(str::to_owned);
    input["works"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|work| Some((cluster(work)?, work)))
        .collect()
}

#[test]
fn statuses_of_works() {
    compare(
        "go-tables/status-helpers.assembleWorkStatus.json",
        |input, expect| {
            if expect["error"] == true {
                return None;
            }
            let held = json!({ "spec": { "resource": input["objectReference"] } });
            Some((
                expect["items"].clone(),
                json!(status::collected(&held, &works_of(input))),
            ))
        },
    );
}

#[test]
fn fully_applied() {
    compare(
        "go-tables/status-helpers.worksFullyApplied.json",
        |input, expect| {
            let targets = input["targetClusters"].as_array().into_iter().flatten();
            let clusters: Vec<Value> = targets.map(|name| json!({ "name": name })).collect();
            let held = json!({ "spec": { "clusters": clusters } });
            let work = |item: &Value| {
                let applied = if item["applied"] == true { "True" } else { "False" };
                let work = json!({ "status": { "conditions": [{ "type": "Applied", "status": applied }] } });
                (text(&item["clusterName"]).to_owned(), work)
            };
            let works: Vec<(String, Value)> = input["aggregatedStatuses"]
                .as_array()
                .into_iter()
                .flatten()
                .map(work)
                .collect();
            let works: Vec<(&str, &Value)> = works
                .iter()
                .map(|(cluster, work)| (cluster.as_str(), work))
                .collect();
            let patch = status::binding_patch(&held, &works).unwrap();
            let condition = &patch["status"]["conditions"][0];
            Some((
                json!(expect["fullyApplied"]),
                json!(condition["status"] == "True"),
            ))
        },
    );
}

#[test]
fn clusters_that_hold_the_object() {
    compare(
        "go-tables/binding.ObtainBindingSpecExistingClusters.json",
        |input, expect| {
            let expected: BTreeSet<&str> = expect["clusters"].as_array()?.iter().map(text).collect();
            Some((json!(expected), json!(works::holding_clusters(input))))
        },
    );
}

#[test]
fn suspension_of_policy_and_binding() {
    compare("go-tables/binding.MergePolicySuspension.json", |input, expect| {
        let policy = PolicyView::read(&json!({
            "kind": "PropagationPolicy", "metadata": { "namespace": "default", "name": "p" },
            "spec": { "resourceSelectors": [], "suspension": input["policySuspension"] },
        }));
        let template = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": "default", "name": "s" } });
        let desired = binding::desired(&template, &policy.unwrap());
        let mut held = desired.clone();
        held["spec"]["suspension"] = input["bindingSuspension"].clone();
        if let Some(patch) = binding::patch(&held, &desired) {
            json_patch::merge(&mut held, &patch);
        }
        let merged = held["spec"]
            .get("suspension")
            .filter(|merged| merged.as_object().is_some_and(|map| !map.is_empty()));
        Some((json!([expect["suspension"]]), json!([merged])))
    });
}
