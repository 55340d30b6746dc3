//! From the derive macro's schema to the form that Kubernetes' own generator writes.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Map, Value, json};

const QUANTITY: &str = r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$";
const CONDITION_REASON: &str = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$";
const CONDITION_TYPE: &str = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$";

/// Rewrites every schema of a definition. A definition that cannot be rewritten is returned as it is.
pub(super) fn apply(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    let list_kind = format!("{}List", crd.spec.names.kind);
    crd.spec.names.list_kind.get_or_insert(list_kind);
    for version in &mut crd.spec.versions {
        version.subresources.get_or_insert_default();
        let Some(root) = version
            .schema
            .as_mut()
            .and_then(|schema| schema.open_api_v3_schema.as_mut())
        else {
            continue;
        };
        let Ok(mut value) = serde_json::to_value(&*root) else {
            continue;
        };
        rewrite(&mut value);
        root_fields(&mut value);
        if let Ok(rewritten) = serde_json::from_value(value) {
            *root = rewritten;
        }
    }
    crd
}

fn rewrite(schema: &mut Value) {
    let Value::Object(map) = schema else { return };
    map.remove("nullable");
    if map
        .get("default")
        .is_some_and(|default| default.is_null() || *default == json!({}))
    {
        map.remove("default");
    }
    if let Some(Value::Array(values)) = map.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    formats(map);
    if map.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        quantity(map);
    }
    for key in ["properties", "patternProperties"] {
        if let Some(Value::Object(properties)) = map.get_mut(key) {
            properties.values_mut().for_each(rewrite);
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(nested) = map.get_mut(key) {
            rewrite(nested);
        }
    }
    known_shapes(map);
}

/// Kubernetes knows int32 and int64; unsigned ones keep the minimum that schemars gives them.
fn formats(map: &mut Map<String, Value>) {
    let replacement = match map.get("format").and_then(Value::as_str) {
        Some("uint8" | "uint16" | "uint32" | "int8" | "int16") => "int32",
        Some("uint64" | "uint" | "int") => "int64",
        _ => return,
    };
    map.insert("format".into(), replacement.into());
    if let Some(minimum) = map.get_mut("minimum")
        && minimum.as_f64() == Some(0.0)
    {
        *minimum = 0.into();
    }
}

fn quantity(map: &mut Map<String, Value>) {
    map.remove("type");
    map.remove("description");
    map.insert(
        "anyOf".into(),
        json!([{ "type": "integer" }, { "type": "string" }]),
    );
    map.insert("pattern".into(), QUANTITY.into());
}

/// Kubernetes' own types, recognised by their fields.
fn known_shapes(map: &mut Map<String, Value>) {
    let Some(Value::Object(properties)) = map.get_mut("properties") else {
        return;
    };
    let has = |keys: &[&str]| keys.iter().all(|key| properties.contains_key(*key));
    if has(&["key", "operator", "values"]) {
        insert(properties, "values", "x-kubernetes-list-type", "atomic".into());
    } else if has(&["matchLabels", "matchExpressions"]) {
        insert(
            properties,
            "matchExpressions",
            "x-kubernetes-list-type",
            "atomic".into(),
        );
        map.insert("x-kubernetes-map-type".into(), "atomic".into());
    } else if has(&["nodeSelectorTerms"]) {
        insert(
            properties,
            "nodeSelectorTerms",
            "x-kubernetes-list-type",
            "atomic".into(),
        );
        map.insert("x-kubernetes-map-type".into(), "atomic".into());
    } else if has(&["matchExpressions", "matchFields"]) {
        insert(
            properties,
            "matchExpressions",
            "x-kubernetes-list-type",
            "atomic".into(),
        );
        insert(
            properties,
            "matchFields",
            "x-kubernetes-list-type",
            "atomic".into(),
        );
        map.insert("x-kubernetes-map-type".into(), "atomic".into());
    } else if has(&[
        "lastTransitionTime",
        "observedGeneration",
        "reason",
        "status",
        "type",
    ]) {
        condition(properties);
    }
}

fn condition(properties: &mut Map<String, Value>) {
    insert(properties, "message", "maxLength", 32_768.into());
    insert(properties, "observedGeneration", "minimum", 0.into());
    insert(properties, "reason", "minLength", 1.into());
    insert(properties, "reason", "maxLength", 1024.into());
    insert(properties, "reason", "pattern", CONDITION_REASON.into());
    insert(properties, "status", "enum", json!(["True", "False", "Unknown"]));
    insert(properties, "type", "maxLength", 316.into());
    insert(properties, "type", "pattern", CONDITION_TYPE.into());
}

fn insert(properties: &mut Map<String, Value>, property: &str, key: &str, value: Value) {
    if let Some(Value::Object(schema)) = properties.get_mut(property) {
        schema.insert(key.into(), value);
    }
}

/// `apiVersion`, `kind` and `metadata` belong to every kind; controller-gen lists them, the macro does not.
fn root_fields(root: &mut Value) {
    if let Value::Object(map) = root {
        map.remove("title");
    }
    if let Some(Value::Object(properties)) = root.get_mut("properties") {
        for (key, kind) in [
            ("apiVersion", "string"),
            ("kind", "string"),
            ("metadata", "object"),
        ] {
            properties.entry(key).or_insert_with(|| json!({ "type": kind }));
        }
    }
}

/// Writes `1.0` as `1`: the Kubernetes type keeps limits as doubles, and nobody writes them so.
pub(super) fn whole_numbers(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(whole_numbers),
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Number(number) => {
            let whole = number
                .as_f64()
                .filter(|float| number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15);
            if let Some(whole) = whole {
                #[allow(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
                let integer = whole as i64;
                *number = integer.into();
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}
