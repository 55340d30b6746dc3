//! Conditions of an object (`status.conditions`, Kubernetes API conventions).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::generation;

/// The condition of that type, if the object has one.
pub fn find<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    held(object).iter().find(|condition| condition["type"] == kind)
}

/// A time as the Kubernetes API writes it: RFC 3339 in UTC, whole seconds.
pub fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The condition as it should stand in `object`: it keeps the time of its last change, which is `now` where
/// its status is another than the one held.
pub fn condition(
    object: &Value,
    kind: &str,
    (status, reason, message): (&str, &str, &str),
    now: &str,
) -> Value {
    let since = find(object, kind)
        .filter(|held| held["status"] == status)
        .and_then(|held| held["lastTransitionTime"].as_str())
        .unwrap_or(now);
    json!({
        "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since,
    })
}

/// Says which generation of `object` a condition is about. Karmada's own kinds do without.
pub fn observed(object: &Value, mut condition: Value) -> Value {
    condition["observedGeneration"] = json!(generation(object));
    condition
}

/// The whole list with `wanted` in their places, new ones at its end; `None` when they stand there already.
pub fn with(object: &Value, wanted: impl IntoIterator<Item = Value>) -> Option<Vec<Value>> {
    let mut conditions = held(object).to_vec();
    let mut changed = false;
    for condition in wanted {
        match conditions
            .iter_mut()
            .find(|held| held["type"] == condition["type"])
        {
            Some(held) if *held == condition => continue,
            Some(held) => *held = condition,
            None => conditions.push(condition),
        }
        changed = true;
    }
    changed.then_some(conditions)
}

fn held(object: &Value) -> &[Value] {
    object
        .pointer("/status/conditions")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_keeps_the_time_of_its_last_change() {
        let held = condition(&json!({}), "Ready", ("True", "A", "a"), "then");
        let object = json!({"status": {"conditions": [held]}});
        let same = condition(&object, "Ready", ("True", "B", "b"), "now");
        assert_eq!(
            (&same["lastTransitionTime"], &same["reason"]),
            (&json!("then"), &json!("B"))
        );
        let other = condition(&object, "Ready", ("False", "B", "b"), "now");
        assert_eq!(other["lastTransitionTime"], "now");
    }

    #[test]
    fn conditions_of_others_stay() {
        let object = json!({"status": {"conditions": [{"type": "A", "status": "True"}, {"type": "B"}]}});
        let changed = json!({"type": "A", "status": "False"});
        let added = json!({"type": "C"});
        assert_eq!(
            with(&object, [changed.clone(), added.clone()]),
            Some(vec![changed, json!({"type": "B"}), added])
        );
        assert_eq!(with(&object, [json!({"type": "B"})]), None);
    }
}
