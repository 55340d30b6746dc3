//! Reading and writing `metadata` on raw objects.

use serde_json::{Map, Value, json};

pub(crate) fn text<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get(key)?.as_str()
}

pub(crate) fn name(object: &Value) -> &str {
    text(object, "name").unwrap_or_default()
}

pub(crate) fn namespace(object: &Value) -> &str {
    text(object, "namespace").unwrap_or_default()
}

pub(crate) fn uid(object: &Value) -> &str {
    text(object, "uid").unwrap_or_default()
}

pub(crate) fn is_deleting(object: &Value) -> bool {
    text(object, "deletionTimestamp").is_some()
}

pub(crate) fn finalizers(object: &Value) -> Vec<&str> {
    let list = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// `metadata` as a map, put there if the object has none.
pub(crate) fn metadata_mut(object: &mut Value) -> &mut Map<String, Value> {
    child_mut(object, "metadata")
}

/// A field as a map; whatever else stood there is replaced.
pub(crate) fn child_mut<'a>(object: &'a mut Value, key: &str) -> &'a mut Map<String, Value> {
    as_map(as_map(object).entry(key).or_insert_with(|| json!({})))
}

/// The value as a map; whatever else it was is replaced.
pub(crate) fn as_map(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            unreachable!("made an object just above")
        }
    }
}

pub(crate) fn set(object: &mut Value, key: &str, value: Value) {
    metadata_mut(object).insert(key.to_owned(), value);
}

pub(crate) fn remove(object: &mut Value, key: &str) -> Option<Value> {
    object.get_mut("metadata")?.as_object_mut()?.remove(key)
}

/// Adds or removes one finalizer; an empty list is dropped.
pub(crate) fn set_finalizer(object: &mut Value, finalizer: &str, present: bool) {
    let mut list: Vec<Value> = finalizers(object).into_iter().map(Value::from).collect();
    list.retain(|entry| entry != finalizer);
    if present {
        list.push(finalizer.into());
    }
    if list.is_empty() {
        remove(object, "finalizers");
    } else {
        set(object, "finalizers", Value::Array(list));
    }
}

/// The value at a path of plain field names.
pub(crate) fn at<'a>(object: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(object, |value, name| value.get(name))
}

/// Writes the value at a path, making the objects on the way.
pub(crate) fn put_at(object: &mut Value, path: &[String], value: Value) {
    let Some((last, parents)) = path.split_last() else {
        return;
    };
    let mut slot = object;
    for name in parents {
        child_mut(slot, name);
        let Some(next) = slot.get_mut(name) else { return };
        slot = next;
    }
    if let Some(map) = slot.as_object_mut() {
        map.insert(last.clone(), value);
    }
}
