//! What the server does to objects of a kind around a write: system fields, defaults, allocation, validation.

use serde_json::{Value, json};

use super::error::Cause;
use super::kinds::{Kind, crd};
use super::meta;
use super::store::Subresource;
use super::{clock, schema};

mod allocate;
mod defaults;
mod pods;
mod transition;
mod validate;
mod workloads;

pub(crate) use allocate::allocate;

/// Fields the server alone writes, dropped from what a client creates.
const SYSTEM: &[&str] = &[
    "resourceVersion",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
];
/// Fields an update cannot change.
const KEPT: &[&str] = &[
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "generateName",
    "resourceVersion",
    "selfLink",
];

pub(crate) fn before_create(kind: &Kind, object: &mut Value) {
    for field in SYSTEM {
        meta::remove(object, field);
    }
    meta::set(object, "uid", clock::uuid().into());
    meta::set(object, "creationTimestamp", clock::now_rfc3339().into());
    if kind.generation {
        meta::set(object, "generation", json!(1));
    }
    if kind.status
        && !kind.is_core("nodes")
        && let Some(map) = object.as_object_mut()
    {
        map.remove("status");
    }
    defaults::apply(kind, object);
    defaults::initial_status(kind, object);
}

pub(crate) fn before_update(kind: &Kind, before: &Value, object: &mut Value, subresource: Subresource) {
    if subresource == Subresource::Status {
        let status = object.get("status").cloned();
        let sent = meta::remove(object, "managedFields");
        *object = before.clone();
        if let Some(sent) = sent {
            meta::set(object, "managedFields", sent);
        }
        replace_field(object, "status", status);
        return;
    }
    for field in KEPT {
        match before
            .pointer("/metadata")
            .and_then(|metadata| metadata.get(*field))
        {
            Some(kept) => meta::set(object, field, kept.clone()),
            None => {
                meta::remove(object, field);
            }
        }
    }
    if kind.status {
        replace_field(object, "status", before.get("status").cloned());
    }
    defaults::keep_allocated(kind, before, object);
    defaults::apply(kind, object);
}

fn replace_field(object: &mut Value, field: &str, value: Option<Value>) {
    let Some(map) = object.as_object_mut() else { return };
    match value {
        Some(value) => map.insert(field.to_owned(), value),
        None => map.remove(field),
    };
}

pub(crate) fn validate_create(kind: &Kind, object: &Value) -> Vec<Cause> {
    let mut causes = validate::metadata(kind, object);
    if kind.is_custom() {
        causes.extend(schema::validate::validate(object, None, kind.schema.get()));
        causes.extend(custom_replicas(kind, object));
    } else {
        causes.extend(validate::required(object, kind.schema.get()));
        causes.extend(validate::spec(kind, object));
    }
    if kind.is_crd() {
        causes.extend(crd::validate(object));
    }
    causes
}

pub(crate) fn validate_update(
    kind: &Kind,
    before: &Value,
    object: &Value,
    subresource: Subresource,
) -> Vec<Cause> {
    let mut causes = Vec::new();
    if kind.is_custom() {
        causes.extend(schema::validate::validate(
            object,
            Some(before),
            kind.schema.get(),
        ));
    }
    if subresource == Subresource::Status {
        return causes;
    }
    causes.extend(validate::metadata(kind, object));
    causes.extend(transition::check(kind, before, object));
    if kind.is_custom() {
        causes.extend(custom_replicas(kind, object));
    } else {
        causes.extend(validate::required(object, kind.schema.get()));
        causes.extend(validate::spec(kind, object));
    }
    if kind.is_crd() {
        causes.extend(crd::validate(object));
    }
    causes
}

/// Where the scale subresource reads the replicas, they cannot be negative.
fn custom_replicas(kind: &Kind, object: &Value) -> Option<Cause> {
    let path = &kind.scale.as_ref()?.spec;
    let value = meta::at(object, path)?;
    let negative = value.as_i64().is_some_and(|count| count < 0);
    negative.then(|| Cause::invalid(path.join("."), value, "should be a non-negative integer"))
}

/// Whether the part of the object that says what is wanted differs.
pub(crate) fn desired_state_changed(
    kind: &Kind,
    before: &Value,
    object: &Value,
    subresource: Subresource,
) -> bool {
    if !kind.generation || subresource == Subresource::Status {
        return false;
    }
    let keys = |value: &Value| -> Vec<String> {
        let keys = value.as_object().into_iter().flat_map(|map| map.keys().cloned());
        keys.filter(|key| key != "metadata" && key != "apiVersion" && (key != "status" || !kind.status))
            .collect()
    };
    let mut all = keys(before);
    all.extend(keys(object));
    all.iter().any(|key| before.get(key) != object.get(key))
}
