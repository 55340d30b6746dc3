//! What a member cluster has and what of it is taken, from its nodes and pods. Pure.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use crate::api::quantity::Nanos;

type Amounts = BTreeMap<String, Nanos>;

/// `nodeSummary` and `resourceSummary` of `Cluster.status`.
pub(super) fn summary(nodes: &[Arc<Value>], pods: &[Arc<Value>]) -> Value {
    let (mut allocatable, mut allocated, mut allocating) = (Amounts::new(), Amounts::new(), Amounts::new());
    let mut ready = 0;
    for node in nodes.iter().filter(|node| node_ready(node)) {
        ready += 1;
        add(&mut allocatable, node.pointer("/status/allocatable"));
    }
    for pod in pods {
        let phase = pod.pointer("/status/phase").and_then(Value::as_str);
        if matches!(phase, Some("Succeeded" | "Failed")) {
            continue;
        }
        let bound = pod
            .pointer("/spec/nodeName")
            .and_then(Value::as_str)
            .is_some_and(|node| !node.is_empty());
        let sum = if bound { &mut allocated } else { &mut allocating };
        let count = sum.entry("pods".to_owned()).or_default();
        *count = *count + Nanos::from_units(1);
        for container in pod
            .pointer("/spec/containers")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            add(sum, container.pointer("/resources/requests"));
        }
    }
    json!({
        "nodeSummary": { "totalNum": nodes.len(), "readyNum": ready },
        "resourceSummary": {
            "allocatable": texts(&allocatable),
            "allocated": texts(&allocated),
            "allocating": texts(&allocating),
        },
    })
}

fn node_ready(node: &Value) -> bool {
    let conditions = node.pointer("/status/conditions").and_then(Value::as_array);
    let ready = conditions
        .into_iter()
        .flatten()
        .any(|c| c["type"] == "Ready" && c["status"] == "True");
    ready && node.pointer("/spec/unschedulable") != Some(&Value::Bool(true))
}

/// Adds quantities by resource name; what is not a quantity counts nothing.
fn add(sum: &mut Amounts, amounts: Option<&Value>) {
    for (resource, amount) in amounts.and_then(Value::as_object).into_iter().flatten() {
        let text = amount.as_str().map_or_else(|| amount.to_string(), str::to_owned);
        if let Ok(amount) = Nanos::parse(&text) {
            let total = sum.entry(resource.clone()).or_default();
            *total = *total + amount;
        }
    }
}

/// cpu in thousandths, everything else in whole units, as Karmada writes them.
fn texts(amounts: &Amounts) -> BTreeMap<&str, String> {
    let text = |resource: &str, amount: Nanos| match resource {
        "cpu" => format!("{}m", amount.milli_value()),
        _ => amount.value().to_string(),
    };
    amounts
        .iter()
        .map(|(resource, amount)| (resource.as_str(), text(resource, *amount)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_ready_nodes_and_live_pods() {
        let node = |ready: &str| {
            Arc::new(
                json!({"status": {"allocatable": {"cpu": "4", "memory": "1Ki", "pods": 110},
                "conditions": [{"type": "Ready", "status": ready}]}}),
            )
        };
        let pod = |phase: &str, node: &str| {
            Arc::new(
                json!({"spec": {"nodeName": node, "containers": [{"resources": {"requests": {"cpu": "250m"}}}]},
                "status": {"phase": phase}}),
            )
        };
        let pods = [
            pod("Running", "n1"),
            pod("Running", "n1"),
            pod("Pending", ""),
            pod("Succeeded", "n1"),
        ];
        let summary = summary(&[node("True"), node("True"), node("Unknown")], &pods);
        assert_eq!(summary["nodeSummary"], json!({"totalNum": 3, "readyNum": 2}));
        let resources = &summary["resourceSummary"];
        assert_eq!(
            resources["allocatable"],
            json!({"cpu": "8000m", "memory": "2048", "pods": "220"})
        );
        assert_eq!(resources["allocated"], json!({"cpu": "500m", "pods": "2"}));
        assert_eq!(resources["allocating"], json!({"cpu": "250m", "pods": "1"}));
    }
}
