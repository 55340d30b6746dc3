//! Adds to the generated definitions what they do not say: which lists merge by which keys.

use serde_json::{Map, Value, json};

const TABLE: &str = include_str!("../lists.txt");

/// Writes the `x-kubernetes-list-*`, `-map-type` and `-patch-*` extensions of the table into the definitions.
pub(super) fn annotate(definitions: &mut Map<String, Value>) {
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let (Some(ty), Some(field), Some(list), Some(patch), Some(key)) = (
            words.next(),
            words.next(),
            words.next(),
            words.next(),
            words.next(),
        ) else {
            continue;
        };
        let Some(definition) = definitions.get_mut(ty) else {
            continue;
        };
        let target = match field {
            "." => Some(definition),
            name => definition
                .pointer_mut("/properties")
                .and_then(|all| all.get_mut(name)),
        };
        let Some(target) = target.and_then(Value::as_object_mut) else {
            continue;
        };
        match list.split_once('=') {
            Some(("map", keys)) => {
                target.insert("x-kubernetes-list-type".into(), json!("map"));
                let keys: Vec<&str> = keys.split(',').collect();
                target.insert("x-kubernetes-list-map-keys".into(), json!(keys));
            }
            Some(_) => {}
            None if list == "set" => {
                target.insert("x-kubernetes-list-type".into(), json!("set"));
            }
            None if matches!(list, "mapAtomic" | "structAtomic") => {
                target.insert("x-kubernetes-map-type".into(), json!("atomic"));
            }
            None => {}
        }
        if patch != "-" {
            target.insert("x-kubernetes-patch-strategy".into(), json!(patch));
        }
        if key != "-" {
            target.insert("x-kubernetes-patch-merge-key".into(), json!(key));
        }
    }
}
