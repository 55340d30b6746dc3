//! PodDisruptionBudget and HorizontalPodAutoscaler.

use serde_json::{Map, Value, json};

use super::{
    Item,
    counts::{self, Count, number, optional, required},
};

const BUDGET: &[Count] = &[
    required("disruptionsAllowed"),
    required("currentHealthy"),
    required("desiredHealthy"),
    required("expectedPods"),
];
const AUTOSCALER: &[Count] = &[optional("currentReplicas"), required("desiredReplicas")];

pub(super) fn reflect_budget(status: &Value) -> Value {
    let mut reflected = Map::new();
    counts::write(&mut reflected, BUDGET, |name| number(status, name));
    if let Some(pods) = status.get("disruptedPods").filter(|pods| !pods.is_null()) {
        reflected.insert("disruptedPods".to_owned(), pods.clone());
    }
    Value::Object(reflected)
}

pub(super) fn budget_is_healthy(status: &Value) -> bool {
    number(status, "currentHealthy") >= number(status, "desiredHealthy")
}

/// Sums, and the pods under `cluster/pod`.
pub(super) fn aggregate_budget(items: &[Item]) -> Value {
    let mut status = Map::new();
    counts::write(&mut status, BUDGET, |name| counts::sum(items, name));
    let mut disrupted = Map::new();
    for item in items {
        let pods = item
            .status
            .as_ref()
            .and_then(|status| status["disruptedPods"].as_object());
        for (pod, time) in pods.into_iter().flatten() {
            disrupted.insert(format!("{}/{pod}", item.cluster), time.clone());
        }
    }
    if !disrupted.is_empty() {
        status.insert("disruptedPods".to_owned(), Value::Object(disrupted));
    }
    Value::Object(status)
}

pub(super) fn reflect_autoscaler(status: &Value) -> Value {
    let mut reflected = Map::new();
    counts::write(&mut reflected, AUTOSCALER, |name| number(status, name));
    // Required by the API, and of no use beyond the member.
    reflected.insert("currentMetrics".to_owned(), json!(null));
    Value::Object(reflected)
}

pub(super) fn aggregate_autoscaler(template: &Value, items: &[Item]) -> Value {
    let mut status = counts::current(template);
    counts::write(&mut status, AUTOSCALER, |name| counts::sum(items, name));
    Value::Object(status)
}
