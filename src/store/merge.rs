//! JSON merge patches (RFC 7396) that turn one value into another.

use serde_json::{Map, Value};

/// The patch that turns `from` into `to`; `None` when they are equal. `null` counts as absent.
pub(crate) fn diff(from: &Value, to: &Value) -> Option<Value> {
    let (Value::Object(old), Value::Object(new)) = (from, to) else {
        return (from != to).then(|| to.clone());
    };
    let mut patch = Map::new();
    for (name, value) in new.iter().filter(|(_, value)| !value.is_null()) {
        match old.get(name).filter(|held| !held.is_null()) {
            Some(held) => {
                if let Some(inner) = diff(held, value) {
                    patch.insert(name.clone(), inner);
                }
            }
            None => {
                patch.insert(name.clone(), value.clone());
            }
        }
    }
    for name in old
        .iter()
        .filter(|(_, held)| !held.is_null())
        .map(|(name, _)| name)
    {
        if new.get(name).is_none_or(Value::is_null) {
            patch.insert(name.clone(), Value::Null);
        }
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// Like `diff`, for the fields `names` of two objects alone: all others stay as they are.
pub(crate) fn diff_fields(from: &Value, to: &Value, names: &[&str]) -> Map<String, Value> {
    let field = |name: &&str| {
        let held = from.get(*name).filter(|value| !value.is_null());
        let wanted = to.get(*name).filter(|value| !value.is_null());
        let change = match (held, wanted) {
            (Some(held), Some(wanted)) => diff(held, wanted)?,
            (None, Some(wanted)) => wanted.clone(),
            (Some(_), None) => Value::Null,
            (None, None) => return None,
        };
        Some(((*name).to_owned(), change))
    };
    names.iter().filter_map(field).collect()
}

/// The members of the map `to` that `from` has not, or not so; nothing is removed.
pub(crate) fn additions(from: Option<&Value>, to: Option<&Value>) -> Map<String, Value> {
    let wanted = to.and_then(Value::as_object).into_iter().flatten();
    let missing = wanted.filter(|(name, value)| from.and_then(|from| from.get(name.as_str())) != Some(value));
    missing
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// What the API server does with a patch.
#[cfg(test)]
pub(crate) fn apply(patch: Value, held: &mut Value) {
    json_patch::merge(held, &patch);
}

#[cfg(test)]
mod tests;
