//! Karmada's rules for `placement`.

use std::collections::BTreeSet;

use super::selector::label_selector;
use super::{FieldError, FieldErrorKind, LABEL_KEY};
use crate::api::Toleration;
use crate::api::policy::{
    ClusterAffinity, ClusterAffinityTerm, Placement, SpreadConstraint, SpreadField, WorkloadAffinity,
};
use crate::schedule::{Strategy, strategy_of, valid_key};

pub(super) fn placement(placement: &Placement, errors: &mut Vec<FieldError>) {
    if placement.cluster_affinity.is_some() && !placement.cluster_affinities.is_empty() {
        errors.push(FieldError::invalid(
            "spec.placement",
            "",
            "clusterAffinities and clusterAffinity must not be given together",
        ));
    }
    if let Some(affinity) = &placement.cluster_affinity {
        cluster_affinity("spec.placement.clusterAffinity", affinity, errors);
    }
    affinity_terms(placement, errors);
    tolerations(&placement.cluster_tolerations, errors);
    static_weights(placement, errors);
    spread_constraints(&placement.spread_constraints, errors);
    if let Some(affinity) = &placement.workload_affinity {
        workload_affinity(affinity, errors);
    }
}

pub(super) fn cluster_affinity(field: &str, affinity: &ClusterAffinity, errors: &mut Vec<FieldError>) {
    if let Some(selector) = &affinity.label_selector {
        label_selector(&format!("{field}.labelSelector"), selector, errors);
    }
    for requirement in affinity
        .field_selector
        .iter()
        .flat_map(|selector| &selector.match_expressions)
    {
        let field = format!("{field}.fieldSelector");
        if !["provider", "region", "zone"].contains(&requirement.key.as_str()) {
            let detail = "is not a field to select by: provider, region and zone are";
            errors.push(FieldError::invalid(&field, &requirement.key, detail));
        }
        if !["In", "NotIn"].contains(&requirement.operator.as_str()) {
            errors.push(FieldError::invalid(
                field,
                &requirement.operator,
                "is not an operator: In and NotIn are",
            ));
        }
    }
}

fn affinity_terms(placement: &Placement, errors: &mut Vec<FieldError>) {
    let mut names = BTreeSet::new();
    let overflow_possible = matches!(
        strategy_of(placement),
        Strategy::Aggregated | Strategy::DynamicWeight
    );
    for (index, term) in placement.cluster_affinities.iter().enumerate() {
        let field = format!("spec.placement.clusterAffinities[{index}]");
        if !valid_key(&term.affinity_name) {
            errors.push(FieldError::invalid(&field, &term.affinity_name, LABEL_KEY));
        }
        if !names.insert(term.affinity_name.as_str()) {
            errors.push(FieldError::invalid(
                "spec.placement.clusterAffinities",
                &term.affinity_name,
                "each affinity term must have a name of its own",
            ));
        }
        cluster_affinity(&field, &term.affinity, errors);
        overflow(&field, term, overflow_possible, errors);
    }
}

fn overflow(parent: &str, term: &ClusterAffinityTerm, possible: bool, errors: &mut Vec<FieldError>) {
    if term.overflow_affinities.is_empty() {
        return;
    }
    let field = format!("{parent}.overflowAffinities");
    if !possible {
        errors.push(FieldError::invalid(
            &field,
            "",
            "overflowAffinities go together only with Aggregated or with a dynamic weight",
        ));
    }
    if term.affinity == ClusterAffinity::default() {
        errors.push(FieldError::invalid(
            &field,
            "",
            "overflowAffinities go together only with an affinity of the term itself",
        ));
    }
    let mut names = BTreeSet::from([term.affinity_name.as_str()]);
    for (index, tier) in term.overflow_affinities.iter().enumerate() {
        let name_field = format!("{field}[{index}].affinityName");
        if !valid_key(&tier.affinity_name) {
            errors.push(FieldError::invalid(&name_field, &tier.affinity_name, LABEL_KEY));
        }
        if !names.insert(tier.affinity_name.as_str()) {
            errors.push(FieldError::invalid(
                name_field,
                &tier.affinity_name,
                "each overflow affinity must have a name of its own, different from the term's",
            ));
        }
        cluster_affinity(&format!("{field}[{index}]"), &tier.affinity, errors);
    }
}

