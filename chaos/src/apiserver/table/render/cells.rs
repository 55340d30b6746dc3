//! One cell of a built-in kind, by the name of its column.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::age;
use super::{created, pods};
use crate::apiserver::kinds::Kind;
use crate::apiserver::meta;
use crate::apiserver::store::scale::selector_text;

mod network;

pub(super) fn cell(kind: &Kind, column: &str, object: &Value, now: Timestamp) -> Value {
    let at = |pointer: &str| object.pointer(pointer);
    let text = |pointer: &str| at(pointer).and_then(Value::as_str).unwrap_or_default();
    let number = |pointer: &str| at(pointer).and_then(Value::as_i64).unwrap_or(0);
    let or_none = |text: &str| {
        if text.is_empty() {
            json!("<none>")
        } else {
            json!(text)
        }
    };
    match (kind.resource.as_str(), column) {
        ("events", _) => event(column, object, now),
        (_, "Name") => json!(meta::name(object)),
        (_, "Age") => created(object, now),
        (_, "Created At") => json!(meta::text(object, "creationTimestamp").unwrap_or_default()),
        ("pods", _) => pods::cell(column, object, now),
        (_, "Containers" | "Images") => containers(object, column),
        (_, "Selector") => {
            let selector = at("/spec/selector").map(selector_text).unwrap_or_default();
            or_none(&selector)
        }
        ("deployments" | "statefulsets", "Ready") => {
            json!(format!(
                "{}/{}",
                number("/status/readyReplicas"),
                number("/spec/replicas")
            ))
        }
        ("deployments", "Up-to-date") => json!(number("/status/updatedReplicas")),
        ("deployments", "Available") => json!(number("/status/availableReplicas")),
        ("replicasets" | "replicationcontrollers", "Desired") => json!(number("/spec/replicas")),
        ("replicasets" | "replicationcontrollers", "Current") => json!(number("/status/replicas")),
        ("replicasets" | "replicationcontrollers", "Ready") => json!(number("/status/readyReplicas")),
        ("daemonsets", "Desired") => json!(number("/status/desiredNumberScheduled")),
        ("daemonsets", "Current") => json!(number("/status/currentNumberScheduled")),
        ("daemonsets", "Ready") => json!(number("/status/numberReady")),
        ("daemonsets", "Up-to-date") => json!(number("/status/updatedNumberScheduled")),
        ("daemonsets", "Available") => json!(number("/status/numberAvailable")),
        ("daemonsets", "Node Selector") => or_none(
            &at("/spec/template/spec/nodeSelector")
                .map(selector_text)
                .unwrap_or_default(),
        ),
        ("jobs", "Status") => json!(job_status(object)),
        ("jobs", "Completions") => {
            let wanted = at("/spec/completions").and_then(Value::as_i64).unwrap_or(1);
            json!(format!("{}/{wanted}", number("/status/succeeded")))
        }
        ("jobs", "Duration") => json!(job_duration(object, now)),
        ("cronjobs", "Schedule") => json!(text("/spec/schedule")),
        ("cronjobs", "Timezone") => or_none(text("/spec/timeZone")),
        ("cronjobs", "Suspend") => json!(if at("/spec/suspend") == Some(&json!(true)) {
            "True"
        } else {
            "False"
        }),
        ("cronjobs", "Active") => json!(at("/status/active").and_then(Value::as_array).map_or(0, Vec::len)),
        ("cronjobs", "Last Schedule") => match at("/status/lastScheduleTime").and_then(Value::as_str) {
            Some(stamp) => json!(age::since(Some(stamp), now)),
            None => json!("<none>"),
        },
        ("services", _) => network::service(column, object),
        ("nodes", _) => node(column, object),
        ("namespaces" | "persistentvolumeclaims" | "persistentvolumes", "Status") => {
            let deleting = meta::is_deleting(object);
            json!(if deleting {
                "Terminating"
            } else {
                text("/status/phase")
            })
        }
        ("configmaps" | "secrets", "Data") => {
            let count = |key: &str| {
                object
                    .get(key)
                    .and_then(Value::as_object)
                    .map_or(0, serde_json::Map::len)
            };
            json!(count("data") + count("binaryData"))
        }
        ("secrets", "Type") => json!(text("/type")),
        ("serviceaccounts", "Secrets") => json!(at("/secrets").and_then(Value::as_array).map_or(0, Vec::len)),
        ("endpoints", "Endpoints") => network::endpoints(object),
        ("persistentvolumeclaims", "Volume") => json!(text("/spec/volumeName")),
        ("persistentvolumeclaims", "Capacity") => json!(text("/status/capacity/storage")),
        ("persistentvolumes", "Capacity") => json!(text("/spec/capacity/storage")),
        (_, "Access Modes") => {
            let modes = at("/spec/accessModes")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            let short = modes.filter_map(Value::as_str).map(|mode| match mode {
                "ReadWriteOnce" => "RWO",
                "ReadOnlyMany" => "ROX",
                "ReadWriteMany" => "RWX",
                "ReadWriteOncePod" => "RWOP",
                other => other,
            });
            json!(short.collect::<Vec<_>>().join(","))
        }
        (_, "StorageClass") => json!(text("/spec/storageClassName")),
        ("persistentvolumes", "Reclaim Policy") => json!(text("/spec/persistentVolumeReclaimPolicy")),
        ("persistentvolumes", "Claim") => {
            match (text("/spec/claimRef/namespace"), text("/spec/claimRef/name")) {
                (_, "") => json!(""),
                (namespace, name) => json!(format!("{namespace}/{name}")),
            }
        }
        ("ingresses", _) => network::ingress(column, object),
        ("ingressclasses", "Controller") => json!(text("/spec/controller")),
        ("ingressclasses", _) => or_none(text("/spec/parameters/name")),
        ("networkpolicies", _) => or_none(&at("/spec/podSelector").map(selector_text).unwrap_or_default()),
        ("leases", _) => json!(text("/spec/holderIdentity")),
        ("endpointslices", "AddressType") => json!(text("/addressType")),
        ("endpointslices", "Ports") => {
            let ports = at("/ports").and_then(Value::as_array).into_iter().flatten();
            or_none(
                &ports
                    .filter_map(|port| Some(port.get("port")?.to_string()))
                    .collect::<Vec<_>>()
                    .join(","),
            )
        }
        ("endpointslices", "Endpoints") => {
            let endpoints = at("/endpoints").and_then(Value::as_array).into_iter().flatten();
            let addresses = endpoints.filter_map(|endpoint| endpoint.pointer("/addresses/0")?.as_str());
            let addresses: Vec<&str> = addresses.collect();
            let shown = addresses.iter().take(3).copied().collect::<Vec<_>>().join(",");
            match addresses.len() {
                0 => json!("<unset>"),
                1..=3 => json!(shown),
                more => json!(format!("{shown} + {} more...", more - 3)),
            }
        }
        ("poddisruptionbudgets", "Allowed Disruptions") => json!(number("/status/disruptionsAllowed")),
        ("poddisruptionbudgets", which) => {
            let field = if which == "Min Available" {
                "/spec/minAvailable"
            } else {
                "/spec/maxUnavailable"
            };
            at(field).map_or_else(|| json!("N/A"), |value| json!(network::plain(value)))
        }
        ("horizontalpodautoscalers", "Reference") => {
            json!(format!(
                "{}/{}",
                text("/spec/scaleTargetRef/kind"),
                text("/spec/scaleTargetRef/name")
            ))
        }
        ("horizontalpodautoscalers", "Targets") => json!("<unknown>"),
        ("horizontalpodautoscalers", "MinPods") => json!(number("/spec/minReplicas")),
        ("horizontalpodautoscalers", "MaxPods") => json!(number("/spec/maxReplicas")),
        ("horizontalpodautoscalers", "Replicas") => json!(number("/status/currentReplicas")),
        (_, "Role") => json!(format!("{}/{}", text("/roleRef/kind"), text("/roleRef/name"))),
        ("priorityclasses", "Value") => json!(number("/value")),
        ("priorityclasses", "Global-Default") => json!(at("/globalDefault") == Some(&json!(true))),
        ("storageclasses", "Provisioner") => json!(text("/provisioner")),
        ("storageclasses", "ReclaimPolicy") => json!(text("/reclaimPolicy")),
        ("storageclasses", "VolumeBindingMode") => json!(text("/volumeBindingMode")),
        _ => json!(""),
    }
}

