//! What an operator sees of the process: `GET /api/status`.

use std::path::PathBuf;

use lifeboat_dns::{Held, Server, Status as ServerStatus};
use lifeboat_health::{FleetView, ObserverView, Path};
use serde::Serialize;

use super::{
    config::{ClusterEntry, ObserverEntry},
    zones::ZoneRead,
};

/// What became of the configuration, as of the last look at its files.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Configuration {
    pub(super) path: PathBuf,
    /// Why the file is not in force; then that is so whose text was last good.
    pub(super) refused: Option<String>,
    /// Started with the last good configuration, because the file could not be read then, and still on it.
    pub(super) last_known_good: bool,
    /// Changed in the file, and in force only after a restart.
    pub(super) after_restart: Vec<String>,
    /// Parts of the configuration that are left out or stay what they were, each with its place.
    pub(super) problems: Vec<String>,
}

/// One zone of the configuration.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ZoneStatus {
    pub(super) name: String,
    pub(super) file: PathBuf,
    pub(super) serving: Serving,
    pub(super) errors: usize,
    pub(super) warnings: usize,
    /// The first problems, `file:line:column: severity: what`.
    pub(super) problems: Vec<String>,
}

/// What of a zone is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Serving {
    /// The file as it is.
    File,
    /// The file as it was when it was last good.
    LastKnownGood,
    /// SERVFAIL.
    Nothing,
}

/// One cluster of the configuration, with a row for each family that is probed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClusterStatus {
    pub(super) name: String,
    pub(super) region: String,
    pub(super) families: Vec<FamilyStatus>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FamilyStatus {
    pub(super) family: String,
    /// The last verdict reached.
    pub(super) verdict: String,
    /// Too few observers are fresh to decide anything: the verdict stands.
    pub(super) frozen: bool,
    pub(super) since_ms: u64,
    /// Observers with a fresh opinion, and how many there must be to decide anything.
    pub(super) fresh: u32,
    pub(super) needed: u32,
    pub(super) abstaining: u32,
    pub(super) rtt_ms: Option<f64>,
    /// The part of its weight that is let through, 0 to 1.
    pub(super) gate: Option<f64>,
    /// It should go and stays, since nobody is known to be better.
    pub(super) held: bool,
    pub(super) held_back: bool,
}

/// One observer that was heard.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObserverStatus {
    pub(super) name: String,
    pub(super) region: String,
    pub(super) fresh: bool,
    pub(super) abstaining: bool,
    /// `None` for one that is named and was never heard.
    pub(super) age_ms: Option<u32>,
}

/// All of it. The server's own part is as in `GET /api/dns` of a control plane's console.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    pub(super) version: &'static str,
    pub(super) configuration: Configuration,
    pub(super) zones: Vec<ZoneStatus>,
    pub(super) clusters: Vec<ClusterStatus>,
    pub(super) observers: Vec<ObserverStatus>,
    pub(super) server: ServerStatus,
}

pub(super) fn zones(zones: &[ZoneRead], held: &Held) -> Vec<ZoneStatus> {
    let status = |read: &ZoneRead| ZoneStatus {
        name: read.apex.to_string(),
        file: read.file.clone(),
        serving: match &read.zone {
            Ok(_) => Serving::File,
            Err(_) if held.zones.contains(&read.apex) => Serving::LastKnownGood,
            Err(_) => Serving::Nothing,
        },
        errors: read.told.errors,
        warnings: read.told.warnings,
        problems: read.told.problems.clone(),
    };
    zones.iter().map(status).collect()
}

pub(super) fn clusters(
    entries: &[ClusterEntry],
    view: &FleetView,
    server: &Server,
    min_fresh: u32,
) -> Vec<ClusterStatus> {
    let gates = server.gates();
    let each = entries.iter().map(|entry| {
        let cells = view
            .cells
            .iter()
            .filter(|((cluster, path, _), _)| *cluster == entry.name && *path == Path::Traffic);
        let families = cells.map(|((_, _, family), cell)| {
            let gate = gates
                .iter()
                .find(|gate| gate.cluster == entry.name && gate.family == *family);
            FamilyStatus {
                family: family.to_string(),
                verdict: format!("{:?}", cell.verdict),
                frozen: cell.frozen,
                since_ms: u64::try_from(view.at.saturating_since(cell.since).as_millis()).unwrap_or(u64::MAX),
                fresh: cell.fresh,
                needed: cell.q.max(min_fresh),
                abstaining: cell.votes.abstain,
                rtt_ms: cell.rtt_ms,
                gate: gate.map(|gate| gate.gate),
                held: gate.is_some_and(|gate| gate.held),
                held_back: gate.is_some_and(|gate| gate.held_back.is_some()),
            }
        });
        ClusterStatus {
            name: entry.name.clone(),
            region: entry.region.clone(),
            families: families.collect(),
        }
    });
    each.collect()
}

/// Those that were heard, and those that are named and were not.
pub(super) fn observers(view: &FleetView, named: &[ObserverEntry]) -> Vec<ObserverStatus> {
    let status = |observer: &ObserverView| ObserverStatus {
        name: observer.name.clone(),
        region: observer.region.clone(),
        fresh: observer.fresh,
        abstaining: observer.abstaining,
        age_ms: Some(observer.age_ms),
    };
    let never = |entry: &&ObserverEntry| view.observers.iter().all(|heard| heard.name != entry.name);
    let never = named.iter().filter(never).map(|entry| ObserverStatus {
        name: entry.name.clone(),
        region: entry.region.clone(),
        fresh: false,
        abstaining: false,
        age_ms: None,
    });
    view.observers.iter().map(status).chain(never).collect()
}
