//! How a plan changes steered names.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::check::CheckedName;
use super::{Applied, Catalog, Problem, check};
use crate::input::NameInput;
use crate::name::Name;

/// Zones that a message lists.
const MAX_SHOWN: usize = 10;

impl Catalog {
    pub(super) fn remove_names(
        &mut self,
        removed: &[String],
        touched: &mut BTreeSet<Name>,
        outcome: &mut Applied,
    ) {
        for text in removed {
            match Name::parse(text) {
                Ok(name) if self.names.contains_key(&name) => {
                    let name = self.drop_name(&name);
                    touched.extend(name.map(|name| name.zone.clone()));
                    outcome.removed += 1;
                }
                Ok(_) => {}
                Err(error) => outcome
                    .rejected
                    .push(Problem::new("removed", text, "name", error)),
            }
        }
    }

    pub(super) fn take_names(
        &mut self,
        names: &[NameInput],
        touched: &mut BTreeSet<Name>,
        outcome: &mut Applied,
    ) {
        let duplicates = check::duplicates(names.iter().map(|name| name.name.as_str()));
        // Names of clusters that others refer to, which may refer to them no more when the whole plan has been read.
        let mut late = Vec::new();
        for input in names {
            if duplicates.has(&input.name) {
                outcome
                    .rejected
                    .push(Problem::new("name", &input.name, "name", "is in the plan twice"));
                continue;
            }
            match check::name(input) {
                Ok(name) if self.targets.contains_key(&name.name) => late.push(name),
                Ok(name) => self.offer_name(name, touched, outcome),
                Err(problem) => outcome.rejected.push(problem),
            }
        }
        for name in late {
            self.offer_name(name, touched, outcome);
        }
    }

    fn offer_name(&mut self, name: CheckedName, touched: &mut BTreeSet<Name>, outcome: &mut Applied) {
        match self.fits_zone(name) {
            Ok(name) => self.take_name(name, touched, outcome),
            Err(problem) => outcome.rejected.push(problem),
        }
    }

    fn take_name(&mut self, name: CheckedName, touched: &mut BTreeSet<Name>, outcome: &mut Applied) {
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
        if !touched.contains(&name.zone) {
            touched.insert(name.zone.clone());
        }
        self.hold(Arc::new(name));
        outcome.changed += 1;
    }

    /// A name has a zone that is held and leaves room for it.
    pub(super) fn fits_zone(&self, name: CheckedName) -> Result<CheckedName, Problem> {
        let problem = |field: &str, reason: String| Problem::new("name", &name.name, field, reason);
        let Some(zone) = self.zones.get(&name.zone) else {
            let reason = format!("the server has no zone {}; it has {}", name.zone, self.shown());
            return Err(problem("zone", reason));
        };
        if let Some(closer) = self.zone_of(&name.name).filter(|closest| *closest != name.zone) {
            return Err(problem("zone", format!("the name belongs to the zone {closer}")));
        }
        if let Some(obstacle) = zone.data.obstacle(name.name.wire()) {
            return Err(problem("name", format!("the zone {} {obstacle} it", name.zone)));
        }
        self.room_for_services(&name, &zone.data)?;
        Ok(name)
    }

    /// The zones, for a message.
    fn shown(&self) -> String {
        let mut shown: Vec<String> = self.zones.keys().take(MAX_SHOWN).map(Name::to_string).collect();
        let more = self.zones.len() - shown.len();
        if more > 0 {
            shown.push(format!("{more} more"));
        }
        if shown.is_empty() {
            "no zone at all".to_owned()
        } else {
            shown.join(", ")
        }
    }
}
