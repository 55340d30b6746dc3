//! Sets of field paths: the `FieldsV1` of managedFields, as a tree.
//!
//! An element is written as on the wire: `f:name` a field, `k:{"key":"value"}` a list item by its keys,
//! `v:value` an item of a set.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::schema::{Merge, Schema};

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FieldSet {
    /// The path that leads here is itself in the set.
    pub member: bool,
    pub children: BTreeMap<Box<str>, FieldSet>,
}

/// managedFields come from outside too; deeper ones are cut.
const MAX_DEPTH: usize = 120;

impl FieldSet {
    pub(crate) fn is_empty(&self) -> bool {
        !self.member && self.children.values().all(FieldSet::is_empty)
    }

    pub(crate) fn from_json(raw: &Value) -> FieldSet {
        let mut set = FieldSet::parse(raw, 0);
        set.member = false;
        set
    }

    fn parse(raw: &Value, depth: usize) -> FieldSet {
        let mut set = FieldSet::default();
        let Some(map) = raw.as_object().filter(|_| depth < MAX_DEPTH) else {
            return FieldSet { member: true, ..set };
        };
        set.member = map.is_empty() || map.contains_key(".");
        for (element, inner) in map {
            if element != "." {
                set.children
                    .insert(element.as_str().into(), FieldSet::parse(inner, depth + 1));
            }
        }
        set
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut map = Map::new();
        if self.member && !self.children.is_empty() {
            map.insert(".".to_owned(), Value::Object(Map::new()));
        }
        for (element, inner) in &self.children {
            map.insert(element.to_string(), inner.to_json());
        }
        Value::Object(map)
    }

    /// Every path a value of a type has.
    pub(crate) fn of(value: &Value, schema: &Schema) -> FieldSet {
        let mut set = FieldSet::default();
        match value {
            Value::Object(map) if granular_map(schema) && !map.is_empty() => {
                for (key, entry) in map {
                    let field = schema.field(key).unwrap_or_else(|| super::schema::any());
                    let mut inner = FieldSet::of(entry, field);
                    if !schema.properties.contains_key(key.as_str()) {
                        inner.member = true;
                    }
                    set.children.insert(format!("f:{key}").into(), inner);
                }
            }
            Value::Array(items) if granular_list(schema) && !items.is_empty() => {
                for item in items {
                    let mut inner = FieldSet::of(item, schema.item());
                    inner.member = true;
                    set.children.insert(element(item, schema), inner);
                }
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => set.member = true,
        }
        set
    }

    pub(crate) fn union(&mut self, other: &FieldSet) {
        self.member |= other.member;
        for (element, inner) in &other.children {
            self.children.entry(element.clone()).or_default().union(inner);
        }
    }

    pub(crate) fn subtract(&mut self, other: &FieldSet) {
        if other.member {
            self.member = false;
        }
        for (element, inner) in &other.children {
            if let Some(own) = self.children.get_mut(element) {
                own.subtract(inner);
                if own.is_empty() {
                    self.children.remove(element);
                }
            }
        }
    }

    pub(crate) fn intersection(&self, other: &FieldSet) -> FieldSet {
        let mut common = FieldSet {
            member: self.member && other.member,
            ..FieldSet::default()
        };
        for (element, inner) in &self.children {
            if let Some(theirs) = other.children.get(element) {
                let inner = inner.intersection(theirs);
                if !inner.is_empty() {
                    common.children.insert(element.clone(), inner);
                }
            }
        }
        common
    }

    pub(crate) fn child(&self, element: &str) -> Option<&FieldSet> {
        self.children.get(element)
    }

    /// Every member as messages write it: `.spec.template.spec.containers[name="web"].image`.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect(&mut String::new(), &mut paths);
        paths
    }

    fn collect(&self, path: &mut String, paths: &mut Vec<String>) {
        if self.member {
            paths.push(path.clone());
        }
        for (element, inner) in &self.children {
            let mark = path.len();
            path.push_str(&shown(element));
            inner.collect(path, paths);
            path.truncate(mark);
        }
    }
}

fn shown(element: &str) -> String {
    match element.split_once(':') {
        Some(("f", name)) => format!(".{name}"),
        Some(("k", keys)) => {
            let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
            let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("[{}]", keys.join(","))
        }
        Some(("v", value)) => format!("[={value}]"),
        Some((_, rest)) => format!("[{rest}]"),
        None => format!("[{element}]"),
    }
}

pub(crate) fn granular_map(schema: &Schema) -> bool {
    schema.merge != Merge::Atomic
}

pub(crate) fn granular_list(schema: &Schema) -> bool {
    matches!(schema.merge, Merge::Map(_) | Merge::Set)
}

