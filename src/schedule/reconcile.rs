//! Which bindings need a decision of the scheduler now, and the writes that carry it out. Pure.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{ClusterView, Decision, Request, Resources, ScheduleError, dispense, schedule, unknown_clusters};
use crate::{
    api::{Cluster, ResourceBindingSpec, TargetCluster, view},
    controller::Kinds,
    failover::executor::{HOME, MOVEMENT},
    store::{Index, Key, Kind, Op, Write, annotation, conditions, generation},
};

/// The placement the clusters in `spec.clusters` were chosen for; as in Karmada.
const APPLIED_PLACEMENT: &str = "policy.karmada.io/applied-placement";

/// Status, reason and message of the Scheduled condition of a placed binding; as in Karmada.
const SCHEDULED: (&str, &str, &str) = ("True", "Success", "Binding has been scheduled successfully.");

/// One round over all bindings. `wall` stamps conditions and is what tolerations with a time limit are
/// measured against.
pub fn reconcile(index: &Index, kinds: &Kinds, wall: jiff::Timestamp) -> Vec<Write> {
    let clusters = cluster_views(index, kinds);
    if clusters.is_empty() {
        return Vec::new();
    }
    let bindings = [&kinds.binding, &kinds.cluster_binding];
    bindings
        .into_iter()
        .flat_map(|kind| index.list(kind).into_iter().map(move |b| (kind, b)))
        .flat_map(|(kind, binding)| decide(kind, &binding, &clusters, wall))
        .collect()
}

/// All registered clusters that can be read.
pub fn cluster_views(index: &Index, kinds: &Kinds) -> Vec<ClusterView> {
    let read = |cluster: Arc<Value>| match view::<Cluster>(&cluster) {
        Ok(cluster) => Some(ClusterView::from_cluster(&cluster)),
        Err(error) => {
            tracing::warn!(error = %error, "unreadable cluster left out");
            None
        }
    };
    index.list(&kinds.cluster).into_iter().filter_map(read).collect()
}

fn decide(kind: &Kind, binding: &Value, clusters: &[ClusterView], wall: jiff::Timestamp) -> Vec<Write> {
    let spec: ResourceBindingSpec = match view::<crate::api::ResourceBinding>(binding) {
        Ok(binding) => binding.spec,
        Err(error) => {
            tracing::warn!(error = %error, "unreadable binding left out");
            return Vec::new();
        }
    };
    let suspended = spec
        .suspension
        .as_ref()
        .and_then(|suspension| suspension.scheduling)
        == Some(true);
    let deleting = binding.pointer("/metadata/deletionTimestamp").is_some();
    let Some(placement) = spec.placement.as_ref().filter(|_| !suspended && !deleting) else {
        return Vec::new();
    };
    let applied = annotation(binding, APPLIED_PLACEMENT);
    let placement_text = serde_json::to_string(placement).unwrap_or_default();
    let placement_changed = applied != Some(&placement_text);
    let fresh = fresh(binding, &spec);
    // What the failover planner is moving is the planner's, although a move raises more replicas than are asked
    // for; what it has displaced is the planner's until it is at home again, unless somebody asks for something else.
    // When that is another number of replicas, they are placed where they can be now, and the home follows: it is
    // where they would be had nothing been lost.
    // Clusters that are no longer registered are nobody's to keep.
    let removed = spec
        .clusters
        .iter()
        .any(|at| !clusters.iter().any(|cluster| cluster.name == at.name));
    let moving = annotation(binding, MOVEMENT).is_some();
    let displaced = annotation(binding, HOME).is_some() && !replicas_changed(&spec, &spec.clusters);
    let divided = placement.divides_replicas() && spec.replicas > 0;
    let settled = divided && !spec.clusters.is_empty() && !replicas_changed(&spec, &spec.clusters);
    let stands = !placement_changed && !fresh && !removed;
    let stamp = conditions::stamp(wall);
    let requirements = Resources::of_replica(spec.replica_requirements.as_ref());
    let evicting: Vec<String> = spec
        .graceful_eviction_tasks
        .iter()
        .map(|task| task.from_cluster.clone())
        .collect();
    let observed = binding
        .pointer("/status/schedulerObservingAffinityName")
        .and_then(Value::as_str);
    let request = Request {
        // Karmada breaks ties by the template's UID, which both of its bindings share.
        uid: &spec.resource.uid,
        replicas: spec.replicas,
        requirements: &requirements,
        gvk: (&spec.resource.api_version, &spec.resource.kind),
        placement,
        previous: &spec.clusters,
        evicting: &evicting,
        fresh,
        observed_affinity: observed.filter(|_| !placement_changed),
        clusters,
        now: wall,
    };
    let home = home(binding).filter(|_| stands);
    let rehomed = home.as_ref().map(|home| {
        if replicas_changed(&spec, home) {
            rehomed(&request, home)
        } else {
            home.clone()
        }
    });
    if (moving || displaced || settled) && stands {
        // Nothing to decide; what was decided is said again where the status has lost it.
        let follows = rehomed.filter(|next| home.as_ref() != Some(next));
        return follows
            .map(|home| follow(kind, binding, &home))
            .into_iter()
            .chain(report(kind, binding, json!({}), SCHEDULED, &stamp))
            .collect();
    }
    match schedule(&request) {
        Ok(decision) => placed(kind, binding, &spec, &decision, rehomed, &placement_text, &stamp),
        Err(error) => unplaced(kind, binding, &request, &error, &stamp),
    }
}

fn home(binding: &Value) -> Option<Vec<TargetCluster>> {
    serde_json::from_str(annotation(binding, HOME)?).ok()
}

