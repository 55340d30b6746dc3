//! The pages of `docs/guides/` do what they say: their files are written to a folder, their commands run in their order, and what they
//! print is what stands below them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "guides/dig.rs"]
mod dig;
#[path = "guides/page.rs"]
mod page;
#[expect(dead_code, reason = "shared with the tests of the nameserver")]
#[path = "nameserver/process.rs"]
mod process;
#[path = "guides/run.rs"]
mod run;

use std::{fs, path::Path};

fn holds(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs/guides")
        .join(name);
    run::run(&page::read(&fs::read_to_string(path).unwrap()));
}

#[test]
fn every_guide_is_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides");
    let mut found: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            "delegate.md",
            "drain.md",
            "gdnsd.md",
            "geo.md",
            "k8gb.md",
            "route53.md"
        ]
    );
}

#[test]
fn delegate() {
    holds("delegate.md");
}

#[test]
fn drain() {
    holds("drain.md");
}

#[test]
fn gdnsd() {
    holds("gdnsd.md");
}

#[test]
fn geo() {
    holds("geo.md");
}

#[test]
fn k8gb() {
    holds("k8gb.md");
}

#[test]
fn route53() {
    holds("route53.md");
}
