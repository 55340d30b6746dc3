//! Entries of the lists of a configuration: each is read for itself, so that one mistake costs no other entry.

use std::{collections::BTreeSet, path::Path};

use lifeboat_dns::Name;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::config::{ClusterEntry, DnsFile, NameEntry, ZoneEntry};

/// A zone that the configuration asks for, its file joined to the configuration's folder.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ZoneAsked {
    pub(super) apex: Name,
    pub(super) entry: ZoneEntry,
}

/// A name that the configuration asks for. An entry that cannot be read is asked for all the same.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NameAsked {
    pub(super) name: Name,
    /// `names[3] (shop.example.org)`.
    pub(super) place: String,
    /// `None` where the entry cannot be read: what was served before stays.
    pub(super) entry: Option<NameEntry>,
}

/// All entries that can be told by their names, and what is wrong with entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entries {
    pub(super) zones: Vec<ZoneAsked>,
    pub(super) clusters: Vec<ClusterEntry>,
    pub(super) names: Vec<NameAsked>,
    pub(super) problems: Vec<String>,
}

/// Reads them; files of zones are relative to `folder`.
pub(super) fn entries(file: &DnsFile, folder: &Path) -> Entries {
    let mut found = Entries::default();
    let mut seen = BTreeSet::new();
    for (index, value) in file.zones.iter().enumerate() {
        let place = place("zones", index, value);
        let read = read::<ZoneEntry>(value).and_then(|entry| {
            let apex = name(&entry.name)?;
            if !seen.insert(apex.clone()) {
                return Err("name: is given twice; a zone has one file".to_owned());
            }
            let file = folder.join(&entry.file);
            Ok(ZoneAsked {
                apex,
                entry: ZoneEntry { file, ..entry },
            })
        });
        match read {
            Ok(zone) => found.zones.push(zone),
            Err(told) => found.problems.push(format!("{place}: {told}")),
        }
    }
    let mut seen = BTreeSet::new();
    for (index, value) in file.clusters.iter().enumerate() {
        let place = place("clusters", index, value);
        let read = read::<ClusterEntry>(value).and_then(|entry| {
            if entry.name.is_empty() || entry.name.len() > 253 {
                Err("name: allowed are 1 to 253 characters".to_owned())
            } else if !seen.insert(entry.name.clone()) {
                Err("name: is given twice; each cluster is given once".to_owned())
            } else {
                Ok(entry)
            }
        });
        match read {
            Ok(cluster) => found.clusters.push(cluster),
            Err(told) => found.problems.push(format!("{place}: {told}")),
        }
    }
    let mut seen = BTreeSet::new();
    for (index, value) in file.names.iter().enumerate() {
        let place = place("names", index, value);
        let named = match value.get("name").and_then(Value::as_str).map(name) {
            None => Err("name: is not given; a domain name is needed".to_owned()),
            Some(Err(told)) => Err(told),
            Some(Ok(name)) if !seen.insert(name.clone()) => {
                Err("name: is given twice; each name is given once".to_owned())
            }
            Some(Ok(name)) => Ok(name),
        };
        match (named, read::<NameEntry>(value)) {
            (Err(told), _) => found.problems.push(format!("{place}: {told}")),
            (Ok(name), Ok(entry)) => found.names.push(NameAsked {
                name,
                place,
                entry: Some(entry),
            }),
            (Ok(name), Err(told)) => {
                found.problems.push(format!("{place}: {told}"));
                found.names.push(NameAsked {
                    name,
                    place,
                    entry: None,
                });
            }
        }
    }
    found
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| match error.path().to_string().as_str() {
        "." => error.inner().to_string(),
        path => format!("{path}: {}", error.inner()),
    })
}

fn name(text: &str) -> Result<Name, String> {
    Name::parse(text).map_err(|error| format!("name: `{text}` {error}"))
}

/// Where an entry stands and what it is called, as far as that can be read.
fn place(list: &str, index: usize, value: &Value) -> String {
    match value.get("name").and_then(Value::as_str) {
        Some(name) => format!("{list}[{index}] ({})", name.chars().take(253).collect::<String>()),
        None => format!("{list}[{index}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Entries {
        let file = DnsFile::parse(text, Path::new("/etc/dns.yaml")).unwrap();
        entries(&file, Path::new("/etc"))
    }

    const LISTEN: &str = "listen: [{address: '127.0.0.1:0'}]\n";

    #[test]
    fn a_mistake_costs_no_other_entry() {
        let found = of(&format!(
            "{LISTEN}zones: [{{name: example.org., file: a.zone}}, {{name: a..b, file: x}}, {{name: Example.Org, file: y}}]\n\
             clusters: [{{name: eu, adresses: []}}, {{name: us, addresses: [192.0.2.1]}}, {{name: us}}, {{name: ''}}]\n\
             names: [{{ttl: 5}}, {{name: a.example.org, ttl: soon}}, {{name: b.example.org}}, {{name: B.example.org}}]\n"
        ));
        let [zone] = &found.zones[..] else {
            panic!("{found:?}")
        };
        assert_eq!(zone.entry.file, Path::new("/etc/a.zone"));
        assert_eq!(found.clusters.len(), 1);
        let read: Vec<bool> = found.names.iter().map(|asked| asked.entry.is_some()).collect();
        assert_eq!(read, [false, true]);
        let told = [
            ["zones[1] (a..b)", "empty label"],
            ["zones[2] (Example.Org)", "twice"],
            ["clusters[0] (eu)", "adresses"],
            ["clusters[2] (us)", "twice"],
            ["clusters[3] ()", "1 to 253"],
            ["names[0]: name", "not given"],
            ["names[1] (a.example.org): ttl", "soon"],
            ["names[3] (B.example.org)", "twice"],
        ];
        assert_eq!(found.problems.len(), told.len(), "{:#?}", found.problems);
        for (problem, parts) in found.problems.iter().zip(told) {
            assert!(
                parts.iter().all(|part| problem.contains(part)),
                "{problem}: {parts:?}"
            );
        }
    }
}
