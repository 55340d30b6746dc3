//! Server-side apply: merge the configuration, refuse or take over what others own, remove what the manager
//! no longer applies.

use serde_json::{Map, Value, json};

use super::entries::{Entry, bound, read, write};
use super::{conflict, strip};
use crate::apiserver::clock;
use crate::apiserver::error::ApiError;
use crate::apiserver::fieldset::{FieldSet, compare, element, granular_list, granular_map};
use crate::apiserver::kinds::Kind;
use crate::apiserver::schema::{Schema, any};
use crate::apiserver::store::Subresource;

/// The object after `manager` has applied `config` to `live` (`None`: it is new).
pub(crate) fn apply(
    live: Option<&Value>,
    config: &Value,
    kind: &Kind,
    manager: &str,
    subresource: Subresource,
    force: bool,
) -> Result<Value, ApiError> {
    let schema = kind.schema.get();
    let nothing = json!({});
    let before = live.unwrap_or(&nothing);
    let api_version = kind.api_version();
    let mut applied = FieldSet::of(config, schema);
    strip(&mut applied);
    let mut entries = read(before);
    let own = |entry: &Entry| entry.is(manager, "Apply", &api_version, subresource.name());

    let mut object = merge(before, config, schema);
    let (mut changed, _) = compare(before, &object, schema);
    strip(&mut changed);
    let conflicts: Vec<(String, FieldSet)> = entries
        .iter()
        .filter(|entry| !own(entry))
        .map(|entry| (entry.owner(), entry.set.intersection(&changed)))
        .filter(|(_, set)| !set.is_empty())
        .collect();
    if !conflicts.is_empty() && !force {
        return Err(conflict(&conflicts));
    }
    for entry in entries.iter_mut().filter(|entry| !own(entry)) {
        entry.set.subtract(&changed);
    }

    let at = entries.iter().position(own);
    let last = at.map(|at| entries[at].set.clone()).unwrap_or_default();
    let mut others = FieldSet::default();
    for entry in entries.iter().filter(|entry| !own(entry)) {
        others.union(&entry.set);
    }
    let mut gone = last.clone();
    gone.subtract(&applied);
    prune(&mut object, &gone, Some(&others), Some(&applied), schema);

    match at {
        Some(at) if last == applied => entries[at].set = applied,
        Some(at) => {
            entries[at].set = applied;
            entries[at].time = clock::now_rfc3339();
        }
        None => {
            let mut entry = Entry::new(manager, "Apply", &api_version, subresource.name());
            entry.set = applied;
            entries.push(entry);
        }
    }
    entries.retain(|entry| !entry.set.is_empty());
    bound(&mut entries);
    write(&mut object, &entries);
    Ok(object)
}

/// `config` over `live`: maps by key, associative lists by item, everything else replaced.
fn merge(live: &Value, config: &Value, schema: &Schema) -> Value {
    match (live, config) {
        (Value::Object(old), Value::Object(new)) if granular_map(schema) => {
            let mut merged = old.clone();
            for (key, value) in new {
                let field = schema.field(key).unwrap_or_else(|| any());
                let value = match old.get(key) {
                    Some(before) => merge(before, value, field),
                    None => value.clone(),
                };
                merged.insert(key.clone(), value);
            }
            Value::Object(merged)
        }
        (Value::Array(old), Value::Array(new)) if granular_list(schema) => {
            Value::Array(merge_list(old, new, schema))
        }
        _ => config.clone(),
    }
}

/// Items of both lists: applied ones in their order, live ones that are not applied where they stood.
fn merge_list(old: &[Value], new: &[Value], schema: &Schema) -> Vec<Value> {
    let old: Vec<(Box<str>, &Value)> = old.iter().map(|item| (element(item, schema), item)).collect();
    let new: Vec<(Box<str>, &Value)> = new.iter().map(|item| (element(item, schema), item)).collect();
    let applied = |name: &str| new.iter().any(|(other, _)| **other == *name);
    let mut merged = Vec::with_capacity(old.len().max(new.len()));
    let (mut left, mut right) = (0, 0);
    while left < old.len() || right < new.len() {
        if let Some((name, item)) = old.get(left)
            && !applied(name)
        {
            merged.push((*item).clone());
            left += 1;
            continue;
        }
        if let Some((name, item)) = new.get(right) {
            let before = old.iter().find(|(other, _)| other == name);
            right += 1;
            match before {
                Some((_, before)) => {
                    merged.push(merge(before, item, schema.item()));
                    // The live item at this place has been, or will be, put where the configuration wants it.
                    left = (left + 1).min(old.len());
                }
                None => merged.push((*item).clone()),
            }
            continue;
        }
        left += 1;
    }
    merged
}

/// Removes what the manager used to apply and nobody else holds.
fn prune(
    value: &mut Value,
    gone: &FieldSet,
    others: Option<&FieldSet>,
    kept: Option<&FieldSet>,
    schema: &Schema,
) {
    let free = |name: &str| {
        let held = |set: Option<&FieldSet>| {
            set.and_then(|set| set.child(name))
                .is_some_and(|set| !set.is_empty())
        };
        !held(others) && !held(kept)
    };
    match value {
        Value::Object(map) => prune_map(map, gone, others, kept, schema, &free),
        Value::Array(items) => {
            items.retain_mut(|item| {
                let name = element(item, schema);
                let Some(inner) = gone.child(&name) else {
                    return true;
                };
                let unheld = free(&name);
                if unheld && inner.member {
                    return false;
                }
                let (others, kept) = (
                    others.and_then(|set| set.child(&name)),
                    kept.and_then(|set| set.child(&name)),
                );
                prune(item, inner, others, kept, schema.item());
                true
            });
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn prune_map(
    map: &mut Map<String, Value>,
    gone: &FieldSet,
    others: Option<&FieldSet>,
    kept: Option<&FieldSet>,
    schema: &Schema,
    free: &dyn Fn(&str) -> bool,
) {
    for (name, inner) in &gone.children {
        let Some(key) = name.strip_prefix("f:") else {
            continue;
        };
        let Some(entry) = map.get_mut(key) else { continue };
        let unheld = free(name);
        if unheld && inner.member {
            map.remove(key);
            continue;
        }
        let field = schema.field(key).unwrap_or_else(|| any());
        let (others, kept) = (
            others.and_then(|set| set.child(name)),
            kept.and_then(|set| set.child(name)),
        );
        prune(entry, inner, others, kept, field);
        let hollow = match entry {
            Value::Object(map) => map.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        };
        if hollow && unheld {
            map.remove(key);
        }
    }
}
