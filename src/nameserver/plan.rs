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
/// more is removed.
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
    planned
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
