//! What an operator sees of the process: `GET /api/status`.

use std::path::PathBuf;

use lifeboat_dns::{Held, Server, Status as ServerStatus};
use lifeboat_health::{Cell, Family, FleetView, Path};
use serde::Serialize;

use super::{config::ClusterEntry, kubernetes::ControlPlaneStatus, zones::ZoneRead};
use crate::serve::state::Observer;

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
    /// In force as it says, and hardly as it is meant.
    pub(super) warnings: Vec<String>,
}

/// One zone of the configuration.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ZoneStatus {
    pub(super) name: String,
    /// `None` in Kubernetes mode.
    pub(super) file: Option<PathBuf>,
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
    /// The file, or the plan, as it was when it was last good.
    LastKnownGood,
    /// The control plane's plan as it is.
    Plan,
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
    /// Whether a check looks at it; otherwise it is answered whatever happens.
    pub(super) probed: bool,
    /// The last verdict reached.
    pub(super) verdict: String,
    /// Too few observers are fresh to decide anything: the verdict stands.
    pub(super) frozen: bool,
    pub(super) since_ms: u64,
    /// Observers with a fresh opinion.
    pub(super) fresh: u32,
    /// The profile's: with fewer fresh ones than these all is frozen.
    pub(super) min_fresh: u32,
    pub(super) abstaining: u32,
    pub(super) rtt_ms: Option<f64>,
    /// The part of its weight that is let through, 0 to 1.
    pub(super) gate: Option<f64>,
    /// It should go and stays, since nobody is known to be better.
    pub(super) held: bool,
    pub(super) held_back: bool,
}

/// All of it. The server's own part is as in `GET /api/dns` of a control plane's console.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    pub(super) version: &'static str,
    pub(super) configuration: Configuration,
    /// In Kubernetes mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) control_plane: Option<ControlPlaneStatus>,
    pub(super) zones: Vec<ZoneStatus>,
    pub(super) clusters: Vec<ClusterStatus>,
    pub(super) observers: Vec<Observer>,
    pub(super) server: ServerStatus,
}

pub(super) fn zones(zones: &[ZoneRead], held: &Held) -> Vec<ZoneStatus> {
    let status = |read: &ZoneRead| ZoneStatus {
        name: read.apex.to_string(),
        file: Some(read.file.clone()),
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

pub(super) fn clusters<'a>(
    entries: impl Iterator<Item = &'a ClusterEntry>,
    view: &FleetView,
    server: &Server,
    min_fresh: u32,
) -> Vec<ClusterStatus> {
    let gates = server.gates();
    let unprobed = Cell::default();
    let each = entries.map(|entry| {
        let families = [Family::V4, Family::V6].into_iter().filter_map(|family| {
            let cell = view.cells.get(&(entry.name.clone(), Path::Traffic, family));
            let gate = gates
                .iter()
                .find(|gate| gate.cluster == entry.name && gate.family == family);
            // Without a cell it is ordered somewhere, or it is not there.
            let shown = cell.or_else(|| gate.map(|_| &unprobed))?;
            Some(FamilyStatus {
                family: family.to_string(),
                probed: cell.is_some(),
                verdict: shown.verdict.to_string(),
                frozen: shown.frozen,
                since_ms: u64::try_from(view.at.saturating_since(shown.since).as_millis())
                    .unwrap_or(u64::MAX),
                fresh: shown.fresh,
                min_fresh,
                abstaining: shown.votes.abstain,
                rtt_ms: shown.rtt_ms,
                gate: gate.map(|gate| gate.gate),
                held: gate.is_some_and(|gate| gate.held),
                held_back: gate.is_some_and(|gate| gate.held_back.is_some()),
            })
        });
        ClusterStatus {
            name: entry.name.clone(),
            region: entry.region.clone(),
            families: families.collect(),
        }
    });
    each.collect()
}
