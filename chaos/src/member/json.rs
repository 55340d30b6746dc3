//! Reading and comparing API objects as raw JSON.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The text at a JSON pointer, empty when absent.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

/// The whole number at a JSON pointer.
pub(crate) fn int(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

/// The elements of the list at a JSON pointer, none when absent.
pub(crate) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The object at a JSON pointer.
pub(crate) fn map<'a>(object: &'a Value, pointer: &str) -> Option<&'a Map<String, Value>> {
    object.pointer(pointer).and_then(Value::as_object)
}

pub(crate) fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

pub(crate) fn namespace(object: &Value) -> &str {
    text(object, "/metadata/namespace")
}

pub(crate) fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

pub(crate) fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    map(object, "/metadata/annotations")?.get(key)?.as_str()
}

pub(crate) fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    map(object, "/metadata/labels")?.get(key)?.as_str()
}

/// The count at a JSON pointer, within what this simulation can ever reach.
pub(crate) fn count(object: &Value, pointer: &str, default: i64) -> i64 {
    int(object, pointer).unwrap_or(default).clamp(0, COUNT_MAX)
}

/// No count is larger, so that sums of them cannot overflow.
const COUNT_MAX: i64 = 1_000_000;

/// Sets the value at a path; whatever is in the way and no object becomes one.
pub(crate) fn put(mut target: &mut Value, path: &[&str], value: Value) {
    for key in path {
        if !target.is_object() {
            *target = Value::Object(Map::new());
        }
        let Some(fields) = target.as_object_mut() else {
            return;
        };
        target = fields.entry(*key).or_insert(Value::Null);
    }
    *target = value;
}

/// Whether the object is being deleted.
pub(crate) fn deleting(object: &Value) -> bool {
    object
        .pointer("/metadata/deletionTimestamp")
        .is_some_and(|stamp| !stamp.is_null())
}

/// The uid of the owner that controls the object.
pub(crate) fn controller(object: &Value) -> Option<&str> {
    list(object, "/metadata/ownerReferences")
        .iter()
        .find(|owner| owner["controller"] == true)
        .and_then(|owner| owner["uid"].as_str())
}

/// A controlling owner reference to `owner`.
pub(crate) fn owner_reference(api_version: &str, kind: &str, owner: &Value) -> Value {
    json!({
        "apiVersion": api_version, "kind": kind, "name": name(owner), "uid": uid(owner),
        "controller": true, "blockOwnerDeletion": true,
    })
}

/// Whether an equality selector (`spec.selector` of a Service) picks these labels; an empty one picks nothing.
pub(crate) fn selects(selector: Option<&Map<String, Value>>, labels: Option<&Map<String, Value>>) -> bool {
    selector.is_some_and(|selector| {
        !selector.is_empty()
            && selector
                .iter()
                .all(|(key, value)| labels.is_some_and(|labels| labels.get(key) == Some(value)))
    })
}

/// The condition of this type in `status.conditions`.
pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    list(object, "/status/conditions")
        .iter()
        .find(|condition| condition["type"] == kind)
}

/// Whether the condition of this type is `True`.
pub(crate) fn condition_is_true(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|condition| condition["status"] == "True")
}

/// What a condition is to say.
#[derive(Clone, Copy)]
pub(crate) struct Saying<'a> {
    pub(crate) kind: &'a str,
    pub(crate) status: bool,
    pub(crate) reason: &'a str,
    pub(crate) message: &'a str,
}