fn tolerations(tolerations: &[Toleration], errors: &mut Vec<FieldError>) {
    for (index, toleration) in tolerations.iter().enumerate() {
        let operator = toleration.operator.as_deref().unwrap_or_default();
        if !["", "Exists", "Equal"].contains(&operator) {
            errors.push(FieldError {
                field: format!("spec.placement.clusterTolerations[{index}].operator"),
                kind: FieldErrorKind::NotSupported,
                value: operator.to_owned(),
                detail: "supported are Exists and Equal, which is the default".into(),
            });
        }
    }
}

fn static_weights(placement: &Placement, errors: &mut Vec<FieldError>) {
    let list = "spec.placement.replicaScheduling.weightPreference.staticWeightList";
    let preference = placement
        .replica_scheduling
        .as_ref()
        .and_then(|scheduling| scheduling.weight_preference.as_ref());
    for (index, weight) in preference
        .iter()
        .flat_map(|preference| &preference.static_weight_list)
        .enumerate()
    {
        cluster_affinity(
            &format!("{list}[{index}].targetCluster"),
            &weight.target_cluster,
            errors,
        );
    }
}

fn spread_constraints(constraints: &[SpreadConstraint], errors: &mut Vec<FieldError>) {
    let list = "spec.placement.spreadConstraints";
    let mut fields = BTreeSet::new();
    for (index, constraint) in constraints.iter().enumerate() {
        let field = format!("{list}[{index}]");
        let (min, max) = (constraint.min_groups, constraint.max_groups);
        let mut refuse = |value: i64, detail: &str| errors.push(FieldError::invalid(&field, value, detail));
        if constraint.spread_by_field.is_some() && !constraint.spread_by_label.is_empty() {
            refuse(min, "spreadByLabel and spreadByField must not be given together");
        }
        if min < 0 {
            refuse(min, "minGroups must not be lower than 0");
        }
        if max < 0 {
            refuse(max, "maxGroups must not be lower than 0");
        }
        if max > 0 && max < min {
            refuse(max, "maxGroups must not be lower than minGroups");
        }
        if let Some(by) = constraint.spread_by_field
            && !fields.insert(by)
        {
            errors.push(FieldError::invalid(
                list,
                name(by),
                "a field may be spread by only once",
            ));
        }
    }
    if !fields.is_empty() && !fields.contains(&SpreadField::Cluster) {
        errors.push(FieldError::invalid(
            list,
            "",
            "one of the constraints must be for cluster when spreadByField is used",
        ));
    }
}

fn name(field: SpreadField) -> &'static str {
    match field {
        SpreadField::Cluster => "cluster",
        SpreadField::Region => "region",
        SpreadField::Zone => "zone",
        SpreadField::Provider => "provider",
    }
}

fn workload_affinity(affinity: &WorkloadAffinity, errors: &mut Vec<FieldError>) {
    let field = "spec.placement.workloadAffinity";
    for (part, term) in [
        ("affinity", &affinity.affinity),
        ("antiAffinity", &affinity.anti_affinity),
    ] {
        if let Some(term) = term.as_ref().filter(|term| !valid_key(&term.group_by_label_key)) {
            errors.push(FieldError::invalid(
                format!("{field}.{part}.groupByLabelKey"),
                &term.group_by_label_key,
                LABEL_KEY,
            ));
        }
    }
    if let (Some(together), Some(apart)) = (&affinity.affinity, &affinity.anti_affinity)
        && together.group_by_label_key == apart.group_by_label_key
    {
        errors.push(FieldError::invalid(
            field,
            &together.group_by_label_key,
            "affinity and antiAffinity must not use the same groupByLabelKey",
        ));
    }
}
