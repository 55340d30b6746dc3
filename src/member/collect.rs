//! What became of a work in its member: the status to write into the Work object. Pure.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::{
    interpret,
    store::{Kind, conditions, name, namespace},
};

/// One manifest of a work and what the member holds of it.
pub(super) struct Manifest<'a> {
    pub(super) ordinal: usize,
    pub(super) kind: &'a Kind,
    pub(super) observed: Option<Arc<Value>>,
    /// Why it could not be applied.
    pub(super) failure: Option<String>,
}

/// The merge patch for the work's status; none if it says this already. `unserved` tells of a manifest whose
/// kind the member does not serve; `now` stamps a condition that changed.
pub(super) fn status_patch(
    work: &Value,
    manifests: &[Manifest<'_>],
    unserved: Option<&str>,
    now: &str,
) -> Option<Value> {
    let mut failures = manifests
        .iter()
        .filter_map(|manifest| manifest.failure.as_deref());
    let failure = failures.next().or(unserved);
    let (status, reason, message) = match failure {
        Some(failure) => ("False", "AppliedFailed", failure.to_owned()),
        None if manifests.iter().any(|manifest| manifest.observed.is_none()) => return None,
        None => (
            "True",
            "AppliedSuccessful",
            "Manifest has been successfully applied".to_owned(),
        ),
    };
    let condition = conditions::condition(work, "Applied", (status, reason, &message), now);
    let statuses: Vec<Value> = manifests.iter().filter_map(manifest_status).collect();
    let mut status = Map::new();
    if let Some(conditions) = conditions::with(work, [condition]) {
        status.insert("conditions".to_owned(), Value::Array(conditions));
    }
    let held = work.pointer("/status/manifestStatuses").and_then(Value::as_array);
    if held.map_or(!statuses.is_empty(), |held| *held != statuses) {
        status.insert("manifestStatuses".to_owned(), Value::Array(statuses));
    }
    (!status.is_empty()).then(|| json!({ "status": status }))
}

fn manifest_status(manifest: &Manifest<'_>) -> Option<Value> {
    let observed = manifest.observed.as_deref()?;
    let Kind {
        group,
        version,
        kind,
        plural,
        namespaced: _,
    } = manifest.kind;
    let mut identifier = json!({
        "ordinal": manifest.ordinal, "version": version, "kind": kind, "resource": plural, "name": name(observed),
    });
    for (field, text) in [("group", group.as_str()), ("namespace", namespace(observed))] {
        if !text.is_empty() {
            identifier[field] = json!(text);
        }
    }
    let mut status = json!({ "identifier": identifier, "health": interpret::health(observed).as_str() });
    if let Some(reflected) = interpret::reflect(observed) {
        status["status"] = reflected;
    }
    Some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_work_is_applied_when_all_of_it_is_there() {
        let kind = Kind::new("v1", "ConfigMap", "configmaps", true);
        let observed = Arc::new(json!({"kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}}));
        let manifest = |observed| Manifest {
            ordinal: 1,
            kind: &kind,
            observed,
            failure: None,
        };
        let mut work = json!({});
        assert_eq!(status_patch(&work, &[manifest(None)], None, "t"), None);
        let patch = status_patch(&work, &[manifest(Some(observed.clone()))], None, "t").unwrap();
        json_patch::merge(&mut work, &patch);
        assert_eq!(work["status"]["conditions"][0]["status"], "True");
        assert_eq!(work["status"]["manifestStatuses"][0]["identifier"]["ordinal"], 1);
        assert_eq!(
            status_patch(&work, &[manifest(Some(observed))], None, "later"),
            None
        );
    }

    #[test]
    fn a_kind_that_is_not_served_is_a_failure() {
        let patch = status_patch(&json!({}), &[], Some("v1 Foo is not served by a"), "t").unwrap();
        let condition = &patch["status"]["conditions"][0];
        assert_eq!(
            (&condition["status"], &condition["message"]),
            (&json!("False"), &json!("v1 Foo is not served by a"))
        );
    }
}
