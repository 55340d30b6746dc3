//! How a plan changes zones: those it states and those of master files go one way.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::held::{HeldZone, Serial};
use super::{Applied, Catalog, Problem, check};
use crate::input::{BrokenZone, SnapshotInput};
use crate::name::Name;
use crate::serial;
use crate::zone::Zone;

impl Catalog {
    pub(super) fn take_zones(
        &mut self,
        plan: &SnapshotInput,
        touched: &mut BTreeSet<Name>,
        outcome: &mut Applied,
    ) {
        let apexes: Vec<String> = plan.files.iter().map(|zone| zone.apex().to_string()).collect();
        let names = plan.zones.iter().map(|zone| &zone.name).chain(&apexes);
        let duplicates = check::duplicates(names.map(String::as_str));
        let mut offer = |name: &str, zone: &dyn Fn() -> Result<HeldZone, Problem>| {
            let taken = if duplicates.has(name) {
                Err(Problem::new("zone", name, "name", "is in the plan twice"))
            } else {
                zone().and_then(|zone| self.take_zone(zone))
            };
            match taken {
                Ok(Some(apex)) => {
                    touched.insert(apex);
                    outcome.changed += 1;
                }
                Ok(None) => {}
                Err(problem) => outcome.rejected.push(problem),
            }
        };
        for input in &plan.zones {
            offer(&input.name, &|| {
                Ok(HeldZone {
                    data: Arc::new(check::zone(input)?),
                    serial: Serial::Plan,
                })
            });
        }
        for (zone, apex) in plan.files.iter().zip(&apexes) {
            offer(apex, &|| {
                Ok(HeldZone {
                    data: Arc::clone(zone),
                    serial: Serial::Own(zone.serial()),
                })
            });
        }
    }

    /// Takes a zone, and gives its name where that changes anything.
    fn take_zone(&mut self, zone: HeldZone) -> Result<Option<Name>, Problem> {
        let apex = zone.data.apex();
        let same = self.zones.get(apex).is_some_and(|held| {
            let own = |serial| matches!(serial, Serial::Own(_));
            own(held.serial) == own(zone.serial) && held.data == zone.data
        });
        if same {
            return Ok(None);
        }
        self.free_of_steered(&zone.data)?;
        let apex = apex.clone();
        self.broken.remove(&apex);
        Arc::make_mut(&mut self.zones).insert(apex.clone(), zone);
        Ok(Some(apex))
    }

    fn free_of_steered(&self, zone: &Zone) -> Result<(), Problem> {
        let names = self.names_within(zone.apex()).map(|name| &name.name);
        let found = zone.first_obstacle(names.filter(|name| self.would_have(zone, name)));
        let found = found.map(|(name, obstacle)| format!("{obstacle} {name}, which is steered"));
        let found = found.or_else(|| self.service_obstacle(zone));
        found.map_or(Ok(()), |reason| {
            Err(Problem::new("zone", zone.apex(), "records", reason))
        })
    }

    pub(super) fn take_broken(&mut self, broken: &[BrokenZone], outcome: &mut Applied) {
        for zone in broken {
            let problem = |apex: &dyn std::fmt::Display, field: &str, reason: String| {
                Problem::new("zone", apex, field, reason)
            };
            outcome.rejected.push(match Name::parse(&zone.name) {
                Ok(apex) if self.zones.contains_key(&apex) => {
                    let reason = format!("{}; the version before it stays", zone.reason);
                    problem(&apex, "file", reason)
                }
                Ok(apex) => {
                    let problem = problem(&apex, "file", zone.reason.clone());
                    self.broken.insert(apex, zone.reason.clone());
                    problem
                }
                Err(error) => problem(&zone.name, "name", error.to_string()),
            });
        }
    }

    /// A zone goes when it is in `removed`, is not in the plan, and no steered name needs it any more.
    pub(super) fn remove_zones(&mut self, plan: &SnapshotInput, outcome: &mut Applied) {
        let parsed = |text: &String| Name::parse(text).ok();
        let mut removed: BTreeSet<Name> = plan.removed.iter().filter_map(parsed).collect();
        removed.retain(|apex| self.zones.contains_key(apex) || self.broken.contains_key(apex));
        if removed.is_empty() {
            return;
        }
        let zones = plan.zones.iter().map(|zone| &zone.name);
        let broken = plan.broken.iter().map(|zone| &zone.name);
        let names = plan.names.iter().map(|name| &name.name);
        for kept in zones.chain(broken).chain(names).filter_map(parsed) {
            removed.remove(&kept);
        }
        for kept in &plan.files {
            removed.remove(kept.apex());
        }
        for apex in removed {
            let user = self.names_within(&apex).find(|name| name.zone == apex);
            if let Some(user) = user {
                let reason = format!("still holds the name {}; remove its names too", user.name);
                outcome
                    .rejected
                    .push(Problem::new("zone", &apex, "removed", reason));
                continue;
            }
            self.broken.remove(&apex);
            Arc::make_mut(&mut self.zones).remove(&apex);
            outcome.removed += 1;
        }
    }

    /// Settles what the changed zones of master files are served under. What secondaries saw last was under the serials
    /// of the catalog before, or of the run before.
    pub(super) fn raise_serials(&mut self, before: &Self, touched: &BTreeSet<Name>) {
        if touched.is_empty() {
            return;
        }
        let zones = Arc::make_mut(&mut self.zones);
        for apex in touched {
            if let Some(zone) = zones.get_mut(apex)
                && let Serial::Own(into) = &mut zone.serial
            {
                let last = before.zones.get(apex).map(|zone| zone.serial);
                let last = match last {
                    Some(Serial::Own(serial)) => Some(serial),
                    Some(Serial::Plan) | None => self.remembered.remove(apex),
                };
                *into = serial::after_change(zone.data.serial(), last);
            }
        }
    }
}
