//! Brings a received object into the shape of its type: unknown fields are dropped and reported by path,
//! nulls are dropped, and for built-in types a wrong JSON type is an error, as a typed decoder's would be.

use serde_json::{Map, Value};

use super::{Schema, SchemaRef, Type};

/// How deep an object may nest, below what the JSON reader takes (128): whatever is stored can be read again.
pub(crate) const MAX_DEPTH: usize = 100;

/// Whether a value nests deeper than allowed. Patches can stack what each body may only hold in part.
pub(crate) fn too_deep(value: &Value) -> bool {
    fn exceeds(value: &Value, left: usize) -> bool {
        match value {
            Value::Object(map) => left == 0 || map.values().any(|inner| exceeds(inner, left - 1)),
            Value::Array(items) => left == 0 || items.iter().any(|inner| exceeds(inner, left - 1)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
    }
    exceeds(value, MAX_DEPTH)
}

/// What was found while conforming.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Paths of dropped fields, such as `spec.template.spec.containers[0].imagePul`.
    pub unknown: Vec<String>,
    /// The first value of a wrong type, worded as Go's decoder words it.
    pub mismatch: Option<String>,
}

/// Drops what the schema does not have. `typed` also checks JSON types (built-in kinds; custom ones have
/// their own validation with better messages).
pub(crate) fn conform(value: &mut Value, schema: &Schema, typed: bool, kind: &str) -> Report {
    let mut walk = Walk {
        report: Report::default(),
        typed,
        kind,
        path: String::new(),
    };
    walk.visit(value, schema, true, 0);
    walk.report
}

struct Walk<'a> {
    report: Report,
    typed: bool,
    kind: &'a str,
    path: String,
}

const MAX_REPORTED: usize = 64;

impl Walk<'_> {
    fn visit(&mut self, value: &mut Value, schema: &Schema, root: bool, depth: usize) {
        if depth > MAX_DEPTH {
            self.mismatch("object nested too deep", "any");
            *value = Value::Null;
            return;
        }
        if self.typed && !fits(value, schema) {
            self.mismatch(go_name(value), &expected(schema));
            return;
        }
        match value {
            Value::Object(map) => self.object(map, schema, root, depth),
            Value::Array(items) => {
                let item = schema.item();
                let mark = self.path.len();
                for (index, entry) in items.iter_mut().enumerate() {
                    self.path.push_str(&format!("[{index}]"));
                    self.visit(entry, item, false, depth + 1);
                    self.path.truncate(mark);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn object(&mut self, map: &mut Map<String, Value>, schema: &Schema, root: bool, depth: usize) {
        let whole = root || schema.embedded;
        let open = schema.is_open();
        let mut drop = Vec::new();
        for (key, entry) in map.iter_mut() {
            let mark = self.path.len();
            if !self.path.is_empty() {
                self.path.push('.');
            }
            self.path.push_str(key);
            let declared = schema.properties.get(key.as_str()).or(schema.additional.as_ref());
            let builtin_meta = whole && matches!(key.as_str(), "apiVersion" | "kind" | "metadata");
            if entry.is_null() && (self.typed || builtin_meta) && !declared.is_some_and(opaque) {
                drop.push(key.clone());
            } else if whole && key == "metadata" {
                let typed = std::mem::replace(&mut self.typed, true);
                self.visit(entry, super::builtin::get(OBJECT_META), false, depth + 1);
                self.typed = typed;
            } else if let Some(found) = declared {
                self.visit(entry, found.get(), false, depth + 1);
            } else if !open && !builtin_meta {
                drop.push(key.clone());
                if self.report.unknown.len() < MAX_REPORTED {
                    self.report.unknown.push(self.path.clone());
                }
            }
            self.path.truncate(mark);
        }
        for key in drop {
            map.remove(&key);
        }
    }

    fn mismatch(&mut self, found: &str, expected: &str) {
        if self.report.mismatch.is_none() {
            let message = format!(
                "json: cannot unmarshal {found} into Go struct field {}.{} of type {expected}",
                self.kind, self.path
            );
            self.report.mismatch = Some(message);
        }
    }
}

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

fn opaque(schema: &SchemaRef) -> bool {
    schema.get().is_open()
}

fn fits(value: &Value, schema: &Schema) -> bool {
    if schema.int_or_string {
        return value.is_string() || value.is_number();
    }
    match schema.ty {
        Type::Any => true,
        Type::Object => value.is_object(),
        Type::Array => value.is_array(),
        Type::String => value.is_string(),
        Type::Integer => match value.as_i64() {
            Some(number) => schema.format.as_deref() != Some("int32") || i32::try_from(number).is_ok(),
            None => value
                .as_f64()
                .is_some_and(|float| float.fract() == 0.0 && float.abs() < 9.0e15),
        },
        Type::Number => value.is_number(),
        Type::Boolean => value.is_boolean(),
    }
}

fn go_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn expected(schema: &Schema) -> String {
    match (schema.ty, schema.format.as_deref()) {
        (Type::Integer, Some(format)) => format.to_owned(),
        (Type::Integer, None) => "int64".to_owned(),
        (Type::Boolean, _) => "bool".to_owned(),
        (Type::Number, _) => "float64".to_owned(),
        (Type::Array, _) => "[]".to_owned() + schema.item().ty.name(),
        (ty @ (Type::Any | Type::Object | Type::String), _) => ty.name().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(mut input: Value, unknown: &[&str], mismatch: Option<&str>) {
        let schema = super::super::builtin::get("io.k8s.api.apps.v1.Deployment");
        let report = conform(&mut input, schema, true, "Deployment");
        assert_eq!(report.unknown, unknown);
        assert_eq!(report.mismatch.as_deref(), mismatch);
    }

    #[test]
    fn fields_are_reported_by_path() {
        check(
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 1}}),
            &[],
            None,
        );
        check(
            json!({"spec": {"replica": 1, "template": {"spec": {"containers": [{"nam": "x"}]}}}}),
            &["spec.replica", "spec.template.spec.containers[0].nam"],
            None,
        );
        check(
            json!({"spec": {"replicas": "three"}}),
            &[],
            Some("json: cannot unmarshal string into Go struct field Deployment.spec.replicas of type int32"),
        );
        check(
            json!({"metadata": {"labels": {"a": 1}, "bogus": true}}),
            &["metadata.bogus"],
            Some(
                "json: cannot unmarshal number into Go struct field Deployment.metadata.labels.a of type string",
            ),
        );
        check(
            json!({"metadata": {"creationTimestamp": null}, "spec": null}),
            &[],
            None,
        );
    }
}
