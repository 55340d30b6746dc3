//! Template and policy to binding: what is wanted where. Where it is in fact, `spec.clusters`, the eviction
//! tasks and the status belong to the scheduler and the failover planner and are never written here.

use serde_json::{Map, Value, json};

use super::{
    names::{self, keys},
    policy::{CLAIM_ANNOTATIONS, CLAIM_LABELS, PolicyView, claim, id_of},
};
use crate::{
    api::work::ObjectReference,
    interpret,
    store::{
        label,
        merge::{additions, diff, diff_fields},
        name, namespace, resource_version, uid,
    },
};

/// Keeps a binding until its works are gone.
pub const FINALIZER: &str = "karmada.io/binding-controller";

pub(super) const API_VERSION: &str = "work.karmada.io/v1alpha2";
/// Fields of `spec` that follow from template and policy, besides `resource` and `suspension`.
const OWNED: &[&str] = &[
    "conflictResolution",
    "failover",
    "placement",
    "preserveResourcesOnDeletion",
    "propagateDeps",
    "replicaRequirements",
    "replicas",
    "schedulerName",
    "workloadAffinityGroups",
];

/// The binding of `template` under `policy`: a `ClusterResourceBinding` for a cluster-scoped template.
pub fn desired(template: &Value, policy: &PolicyView) -> Value {
    let cluster_scoped = namespace(template).is_empty();
    let (kind, id) = if cluster_scoped {
        ("ClusterResourceBinding", keys::CLUSTER_BINDING_ID)
    } else {
        ("ResourceBinding", keys::BINDING_ID)
    };
    let (mut labels, annotations) = claim(policy);
    labels.insert(id.to_owned(), json!(id_of(kind, template)));
    let template_kind = template["kind"].as_str().unwrap_or_default();
    let mut metadata = json!({
        "name": names::binding_name(template_kind, name(template)),
        "labels": labels,
        "annotations": annotations,
        "finalizers": [FINALIZER],
        "ownerReferences": [{
            "apiVersion": template["apiVersion"], "kind": template["kind"],
            "name": name(template), "uid": uid(template),
            "controller": true, "blockOwnerDeletion": true,
        }],
    });
    if !cluster_scoped {
        metadata["namespace"] = json!(namespace(template));
    }
    json!({ "apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec(template, policy) })
}

fn spec(template: &Value, policy: &PolicyView) -> Value {
    let mut spec = Map::new();
    let mut put = |field: &str, value: Value| spec.insert(field.to_owned(), value);
    put("resource", resource(template));
    put(
        "placement",
        said(policy, "placement").unwrap_or_else(|| json!({})),
    );
    put(
        "schedulerName",
        said(policy, "schedulerName").unwrap_or_else(|| json!("default-scheduler")),
    );
    put(
        "conflictResolution",
        said(policy, "conflictResolution").unwrap_or_else(|| json!("Abort")),
    );
    for field in ["failover", "preserveResourcesOnDeletion", "suspension"] {
        if let Some(value) = said(policy, field) {
            put(field, value);
        }
    }
    if policy.spec.propagate_deps {
        put("propagateDeps", json!(true));
    }
    if let Some(groups) = affinity_groups(template, policy) {
        put("workloadAffinityGroups", groups);
    }
    if let Some(needs) = interpret::needs(template) {
        if needs.replicas > 0 {
            put(
                "replicas",
                json!(i32::try_from(needs.replicas).unwrap_or(i32::MAX)),
            );
        }
        if let Some(requirements) = needs.requirements {
            put("replicaRequirements", json!(requirements));
        }
    }
    Value::Object(spec)
}

/// A field of the policy in its own words, so that what is unknown here is passed on.
fn said(policy: &PolicyView, field: &str) -> Option<Value> {
    policy.raw.get(field).filter(|value| !value.is_null()).cloned()
}

/// What a binding says of the object it is for.
pub(super) fn resource(template: &Value) -> Value {
    let mut resource = json!({
        "apiVersion": template["apiVersion"], "kind": template["kind"], "name": name(template),
    });
    let rest = [
        ("namespace", namespace(template)),
        ("uid", uid(template)),
        ("resourceVersion", resource_version(template)),
    ];
    for (field, text) in rest {
        if !text.is_empty() {
            resource[field] = json!(text);
        }
    }
    resource
}

/// `key=value` of the labels by which the policy groups workloads.
fn affinity_groups(template: &Value, policy: &PolicyView) -> Option<Value> {
    let affinity = policy.spec.placement.as_ref()?.workload_affinity.as_ref()?;
    let group = |key: &str| Some(format!("{key}={}", label(template, key)?));
    let mut groups = Map::new();
    if let Some(group) = affinity
        .affinity
        .as_ref()
        .and_then(|term| group(&term.group_by_label_key))
    {
        groups.insert("affinityGroup".to_owned(), json!(group));
    }
    if let Some(group) = affinity
        .anti_affinity
        .as_ref()
        .and_then(|term| group(&term.group_by_label_key))
    {
        groups.insert("antiAffinityGroup".to_owned(), json!(group));
    }
    (!groups.is_empty()).then_some(Value::Object(groups))
}

/// The merge patch that makes `existing` say what `desired` says, in the fields that are ours; `None` when
/// it does. A mere new version of the template, such as after a change of its status, is no difference.
/// A binding of another template of the same name is left to garbage collection.
pub fn patch(existing: &Value, desired: &Value) -> Option<Value> {
    if owner(existing).is_some_and(|held| owner(desired).is_some_and(|wanted| held != wanted)) {
        return None;
    }
    let mut patch = Map::new();
    let metadata = metadata_patch(&existing["metadata"], &desired["metadata"]);
    if !metadata.is_empty() {
        patch.insert("metadata".to_owned(), Value::Object(metadata));
    }
    let (held, wanted) = (&existing["spec"], &desired["spec"]);
    let mut spec = diff_fields(held, wanted, OWNED);
    let suspension = suspension(held.get("suspension"), wanted.get("suspension"));
    spec.extend(diff_fields(
        held,
        &json!({ "suspension": suspension }),
        &["suspension"],
    ));
    if let Some(mut resource) = diff(&held["resource"], &wanted["resource"]) {
        let version = resource
            .as_object_mut()
            .and_then(|fields| fields.remove("resourceVersion"));
        let more = resource.as_object().is_none_or(|fields| !fields.is_empty());
        if more || !spec.is_empty() || !patch.is_empty() {
            if let Some(version) = version {
                resource["resourceVersion"] = version;
            }
            spec.insert("resource".to_owned(), resource);
        }
    }
    if !spec.is_empty() {
        patch.insert("spec".to_owned(), Value::Object(spec));
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

fn metadata_patch(existing: &Value, desired: &Value) -> Map<String, Value> {
    let mut patch = Map::new();
    let mut labels = diff_fields(&existing["labels"], &desired["labels"], CLAIM_LABELS);
    for id in [keys::BINDING_ID, keys::CLUSTER_BINDING_ID] {
        // One that is there, such as Karmada's, is on works and manifests already.
        if existing["labels"].get(id).is_none() {
            labels.extend(diff_fields(&existing["labels"], &desired["labels"], &[id]));
        }
    }
    let annotations = diff_fields(
        &existing["annotations"],
        &desired["annotations"],
        CLAIM_ANNOTATIONS,
    );
    for (field, changes) in [("labels", labels), ("annotations", annotations)] {
        if !changes.is_empty() {
            patch.insert(field.to_owned(), Value::Object(changes));
        }
    }
    if let Some(finalizers) = with_finalizer(existing, FINALIZER) {
        patch.insert("finalizers".to_owned(), finalizers);
    }
    patch.extend(additions(
        Some(existing),
        Some(&json!({ "ownerReferences": desired["ownerReferences"] })),
    ));
    patch
}

/// The finalizers with ours; `None` when it is there, or when the object is going and may not get one.
pub(super) fn with_finalizer(metadata: &Value, finalizer: &str) -> Option<Value> {
    let held = metadata["finalizers"].as_array().cloned().unwrap_or_default();
    if held.iter().any(|held| held == finalizer) || metadata.get("deletionTimestamp").is_some() {
        return None;
    }
    Some(held.into_iter().chain([json!(finalizer)]).collect())
}

/// The policy decides on dispatching, the binding alone on scheduling.
fn suspension(held: Option<&Value>, wanted: Option<&Value>) -> Value {
    let mut merged = wanted.and_then(Value::as_object).cloned().unwrap_or_default();
    merged.retain(|_, value| !value.is_null());
    if let Some(scheduling) = held
        .and_then(|held| held.get("scheduling"))
        .filter(|value| !value.is_null())
    {
        merged.insert("scheduling".to_owned(), scheduling.clone());
    }
    if merged.is_empty() {
        Value::Null
    } else {
        Value::Object(merged)
    }
}

/// UID of the object the binding belongs to.
fn owner(binding: &Value) -> Option<&str> {
    let owners = binding.pointer("/metadata/ownerReferences")?.as_array()?;
    owners.iter().find(|owner| owner["controller"] == true)?["uid"]
        .as_str()
        .filter(|uid| !uid.is_empty())
}

/// The object the binding was made from; `None` when it does not say.
pub fn template_key(binding: &Value) -> Option<ObjectReference> {
    serde_json::from_value(binding.pointer("/spec/resource")?.clone()).ok()
}

/// Whether the object has replicas that are placed: `replicas`, requirements or components are given.
pub(crate) fn is_workload(spec: &Value) -> bool {
    spec["replicas"].as_i64().unwrap_or(0) > 0
        || spec
            .get("replicaRequirements")
            .is_some_and(|requirements| !requirements.is_null())
        || spec["components"]
            .as_array()
            .is_some_and(|components| !components.is_empty())
}

/// Whether replicas are shared out over the clusters, rather than given to each.
pub(crate) fn is_divided(spec: &Value) -> bool {
    spec.pointer("/placement/replicaScheduling")
        .is_some_and(|scheduling| {
            !scheduling.is_null() && scheduling["replicaSchedulingType"] != "Duplicated"
        })
}

#[cfg(test)]
mod tests;
