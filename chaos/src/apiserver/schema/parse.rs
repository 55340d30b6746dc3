//! JSON schema → [`Schema`]. Descriptions are dropped; references become names of built-in definitions.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Limits, Merge, PatchStrategy, Schema, SchemaRef, Type, cel};

/// Reads one schema. Anything it does not understand constrains nothing; [`super::structural`] is what
/// refuses a bad CustomResourceDefinition.
pub(crate) fn parse(raw: &Value) -> Schema {
    let Some(map) = raw.as_object() else {
        return super::any().clone();
    };
    let flag = |key: &str| map.get(key).and_then(Value::as_bool).unwrap_or(false);
    let mut schema = Schema {
        ty: parse_type(map),
        nullable: flag("nullable"),
        int_or_string: flag("x-kubernetes-int-or-string") || text(map, "format") == Some("int-or-string"),
        preserve_unknown: flag("x-kubernetes-preserve-unknown-fields"),
        embedded: flag("x-kubernetes-embedded-resource"),
        default: map.get("default").cloned(),
        merge: parse_merge(map),
        patch: parse_patch(map),
        format: text(map, "format").map(Into::into),
        limits: parse_limits(map).map(Box::new),
        ..Schema::default()
    };
    if let Some(properties) = map.get("properties").and_then(Value::as_object) {
        schema.properties = properties
            .iter()
            .map(|(k, v)| (k.as_str().into(), reference(v)))
            .collect();
    }
    if let Some(required) = map.get("required").and_then(Value::as_array) {
        schema.required = required
            .iter()
            .filter_map(Value::as_str)
            .map(Into::into)
            .collect();
    }
    schema.items = map.get("items").map(reference);
    schema.additional = match map.get("additionalProperties") {
        Some(Value::Bool(true)) => Some(SchemaRef::Inline(Arc::new(super::any().clone()))),
        Some(raw @ Value::Object(_)) => Some(reference(raw)),
        Some(_) | None => None,
    };
    if schema.ty == Type::Any && (!schema.properties.is_empty() || schema.additional.is_some()) {
        schema.ty = Type::Object;
    }
    schema
}

fn reference(raw: &Value) -> SchemaRef {
    match raw.get("$ref").and_then(Value::as_str) {
        Some(target) => SchemaRef::Named(target.rsplit('/').next().unwrap_or(target).into()),
        None => SchemaRef::Inline(Arc::new(parse(raw))),
    }
}

fn text<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    map.get(key).and_then(Value::as_str)
}

fn parse_type(map: &Map<String, Value>) -> Type {
    match text(map, "type") {
        Some("object") => Type::Object,
        Some("array") => Type::Array,
        Some("string") => Type::String,
        Some("integer") => Type::Integer,
        Some("number") => Type::Number,
        Some("boolean") => Type::Boolean,
        Some(_) | None => Type::Any,
    }
}

fn parse_merge(map: &Map<String, Value>) -> Merge {
    if text(map, "x-kubernetes-map-type") == Some("atomic") {
        return Merge::Atomic;
    }
    match text(map, "x-kubernetes-list-type") {
        Some("atomic") => Merge::Atomic,
        Some("set") => Merge::Set,
        Some("map") => {
            let keys = map.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
            let keys: Vec<Box<str>> = keys
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(Into::into)
                .collect();
            if keys.is_empty() {
                Merge::Atomic
            } else {
                Merge::Map(keys)
            }
        }
        Some(_) | None => Merge::Unset,
    }
}

fn parse_patch(map: &Map<String, Value>) -> PatchStrategy {
    let strategy = text(map, "x-kubernetes-patch-strategy").unwrap_or_default();
    PatchStrategy {
        merge: strategy.split(',').any(|word| word == "merge"),
        retain_keys: strategy.split(',').any(|word| word == "retainKeys"),
        key: text(map, "x-kubernetes-patch-merge-key").map(Into::into),
    }
}

fn parse_limits(map: &Map<String, Value>) -> Option<Limits> {
    const KEYS: &[&str] = &[
        "enum",
        "minimum",
        "maximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
        "pattern",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "x-kubernetes-validations",
    ];
    if !KEYS.iter().any(|key| map.contains_key(*key)) {
        return None;
    }
    let float = |key: &str| map.get(key).and_then(Value::as_f64);
    let count = |key: &str| map.get(key).and_then(Value::as_u64);
    let flag = |key: &str| map.get(key).and_then(Value::as_bool).unwrap_or(false);
    let list = |key: &str| -> Vec<Schema> {
        map.get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(parse)
            .collect()
    };
    Some(Limits {
        enumeration: map.get("enum").and_then(Value::as_array).cloned(),
        minimum: float("minimum"),
        maximum: float("maximum"),
        exclusive_minimum: flag("exclusiveMinimum"),
        exclusive_maximum: flag("exclusiveMaximum"),
        multiple_of: float("multipleOf"),
        min_length: count("minLength"),
        max_length: count("maxLength"),
        min_items: count("minItems"),
        max_items: count("maxItems"),
        unique_items: flag("uniqueItems"),
        min_properties: count("minProperties"),
        max_properties: count("maxProperties"),
        pattern: text(map, "pattern").and_then(compile),
        all_of: list("allOf"),
        any_of: list("anyOf"),
        one_of: list("oneOf"),
        not: map.get("not").map(|raw| Box::new(parse(raw))),
        rules: cel::parse_rules(map.get("x-kubernetes-validations")),
    })
}

/// A pattern within a bounded program size, so that no definition can make validation explode.
pub(super) fn compile(pattern: &str) -> Option<regex::Regex> {
    regex::RegexBuilder::new(pattern).size_limit(1 << 18).build().ok()
}
