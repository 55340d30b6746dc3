//! Defaults of the kinds that run pods.

use serde_json::{Map, Value, json};

use super::defaults::{put, sub};
use super::pods;
use crate::apiserver::kinds::Kind;
use crate::apiserver::meta;

pub(super) fn apply(kind: &Kind, object: &mut Value) {
    let uid = meta::uid(object).to_owned();
    let name = meta::name(object).to_owned();
    let spec = meta::child_mut(object, "spec");
    match kind.resource.as_str() {
        "deployments" => {
            put(spec, "replicas", json!(1));
            put(spec, "revisionHistoryLimit", json!(10));
            put(spec, "progressDeadlineSeconds", json!(600));
            let strategy = sub(spec, "strategy");
            put(strategy, "type", json!("RollingUpdate"));
            if strategy.get("type").and_then(Value::as_str) == Some("RollingUpdate") {
                let rolling = sub(strategy, "rollingUpdate");
                put(rolling, "maxUnavailable", json!("25%"));
                put(rolling, "maxSurge", json!("25%"));
            }
            pods::template(spec);
        }
        "replicasets" => {
            put(spec, "replicas", json!(1));
            pods::template(spec);
        }
        "replicationcontrollers" => {
            put(spec, "replicas", json!(1));
            pods::template(spec);
            let labels = spec
                .get("template")
                .and_then(|t| t.pointer("/metadata/labels"))
                .cloned();
            if let Some(labels) = labels {
                put(spec, "selector", labels);
            }
        }
        "statefulsets" => {
            put(spec, "replicas", json!(1));
            put(spec, "revisionHistoryLimit", json!(10));
            put(spec, "podManagementPolicy", json!("OrderedReady"));
            put(
                spec,
                "persistentVolumeClaimRetentionPolicy",
                json!({"whenDeleted": "Retain", "whenScaled": "Retain"}),
            );
            let strategy = sub(spec, "updateStrategy");
            put(strategy, "type", json!("RollingUpdate"));
            if strategy.get("type").and_then(Value::as_str) == Some("RollingUpdate") {
                put(sub(strategy, "rollingUpdate"), "partition", json!(0));
            }
            pods::template(spec);
        }
        "daemonsets" => {
            put(spec, "revisionHistoryLimit", json!(10));
            let strategy = sub(spec, "updateStrategy");
            put(strategy, "type", json!("RollingUpdate"));
            if strategy.get("type").and_then(Value::as_str) == Some("RollingUpdate") {
                let rolling = sub(strategy, "rollingUpdate");
                put(rolling, "maxUnavailable", json!(1));
                put(rolling, "maxSurge", json!(0));
            }
            pods::template(spec);
        }
        "jobs" => job(spec, Some((&name, &uid))),
        "cronjobs" => {
            put(spec, "concurrencyPolicy", json!("Allow"));
            put(spec, "suspend", json!(false));
            put(spec, "successfulJobsHistoryLimit", json!(3));
            put(spec, "failedJobsHistoryLimit", json!(1));
            job(sub(sub(spec, "jobTemplate"), "spec"), None);
        }
        _ => {}
    }
}

fn job(spec: &mut Map<String, Value>, identity: Option<(&str, &str)>) {
    pods::template(spec);
    let Some((name, uid)) = identity else { return };
    if !spec.contains_key("completions") && !spec.contains_key("parallelism") {
        put(spec, "completions", json!(1));
    }
    put(spec, "parallelism", json!(1));
    put(spec, "backoffLimit", json!(6));
    put(spec, "completionMode", json!("NonIndexed"));
    put(spec, "suspend", json!(false));
    put(spec, "podReplacementPolicy", json!("TerminatingOrFailed"));
    put(spec, "manualSelector", json!(false));
    if spec.get("manualSelector") == Some(&json!(true)) {
        return;
    }
    put(
        spec,
        "selector",
        json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}),
    );
    let labels = sub(sub(sub(spec, "template"), "metadata"), "labels");
    for (key, value) in [
        ("batch.kubernetes.io/controller-uid", uid),
        ("batch.kubernetes.io/job-name", name),
        ("controller-uid", uid),
        ("job-name", name),
    ] {
        put(labels, key, json!(value));
    }
}
