//! Binding and template to works: for each cluster the manifest it gets.
//!
//! ```text
//! spec.clusters            ── the template, with that cluster's replicas
//! spec.requiredBy          ── the same for the clusters of what needs this object
//! gracefulEvictionTasks    ── what is there stays as it is until the task ends; `Directly` ends it at once
//! ```

mod manifest;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{
    binding::{is_divided, is_workload, with_finalizer},
    names::{self, keys},
};
use crate::{
    schedule::dispense,
    store::{
        annotation, label,
        merge::{additions, diff_fields},
        name, namespace, uid,
    },
};

/// Keeps a work until its objects are gone from the member.
pub const FINALIZER: &str = "karmada.io/execution-controller";
/// Annotation on a work: its cluster is being left, and what is there is not changed any more.
pub const EVICTING: &str = "lifeboat.dev/evicting";

/// A cluster that gets a work.
struct Target {
    cluster: String,
    /// Replicas for a workload.
    replicas: Option<i64>,
    /// Why the cluster is being left, if it is.
    evicting: Option<String>,
}

/// The works of a binding, one a cluster, in the order of the binding.
pub fn desired(binding: &Value, template: &Value) -> Vec<Value> {
    let targets = targets(&binding["spec"]);
    let completions = completions(&binding["spec"], template, &targets);
    let staying = targets.iter().filter(|target| target.evicting.is_none()).count();
    let work = |target: &Target| {
        let preserved = manifest::preserved_labels(&binding["spec"], &target.cluster, staying);
        work(
            binding,
            template,
            target,
            completions.get(&target.cluster).copied(),
            &preserved,
        )
    };
    targets.iter().map(work).collect()
}

fn targets(spec: &Value) -> Vec<Target> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut seen = BTreeSet::new();
    let mut targets = Vec::new();
    let required = list(&spec["requiredBy"])
        .into_iter()
        .flat_map(|by| list(&by["clusters"]));
    for scheduled in list(&spec["clusters"]).into_iter().chain(required) {
        let Some(cluster) = scheduled["name"]
            .as_str()
            .filter(|name| seen.insert((*name).to_owned()))
        else {
            continue;
        };
        let replicas = Some(scheduled["replicas"].as_i64().unwrap_or(0));
        targets.push(Target {
            cluster: cluster.to_owned(),
            replicas,
            evicting: None,
        });
    }
    for task in list(&spec["gracefulEvictionTasks"]) {
        let Some(cluster) = task["fromCluster"].as_str() else {
            continue;
        };
        if purged_directly(&task) || !seen.insert(cluster.to_owned()) {
            continue;
        }
        // A task says how many it took away where that is more than none; what is duplicated had all of them.
        let replicas = task["replicas"]
            .as_i64()
            .or_else(|| is_divided(spec).then_some(0));
        let reason = task["reason"]
            .as_str()
            .filter(|reason| !reason.is_empty())
            .unwrap_or("Evicted");
        targets.push(Target {
            cluster: cluster.to_owned(),
            replicas,
            evicting: Some(reason.to_owned()),
        });
    }
    targets
}

/// `Immediately` is the former spelling.
fn purged_directly(task: &Value) -> bool {
    matches!(task["purgeMode"].as_str(), Some("Directly" | "Immediately"))
}

/// Clusters that hold the object: scheduled ones, those of what requires it, and those that are being left.
pub fn holding_clusters(binding: &Value) -> BTreeSet<String> {
    targets(&binding["spec"])
        .into_iter()
        .map(|target| target.cluster)
        .collect()
}

/// The same without those that are being left.
pub fn scheduled_clusters(binding: &Value) -> BTreeSet<String> {
    targets(&binding["spec"])
        .into_iter()
        .filter(|target| target.evicting.is_none())
        .map(|target| target.cluster)
        .collect()
}

/// A divided Job's completions by cluster, in proportion to the pods it runs there.
fn completions(spec: &Value, template: &Value, targets: &[Target]) -> BTreeMap<String, i64> {
    let total = template.pointer("/spec/completions").and_then(Value::as_i64);
    let Some(total) = total.filter(|_| template["kind"] == "Job" && is_workload(spec) && is_divided(spec))
    else {
        return BTreeMap::new();
    };
    let weights = targets.iter().filter(|target| target.evicting.is_none());
    let weights: Vec<(String, i64)> = weights
        .map(|target| (target.cluster.clone(), target.replicas.unwrap_or(0)))
        .collect();
    let (shares, _) = dispense(
        i32::try_from(total).unwrap_or(i32::MAX),
        &weights,
        &[],
        uid(template),
    );
    shares
        .into_iter()
        .map(|share| (share.name, i64::from(share.replicas)))
        .collect()
}

fn work(
    binding: &Value,
    template: &Value,
    target: &Target,
    completions: Option<i64>,
    preserved: &Map<String, Value>,
) -> Value {
    let spec = &binding["spec"];
    let kind = template["kind"].as_str().unwrap_or_default();
    let identity = Identity::of(binding, target, kind, template);
    let resolution = manifest::conflict_resolution(template, spec);
    let replicas = target.replicas.filter(|_| is_workload(spec));
    let manifest = manifest::make(template, &identity, resolution, replicas, completions, preserved);
    let mut annotations = identity.binding_annotations.clone();
    annotations.insert(keys::CONFLICT_RESOLUTION.to_owned(), json!(resolution));
    if let Some(reason) = &target.evicting {
        annotations.insert(EVICTING.to_owned(), json!(reason));
    }
    let mut body = json!({ "workload": { "manifests": [manifest] } });
    if suspended(spec, &target.cluster) {
        body["suspendDispatching"] = json!(true);
    }
    if spec["preserveResourcesOnDeletion"] == true {
        body["preserveResourcesOnDeletion"] = json!(true);
    }
    json!({
        "apiVersion": "work.karmada.io/v1alpha1",
        "kind": "Work",
        "metadata": {
            "namespace": identity.namespace, "name": identity.name, "finalizers": [FINALIZER],
            "labels": identity.labels(), "annotations": annotations,
        },
        "spec": body,
    })
}

