//! Karmada's answers, as data, against ours.
//!
//! The vectors live outside the repository, in `../shared/karmada-vectors` or where `LIFEBOAT_VECTORS` says;
//! without them every test here says that it was skipped. Each file's `semantics` and `compare` are explained in
//! the README beside them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that shows its counts"
)]

// api
#[path = "karmada_vectors/validation.rs"]
mod validation;

// interpret
#[path = "karmada_vectors/native.rs"]
mod native;

// propagate
#[path = "karmada_vectors/binding.rs"]
mod binding;
#[path = "karmada_vectors/eviction.rs"]
mod eviction;
#[path = "karmada_vectors/names.rs"]
mod names;
#[path = "karmada_vectors/policies.rs"]
mod policies;

// schedule
#[path = "karmada_vectors/division.rs"]
mod division;
#[path = "karmada_vectors/round.rs"]
mod round;
#[path = "karmada_vectors/selection.rs"]
mod selection;
#[path = "karmada_vectors/tables.rs"]
mod tables;
#[path = "karmada_vectors/taints.rs"]
mod taints;

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use lifeboat::api::TargetCluster;
use lifeboat::schedule::TieBreaker;
use serde_json::{Value, json};

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("LIFEBOAT_VECTORS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/karmada-vectors"),
        PathBuf::from,
    );
    folder.is_dir().then_some(folder)
}

/// Runs every case of a file through `answer`, which gives back what the case expects and what we say.
pub(crate) fn compare(file: &str, answer: impl Fn(&Value, &Value) -> Option<(Value, Value)>) {
    let Some(folder) = folder() else {
        // Written past the capture of a passing test's output: a skip must be seen.
        let said =
            format!("SKIPPED {file}: no vectors beside the repository, and LIFEBOAT_VECTORS names none\n");
        std::io::stderr().write_all(said.as_bytes()).unwrap();
        return;
    };
    let text = std::fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let document: Value = serde_json::from_str(&text).unwrap();
    let cases = document["cases"].as_array().unwrap();
    let (mut compared, mut set_aside, mut wrong) = (0, 0, Vec::new());
    for case in cases {
        let Some((expected, ours)) = answer(&case["input"], &case["expect"]) else {
            set_aside += 1;
            continue;
        };
        compared += 1;
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
        wrong.iter().take(5).cloned().collect::<Vec<_>>().join("\n")
    );
}

pub(crate) fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

pub(crate) fn replicas(value: &Value) -> i32 {
    i32::try_from(number(value)).unwrap()
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Set of (type, field) of validation errors, as expected.
pub(crate) fn expected_errors(expect: &Value) -> Value {
    errors(
        list(&expect["errors"])
            .iter()
            .map(|error| (text(&error["type"]).to_owned(), text(&error["field"]).to_owned())),
    )
}

/// Set of (type, field).
pub(crate) fn errors(found: impl Iterator<Item = (String, String)>) -> Value {
    json!(found.collect::<std::collections::BTreeSet<_>>())
}

/// Parses a part of a case; null is what an absent field is.
pub(crate) fn read<T: serde::de::DeserializeOwned + Default>(value: &Value) -> T {
    if value.is_null() {
        T::default()
    } else {
        lifeboat::api::view(value).unwrap()
    }
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// `[{name, replicas}]` as it is written, or sorted where order means nothing.
pub(crate) fn targets(clusters: &[TargetCluster], ordered: bool) -> Value {
    let mut pairs: Vec<(String, i32)> = clusters
        .iter()
        .map(|target| (target.name.clone(), target.replicas))
        .collect();
    if !ordered {
        pairs.sort();
    }
    json!(pairs)
}

pub(crate) fn expected_targets(value: &Value, ordered: bool) -> Value {
    targets(&read::<Vec<TargetCluster>>(value), ordered)
}

pub(crate) fn tie_breaker(input: &Value) -> TieBreaker {
    match input["tieBreaker"].as_str() {
        Some("nameAscending") => TieBreaker::Name { descending: false },
        Some("nameDescending") => TieBreaker::Name { descending: true },
        Some("uid") => TieBreaker::for_uid(input["uid"].as_str().unwrap_or_default()),
        _ => TieBreaker::for_uid(""),
    }
}
