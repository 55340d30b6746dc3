//! From a configuration and its zones to the plan that the server applies. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use lifeboat_dns::{BrokenZone, EndpointInput, Filter, Geo, Held, Name, NameInput, SnapshotInput, Stamp};
use serde_json::Value;

use super::{
    config::{ClusterEntry, MAX_NAME_TTL_S, NameEntry},
    entries::{Entries, NameAsked},
    zones::ZoneRead,
};

/// The fleet of every plan that is made from a configuration file.
pub(super) const FLEET: &str = "standalone";

/// A plan, and what in the configuration it leaves out.
#[derive(Debug, Default)]
pub(super) struct Planned {
    pub(super) plan: SnapshotInput,
    pub(super) problems: Vec<String>,
}

/// `held` is what the server has: a zone or name that cannot be made stays what it was there, and what is not asked for any
/// more is removed, unless some entry may stand for it.
pub(super) fn plan(entries: &Entries, zones: &[ZoneRead], held: &Held) -> Planned {
    let mut planned = Planned::default();
    let plan = &mut planned.plan;
    plan.stamp = next(held);
    for zone in zones {
        match &zone.zone {
            Ok(read) => plan.files.push(read.clone()),
            Err(reason) => plan.broken.push(BrokenZone {
                name: zone.apex.to_string(),
                reason: reason.clone(),
            }),
        }
    }
    let clusters: BTreeMap<&str, &ClusterEntry> = entries
        .clusters
        .iter()
        .map(|cluster| (cluster.name.as_str(), cluster))
        .collect();
    for asked in &entries.names {
        let Some(entry) = &asked.entry else { continue };
        if asked.twice && held.names.contains(&asked.name) {
            continue;
        }
        match name(asked, entry, &clusters, zones, &plan.stamp) {
            Ok(name) => plan.names.push(name),
            Err(told) => planned.problems.push(format!("{}: {told}", asked.place)),
        }
    }
    let asked: BTreeSet<&Name> = zones
        .iter()
        .map(|zone| &zone.apex)
        .chain(entries.names.iter().map(|asked| &asked.name))
        .collect();
    let gone = held
        .names
        .iter()
        .chain(&held.zones)
        .filter(|name| !asked.contains(name));
    plan.removed = gone.map(Name::to_string).collect();
    if let (true, Some(first)) = (entries.nothing_goes, plan.removed.first()) {
        planned.problems.push(format!(
            "{first}{}: no entry is theirs, and they stay: one that is at fault may be",
            and_more(plan.removed.len())
        ));
        plan.removed.clear();
    }
    planned
}

/// What follows the first of so many.
pub(super) fn and_more(count: usize) -> String {
    match count {
        0 | 1 => String::new(),
        count => format!(" and {} more", count - 1),
    }
}

/// Greater than every stamp before, also of earlier processes.
fn next(held: &Held) -> Stamp {
    let (epoch, seq) = held.stamp.as_ref().map_or((1, 0), Stamp::order);
    let fleet_uid = held.stamp.as_ref().map_or(FLEET, |stamp| &stamp.fleet_uid);
    Stamp {
        fleet_uid: fleet_uid.to_owned(),
        epoch,
        seq: seq + 1,
    }
}

fn name(
    asked: &NameAsked,
    entry: &NameEntry,
    clusters: &BTreeMap<&str, &ClusterEntry>,
    zones: &[ZoneRead],
    stamp: &Stamp,
) -> Result<NameInput, String> {
    let above = zones.iter().filter(|zone| asked.name.is_within(&zone.apex));
    let zone = above.max_by_key(|zone| zone.apex.label_count()).ok_or_else(|| {
        let zones: Vec<String> = zones.iter().map(|zone| zone.apex.to_string()).collect();
        format!("name: lies in none of the zones; zones: {}", zones.join(", "))
    })?;
    if entry.ttl > MAX_NAME_TTL_S {
        return Err(format!(
            "ttl: is {}; at most {MAX_NAME_TTL_S} seconds are allowed",
            entry.ttl
        ));
    }
    let mut steer = filters(entry)?;
    if let Some(geo) = steer.iter_mut().find_map(geo) {
        locate(geo, entry, clusters);
    }
    let serving = serving(entry, &steer, clusters)?;
    let mut endpoints = Vec::new();
    for cluster in serving {
        let own = entry.addresses.get(cluster);
        let shared = clusters.get(cluster).map(|cluster| &cluster.addresses);
        let addresses: &Vec<IpAddr> = own
            .or(shared)
            .ok_or_else(|| unknown("clusters", cluster, clusters))?;
        if addresses.is_empty() {
            return Err(format!(
                "addresses: neither the cluster {cluster} nor the name has any for it; at least one is needed"
            ));
        }
        endpoints.push(EndpointInput {
            cluster: cluster.to_owned(),
            addresses: addresses.clone(),
            weight: 1,
        });
    }
    Ok(NameInput {
        name: asked.name.to_string(),
        zone: zone.apex.to_string(),
        epoch: stamp.epoch,
        seq: stamp.seq,
        ttl: entry.ttl,
        on_all_down: entry.on_all_down.clone(),
        degraded_ttl: entry.degraded_ttl,
        https: entry.https.clone(),
        svcb: entry.svcb.clone(),
        steer,
        endpoints,
    })
}

