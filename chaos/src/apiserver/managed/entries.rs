//! `metadata.managedFields` as structures.

use serde_json::{Value, json};

use crate::apiserver::clock;
use crate::apiserver::fieldset::FieldSet;
use crate::apiserver::meta;

/// What one manager owns by one way of writing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub manager: String,
    pub operation: String,
    pub api_version: String,
    pub subresource: String,
    pub time: String,
    pub set: FieldSet,
}

impl Entry {
    pub(super) fn new(manager: &str, operation: &str, api_version: &str, subresource: &str) -> Entry {
        Entry {
            manager: manager.to_owned(),
            operation: operation.to_owned(),
            api_version: api_version.to_owned(),
            subresource: subresource.to_owned(),
            time: clock::now_rfc3339(),
            set: FieldSet::default(),
        }
    }

    pub(super) fn is(&self, manager: &str, operation: &str, api_version: &str, subresource: &str) -> bool {
        self.manager == manager
            && self.operation == operation
            && self.api_version == api_version
            && self.subresource == subresource
    }

    /// As conflicts name it.
    pub(super) fn owner(&self) -> String {
        let mut text = format!("\"{}\"", self.manager);
        if !self.subresource.is_empty() {
            text.push_str(&format!(" with subresource \"{}\"", self.subresource));
        }
        format!("{text} using {}", self.api_version)
    }
}

pub(super) fn read(object: &Value) -> Vec<Entry> {
    let list = object
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array);
    let entries = list
        .into_iter()
        .flatten()
        .filter(|raw| raw.get("fieldsV1").is_some());
    entries
        .map(|raw| {
            let text = |key: &str| {
                raw.get(key)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            Entry {
                manager: text("manager"),
                operation: text("operation"),
                api_version: text("apiVersion"),
                subresource: text("subresource"),
                time: text("time"),
                set: FieldSet::from_json(&raw["fieldsV1"]),
            }
        })
        .collect()
}

pub(super) fn write(object: &mut Value, entries: &[Entry]) {
    if entries.is_empty() {
        meta::remove(object, "managedFields");
        return;
    }
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by(|a, b| (&a.operation, &a.time, &a.manager).cmp(&(&b.operation, &b.time, &b.manager)));
    let list = sorted.into_iter().map(|entry| {
        let mut raw = json!({
            "manager": entry.manager, "operation": entry.operation, "apiVersion": entry.api_version,
            "time": entry.time, "fieldsType": "FieldsV1", "fieldsV1": entry.set.to_json(),
        });
        if !entry.subresource.is_empty() {
            raw["subresource"] = entry.subresource.as_str().into();
        }
        raw
    });
    let list = Value::Array(list.collect());
    meta::set(object, "managedFields", list);
}

/// The oldest update entries beyond this many are joined, so that the record stays bounded.
const MAX_UPDATE_ENTRIES: usize = 10;

pub(super) fn bound(entries: &mut Vec<Entry>) {
    loop {
        let mut updates: Vec<usize> = (0..entries.len())
            .filter(|&at| entries[at].operation == "Update")
            .collect();
        if updates.len() <= MAX_UPDATE_ENTRIES {
            return;
        }
        updates.sort_by(|&a, &b| entries[a].time.cmp(&entries[b].time));
        let (first, second) = (updates[0], updates[1]);
        let joined = entries[second].set.clone();
        entries[first].set.union(&joined);
        entries[first].manager = "ancient-changes".to_owned();
        entries[first].subresource.clear();
        entries.remove(second);
    }
}
