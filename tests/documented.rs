//! What users read of is there, and what is there they can read of.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{fs, path::Path};

/// Every text below a folder whose name ends so.
fn texts(folder: &Path, end: &str) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all += &texts(&path, end);
        } else if path.to_str().unwrap().ends_with(end) {
            all += &fs::read_to_string(&path).unwrap();
        }
    }
    all
}

#[test]
fn every_metric_is_in_the_docs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let code: String = ["src", "dns/src", "health/src", "chaos/src"]
        .map(|folder| texts(&root.join(folder), ".rs"))
        .concat();
    let docs = texts(&root.join("docs"), ".md");
    let of_a_metric = |text: &&str| {
        let word = text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        text.starts_with("lifeboat_") && word
    };
    let crates = ["lifeboat_health", "lifeboat_dns", "lifeboat_chaos"];
    let names: Vec<&str> = code
        .split('"')
        .filter(of_a_metric)
        .filter(|name| !crates.contains(name))
        .collect();
    assert!(names.len() > 50, "{names:?}");
    let packed: String = code.split_whitespace().collect();
    let in_seconds = |name: &str| packed.contains(&format!("register_with_unit(\"{name}\","));
    let scraped = |name: &&str| match in_seconds(name) {
        true => format!("{name}_seconds"),
        false => (*name).to_owned(),
    };
    let missing: Vec<String> = names
        .iter()
        .map(scraped)
        .filter(|name| !docs.contains(name))
        .collect();
    assert!(missing.is_empty(), "in no page of docs/: {missing:?}");
}
