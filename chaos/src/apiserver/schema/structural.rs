//! Refuses CustomResourceDefinition schemas that are not structural, naming the place.

use serde_json::Value;

use super::cel;
use crate::apiserver::error::Cause;

const MAX_DEPTH: usize = 60;

/// Complaints about `openAPIV3Schema`, at `path`.
pub(crate) fn check(schema: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => {}
        Some(other) => causes.push(Cause::invalid(
            format!("{path}.type"),
            &Value::from(other),
            "must be object at the root",
        )),
        None => causes.push(Cause::required(
            format!("{path}.type"),
            "must not be empty at the root",
        )),
    }
    visit(schema, path, false, 0, &mut causes);
    causes
}

fn visit(schema: &Value, path: &str, logical: bool, depth: usize, causes: &mut Vec<Cause>) {
    let Some(map) = schema.as_object() else {
        causes.push(Cause::invalid(path, schema, "must be a schema object"));
        return;
    };
    if depth > MAX_DEPTH || causes.len() > 20 {
        return;
    }
    let flag = |key: &str| map.get(key).and_then(Value::as_bool).unwrap_or(false);
    let text = |key: &str| map.get(key).and_then(Value::as_str);
    if let Some(ty) = text("type") {
        const TYPES: &[&str] = &["object", "array", "string", "integer", "number", "boolean"];
        if !TYPES.contains(&ty) {
            let allowed: Vec<Value> = TYPES.iter().map(|&name| name.into()).collect();
            causes.push(Cause::unsupported(format!("{path}.type"), &ty.into(), &allowed));
        }
    } else if !logical
        && depth > 0
        && !flag("x-kubernetes-int-or-string")
        && !flag("x-kubernetes-preserve-unknown-fields")
    {
        causes.push(Cause::required(
            format!("{path}.type"),
            "must not be empty for specified object fields",
        ));
    }
    if map.contains_key("$ref") {
        causes.push(Cause::forbidden(format!("{path}.$ref"), "$ref is not supported"));
    }
    if text("x-kubernetes-list-type") == Some("map")
        && map
            .get("x-kubernetes-list-map-keys")
            .and_then(Value::as_array)
            .is_none_or(Vec::is_empty)
    {
        let field = format!("{path}.x-kubernetes-list-map-keys");
        causes.push(Cause::required(
            field,
            "must not be empty if x-kubernetes-list-type is map",
        ));
    }
    if let Some(kind) = text("x-kubernetes-list-type")
        && !matches!(kind, "atomic" | "set" | "map")
    {
        let allowed = [Value::from("atomic"), "map".into(), "set".into()];
        causes.push(Cause::unsupported(
            format!("{path}.x-kubernetes-list-type"),
            &kind.into(),
            &allowed,
        ));
    }
    if let Some(pattern) = text("pattern")
        && super::parse::compile(pattern).is_none()
    {
        let detail = "must be a valid regular expression";
        causes.push(Cause::invalid(format!("{path}.pattern"), &pattern.into(), detail));
    }
    if text("type") == Some("array") && !map.contains_key("items") && !logical {
        causes.push(Cause::required(format!("{path}.items"), "must be specified"));
    }
    let rules = map
        .get("x-kubernetes-validations")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    for (index, rule) in rules.enumerate() {
        let source = rule.get("rule").and_then(Value::as_str).unwrap_or_default();
        if let Err(why) = cel::compile(source) {
            let field = format!("{path}.x-kubernetes-validations[{index}].rule");
            causes.push(Cause::invalid(field, &source.into(), &why));
        }
    }
    for (name, inner) in map
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        if depth == 0 && name == "metadata" {
            continue;
        }
        visit(
            inner,
            &format!("{path}.properties[{name}]"),
            logical,
            depth + 1,
            causes,
        );
    }
    for key in ["items", "additionalProperties", "not"] {
        if let Some(inner @ Value::Object(_)) = map.get(key) {
            visit(
                inner,
                &format!("{path}.{key}"),
                logical || key == "not",
                depth + 1,
                causes,
            );
        }
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        for (index, inner) in map
            .get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .enumerate()
        {
            visit(inner, &format!("{path}.{key}[{index}]"), true, depth + 1, causes);
        }
    }
}
