//! What fields a type has. One structure serves built-in types (from the generated OpenAPI definitions) and
//! custom ones (from their CustomResourceDefinition), so that decoding, pruning, defaulting, validation,
//! strategic merge and server-side apply each walk a single shape.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

pub(crate) mod builtin;
pub(crate) mod cel;
pub(crate) mod conform;
pub(crate) mod default;
mod parse;
pub(crate) mod structural;
pub(crate) mod validate;

pub(crate) use parse::parse;

/// A field's type: spelled out, or the name of a built-in definition (which may be recursive).
#[derive(Clone, Debug)]
pub(crate) enum SchemaRef {
    Inline(Arc<Schema>),
    Named(Box<str>),
}

impl SchemaRef {
    pub(crate) fn get(&self) -> &Schema {
        match self {
            SchemaRef::Inline(schema) => schema,
            SchemaRef::Named(name) => builtin::get(name),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Type {
    #[default]
    Any,
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
}

impl Type {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Type::Any => "any",
            Type::Object => "object",
            Type::Array => "array",
            Type::String => "string",
            Type::Integer => "integer",
            Type::Number => "number",
            Type::Boolean => "boolean",
        }
    }

    /// The name of a JSON value's type in validation messages.
    pub(crate) fn of(value: &Value) -> &'static str {
        match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        }
    }
}

/// How the items of a list, or the fields of a map, are owned and merged.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Merge {
    /// Lists without a declaration are replaced whole; maps are merged by field.
    #[default]
    Unset,
    Atomic,
    Set,
    Map(Vec<Box<str>>),
}

/// The strategic-merge-patch side of a list field of a built-in type.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PatchStrategy {
    pub merge: bool,
    pub retain_keys: bool,
    pub key: Option<Box<str>>,
}

/// One type of one field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schema {
    pub ty: Type,
    pub nullable: bool,
    pub int_or_string: bool,
    pub preserve_unknown: bool,
    /// A whole Kubernetes object with its own apiVersion, kind and metadata.
    pub embedded: bool,
    pub properties: BTreeMap<Box<str>, SchemaRef>,
    /// The type of every entry of a free-form map.
    pub additional: Option<SchemaRef>,
    pub items: Option<SchemaRef>,
    pub required: Vec<Box<str>>,
    pub default: Option<Value>,
    pub merge: Merge,
    pub patch: PatchStrategy,
    pub format: Option<Box<str>>,
    pub limits: Option<Box<Limits>>,
}

/// Constraints on values; most fields have none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    pub enumeration: Option<Vec<Value>>,
    pub minimum: Option<f64>,
    pub maximum: Option<f64>,
    pub exclusive_minimum: bool,
    pub exclusive_maximum: bool,
    pub multiple_of: Option<f64>,
    pub min_length: Option<u64>,
    pub max_length: Option<u64>,
    pub min_items: Option<u64>,
    pub max_items: Option<u64>,
    pub unique_items: bool,
    pub min_properties: Option<u64>,
    pub max_properties: Option<u64>,
    pub pattern: Option<regex::Regex>,
    pub all_of: Vec<Schema>,
    pub any_of: Vec<Schema>,
    pub one_of: Vec<Schema>,
    pub not: Option<Box<Schema>>,
    pub rules: Vec<cel::Rule>,
}

impl Schema {
    /// The type of a field of an object, declared or free-form.
    pub(crate) fn field(&self, name: &str) -> Option<&Schema> {
        if let Some(found) = self.properties.get(name) {
            return Some(found.get());
        }
        self.additional.as_ref().map(SchemaRef::get)
    }

    pub(crate) fn item(&self) -> &Schema {
        self.items.as_ref().map_or_else(|| any(), SchemaRef::get)
    }

    /// Fields are neither known nor described: whatever comes is kept.
    pub(crate) fn is_open(&self) -> bool {
        self.preserve_unknown || self.ty == Type::Any
    }
}

/// The schema that accepts everything.
pub(crate) fn any() -> &'static Schema {
    static ANY: std::sync::OnceLock<Schema> = std::sync::OnceLock::new();
    ANY.get_or_init(|| Schema {
        preserve_unknown: true,
        nullable: true,
        ..Schema::default()
    })
}
