//! What a workload refers to goes where the workload goes, if its policy says `propagateDeps`: a binding for each
//! object it needs, attached to the workload's own by `requiredBy`. As Karmada's dependencies distributor does it.
//!
//! ```text
//! workload's binding ── dependencies ──> the objects, named in an annotation of it
//!        spec.clusters ── snapshot ────> requiredBy of their bindings ── works ──> one Work a cluster
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{
    binding,
    names::{self, binding_reference_key, keys},
    policy::id_of,
};
use crate::{
    interpret::{self, Dependency},
    store::{Key, annotation, label, name, namespace, uid},
};

/// Annotation of a binding: what its object needs, as JSON.
const DEPENDENCIES: &str = "resourcebinding.karmada.io/dependencies";
/// Prefix of labels of an attached binding, one for each that needs it; the value is that binding's id.
const DEPENDED_BY: &str = "resourcebinding.karmada.io/depended-by-";

/// Kinds that follow what needs them: (apiVersion, kind).
pub const KINDS: [(&str, &str); 4] = [
    ("v1", "ConfigMap"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Secret"),
    ("v1", "ServiceAccount"),
];

/// Whether the binding wants what its object needs to follow.
pub fn asked_for(binding: &Value) -> bool {
    binding.pointer("/spec/propagateDeps") == Some(&Value::Bool(true))
        && binding.pointer("/metadata/deletionTimestamp").is_none()
}

/// Whether the binding is there for others alone, and no policy places its object.
pub fn is_attached(binding: &Value) -> bool {
    binding.pointer("/spec/placement").is_none_or(Value::is_null)
}

/// Whether nobody needs an attached binding any more once `patch` is carried out: it has no reason to be.
pub fn is_orphaned_by(held: &Value, patch: &Value) -> bool {
    is_attached(held)
        && patch
            .pointer("/spec/requiredBy")
            .and_then(Value::as_array)
            .is_some_and(Vec::is_empty)
}

/// The clusters of those that need the object of a binding, each once.
pub fn clusters(binding: &Value) -> BTreeSet<&str> {
    let required = binding.pointer("/spec/requiredBy").and_then(Value::as_array);
    required
        .into_iter()
        .flatten()
        .filter_map(|by| by["clusters"].as_array())
        .flatten()
        .filter_map(|cluster| cluster["name"].as_str())
        .collect()
}

/// Whose binding a binding is attached to: NAMESPACE/NAME of each.
pub fn required_by(binding: &Value) -> Vec<String> {
    let required = binding.pointer("/spec/requiredBy").and_then(Value::as_array);
    let full = |by: &Value| {
        let text = |field: &str| by[field].as_str().unwrap_or_default();
        format!("{}/{}", text("namespace"), text("name"))
    };
    required.into_iter().flatten().map(full).collect()
}

/// What `template` needs, of the kinds that can follow it.
pub fn needed(template: &Value) -> Vec<Dependency> {
    let mut needed = interpret::dependencies(template);
    needed.retain(|needed| KINDS.contains(&(needed.api_version.as_str(), needed.kind.as_str())));
    needed
}

/// The merge patch that names what is needed in the binding; `None` when it is named.
pub fn record_patch(binding: &Value, needed: &[Dependency]) -> Option<Value> {
    let reference = |needed: &Dependency| {
        json!({
            "apiVersion": needed.api_version, "kind": needed.kind,
            "namespace": needed.namespace, "name": needed.name,
        })
    };
    let text = Value::from_iter(needed.iter().map(reference)).to_string();
    (annotation(binding, DEPENDENCIES) != Some(&text))
        .then(|| json!({ "metadata": { "annotations": { DEPENDENCIES: text } } }))
}

/// Name of the binding of `object`.
pub fn binding_key(object: &Value) -> Key {
    let kind = object["kind"].as_str().unwrap_or_default();
    Key::new(namespace(object), &names::binding_name(kind, name(object)))
}

/// The binding of an `object` that none has yet, attached to those that need it.
pub fn attached(object: &Value, by: &[&Value]) -> Value {
    let key = binding_key(object);
    let mut labels: Map<String, Value> = by.iter().map(|by| depended_by(by)).collect();
    labels.insert(
        keys::BINDING_ID.to_owned(),
        json!(id_of("ResourceBinding", object)),
    );
    let mut spec = json!({
        "resource": binding::resource(object),
        "requiredBy": by.iter().map(|by| snapshot(by)).collect::<Vec<_>>(),
    });
    // As for what needs it.
    for field in ["conflictResolution", "preserveResourcesOnDeletion"] {
        if let Some(value) = by.first().and_then(|by| by["spec"].get(field)) {
            spec[field] = value.clone();
        }
    }
    json!({
        "apiVersion": binding::API_VERSION,
        "kind": "ResourceBinding",
        "metadata": {
            "namespace": key.namespace, "name": key.name, "labels": labels,
            "finalizers": [binding::FINALIZER],
            "ownerReferences": [{
                "apiVersion": object["apiVersion"], "kind": object["kind"],
                "name": name(object), "uid": uid(object),
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": spec,
    })
}

/// The merge patch that makes `held` say that exactly those in `by` need it; `None` when it does. Of the bindings
/// in `unknown` it is not known, and they stay as they are.
pub fn patch(held: &Value, by: &[&Value], unknown: &BTreeSet<Key>) -> Option<Value> {
    let none = Vec::new();
    let before = held["spec"]["requiredBy"].as_array().unwrap_or(&none);
    let mut wanted: BTreeMap<Key, Value> = by.iter().map(|by| (Key::of(by), snapshot(by))).collect();
    let mut after = Vec::new();
    let mut kept = BTreeSet::new();
    for entry in before {
        let text = |field: &str| entry[field].as_str().unwrap_or_default();
        let key = Key::new(text("namespace"), text("name"));
        if let Some(entry) = wanted.remove(&key) {
            after.push(entry);
        } else if unknown.contains(&key) {
            kept.insert(depended_by_key(&key));
            after.push(entry.clone());
        }
    }
    after.extend(wanted.into_values());
    let wanted: Map<String, Value> = by.iter().map(|by| depended_by(by)).collect();
    let mut labels = Map::new();
    for held in held["metadata"]["labels"].as_object().into_iter().flatten() {
        let (key, _) = held;
        if key.starts_with(DEPENDED_BY) && !wanted.contains_key(key) && !kept.contains(key) {
            labels.insert(key.clone(), Value::Null);
        }
    }
    for (key, id) in wanted {
        if label(held, &key) != id.as_str() {
            labels.insert(key, id);
        }
    }
    let mut patch = json!({});
    if !labels.is_empty() {
        patch["metadata"] = json!({ "labels": labels });
    }
    if *before != after {
        patch["spec"] = json!({ "requiredBy": after });
    }
    patch
        .as_object()
        .is_some_and(|patch| !patch.is_empty())
        .then_some(patch)
}

/// Where a binding has its object, as what it needs remembers it.
fn snapshot(by: &Value) -> Value {
    let mut snapshot = json!({ "namespace": namespace(by), "name": name(by) });
    if let Some(clusters) = by["spec"].get("clusters") {
        snapshot["clusters"] = clusters.clone();
    }
    snapshot
}

fn depended_by(by: &Value) -> (String, Value) {
    let id = label(by, keys::BINDING_ID).unwrap_or_default();
    (depended_by_key(&Key::of(by)), json!(id))
}

fn depended_by_key(by: &Key) -> String {
    format!("{DEPENDED_BY}{}", binding_reference_key(&by.namespace, &by.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::merge::apply;

    fn workload(name: &str, cluster: &str) -> Value {
        json!({
            "metadata": { "namespace": "default", "name": name, "labels": { keys::BINDING_ID: format!("id-{name}") } },
            "spec": { "propagateDeps": true, "conflictResolution": "Abort", "clusters": [{ "name": cluster }] },
        })
    }

    fn config() -> Value {
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "namespace": "default", "name": "c", "uid": "u" } })
    }

    #[test]
    fn an_attached_binding_goes_where_those_go_that_need_it() {
        let (a, b) = (workload("a", "x"), workload("b", "y"));
        let mut held = attached(&config(), &[&a]);
        assert_eq!(Key::of(&held), Key::new("default", "c-configmap"));
        assert!(is_attached(&held) && patch(&held, &[&a], &BTreeSet::new()).is_none());
        apply(patch(&held, &[&a, &b], &BTreeSet::new()).unwrap(), &mut held);
        assert_eq!(
            held["spec"]["requiredBy"][1]["clusters"],
            json!([{ "name": "y" }])
        );
        assert_eq!(label(&held, &depended_by_key(&Key::of(&b))), Some("id-b"));
        let moved = workload("a", "z");
        apply(patch(&held, &[&moved, &b], &BTreeSet::new()).unwrap(), &mut held);
        assert_eq!(
            held["spec"]["requiredBy"][0]["clusters"],
            json!([{ "name": "z" }])
        );
        apply(patch(&held, &[], &BTreeSet::new()).unwrap(), &mut held);
        assert_eq!(held["spec"]["requiredBy"], json!([]));
        assert_eq!(held["metadata"]["labels"].as_object().map(Map::len), Some(1));
    }

    #[test]
    fn one_whose_object_is_not_listed_yet_keeps_what_it_needs() {
        let a = workload("a", "x");
        let held = attached(&config(), &[&a]);
        assert_eq!(patch(&held, &[], &[Key::of(&a)].into()), None);
    }

    #[test]
    fn what_is_needed_is_named_once() {
        let needed = [Dependency {
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            namespace: "default".to_owned(),
            name: "c".to_owned(),
        }];
        let mut held = workload("a", "x");
        apply(record_patch(&held, &needed).unwrap(), &mut held);
        assert_eq!(
            annotation(&held, DEPENDENCIES),
            Some(r#"[{"apiVersion":"v1","kind":"ConfigMap","name":"c","namespace":"default"}]"#)
        );
        assert_eq!(record_patch(&held, &needed), None);
    }
}
