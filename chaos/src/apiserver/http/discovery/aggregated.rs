//! Aggregated discovery (`apidiscovery.k8s.io/v2`): everything in one answer.

use serde_json::{Value, json};

use super::{Groups, REVIEWS, VERBS, subresources};
use crate::apiserver::kinds::Kind;

pub(super) fn wanted(accept: &str) -> bool {
    accept.split(',').any(|offer| {
        let has = |word: &str| offer.split(';').any(|part| part.trim() == word);
        has("as=APIGroupDiscoveryList") && has("v=v2") && offer.trim_start().starts_with("application/json")
    })
}

/// The core group alone (`/api`) or all others (`/apis`).
pub(super) fn document(groups: &Groups, core: bool) -> Value {
    let items: Vec<Value> = groups
        .iter()
        .filter(|(group, _)| group.is_empty() == core)
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions
                .iter()
                .map(|(version, kinds)| {
                    let mut resources: Vec<Value> = kinds.iter().map(|kind| resource(kind)).collect();
                    resources.extend(reviews(group));
                    json!({"version": version, "freshness": "Current", "resources": resources})
                })
                .collect();
            json!({"metadata": {"name": group}, "versions": versions})
        })
        .collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

fn scope(namespaced: bool) -> &'static str {
    if namespaced { "Namespaced" } else { "Cluster" }
}

fn resource(kind: &Kind) -> Value {
    let subresources: Vec<Value> = subresources(kind)
        .into_iter()
        .map(|(name, of, verbs)| {
            let (group, version) = match name {
                "scale" => ("autoscaling", "v1"),
                "eviction" => ("policy", "v1"),
                _ => (kind.group.as_str(), kind.version.as_str()),
            };
            json!({"subresource": name, "verbs": verbs,
                "responseKind": {"group": group, "version": version, "kind": of}})
        })
        .collect();
    let mut found = json!({
        "resource": kind.resource, "singularResource": kind.singular, "scope": scope(kind.namespaced),
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind}, "verbs": VERBS,
    });
    for (key, list) in [
        ("shortNames", &kind.short_names),
        ("categories", &kind.categories),
    ] {
        if !list.is_empty() {
            found[key] = json!(list);
        }
    }
    if !subresources.is_empty() {
        found["subresources"] = Value::Array(subresources);
    }
    found
}

fn reviews(group: &str) -> impl Iterator<Item = Value> {
    REVIEWS.iter().filter(move |row| row.0 == group).map(|(group, resource, kind, namespaced)| {
        json!({"resource": resource, "singularResource": kind.to_ascii_lowercase(), "scope": scope(*namespaced),
            "responseKind": {"group": group, "version": "v1", "kind": kind}, "verbs": ["create"]})
    })
}
