//! What is wrong with a configuration and its zones, as far as this machine tells without the network.

use std::path::Path;

use lifeboat_dns::{GeoTable, Held, Protocol};
use lifeboat_health::{Consumer, Target};

use super::{
    DnsFile, admin,
    config::{ClusterEntry, Probing},
    entries::{Entries, entries},
    hearing,
    kubernetes::reach,
    plan::plan,
    privileges::Account,
    protocol::protocol,
    targets,
    unchecked::unchecked,
    zones::{self, ZoneRead},
};
use crate::observe::{anchors, check::NO_ANCHORS};

/// What `--check` found.
#[derive(Debug, Default)]
pub struct Found {
    /// What keeps something of the configuration from being served as it says.
    pub errors: Vec<String>,
    pub warnings: Vec<String>,
    pub zones: usize,
    pub names: usize,
    pub clusters: usize,
}

/// Reads every zone and checks the rest. `path` is where the file was read.
pub async fn check(file: &DnsFile, path: &Path) -> Found {
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let entries = entries(file, folder, &Entries::default());
    let mut found = Found {
        errors: entries.problems.clone(),
        clusters: entries.clusters.len(),
        ..Found::default()
    };
    let zones: Vec<ZoneRead> = entries
        .zones
        .iter()
        .map(|zone| zones::read(&zone.apex, &zone.entry.file).0)
        .collect();
    for zone in &zones {
        let problems = zone.told.problems.iter().cloned();
        if zone.zone.is_ok() {
            found.warnings.extend(problems);
        } else {
            found.errors.extend(problems);
        }
    }
    let (targets, problems) = targets::targets(&entries.clusters, &file.observers.profile(), &[]);
    found.errors.extend(problems);
    let unwatched = entries
        .clusters
        .iter()
        .filter_map(|cluster| targets::unwatched(cluster, &targets));
    found.warnings.extend(unwatched);
    let planned = plan(&entries, &zones, &Held::default());
    found.errors.extend(planned.problems);
    if !matches!(file.observers.probing(), Ok(Probing::Nobody)) {
        found.warnings.extend(unchecked(&planned.plan.names, &targets));
    }
    match lifeboat_dns::Catalog::default().applied(&planned.plan) {
        Ok((_, applied)) => {
            found
                .errors
                .extend(applied.rejected.iter().map(ToString::to_string));
            (found.zones, found.names) = (applied.zones, applied.names);
        }
        Err(refused) => found.errors.push(refused.to_string()),
    }
    if let Some(entry) = &file.kubernetes
        && let Err(error) = reach(entry).await
    {
        found.errors.push(format!("{error:#}"));
    }
    let profile = file.observers.profile();
    if let Err(error) = profile.validate() {
        found.errors.push(format!("observers.profile: {error}"));
    }
    if let Err(error) = GeoTable::load(&file.geo.sources()) {
        found.errors.push(format!("geo: {error}"));
    }
    let (_, problem) = protocol(file, &Protocol::default());
    found.errors.extend(problem);
    let twice = hearing::twice(&file.observers);
    found.errors.extend(
        twice
            .iter()
            .map(|name| format!("observers.names: {name} is given twice")),
    );
    if let Some(tls) = &file.observers.tls {
        let checked = tls
            .identity()
            .and_then(|identity| Ok(Consumer::check_identity("dns", &identity, &profile)?));
        if let Err(error) = checked {
            found.errors.push(format!("observers.tls: {error:#}"));
        }
        let warning = tls.renewal_warning();
        found
            .warnings
            .extend(warning.map(|told| format!("observers.{told}")));
    }
    found
        .errors
        .extend(anchors::of_raw("observers.anchors", &file.observers.anchors).1);
    if !file.observers.names.is_empty()
        && let Err(error) = profile.check_observers(hearing::once(&file.observers))
    {
        found.errors.push(format!("observers.names: {error}"));
    }
    found.warnings.extend(unread(file, &entries.clusters));
    let probes_itself = matches!(file.observers.probing(), Ok(Probing::Builtin));
    let probes = !targets.is_empty() || file.kubernetes.is_some();
    if probes_itself && probes && file.observers.anchors.is_empty() {
        found.warnings.push(format!("observers.anchors: {NO_ANCHORS}"));
    }
    if let Some(address) = file.admin
        && let Err(error) = admin::guard(file, address)
    {
        found.errors.push(format!("{error:#}"));
    }
    if let Some(user) = &file.user
        && let Err(error) = Account::find(user)
    {
        found.errors.push(format!("{error:#}"));
    }
    found
}

/// What is probed, and what is wrong with checks.
pub fn targets(file: &DnsFile, path: &Path) -> (Vec<Target>, Vec<String>) {
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let clusters = entries(file, folder, &Entries::default()).clusters;
    targets::targets(&clusters, &file.observers.profile(), &[])
}

/// What is given and changes nothing.
fn unread(file: &DnsFile, clusters: &[ClusterEntry]) -> Vec<String> {
    let mut told = Vec::new();
    if file.observers.listen.is_some() && !file.observers.anchors.is_empty() {
        told.push(
            "observers.anchors: are given beside observers.listen, and only the builtin observer has anchors"
                .to_owned(),
        );
    }
    let unprobed = clusters
        .iter()
        .filter(|cluster| cluster.detection.is_some() && cluster.checks.is_empty());
    told.extend(unprobed.map(|cluster| {
        format!(
            "cluster {}: has detection and no checks, so nothing is detected",
            cluster.name
        )
    }));
    told
}
