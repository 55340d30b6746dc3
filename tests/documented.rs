//! What users read of is there, and what is there they can read of.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, fs, path::Path};

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

/// Whether it may be the name of a metric.
fn is_name(word: &str) -> bool {
    let letters = word
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    word.starts_with("lifeboat_") && letters && !word.ends_with('_')
}

/// `docs/metrics.md`, with the page that it leaves the metrics of detection's quality to, names all that can be scraped and
/// nothing else. That another page has a name is not enough: this is where one looks.
#[test]
fn the_page_of_metrics_has_all_of_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let code: String = ["src", "dns/src", "health/src", "chaos/src"]
        .map(|folder| texts(&root.join(folder), ".rs"))
        .concat();
    let page = |name: &str| fs::read_to_string(root.join("docs").join(name)).unwrap();
    let pages = page("metrics.md") + &page("qos.md");
    let crates = ["lifeboat_health", "lifeboat_dns", "lifeboat_chaos"];
    let names = code
        .split('"')
        .filter(|text| is_name(text) && !crates.contains(text));
    let packed: String = code.split_whitespace().collect();
    let in_seconds = |name: &str| packed.contains(&format!("register_with_unit(\"{name}\","));
    let scraped: BTreeSet<String> = names
        .map(|name| match in_seconds(name) {
            true => format!("{name}_seconds"),
            false => name.to_owned(),
        })
        .collect();
    assert!(scraped.len() > 50, "{scraped:?}");
    let told: BTreeSet<&str> = pages
        .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .filter(|word| is_name(word))
        // Counters are scraped so.
        .map(|word| word.strip_suffix("_total").unwrap_or(word))
        .collect();
    let missing: Vec<&String> = scraped
        .iter()
        .filter(|name| !told.contains(name.as_str()))
        .collect();
    assert!(missing.is_empty(), "not in docs/metrics.md: {missing:?}");
    let gone: Vec<&&str> = told.iter().filter(|name| !scraped.contains(**name)).collect();
    assert!(
        gone.is_empty(),
        "in docs/metrics.md, and not in the code: {gone:?}"
    );
}
