//! Validation of custom resources against their structural schema, in the words of the real API server.

use serde_json::Value;

use super::{Limits, Merge, Schema, Type, cel};
use crate::apiserver::error::Cause;

mod limits;

/// All complaints about `value`; `old` is the object it replaces, for transition rules.
pub(crate) fn validate(value: &Value, old: Option<&Value>, schema: &Schema) -> Vec<Cause> {
    let mut walk = Walk { causes: Vec::new() };
    walk.visit(value, old, schema, "", 0);
    walk.causes
}

const MAX_CAUSES: usize = 32;
const MAX_DEPTH: usize = 120;

struct Walk {
    causes: Vec<Cause>,
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

impl Walk {
    fn visit(&mut self, value: &Value, old: Option<&Value>, schema: &Schema, path: &str, depth: usize) {
        if self.causes.len() >= MAX_CAUSES || depth > MAX_DEPTH {
            return;
        }
        if value.is_null() && schema.nullable {
            return;
        }
        if !self.type_fits(value, schema, path) {
            return;
        }
        match value {
            Value::Object(map) => {
                for name in &schema.required {
                    if !map.contains_key(&**name) {
                        self.causes.push(Cause::required(join(path, name), ""));
                    }
                }
                for (key, entry) in map {
                    let Some(found) = schema.field(key) else { continue };
                    let before = old.and_then(|old| old.get(key));
                    let inner = if schema.properties.contains_key(key.as_str()) {
                        join(path, key)
                    } else {
                        format!("{path}[{key}]")
                    };
                    self.visit(entry, before, found, &inner, depth + 1);
                }
            }
            Value::Array(items) => self.array(items, old, schema, path, depth),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        if let Some(limits) = &schema.limits {
            limits::check(value, limits, path, &mut self.causes);
            self.combinations(value, limits, path, depth);
            cel::check(&limits.rules, value, old, path, &mut self.causes);
        }
        limits::check_format(value, schema, path, &mut self.causes);
    }

    fn array(&mut self, items: &[Value], old: Option<&Value>, schema: &Schema, path: &str, depth: usize) {
        let item = schema.item();
        for (index, entry) in items.iter().enumerate() {
            let before = old.and_then(|old| match &schema.merge {
                Merge::Map(keys) => old
                    .as_array()?
                    .iter()
                    .find(|o| keys.iter().all(|k| o.get(&**k) == entry.get(&**k))),
                Merge::Unset | Merge::Atomic | Merge::Set => None,
            });
            self.visit(entry, before, item, &format!("{path}[{index}]"), depth + 1);
        }
        match &schema.merge {
            Merge::Set => {
                for (index, entry) in items.iter().enumerate() {
                    if items[..index].contains(entry) {
                        self.causes
                            .push(Cause::duplicate(format!("{path}[{index}]"), entry));
                    }
                }
            }
            Merge::Map(keys) => {
                let key_of = |entry: &Value| -> Vec<(String, Value)> {
                    keys.iter()
                        .filter_map(|k| Some((k.to_string(), entry.get(&**k)?.clone())))
                        .collect()
                };
                for (index, entry) in items.iter().enumerate() {
                    let key = key_of(entry);
                    if items[..index].iter().any(|other| key_of(other) == key) {
                        let key: serde_json::Map<String, Value> = key.into_iter().collect();
                        self.causes
                            .push(Cause::duplicate(format!("{path}[{index}]"), &Value::Object(key)));
                    }
                }
            }
            Merge::Unset | Merge::Atomic => {}
        }
    }

    fn type_fits(&mut self, value: &Value, schema: &Schema, path: &str) -> bool {
        let found = Type::of(value);
        if schema.int_or_string {
            if matches!(value, Value::String(_)) || value.is_i64() || value.is_u64() {
                return true;
            }
            let detail = format!("{path} in body must be of type integer,string: \"{found}\"");
            self.causes.push(Cause::type_invalid(path, found, &detail));
            return false;
        }
        let fits = match schema.ty {
            Type::Any => true,
            Type::Object => value.is_object(),
            Type::Array => value.is_array(),
            Type::String => value.is_string(),
            Type::Integer => {
                value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|float| float.fract() == 0.0)
            }
            Type::Number => value.is_number(),
            Type::Boolean => value.is_boolean(),
        };
        if !fits {
            let detail = format!("{path} in body must be of type {}: \"{found}\"", schema.ty.name());
            self.causes.push(Cause::type_invalid(path, found, &detail));
        }
        fits
    }