fn containers(object: &Value, column: &str) -> Value {
    let field = if column == "Containers" { "name" } else { "image" };
    let pointers = [
        "/spec/template/spec/containers",
        "/spec/jobTemplate/spec/template/spec/containers",
    ];
    let list = pointers
        .iter()
        .find_map(|pointer| object.pointer(pointer)?.as_array());
    let names = list
        .into_iter()
        .flatten()
        .filter_map(|container| container.get(field)?.as_str());
    json!(names.collect::<Vec<_>>().join(","))
}

fn job_status(object: &Value) -> &'static str {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let has = |ty: &str| {
        conditions
            .into_iter()
            .flatten()
            .any(|c| c.get("type") == Some(&json!(ty)) && c.get("status") == Some(&json!("True")))
    };
    if has("Complete") {
        "Complete"
    } else if has("Failed") {
        "Failed"
    } else if meta::is_deleting(object) {
        "Terminating"
    } else if has("Suspended") {
        "Suspended"
    } else {
        "Running"
    }
}

fn job_duration(object: &Value, now: Timestamp) -> String {
    let stamp = |key: &str| object.pointer(&format!("/status/{key}")).and_then(Value::as_str);
    let Some(start) = stamp("startTime") else {
        return String::new();
    };
    let end = stamp("completionTime")
        .and_then(|text| text.parse().ok())
        .unwrap_or(now);
    age::since(Some(start), end)
}

