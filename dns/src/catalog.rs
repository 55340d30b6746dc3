//! All zones and names the server holds, in checked form, and the rules by which a plan changes them.
//!
//! A plan that is not newer, or of another fleet, is refused whole. Inside a newer one each record set keeps its own
//! stamp: a lower one is skipped; a bad one is rejected, named, and leaves what was there; nothing disappears unless
//! `removed` says so. So no plan, however bad, can empty a live name.

pub(crate) mod check;
pub(crate) mod held;
mod kept;
mod names;
mod problem;
mod services;
mod zones;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use thiserror::Error;

use crate::gate::table::GateTable;
use crate::input::SnapshotInput;
use crate::name::{Name, wire};
use crate::snapshot::Snapshot;
use crate::snapshot::build::{self, BuildError};
use crate::stamp::Stamp;
use check::CheckedName;
use held::HeldZone;
pub(crate) use kept::Kept;
pub use problem::Problem;
use services::Targets;

/// What a plan did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    pub stamp: Stamp,
    /// Zones and names held after the plan.
    pub zones: usize,
    pub names: usize,
    /// Zones and names the plan created or changed.
    pub changed: usize,
    /// Record sets older than what is held.
    pub skipped: usize,
    pub removed: usize,
    /// Parts of the plan that were not taken; what was there before stays.
    pub rejected: Vec<Problem>,
}

/// What a maker of plans must know of the one in force: what its next plan has to exceed, and may remove.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The highest stamp ever accepted.
    pub stamp: Option<Stamp>,
    pub zones: Vec<Name>,
    pub names: Vec<Name>,
}

/// Why a whole plan was refused. What was there before stays.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    #[error(
        "the plan is of fleet {theirs}, this server follows fleet {ours}; to follow another, start with an empty state folder"
    )]
    ForeignFleet { ours: String, theirs: String },
    #[error("the plan's stamp {offered} is not newer than {current}")]
    NotNewer { current: Stamp, offered: Stamp },
    #[error(
        "the plan's stamp {offered} is older than ({epoch}, {seq}), which this server served before it restarted"
    )]
    BelowHighWater { epoch: u64, seq: u64, offered: Stamp },
    #[error("the plan's stamp has no fleetUid; it names the control plane that made the plan")]
    NoFleet,
    #[error("the plan cannot be served: {0}")]
    Build(#[from] BuildError),
}

/// Zones and names by name, in canonical order. Cheap to clone: the entries are shared.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    stamp: Option<Stamp>,
    /// The highest stamp ever accepted; it also names the fleet where no plan is held.
    high_water: Option<Stamp>,
    zones: Arc<BTreeMap<Name, HeldZone>>,
    /// Zones that could not be loaded and of which no earlier version is held, with the reasons.
    broken: BTreeMap<Name, String>,
    names: Arc<BTreeMap<Name, Arc<CheckedName>>>,
    targets: Arc<Targets>,
    /// The serials under which zones of master files that are not held were served before a restart.
    remembered: BTreeMap<Name, u32>,
}

impl Catalog {
    /// The stamp of the last plan applied.
    #[must_use]
    pub fn stamp(&self) -> Option<&Stamp> {
        self.stamp.as_ref()
    }

    /// Refuses plans older than the newest one this server is known to have accepted, even before a restart.
    pub fn remember_high_water(&mut self, stamp: &Stamp) {
        if self
            .high_water
            .as_ref()
            .is_none_or(|held| held.order() < stamp.order())
        {
            self.high_water = Some(stamp.clone());
        }
    }

    /// The catalog after `plan`, and what the plan did. `self` is unchanged, so a failed build loses nothing.
    pub fn applied(&self, plan: &SnapshotInput) -> Result<(Self, Applied), Refused> {
        self.fence(&plan.stamp)?;
        let mut next = self.clone();
        let mut outcome = Applied {
            stamp: plan.stamp.clone(),
            zones: 0,
            names: 0,
            changed: 0,
            skipped: 0,
            removed: 0,
            rejected: Vec::new(),
        };
        next.stamp = Some(plan.stamp.clone());
        next.remember_high_water(&plan.stamp);
        // The zones of which something changes: their serials rise.
        let mut touched = BTreeSet::new();
        next.remove_names(&plan.removed, &mut touched, &mut outcome);
        next.take_zones(plan, &mut touched, &mut outcome);
        next.take_broken(&plan.broken, &mut outcome);
        next.take_names(&plan.names, &mut touched, &mut outcome);
        next.remove_zones(plan, &mut outcome);
        next.raise_serials(self, &touched);
        outcome.zones = next.zones.len();
        outcome.names = next.names.len();
        Ok((next, outcome))
    }

    /// Builds what is served.
    pub fn build(&self, gates: &GateTable) -> Result<Snapshot, BuildError> {
        let Some(stamp) = &self.stamp else {
            return Ok(Snapshot::empty());
        };
        let names = self.names.values().map(|name| &**name);
        build::snapshot(stamp, self.zones.values(), self.broken.keys(), names, gates)
    }

    pub(crate) fn held(&self) -> Held {
        Held {
            stamp: self.high_water.clone(),
            zones: self.zones.keys().cloned().collect(),
            names: self.names.keys().cloned().collect(),
        }
    }

    pub(crate) fn names(&self) -> impl ExactSizeIterator<Item = &CheckedName> {
        self.names.values().map(|name| &**name)
    }

    pub(crate) fn zone_names(&self) -> Vec<String> {
        self.zones.keys().map(Name::to_string).collect()
    }

    /// The zone that a name belongs to, one that could not be loaded included: the closest one (RFC 1034 §4.2.1).
    fn zone_of(&self, name: &Name) -> Option<Name> {
        wire::upward(name.wire())
            .map(Name::from_wire)
            .find(|above| self.zones.contains_key(above) || self.broken.contains_key(above))
    }

    /// The steered names at and below a name.
    fn names_within<'a>(&'a self, top: &'a Name) -> impl Iterator<Item = &'a CheckedName> {
        let from = self.names.range::<Name, _>(top..);
        from.map(|(_, name)| &**name)
            .take_while(move |name| name.name.is_within(top))
    }

    fn fence(&self, offered: &Stamp) -> Result<(), Refused> {
        if offered.fleet_uid.is_empty() {
            return Err(Refused::NoFleet);
        }
        if let Some(ours) = self.stamp.as_ref().or(self.high_water.as_ref())
            && ours.fleet_uid != offered.fleet_uid
        {
            let (ours, theirs) = (ours.fleet_uid.clone(), offered.fleet_uid.clone());
            return Err(Refused::ForeignFleet { ours, theirs });
        }
        if let Some(current) = self
            .stamp
            .as_ref()
            .filter(|current| offered.order() <= current.order())
        {
            return Err(Refused::NotNewer {
                current: current.clone(),
                offered: offered.clone(),
            });
        }
        match &self.high_water {
            Some(high) if offered.order() < high.order() => Err(Refused::BelowHighWater {
                epoch: high.epoch,
                seq: high.seq,
                offered: offered.clone(),
            }),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
