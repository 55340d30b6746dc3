//! A single Pod, which may run in several members under one name.

use serde_json::{Map, Value, json};

use super::{Item, counts::statuses};

/// Done, or running and ready.
pub(super) fn is_healthy(status: &Value) -> bool {
    let conditions = status.get("conditions").and_then(Value::as_array);
    let ready = || {
        conditions
            .into_iter()
            .flatten()
            .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    };
    match status["phase"].as_str() {
        Some("Succeeded") => true,
        Some("Running") => ready(),
        _ => false,
    }
}

/// The worst phase of all members, and what is worth knowing of their containers; `None` without a member.
pub(super) fn aggregate(items: &[Item]) -> Option<Value> {
    if items.is_empty() {
        return None;
    }
    let mut status = Map::new();
    for field in ["initContainerStatuses", "containerStatuses"] {
        let containers = statuses(items)
            .filter_map(|status| status[field].as_array())
            .flatten();
        let containers: Vec<Value> = containers.map(container).collect();
        if !containers.is_empty() {
            status.insert(field.to_owned(), Value::Array(containers));
        }
    }
    if let Some(phase) = worst_phase(items, &["Failed", "Pending", "Running", "Succeeded"]) {
        status.insert("phase".to_owned(), json!(phase));
    }
    Some(Value::Object(status))
}

/// The first of `order` that a member is in. What has not been reported yet is Pending.
pub(super) fn worst_phase(items: &[Item], order: &[&'static str]) -> Option<&'static str> {
    let phase = |item: &Item| {
        item.status
            .as_ref()
            .map_or("Pending", |status| status["phase"].as_str().unwrap_or_default())
            .to_owned()
    };
    let phases: Vec<String> = items.iter().map(phase).collect();
    order
        .iter()
        .find(|phase| phases.iter().any(|held| held == *phase))
        .copied()
}

fn container(of: &Value) -> Value {
    json!({
        "name": "", "image": "", "imageID": "", "lastState": {}, "restartCount": 0,
        "ready": of["ready"].as_bool().unwrap_or(false),
        "state": of.get("state").cloned().unwrap_or_else(|| json!({})),
    })
}
