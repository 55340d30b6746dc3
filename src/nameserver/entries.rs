//! Entries of the lists of a configuration: each is read for itself, so that one mistake costs no other entry.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    path::Path,
};

use lifeboat_dns::Name;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

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
    /// There are more entries of this name: what was served before stays, or else the first is it.
    pub(super) twice: bool,
}

/// All entries that can be told by their names, and what is wrong with entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entries {
    pub(super) zones: Vec<ZoneAsked>,
    pub(super) clusters: Vec<ClusterEntry>,
    /// Clusters that had an entry and have none now. They are probed as they were for as long as names are answered with them.
    pub(super) departed: Vec<ClusterEntry>,
    pub(super) names: Vec<NameAsked>,
    /// Some entry may stand for any zone or name that has none: nothing that is served is removed.
    pub(super) nothing_goes: bool,
    pub(super) problems: Vec<String>,
}

impl Entries {
    /// Every cluster that is probed where it has checks.
    pub(super) fn probed(&self) -> impl Iterator<Item = &ClusterEntry> {
        self.clusters.iter().chain(&self.departed)
    }
}

/// Reads them; files of zones are relative to `folder`. A mistake changes nothing: a zone or cluster at fault is what it was `before`,
/// and where an entry cannot be told by its name, so is each that has no entry any more. A cluster that was not there before is what of
/// it can be read, or the first of several.
pub(super) fn entries(file: &DnsFile, folder: &Path, before: &Entries) -> Entries {
    let mut found = Entries::default();
    zones(file, folder, before, &mut found);
    clusters(file, before, &mut found);
    names(file, &mut found);
    found
}

/// What a list says that is at fault.
struct Faults<K> {
    /// All that the list names, well or badly.
    named: BTreeSet<K>,
    at_fault: BTreeSet<K>,
    /// Some entry has no name that can be read.
    unnamed: bool,
}

impl<K: Ord + Clone> Faults<K> {
    fn new() -> Self {
        Self {
            named: BTreeSet::new(),
            at_fault: BTreeSet::new(),
            unnamed: false,
        }
    }

    /// An entry of this name is there; whether it is the first.
    fn name(&mut self, name: &K) -> bool {
        self.named.insert(name.clone())
    }

    fn fault(&mut self, name: Option<K>) {
        match name {
            Some(name) => {
                self.named.insert(name.clone());
                self.at_fault.insert(name);
            }
            None => self.unnamed = true,
        }
    }

    /// Whether what was there before by this name stays.
    fn stays(&self, name: &K) -> bool {
        self.at_fault.contains(name) || (self.unnamed && !self.named.contains(name))
    }
}

fn zones(file: &DnsFile, folder: &Path, before: &Entries, found: &mut Entries) {
    let mut faults = Faults::new();
    for (index, value) in file.zones.iter().enumerate() {
        let read = read::<ZoneEntry>(value).and_then(|entry| {
            let (apex, file) = (name(&entry.name)?, folder.join(&entry.file));
            Ok(ZoneAsked {
                apex,
                entry: ZoneEntry { file, ..entry },
            })
        });
        let told = match read {
            Ok(zone) if faults.name(&zone.apex) => {
                found.zones.push(zone);
                continue;
            }
            Ok(_) => "name: is given twice; a zone has one file".to_owned(),
            Err(told) => told,
        };
        let place = place("zones", index, value);
        found.problems.push(format!("{place}: {told}"));
        faults.fault(named(value).and_then(|text| Name::parse(text).ok()));
    }
    for zone in before.zones.iter().filter(|zone| faults.stays(&zone.apex)) {
        found.zones.retain(|other| other.apex != zone.apex);
        found.zones.push(zone.clone());
    }
    let asked = |apex: &Name| found.zones.iter().any(|zone| zone.apex == *apex);
    found.nothing_goes |= faults.unnamed || !faults.at_fault.iter().all(asked);
}