    fn combinations(&mut self, value: &Value, limits: &Limits, path: &str, depth: usize) {
        let quiet = |schema: &Schema| {
            let mut walk = Walk { causes: Vec::new() };
            walk.visit(value, None, schema, path, depth + 1);
            walk.causes
        };
        for schema in &limits.all_of {
            self.causes.extend(quiet(schema));
        }
        if !limits.any_of.is_empty() && !limits.any_of.iter().any(|schema| quiet(schema).is_empty()) {
            let detail = format!("{path} in body must validate at least one schema (anyOf)");
            self.causes.push(Cause::invalid(path, value, &detail));
        }
        if !limits.one_of.is_empty() {
            let fitting = limits
                .one_of
                .iter()
                .filter(|schema| quiet(schema).is_empty())
                .count();
            if fitting != 1 {
                let detail = format!("{path} in body must validate one and only one schema (oneOf)");
                self.causes.push(Cause::invalid(path, value, &detail));
            }
        }
        if limits.not.as_ref().is_some_and(|schema| quiet(schema).is_empty()) {
            let detail = format!("{path} in body must not validate the schema (not)");
            self.causes.push(Cause::invalid(path, value, &detail));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(schema: Value, value: Value, expected: &[&str]) {
        let causes = validate(&value, None, &super::super::parse(&schema));
        let causes: Vec<String> = causes.iter().map(ToString::to_string).collect();
        assert_eq!(causes, expected);
    }

    fn spec(field: Value) -> Value {
        json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {"x": field}}}})
    }

    #[test]
    fn messages_name_the_field_and_what_is_allowed() {
        let with = |x: Value| json!({"spec": {"x": x}});
        check(spec(json!({"type": "integer"})), with(json!(1)), &[]);
        check(
            spec(json!({"type": "integer"})),
            with(json!("1")),
            &["spec.x: Invalid value: \"string\": spec.x in body must be of type integer: \"string\""],
        );
        check(
            spec(json!({"type": "integer", "minimum": 0})),
            with(json!(-1)),
            &["spec.x: Invalid value: -1: spec.x in body should be greater than or equal to 0"],
        );
        check(
            spec(json!({"type": "string", "enum": ["a", "b"]})),
            with(json!("z")),
            &["spec.x: Unsupported value: \"z\": supported values: \"a\", \"b\""],
        );
        check(
            spec(json!({"type": "string", "pattern": "^a+$"})),
            with(json!("b")),
            &["spec.x: Invalid value: \"b\": spec.x in body should match '^a+$'"],
        );
        check(
            spec(json!({"x-kubernetes-int-or-string": true})),
            with(json!("50%")),
            &[],
        );
        check(
            json!({"type": "object", "required": ["spec"]}),
            json!({}),
            &["spec: Required value"],
        );
        check(
            spec(
                json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"],
                "items": {"type": "object", "properties": {"n": {"type": "string"}}}}),
            ),
            with(json!([{"n": "a"}, {"n": "a"}])),
            &["spec.x[1]: Duplicate value: {\"n\":\"a\"}"],
        );
        check(
            spec(
                json!({"oneOf": [{"required": ["a"]}, {"required": ["b"]}], "type": "object",
                "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}),
            ),
            with(json!({"a": "1", "b": "2"})),
            &[
                "spec.x: Invalid value: {\"a\":\"1\",\"b\":\"2\"}: spec.x in body must validate one and only one schema (oneOf)",
            ],
        );
    }
}
