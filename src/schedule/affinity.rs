//! Whether a cluster or an object matches a selector, as in `pkg/util/selector.go`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::NodeSelectorRequirement;

use super::view::ClusterView;
use crate::api::LabelSelector;
use crate::api::policy::ClusterAffinity;

/// Whether a cluster is selected. `exclude` wins, all other conditions must hold, a broken one never does.
pub fn cluster_matches(cluster: &ClusterView, affinity: &ClusterAffinity) -> bool {
    !affinity.exclude.contains(&cluster.name)
        && affinity
            .label_selector
            .as_ref()
            .is_none_or(|selector| selector_matches(selector, &cluster.labels))
        && affinity.field_selector.as_ref().is_none_or(|selector| {
            selector
                .match_expressions
                .iter()
                .all(|requirement| field_matches(requirement, cluster))
        })
        && (affinity.cluster_names.is_empty() || affinity.cluster_names.contains(&cluster.name))
}

/// Whether labels satisfy a label selector; a selector that Kubernetes would refuse matches nothing.
pub fn selector_matches(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    let exact = selector.match_labels.iter().flatten();
    let expressions = selector.match_expressions.iter().flatten();
    let valid = exact
        .clone()
        .all(|(key, value)| valid_key(key) && valid_value(value));
    valid
        && exact.clone().all(|(key, value)| labels.get(key) == Some(value))
        && expressions.clone().all(|expression| {
            let values = expression.values.as_deref().unwrap_or_default();
            valid_key(&expression.key)
                && values.iter().all(|value| valid_value(value))
                && operator_matches(&expression.operator, values, labels.get(&expression.key))
                    .unwrap_or_default()
        })
}

/// `None` when the operator is unknown or the values do not go with it.
fn operator_matches(operator: &str, values: &[String], found: Option<&String>) -> Option<bool> {
    match (operator, values.is_empty()) {
        ("In", false) => Some(found.is_some_and(|value| values.contains(value))),
        ("NotIn", false) => Some(found.is_none_or(|value| !values.contains(value))),
        ("Exists", true) => Some(found.is_some()),
        ("DoesNotExist", true) => Some(found.is_none()),
        _ => None,
    }
}

fn field_matches(requirement: &NodeSelectorRequirement, cluster: &ClusterView) -> bool {
    let values = requirement.values.as_deref().unwrap_or_default();
    let present = |text: &String| (!text.is_empty()).then(|| text.clone());
    match requirement.key.as_str() {
        "provider" => single(requirement, values, present(&cluster.provider)),
        "region" => single(requirement, values, present(&cluster.region)),
        "zone" => zones_match(&requirement.operator, values, &cluster.zones),
        _ => single(requirement, values, None),
    }
}

fn single(requirement: &NodeSelectorRequirement, values: &[String], found: Option<String>) -> bool {
    values.iter().all(|value| valid_value(value))
        && operator_matches(&requirement.operator, values, found.as_ref()).unwrap_or_default()
}

/// A cluster has many zones: In means any of them, NotIn none of them.
fn zones_match(operator: &str, values: &[String], zones: &[String]) -> bool {
    match operator {
        "In" => zones.iter().any(|zone| values.contains(zone)),
        "NotIn" => !zones.iter().any(|zone| values.contains(zone)),
        "Exists" => !zones.is_empty(),
        "DoesNotExist" => zones.is_empty(),
        _ => false,
    }
}

/// A qualified name: an optional DNS subdomain and a slash, then up to 63 characters.
pub(crate) fn valid_key(key: &str) -> bool {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    !name.is_empty() && valid_value(name) && prefix.is_none_or(valid_subdomain)
}

/// A label value: empty, or up to 63 characters that begin and end with a letter or a digit.
pub(crate) fn valid_value(value: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = value.as_bytes();
    bytes.is_empty()
        || (bytes.len() <= 63
            && edge(bytes.first())
            && edge(bytes.last())
            && bytes
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte)))
}

/// RFC 1123: labels of lower-case letters, digits and inner hyphens, 253 characters in all.
pub(crate) fn valid_subdomain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    text.len() <= 253 && text.split('.').all(label)
}
