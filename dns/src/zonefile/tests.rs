//! Zones as text, and what comes of them.

mod any;
mod disk;
mod reading;
mod types;
mod whole;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::{Reading, Severity, Zone, parse_name, read};
use crate::name::Name;

/// A zone that is in order; what a test adds begins in line 5.
const GOOD: &str = "$TTL 300\n@ SOA ns hm 1 1h 2 3 4\n NS ns\nns A 192.0.2.1\n";

fn read_files(files: &[(&str, &str)]) -> Reading {
    let files: BTreeMap<&Path, &str> = files
        .iter()
        .map(|(path, text)| (Path::new(*path), *text))
        .collect();
    let mut source = |path: &Path| match files.get(path) {
        Some(text) => Ok(text.as_bytes().to_vec()),
        None => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    read(&parse_name("example").unwrap(), Path::new("z"), &mut source)
}

fn read_text(text: &str) -> Reading {
    read_files(&[("z", text)])
}

/// `name TTL TYPE hex` of each record.
fn records(zone: &Zone) -> Vec<String> {
    let mut lines = Vec::new();
    for set in zone.sets() {
        for rdata in set.rdata() {
            let kind = super::rdata::kind_text(set.kind());
            let owner = Name::from_wire(set.owner());
            lines.push(format!("{owner} {} {kind} {}", set.ttl_s(), hex(rdata)));
        }
    }
    lines
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The problems of a text are these, each `LINE:COLUMN SEVERITY PART OF THE MESSAGE`, in this order.
#[track_caller]
fn check_problems(reading: &Reading, label: &str, expected: &[&str]) {
    let got: Vec<String> = reading
        .problems
        .iter()
        .map(|problem| {
            let place = &problem.place;
            format!(
                "{}:{} {} {}",
                place.line,
                place.column,
                problem.severity(),
                problem.reason
            )
        })
        .collect();
    assert_eq!(got.len(), expected.len(), "{label}: {got:#?}");
    for (got, expected) in got.iter().zip(expected) {
        let (place, rest) = expected.split_once(' ').unwrap();
        let (severity, part) = rest.split_once(' ').unwrap();
        assert!(got.starts_with(&format!("{place} {severity} ")), "{label}: {got}");
        assert!(got.contains(part), "{label}: {got}");
    }
    let refused = reading
        .problems
        .iter()
        .any(|problem| problem.severity() == Severity::Error);
    assert_eq!(reading.zone.is_none(), refused, "{label}");
}

/// The same for text added to the good zone.
#[track_caller]
fn check(added: &str, expected: &[&str]) {
    let label = added.get(..80).unwrap_or(added);
    check_problems(&read_text(&format!("{GOOD}{added}")), label, expected);
}

/// Text added to the good zone makes these records and no problem.
#[track_caller]
fn check_records(added: &str, expected: &[&str]) {
    check(added, &[]);
    let before = records(&read_text(GOOD).zone.unwrap());
    let zone = read_text(&format!("{GOOD}{added}")).zone.unwrap();
    let got: Vec<String> = records(&zone)
        .into_iter()
        .filter(|record| !before.contains(record))
        .collect();
    assert_eq!(got, expected, "{added}");
}
