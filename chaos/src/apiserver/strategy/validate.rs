//! Validation of metadata and of the built-in kinds.

use serde_json::Value;

use crate::apiserver::error::Cause;
use crate::apiserver::kinds::Kind;
use crate::apiserver::schema::Schema;
use crate::apiserver::{meta, names};

mod network;
mod pod;
mod workload;

const MAX_ANNOTATION_BYTES: usize = 256 * 1024;

/// Name, labels, annotations, finalizers and owners of any object.
pub(super) fn metadata(kind: &Kind, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    check_name(kind, meta::name(object), &mut causes);
    let map = |key: &str| {
        object
            .pointer("/metadata")
            .and_then(|m| m.get(key))
            .and_then(Value::as_object)
    };
    labels(map("labels"), "metadata.labels", &mut causes);
    let mut bytes = 0;
    for (key, value) in map("annotations").into_iter().flatten() {
        if !names::is_qualified(&key.to_ascii_lowercase()) {
            causes.push(Cause::invalid(
                "metadata.annotations",
                &key.as_str().into(),
                names::QUALIFIED_RULE,
            ));
        }
        bytes += key.len() + value.as_str().map_or(0, str::len);
    }
    if bytes > MAX_ANNOTATION_BYTES {
        causes.push(Cause::too_long(
            "metadata.annotations",
            MAX_ANNOTATION_BYTES as u64,
        ));
    }
    for (index, finalizer) in meta::finalizers(object).into_iter().enumerate() {
        if !names::is_qualified(finalizer) {
            let field = format!("metadata.finalizers[{index}]");
            causes.push(Cause::invalid(field, &finalizer.into(), names::QUALIFIED_RULE));
        }
    }
    owners(object, &mut causes);
    causes
}

fn owners(object: &Value, causes: &mut Vec<Cause>) {
    let list = object
        .pointer("/metadata/ownerReferences")
        .and_then(Value::as_array);
    let mut controllers = 0;
    for (index, owner) in list.into_iter().flatten().enumerate() {
        for key in ["apiVersion", "kind", "name", "uid"] {
            if owner.get(key).and_then(Value::as_str).is_none_or(str::is_empty) {
                causes.push(Cause::invalid(
                    format!("metadata.ownerReferences[{index}].{key}"),
                    &"".into(),
                    "must not be empty",
                ));
            }
        }
        controllers += usize::from(owner.get("controller").and_then(Value::as_bool) == Some(true));
    }
    if controllers > 1 {
        let detail = "Only one reference can have Controller set to true";
        causes.push(Cause::invalid(
            "metadata.ownerReferences",
            &controllers.into(),
            detail,
        ));
    }
}

fn check_name(kind: &Kind, name: &str, causes: &mut Vec<Cause>) {
    if name.is_empty() {
        causes.push(Cause::required(
            "metadata.name",
            "name or generateName is required",
        ));
        return;
    }
    let (fits, rule) = match (kind.group.as_str(), kind.resource.as_str()) {
        ("", "namespaces") => (names::is_dns_label(name), names::LABEL_RULE),
        ("", "services") => (names::is_dns_1035(name), names::DNS_1035_RULE),
        ("rbac.authorization.k8s.io", _) => (
            names::is_path_segment(name),
            "may not be '.', '..' or contain '/' or '%'",
        ),
        _ => (names::is_subdomain(name), names::SUBDOMAIN_RULE),
    };
    if !fits {
        causes.push(Cause::invalid("metadata.name", &name.into(), rule));
    }
}

/// Keys and values of labels, at any path.
pub(super) fn labels(map: Option<&serde_json::Map<String, Value>>, path: &str, causes: &mut Vec<Cause>) {
    for (key, value) in map.into_iter().flatten() {
        if !names::is_qualified(key) {
            causes.push(Cause::invalid(path, &key.as_str().into(), names::QUALIFIED_RULE));
        }
        if !value.as_str().is_some_and(names::is_label_value) {
            causes.push(Cause::invalid(path, value, names::LABEL_VALUE_RULE));
        }
    }
}

/// Fields the type of a built-in kind requires.
pub(super) fn required(object: &Value, schema: &Schema) -> Vec<Cause> {
    let mut causes = Vec::new();
    visit_required(object, schema, "", 0, &mut causes);
    causes
}

