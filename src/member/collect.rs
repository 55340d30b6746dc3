//! What became of a work in its member: the status to write into the Work object. Pure.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    interpret,
    store::{Kind, generation, name, namespace},
};

/// One manifest of a work and what the member holds of it.
pub(super) struct Manifest<'a> {
    pub(super) ordinal: usize,
    pub(super) kind: &'a Kind,
    pub(super) observed: Option<Arc<Value>>,
    /// Why it could not be applied.
    pub(super) failure: Option<String>,
}

/// The merge patch for the work's status; none if it says this already. `now` stamps a condition that
/// changed.
pub(super) fn status_patch(work: &Value, manifests: &[Manifest<'_>], now: &str) -> Option<Value> {
    let failure = manifests.iter().find_map(|manifest| manifest.failure.as_deref());
    let (status, reason, message) = match failure {
        Some(failure) => ("False", "AppliedFailed", failure.to_owned()),
        None if manifests.iter().any(|manifest| manifest.observed.is_none()) => return None,
        None => (
            "True",
            "AppliedSuccessful",
            "Manifest has been successfully applied".to_owned(),
        ),
    };
    let condition = condition(work, "Applied", status, reason, &message, now);
    let statuses: Vec<Value> = manifests.iter().filter_map(manifest_status).collect();
    let patch = json!({ "conditions": [condition], "manifestStatuses": statuses });
    let current = work.get("status").unwrap_or(&Value::Null);
    let same = current.get("conditions") == patch.get("conditions")
        && current.get("manifestStatuses").unwrap_or(&json!([])) == &patch["manifestStatuses"];
    (!same).then(|| json!({ "status": patch }))
}

fn manifest_status(manifest: &Manifest<'_>) -> Option<Value> {
    let observed = manifest.observed.as_deref()?;
    let Kind {
        group,
        version,
        kind,
        plural,
        namespaced: _,
    } = manifest.kind;
    let mut identifier = json!({
        "ordinal": manifest.ordinal, "version": version, "kind": kind, "resource": plural, "name": name(observed),
    });
    for (field, text) in [("group", group.as_str()), ("namespace", namespace(observed))] {
        if !text.is_empty() {
            identifier[field] = json!(text);
        }
    }
    let mut status = json!({ "identifier": identifier, "health": interpret::health(observed).as_str() });
    if let Some(reflected) = interpret::reflect(observed) {
        status["status"] = reflected;
    }
    Some(status)
}

/// A condition that keeps the time of its last change.
pub(crate) fn condition(
    object: &Value,
    kind: &str,
    status: &str,
    reason: &str,
    message: &str,
    now: &str,
) -> Value {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let current = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == kind);
    let since = current
        .filter(|current| current["status"] == status)
        .and_then(|current| current["lastTransitionTime"].as_str())
        .unwrap_or(now);
    let mut condition = json!({
        "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since,
    });
    if generation(object) > 0 {
        condition["observedGeneration"] = json!(generation(object));
    }
    condition
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_keeps_the_time_of_its_last_change() {
        let held = condition(&json!({}), "Ready", "True", "A", "a", "then");
        let object = json!({"status": {"conditions": [held]}});
        let same = condition(&object, "Ready", "True", "B", "b", "now");
        assert_eq!(
            (same["lastTransitionTime"].as_str(), same["reason"].as_str()),
            (Some("then"), Some("B"))
        );
        assert_eq!(
            condition(&object, "Ready", "False", "B", "b", "now")["lastTransitionTime"],
            "now"
        );
    }
}
