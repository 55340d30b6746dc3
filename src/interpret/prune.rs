//! What of a template is never sent to a member: what the control plane's own API server filled in.

use serde_json::{Map, Value};

/// Fields of `metadata` that belong to one API server.
const METADATA: &[&str] = &[
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
    "ownerReferences",
    "finalizers",
];

/// Removes what must not be sent to a member.
pub fn prune(object: &mut Value) {
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let Some(fields) = object.as_object_mut() else {
        return;
    };
    fields.remove("status");
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in METADATA {
            metadata.remove(*field);
        }
    }
    remove_annotation(fields, "kubectl.kubernetes.io/last-applied-configuration");
    match kind.as_str() {
        "Deployment" => {
            remove_annotation(fields, "deployment.kubernetes.io/revision");
            remove_annotation(fields, "deployment.kubernetes.io/revision-history");
        }
        "Job" => job(fields),
        "Secret"
            if fields
                .get("type")
                .is_some_and(|kind| kind == "kubernetes.io/service-account-token") =>
        {
            remove_annotation(fields, "kubernetes.io/service-account.uid");
            fields.insert("data".to_owned(), Value::Null);
        }
        "ServiceAccount" => service_account(fields),
        "Service" => service(fields),
        "PersistentVolumeClaim" => remove_annotation(fields, "volume.kubernetes.io/selected-node"),
        _ => {}
    }
}

fn remove_annotation(fields: &mut Map<String, Value>, name: &str) {
    if let Some(annotations) = inner(fields, &["metadata", "annotations"]) {
        annotations.remove(name);
    }
}

/// The selector that the API server generated, and the time to live: a member that removed a finished Job
/// would get it again and run it again.
fn job(fields: &mut Map<String, Value>) {
    let Some(spec) = inner(fields, &["spec"]) else {
        return;
    };
    spec.remove("ttlSecondsAfterFinished");
    if spec.get("manualSelector").and_then(Value::as_bool) == Some(true) {
        return;
    }
    let places: [(&[&str], &[&str]); 2] = [
        (
            &["selector", "matchLabels"],
            &["controller-uid", "batch.kubernetes.io/controller-uid"],
        ),
        (
            &["template", "metadata", "labels"],
            &[
                "controller-uid",
                "job-name",
                "batch.kubernetes.io/controller-uid",
                "batch.kubernetes.io/job-name",
            ],
        ),
    ];
    for (path, generated) in places {
        if let Some(labels) = inner(spec, path) {
            for label in generated {
                labels.remove(*label);
            }
        }
    }
}

/// Tokens that were made for this API server.
fn service_account(fields: &mut Map<String, Value>) {
    let name = fields
        .get("metadata")
        .and_then(|metadata| metadata["name"].as_str())
        .unwrap_or_default();
    let prefix = format!("{name}-token-");
    if let Some(secrets) = fields.get_mut("secrets").and_then(Value::as_array_mut) {
        secrets.retain(|secret| {
            !secret["name"]
                .as_str()
                .is_some_and(|name| name.starts_with(&prefix))
        });
    }
}

/// `None` is what the user says of a headless Service, and stays.
fn service(fields: &mut Map<String, Value>) {
    if let Some(spec) = inner(fields, &["spec"])
        && spec.get("clusterIP").is_some_and(|address| address != "None")
    {
        spec.remove("clusterIP");
        spec.remove("clusterIPs");
    }
}

fn inner<'a>(fields: &'a mut Map<String, Value>, path: &[&str]) -> Option<&'a mut Map<String, Value>> {
    path.iter()
        .try_fold(fields, |fields, name| fields.get_mut(*name)?.as_object_mut())
}
