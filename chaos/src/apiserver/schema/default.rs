//! Structural defaults of custom resources: a declared default fills a missing field at every level.

use serde_json::Value;

use super::{Schema, SchemaRef};

/// Fills in what is missing. A null where null is not allowed counts as missing.
pub(crate) fn apply(value: &mut Value, schema: &Schema) {
    match value {
        Value::Object(map) => {
            for (name, property) in &schema.properties {
                let property = property.get();
                let Some(default) = &property.default else {
                    continue;
                };
                let missing = match map.get(&**name) {
                    None => true,
                    Some(found) => found.is_null() && !property.nullable,
                };
                if missing {
                    map.insert(name.to_string(), default.clone());
                }
            }
            for (key, entry) in map.iter_mut() {
                if let Some(found) = schema.field(key) {
                    apply(entry, found);
                }
            }
            map.retain(|key, entry| {
                let strict = schema.properties.get(key.as_str()).map(SchemaRef::get);
                !(entry.is_null() && strict.is_some_and(|found| !found.nullable && !found.is_open()))
            });
        }
        Value::Array(items) => {
            for item in items {
                apply(item, schema.item());
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_fill_every_level_and_never_overwrite() {
        let schema = super::super::parse(&json!({"type": "object", "properties": {
            "spec": {"type": "object", "default": {}, "properties": {
                "size": {"type": "integer", "default": 3},
                "parts": {"type": "array", "items": {"type": "object", "properties": {
                    "mode": {"type": "string", "default": "rw"}}}}}}}}));
        let mut value = json!({});
        apply(&mut value, &schema);
        assert_eq!(value, json!({"spec": {"size": 3}}));
        let mut value = json!({"spec": {"size": 1, "parts": [{}, {"mode": "ro"}]}});
        apply(&mut value, &schema);
        assert_eq!(
            value,
            json!({"spec": {"size": 1, "parts": [{"mode": "rw"}, {"mode": "ro"}]}})
        );
    }
}
