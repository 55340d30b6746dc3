//! The definitions against the files in `deploy/crds`, and against Karmada's own where those are at hand.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;

/// With `LIFEBOAT_UPDATE=1` the files are written; otherwise they must be current.
#[test]
fn files_are_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/crds");
    for (file, text) in crds_yaml() {
        let path = folder.join(&file);
        if std::env::var_os("LIFEBOAT_UPDATE").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == text,
            "deploy/crds/{file} is stale: run `LIFEBOAT_UPDATE=1 cargo test -p lifeboat --lib crd`"
        );
    }
}

#[test]
fn structural_rules_hold() {
    for crd in crds() {
        let name = crd.metadata.name.clone().unwrap();
        let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
        let text = schema.to_string();
        for banned in [
            "\"nullable\"",
            "\"$ref\"",
            "uint",
            "\"oneOf\"",
            "\"default\":null",
        ] {
            assert!(!text.contains(banned), "{name} has {banned}");
        }
    }
}

/// Karmada's files, when the test vectors are beside the repository or named by `LIFEBOAT_VECTORS`.
fn karmada() -> Option<PathBuf> {
    let folder = std::env::var_os("LIFEBOAT_VECTORS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/karmada-vectors"),
        PathBuf::from,
    );
    folder.join("crds").is_dir().then(|| folder.join("crds"))
}

#[test]
fn equal_to_karmadas_but_for_descriptions() {
    let Some(folder) = karmada() else {
        println!("skipped: no Karmada vectors");
        return;
    };
    let ours = crds();
    let mut differences = Vec::new();
    for (group, file) in [
        ("policy", "policy.karmada.io_propagationpolicies.yaml"),
        ("policy", "policy.karmada.io_clusterpropagationpolicies.yaml"),
        ("work", "work.karmada.io_resourcebindings.yaml"),
        ("work", "work.karmada.io_clusterresourcebindings.yaml"),
        ("work", "work.karmada.io_works.yaml"),
    ] {
        let text = std::fs::read_to_string(folder.join(group).join(file)).unwrap();
        let theirs: Value = serde_saphyr::from_str(&text).unwrap();
        let name = theirs["metadata"]["name"].as_str().unwrap();
        let our_crd = ours
            .iter()
            .find(|crd| crd.metadata.name.as_deref() == Some(name))
            .unwrap();
        let our_value = serde_json::to_value(our_crd).unwrap();
        let version = our_value["spec"]["versions"][0].clone();
        let their_versions = theirs["spec"]["versions"].as_array().unwrap();
        let their_version = their_versions
            .iter()
            .find(|candidate| candidate["name"] == version["name"])
            .unwrap();
        compare(&strip(their_version), &strip(&version), name, &mut differences);
        compare(
            &strip(&theirs["spec"]["names"]),
            &strip(&our_value["spec"]["names"]),
            name,
            &mut differences,
        );
        compare(
            &theirs["spec"]["scope"],
            &our_value["spec"]["scope"],
            name,
            &mut differences,
        );
    }
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

/// Karmada serves `Cluster` from its own server, with an OpenAPI v2 schema of references.
#[test]
fn cluster_has_karmadas_fields() {
    let Some(folder) = karmada() else {
        println!("skipped: no Karmada vectors");
        return;
    };
    let text = std::fs::read_to_string(folder.join("cluster-schema.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let theirs = resolve(
        &document["definitions"][document["root"].as_str().unwrap()],
        &document["definitions"],
    );
    let ours = serde_json::to_value(&crds()[0].spec.versions[0].schema).unwrap();
    let mut differences = Vec::new();
    for part in ["spec", "status"] {
        fields(
            &theirs["properties"][part],
            &ours["openAPIV3Schema"]["properties"][part],
            part,
            &mut differences,
        );
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn resolve(schema: &Value, definitions: &Value) -> Value {
    match schema {
        Value::Object(map) => {
            if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
                let name = reference.trim_start_matches("#/definitions/");
                return resolve(&definitions[name], definitions);
            }
            map.iter()
                .map(|(key, value)| (key.clone(), resolve(value, definitions)))
                .collect()
        }
        Value::Array(items) => items.iter().map(|item| resolve(item, definitions)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => schema.clone(),
    }
}

fn fields(theirs: &Value, ours: &Value, path: &str, differences: &mut Vec<String>) {
    let quantity = ours["x-kubernetes-int-or-string"] == Value::Bool(true);
    if !quantity && theirs["type"] != ours["type"] {
        differences.push(format!("{path}: type {} and {}", theirs["type"], ours["type"]));
    }
    let empty = serde_json::Map::new();
    let their_fields = theirs["properties"].as_object().unwrap_or(&empty);
    let our_fields = ours["properties"].as_object().unwrap_or(&empty);
    for key in their_fields.keys().chain(our_fields.keys()) {
        match (their_fields.get(key), our_fields.get(key)) {
            (Some(left), Some(right)) => fields(left, right, &format!("{path}.{key}"), differences),
            (None, Some(_)) => differences.push(format!("{path}.{key}: only in ours")),
            (_, None) => differences.push(format!("{path}.{key}: only in Karmada's")),
        }
    }
    for key in ["items", "additionalProperties"] {
        if theirs[key].is_object() {
            fields(&theirs[key], &ours[key], &format!("{path}[]"), differences);
        }
    }
}

/// Without descriptions, and without what stands for nothing.
fn strip(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(key, value)| !(*key == "description" && value.is_string()))
            .map(|(key, value)| (key.clone(), strip(value)))
            .collect(),
        Value::Array(items) => items.iter().map(strip).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn compare(theirs: &Value, ours: &Value, path: &str, differences: &mut Vec<String>) {
    match (theirs, ours) {
        (Value::Object(left), Value::Object(right)) => {
            let mut keys: Vec<&String> = left.keys().chain(right.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let nested = format!("{path}/{key}");
                match (left.get(key), right.get(key)) {
                    (Some(left), Some(right)) => compare(left, right, &nested, differences),
                    (Some(left), None) => differences.push(format!("{nested}: missing, Karmada has {left}")),
                    (None, Some(right)) => differences.push(format!("{nested}: only ours {right}")),
                    (None, None) => {}
                }
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            let sorted = |items: &[Value]| {
                let mut items = items.to_vec();
                if path.ends_with("/required") {
                    items.sort_by_key(Value::to_string);
                }
                items
            };
            for (index, (left, right)) in sorted(left).iter().zip(&sorted(right)).enumerate() {
                compare(left, right, &format!("{path}/{index}"), differences);
            }
        }
        _ if theirs.as_f64().is_some() && theirs.as_f64() == ours.as_f64() => {}
        _ if theirs == ours => {}
        _ => differences.push(format!("{path}: Karmada has {theirs}, we have {ours}")),
    }
}