/// The path element of a list item.
pub(crate) fn element(item: &Value, list: &Schema) -> Box<str> {
    match &list.merge {
        Merge::Map(keys) => {
            let mut map = Map::new();
            for key in keys {
                let declared = list.item().field(key).and_then(|field| field.default.clone());
                let value = item.get(&**key).cloned().or(declared).or_else(|| implied(key));
                if let Some(value) = value {
                    map.insert(key.to_string(), value);
                }
            }
            format!("k:{}", Value::Object(map)).into()
        }
        Merge::Set | Merge::Atomic | Merge::Unset => format!("v:{item}").into(),
    }
}

/// Ports are TCP unless they say otherwise.
fn implied(key: &str) -> Option<Value> {
    (key == "protocol").then(|| Value::from("TCP"))
}

/// Paths whose value in `new` is not that of `old`, and paths that `new` no longer has.
pub(crate) fn compare(old: &Value, new: &Value, schema: &Schema) -> (FieldSet, FieldSet) {
    let (before, after) = (FieldSet::of(old, schema), FieldSet::of(new, schema));
    let mut removed = before.clone();
    removed.subtract(&after);
    let mut changed = after;
    changed.subtract(&before);
    differing(old, new, schema, &mut changed);
    (changed, removed)
}

fn differing(old: &Value, new: &Value, schema: &Schema, out: &mut FieldSet) {
    if old == new {
        return;
    }
    match (old, new) {
        // From or to nothing: the paths that came and went say it all.
        (Value::Object(a), Value::Object(b)) if granular_map(schema) && (a.is_empty() || b.is_empty()) => {}
        (Value::Array(a), Value::Array(b)) if granular_list(schema) && (a.is_empty() || b.is_empty()) => {}
        (Value::Object(a), Value::Object(b)) if granular_map(schema) => {
            for (key, entry) in b {
                let Some(before) = a.get(key).filter(|before| *before != entry) else {
                    continue;
                };
                let field = schema.field(key).unwrap_or_else(|| super::schema::any());
                let mut inner = FieldSet::default();
                differing(before, entry, field, &mut inner);
                merge_child(out, format!("f:{key}").into(), inner);
            }
        }
        (Value::Array(a), Value::Array(b)) if granular_list(schema) => {
            for item in b {
                let name = element(item, schema);
                let Some(before) = a.iter().find(|other| element(other, schema) == name) else {
                    continue;
                };
                let mut inner = FieldSet::default();
                differing(before, item, schema.item(), &mut inner);
                merge_child(out, name, inner);
            }
        }
        _ => out.member = true,
    }
}

fn merge_child(out: &mut FieldSet, element: Box<str>, inner: FieldSet) {
    if !inner.is_empty() {
        out.children.entry(element).or_default().union(&inner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(old: Value, new: Value, changed: &[&str], removed: &[&str]) {
        let schema = crate::apiserver::schema::builtin::get("io.k8s.api.core.v1.PodSpec");
        let found = compare(&old, &new, schema);
        assert_eq!(
            (found.0.paths(), found.1.paths()),
            (
                changed.iter().map(|p| (*p).to_owned()).collect(),
                removed.iter().map(|p| (*p).to_owned()).collect()
            )
        );
        let set = FieldSet::of(&new, schema);
        assert_eq!(
            FieldSet::from_json(&set.to_json()),
            FieldSet { member: false, ..set }
        );
    }

    #[test]
    fn changes_are_paths_by_the_keys_of_lists() {
        check(json!({}), json!({"hostname": "a"}), &[".hostname"], &[""]);
        check(
            json!({"hostname": "a"}),
            json!({"hostname": "b"}),
            &[".hostname"],
            &[],
        );
        check(
            json!({"hostname": "a"}),
            json!({"subdomain": "b"}),
            &[".subdomain"],
            &[".hostname"],
        );
        check(
            json!({"containers": [{"name": "x", "image": "1"}, {"name": "y"}]}),
            json!({"containers": [{"name": "x", "image": "2"}, {"name": "z"}]}),
            &[
                ".containers[name=\"x\"].image",
                ".containers[name=\"z\"]",
                ".containers[name=\"z\"].name",
            ],
            &[".containers[name=\"y\"]", ".containers[name=\"y\"].name"],
        );
        check(
            json!({"nodeSelector": {"a": "1"}}),
            json!({"nodeSelector": {"a": "2"}}),
            &[".nodeSelector"],
            &[],
        );
        check(
            json!({"tolerations": [{"key": "a"}]}),
            json!({"tolerations": []}),
            &[".tolerations"],
            &[],
        );
    }
}
