//! The index of RFCs and tests in `docs/dns-conformance.md` names tests that are there, and every scenario file.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn every_line_of_the_index_has_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let index = fs::read_to_string(root.join("docs/dns-conformance.md")).unwrap();
    let mut named = BTreeSet::new();
    let mut wrong = Vec::new();
    let rows = index.lines().filter(|line| line.starts_with("| ")).skip(1);
    for row in rows {
        let tests = row
            .trim_end_matches(" |")
            .rsplit(" | ")
            .next()
            .unwrap_or_default();
        for test in tests.split(", ") {
            match test.trim_matches('`').split_once("` `") {
                Some((file, function)) => {
                    let text = fs::read_to_string(root.join(file)).unwrap_or_default();
                    if !text.contains(&format!("fn {function}(")) {
                        wrong.push(format!("{file} has no test {function}"));
                    }
                }
                None if root.join("dns/tests/scenarios").join(test).is_file() => {
                    named.insert(test.to_owned());
                }
                None => wrong.push(format!("`{test}` is no scenario file and no test: {row}")),
            }
        }
    }
    for entry in fs::read_dir(root.join("dns/tests/scenarios")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".scenario") && !named.contains(&name) {
            wrong.push(format!("{name} is in no line of the index"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