/// The home of a binding that was scaled while it is away: where its replicas would be had nothing been lost.
fn rehomed(request: &Request<'_>, home: &[TargetCluster]) -> Vec<TargetCluster> {
    let undisturbed = Request {
        previous: home,
        evicting: &[],
        observed_affinity: None,
        ..*request
    };
    schedule(&undisturbed).map_or_else(
        |_| {
            let shares: Vec<(String, i64)> = home
                .iter()
                .map(|at| (at.name.clone(), i64::from(at.replicas)))
                .collect();
            dispense(request.replicas, &shares, &[], request.uid).0
        },
        |decision| decision.clusters,
    )
}

/// Stores a home that has followed the workload's size while the replicas themselves are the planner's.
fn follow(kind: &Kind, binding: &Value, home: &[TargetCluster]) -> Write {
    let patch = json!({
        "metadata": {
            "resourceVersion": binding["metadata"]["resourceVersion"],
            "annotations": { HOME: json!(home).to_string() },
        },
    });
    Write {
        kind: kind.clone(),
        key: Key::of(binding),
        op: Op::Merge(patch),
    }
}

/// A whole new schedule was asked for after the last one.
fn fresh(binding: &Value, spec: &ResourceBindingSpec) -> bool {
    let Some(asked) = &spec.reschedule_triggered_at else {
        return false;
    };
    let last = binding
        .pointer("/status/lastScheduledTime")
        .and_then(Value::as_str);
    last.and_then(|last| last.parse::<jiff::Timestamp>().ok())
        .is_none_or(|last| asked.0 > last)
}

/// `clusters` do not add up to what is asked for.
fn replicas_changed(spec: &ResourceBindingSpec, clusters: &[TargetCluster]) -> bool {
    let divided = spec
        .placement
        .as_ref()
        .is_some_and(|placement| placement.divides_replicas());
    match (spec.replicas > 0, divided) {
        (false, _) => false,
        (true, true) => clusters.iter().map(|cluster| cluster.replicas).sum::<i32>() != spec.replicas,
        (true, false) => clusters.iter().any(|cluster| cluster.replicas != spec.replicas),
    }
}

fn placed(
    kind: &Kind,
    binding: &Value,
    spec: &ResourceBindingSpec,
    decision: &Decision,
    home: Option<Vec<TargetCluster>>,
    placement: &str,
    stamp: &str,
) -> Vec<Write> {
    let mut writes = Vec::new();
    let mut wanted = decision.clusters.clone();
    let mut held = spec.clusters.clone();
    wanted.sort();
    held.sort();
    let away = home.map(|mut home| {
        home.sort();
        home
    });
    let away = away
        .filter(|home| *home != wanted)
        .map(|home| json!(home).to_string());
    let applied = annotation(binding, APPLIED_PLACEMENT) == Some(placement);
    if wanted != held || !applied {
        let patch = json!({
            "metadata": {
                "resourceVersion": binding["metadata"]["resourceVersion"],
                "annotations": {
                    APPLIED_PLACEMENT: placement, HOME: away, MOVEMENT: null,
                },
            },
            "spec": { "clusters": decision.clusters },
        });
        writes.push(Write {
            kind: kind.clone(),
            key: Key::of(binding),
            op: Op::Merge(patch),
        });
    }
    let mut status = json!({});
    if wanted != held || binding.pointer("/status/lastScheduledTime").is_none() || fresh(binding, spec) {
        status["lastScheduledTime"] = json!(stamp);
    }
    if binding
        .pointer("/status/schedulerObservingAffinityName")
        .and_then(Value::as_str)
        != decision.affinity.as_deref()
    {
        status["schedulerObservingAffinityName"] = json!(decision.affinity);
    }
    writes.extend(report(kind, binding, status, SCHEDULED, stamp));
    writes
}

fn unplaced(
    kind: &Kind,
    binding: &Value,
    request: &Request<'_>,
    error: &ScheduleError,
    stamp: &str,
) -> Vec<Write> {
    let known = request
        .clusters
        .iter()
        .map(|cluster| cluster.name.as_str())
        .collect();
    let message = match (unknown_clusters(request.placement, &known), error) {
        // That no other cluster is selected follows from it.
        (Some(unknown), ScheduleError::NoFit { reasons })
            if reasons.iter().all(|reason| reason.filter == "ClusterAffinity") =>
        {
            unknown
        }
        (Some(unknown), _) => format!("{unknown}; {error}"),
        (None, _) => error.to_string(),
    };
    let scheduled = ("False", error.reason(), message.as_str());
    report(kind, binding, json!({}), scheduled, stamp)
        .into_iter()
        .collect()
}

/// The Scheduled condition, with the rest of the status that changed.
fn report(
    kind: &Kind,
    binding: &Value,
    mut status: Value,
    scheduled: (&str, &str, &str),
    stamp: &str,
) -> Option<Write> {
    let condition = conditions::condition(binding, "Scheduled", scheduled, stamp);
    if let Some(conditions) = conditions::with(binding, [condition]) {
        status["conditions"] = json!(conditions);
    }
    let generation = generation(binding);
    if binding
        .pointer("/status/schedulerObservedGeneration")
        .and_then(Value::as_i64)
        != Some(generation)
    {
        status["schedulerObservedGeneration"] = json!(generation);
    }
    let changes = status.as_object().is_some_and(|fields| !fields.is_empty());
    changes.then(|| Write {
        kind: kind.clone(),
        key: Key::of(binding),
        // The list of conditions is shared with whoever reports what was applied.
        op: Op::MergeStatus(json!({
            "metadata": { "resourceVersion": binding["metadata"]["resourceVersion"] }, "status": status,
        })),
    })
}
