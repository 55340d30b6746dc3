//! Reading the common fields of a raw object.

use serde_json::Value;

pub fn name(object: &Value) -> &str {
    pointer_str(object, "/metadata/name")
}

/// Empty for a cluster-scoped object.
pub fn namespace(object: &Value) -> &str {
    pointer_str(object, "/metadata/namespace")
}

pub fn uid(object: &Value) -> &str {
    pointer_str(object, "/metadata/uid")
}

pub fn resource_version(object: &Value) -> &str {
    pointer_str(object, "/metadata/resourceVersion")
}

/// `metadata.generation`; 0 for a kind that has none.
pub fn generation(object: &Value) -> i64 {
    pointer_i64(object, "/metadata/generation").unwrap_or(0)
}

pub fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.pointer("/metadata/labels")?.get(key)?.as_str()
}

pub fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.pointer("/metadata/annotations")?.get(key)?.as_str()
}

pub fn pointer_i64(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer)?.as_i64()
}

/// Empty where there is no such text.
pub fn pointer_str<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}
