//! Who holds the bindings, and how many replicas are wanted: asked of the control plane's API.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::time::{Instant, MissedTickBehavior};

use super::{
    client::{Client, HttpError},
    config::WorkloadRef,
    log::{ClusterMask, EventLog},
    recorder::Recorder,
};

const EVERY: Duration = Duration::from_millis(200);
const WITHIN: Duration = Duration::from_secs(2);
const BINDINGS: &str = "/apis/work.karmada.io/v1alpha2/resourcebindings";

/// Looks until dropped; a control plane that does not answer leaves a gap.
pub(super) async fn watch(control_plane: SocketAddr, clusters: Vec<String>, recorder: Recorder) {
    let mut client = Client::new(control_plane);
    let names = EventLog {
        clusters,
        ..EventLog::default()
    };
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        match client.json(BINDINGS, WITHIN).await {
            Ok(list) => recorder.bindings(Instant::now(), holders(&list, &names)),
            Err(error) => tracing::debug!(%error, "the control plane did not list its bindings"),
        }
    }
}

fn items(list: &Value) -> &[Value] {
    list["items"].as_array().map_or(&[], Vec::as_slice)
}

fn clusters(binding: &Value) -> &[Value] {
    binding["spec"]["clusters"].as_array().map_or(&[], Vec::as_slice)
}

/// An object without replicas may stay assigned to a cluster that is gone: there is nothing to evict.
fn has_replicas(binding: &Value) -> bool {
    binding["spec"]["replicas"]
        .as_u64()
        .is_some_and(|replicas| replicas > 0)
}

fn holders(list: &Value, names: &EventLog) -> Vec<(String, ClusterMask)> {
    let holder = |binding: &Value| {
        let metadata = &binding["metadata"];
        let key = format!(
            "{}/{}",
            metadata["namespace"].as_str().unwrap_or(""),
            metadata["name"].as_str().unwrap_or("")
        );
        (
            key,
            names.mask(
                clusters(binding)
                    .iter()
                    .filter_map(|cluster| cluster["name"].as_str()),
            ),
        )
    };
    items(list)
        .iter()
        .filter(|binding| has_replicas(binding))
        .map(holder)
        .collect()
}

/// The replicas that templates and policies ask for over the whole fleet; `None` while one is not placed.
pub(super) async fn desired(
    control_plane: SocketAddr,
    workloads: &[WorkloadRef],
) -> Result<Option<Vec<u32>>, HttpError> {
    let mut client = Client::new(control_plane);
    let bindings = client.json(BINDINGS, WITHIN).await?;
    let mut desired = Vec::new();
    for workload in workloads {
        let path = format!(
            "/apis/apps/v1/namespaces/{}/deployments/{}",
            workload.namespace, workload.name
        );
        let template = client.json(&path, WITHIN).await?;
        let Some(count) = fleet_replicas(&template, &bindings, workload) else {
            return Ok(None);
        };
        desired.push(count);
    }
    Ok(Some(desired))
}

/// A divided template is wanted once over the fleet, a duplicated one in every cluster of its binding.
fn fleet_replicas(template: &Value, bindings: &Value, workload: &WorkloadRef) -> Option<u32> {
    let replicas = u32::try_from(template["spec"]["replicas"].as_u64().unwrap_or(1)).ok()?;
    let binding = items(bindings).iter().find(|binding| {
        let resource = &binding["spec"]["resource"];
        resource["kind"] == "Deployment"
            && resource["namespace"] == workload.namespace.as_str()
            && resource["name"] == workload.name.as_str()
    })?;
    let placed = u32::try_from(clusters(binding).len())
        .ok()
        .filter(|count| *count > 0)?;
    let scheduling = &binding["spec"]["placement"]["replicaScheduling"]["replicaSchedulingType"];
    Some(if scheduling == "Divided" {
        replicas
    } else {
        replicas * placed
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn desired_replicas_follow_the_policy() {
        let workload = WorkloadRef {
            namespace: "default".to_owned(),
            name: "shop".to_owned(),
        };
        let binding = |clusters: Value, kind: Option<&str>| {
            json!({ "items": [{
                "metadata": { "namespace": "default", "name": "shop-deployment" },
                "spec": {
                    "resource": { "kind": "Deployment", "namespace": "default", "name": "shop" },
                    "clusters": clusters, "replicas": 6,
                    "placement": { "replicaScheduling": { "replicaSchedulingType": kind } },
                },
            }] })
        };
        let two = json!([{ "name": "a", "replicas": 2 }, { "name": "b", "replicas": 4 }]);
        let template = json!({ "spec": { "replicas": 6 } });
        let check = |bindings: Value, expected: Option<u32>| {
            assert_eq!(
                fleet_replicas(&template, &bindings, &workload),
                expected,
                "{bindings}"
            );
        };
        check(binding(two.clone(), Some("Divided")), Some(6));
        check(binding(two.clone(), Some("Duplicated")), Some(12));
        check(binding(two.clone(), None), Some(12));
        check(binding(json!([]), Some("Divided")), None);
        check(json!({ "items": [] }), None);

        let names = EventLog {
            clusters: vec!["b".to_owned(), "a".to_owned()],
            ..EventLog::default()
        };
        assert_eq!(
            holders(&binding(two, None), &names),
            [("default/shop-deployment".to_owned(), ClusterMask(0b11))]
        );
    }
}