fn clusters(file: &DnsFile, before: &Entries, found: &mut Entries) {
    let mut faults = Faults::new();
    for (index, value) in file.clusters.iter().enumerate() {
        let name = named(value).filter(|name| !name.is_empty() && name.len() <= 253);
        let told = match (read::<ClusterEntry>(value), name) {
            (Ok(entry), Some(_)) if faults.name(&entry.name) => {
                found.clusters.push(entry);
                continue;
            }
            (Ok(_), Some(_)) => "name: is given twice; each cluster is given once".to_owned(),
            (Ok(_), None) => "name: allowed are 1 to 253 characters".to_owned(),
            (Err(told), Some(name)) => {
                if faults.name(&name.to_owned()) {
                    found.clusters.extend(readable(value));
                }
                told
            }
            (Err(told), None) => told,
        };
        let place = place("clusters", index, value);
        found.problems.push(format!("{place}: {told}"));
        faults.fault(name.map(str::to_owned));
    }
    let stay = before
        .clusters
        .iter()
        .filter(|cluster| faults.stays(&cluster.name));
    let back = before
        .departed
        .iter()
        .filter(|cluster| faults.at_fault.contains(&cluster.name));
    for cluster in stay.chain(back) {
        found.clusters.retain(|other| other.name != cluster.name);
        found.clusters.push(cluster.clone());
    }
    let here: BTreeSet<&str> = found
        .clusters
        .iter()
        .map(|cluster| cluster.name.as_str())
        .collect();
    let departed = before
        .probed()
        .filter(|cluster| !here.contains(cluster.name.as_str()));
    found.departed = departed.cloned().collect();
}

fn names(file: &DnsFile, found: &mut Entries) {
    // Where the first of each name stands in `found`.
    let mut first = BTreeMap::<Name, usize>::new();
    for (index, value) in file.names.iter().enumerate() {
        let place = place("names", index, value);
        let name = named(value).map_or_else(
            || Err("name: is not given; a domain name is needed".to_owned()),
            name,
        );
        let told = match (name, read::<NameEntry>(value)) {
            (Err(told), _) => {
                found.nothing_goes = true;
                Some(told)
            }
            (Ok(name), read) => match first.entry(name.clone()) {
                Entry::Occupied(first) => {
                    found.names[*first.get()].twice = true;
                    Some("name: is given twice; each name is given once".to_owned())
                }
                Entry::Vacant(free) => {
                    free.insert(found.names.len());
                    let told = read.as_ref().err().cloned();
                    found.names.push(NameAsked {
                        name,
                        place: place.clone(),
                        entry: read.ok(),
                        twice: false,
                    });
                    told
                }
            },
        };
        found.problems.extend(told.map(|told| format!("{place}: {told}")));
    }
}

fn named(value: &Value) -> Option<&str> {
    value.get("name").and_then(Value::as_str)
}

/// An entry without the fields that keep it from being read; its name it must have.
fn readable(value: &Value) -> Option<ClusterEntry> {
    let fields = value.as_object()?;
    let mut usable = Map::new();
    usable.insert("name".to_owned(), fields.get("name")?.clone());
    for (field, given) in fields {
        usable.insert(field.clone(), given.clone());
        if ClusterEntry::deserialize(Value::Object(usable.clone())).is_err() {
            usable.remove(field);
        }
    }
    ClusterEntry::deserialize(Value::Object(usable)).ok()
}

