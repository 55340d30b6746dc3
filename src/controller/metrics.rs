//! Metrics of the slow tier.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::store::Writes;

/// `{cluster}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ClusterLabel {
    pub cluster: String,
}

/// What a controller counts; gauges are of its last plan, and 0 while it is down.
#[derive(Clone, Debug, Default)]
pub struct ControllerMetrics {
    /// Bindings that were taken off a lost cluster.
    pub evictions: Family<ClusterLabel, Counter>,
    /// Planned moves that came to their end.
    pub failbacks: Counter,
    /// 1 under FREEZE.
    pub frozen: Gauge,
    /// Evictions that may be started now.
    pub budget_tokens: Gauge,
    /// Bindings on lost clusters with nowhere to go.
    pub without_target: Gauge,
    /// Bindings that are away from home.
    pub displaced: Gauge,
    /// Works that their cluster has not applied.
    pub works_not_applied: Gauge,
    /// Writes to the control plane's API.
    pub writes: Writes,
}

impl ControllerMetrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self {
            evictions,
            failbacks,
            frozen,
            budget_tokens,
            without_target,
            displaced,
            works_not_applied,
            writes,
        } = metrics.clone();
        let help = "Bindings that were taken off a lost cluster";
        registry.register("lifeboat_failover_evictions", help, evictions);
        let help = "Planned moves home that came to their end";
        registry.register("lifeboat_failover_failbacks", help, failbacks);
        let help = "1 while too many clusters look down and nothing is evicted";
        registry.register("lifeboat_failover_frozen", help, frozen);
        let help = "Evictions that the budget allows now";
        registry.register("lifeboat_failover_budget_tokens", help, budget_tokens);
        let help = "Bindings on lost clusters that have no feasible place";
        registry.register("lifeboat_failover_bindings_without_target", help, without_target);
        let help = "Bindings that are away from home";
        registry.register("lifeboat_failover_bindings_displaced", help, displaced);
        let help = "Works that their cluster has not applied";
        registry.register("lifeboat_works_not_applied", help, works_not_applied);
        let help = "Writes to the control plane's API by how they ended: done, moot, conflict, failed";
        registry.register("lifeboat_controller_writes", help, writes);
        metrics
    }

    /// Nothing is known while no controller runs.
    pub(super) fn down(&self) {
        let Self {
            evictions: _,
            failbacks: _,
            frozen,
            budget_tokens,
            without_target,
            displaced,
            works_not_applied,
            writes: _,
        } = self;
        for gauge in [
            frozen,
            budget_tokens,
            without_target,
            displaced,
            works_not_applied,
        ] {
            gauge.set(0);
        }
    }
}