/// The clusters that serve a name, in the order of the configuration.
fn serving<'a>(
    entry: &'a NameEntry,
    steer: &'a [Filter],
    clusters: &BTreeMap<&'a str, &'a ClusterEntry>,
) -> Result<Vec<&'a str>, String> {
    let named: Vec<&str> = steer
        .iter()
        .flat_map(Filter::clusters)
        .chain(entry.addresses.keys().map(String::as_str))
        .collect();
    if let Some(asked) = &entry.clusters {
        if let Some(left_out) = named
            .iter()
            .find(|named| !asked.iter().any(|asked| asked == *named))
        {
            return Err(format!(
                "clusters: does not have {left_out}, which steer or addresses name"
            ));
        }
        return distinct("clusters", asked.iter().map(String::as_str));
    }
    if named.is_empty() {
        return Ok(clusters.keys().copied().collect());
    }
    let named: BTreeSet<&str> = named.into_iter().collect();
    Ok(named.into_iter().collect())
}

fn distinct<'a>(field: &str, names: impl Iterator<Item = &'a str>) -> Result<Vec<&'a str>, String> {
    let mut found = Vec::new();
    for name in names {
        if found.contains(&name) {
            return Err(format!("{field}: has {name} twice"));
        }
        found.push(name);
    }
    Ok(found)
}

fn unknown(field: &str, cluster: &str, clusters: &BTreeMap<&str, &ClusterEntry>) -> String {
    let known: Vec<&str> = clusters.keys().copied().collect();
    format!(
        "{field}: the cluster {cluster} is not known; known: {}",
        known.join(", ")
    )
}

/// The filters of a name; without any, all its clusters are answered.
fn filters(entry: &NameEntry) -> Result<Vec<Filter>, String> {
    if entry.steer.is_empty() {
        return Ok(vec![Filter::All {}]);
    }
    let filters = entry.steer.iter().enumerate();
    let read = |(index, filter): (usize, &Value)| {
        serde_path_to_error::deserialize(filter).map_err(|error| match error.path().to_string().as_str() {
            "." => format!("steer[{index}]: {}", error.inner()),
            path => format!("steer[{index}].{path}: {}", error.inner()),
        })
    };
    filters.map(read).collect()
}

fn geo(filter: &mut Filter) -> Option<&mut Geo> {
    if let Filter::Geo(geo) = filter {
        Some(geo)
    } else {
        None
    }
}

