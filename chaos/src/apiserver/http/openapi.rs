//! The OpenAPI documents kubectl validates, explains and merges by. Built when asked for, from the same
//! definitions the server itself decodes with.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::apiserver::kinds::{Kind, Source};
use crate::apiserver::schema::builtin;

mod gnostic;
mod paths;
pub(super) mod v2;
pub(super) mod v3;

/// Definitions every document has, whatever it describes.
const COMMON: &[&str] = &[
    "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
    "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta",
    "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Patch",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
];
const SCALE: &str = "io.k8s.api.autoscaling.v1.Scale";

/// The name of a kind's definition: `io.k8s.api.apps.v1.Deployment`, `dev.lifeboat.v1alpha1.Zone`.
fn schema_name(kind: &Kind) -> String {
    match &kind.source {
        Source::Builtin(row) => row.schema_name(),
        Source::Custom { .. } => {
            let reversed: Vec<&str> = kind.group.split('.').rev().collect();
            format!("{}.{}.{}", reversed.join("."), kind.version, kind.kind)
        }
    }
}

fn gvk(group: &str, version: &str, kind: &str) -> Value {
    json!({"group": group, "version": version, "kind": kind})
}

/// Every definition the kinds need, by name; references read `#/$defs/NAME`.
fn definitions(kinds: &[Arc<Kind>]) -> Map<String, Value> {
    let mut found = Map::new();
    let mut wanted: Vec<String> = COMMON.iter().map(|&name| name.to_owned()).collect();
    if kinds.iter().any(|kind| kind.scale.is_some()) {
        wanted.push(SCALE.to_owned());
    }
    for kind in kinds {
        let name = schema_name(kind);
        let list = format!("{name}List");
        found.insert(list, list_definition(kind, &name));
        match &kind.source {
            Source::Builtin(_) => wanted.push(name),
            Source::Custom { raw_schema, .. } => {
                found.insert(name, custom_definition(kind, raw_schema));
            }
        }
    }
    let mut seen = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let Some(text) = builtin::text(&name) else {
            continue;
        };
        wanted.extend(
            text.split("\"#/$defs/")
                .skip(1)
                .filter_map(|rest| Some(rest.split('"').next()?.to_owned())),
        );
        found.insert(name, serde_json::from_str(text).unwrap_or_default());
    }
    for kind in kinds {
        if let Some(definition) = found.get_mut(&schema_name(kind)) {
            definition["x-kubernetes-group-version-kind"] =
                json!([gvk(&kind.group, &kind.version, &kind.kind)]);
        }
    }
    if let Some(scale) = found.get_mut(SCALE) {
        scale["x-kubernetes-group-version-kind"] = json!([gvk("autoscaling", "v1", "Scale")]);
    }
    found
}

fn list_definition(kind: &Kind, item: &str) -> Value {
    json!({
        "description": format!("{} is a list of {}", kind.list_kind, kind.kind),
        "type": "object", "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"}, "kind": {"type": "string"},
            "items": {"type": "array", "items": {"$ref": format!("#/$defs/{item}")}},
            "metadata": {"$ref": "#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"},
        },
        "x-kubernetes-group-version-kind": [gvk(&kind.group, &kind.version, &kind.list_kind)],
    })
}

/// A custom resource's schema as written, with the fields every object has.
fn custom_definition(kind: &Kind, raw: &str) -> Value {
    let mut definition: Value = serde_json::from_str(raw).unwrap_or_else(|_| json!({"type": "object"}));
    if !definition.is_object() {
        definition = json!({"type": "object"});
    }
    if !definition["properties"].is_object() {
        definition["properties"] = json!({});
    }
    let properties = &mut definition["properties"];
    properties["apiVersion"] = json!({"type": "string", "description": "APIVersion defines the versioned schema of this representation of an object."});
    properties["kind"] = json!({"type": "string", "description": "Kind is a string value representing the REST resource this object represents."});
    properties["metadata"] = json!({"$ref": "#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
        "description": "Standard object's metadata."});
    if definition.get("description").is_none() {
        definition["description"] = format!("{} of {}", kind.kind, kind.group).into();
    }
    definition
}

/// Rewrites references to where a document keeps its definitions; beside other keys they go into an `allOf`
/// where `wrap` says so.
fn relocate(value: &mut Value, prefix: &str, wrap: bool) {
    match value {
        Value::Object(map) => {
            for inner in map.values_mut() {
                relocate(inner, prefix, wrap);
            }
            let Some(Value::String(target)) = map.get("$ref") else {
                return;
            };
            let Some(name) = target.strip_prefix("#/$defs/") else {
                return;
            };
            let moved = Value::String(format!("{prefix}{name}"));
            if wrap && map.len() > 1 {
                map.remove("$ref");
                map.insert("allOf".to_owned(), json!([{"$ref": moved}]));
            } else {
                map.insert("$ref".to_owned(), moved);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| relocate(item, prefix, wrap)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