fn visit_required(value: &Value, schema: &Schema, path: &str, depth: usize, causes: &mut Vec<Cause>) {
    if depth > 60 || causes.len() > 20 || schema.is_open() {
        return;
    }
    let join = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    match value {
        Value::Object(map) => {
            for name in &schema.required {
                if !map.contains_key(&**name) && !lenient(path, name) {
                    causes.push(Cause::required(join(name), ""));
                }
            }
            for (key, inner) in map {
                // The status is written by controllers, whose partial reports are taken as they come.
                if depth == 0 && matches!(key.as_str(), "status" | "metadata") {
                    continue;
                }
                if let Some(field) = schema.field(key) {
                    visit_required(inner, field, &join(key), depth + 1, causes);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                visit_required(
                    item,
                    schema.item(),
                    &format!("{path}[{index}]"),
                    depth + 1,
                    causes,
                );
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Required by the OpenAPI type only because Go always writes it.
fn lenient(path: &str, name: &str) -> bool {
    path.is_empty() && matches!(name, "metadata" | "status")
        || name == "status"
        || name == "rules"
        || name == "endpoints"
}

/// What built-in kinds check beyond their types.
pub(super) fn spec(kind: &Kind, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    match (kind.group.as_str(), kind.resource.as_str()) {
        ("", "pods") => pod::check(
            object.pointer("/spec").unwrap_or(&Value::Null),
            "spec",
            &mut causes,
        ),
        ("apps" | "batch", _) | ("", "replicationcontrollers") => workload::check(kind, object, &mut causes),
        ("", "services") => network::service(object, &mut causes),
        ("networking.k8s.io", "ingresses") => network::ingress(object, &mut causes),
        ("autoscaling", _) => workload::autoscaler(object, &mut causes),
        ("", "configmaps" | "secrets") => {
            for section in ["data", "binaryData"] {
                for (key, value) in object
                    .get(section)
                    .and_then(Value::as_object)
                    .into_iter()
                    .flatten()
                {
                    let plain = key
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
                    if key.is_empty() || key.len() > 253 || !plain || key == "." || key == ".." {
                        let detail =
                            "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
                        causes.push(Cause::invalid(
                            format!("{section}[{key}]"),
                            &key.as_str().into(),
                            detail,
                        ));
                    }
                    let encoded = kind.resource == "secrets" || section == "binaryData";
                    if encoded && !value.as_str().is_some_and(is_base64) {
                        let detail = "must be base64-encoded";
                        causes.push(Cause::invalid(format!("{section}[{key}]"), &"…".into(), detail));
                    }
                }
            }
        }
        ("coordination.k8s.io", "leases") => {
            for field in ["leaseDurationSeconds", "leaseTransitions"] {
                let found = object.pointer("/spec").and_then(|spec| spec.get(field));
                let floor = i64::from(field == "leaseDurationSeconds");
                if let Some(value) = found.filter(|value| value.as_i64().is_some_and(|n| n < floor)) {
                    let detail = if floor == 1 {
                        "must be greater than 0"
                    } else {
                        "must be greater than or equal to 0"
                    };
                    causes.push(Cause::invalid(format!("spec.{field}"), value, detail));
                }
            }
        }
        _ => {}
    }
    causes
}

fn is_base64(text: &str) -> bool {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD
        .decode(text.replace(['\n', '\r'], ""))
        .is_ok()
}

/// A number below zero is refused where counts are meant.
pub(super) fn non_negative(value: Option<&Value>, field: &str, causes: &mut Vec<Cause>) {
    if let Some(value) = value.filter(|value| value.as_i64().is_some_and(|number| number < 0)) {
        causes.push(Cause::invalid(field, value, "must be greater than or equal to 0"));
    }
}

pub(super) fn one_of(value: Option<&Value>, allowed: &[&str], field: &str, causes: &mut Vec<Cause>) {
    if let Some(value) = value.filter(|value| !value.as_str().is_some_and(|text| allowed.contains(&text))) {
        let allowed: Vec<Value> = allowed.iter().map(|&text| text.into()).collect();
        causes.push(Cause::unsupported(field, value, &allowed));
    }
}