/// Clusters that may serve the name, and that the filter gives no location, have their own.
fn locate(geo: &mut Geo, entry: &NameEntry, clusters: &BTreeMap<&str, &ClusterEntry>) {
    let serves = |name: &str| {
        entry
            .clusters
            .as_ref()
            .is_none_or(|serving| serving.iter().any(|one| one == name))
    };
    for (name, cluster) in clusters.iter().filter(|(name, _)| serves(name)) {
        if let Some(location) = cluster.location {
            geo.locations.entry((*name).to_owned()).or_insert(location);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::nameserver::{DnsFile, entries::entries, zones::Told};

    const CLUSTERS: &str = "clusters: [{name: eu, addresses: [192.0.2.1], location: {latitude: 50, longitude: 8}}, \
                            {name: us, addresses: [192.0.2.2]}]\n";

    fn broken(apex: &str) -> ZoneRead {
        ZoneRead {
            apex: Name::parse(apex).unwrap(),
            file: "x.zone".into(),
            zone: Err("x.zone:1:1: error".to_owned()),
            told: Told::default(),
        }
    }

    /// The plan of a configuration with these names, in a zone that is known by its apex alone.
    fn planned(names: &str, held: &Held) -> Planned {
        let text = format!("listen: [{{address: '127.0.0.1:0'}}]\n{CLUSTERS}names:\n{names}");
        let file = DnsFile::parse(&text, Path::new("/etc/dns.yaml")).unwrap();
        let zones = [broken("example.org"), broken("sub.example.org")];
        plan(
            &entries(&file, Path::new("/etc"), &Entries::default()),
            &zones,
            held,
        )
    }

    /// Which clusters a name is served by.
    #[track_caller]
    fn check(entry: &str, clusters: &[&str]) {
        let planned = planned(&format!("- {{name: a.example.org, {entry}}}\n"), &Held::default());
        assert_eq!(planned.problems, Vec::<String>::new());
        let found: Vec<&str> = planned.plan.names[0]
            .endpoints
            .iter()
            .map(|end| end.cluster.as_str())
            .collect();
        assert_eq!(found, clusters, "{entry}");
    }

    #[test]
    fn a_name_is_served_by_the_clusters_that_it_names() {
        check("ttl: 5", &["eu", "us"]);
        check("clusters: [us]", &["us"]);
        check("steer: [{weighted: {eu: 1}}]", &["eu"]);
        check("steer: [{failover: {tiers: [[us], [eu]]}}]", &["eu", "us"]);
        check("addresses: {elsewhere: [192.0.2.9]}", &["elsewhere"]);
    }

    #[test]
    fn the_closest_zone_has_the_name_and_a_broken_one_is_told() {
        let planned = planned(
            "- {name: a.sub.example.org}\n- {name: a.example.org}\n",
            &Held::default(),
        );
        let zones: Vec<&str> = planned.plan.names.iter().map(|name| name.zone.as_str()).collect();
        assert_eq!(zones, ["sub.example.org", "example.org"]);
        assert_eq!(planned.plan.broken.len(), 2);
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let told = |entry: &str| {
            let planned = planned(&format!("- {entry}\n"), &Held::default());
            assert!(planned.plan.names.is_empty(), "{entry}");
            planned.problems.join("\n")
        };
        for (entry, parts) in [
            (
                "{name: a.example.com}",
                ["names[0] (a.example.com): name", "example.org"],
            ),
            (
                "{name: a.example.org, clusters: [asia]}",
                ["clusters: the cluster asia", "eu, us"],
            ),
            ("{name: a.example.org, ttl: 90000}", ["ttl: is 90000", "86400"]),
            ("{name: a.example.org, clusters: [eu, eu]}", ["clusters", "twice"]),
            (
                "{name: a.example.org, clusters: [eu], steer: [{weighted: {us: 1}}]}",
                ["clusters", "us"],
            ),
            (
                "{name: a.example.org, steer: [{health: {}}, {wieghted: {}}]}",
                ["steer[1]", "wieghted"],
            ),
            (
                "{name: a.example.org, steer: [{weighted: {eu: -1}}]}",
                ["steer[0].weighted.eu", "-1"],
            ),
        ] {
            let told = told(entry);
            assert!(parts.iter().all(|part| told.contains(part)), "{entry}: {told}");
        }
    }

    #[test]
    fn what_is_asked_for_no_more_is_removed_and_what_cannot_be_read_stays() {
        let name = |text: &str| Name::parse(text).unwrap();
        let held = Held {
            stamp: Some(Stamp {
                fleet_uid: FLEET.to_owned(),
                epoch: 1,
                seq: 7,
            }),
            zones: vec![name("example.org"), name("gone.example")],
            names: vec![name("a.example.org"), name("old.example.org")],
        };
        let planned = planned("- {name: a.example.org, ttl: soon}\n", &held);
        assert_eq!(planned.plan.removed, ["old.example.org", "gone.example"]);
        assert_eq!((planned.plan.stamp.epoch, planned.plan.stamp.seq), (1, 8));
    }

    #[test]
    fn nothing_is_removed_while_an_entry_may_be_anybodys_and_of_two_what_was_served_stays() {
        let name = |text: &str| Name::parse(text).unwrap();
        let held = Held {
            names: vec![name("a.example.org"), name("b.example.org")],
            zones: vec![name("gone.example")],
            ..Held::default()
        };
        let (a, b) = ("- {name: a.example.org}\n", "- {nmae: b.example.org}\n");
        let mistyped = planned(&format!("{a}{b}"), &held);
        assert_eq!(mistyped.plan.removed, Vec::<String>::new());
        assert!(
            mistyped.problems[0].starts_with("b.example.org and 1 more: no entry is theirs"),
            "{:?}",
            mistyped.problems
        );
        let twice = planned(
            &format!("{a}{a}- {{name: c.example.org}}\n- {{name: c.example.org}}\n"),
            &held,
        );
        let made: Vec<&str> = twice.plan.names.iter().map(|name| name.name.as_str()).collect();
        assert_eq!(made, ["c.example.org"]);
        assert_eq!(twice.plan.removed, ["b.example.org", "gone.example"]);
    }

    #[test]
    fn the_filter_geo_knows_where_clusters_are() {
        let text = "- {name: a.example.org, steer: [{geo: {countries: {us: [US]}}}], clusters: [eu, us]}\n";
        let planned = planned(text, &Held::default());
        let [Filter::Geo(geo)] = &planned.plan.names[0].steer[..] else {
            panic!("{:?}", planned.plan.names[0].steer);
        };
        assert_eq!(geo.locations.keys().collect::<Vec<_>>(), ["eu"]);
    }
}
