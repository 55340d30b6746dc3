//! Checks of `TrafficPolicy` and `FailoverPolicy`.

use super::placement::cluster_affinity;
use super::zone::{check_ttl, dns_name, within};
use super::{FieldError, FieldErrorKind, Validate};
use crate::api::lifeboat::{FailoverPolicySpec, SteerStep, TrafficPolicySpec};

impl Validate for TrafficPolicySpec {
    fn validate(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        errors.extend(dns_name("spec.name", &self.name));
        errors.extend(dns_name("spec.zone", &self.zone));
        if errors.is_empty() && !within(&self.name, &self.zone) {
            errors.push(FieldError::invalid(
                "spec.name",
                &self.name,
                format!("must be inside the zone {}", self.zone),
            ));
        }
        errors.extend(check_ttl("spec.ttl", self.ttl));
        if self.service.is_none() && self.workload.is_none() {
            errors.push(FieldError::required(
                "spec",
                "one of service and workload must be given",
            ));
        }
        steer_chain(&self.steer, &mut errors);
        errors
    }
}

fn steer_chain(chain: &[SteerStep], errors: &mut Vec<FieldError>) {
    let Some((last, before)) = chain.split_last() else {
        errors.push(FieldError::required(
            "spec.steer",
            "at least one step must be given",
        ));
        return;
    };
    for (index, step) in before.iter().enumerate() {
        if !matches!(step, SteerStep::Health {}) {
            errors.push(FieldError::invalid(
                format!("spec.steer[{index}]"),
                step_name(step),
                "only the last step may choose the answer: weighted, failover or all",
            ));
        }
    }
    let field = format!("spec.steer[{}]", before.len());
    match last {
        SteerStep::Health {} => errors.push(FieldError::invalid(
            field,
            "health",
            "the last step must choose the answer: weighted, failover or all",
        )),
        SteerStep::Failover { order } => failover_order(&field, order, errors),
        SteerStep::All { max: Some(0) } => {
            errors.push(FieldError::invalid(
                format!("{field}.all.max"),
                0,
                "must be at least 1",
            ));
        }
        SteerStep::Weighted {} | SteerStep::All { .. } => {}
    }
}

fn failover_order(field: &str, order: &[String], errors: &mut Vec<FieldError>) {
    if order.is_empty() {
        errors.push(FieldError::required(
            format!("{field}.failover.order"),
            "at least one cluster must be named",
        ));
    }
    for (index, cluster) in order.iter().enumerate() {
        if order[..index].contains(cluster) {
            errors.push(FieldError {
                field: format!("{field}.failover.order[{index}]"),
                kind: FieldErrorKind::Duplicate,
                value: cluster.clone(),
                detail: "a cluster may be named only once".into(),
            });
        }
    }
}

fn step_name(step: &SteerStep) -> &'static str {
    match step {
        SteerStep::Health {} => "health",
        SteerStep::Weighted {} => "weighted",
        SteerStep::Failover { .. } => "failover",
        SteerStep::All { .. } => "all",
    }
}

impl Validate for FailoverPolicySpec {
    fn validate(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let Some(clusters) = &self.clusters {
            cluster_affinity("spec.clusters", clusters, &mut errors);
        }
        for (field, value) in [
            ("spec.hold", self.hold),
            (
                "spec.failback.settle",
                self.failback.as_ref().and_then(|failback| failback.settle),
            ),
        ] {
            if let Some(duration) = value.filter(kube::core::Duration::is_negative) {
                errors.push(FieldError::invalid(field, duration, "must not be negative"));
            }
        }
        let budget = self.budget.as_ref();
        for (field, value) in [
            ("spec.budget.burst", budget.map_or(1, |budget| budget.burst)),
            (
                "spec.budget.evictionsPerSecond",
                budget.map_or(1, |budget| budget.evictions_per_second),
            ),
        ] {
            if value == 0 {
                errors.push(FieldError::invalid(field, value, "must be at least 1"));
            }
        }
        errors
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(patch: Value, expected: &[&str]) {
        let mut spec = json!({
            "zone": "demo.example", "name": "shop.demo.example", "service": { "name": "shop" },
            "steer": [{ "health": {} }, { "weighted": {} }],
        });
        json_patch::merge(&mut spec, &patch);
        let spec: TrafficPolicySpec = serde_json::from_value(spec).unwrap();
        let found: Vec<String> = spec.validate().iter().map(|error| error.field.clone()).collect();
        assert_eq!(found, expected, "{patch}");
    }

    #[test]
    fn traffic_policies() {
        check(json!({}), &[]);
        check(json!({ "name": "Shop.DEMO.example." }), &[]);
        check(json!({ "name": "shop.other.example" }), &["spec.name"]);
        check(json!({ "name": "sh op" }), &["spec.name"]);
        check(json!({ "ttl": 90000 }), &["spec.ttl"]);
        check(json!({ "service": null }), &["spec"]);
        check(json!({ "steer": [] }), &["spec.steer"]);
        check(json!({ "steer": [{ "health": {} }] }), &["spec.steer[0]"]);
        check(
            json!({ "steer": [{ "weighted": {} }, { "all": {} }] }),
            &["spec.steer[0]"],
        );
        check(
            json!({ "steer": [{ "failover": { "order": [] } }] }),
            &["spec.steer[0].failover.order"],
        );
        check(
            json!({ "steer": [{ "failover": { "order": ["a", "b", "a"] } }] }),
            &["spec.steer[0].failover.order[2]"],
        );
        check(
            json!({ "steer": [{ "all": { "max": 0 } }] }),
            &["spec.steer[0].all.max"],
        );
        check(json!({ "weights": { "a": 0 } }), &[]);
    }

    #[test]
    fn message_names_field_value_and_what_is_allowed() {
        let error = FieldError::invalid("spec.ttl", 90_000, "must be 0 to 86400 seconds");
        assert_eq!(
            error.to_string(),
            r#"spec.ttl: "90000": must be 0 to 86400 seconds"#
        );
    }
}
