//! What the workload controllers share: pods made from templates, counted and chosen for deletion.

use serde_json::{Value, json};

use crate::member::{
    json::{self, condition_is_true, deleting, text},
    world::World,
};

/// Letters and digits of generated names; without vowels, so that no name is a word.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// Names are cut so that the longest suffix still fits a label value.
const BASE_MAX: usize = 57;

/// A hash of a pod template, the same in every run: names the ReplicaSet of a revision.
pub(crate) fn template_hash(template: &Value) -> String {
    let hash = digest(0xcbf2_9ce4_8422_2325, template);
    let base = ALPHABET.len() as u64;
    let mut rest = hash;
    (0..10)
        .map(|_| {
            let letter = ALPHABET[usize::try_from(rest % base).unwrap_or(0)];
            rest /= base;
            char::from(letter)
        })
        .collect()
}

/// FNV-1a over the value with its keys sorted: the order in which they were written means nothing.
fn digest(hash: u64, value: &Value) -> u64 {
    fn bytes(hash: u64, bytes: &[u8]) -> u64 {
        bytes.iter().fold(hash, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }
    match value {
        Value::Object(fields) => {
            let mut keys: Vec<_> = fields.iter().filter(|(_, value)| !value.is_null()).collect();
            keys.sort_by_key(|(key, _)| key.as_str());
            let hash = keys.into_iter().fold(bytes(hash, b"{"), |hash, (key, value)| {
                digest(bytes(bytes(hash, key.as_bytes()), b":"), value)
            });
            bytes(hash, b"}")
        }
        Value::Array(items) => bytes(items.iter().fold(bytes(hash, b"["), digest), b"]"),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            bytes(bytes(hash, value.to_string().as_bytes()), b",")
        }
    }
}

/// `base` with five drawn letters, as the API server makes of `generateName`.
pub(crate) fn drawn_name(base: &str, draw: &mut fastrand::Rng) -> String {
    let suffix = (0..5).map(|_| char::from(ALPHABET[draw.usize(..ALPHABET.len())]));
    let cut = base
        .char_indices()
        .nth(BASE_MAX)
        .map_or(base.len(), |(index, _)| index);
    base[..cut].chars().chain(['-']).chain(suffix).collect()
}

/// A pod of `template`, named and owned.
pub(crate) fn from_template(template: &Value, namespace: &str, name: &str, owner: Value) -> Value {
    let mut metadata = json!({ "name": name, "namespace": namespace, "ownerReferences": [owner] });
    for key in ["labels", "annotations"] {
        if let Some(value) = template
            .pointer("/metadata")
            .and_then(|metadata| metadata.get(key))
        {
            metadata[key] = value.clone();
        }
    }
    let mut spec = template["spec"].clone();
    if let Some(spec) = spec.as_object_mut() {
        for (key, value) in [
            ("restartPolicy", json!("Always")),
            ("dnsPolicy", json!("ClusterFirst")),
            ("schedulerName", json!("default-scheduler")),
            ("terminationGracePeriodSeconds", json!(30)),
        ] {
            spec.entry(key).or_insert(value);
        }
    }
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec,
        "status": { "phase": "Pending" },
    })
}

/// Pods that one simulated cluster holds; workloads that ask for more stay short of it.
const PODS_MAX: usize = 5_000;
/// Pods made for one workload in one pass; the rest follows in the next.
const BURST_MAX: usize = 500;

/// How many pods may be made for one workload now.
pub(crate) fn room(world: &World) -> usize {
    PODS_MAX.saturating_sub(world.pods.len()).min(BURST_MAX)
}

/// Whether the pod runs or may still run.
pub(crate) fn active(pod: &Value) -> bool {
    !deleting(pod) && !finished(pod)
}

pub(crate) fn finished(pod: &Value) -> bool {
    matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
}

pub(crate) fn ready(pod: &Value) -> bool {
    active(pod) && condition_is_true(pod, "Ready")
}

/// Pods in the order in which they go first: not scheduled, not ready, then youngest.
pub(crate) fn by_deletion_order(pods: &mut [&Value]) {
    pods.sort_by_cached_key(|pod| {
        let scheduled = !text(pod, "/spec/nodeName").is_empty();
        let created = std::cmp::Reverse(text(pod, "/metadata/creationTimestamp").to_owned());
        (scheduled, ready(pod), created, json::name(pod).to_owned())
    });
}
