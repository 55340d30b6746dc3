//! Strategic merge patch: a merge patch that knows which lists merge by which key.
//! Directives: `$patch` (replace, delete, merge), `$retainKeys`, `$setElementOrder/FIELD`,
//! `$deleteFromPrimitiveList/FIELD`.

use serde_json::{Map, Value};

use crate::apiserver::schema::Schema;

mod lists;

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const ELEMENT_ORDER: &str = "$setElementOrder/";
const DELETE_PRIMITIVES: &str = "$deleteFromPrimitiveList/";

/// Applies a patch to an object of a type.
pub(crate) fn apply(target: &mut Value, patch: &Value, schema: &Schema) -> Result<(), String> {
    let Value::Object(patch) = patch else {
        return Err("a strategic merge patch must be a JSON object".to_owned());
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(map) = target.as_object_mut() else {
        return Ok(());
    };
    merge_map(map, patch, schema)
}

fn merge_map(
    target: &mut Map<String, Value>,
    patch: &Map<String, Value>,
    schema: &Schema,
) -> Result<(), String> {
    match patch
        .get(DIRECTIVE)
        .map(|directive| (directive, directive.as_str()))
    {
        Some((_, Some("replace"))) => {
            *target = without_directives(patch);
            return Ok(());
        }
        Some((_, Some("delete"))) => {
            target.clear();
            return Ok(());
        }
        Some((_, Some("merge"))) | None => {}
        Some((other, _)) => {
            return Err(format!(
                "unknown patch type found: {other}: use replace, delete or merge"
            ));
        }
    }
    if let Some(keep) = patch.get(RETAIN_KEYS) {
        let keep = keep
            .as_array()
            .ok_or("$retainKeys must be a list of field names")?;
        target.retain(|key, _| keep.iter().any(|kept| kept.as_str() == Some(key)));
    }
    for (key, value) in patch {
        if let Some(field) = key.strip_prefix(DELETE_PRIMITIVES) {
            lists::delete_primitives(target, field, value)?;
        }
    }
    for (key, value) in patch {
        if key.starts_with('$') {
            continue;
        }
        if value.is_null() {
            target.remove(key);
            continue;
        }
        let field = schema
            .field(key)
            .unwrap_or_else(|| crate::apiserver::schema::any());
        match value {
            Value::Object(inner) => {
                let slot = target
                    .entry(key.clone())
                    .or_insert_with(|| Value::Object(Map::new()));
                if !slot.is_object() {
                    *slot = Value::Object(Map::new());
                }
                if let Some(slot) = slot.as_object_mut() {
                    merge_map(slot, inner, field)?;
                }
                if inner.get(DIRECTIVE).and_then(Value::as_str) == Some("delete") {
                    target.remove(key);
                }
            }
            Value::Array(items) if field.patch.merge => {
                let old = match target.get_mut(key) {
                    Some(Value::Array(old)) => std::mem::take(old),
                    Some(_) | None => Vec::new(),
                };
                target.insert(key.clone(), Value::Array(lists::merge(old, items, field, key)?));
            }
            Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Null => {
                target.insert(key.clone(), value.clone());
            }
        }
    }
    for (key, order) in patch {
        if let Some(field) = key.strip_prefix(ELEMENT_ORDER)
            && let Some(Value::Array(items)) = target.get_mut(field)
        {
            let merge_key = schema.field(field).and_then(|found| found.patch.key.as_deref());
            lists::reorder(items, order, merge_key)?;
        }
    }
    Ok(())
}

fn without_directives(map: &Map<String, Value>) -> Map<String, Value> {
    map.iter()
        .filter(|(key, _)| !key.starts_with('$'))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(target: Value, patch: Value, expected: Result<Value, &str>) {
        let schema = crate::apiserver::schema::builtin::get("io.k8s.api.core.v1.PodSpec");
        let mut target = target;
        let outcome = apply(&mut target, &patch, schema).map(|()| target);
        match (outcome, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(found), Err(part)) => assert!(found.contains(part), "{found}"),
            (found, expected) => assert_eq!(format!("{found:?}"), format!("{expected:?}")),
        }
    }

    #[test]
    fn lists_merge_by_key() {
        let two = json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]});
        check(
            two.clone(),
            json!({"containers": [{"name": "b", "image": "3"}, {"name": "c", "image": "4"}]}),
            Ok(
                json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "3"}, {"name": "c", "image": "4"}]}),
            ),
        );
        check(
            two.clone(),
            json!({"containers": [{"name": "a", "$patch": "delete"}]}),
            Ok(json!({"containers": [{"name": "b", "image": "2"}]})),
        );
        check(
            two.clone(),
            json!({"containers": [{"$patch": "replace"}, {"name": "z"}]}),
            Ok(json!({"containers": [{"name": "z"}]})),
        );
        check(
            two.clone(),
            json!({"containers": [{"image": "x"}]}),
            Err("merge key: name"),
        );
        check(
            two,
            json!({"$setElementOrder/containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}],
                "containers": [{"name": "c"}]}),
            Ok(
                json!({"containers": [{"name": "c"}, {"name": "b", "image": "2"}, {"name": "a", "image": "1"}]}),
            ),
        );
    }

    #[test]
    fn maps_follow_directives() {
        let volume = json!({"volumes": [{"name": "v", "emptyDir": {}}]});
        check(
            volume,
            json!({"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/"}}]}),
            Ok(json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]})),
        );
        let selector = json!({"nodeSelector": {"a": "1", "b": "2"}, "hostname": "x"});
        check(
            selector.clone(),
            json!({"nodeSelector": {"a": null}}),
            Ok(json!({"nodeSelector": {"b": "2"}, "hostname": "x"})),
        );
        check(
            selector.clone(),
            json!({"nodeSelector": {"$patch": "replace", "c": "3"}}),
            Ok(json!({"nodeSelector": {"c": "3"}, "hostname": "x"})),
        );
        check(
            selector.clone(),
            json!({"nodeSelector": {"$patch": "delete"}}),
            Ok(json!({"hostname": "x"})),
        );
        check(
            selector,
            json!({"nodeSelector": {"$patch": "bogus"}}),
            Err("unknown patch type"),
        );
    }
}
