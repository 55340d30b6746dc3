//! What a member itself fills into an object, and what an update must not take away again.

use serde_json::{Map, Value};

use super::{RETAIN_REPLICAS, native::Native};
use crate::store::label;

/// `desired` with the fields of `observed` that belong to the member.
pub fn retain(mut desired: Value, observed: &Value) -> Value {
    match Native::of(&desired) {
        Some(Native::Deployment | Native::StatefulSet | Native::ReplicaSet)
            if label(&desired, RETAIN_REPLICAS) == Some("true") =>
        {
            keep(&mut desired, observed, &["spec", "replicas"]);
        }
        Some(Native::Service) => {
            let port = observed.pointer("/spec/healthCheckNodePort");
            if port.and_then(Value::as_i64).is_some_and(|port| port > 0) {
                keep(&mut desired, observed, &["spec", "healthCheckNodePort"]);
            }
            keep_text(&mut desired, observed, &["spec", "clusterIP"]);
        }
        Some(Native::ServiceAccount) if is_empty(&desired["secrets"]) && !is_empty(&observed["secrets"]) => {
            keep(&mut desired, observed, &["secrets"]);
        }
        Some(Native::Secret) if desired["type"] == "kubernetes.io/service-account-token" => {
            keep(&mut desired, observed, &["data"]);
            let uid = ["metadata", "annotations", "kubernetes.io/service-account.uid"];
            keep(&mut desired, observed, &uid);
        }
        Some(Native::PersistentVolumeClaim) => keep_text(&mut desired, observed, &["spec", "volumeName"]),
        Some(Native::PersistentVolume) => keep(&mut desired, observed, &["spec", "claimRef"]),
        Some(Native::Job) => {
            keep(&mut desired, observed, &["spec", "selector", "matchLabels"]);
            keep(
                &mut desired,
                observed,
                &["spec", "template", "metadata", "labels"],
            );
        }
        Some(Native::Pod) => pod(&mut desired, observed),
        _ => {}
    }
    desired
}

fn is_empty(list: &Value) -> bool {
    list.as_array().is_none_or(Vec::is_empty)
}

/// A Pod cannot be changed in these, and the member fills them in.
fn pod(desired: &mut Value, observed: &Value) {
    let (Some(desired), Some(observed)) = (desired["spec"].as_object_mut(), observed["spec"].as_object())
    else {
        return;
    };
    for field in ["nodeName", "serviceAccountName", "volumes"] {
        mirror(desired, observed, field);
    }
    for field in ["containers", "initContainers"] {
        for observed in observed
            .get(field)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let containers = desired.get_mut(field).and_then(Value::as_array_mut);
            let same = containers
                .into_iter()
                .flatten()
                .find(|container| container["name"] == observed["name"]);
            if let (Some(Value::Object(container)), Some(observed)) = (same, observed.as_object()) {
                mirror(container, observed, "volumeMounts");
            }
        }
    }
}

fn mirror(desired: &mut Map<String, Value>, observed: &Map<String, Value>, field: &str) {
    match observed.get(field) {
        Some(value) => desired.insert(field.to_owned(), value.clone()),
        None => desired.remove(field),
    };
}

fn keep_text(desired: &mut Value, observed: &Value, path: &[&str]) {
    if at(observed, path)
        .and_then(Value::as_str)
        .is_some_and(|text| !text.is_empty())
    {
        keep(desired, observed, path);
    }
}

/// Copies the field if the member has it.
fn keep(desired: &mut Value, observed: &Value, path: &[&str]) {
    let Some(value) = at(observed, path).filter(|value| !value.is_null()) else {
        return;
    };
    let Some((last, parents)) = path.split_last() else {
        return;
    };
    let mut place = desired;
    for parent in parents {
        let Some(fields) = fields_of(place) else { return };
        place = fields.entry(*parent).or_insert_with(|| Value::Object(Map::new()));
    }
    if let Some(fields) = fields_of(place) {
        fields.insert((*last).to_owned(), value.clone());
    }
}

fn fields_of(value: &mut Value) -> Option<&mut Map<String, Value>> {
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut()
}

fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, field| value.get(field))
}
