//! Defaults of pods and pod templates.

use serde_json::{Map, Value, json};

use super::defaults::{each, put, sub};

/// A `{metadata, spec}` under `template`.
pub(super) fn template(map: &mut Map<String, Value>) {
    spec(sub(sub(map, "template"), "spec"), false);
}

pub(super) fn spec(spec: &mut Map<String, Value>, pod: bool) {
    put(spec, "restartPolicy", json!("Always"));
    put(spec, "terminationGracePeriodSeconds", json!(30));
    put(spec, "dnsPolicy", json!("ClusterFirst"));
    put(spec, "securityContext", json!({}));
    put(spec, "schedulerName", json!("default-scheduler"));
    if pod {
        put(spec, "enableServiceLinks", json!(true));
    }
    if let Some(account) = spec.get("serviceAccountName").cloned() {
        put(spec, "serviceAccount", account);
    }
    for list in ["initContainers", "containers"] {
        for container in each(spec, list) {
            defaults_of_container(container, pod);
        }
    }
    for volume in each(spec, "volumes") {
        if volume.len() == 1 && volume.contains_key("name") {
            volume.insert("emptyDir".to_owned(), json!({}));
        }
        for source in ["configMap", "secret", "projected", "downwardAPI"] {
            if let Some(source) = volume.get_mut(source).and_then(Value::as_object_mut) {
                put(source, "defaultMode", json!(420));
            }
        }
    }
}

fn defaults_of_container(container: &mut Map<String, Value>, pod: bool) {
    put(container, "terminationMessagePath", json!("/dev/termination-log"));
    put(container, "terminationMessagePolicy", json!("File"));
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    let policy = if floating(image) { "Always" } else { "IfNotPresent" };
    put(container, "imagePullPolicy", json!(policy));
    put(container, "resources", json!({}));
    if pod {
        let resources = sub(container, "resources");
        if let Some(limits) = resources.get("limits").and_then(Value::as_object).cloned() {
            let requests = sub(resources, "requests");
            for (name, amount) in limits {
                put(requests, &name, amount);
            }
        }
    }
    for port in each(container, "ports") {
        put(port, "protocol", json!("TCP"));
    }
    for variable in each(container, "env") {
        if let Some(field) = variable
            .get_mut("valueFrom")
            .and_then(|from| from.get_mut("fieldRef"))
            && let Some(field) = field.as_object_mut()
        {
            put(field, "apiVersion", json!("v1"));
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = container.get_mut(name).and_then(Value::as_object_mut) else {
            continue;
        };
        for (key, value) in [
            ("timeoutSeconds", 1),
            ("periodSeconds", 10),
            ("successThreshold", 1),
            ("failureThreshold", 3),
        ] {
            put(probe, key, json!(value));
        }
        if let Some(http) = probe.get_mut("httpGet").and_then(Value::as_object_mut) {
            put(http, "path", json!("/"));
            put(http, "scheme", json!("HTTP"));
        }
    }
}

/// An image without a fixed tag or digest.
fn floating(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    let last = image.rsplit('/').next().unwrap_or_default();
    last.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

/// `Guaranteed`, `Burstable` or `BestEffort`, from requests and limits.
pub(super) fn qos_class(pod: &Value) -> &'static str {
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array);
    let (mut any, mut all) = (false, true);
    for container in containers.into_iter().flatten() {
        for resource in ["cpu", "memory"] {
            let amount = |kind: &str| container.pointer(&format!("/resources/{kind}/{resource}"));
            let (request, limit) = (amount("requests"), amount("limits"));
            any |= request.is_some() || limit.is_some();
            all &= limit.is_some() && request == limit;
        }
    }
    match (any, all) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}
