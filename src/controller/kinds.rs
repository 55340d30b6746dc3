//! The kinds the controller watches and writes.

use crate::{
    api::{
        Cluster, ClusterPropagationPolicy, ClusterResourceBinding, EvictionIntent, FailoverEpoch,
        FailoverPolicy, Observer, PropagationPolicy, ResourceBinding, SteeringPlan, SteeringPlanShard,
        TrafficPolicy, Work, Zone,
    },
    store::Kind,
};

#[derive(Clone)]
pub struct Kinds {
    pub cluster: Kind,
    pub policy: Kind,
    pub cluster_policy: Kind,
    pub binding: Kind,
    pub cluster_binding: Kind,
    pub work: Kind,
    pub traffic_policy: Kind,
    pub zone: Kind,
    pub failover_policy: Kind,
    pub failover_epoch: Kind,
    pub eviction_intent: Kind,
    pub observer: Kind,
    pub steering_plan: Kind,
    pub steering_plan_shard: Kind,
    pub namespace: Kind,
    pub secret: Kind,
    pub event: Kind,
}

impl Default for Kinds {
    fn default() -> Self {
        Self {
            cluster: Kind::of::<Cluster>(false),
            policy: Kind::of::<PropagationPolicy>(true),
            cluster_policy: Kind::of::<ClusterPropagationPolicy>(false),
            binding: Kind::of::<ResourceBinding>(true),
            cluster_binding: Kind::of::<ClusterResourceBinding>(false),
            work: Kind::of::<Work>(true),
            traffic_policy: Kind::of::<TrafficPolicy>(true),
            zone: Kind::of::<Zone>(false),
            failover_policy: Kind::of::<FailoverPolicy>(false),
            failover_epoch: Kind::of::<FailoverEpoch>(false),
            eviction_intent: Kind::of::<EvictionIntent>(false),
            observer: Kind::of::<Observer>(false),
            steering_plan: Kind::of::<SteeringPlan>(false),
            steering_plan_shard: Kind::of::<SteeringPlanShard>(false),
            namespace: Kind::new("v1", "Namespace", "namespaces", false),
            secret: Kind::new("v1", "Secret", "secrets", true),
            event: Kind::new("v1", "Event", "events", true),
        }
    }
}

impl Kinds {
    /// What is watched from the start; kinds of templates come with the policies that select them.
    pub fn watched(&self) -> Vec<Kind> {
        let Self {
            cluster,
            policy,
            cluster_policy,
            binding,
            cluster_binding,
            work,
            traffic_policy,
            zone,
            failover_policy,
            failover_epoch: _,
            eviction_intent,
            observer,
            steering_plan,
            steering_plan_shard,
            namespace,
            secret,
            event: _,
        } = self;
        [
            cluster,
            policy,
            cluster_policy,
            binding,
            cluster_binding,
            work,
            traffic_policy,
            zone,
            failover_policy,
            eviction_intent,
            observer,
            steering_plan,
            steering_plan_shard,
            namespace,
            secret,
        ]
        .into_iter()
        .cloned()
        .collect()
    }
}
