//! Defaults of built-in kinds, those that tools and controllers rely on.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{pods, workloads};
use crate::apiserver::kinds::{Kind, crd};
use crate::apiserver::meta;

/// Writes `value` where the map has nothing.
pub(super) fn put(map: &mut Map<String, Value>, key: &str, value: Value) {
    if map.get(key).is_none_or(Value::is_null) {
        map.insert(key.to_owned(), value);
    }
}

/// A field of an object as a map; made if missing.
pub(super) fn sub<'a>(map: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    meta::as_map(map.entry(key).or_insert_with(|| json!({})))
}

/// The items of a list field that are maps.
pub(super) fn each<'a>(
    map: &'a mut Map<String, Value>,
    key: &str,
) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    map.get_mut(key)
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
}

pub(super) fn apply(kind: &Kind, object: &mut Value) {
    if kind.is_custom() {
        return;
    }
    match (kind.group.as_str(), kind.resource.as_str()) {
        ("", "namespaces") => namespace(object),
        ("", "services") => service(meta::child_mut(object, "spec")),
        ("", "secrets") => secret(object),
        ("", "pods") => pods::spec(meta::child_mut(object, "spec"), true),
        ("", "podtemplates") => pods::template(meta::as_map(object)),
        ("", "persistentvolumes") => {
            let spec = meta::child_mut(object, "spec");
            put(spec, "persistentVolumeReclaimPolicy", json!("Retain"));
            put(spec, "volumeMode", json!("Filesystem"));
        }
        ("", "persistentvolumeclaims") => {
            put(meta::child_mut(object, "spec"), "volumeMode", json!("Filesystem"))
        }
        ("", "endpoints") => {
            for subset in each(meta::as_map(object), "subsets") {
                for port in each(subset, "ports") {
                    put(port, "protocol", json!("TCP"));
                }
            }
        }
        ("discovery.k8s.io", "endpointslices") => {
            for port in each(meta::as_map(object), "ports") {
                put(port, "name", json!(""));
                put(port, "protocol", json!("TCP"));
            }
        }
        ("apps" | "batch", _) | ("", "replicationcontrollers") => workloads::apply(kind, object),
        ("autoscaling", _) => put(meta::child_mut(object, "spec"), "minReplicas", json!(1)),
        ("networking.k8s.io", "networkpolicies") => {
            let spec = meta::child_mut(object, "spec");
            let types = if spec.contains_key("egress") {
                json!(["Ingress", "Egress"])
            } else {
                json!(["Ingress"])
            };
            put(spec, "policyTypes", types);
        }
        ("rbac.authorization.k8s.io", _) => rbac(object),
        ("storage.k8s.io", "storageclasses") => {
            let map = meta::as_map(object);
            put(map, "reclaimPolicy", json!("Delete"));
            put(map, "volumeBindingMode", json!("Immediate"));
        }
        ("scheduling.k8s.io", "priorityclasses") => {
            put(
                meta::as_map(object),
                "preemptionPolicy",
                json!("PreemptLowerPriority"),
            );
        }
        ("apiextensions.k8s.io", _) => crd::default(object),
        _ => {}
    }
}

/// The status a fresh object of a kind starts with.
pub(super) fn initial_status(kind: &Kind, object: &mut Value) {
    let status = match (kind.group.as_str(), kind.resource.as_str()) {
        ("", "namespaces") => json!({"phase": "Active"}),
        ("", "pods") => json!({"phase": "Pending", "qosClass": pods::qos_class(object)}),
        ("", "services") => json!({"loadBalancer": {}}),
        ("", "persistentvolumes" | "persistentvolumeclaims") => json!({"phase": "Pending"}),
        ("networking.k8s.io", "ingresses") => json!({"loadBalancer": {}}),
        ("apps", "replicasets" | "statefulsets") => json!({"replicas": 0}),
        ("apps", "daemonsets") => json!({"currentNumberScheduled": 0, "desiredNumberScheduled": 0,
            "numberMisscheduled": 0, "numberReady": 0}),
        ("apps" | "batch", _) if kind.status => json!({}),
        _ => return,
    };
    if let Some(map) = object.as_object_mut() {
        map.insert("status".to_owned(), status);
    }
}

/// What the server handed out stays when a client leaves it out.
pub(super) fn keep_allocated(kind: &Kind, before: &Value, object: &mut Value) {
    let fields: &[&str] = match (kind.group.as_str(), kind.resource.as_str()) {
        ("", "services") => &["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"],
        ("", "pods") => &["nodeName", "serviceAccountName", "tolerations"],
        ("batch", "jobs") => &["selector"],
        _ => return,
    };
    let Some(old) = before.get("spec").and_then(Value::as_object) else {
        return;
    };
    let spec = meta::child_mut(object, "spec");
    if spec.get("type").and_then(Value::as_str) == Some("ExternalName") {
        return;
    }
    for field in fields {
        if let Some(kept) = old.get(*field) {
            put(spec, field, kept.clone());
        }
    }
}

fn namespace(object: &mut Value) {
    let name = meta::name(object).to_owned();
    let labels = sub(meta::metadata_mut(object), "labels");
    labels.insert("kubernetes.io/metadata.name".to_owned(), name.into());
    put(
        meta::child_mut(object, "spec"),
        "finalizers",
        json!(["kubernetes"]),
    );
}

fn service(spec: &mut Map<String, Value>) {
    put(spec, "type", json!("ClusterIP"));
    put(spec, "sessionAffinity", json!("None"));
    for port in each(spec, "ports") {
        put(port, "protocol", json!("TCP"));
        let number = port.get("port").cloned().unwrap_or_default();
        put(port, "targetPort", number);
    }
    let ty = spec
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    if ty == "ExternalName" {
        return;
    }
    put(spec, "internalTrafficPolicy", json!("Cluster"));
    put(spec, "ipFamilies", json!(["IPv4"]));
    put(spec, "ipFamilyPolicy", json!("SingleStack"));
    if matches!(ty.as_str(), "NodePort" | "LoadBalancer") {
        put(spec, "externalTrafficPolicy", json!("Cluster"));
    }
    if ty == "LoadBalancer" {
        put(spec, "allocateLoadBalancerNodePorts", json!(true));
    }
}

/// `stringData` is written only, never stored.
fn secret(object: &mut Value) {
    let map = meta::as_map(object);
    put(map, "type", json!("Opaque"));
    if let Some(Value::Object(plain)) = map.remove("stringData") {
        let data = sub(map, "data");
        for (key, value) in plain {
            let text = value.as_str().unwrap_or_default();
            data.insert(key, STANDARD.encode(text).into());
        }
    }
}

fn rbac(object: &mut Value) {
    const GROUP: &str = "rbac.authorization.k8s.io";
    let map = meta::as_map(object);
    if map.contains_key("roleRef") {
        put(sub(map, "roleRef"), "apiGroup", json!(GROUP));
    }
    for subject in each(map, "subjects") {
        let group = if subject.get("kind").and_then(Value::as_str) == Some("ServiceAccount") {
            ""
        } else {
            GROUP
        };
        if !group.is_empty() {
            put(subject, "apiGroup", json!(group));
        }
    }
}
