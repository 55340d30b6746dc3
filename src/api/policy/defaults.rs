//! What Karmada's webhook fills in before a policy is stored (`pkg/webhook/propagationpolicy/mutating.go`).
//!
//! We apply it when a policy is read, so that a policy means the same whether or not a webhook saw it.

use super::{ApplicationFailover, DivisionPreference, Placement, PropagationSpec, PurgeMode, SchedulingType};
use super::{SpreadConstraint, SpreadField};

/// How long a graceful eviction may last when the policy does not say.
const GRACE_PERIOD_SECONDS: i32 = 600;

impl PropagationSpec {
    /// Fills in what is not said. `namespace` is the policy's own, `None` for a cluster-scoped one.
    pub fn fill_defaults(&mut self, namespace: Option<&str>) {
        if let Some(namespace) = namespace {
            for selector in self
                .resource_selectors
                .iter_mut()
                .filter(|selector| selector.namespace.is_empty())
            {
                namespace.clone_into(&mut selector.namespace);
            }
        }
        // A ServiceImport is of no use without what it refers to.
        if self
            .resource_selectors
            .iter()
            .any(|selector| selector.kind == "ServiceImport")
        {
            self.propagate_deps = true;
        }
        if let Some(placement) = &mut self.placement {
            placement.fill_defaults();
        }
        if let Some(application) = self
            .failover
            .as_mut()
            .and_then(|failover| failover.application.as_mut())
        {
            application.fill_defaults();
        }
    }
}

impl Placement {
    fn fill_defaults(&mut self) {
        self.spread_constraints
            .iter_mut()
            .for_each(SpreadConstraint::fill_defaults);
        if let Some(scheduling) = &mut self.replica_scheduling
            && scheduling.replica_scheduling_type == Some(SchedulingType::Divided)
        {
            scheduling
                .replica_division_preference
                .get_or_insert(DivisionPreference::Weighted);
        }
    }
}

impl SpreadConstraint {
    fn fill_defaults(&mut self) {
        if self.spread_by_field.is_none() && self.spread_by_label.is_empty() {
            self.spread_by_field = Some(SpreadField::Cluster);
        }
        if self.min_groups == 0 {
            self.min_groups = 1;
        }
    }
}

impl ApplicationFailover {
    fn fill_defaults(&mut self) {
        if self.purge_mode == Some(PurgeMode::Gracefully) {
            self.grace_period_seconds.get_or_insert(GRACE_PERIOD_SECONDS);
        }
    }
}
