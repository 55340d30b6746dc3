//! The operations on a resource, as far as clients look at them: parameters of writes, media types of patches.

use serde_json::{Map, Value, json};

use super::{SCALE, gvk, schema_name};
use crate::apiserver::kinds::Kind;

const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";

/// Name, type and meaning of the query parameters of writes.
const WRITE_PARAMETERS: &[(&str, &str, &str)] = &[
    (
        "dryRun",
        "string",
        "When present, indicates that modifications should not be persisted. Valid: All.",
    ),
    (
        "fieldManager",
        "string",
        "The name of the actor that makes these changes.",
    ),
    (
        "fieldValidation",
        "string",
        "What to do about unknown or duplicate fields: Ignore, Warn (the default) or Strict.",
    ),
];
const FORCE: (&str, &str, &str) = (
    "force",
    "boolean",
    "Take over fields other managers own; apply patches only.",
);

/// Path of the collection and of one object.
pub(super) fn urls(kind: &Kind) -> (String, String) {
    let root = if kind.group.is_empty() {
        format!("/api/{}", kind.version)
    } else {
        format!("/apis/{}/{}", kind.group, kind.version)
    };
    let scope = if kind.namespaced {
        "/namespaces/{namespace}"
    } else {
        ""
    };
    let collection = format!("{root}{scope}/{}", kind.resource);
    let one = format!("{collection}/{{name}}");
    (collection, one)
}

pub(super) fn patch_types(kind: &Kind) -> Vec<&'static str> {
    let mut types = vec![
        "application/apply-patch+yaml",
        "application/json-patch+json",
        "application/merge-patch+json",
    ];
    if !kind.is_custom() {
        types.push("application/strategic-merge-patch+json");
    }
    types
}

pub(super) fn write_parameters(
    patch: bool,
) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    WRITE_PARAMETERS.iter().copied().chain(patch.then_some(FORCE))
}

pub(super) fn v3(kind: &Kind, all: &mut Map<String, Value>) {
    let schema = schema_name(kind);
    let (collection, one) = urls(kind);
    let id = |verb: &str| {
        format!(
            "{verb}{}{}{}",
            camel(&kind.group),
            camel(&kind.version),
            kind.kind
        )
    };
    let gvk = gvk(&kind.group, &kind.version, &kind.kind);
    let operation = |verb: &str, action: &str, name: &str, returns: &str| {
        json!({
            "operationId": id(name), "x-kubernetes-action": action, "x-kubernetes-group-version-kind": gvk,
            "description": format!("{verb} {}", kind.kind),
            "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": {"$ref": format!("#/components/schemas/{returns}")}}}}},
        })
    };
    let query = |patch: bool| -> Vec<Value> {
        write_parameters(patch)
            .map(|(name, ty, description)| {
                json!({"name": name, "in": "query", "description": description, "schema": {"type": ty, "uniqueItems": true}})
            })
            .collect()
    };
    let body = |types: &[&str], of: &str| {
        let content: Map<String, Value> = types
            .iter()
            .map(|ty| {
                (
                    (*ty).to_owned(),
                    json!({"schema": {"$ref": format!("#/components/schemas/{of}")}}),
                )
            })
            .collect();
        json!({"required": true, "content": content})
    };
    let path_parameters = |named: bool| -> Vec<Value> {
        let mut list = Vec::new();
        if named {
            list.push(json!({"name": "name", "in": "path", "required": true, "schema": {"type": "string", "uniqueItems": true}}));
        }
        if kind.namespaced {
            list.push(json!({"name": "namespace", "in": "path", "required": true, "schema": {"type": "string", "uniqueItems": true}}));
        }
        list
    };
    let writable = |of: &str| {
        let mut put = operation("replace", "put", "replace", of);
        put["parameters"] = Value::Array(query(false));
        put["requestBody"] = body(&["application/json", "application/yaml"], of);
        let mut patch = operation("partially update", "patch", "patch", of);
        patch["parameters"] = Value::Array(query(true));
        patch["requestBody"] = body(&patch_types(kind), PATCH);
        (put, patch)
    };
    let mut post = operation("create", "post", "create", &schema);
    post["parameters"] = Value::Array(query(false));
    post["requestBody"] = body(&["application/json", "application/yaml"], &schema);
    let list = operation("list or watch", "list", "list", &format!("{schema}List"));
    all.insert(
        collection,
        json!({"get": list, "post": post, "parameters": path_parameters(false)}),
    );
    let (put, patch) = writable(&schema);
    let get = operation("read", "get", "read", &schema);
    let delete = operation(
        "delete",
        "delete",
        "delete",
        "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
    );
    all.insert(
        one.clone(),
        json!({"get": get, "put": put, "patch": patch, "delete": delete, "parameters": path_parameters(true)}),
    );
    let subresources = [
        (kind.status, "status", schema.as_str()),
        (kind.scale.is_some(), "scale", SCALE),
    ];
    for (_, name, of) in subresources.into_iter().filter(|(present, ..)| *present) {
        let (mut put, mut patch) = writable(of);
        let mut get = operation("read", "get", "read", of);
        for (operation, verb) in [(&mut get, "read"), (&mut put, "replace"), (&mut patch, "patch")] {
            operation["operationId"] = format!("{}{}", id(verb), camel(name)).into();
            if name == "scale" {
                operation["x-kubernetes-group-version-kind"] = super::gvk("autoscaling", "v1", "Scale");
            }
        }
        all.insert(
            format!("{one}/{name}"),
            json!({"get": get, "put": put, "patch": patch, "parameters": path_parameters(true)}),
        );
    }
}

fn camel(text: &str) -> String {
    let words = text.split(['.', '-']).filter(|word| !word.is_empty());
    words
        .map(|word| {
            let mut chars = word.chars();
            chars
                .next()
                .map(|first| first.to_ascii_uppercase().to_string() + chars.as_str())
                .unwrap_or_default()
        })
        .collect()
}
