//! Whether, and how closely, a resource selector selects an object.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    api::policy::ResourceSelector,
    schedule::selector_matches,
    store::{name, namespace},
};

/// How closely an object is selected; the greater wins. Karmada's implicit priority is 1, 2 and 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Closeness {
    /// By its kind alone.
    Kind = 1,
    /// By its labels.
    Labels = 2,
    /// By its name.
    Name = 3,
}

/// How closely `selector` selects `object`; `None` when it does not. A name makes labels irrelevant.
pub fn closeness(object: &Value, selector: &ResourceSelector) -> Option<Closeness> {
    let ResourceSelector {
        api_version,
        kind,
        label_selector,
        name: wanted,
        namespace: inside,
    } = selector;
    if object["apiVersion"] != **api_version
        || object["kind"] != **kind
        || (!inside.is_empty() && inside != namespace(object))
    {
        return None;
    }
    if !wanted.is_empty() {
        return (wanted == name(object)).then_some(Closeness::Name);
    }
    match label_selector {
        Some(selector) => selector_matches(selector, &labels(object)).then_some(Closeness::Labels),
        None => Some(Closeness::Kind),
    }
}

fn labels(object: &Value) -> BTreeMap<String, String> {
    let labels = object
        .pointer("/metadata/labels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    labels
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}
