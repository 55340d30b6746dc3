//! Karmada's rules for propagation policies (`pkg/util/validation`), applied after the defaults.

use super::placement::placement;
use super::selector::label_selector;
use super::{FieldError, Validate};
use crate::api::policy::{
    ApplicationFailover, Preemption, PropagationSpec, PurgeMode, StatePreservation, Suspension,
};
use crate::api::{ClusterPropagationPolicy, PropagationPolicy};
use crate::schedule::valid_key;

impl Validate for PropagationPolicy {
    fn validate(&self) -> Vec<FieldError> {
        propagation(&self.spec, self.metadata.namespace.as_deref().or(Some("default")))
    }
}

impl Validate for ClusterPropagationPolicy {
    fn validate(&self) -> Vec<FieldError> {
        propagation(&self.spec, None)
    }
}

/// Checks the specification of a policy; `namespace` is the policy's own, `None` for a cluster-scoped one.
pub fn propagation(spec: &PropagationSpec, namespace: Option<&str>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if let Some(found) = &spec.placement {
        placement(found, &mut errors);
    }
    selectors(spec, namespace, &mut errors);
    if let Some(failover) = &spec.failover {
        if let Some(application) = &failover.application {
            if !spec.propagate_deps {
                errors.push(FieldError::invalid(
                    "spec.propagateDeps",
                    false,
                    "application failover is set, propagateDeps must be true",
                ));
            }
            application_failover(application, &mut errors);
        }
        if let Some(state) = failover
            .cluster
            .as_ref()
            .and_then(|cluster| cluster.state_preservation.as_ref())
        {
            state_preservation("spec.failover.cluster", state, &mut errors);
        }
    }
    if let Some(found) = &spec.suspension {
        suspension(found, &mut errors);
    }
    errors
}

fn selectors(spec: &PropagationSpec, namespace: Option<&str>, errors: &mut Vec<FieldError>) {
    for (index, selector) in spec.resource_selectors.iter().enumerate() {
        let field = format!("spec.resourceSelectors[{index}]");
        if let Some(namespace) = namespace
            && selector.namespace != namespace
        {
            errors.push(FieldError::invalid(
                format!("{field}.namespace"),
                &selector.namespace,
                format!("must be the namespace of the policy, {namespace}"),
            ));
        }
        if let Some(labels) = &selector.label_selector {
            label_selector(&format!("{field}.labelSelector"), labels, errors);
        }
        if spec.preemption == Some(Preemption::Always) && selector.name.is_empty() {
            errors.push(FieldError::invalid(
                format!("{field}.name"),
                "",
                "must not be empty when preemption is Always, which would take over more than is meant",
            ));
        }
    }
}

fn application_failover(application: &ApplicationFailover, errors: &mut Vec<FieldError>) {
    let field = "spec.failover.application";
    if let Some(seconds) = application
        .decision_conditions
        .toleration_seconds
        .filter(|seconds| *seconds < 0)
    {
        errors.push(FieldError::invalid(
            format!("{field}.decisionConditions.tolerationSeconds"),
            seconds,
            "must be greater than or equal to 0",
        ));
    }
    let graceful = application.purge_mode == Some(PurgeMode::Gracefully);
    let problem = match application.grace_period_seconds {
        None if graceful => Some("must be given when purgeMode is Gracefully"),
        Some(_) if !graceful => Some("only takes effect when purgeMode is Gracefully"),
        Some(seconds) if seconds <= 0 => Some("must be greater than 0"),
        Some(_) | None => None,
    };
    if let Some(detail) = problem {
        let value = application
            .grace_period_seconds
            .map_or_else(|| "null".into(), |seconds| seconds.to_string());
        errors.push(FieldError::invalid(
            format!("{field}.gracePeriodSeconds"),
            value,
            detail,
        ));
    }
    if let Some(state) = &application.state_preservation {
        state_preservation(field, state, errors);
    }
}

fn state_preservation(parent: &str, state: &StatePreservation, errors: &mut Vec<FieldError>) {
    for (index, rule) in state.rules.iter().enumerate() {
        if !valid_key(&rule.alias_label_name) {
            errors.push(FieldError::invalid(
                format!("{parent}.statePreservation.rules[{index}].aliasLabelName"),
                &rule.alias_label_name,
                super::LABEL_KEY,
            ));
        }
    }
}

fn suspension(suspension: &Suspension, errors: &mut Vec<FieldError>) {
    let clusters = suspension
        .dispatching_on_clusters
        .as_ref()
        .is_some_and(|on| !on.cluster_names.is_empty());
    if suspension.dispatching == Some(true) && clusters {
        errors.push(FieldError::invalid(
            "spec.suspension.suspension",
            true,
            "dispatching and dispatchingOnClusters.clusterNames must not be given together",
        ));
    }
}
