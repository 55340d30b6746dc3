//! Filling the columns.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::age;
use super::builtin::{self, Column, CustomColumn};
use crate::apiserver::kinds::{Kind, Source};
use crate::apiserver::meta;

mod cells;
mod pods;

/// The `columnDefinitions` of a kind.
pub(crate) fn columns(kind: &Kind) -> Vec<Value> {
    match &kind.source {
        Source::Builtin(_) => {
            let rows = builtin::columns(&kind.group, &kind.resource);
            rows.iter()
                .map(|Column(name, ty, priority)| definition(name, ty, *priority))
                .collect()
        }
        Source::Custom { columns, .. } => {
            let mut rows = vec![definition("Name", "string", 0)];
            rows.extend(columns.iter().map(|column| {
                json!({"name": column.name, "type": column.ty, "format": column.format,
                    "description": column.description, "priority": column.priority})
            }));
            if columns.is_empty() {
                rows.push(definition("Age", "date", 0));
            }
            rows
        }
    }
}

fn definition(name: &str, ty: &str, priority: i64) -> Value {
    let format = if name == "Name" { "name" } else { "" };
    json!({"name": name, "type": ty, "format": format, "description": "", "priority": priority})
}

/// The cells of one object.
pub(crate) fn row(kind: &Kind, object: &Value, now: Timestamp) -> Vec<Value> {
    match &kind.source {
        Source::Builtin(_) => {
            let columns = builtin::columns(&kind.group, &kind.resource);
            columns
                .iter()
                .map(|Column(name, _, _)| cells::cell(kind, name, object, now))
                .collect()
        }
        Source::Custom { columns, .. } => {
            let mut cells = vec![json!(meta::name(object))];
            cells.extend(columns.iter().map(|column| custom(column, object, now)));
            if columns.is_empty() {
                cells.push(created(object, now));
            }
            cells
        }
    }
}

fn created(object: &Value, now: Timestamp) -> Value {
    json!(age::since(meta::text(object, "creationTimestamp"), now))
}

fn custom(column: &CustomColumn, object: &Value, now: Timestamp) -> Value {
    let found = column.path.select(object);
    let Some(first) = found.first() else {
        return Value::Null;
    };
    match (column.ty.as_str(), first) {
        ("date", Value::String(stamp)) => json!(age::since(Some(stamp), now)),
        ("integer" | "number" | "boolean", value) if !value.is_object() && !value.is_array() => {
            (*value).clone()
        }
        (_, Value::String(_)) if found.len() == 1 => (*first).clone(),
        (_, Value::Null) => Value::Null,
        _ => {
            let texts: Vec<String> = found
                .iter()
                .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                .collect();
            json!(texts.join(","))
        }
    }
}
