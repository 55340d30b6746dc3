//! The failover planner's world, read from the index and the verdicts. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use lifeboat_health::{FleetView, Path};
use serde_json::Value;

use super::Kinds;
use crate::{
    api::{ResourceBinding, TargetCluster, TrafficPolicy, view},
    failover::{
        BindingId, BindingView, ClusterHealth, Movement, Phase, TaskView,
        executor::{HOME, MOVEMENT},
    },
    interpret,
    schedule::Resources,
    steer::{self, compile::WorkloadKey},
    store::{Index, annotation, name, namespace, resource_version},
};

/// Both paths of every cluster, as [`FleetView::path_verdict`] has them.
pub(crate) fn health(verdicts: &FleetView) -> BTreeMap<String, ClusterHealth> {
    let of = |cluster: &str| ClusterHealth {
        traffic: verdicts.path_verdict(cluster, Path::Traffic),
        control: verdicts.path_verdict(cluster, Path::Control),
        ..ClusterHealth::UNKNOWN
    };
    let clusters = verdicts.clusters().into_iter();
    clusters
        .map(|cluster| (cluster.to_owned(), of(cluster)))
        .collect()
}

/// Every binding that can be read; one that cannot is left as it is.
/// Ready replicas count only from the members in `fresh`: an older report is a memory.
pub(super) fn bindings(index: &Index, kinds: &Kinds, fresh: &BTreeSet<String>) -> Vec<BindingView> {
    let ttls = ttls(index, kinds);
    [&kinds.binding, &kinds.cluster_binding]
        .into_iter()
        .flat_map(|kind| index.list(kind))
        .filter(|binding| binding.pointer("/metadata/deletionTimestamp").is_none())
        .filter_map(|binding| read(&binding, &ttls))
        .map(|mut binding| {
            binding.ready.retain(|cluster, _| fresh.contains(cluster));
            binding
        })
        .collect()
}

/// TTL of the names that lead to a workload, by (namespace, kind, name).
type Ttls = BTreeMap<(String, String, String), Duration>;

fn ttls(index: &Index, kinds: &Kinds) -> Ttls {
    let mut ttls = Ttls::new();
    for policy in index.list(&kinds.traffic_policy) {
        // One that cannot be read is not served either.
        let Ok(policy) = view::<TrafficPolicy>(&policy).map(|typed| steer::read::policy(&policy, &typed))
        else {
            continue;
        };
        let WorkloadKey {
            api_version: _,
            kind,
            namespace,
            name,
        } = policy.workload;
        let longest = ttls.entry((namespace, kind, name)).or_default();
        *longest = (*longest).max(Duration::from_secs(u64::from(policy.ttl)));
    }
    ttls
}

fn read(binding: &Value, ttls: &Ttls) -> Option<BindingView> {
    let spec = match view::<ResourceBinding>(binding) {
        Ok(binding) => binding.spec,
        Err(error) => {
            tracing::warn!(error = %error, "unreadable binding left as it is");
            return None;
        }
    };
    let namespace = namespace(binding);
    let resource = &spec.resource;
    let workload = spec.replicas > 0 || spec.replica_requirements.is_some();
    let group = [
        "propagationpolicy.karmada.io/name",
        "clusterpropagationpolicy.karmada.io/name",
    ]
    .iter()
    .find_map(|key| annotation(binding, key))
    .map(|policy| format!("{namespace}/{policy}"));
    Some(BindingView {
        id: BindingId {
            namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
            name: name(binding).to_owned(),
        },
        uid: resource.uid.clone(),
        resource_version: resource_version(binding).to_owned(),
        api_version: resource.api_version.clone(),
        kind: resource.kind.clone(),
        priority: spec
            .schedule_priority
            .as_ref()
            .map_or(0, |priority| priority.priority),
        replicas: spec.replicas,
        workload,
        requirements: Resources::of_replica(spec.replica_requirements.as_ref()),
        placement: spec.placement.clone().unwrap_or_default(),
        group,
        clusters: spec.clusters.clone(),
        ready: ready(binding, workload),
        tasks: spec
            .graceful_eviction_tasks
            .iter()
            .map(|task| TaskView {
                cluster: task.from_cluster.clone(),
                replicas: task.replicas.unwrap_or(0),
                producer: task.producer.clone(),
                suppressed: task.suppress_deletion == Some(true),
            })
            .collect(),
        home: stored(binding, HOME),
        movement: movement(binding),
        traffic_ttl: ttls
            .get(&(namespace.to_owned(), resource.kind.clone(), resource.name.clone()))
            .copied(),
    })
}

/// Ready replicas by cluster as collected; for an object without replicas 1 where it is applied.
pub(crate) fn ready(binding: &Value, workload: bool) -> BTreeMap<String, i32> {
    let items = binding
        .pointer("/status/aggregatedStatus")
        .and_then(Value::as_array);
    let count = |item: &Value| match item.get("status") {
        Some(status) if workload => i32::try_from(interpret::ready_replicas(status)).unwrap_or(i32::MAX),
        Some(_) | None => i32::from(!workload && item["applied"] == Value::Bool(true)),
    };
    items
        .into_iter()
        .flatten()
        .filter_map(|item| Some((item["clusterName"].as_str()?.to_owned(), count(item))))
        .collect()
}

fn stored(binding: &Value, key: &str) -> Vec<TargetCluster> {
    annotation(binding, key)
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

pub(crate) fn movement(binding: &Value) -> Option<Movement> {
    let stored: Value = serde_json::from_str(annotation(binding, MOVEMENT)?).ok()?;
    let phase = match stored["phase"].as_str()? {
        "Raise" => Phase::Raise,
        "Shift" => Phase::Shift,
        "Lower" => Phase::Lower,
        _ => return None,
    };
    Some(Movement {
        phase,
        target: serde_json::from_value(stored["target"].clone()).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use lifeboat_health::{Cell, Family, Verdict};

    use super::*;

    #[test]
    fn a_cluster_is_lost_only_when_every_family_is_known_to_be_down() {
        let view = |v6_frozen| {
            let mut view = FleetView::default();
            for path in [Path::Traffic, Path::Control] {
                for (family, frozen) in [(Family::V4, false), (Family::V6, v6_frozen)] {
                    let cell = Cell {
                        verdict: Verdict::Down,
                        frozen,
                        ..Cell::default()
                    };
                    view.cells.insert(("a".to_owned(), path, family), cell);
                }
            }
            view
        };
        for frozen in [false, true] {
            assert_eq!(health(&view(frozen))["a"].is_lost(), !frozen);
        }
    }
}