/// What ties a work and its manifest to their binding.
struct Identity {
    namespace: String,
    name: String,
    work_id: String,
    /// Which label holds it, and the id of the binding.
    binding_id: (&'static str, String),
    binding_annotations: Map<String, Value>,
}

impl Identity {
    fn of(binding: &Value, target: &Target, kind: &str, template: &Value) -> Self {
        let cluster_scoped = namespace(binding).is_empty();
        let key = if cluster_scoped {
            keys::CLUSTER_BINDING_ID
        } else {
            keys::BINDING_ID
        };
        let id = label(binding, key).unwrap_or_default().to_owned();
        let mut binding_annotations = Map::new();
        if cluster_scoped {
            binding_annotations.insert(keys::CLUSTER_BINDING_NAME.to_owned(), json!(name(binding)));
        } else {
            binding_annotations.insert(keys::BINDING_NAMESPACE.to_owned(), json!(namespace(binding)));
            binding_annotations.insert(keys::BINDING_NAME.to_owned(), json!(name(binding)));
        }
        Self {
            namespace: names::execution_namespace(&target.cluster),
            name: names::work_name(kind, namespace(template), name(template)),
            work_id: names::permanent_id("Work", &format!("{id}/{}", target.cluster)),
            binding_id: (key, id),
            binding_annotations,
        }
    }

    fn labels(&self) -> Map<String, Value> {
        let (key, id) = &self.binding_id;
        let labels = [
            ((*key).to_owned(), json!(id)),
            (keys::WORK_ID.to_owned(), json!(self.work_id)),
        ];
        labels.into_iter().collect()
    }
}

fn suspended(spec: &Value, cluster: &str) -> bool {
    let suspension = &spec["suspension"];
    let named = suspension
        .pointer("/dispatchingOnClusters/clusterNames")
        .and_then(Value::as_array);
    suspension["dispatching"] == true || named.into_iter().flatten().any(|name| name == cluster)
}

/// The merge patch that makes `existing` say what `desired` says, in the fields that are ours; `None` when it
/// does. While its cluster is being left, a work keeps its manifests: a change of the template does not
/// reach a cluster that is on its way out.
pub fn patch(existing: &Value, desired: &Value) -> Option<Value> {
    let (held, wanted) = (&existing["metadata"], &desired["metadata"]);
    let mut metadata = Map::new();
    let mut labels = additions(held.get("labels"), wanted.get("labels"));
    if held["labels"].get(keys::WORK_ID).is_some() {
        labels.remove(keys::WORK_ID);
    }
    let mut annotations = additions(held.get("annotations"), wanted.get("annotations"));
    annotations.extend(diff_fields(
        &held["annotations"],
        &wanted["annotations"],
        &[EVICTING],
    ));
    for (field, changes) in [("labels", labels), ("annotations", annotations)] {
        if !changes.is_empty() {
            metadata.insert(field.to_owned(), Value::Object(changes));
        }
    }
    if let Some(finalizers) = with_finalizer(held, FINALIZER) {
        metadata.insert("finalizers".to_owned(), finalizers);
    }
    let fields: &[&str] = if annotation(desired, EVICTING).is_some() {
        &["preserveResourcesOnDeletion", "suspendDispatching"]
    } else {
        &["preserveResourcesOnDeletion", "suspendDispatching", "workload"]
    };
    let spec = diff_fields(&existing["spec"], &desired["spec"], fields);
    let parts = [("metadata", metadata), ("spec", spec)]
        .into_iter()
        .filter(|(_, changes)| !changes.is_empty());
    let patch: Map<String, Value> = parts
        .map(|(field, changes)| (field.to_owned(), Value::Object(changes)))
        .collect();
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// Works of a binding that it no longer asks for and that are not being deleted yet.
pub fn orphans<'a>(existing: &[&'a Value], desired: &[Value]) -> Vec<&'a Value> {
    let wanted: BTreeSet<(&str, &str)> = desired.iter().map(|work| (namespace(work), name(work))).collect();
    let orphan = |work: &&&Value| {
        !wanted.contains(&(namespace(work), name(work)))
            && work.pointer("/metadata/deletionTimestamp").is_none()
    };
    existing.iter().filter(orphan).copied().collect()
}

/// The cluster a work is for.
pub fn cluster(work: &Value) -> Option<&str> {
    names::cluster_of(namespace(work))
}

/// Namespace, empty for a cluster-scoped one, and name of the binding a work was made from.
pub fn binding(work: &Value) -> Option<(String, String)> {
    match (
        annotation(work, keys::BINDING_NAMESPACE),
        annotation(work, keys::BINDING_NAME),
    ) {
        (Some(namespace), Some(name)) => Some((namespace.to_owned(), name.to_owned())),
        _ => Some((
            String::new(),
            annotation(work, keys::CLUSTER_BINDING_NAME)?.to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests;
