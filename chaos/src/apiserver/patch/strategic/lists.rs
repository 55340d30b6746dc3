//! Lists in a strategic merge patch.

use serde_json::{Map, Value};

use super::{DIRECTIVE, merge_map};
use crate::apiserver::schema::Schema;

/// Merges patch items into a list: by key where the field declares one, else as a set.
pub(super) fn merge(
    mut old: Vec<Value>,
    patch: &[Value],
    field: &Schema,
    name: &str,
) -> Result<Vec<Value>, String> {
    let Some(key) = field.patch.key.as_deref() else {
        for item in patch {
            if !old.contains(item) {
                old.push(item.clone());
            }
        }
        return Ok(old);
    };
    let directive = |item: &Value| item.get(DIRECTIVE).and_then(Value::as_str).map(str::to_owned);
    if patch
        .iter()
        .any(|item| directive(item).as_deref() == Some("replace"))
    {
        let kept = patch.iter().filter(|item| directive(item).is_none());
        return kept.map(|item| build(item, field.item(), key, name)).collect();
    }
    for item in patch {
        let wanted = key_of(item, key, name)?;
        let at = old.iter().position(|existing| existing.get(key) == Some(wanted));
        match (directive(item).as_deref(), at) {
            (Some("delete"), _) => old.retain(|existing| existing.get(key) != Some(wanted)),
            (Some("merge") | None, Some(at)) => {
                if let (Some(target), Some(patch)) = (old[at].as_object_mut(), item.as_object()) {
                    merge_map(target, patch, field.item())?;
                }
            }
            (Some("merge") | None, None) => old.push(build(item, field.item(), key, name)?),
            (Some(other), _) => return Err(format!("unknown patch type found: {other:?} in {name}")),
        }
    }
    Ok(old)
}

fn key_of<'a>(item: &'a Value, key: &str, name: &str) -> Result<&'a Value, String> {
    item.get(key)
        .ok_or_else(|| format!("{name}: {item} does not contain declared merge key: {key}"))
}

/// A new item, with its own directives carried out.
fn build(item: &Value, schema: &Schema, key: &str, name: &str) -> Result<Value, String> {
    key_of(item, key, name)?;
    let mut fresh = Map::new();
    if let Some(patch) = item.as_object() {
        merge_map(&mut fresh, patch, schema)?;
    }
    Ok(Value::Object(fresh))
}

pub(super) fn delete_primitives(
    target: &mut Map<String, Value>,
    field: &str,
    gone: &Value,
) -> Result<(), String> {
    let gone = gone
        .as_array()
        .ok_or_else(|| format!("$deleteFromPrimitiveList/{field} must be a list"))?;
    if let Some(Value::Array(items)) = target.get_mut(field) {
        items.retain(|item| !gone.contains(item));
    }
    Ok(())
}

/// Brings the items the order names into that order; others keep their places between them.
pub(super) fn reorder(items: &mut [Value], order: &Value, merge_key: Option<&str>) -> Result<(), String> {
    let order = order.as_array().ok_or("$setElementOrder must be a list")?;
    let rank = |item: &Value| {
        order.iter().position(|wanted| match merge_key {
            Some(key) => wanted.get(key).is_some() && wanted.get(key) == item.get(key),
            None => wanted == item,
        })
    };
    let mut ranked: Vec<(usize, Value)> = Vec::new();
    let mut slots = Vec::new();
    for (at, item) in items.iter().enumerate() {
        if let Some(rank) = rank(item) {
            ranked.push((rank, item.clone()));
            slots.push(at);
        }
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    for (at, (_, item)) in slots.into_iter().zip(ranked) {
        items[at] = item;
    }
    Ok(())
}
