//! Statuses that are mostly numbers: picking fields out of one, and adding up those of several members.

use serde_json::{Map, Value, json};

use super::Item;

/// A number of a status.
#[derive(Clone, Copy)]
pub(super) struct Count {
    pub(super) name: &'static str,
    /// Written even when it is 0; the API calls such a field required.
    pub(super) always: bool,
}

pub(super) const fn required(name: &'static str) -> Count {
    Count { name, always: true }
}

pub(super) const fn optional(name: &'static str) -> Count {
    Count { name, always: false }
}

/// Reads a number; 0 when it is absent or no number.
pub(super) fn number(status: &Value, name: &str) -> i64 {
    status.get(name).and_then(Value::as_i64).unwrap_or(0)
}

/// Writes the numbers that `value` gives, leaving out optional ones that are 0.
pub(super) fn write(into: &mut Map<String, Value>, counts: &[Count], value: impl Fn(&str) -> i64) {
    for Count { name, always } in counts {
        let value = value(name);
        if value != 0 || *always {
            into.insert((*name).to_owned(), json!(value));
        } else {
            into.remove(*name);
        }
    }
}

/// The sum of a number over all members that report a status.
pub(super) fn sum(items: &[Item], name: &str) -> i64 {
    statuses(items).fold(0, |sum, status| sum.saturating_add(number(status, name)))
}

/// The statuses that members report.
pub(super) fn statuses(items: &[Item]) -> impl Iterator<Item = &Value> {
    items.iter().filter_map(|item| item.status.as_ref())
}

/// The present status of a template, empty when it has none.
pub(super) fn current(template: &Value) -> Map<String, Value> {
    template
        .get("status")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}
