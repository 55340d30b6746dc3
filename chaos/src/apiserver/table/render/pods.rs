//! The columns of pods.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::age;
use crate::apiserver::meta;

pub(super) fn cell(column: &str, pod: &Value, now: Timestamp) -> Value {
    let text = |pointer: &str| pod.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let or_none = |text: &str| {
        if text.is_empty() {
            json!("<none>")
        } else {
            json!(text)
        }
    };
    match column {
        "Ready" => {
            let ready = statuses(pod)
                .filter(|status| status.get("ready") == Some(&json!(true)))
                .count();
            let all = pod
                .pointer("/spec/containers")
                .and_then(Value::as_array)
                .map_or(0, Vec::len);
            json!(format!("{ready}/{all}"))
        }
        "Status" => json!(status(pod)),
        "Restarts" => json!(restarts(pod, now)),
        "IP" => or_none(text("/status/podIP")),
        "Node" => or_none(text("/spec/nodeName")),
        "Nominated Node" => or_none(text("/status/nominatedNodeName")),
        "Readiness Gates" => {
            let gates = pod
                .pointer("/spec/readinessGates")
                .and_then(Value::as_array)
                .map_or(0, Vec::len);
            if gates == 0 {
                json!("<none>")
            } else {
                json!(gates.to_string())
            }
        }
        _ => json!(""),
    }
}

fn statuses(pod: &Value) -> impl Iterator<Item = &Value> {
    pod.pointer("/status/containerStatuses")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn restarts(pod: &Value, now: Timestamp) -> String {
    let count: i64 = statuses(pod)
        .filter_map(|status| status.get("restartCount")?.as_i64())
        .sum();
    let last = statuses(pod)
        .filter_map(|status| status.pointer("/lastState/terminated/finishedAt")?.as_str())
        .max();
    match last {
        Some(stamp) if count > 0 => format!("{count} ({} ago)", age::since(Some(stamp), now)),
        Some(_) | None => count.to_string(),
    }
}

/// The one word kubectl shows: why it waits or ended, else its phase.
fn status(pod: &Value) -> String {
    let text = |pointer: &str| {
        pod.pointer(pointer)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    if meta::is_deleting(pod) {
        return if text("/status/reason") == Some("NodeLost") {
            "Unknown"
        } else {
            "Terminating"
        }
        .to_owned();
    }
    let mut word = text("/status/reason")
        .or_else(|| text("/status/phase"))
        .unwrap_or("Unknown")
        .to_owned();
    for status in statuses(pod) {
        let reason = |state: &str| {
            status
                .pointer(&format!("/state/{state}/reason"))
                .and_then(Value::as_str)
        };
        if let Some(found) = reason("waiting").or_else(|| reason("terminated")) {
            found.clone_into(&mut word);
        }
    }
    word
}
