//! Scenario files (`scenarios/*.scenario`, format in `docs/dns-scenarios.md`): queries and expected answers over real sockets, with
//! changes of clusters, plan and time between them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod scenarios {
    pub(crate) mod message;
    pub(crate) mod parse;
    pub(crate) mod world;
}

use std::fs;
use std::path::{Path, PathBuf};

use scenarios::{parse, world::World};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

/// Runs one file; the error says line and what came instead.
fn run(text: &str) -> Result<usize, String> {
    let steps = parse::parse(text)?;
    let mut world = World::new();
    let mut asked = 0;
    for step in steps {
        let line = step.line;
        asked += usize::from(matches!(step.what, parse::What::Ask(..)));
        world
            .take(step.what)
            .map_err(|told| format!("line {line}: {told}"))?;
    }
    Ok(asked)
}

#[test]
fn every_scenario_holds() {
    let mut files: Vec<PathBuf> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "scenario"));
    files.sort();
    assert!(!files.is_empty());
    let mut failures = Vec::new();
    for file in files {
        match run(&fs::read_to_string(&file).unwrap()) {
            Ok(asked) => assert!(asked > 0, "{}: asks nothing", file.display()),
            Err(told) => failures.push(format!("{}: {told}", file.display())),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The example that `docs/dns-scenarios.md` begins with.
#[test]
fn the_example_of_the_docs_holds() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/dns-scenarios.md");
    let docs = fs::read_to_string(docs).unwrap();
    let example: Vec<&str> = docs
        .lines()
        .map(|line| line.strip_prefix("    ").unwrap_or(""))
        .collect();
    assert_eq!(run(&example.join("\n")), Ok(2));
}

const BASE: &str = "ZONE a.test\n@ 60 SOA ns hm 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.1\nEND\n";

/// A scenario that does not hold says so: each of these is wrong in one way.
#[test]
fn what_does_not_hold_is_told() {
    for (steps, expected) in [
        (
            "QUERY ns.a.test A\nREPLY NOERROR aa\nANSWER ns.a.test. 60 A 192.0.2.1\n",
            "",
        ),
        (
            "QUERY ns.a.test A\nREPLY NOERROR aa\n",
            "line 6: answer: has `ns.a.test. 60 A 192.0.2.1`",
        ),
        (
            "QUERY ns.a.test A\nREPLY NOERROR aa\nANSWER ns.a.test. 60 A 192.0.2.2\n",
            "line 6: answer: has not `ns.a.test. 60 A 192.0.2.2`",
        ),
        (
            "QUERY x.a.test A\nREPLY NOERROR aa\n",
            "line 6: replied NXDOMAIN aa",
        ),
        (
            "QUERY x.a.test A\nREPLY NXDOMAIN\n",
            "line 6: replied NXDOMAIN aa",
        ),
        ("QUERY x.a.test A\nDROPPED\n", "line 6: was answered"),
        (
            "QUERY ns.a.test A +edns\nREPLY NOERROR aa\nANSWER ns.a.test. 60 A 192.0.2.1\n",
            "line 6: OPT: has `version=0 payload=1232`",
        ),
        ("QUERY ns.a.test A\n", "line 6: a query needs REPLY or DROPPED"),
        ("ANSWER a. 1 A 192.0.2.1\n", "line 6: `ANSWER` comes after REPLY"),
        (
            "CLUSTER eu sideways\n",
            "line 6: `sideways` is no address and no state",
        ),
        ("NONSENSE\n", "line 6: `NONSENSE` is not a step"),
    ] {
        let told = run(&format!("{BASE}{steps}")).err().unwrap_or_default();
        assert!(
            told.starts_with(expected) && (expected.is_empty() == told.is_empty()),
            "{steps}: {told}"
        );
    }
}
