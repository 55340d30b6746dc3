//! Checks of `TrafficPolicy` and `FailoverPolicy`.

use std::collections::BTreeMap;

use lifeboat_dns::Filter;

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
        all_down(self, &mut errors);
        steer_chain(&self.steer, &mut errors);
        errors
    }
}

fn all_down(spec: &TrafficPolicySpec, errors: &mut Vec<FieldError>) {
    if spec.on_all_down.is_some() && !spec.fallback.is_empty() {
        errors.push(FieldError {
            field: "spec.fallback".into(),
            kind: FieldErrorKind::Forbidden,
            value: String::new(),
            detail: "stands in place of spec.onAllDown: one of the two may be given".into(),
        });
    }
    if let Some(ttl) = spec
        .degraded_ttl
        .filter(|ttl| !(1..=spec.ttl_seconds()).contains(ttl))
    {
        let allowed = format!("must be 1 to {} seconds, the policy's ttl", spec.ttl_seconds());
        errors.push(FieldError::invalid("spec.degradedTtl", ttl, allowed));
    }
}

/// What DNS servers ask of a chain, told with the fields of the policy.
fn steer_chain(chain: &[SteerStep], errors: &mut Vec<FieldError>) {
    if chain.is_empty() {
        errors.push(FieldError::required(
            "spec.steer",
            "at least one step must be given",
        ));
    }
    for (index, step) in chain.iter().enumerate() {
        let field = format!("spec.steer[{index}]");
        match step {
            SteerStep::Failover { order, tiers, .. } => failover(&field, order, tiers, errors),
            SteerStep::Capacity { headroom, .. } if *headroom >= 1_000 => errors.push(FieldError::invalid(
                format!("{field}.capacity.headroom"),
                headroom,
                "must be 0 to 999 thousandths",
            )),
            SteerStep::All { max: Some(0) } => {
                errors.push(FieldError::invalid(
                    format!("{field}.all.max"),
                    0,
                    "must be at least 1",
                ));
            }
            SteerStep::Health {}
            | SteerStep::Geo(_)
            | SteerStep::Latency(_)
            | SteerStep::Capacity { .. }
            | SteerStep::Weighted(_)
            | SteerStep::Sticky(_)
            | SteerStep::All { .. }
            | SteerStep::Rotation {}
            | SteerStep::Max(_) => {}
        }
    }
    if !errors.is_empty() {
        return;
    }
    // How many are ready is not the policy's to say.
    let ready = BTreeMap::from([(String::new(), 1)]);
    if let Err(wrong) = Filter::check(&SteerStep::filters(chain, &ready)) {
        errors.push(FieldError {
            field: format!("spec.{}", wrong.field),
            kind: FieldErrorKind::Forbidden,
            value: String::new(),
            detail: wrong.reason,
        });
    }
}

fn failover(field: &str, order: &[String], tiers: &[Vec<String>], errors: &mut Vec<FieldError>) {
    let field = format!("{field}.failover");
    match (order, tiers) {
        ([], []) => errors.push(FieldError::required(
            format!("{field}.order"),
            "at least one cluster must be named, here or in tiers",
        )),
        ([_, ..], [_, ..]) => errors.push(FieldError {
            field: format!("{field}.tiers"),
            kind: FieldErrorKind::Forbidden,
            value: String::new(),
            detail: "stands in place of order: one of the two may be given".into(),
        }),
        ([], _) | (_, []) => {}
    }
    for (index, cluster) in order.iter().enumerate() {
        if order[..index].contains(cluster) {
            errors.push(FieldError {
                field: format!("{field}.order[{index}]"),
                kind: FieldErrorKind::Duplicate,
                value: cluster.clone(),
                detail: "a cluster may be named only once".into(),
            });
        }
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
        check(json!({ "steer": [{ "health": {} }] }), &[]);
        for (steer, field) in [
            (json!([{ "weighted": {} }, { "all": {} }]), "spec.steer[1].all"),
            (
                json!([{ "weighted": {} }, { "health": {} }]),
                "spec.steer[1].health",
            ),
            (
                json!([{ "geo": { "continents": { "a": ["Europe"] } } }]),
                "spec.steer[0].geo.continents.a[0]",
            ),
            (
                json!([{ "failover": { "tiers": [["a"], ["b", "a"]] } }]),
                "spec.steer[0].failover.tiers[1][1]",
            ),
            (
                json!([{ "failover": { "order": ["a"], "tiers": [["b"]] } }]),
                "spec.steer[0].failover.tiers",
            ),
            (
                json!([{ "capacity": { "headroom": 1000 } }]),
                "spec.steer[0].capacity.headroom",
            ),
            (
                json!([{ "capacity": { "demand": 0 } }]),
                "spec.steer[0].capacity.demand",
            ),
            (json!([{ "weighted": { "a": 0 } }]), "spec.steer[0].weighted"),
            (json!([{ "max": 0 }]), "spec.steer[0].max"),
            (
                json!([{ "sticky": { "v4Prefix": 33 } }]),
                "spec.steer[0].sticky.v4Prefix",
            ),
        ] {
            check(json!({ "steer": steer }), &[field]);
        }
        check(json!({ "degradedTtl": 31 }), &["spec.degradedTtl"]);
        check(
            json!({ "onAllDown": "servfail", "fallback": ["192.0.2.1"] }),
            &["spec.fallback"],
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
