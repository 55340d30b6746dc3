//! Brings what is heard of clusters and observers into force.

use std::collections::BTreeSet;

use lifeboat_dns::Held;
use lifeboat_health::{Path as Tested, Target};

use super::{ControlPlane, Fleet};
use crate::{
    nameserver::{
        config::{ClusterEntry, Observers, Probing},
        entries::Entries,
        keeper::Keeper,
        status::{Serving, ZoneStatus},
    },
    observe::with_departed,
};

impl Keeper {
    /// What is heard, and decided about: what Cluster objects ask for, and what was probed of clusters that nothing asks for any more while
    /// names are answered with them.
    pub(in crate::nameserver) fn followed_targets(
        &self,
        plane: &ControlPlane,
        held: &[Target],
    ) -> Vec<Target> {
        let targets = with_departed(&plane.fleet().targets, held, &self.running.server.clusters());
        // The builtin observer probes for the answers alone, which follow the traffic path.
        let all = !matches!(self.file.observers.probing(), Ok(Probing::Builtin));
        let asked = |target: &Target| all || target.path == Tested::Traffic;
        targets.into_iter().filter(asked).collect()
    }

    /// The settings of observers, with the names of those who count: of the configuration, or else of Observer objects.
    pub(in crate::nameserver) fn observers(&self) -> Observers {
        let given = self.file.observers.clone();
        match &self.running.plane {
            Some(plane) if given.listen.is_some() && given.names.is_empty() => Observers {
                names: plane.observers(),
                ..given
            },
            Some(_) | None => given,
        }
    }

    /// Brings it into force where anything differs from before.
    pub(in crate::nameserver) fn settle(&mut self, plane: &ControlPlane, changed: bool) {
        let (targets, _) = self.targets();
        let fleet = Fleet {
            targets,
            ..plane.fleet()
        };
        let differs = plane.known() && *plane.kept.lock() != Some(fleet.clone());
        if changed || differs {
            self.hear();
        }
        if differs {
            if let Err(error) = fleet.save(&self.file.state) {
                tracing::error!(%error, "the fleet is not kept for the next start");
            }
            *plane.kept.lock() = Some(fleet.clone());
        }
        let mut problems: Vec<String> = fleet.departed().into_iter().map(departed).collect();
        problems.extend(self.settings_problems());
        self.entries = entries(&fleet, self.running.server.clusters());
        self.tell(Vec::new(), problems, Vec::new());
        plane.measure(&self.running.server.problems());
    }
}

fn departed(cluster: &str) -> String {
    format!(
        "cluster {cluster}: has no Cluster object any more, and names are still answered with it: it is probed as it was"
    )
}

/// All clusters that there are or that names are answered with.
fn entries(fleet: &Fleet, answered: BTreeSet<String>) -> Entries {
    let region = |name: &str| fleet.regions.get(name).cloned().unwrap_or_default();
    let names = answered.into_iter().chain(fleet.regions.keys().cloned());
    let probed = fleet.targets.iter().map(|target| target.cluster.clone());
    let all: BTreeSet<String> = names.chain(probed).collect();
    let cluster = |name: String| ClusterEntry {
        region: region(&name),
        name,
        location: None,
        addresses: Vec::new(),
        checks: Vec::new(),
        detection: None,
    };
    Entries {
        clusters: all.into_iter().map(cluster).collect(),
        ..Entries::default()
    }
}

/// The zones that are served. `current`: as the control plane has published them.
pub(in crate::nameserver) fn zones(held: &Held, current: bool) -> Vec<ZoneStatus> {
    let status = |apex: &lifeboat_dns::Name| ZoneStatus {
        name: apex.to_string(),
        file: None,
        serving: if current {
            Serving::Plan
        } else {
            Serving::LastKnownGood
        },
        errors: 0,
        warnings: 0,
        problems: Vec::new(),
    };
    held.zones.iter().map(status).collect()
}
