//! All zones and names the server holds, in checked form, and the rules by which a plan changes them.
//!
//! A plan that is not newer, or of another fleet, is refused whole. Inside a newer one each record set keeps its own
//! stamp: a lower one is skipped; a bad one is rejected, named, and leaves what was there; nothing disappears unless
//! `removed` says so. So no plan, however bad, can empty a live name.

pub(crate) mod check;
pub(crate) mod held;
mod problem;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use thiserror::Error;

use crate::gate::table::GateTable;
use crate::input::{BrokenZone, NameInput, SnapshotInput};
use crate::name::Name;
use crate::snapshot::Snapshot;
use crate::snapshot::build::{self, BuildError};
use crate::stamp::Stamp;
use check::CheckedName;
use held::HeldZone;
pub use problem::Problem;

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

/// Zones and names by name. Cheap to clone: the entries are shared.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    stamp: Option<Stamp>,
    /// The highest stamp ever accepted; it also names the fleet where no plan is held.
    high_water: Option<Stamp>,
    zones: BTreeMap<Name, HeldZone>,
    /// Zones that could not be loaded and of which no earlier version is held, with the reasons.
    broken: BTreeMap<Name, String>,
    names: BTreeMap<Name, Arc<CheckedName>>,
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
        next.remove_names(plan, &mut outcome);
        next.take_zones(plan, &mut outcome);
        next.take_broken(&plan.broken, &mut outcome);
        next.take_names(&plan.names, &mut outcome);
        next.remove_zones(plan, &mut outcome);
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

    /// All of it as one plan: what last-known-good keeps.
    #[must_use]
    pub fn export(&self) -> Option<SnapshotInput> {
        Some(SnapshotInput {
            stamp: self.stamp.clone()?,
            zones: self.zones.values().filter_map(|zone| zone.input()).collect(),
            names: self.names.values().map(|name| name.input.clone()).collect(),
            ..SnapshotInput::default()
        })
    }

    pub(crate) fn held(&self) -> Held {
        Held {
            stamp: self.high_water.clone(),
            zones: self.zones.keys().cloned().collect(),
            names: self.names.keys().cloned().collect(),
        }
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &CheckedName> {
        self.names.values().map(|name| &**name)
    }

    pub(crate) fn zone_names(&self) -> Vec<String> {
        self.zones.keys().map(Name::to_string).collect()
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

    fn remove_names(&mut self, plan: &SnapshotInput, outcome: &mut Applied) {
        for text in &plan.removed {
            match Name::parse(text) {
                Ok(name) => outcome.removed += usize::from(self.names.remove(&name).is_some()),
                Err(error) => outcome
                    .rejected
                    .push(Problem::new("removed", text, "name", error)),
            }
        }
    }

    /// A zone goes when it is in `removed`, is not in the plan, and no steered name needs it any more.
    fn remove_zones(&mut self, plan: &SnapshotInput, outcome: &mut Applied) {
        let named = plan.zones.iter().map(|zone| &zone.name);
        let named = named.chain(plan.broken.iter().map(|zone| &zone.name));
        let mut kept: BTreeSet<Name> = named.filter_map(|name| Name::parse(name).ok()).collect();
        kept.extend(plan.files.iter().map(|zone| zone.apex().clone()));
        for apex in plan.removed.iter().filter_map(|text| Name::parse(text).ok()) {
            if kept.contains(&apex) {
                continue;
            }
            outcome.removed += usize::from(self.broken.remove(&apex).is_some());
            if !self.zones.contains_key(&apex) {
                continue;
            }
            if let Some(user) = self.names.values().find(|name| name.zone == apex) {
                let reason = format!("still holds the name {}; remove its names too", user.name);
                outcome
                    .rejected
                    .push(Problem::new("zone", &apex, "removed", reason));
            } else if !plan
                .names
                .iter()
                .any(|name| Name::parse(&name.name).ok().as_ref() == Some(&apex))
            {
                self.zones.remove(&apex);
                outcome.removed += 1;
            }
        }
    }

    fn take_zones(&mut self, plan: &SnapshotInput, outcome: &mut Applied) {
        let apexes: Vec<String> = plan.files.iter().map(|zone| zone.apex().to_string()).collect();
        let names = plan.zones.iter().map(|zone| &zone.name).chain(&apexes);
        let duplicates = check::duplicates(names.map(String::as_str));
        let mut offer = |name: &str, check: &dyn Fn() -> Result<HeldZone, Problem>| {
            if duplicates.contains(&name.to_ascii_lowercase()) {
                let problem = Problem::new("zone", name, "name", "is in the plan twice");
                outcome.rejected.push(problem);
                return;
            }
            match check().and_then(|zone| self.free_of_steered(zone)) {
                Ok(zone) => self.take_zone(zone, outcome),
                Err(problem) => outcome.rejected.push(problem),
            }
        };
        for input in &plan.zones {
            offer(&input.name, &|| {
                check::zone(input).map(|zone| HeldZone::Object(Arc::new(zone)))
            });
        }
        for (zone, apex) in plan.files.iter().zip(&apexes) {
            offer(apex, &|| Ok(HeldZone::File(Arc::clone(zone))));
        }
    }

    fn take_zone(&mut self, zone: HeldZone, outcome: &mut Applied) {
        self.broken.remove(zone.apex());
        if self.zones.get(zone.apex()).is_none_or(|held| *held != zone) {
            self.zones.insert(zone.apex().clone(), zone);
            outcome.changed += 1;
        }
    }

    fn take_broken(&mut self, broken: &[BrokenZone], outcome: &mut Applied) {
        for zone in broken {
            match Name::parse(&zone.name) {
                Ok(apex) if self.zones.contains_key(&apex) => {
                    let reason = format!("{}; the version before it stays", zone.reason);
                    outcome.rejected.push(Problem::new("zone", &apex, "file", reason));
                }
                Ok(apex) => {
                    let problem = Problem::new("zone", &apex, "file", &zone.reason);
                    outcome.rejected.push(problem);
                    self.broken.insert(apex, zone.reason.clone());
                }
                Err(error) => {
                    let problem = Problem::new("zone", &zone.name, "name", error);
                    outcome.rejected.push(problem);
                }
            }
        }
    }

    fn free_of_steered(&self, zone: HeldZone) -> Result<HeldZone, Problem> {
        let mut obstacles = self
            .names
            .keys()
            .filter_map(|name| Some((name, zone.obstacle(name)?)));
        match obstacles.next() {
            Some((name, obstacle)) => Err(Problem::new(
                "zone",
                zone.apex(),
                "records",
                format!("{obstacle} {name}, which is steered"),
            )),
            None => Ok(zone),
        }
    }

    fn take_names(&mut self, names: &[NameInput], outcome: &mut Applied) {
        let duplicates = check::duplicates(names.iter().map(|name| name.name.as_str()));
        for input in names {
            if duplicates.contains(&input.name.to_ascii_lowercase()) {
                outcome
                    .rejected
                    .push(Problem::new("name", &input.name, "name", "is in the plan twice"));
                continue;
            }
            match check::name(input).and_then(|name| self.fits_zone(name)) {
                Ok(name) => self.take_name(name, outcome),
                Err(problem) => outcome.rejected.push(problem),
            }
        }
    }

    fn take_name(&mut self, name: CheckedName, outcome: &mut Applied) {
        if let Some(held) = self.names.get(&name.name) {
            let (held_order, order) = (
                (held.input.epoch, held.input.seq),
                (name.input.epoch, name.input.seq),
            );
            if order < held_order {
                outcome.skipped += 1;
                return;
            }
            debug_assert!(crate::invariants::s2_stamp_does_not_fall(held_order, order));
            if held.input == name.input {
                return;
            }
        }
        self.names.insert(name.name.clone(), Arc::new(name));
        outcome.changed += 1;
    }

    fn fits_zone(&self, name: CheckedName) -> Result<CheckedName, Problem> {
        let Some(zone) = self.zones.get(&name.zone) else {
            let held = self.zone_names().join(", ");
            let held = if held.is_empty() {
                "no zone at all".to_owned()
            } else {
                held
            };
            let reason = format!("the server has no zone {}; it has {held}", name.zone);
            return Err(Problem::new("name", &name.name, "zone", reason));
        };
        let closer = self
            .zones
            .keys()
            .find(|apex| **apex != name.zone && apex.is_within(&name.zone) && name.name.is_within(apex));
        if let Some(closer) = closer {
            return Err(Problem::new(
                "name",
                &name.name,
                "zone",
                format!("the name belongs to the zone {closer}"),
            ));
        }
        if let Some(obstacle) = zone.obstacle(&name.name) {
            let reason = format!("the zone {} {obstacle} it", name.zone);
            return Err(Problem::new("name", &name.name, "name", reason));
        }
        Ok(name)
    }
}

#[cfg(test)]
mod tests;
