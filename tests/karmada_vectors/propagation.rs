//! Names, which policy wins, and graceful eviction.

use jiff::SignedDuration;
use lifeboat::api::TargetCluster;
use lifeboat::api::policy::ResourceSelector;
use lifeboat::api::work::{AggregatedStatusItem, GracefulEvictionTask};
use lifeboat::propagate::eviction::{Assessed, assess, evict, next_retry, remove_cluster};
use lifeboat::propagate::{names, policy};
use serde_json::{Value, json};

use super::{compare, expected_targets, list, number, read, targets, text};

#[test]
fn generated_names() {
    compare("random/names.json", |input, expect| {
        let (kind, namespace) = (text(&input["kind"]), text(&input["namespace"]));
        let (name, gvk) = (text(&input["name"]), text(&input["gvk"]));
        let ours = json!({
            "bindingName": names::binding_name(&kind, &name),
            "bindingReferenceKey": names::binding_reference_key(&namespace, &name),
            "policyName": names::policy_name(&namespace, &name, &gvk),
            "workName": names::work_name(&kind, &namespace, &name),
        });
        Some((expect.clone(), ours))
    });
}

#[test]
fn selector_priority() {
    compare("random/resource-selector-priority.json", |input, expect| {
        let selectors: Vec<ResourceSelector> = read(&input["selectors"]);
        let closest = selectors
            .iter()
            .filter_map(|one| policy::closeness(&input["object"], one))
            .max();
        let ours =
            json!({ "matches": closest.is_some(), "priority": closest.map_or(0, |found| found as i32) });
        Some((expect.clone(), ours))
    });
}

#[test]
fn winning_policy() {
    compare("random/policy-priority.json", |input, expect| {
        let namespace = &input["object"]["metadata"]["namespace"];
        let policies: Vec<policy::PolicyView> = list(&input["policies"])
            .iter()
            .map(|one| {
                let object = json!({
                    "apiVersion": "policy.karmada.io/v1alpha1", "kind": "PropagationPolicy",
                    "metadata": { "name": one["name"], "namespace": namespace },
                    "spec": { "priority": one["priority"], "resourceSelectors": one["resourceSelectors"] },
                });
                policy::PolicyView::read(&object).unwrap()
            })
            .collect();
        let winner = policy::winner(&input["object"], &policies);
        Some((
            expect["winner"].clone(),
            json!(winner.map(|policy| policy.name.clone())),
        ))
    });
}

fn seconds(value: &Value) -> SignedDuration {
    SignedDuration::from_secs(number(value))
}

#[test]
fn eviction_tasks() {
    compare("random/graceful-eviction.json", |input, expect| {
        let tasks: Vec<GracefulEvictionTask> = read(&input["tasks"]);
        let clusters: Vec<TargetCluster> = read(&input["scheduleResult"]);
        let observed: Vec<AggregatedStatusItem> = read(&input["observedStatus"]);
        let now: jiff::Timestamp = text(&input["now"]).parse().unwrap();
        let timeout = seconds(&input["timeout_seconds"]);
        let scheduled = input["hasScheduled"] == true;
        let assessed = Assessed {
            timeout,
            scheduled,
            clusters: &clusters,
            observed: &observed,
        };
        let assessment = assess(&tasks, now, assessed);
        let ended: Vec<&str> = assessment
            .ended
            .iter()
            .map(|task| task.from_cluster.as_str())
            .collect();
        let retry = next_retry(&assessment.kept, now, timeout).unwrap_or_default();
        let theirs: Vec<GracefulEvictionTask> = read(&expect["tasks"]);
        Some((
            json!([theirs, expect["evictedClusters"], expect["nextRetry_seconds"]]),
            json!([assessment.kept, ended, retry.as_secs()]),
        ))
    });
}

#[test]
fn evicting() {
    compare("go-tables/binding.RemoveCluster.json", |input, expect| {
        let mut clusters: Vec<TargetCluster> = read(&input["spec"]["clusters"]);
        remove_cluster(&mut clusters, &text(&input["cluster"]));
        Some((
            expected_targets(&expect["clusters"], true),
            targets(&clusters, true),
        ))
    });
    compare("go-tables/binding.GracefulEvictCluster.json", |input, expect| {
        let mut clusters: Vec<TargetCluster> = read(&input["spec"]["clusters"]);
        let mut tasks: Vec<GracefulEvictionTask> = read(&input["spec"]["gracefulEvictionTasks"]);
        evict(&mut clusters, &mut tasks, read(&input["task"]));
        let theirs: Vec<GracefulEvictionTask> = read(&expect["gracefulEvictionTasks"]);
        Some((
            json!([expected_targets(&expect["clusters"], true), theirs]),
            json!([targets(&clusters, true), tasks]),
        ))
    });
}
