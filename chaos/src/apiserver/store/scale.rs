//! The `/scale` view of an object: how many replicas are wanted, how many there are, and who they are.

use serde_json::{Value, json};

use crate::apiserver::error::{ApiError, Cause};
use crate::apiserver::kinds::{Kind, ScalePaths};
use crate::apiserver::meta;

/// The object seen as an `autoscaling/v1 Scale`.
pub(crate) fn read(kind: &Kind, object: &Value) -> Result<Value, ApiError> {
    let paths = paths(kind)?;
    let number = |path: &[String]| meta::at(object, path).and_then(Value::as_i64).unwrap_or(0);
    let mut metadata = serde_json::Map::new();
    for key in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(found) = object.pointer("/metadata").and_then(|metadata| metadata.get(key)) {
            metadata.insert(key.to_owned(), found.clone());
        }
    }
    let mut status = json!({"replicas": number(&paths.status)});
    let selector = match &paths.selector {
        Some(path) => meta::at(object, path).and_then(Value::as_str).map(str::to_owned),
        None => object.pointer("/spec/selector").map(selector_text),
    };
    if let Some(selector) = selector.filter(|text| !text.is_empty()) {
        status["selector"] = selector.into();
    }
    Ok(json!({
        "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": metadata,
        "spec": {"replicas": number(&paths.spec)}, "status": status,
    }))
}

/// The object with the replicas (and preconditions) of a written Scale.
pub(super) fn write(kind: &Kind, before: &Value, scale: &Value) -> Result<Value, ApiError> {
    let paths = paths(kind)?;
    let wanted = scale
        .pointer("/spec/replicas")
        .cloned()
        .unwrap_or_else(|| json!(0));
    let name = meta::name(before);
    match wanted.as_i64() {
        Some(count) if (0..=i64::from(i32::MAX)).contains(&count) => {}
        Some(_) => {
            let detail = "must be greater than or equal to 0";
            let cause = Cause::invalid("spec.replicas", &wanted, detail);
            return Err(invalid_scale(name, cause));
        }
        None => {
            let cause = Cause::invalid("spec.replicas", &wanted, "must be an integer");
            return Err(invalid_scale(name, cause));
        }
    }
    let mut object = before.clone();
    meta::put_at(&mut object, &paths.spec, wanted);
    for key in ["resourceVersion", "uid"] {
        match scale.pointer("/metadata").and_then(|metadata| metadata.get(key)) {
            Some(sent) => meta::set(&mut object, key, sent.clone()),
            None => {
                meta::remove(&mut object, key);
            }
        }
    }
    Ok(object)
}

/// An applied Scale as the configuration of the object itself.
pub(super) fn as_config(kind: &Kind, before: &Value, scale: &Value) -> Result<Value, ApiError> {
    let paths = paths(kind)?;
    let written = write(kind, before, scale)?;
    let mut config = json!({
        "apiVersion": kind.api_version(), "kind": kind.kind, "metadata": {"name": meta::name(before)},
    });
    if let Some(wanted) = meta::at(&written, &paths.spec) {
        meta::put_at(&mut config, &paths.spec, wanted.clone());
    }
    Ok(config)
}

fn paths(kind: &Kind) -> Result<&ScalePaths, ApiError> {
    kind.scale.as_ref().ok_or_else(ApiError::no_such_path)
}

fn invalid_scale(name: &str, cause: Cause) -> ApiError {
    ApiError::new(
        422,
        "Invalid",
        format!("Scale.autoscaling \"{name}\" is invalid: {cause}"),
    )
    .about("autoscaling", "Scale", name)
    .with_causes(vec![cause])
}

/// A LabelSelector (or the plain map of a ReplicationController) in its text form.
pub(crate) fn selector_text(selector: &Value) -> String {
    let plain = selector.get("matchLabels").is_none() && selector.get("matchExpressions").is_none();
    let labels = if plain {
        Some(selector)
    } else {
        selector.get("matchLabels")
    };
    let mut parts: Vec<String> = labels
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
        .collect();
    for expression in selector
        .get("matchExpressions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let Some(key) = expression.get("key").and_then(Value::as_str) else {
            continue;
        };
        let values = expression
            .get("values")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let values: Vec<&str> = values.filter_map(Value::as_str).collect();
        match expression.get("operator").and_then(Value::as_str) {
            Some("In") => parts.push(format!("{key} in ({})", values.join(","))),
            Some("NotIn") => parts.push(format!("{key} notin ({})", values.join(","))),
            Some("Exists") => parts.push(key.to_owned()),
            Some("DoesNotExist") => parts.push(format!("!{key}")),
            Some(_) | None => {}
        }
    }
    parts.join(",")
}