pub(super) fn read<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
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
    match named(value) {
        Some(name) => format!("{list}[{index}] ({})", name.chars().take(253).collect::<String>()),
        None => format!("{list}[{index}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Entries {
        let file = DnsFile::parse(text, Path::new("/etc/dns.yaml")).unwrap();
        entries(&file, Path::new("/etc"), &Entries::default())
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
        let clusters: Vec<&str> = found.clusters.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(clusters, ["eu", "us"]);
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

    #[test]
    fn a_cluster_at_fault_is_what_it_was_or_what_can_be_read_of_it() {
        let good = "clusters: [{name: eu, region: europe, addresses: [192.0.2.1], checks: [{kind: tcp}]}]";
        let before = of(&format!("{LISTEN}{good}"));
        let bad = format!(
            "{LISTEN}{}",
            good.replace("region", "regoin").replace("2.1]", "2.9]")
        );
        let file = DnsFile::parse(&bad, Path::new("/etc/dns.yaml")).unwrap();
        let found = entries(&file, Path::new("/etc"), &before);
        assert_eq!((found.clusters, found.problems.len()), (before.clusters, 1));
        let at_start = of(&bad);
        let [eu] = &at_start.clusters[..] else {
            panic!("{at_start:?}")
        };
        assert_eq!((eu.addresses.len(), eu.checks.len()), (1, 1));
        assert!(at_start.problems[0].contains("regoin"), "{:?}", at_start.problems);
    }

    /// After `before`, whose clusters are eu and us and whose zone is example.org.
    #[track_caller]
    fn check(before: &Entries, text: &str, clusters: &[&str], departed: &[&str]) -> Entries {
        let file = DnsFile::parse(&format!("{LISTEN}{text}"), Path::new("/etc/dns.yaml")).unwrap();
        let found = entries(&file, Path::new("/etc"), before);
        let names = |clusters: &[ClusterEntry]| -> Vec<String> {
            clusters.iter().map(|entry| entry.name.clone()).collect()
        };
        assert_eq!(names(&found.clusters), clusters, "{text}");
        assert_eq!(names(&found.departed), departed, "{text}");
        found
    }

    #[test]
    fn a_mistake_takes_no_cluster_away() {
        let both = "clusters: [{name: eu, region: old}, {name: us, region: old}]";
        let before = of(&format!("{LISTEN}{both}"));
        let regions = |found: &Entries| -> Vec<String> {
            found.clusters.iter().map(|entry| entry.region.clone()).collect()
        };
        // Who has no name may be any of those that have no entry.
        for unnamed in ["{nmae: us}", "{name: 5}", "{name: ''}", "7"] {
            let text = format!("clusters: [{{name: eu, region: new}}, {unnamed}]");
            let found = check(&before, &text, &["eu", "us"], &[]);
            assert_eq!(
                (regions(&found), found.problems.len()),
                (vec!["new".to_owned(), "old".to_owned()], 1)
            );
        }
        // Of two, neither, but what was there; where nothing was, the first.
        let twice = "clusters: [{name: us, region: 1st}, {name: us, region: 2nd}, {name: eu}]";
        assert_eq!(regions(&check(&before, twice, &["eu", "us"], &[]))[1], "old");
        assert_eq!(
            regions(&check(&Entries::default(), twice, &["us", "eu"], &[]))[0],
            "1st"
        );
        // Who is left out has departed, until it is back, well or badly.
        let gone = check(&before, "clusters: [{name: eu}]", &["eu"], &["us"]);
        let gone = check(&gone, "clusters: [{name: eu}]", &["eu"], &["us"]);
        check(&gone, both, &["eu", "us"], &[]);
        let back = check(
            &gone,
            "clusters: [{name: eu}, {name: us, regoin: x}]",
            &["eu", "us"],
            &[],
        );
        assert_eq!(regions(&back)[1], "old");
    }

    #[test]
    fn a_mistake_takes_no_zone_away() {
        let both = "zones: [{name: a.example, file: a}, {name: b.example, file: b}]";
        let before = of(&format!("{LISTEN}{both}"));
        let files = |text: &str, before: &Entries| {
            let found = check(before, text, &[], &[]);
            let files = found
                .zones
                .iter()
                .map(|zone| zone.entry.file.display().to_string());
            (files.collect::<Vec<_>>().join(" "), found.nothing_goes)
        };
        let a = "{name: a.example, file: a2}";
        for (other, expected) in [
            ("{name: b.example, fiel: b2}", "/etc/a2 /etc/b"),
            ("{nmae: b.example, file: b2}", "/etc/a2 /etc/b"),
            ("{name: b..example, file: b2}", "/etc/a2 /etc/b"),
            ("{name: a.example, file: a3}", "/etc/a"),
        ] {
            let (found, _) = files(&format!("zones: [{a}, {other}]"), &before);
            assert_eq!(found, expected, "{other}");
        }
        // At a start, a zone that is served from last-known-good is not to go for a mistake.
        let start = |text: &str| files(&format!("zones: [{text}]"), &Entries::default());
        assert_eq!(start("{name: b.example, fiel: b2}"), (String::new(), true));
        assert_eq!(start(&format!("{a}, {a}")), ("/etc/a2".to_owned(), false));
        assert_eq!(start(a), ("/etc/a2".to_owned(), false));
    }
}