fn node(column: &str, object: &Value) -> Value {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let address = |ty: &str| {
        let list = object
            .pointer("/status/addresses")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let mut matching = list.filter(|address| address.get("type") == Some(&json!(ty)));
        matching
            .find_map(|address| address.get("address")?.as_str())
            .unwrap_or("<none>")
            .to_owned()
    };
    let known = |text: &str| {
        if text.is_empty() {
            json!("<unknown>")
        } else {
            json!(text)
        }
    };
    match column {
        "Status" => {
            let list = object
                .pointer("/status/conditions")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            let ready = list
                .into_iter()
                .find(|condition| condition.get("type") == Some(&json!("Ready")));
            let mut status = match ready.and_then(|condition| condition.get("status")?.as_str()) {
                Some("True") => "Ready".to_owned(),
                Some(_) => "NotReady".to_owned(),
                None => "Unknown".to_owned(),
            };
            if object.pointer("/spec/unschedulable") == Some(&json!(true)) {
                status.push_str(",SchedulingDisabled");
            }
            json!(status)
        }
        "Roles" => {
            let labels = object.pointer("/metadata/labels").and_then(Value::as_object);
            let roles: Vec<&str> = labels
                .into_iter()
                .flatten()
                .filter_map(|(key, _)| key.strip_prefix("node-role.kubernetes.io/"))
                .collect();
            if roles.is_empty() {
                json!("<none>")
            } else {
                json!(roles.join(","))
            }
        }
        "Version" => json!(text("/status/nodeInfo/kubeletVersion")),
        "Internal-IP" => json!(address("InternalIP")),
        "External-IP" => json!(address("ExternalIP")),
        "OS-Image" => known(text("/status/nodeInfo/osImage")),
        "Kernel-Version" => known(text("/status/nodeInfo/kernelVersion")),
        "Container-Runtime" => known(text("/status/nodeInfo/containerRuntimeVersion")),
        _ => json!(""),
    }
}

fn event(column: &str, object: &Value, now: Timestamp) -> Value {
    // Either form of event: the core one and the one of events.k8s.io.
    let text = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| object.pointer(name)?.as_str())
            .unwrap_or_default()
            .to_owned()
    };
    let regarding = |field: &str| {
        text(&[
            &format!("/involvedObject/{field}"),
            &format!("/regarding/{field}"),
        ])
    };
    match column {
        "Last Seen" => {
            let stamp = text(&[
                "/series/lastObservedTime",
                "/lastTimestamp",
                "/deprecatedLastTimestamp",
                "/eventTime",
                "/metadata/creationTimestamp",
            ]);
            json!(age::since(Some(&stamp), now))
        }
        "First Seen" => {
            let stamp = text(&[
                "/firstTimestamp",
                "/deprecatedFirstTimestamp",
                "/eventTime",
                "/metadata/creationTimestamp",
            ]);
            json!(age::since(Some(&stamp), now))
        }
        "Type" => json!(text(&["/type"])),
        "Reason" => json!(text(&["/reason"])),
        "Object" => json!(format!(
            "{}/{}",
            regarding("kind").to_ascii_lowercase(),
            regarding("name")
        )),
        "Subobject" => json!(regarding("fieldPath")),
        "Source" => json!(text(&[
            "/source/component",
            "/deprecatedSource/component",
            "/reportingComponent",
            "/reportingController"
        ])),
        "Message" => json!(text(&["/message", "/note"]).trim()),
        "Count" => {
            let count = ["/series/count", "/count", "/deprecatedCount"]
                .iter()
                .find_map(|name| object.pointer(name)?.as_i64());
            json!(count.unwrap_or(1).to_string())
        }
        "Name" => json!(meta::name(object)),
        _ => json!(""),
    }
}
