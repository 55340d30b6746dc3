//! Clusters and bindings to fill a fleet with.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    api::{
        ApiEnablement, ApiResource, Placement, TargetCluster,
        policy::{
            ClusterAffinity, DivisionPreference, ReplicaSchedulingStrategy, SchedulingType, SpreadConstraint,
            SpreadField,
        },
    },
    failover::{BindingId, BindingView},
    schedule::{ClusterView, Resources},
};

/// A cluster with so many thousandths of a core.
pub(in crate::failover::tests) fn view(name: &str, cpu_millis: i64) -> ClusterView {
    let serves = |group_version: &str, kind: &str| ApiEnablement {
        group_version: group_version.to_owned(),
        resources: vec![ApiResource {
            kind: kind.to_owned(),
            ..ApiResource::default()
        }],
    };
    ClusterView {
        name: name.to_owned(),
        provider: "aws".to_owned(),
        region: format!("region-{name}"),
        zones: vec![format!("zone-{name}")],
        api_enablements: vec![serves("apps/v1", "Deployment"), serves("v1", "Service")],
        ready: true,
        free: Resources {
            cpu_millis,
            memory_bytes: 1 << 40,
            pods: 10_000,
            ..Resources::default()
        },
        ..ClusterView::default()
    }
}

fn base(name: &str, clusters: &[(&str, i32)], replicas: i32, placement: Placement) -> BindingView {
    BindingView {
        id: BindingId {
            namespace: Some("default".to_owned()),
            name: name.to_owned(),
        },
        uid: format!("uid-{name}"),
        resource_version: format!("1-{name}"),
        api_version: "apps/v1".to_owned(),
        kind: "Deployment".to_owned(),
        priority: 0,
        replicas,
        workload: true,
        requirements: Resources {
            cpu_millis: 500,
            ..Resources::default()
        },
        placement,
        group: None,
        clusters: clusters
            .iter()
            .map(|(name, replicas)| TargetCluster::new(*name, *replicas))
            .collect(),
        ready: BTreeMap::new(),
        tasks: Vec::new(),
        home: Vec::new(),
        movement: None,
        traffic_ttl: Some(Duration::from_secs(5)),
    }
}

pub(in crate::failover::tests) fn among(names: &[&str]) -> Option<ClusterAffinity> {
    let cluster_names = names.iter().map(|name| (*name).to_owned()).collect();
    Some(ClusterAffinity {
        cluster_names,
        ..ClusterAffinity::default()
    })
}

/// Half a core a replica, shared out evenly over whatever clusters there are.
pub(in crate::failover::tests) fn divided(name: &str, clusters: &[(&str, i32)]) -> BindingView {
    let replicas = clusters.iter().map(|(_, replicas)| replicas).sum();
    let scheduling = ReplicaSchedulingStrategy {
        replica_scheduling_type: Some(SchedulingType::Divided),
        replica_division_preference: Some(DivisionPreference::Weighted),
        ..ReplicaSchedulingStrategy::default()
    };
    let placement = Placement {
        replica_scheduling: Some(scheduling),
        ..Placement::default()
    };
    base(name, clusters, replicas, placement)
}

/// All replicas in each of so many clusters as are given, anywhere.
pub(in crate::failover::tests) fn duplicated(name: &str, clusters: &[&str], replicas: i32) -> BindingView {
    let groups = i64::try_from(clusters.len()).unwrap();
    let spread = SpreadConstraint {
        spread_by_field: Some(SpreadField::Cluster),
        min_groups: groups,
        max_groups: groups,
        ..SpreadConstraint::default()
    };
    let placement = Placement {
        spread_constraints: vec![spread],
        ..Placement::default()
    };
    let clusters: Vec<(&str, i32)> = clusters.iter().map(|name| (*name, replicas)).collect();
    base(name, &clusters, replicas, placement)
}

/// A Service that goes where `like` goes.
pub(in crate::failover::tests) fn service(like: &BindingView) -> BindingView {
    let clusters: Vec<(&str, i32)> = like
        .clusters
        .iter()
        .map(|target| (target.name.as_str(), 0))
        .collect();
    BindingView {
        api_version: "v1".to_owned(),
        kind: "Service".to_owned(),
        workload: false,
        requirements: Resources::default(),
        traffic_ttl: None,
        ..base(
            &format!("{}-service", like.id.name),
            &clusters,
            0,
            like.placement.clone(),
        )
    }
}

pub(in crate::failover::tests) fn placed(targets: &[TargetCluster]) -> String {
    let mut all: Vec<String> = targets
        .iter()
        .map(|t| format!("{}{}", t.name, t.replicas))
        .collect();
    all.sort();
    all.join(" ")
}

pub(in crate::failover::tests) fn names(targets: &[TargetCluster]) -> BTreeSet<&str> {
    targets.iter().map(|target| target.name.as_str()).collect()
}