/// `object`'s conditions with these said, and the time of transition kept where the status is as before.
pub(crate) fn conditions(object: &Value, sayings: &[Saying<'_>], now: Timestamp) -> Value {
    let mut conditions = list(object, "/status/conditions").to_vec();
    for saying in sayings {
        let status = if saying.status { "True" } else { "False" };
        let old = conditions
            .iter()
            .position(|condition| condition["type"] == saying.kind);
        let since = old
            .map(|index| &conditions[index])
            .filter(|condition| condition["status"] == status)
            .map_or_else(
                || json!(stamp(now)),
                |condition| condition["lastTransitionTime"].clone(),
            );
        let mut condition = json!({ "type": saying.kind, "status": status, "lastTransitionTime": since });
        if !saying.reason.is_empty() {
            condition["reason"] = json!(saying.reason);
        }
        if !saying.message.is_empty() {
            condition["message"] = json!(saying.message);
        }
        match old {
            Some(index) => {
                // Fields of other writers, such as lastUpdateTime, stay.
                for key in ["lastUpdateTime", "lastProbeTime"] {
                    if let Some(value) = conditions[index].get(key) {
                        condition[key] = value.clone();
                    }
                }
                conditions[index] = condition;
            }
            None => conditions.push(condition),
        }
    }
    Value::Array(conditions)
}

/// An RFC 3339 time in whole seconds, as Kubernetes writes it.
pub(crate) fn stamp(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Whether merging `patch` into `object` would change nothing.
pub(crate) fn has_all(object: &Value, patch: &Value) -> bool {
    match patch {
        Value::Object(fields) => fields.iter().all(|(key, value)| match object.get(key) {
            Some(present) => has_all(present, value),
            None => value.is_null(),
        }),
        Value::Null => object.is_null(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => object == patch,
    }
}

/// A count with a percentage of `whole`, as in `maxSurge: 25%`; `up` rounds up.
pub(crate) fn count_or_percent(value: Option<&Value>, whole: i64, up: bool, default: &str) -> i64 {
    let default = Value::from(default);
    let value = value.filter(|value| !value.is_null()).unwrap_or(&default);
    if let Some(count) = value.as_i64() {
        return count.clamp(0, COUNT_MAX);
    }
    let percent = value
        .as_str()
        .and_then(|text| text.strip_suffix('%'))
        .and_then(|text| text.parse::<i64>().ok());
    let scaled = percent.unwrap_or(25).clamp(0, 1000) * whole;
    if up { (scaled + 99) / 100 } else { scaled / 100 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_that_changes_nothing_is_seen() {
        let object = json!({"a": {"b": 1, "c": [1, 2]}, "d": null});
        let check = |patch: Value, expected: bool| assert_eq!(has_all(&object, &patch), expected, "{patch}");
        check(json!({"a": {"b": 1}}), true);
        check(json!({"a": {"b": 2}}), false);
        check(json!({"a": {"c": [1]}}), false);
        check(json!({"x": null, "d": null}), true);
        check(json!({"x": 1}), false);
    }

    #[test]
    fn counts_and_percentages() {
        let check = |value: Value, up: bool, expected: i64| {
            assert_eq!(count_or_percent(Some(&value), 10, up, "25%"), expected, "{value}");
        };
        check(json!(3), true, 3);
        check(json!("25%"), true, 3);
        check(json!("25%"), false, 2);
        check(Value::Null, false, 2);
        check(json!("nonsense"), false, 2);
        check(json!(-4), false, 0);
    }

    #[test]
    fn what_is_in_the_way_of_a_path_gives_way() {
        let check = |mut target: Value, expected: Value| {
            put(&mut target, &["a", "b"], json!(1));
            assert_eq!(target, expected);
        };
        check(json!({"a": {"c": 2}}), json!({"a": {"b": 1, "c": 2}}));
        check(json!({"a": "text"}), json!({"a": {"b": 1}}));
        check(json!([3]), json!({"a": {"b": 1}}));
    }

    #[test]
    fn a_condition_keeps_its_time_until_its_status_changes() {
        let then = Timestamp::from_second(1_000_000).unwrap();
        let now = Timestamp::from_second(2_000_000).unwrap();
        let say = |status| Saying {
            kind: "Ready",
            status,
            reason: "",
            message: "",
        };
        let object = json!({"status": {"conditions": conditions(&Value::Null, &[say(true)], then)}});
        assert_eq!(
            conditions(&object, &[say(true)], now)[0]["lastTransitionTime"],
            stamp(then)
        );
        assert_eq!(
            conditions(&object, &[say(false)], now)[0]["lastTransitionTime"],
            stamp(now)
        );
    }
}
