//! Which policy an object follows.

use lifeboat::{
    api::policy::ResourceSelector,
    propagate::policy::{PolicyView, closeness, winner},
};
use serde_json::{Value, json};

use super::compare;

fn policy(kind: &str, metadata: Value, spec: &Value) -> PolicyView {
    let mut spec = spec.clone();
    if spec["resourceSelectors"].is_null() {
        spec["resourceSelectors"] = json!([]);
    }
    PolicyView::read(&json!({ "kind": kind, "metadata": metadata, "spec": spec })).unwrap()
}

#[test]
fn the_winner_in_a_namespace() {
    compare("random/policy-priority.json", |input, expect| {
        let object = &input["object"];
        let policies: Vec<PolicyView> = input["policies"]
            .as_array()?
            .iter()
            .map(|said| {
                let metadata = json!({ "namespace": object["metadata"]["namespace"], "name": said["name"] });
                policy("PropagationPolicy", metadata, said)
            })
            .collect();
        let ours = winner(object, &policies).map(|policy| policy.name.clone());
        Some((json!([expect["winner"]]), json!([ours])))
    });
}

#[test]
fn the_winner_of_upstreams_tables() {
    for (function, kind) in [
        ("getHighestPriorityPropagationPolicy", "PropagationPolicy"),
        (
            "getHighestPriorityClusterPropagationPolicy",
            "ClusterPropagationPolicy",
        ),
    ] {
        compare(
            &format!("go-tables/policy-priority.{function}.json"),
            |input, expect| {
                let object = &input["object"];
                let policies: Vec<PolicyView> = input["policies"]
                    .as_array()?
                    .iter()
                    .map(|held| {
                        let mut metadata = held["metadata"].clone();
                        if kind == "PropagationPolicy" {
                            metadata["namespace"] = object["metadata"]["namespace"].clone();
                        }
                        policy(kind, metadata, &held["spec"])
                    })
                    .collect();
                let ours = winner(object, &policies).map(|policy| policy.name.clone());
                Some((json!([expect["winner"]["name"]]), json!([ours])))
            },
        );
    }
}

fn implicit_priority(object: &Value, selectors: &Value) -> i64 {
    let selectors: Vec<ResourceSelector> = lifeboat::api::view(selectors).unwrap();
    selectors
        .iter()
        .filter_map(|selector| closeness(object, selector))
        .max()
        .map_or(0, |closeness| closeness as i64)
}

#[test]
fn how_closely_an_object_is_selected() {
    compare("random/resource-selector-priority.json", |input, expect| {
        let ours = implicit_priority(&input["object"], &input["selectors"]);
        Some((
            json!([expect["priority"], expect["matches"]]),
            json!([ours, ours > 0]),
        ))
    });
    compare("go-tables/selector.ResourceMatches.json", |input, expect| {
        let ours = implicit_priority(&input["resource"], &json!([input["selector"]]));
        Some((json!([expect["matches"]]), json!([ours > 0])))
    });
    compare(
        "go-tables/selector.ResourceSelectorPriority.json",
        |input, expect| {
            let ours = implicit_priority(&input["resource"], &json!([input["selector"]]));
            Some((json!([expect["priority"]]), json!([ours])))
        },
    );
}
