//! What may not change from one version of an object to the next.

use serde_json::Value;

use crate::apiserver::error::Cause;
use crate::apiserver::kinds::Kind;
use crate::apiserver::meta;

pub(super) fn check(kind: &Kind, before: &Value, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if meta::is_deleting(before) {
        let old = meta::finalizers(before);
        let added: Vec<&str> = meta::finalizers(object)
            .into_iter()
            .filter(|name| !old.contains(name))
            .collect();
        if !added.is_empty() {
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers {added:?}"
            );
            causes.push(Cause::forbidden("metadata.finalizers", &detail));
        }
    }
    let frozen: &[&str] = match (kind.group.as_str(), kind.resource.as_str()) {
        ("apps", "deployments" | "replicasets" | "daemonsets") => &["selector"],
        ("apps", "statefulsets") => &[
            "selector",
            "serviceName",
            "podManagementPolicy",
            "volumeClaimTemplates",
        ],
        ("batch", "jobs") => &["selector", "template", "completionMode"],
        ("", "services") => &["clusterIP"],
        ("scheduling.k8s.io", "priorityclasses") => &["value"],
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => &["roleRef"],
        _ => &[],
    };
    let nested = !matches!(
        kind.group.as_str(),
        "rbac.authorization.k8s.io" | "scheduling.k8s.io"
    );
    for field in frozen {
        let part = |value: &Value| -> Option<Value> {
            if nested {
                value.pointer(&format!("/spec/{field}")).cloned()
            } else {
                value.get(*field).cloned()
            }
        };
        let (old, new) = (part(before), part(object));
        if *field == "clusterIP"
            && (old.is_none() || object.pointer("/spec/type") == Some(&"ExternalName".into()))
        {
            continue;
        }
        if old != new {
            let path = if nested {
                format!("spec.{field}")
            } else {
                (*field).to_owned()
            };
            causes.push(Cause::invalid(
                path,
                &new.unwrap_or_default(),
                "field is immutable",
            ));
        }
    }
    match (kind.group.as_str(), kind.resource.as_str()) {
        ("", "pods") => pod(before, object, &mut causes),
        ("", "configmaps" | "secrets") if before.get("immutable") == Some(&Value::Bool(true)) => {
            for field in ["data", "binaryData"] {
                if before.get(field) != object.get(field) {
                    causes.push(Cause::forbidden(
                        field,
                        "field is immutable when `immutable` is set",
                    ));
                }
            }
            if object.get("immutable") != Some(&Value::Bool(true)) {
                causes.push(Cause::forbidden(
                    "immutable",
                    "field is immutable when `immutable` is set",
                ));
            }
        }
        ("", "secrets") if before.get("type") != object.get("type") => {
            causes.push(Cause::invalid("type", &object["type"], "field is immutable"));
        }
        _ => {}
    }
    if kind.is_crd() && before.pointer("/spec/scope") != object.pointer("/spec/scope") {
        let scope = object.pointer("/spec/scope").cloned().unwrap_or_default();
        causes.push(Cause::invalid("spec.scope", &scope, "field is immutable"));
    }
    causes
}

/// Of a pod's spec, only images, deadlines, tolerations and the binding by the scheduler may change.
fn pod(before: &Value, object: &Value, causes: &mut Vec<Cause>) {
    let rest = |value: &Value| -> Value {
        let mut spec = value.get("spec").cloned().unwrap_or_default();
        if let Some(map) = spec.as_object_mut() {
            for field in [
                "activeDeadlineSeconds",
                "tolerations",
                "terminationGracePeriodSeconds",
                "schedulingGates",
            ] {
                map.remove(field);
            }
            if before.pointer("/spec/nodeName").is_none() {
                map.remove("nodeName");
            }
            for list in ["containers", "initContainers"] {
                for container in map
                    .get_mut(list)
                    .and_then(Value::as_array_mut)
                    .into_iter()
                    .flatten()
                {
                    if let Some(container) = container.as_object_mut() {
                        container.remove("image");
                        container.remove("resources");
                    }
                }
            }
        }
        spec
    };
    if rest(before) != rest(object) {
        causes.push(Cause::forbidden("spec", "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"));
    }
}
