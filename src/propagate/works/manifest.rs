//! The manifest that one member gets: the template without what belongs to our own API server, with the
//! member's share of replicas, and with labels and annotations that lead back to the template.

use serde_json::{Map, Value, json};

use super::{Identity, purged_directly};
use crate::{
    interpret,
    propagate::names::keys,
    store::{annotation, generation, uid},
};

/// Makes the manifest. The order is Karmada's: replicas, then what is ours, then what must not be sent.
pub(super) fn make(
    template: &Value,
    identity: &Identity,
    resolution: &str,
    replicas: Option<i64>,
    completions: Option<i64>,
    preserved: &Map<String, Value>,
) -> Value {
    let mut manifest = template.clone();
    if let Some(replicas) = replicas {
        interpret::revise(&mut manifest, replicas);
    }
    if let (Some(completions), Some(spec)) = (
        completions,
        manifest.get_mut("spec").and_then(Value::as_object_mut),
    ) {
        spec.insert("completions".to_owned(), json!(completions));
    }
    interpret::prune(&mut manifest);
    drop_nulls(&mut manifest);
    if let Some(metadata) = object_in(&mut manifest, "metadata") {
        label(metadata, identity, preserved);
        annotate(metadata, template, identity, resolution);
    }
    manifest
}

fn label(metadata: &mut Map<String, Value>, identity: &Identity, preserved: &Map<String, Value>) {
    let Some(labels) = fields(metadata, "labels") else {
        return;
    };
    labels.extend(identity.labels());
    labels.extend(preserved.clone());
    labels.insert(keys::MANAGED.to_owned(), json!("true"));
}

fn annotate(metadata: &mut Map<String, Value>, template: &Value, identity: &Identity, resolution: &str) {
    let managed_labels = fields(metadata, "labels")
        .map(|labels| joined(labels))
        .unwrap_or_default();
    let Some(annotations) = fields(metadata, "annotations") else {
        return;
    };
    annotations.extend(identity.binding_annotations.clone());
    let ours = [
        (keys::WORK_NAMESPACE, identity.namespace.clone()),
        (keys::WORK_NAME, identity.name.clone()),
        (keys::TEMPLATE_UID, uid(template).to_owned()),
        (keys::CONFLICT_RESOLUTION, resolution.to_owned()),
        (keys::MANAGED_ANNOTATIONS, String::new()),
        (keys::MANAGED_LABELS, managed_labels),
    ];
    for (key, value) in ours {
        annotations.insert(key.to_owned(), json!(value));
    }
    if generation(template) > 0 {
        annotations.insert(
            interpret::TEMPLATE_GENERATION.to_owned(),
            json!(generation(template).to_string()),
        );
    }
    let managed = joined(annotations);
    annotations.insert(keys::MANAGED_ANNOTATIONS.to_owned(), json!(managed));
}

fn joined(fields: &Map<String, Value>) -> String {
    let mut names: Vec<&str> = fields.keys().map(String::as_str).collect();
    names.sort_unstable();
    names.join(",")
}

fn object_in<'a>(value: &'a mut Value, field: &str) -> Option<&'a mut Map<String, Value>> {
    fields(value.as_object_mut()?, field)
}

fn fields<'a>(map: &'a mut Map<String, Value>, field: &str) -> Option<&'a mut Map<String, Value>> {
    map.entry(field).or_insert_with(|| json!({})).as_object_mut()
}

/// `null` says nothing in a manifest, and would look like a difference to what an API server keeps.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, field| !field.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What the template says goes before what the policy says; anything but the two words is ignored.
pub(super) fn conflict_resolution(template: &Value, spec: &Value) -> &'static str {
    match annotation(template, keys::CONFLICT_RESOLUTION) {
        Some("overwrite") => "overwrite",
        Some("abort") => "abort",
        _ if spec["conflictResolution"] == "Overwrite" => "overwrite",
        _ => "abort",
    }
}

/// State that the last eviction saved, for the one cluster the workload moves to, as Karmada injects it: only
/// after a direct purge, and never where the workload ran before.
pub(super) fn preserved_labels(spec: &Value, cluster: &str, clusters: usize) -> Map<String, Value> {
    let last = spec["gracefulEvictionTasks"]
        .as_array()
        .and_then(|tasks| tasks.last());
    let Some(task) = last.filter(|task| clusters == 1 && purged_directly(task)) else {
        return Map::new();
    };
    let before = task["clustersBeforeFailover"].as_array().into_iter().flatten();
    if before.into_iter().any(|name| name == cluster) {
        return Map::new();
    }
    task["preservedLabelState"]
        .as_object()
        .cloned()
        .unwrap_or_default()
}
