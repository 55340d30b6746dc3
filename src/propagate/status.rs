//! Statuses on their way back: from works to the binding, and from the binding to the template.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::works::{holding_clusters, scheduled_clusters};
use crate::{
    interpret::{self, Health, Item},
    store::{
        conditions::{self, find},
        merge::diff,
    },
};

/// `status.aggregatedStatus` of the binding, sorted by cluster. A work that is being deleted does not count.
pub fn collected<C: AsRef<str>>(binding: &Value, works: &[(C, &Value)]) -> Vec<Value> {
    let alive = works.iter().filter(|(_, work)| {
        work.pointer("/metadata/deletionTimestamp")
            .is_none_or(Value::is_null)
    });
    let mut items: Vec<(&str, Value)> = alive
        .map(|(cluster, work)| {
            (
                cluster.as_ref(),
                item(cluster.as_ref(), &binding["spec"]["resource"], work),
            )
        })
        .collect();
    items.sort_by_key(|(cluster, _)| *cluster);
    items.into_iter().map(|(_, item)| item).collect()
}

fn item(cluster: &str, resource: &Value, work: &Value) -> Value {
    let mut item = json!({ "clusterName": cluster, "health": Health::Unknown.as_str() });
    let applied = find(work, "Applied");
    if applied.is_none_or(|applied| applied["status"] != "True") {
        if let Some(message) = applied
            .and_then(|applied| applied["message"].as_str())
            .filter(|text| !text.is_empty())
        {
            item["appliedMessage"] = json!(message);
        }
        return item;
    }
    item["applied"] = json!(true);
    if let Some(manifest) = manifest_status(work, resource) {
        for field in ["status", "health"] {
            if let Some(value) = manifest.get(field).filter(|value| !value.is_null()) {
                item[field] = value.clone();
            }
        }
    }
    item
}

/// What the member reports of the binding's own object among the manifests of the work.
fn manifest_status<'a>(work: &'a Value, resource: &Value) -> Option<&'a Value> {
    let text = |object: &'_ Value, field: &str| object[field].as_str().unwrap_or_default().to_owned();
    let api_version = text(resource, "apiVersion");
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    let same = |manifest: &&'a Value| {
        let identifier = &manifest["identifier"];
        text(identifier, "group") == group
            && text(identifier, "version") == version
            && ["kind", "namespace", "name"]
                .iter()
                .all(|field| text(identifier, field) == text(resource, field))
    };
    work.pointer("/status/manifestStatuses")?
        .as_array()?
        .iter()
        .find(same)
}

/// Every cluster that holds the object has applied it. False without any cluster.
fn fully_applied(clusters: &BTreeSet<String>, items: &[Value]) -> bool {
    let applied = |item: &Value| {
        item["applied"] == true
            && item["clusterName"]
                .as_str()
                .is_some_and(|cluster| clusters.contains(cluster))
    };
    !clusters.is_empty() && clusters.len() == items.len() && items.iter().all(applied)
}

/// The merge patch for the binding's status; `None` when it says this already. Only `aggregatedStatus` and
/// the condition `FullyApplied` change; the scheduler's fields and conditions stay.
pub fn binding_patch<C: AsRef<str>>(binding: &Value, works: &[(C, &Value)]) -> Option<Value> {
    let items = collected(binding, works);
    let condition = fully_applied_condition(binding, works, &items);
    let mut status = Map::new();
    let held = binding
        .pointer("/status/aggregatedStatus")
        .and_then(Value::as_array);
    if held.map_or(!items.is_empty(), |held| *held != items) {
        status.insert("aggregatedStatus".to_owned(), Value::Array(items));
    }
    if let Some(conditions) = conditions::with(binding, [condition]) {
        status.insert("conditions".to_owned(), Value::Array(conditions));
    }
    (!status.is_empty()).then(|| json!({ "status": status }))
}

fn fully_applied_condition<C>(binding: &Value, works: &[(C, &Value)], items: &[Value]) -> Value {
    let wanted = if fully_applied(&holding_clusters(binding), items) {
        (
            "True",
            "FullyAppliedSuccess",
            "All works have been successfully applied",
        )
    } else {
        (
            "False",
            "FullyAppliedFailed",
            "Failed to apply all works, see status.aggregatedStatus for details",
        )
    };
    let now = last_change(binding, works).unwrap_or("1970-01-01T00:00:00Z");
    conditions::condition(binding, "FullyApplied", wanted, now)
}

/// When the last work changed its mind: there is no clock here, and this is when ours changed, too.
fn last_change<'a, C>(binding: &'a Value, works: &[(C, &'a Value)]) -> Option<&'a str> {
    let times = works
        .iter()
        .filter_map(|(_, work)| find(work, "Applied")?["lastTransitionTime"].as_str());
    let made = binding
        .pointer("/metadata/creationTimestamp")
        .and_then(Value::as_str);
    times
        .chain(made)
        .filter_map(|text| Some((text.parse::<jiff::Timestamp>().ok()?, text)))
        .max()
        .map(|(_, text)| text)
}

/// What the members report, as the binding holds it.
pub fn items(binding: &Value) -> Vec<Item> {
    let held = binding
        .pointer("/status/aggregatedStatus")
        .and_then(Value::as_array);
    let item = |item: &Value| {
        Some(Item {
            cluster: item["clusterName"].as_str()?.to_owned(),
            status: item.get("status").filter(|status| !status.is_null()).cloned(),
            health: Health::parse(item["health"].as_str().unwrap_or_default()),
        })
    };
    held.into_iter().flatten().filter_map(item).collect()
}

/// The merge patch for the template's status; `None` when it says this already, or when its kind has nothing
/// to aggregate. A cluster that is being left does not count: what it last said may be of long ago, and a rollout
/// would wait for it in vain.
pub fn template_patch(template: &Value, binding: &Value) -> Option<Value> {
    let staying = scheduled_clusters(binding);
    let mut items = items(binding);
    items.retain(|item| staying.contains(&item.cluster));
    let wanted = interpret::aggregate(template, &items)?;
    let none = json!({});
    let held = template
        .get("status")
        .filter(|status| status.is_object())
        .unwrap_or(&none);
    diff(held, &wanted).map(|patch| json!({ "status": patch }))
}

#[cfg(test)]
mod tests;
