//! Operators of label selectors, by Kubernetes' rules (`ValidateLabelSelectorRequirement` in
//! `apimachinery/pkg/apis/meta/v1/validation`). Karmada's schemas and checks leave them out: a selector that is
//! broken so is accepted there and selects nothing. Keys and values are left to Karmada's answer, which is to accept.

use super::{FieldError, FieldErrorKind};
use crate::api::LabelSelector;

/// Checks the selector at `field`, the path of the selector itself.
pub(super) fn label_selector(field: &str, selector: &LabelSelector, errors: &mut Vec<FieldError>) {
    for (index, requirement) in selector.match_expressions.iter().flatten().enumerate() {
        let field = format!("{field}.matchExpressions[{index}]");
        let values = requirement.values.as_deref().unwrap_or_default();
        match requirement.operator.as_str() {
            "In" | "NotIn" if values.is_empty() => errors.push(FieldError::required(
                format!("{field}.values"),
                "at least one value must be given when operator is In or NotIn",
            )),
            "Exists" | "DoesNotExist" if !values.is_empty() => errors.push(FieldError {
                field: format!("{field}.values"),
                kind: FieldErrorKind::Forbidden,
                value: values.join(", "),
                detail: "no values may be given when operator is Exists or DoesNotExist".into(),
            }),
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            operator => errors.push(FieldError::invalid(
                format!("{field}.operator"),
                operator,
                "must be In, NotIn, Exists or DoesNotExist",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[track_caller]
    fn check(selector: Value, expected: &[&str]) {
        let selector: LabelSelector = serde_json::from_value(selector).unwrap();
        let mut errors = Vec::new();
        label_selector("spec.s", &selector, &mut errors);
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    fn expression(operator: &str, values: &[&str]) -> Value {
        json!({ "matchExpressions": [{ "key": "tier", "operator": operator, "values": values }] })
    }

    #[test]
    fn operators_and_the_values_that_go_with_them() {
        check(json!({}), &[]);
        check(expression("In", &["gold", ""]), &[]);
        check(expression("NotIn", &["gold"]), &[]);
        check(expression("Exists", &[]), &[]);
        check(
            json!({ "matchExpressions": [{ "key": "example.com/tier", "operator": "DoesNotExist" }] }),
            &[],
        );
        for operator in ["Foo", "in", "Gt"] {
            let expected = format!(
                "spec.s.matchExpressions[0].operator: {operator:?}: must be In, NotIn, Exists or DoesNotExist"
            );
            check(expression(operator, &["gold"]), &[&expected]);
        }
        check(
            expression("", &[]),
            &["spec.s.matchExpressions[0].operator: must be In, NotIn, Exists or DoesNotExist"],
        );
        for operator in ["In", "NotIn"] {
            check(
                expression(operator, &[]),
                &[
                    "spec.s.matchExpressions[0].values: at least one value must be given when operator is In or NotIn",
                ],
            );
        }
        for operator in ["Exists", "DoesNotExist"] {
            check(
                expression(operator, &["gold", "silver"]),
                &[
                    "spec.s.matchExpressions[0].values: \"gold, silver\": no values may be given when operator is Exists or DoesNotExist",
                ],
            );
        }
    }
}
