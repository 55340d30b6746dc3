//! `/openapi/v2`: one document for everything, as JSON or as gnostic's protobuf.

use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Map, Value, json};

use super::super::discovery;
use super::super::respond::{self, Body};
use super::{definitions, gnostic, gvk, paths, relocate, schema_name};
use crate::apiserver::kinds::Kind;
use crate::apiserver::store::Store;

pub(crate) fn document(store: &Store, accept: &str) -> Response<Body> {
    let document = build(store);
    let protobuf = accept
        .split(',')
        .next()
        .is_some_and(|first| first.contains("com.github.proto-openapi.spec.v2"));
    if !protobuf {
        return respond::json(&document);
    }
    let mut response = respond::response(
        200,
        "application/octet-stream",
        respond::whole(gnostic::encode(&document)),
    );
    let media = HeaderValue::from_static("application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
    response.headers_mut().insert(CONTENT_TYPE, media);
    response
}

fn build(store: &Store) -> Value {
    let kinds: Vec<_> = discovery::groups(store)
        .into_values()
        .flatten()
        .flat_map(|(_, kinds)| kinds)
        .collect();
    let mut definitions = Value::Object(definitions(&kinds));
    relocate(&mut definitions, "#/definitions/", false);
    if let Some(map) = definitions.as_object_mut() {
        map.values_mut().for_each(|definition| simplify(definition, 0));
    }
    let mut all = Map::new();
    for kind in &kinds {
        operations(kind, &mut all);
    }
    json!({"swagger": "2.0", "info": {"title": "Kubernetes", "version": "v1.36.3+lifeboat"},
        "paths": all, "definitions": definitions})
}

/// OpenAPI v2 has no anyOf, oneOf, not or nullable.
fn simplify(value: &mut Value, depth: usize) {
    if depth > 64 {
        return;
    }
    let Some(map) = value.as_object_mut() else { return };
    for key in [
        "anyOf",
        "oneOf",
        "not",
        "allOf",
        "nullable",
        "x-kubernetes-validations",
    ] {
        map.remove(key);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = map.get_mut(key) {
            simplify(inner, depth + 1);
        }
    }
    if let Some(properties) = map.get_mut("properties").and_then(Value::as_object_mut) {
        properties
            .values_mut()
            .for_each(|inner| simplify(inner, depth + 1));
    }
}

fn operations(kind: &Kind, all: &mut Map<String, Value>) {
    let schema = format!("#/definitions/{}", schema_name(kind));
    let (collection, one) = paths::urls(kind);
    let gvk = gvk(&kind.group, &kind.version, &kind.kind);
    let operation = |name: &str, action: &str, consumes: &[&str], patch: bool, writes: bool| {
        let mut parameters: Vec<Value> = Vec::new();
        if writes {
            let of = if patch {
                "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.Patch"
            } else {
                schema.as_str()
            };
            parameters.push(json!({"in": "body", "name": "body", "required": true, "schema": {"$ref": of}}));
            parameters.extend(paths::write_parameters(patch).map(|(name, ty, description)| {
                json!({"in": "query", "name": name, "type": ty, "uniqueItems": true, "description": description})
            }));
        }
        json!({"operationId": format!("{name}{}{}{}", kind.group, kind.version, kind.kind), "consumes": consumes,
            "produces": ["application/json"], "parameters": parameters, "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": gvk,
            "responses": {"200": {"description": "OK", "schema": {"$ref": schema}}}})
    };
    let json = &["application/json", "application/yaml"];
    let scope = |named: bool| -> Vec<Value> {
        let wanted = [(named, "name"), (kind.namespaced, "namespace")];
        let names = wanted
            .into_iter()
            .filter(|(present, _)| *present)
            .map(|(_, name)| name);
        names.map(|name| json!({"in": "path", "name": name, "required": true, "type": "string", "uniqueItems": true})).collect()
    };
    all.insert(
        collection,
        json!({"parameters": scope(false), "get": operation("list", "list", json, false, false),
        "post": operation("create", "post", json, false, true)}),
    );
    all.insert(
        one,
        json!({"parameters": scope(true), "get": operation("read", "get", json, false, false),
        "put": operation("replace", "put", json, false, true),
        "patch": operation("patch", "patch", &paths::patch_types(kind), true, true)}),
    );
}
