//! Karmada's answers about interpretation, policies, bindings and works, as data, against ours.
//!
//! The vectors live outside the repository, in `../shared/karmada-vectors` or where `LIFEBOAT_VECTORS` says;
//! without them every test here says that it was skipped. Each file's `semantics` and `compare` are explained in
//! the README beside them.

#![allow(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "helpers of tests"
)]

#[path = "karmada_propagate_vectors/binding.rs"]
mod binding;
#[path = "karmada_propagate_vectors/eviction.rs"]
mod eviction;
#[path = "karmada_propagate_vectors/names.rs"]
mod names;
#[path = "karmada_propagate_vectors/native.rs"]
mod native;
#[path = "karmada_propagate_vectors/policies.rs"]
mod policies;

use std::path::{Path, PathBuf};

use serde_json::Value;

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("LIFEBOAT_VECTORS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/karmada-vectors"),
        PathBuf::from,
    );
    folder.is_dir().then_some(folder)
}

/// Runs every case of a file through `answer`, which gives what we say where the case expects `(case, expected)`;
/// `None` sets a case aside.
fn compare(file: &str, answer: impl Fn(&Value, &Value) -> Option<(Value, Value)>) {
    let Some(folder) = folder() else {
        println!("{file}: skipped, no vectors beside the repository and LIFEBOAT_VECTORS is not set");
        return;
    };
    let text = std::fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let document: Value = serde_json::from_str(&text).unwrap();
    let (mut compared, mut set_aside, mut wrong) = (0, 0, Vec::new());
    for case in document["cases"].as_array().unwrap() {
        let Some((expected, ours)) = answer(&case["input"], &case["expect"]) else {
            set_aside += 1;
            continue;
        };
        compared += 1;
        let (expected, ours) = (without_nulls(expected), without_nulls(ours));
        if expected != ours {
            wrong.push(format!(
                "{}: Karmada says {expected}, we say {ours}",
                case["name"]
            ));
        }
    }
    println!(
        "{file}: {} of {compared} equal, {set_aside} set aside",
        compared - wrong.len()
    );
    assert!(
        wrong.is_empty() && compared > 0,
        "{file}: {} of {compared} differ; the first:\n{}",
        wrong.len(),
        wrong.iter().take(8).cloned().collect::<Vec<_>>().join("\n")
    );
}

/// `null` and an absent field mean the same.
fn without_nulls(mut value: Value) -> Value {
    match &mut value {
        Value::Object(map) => {
            let fields = std::mem::take(map)
                .into_iter()
                .filter(|(_, field)| !field.is_null());
            *map = fields.map(|(name, field)| (name, without_nulls(field))).collect();
        }
        Value::Array(items) => *items = std::mem::take(items).into_iter().map(without_nulls).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    value
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
