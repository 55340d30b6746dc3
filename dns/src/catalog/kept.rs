//! A catalog as last-known-good keeps it: the zones' images as they are, and the rest as plain data.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::held::{HeldZone, Serial};
use super::{Catalog, Problem, check};
use crate::input::NameInput;
use crate::serial;
use crate::stamp::Stamp;
use crate::zone::Zone;
use crate::zonefile;

/// Everything but the zones' data.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Kept<'a> {
    pub(crate) stamp: Cow<'a, Stamp>,
    /// The serial of each zone, in the order of the zones' data; `None` of those that are part of a plan.
    pub(crate) serials: Vec<Option<u32>>,
    pub(crate) broken: BTreeMap<String, Cow<'a, str>>,
    pub(crate) names: Vec<Cow<'a, NameInput>>,
}

impl Catalog {
    /// What is kept of it; `None` before the first plan.
    pub(crate) fn kept(&self) -> Option<(Kept<'_>, Vec<&Zone>)> {
        let kept = Kept {
            stamp: Cow::Borrowed(self.stamp.as_ref()?),
            serials: self.zones.values().map(|zone| own(zone.serial)).collect(),
            broken: self
                .broken
                .iter()
                .map(|(apex, reason)| (apex.to_string(), Cow::Borrowed(reason.as_str())))
                .collect(),
            names: self.names().map(|name| Cow::Borrowed(&name.input)).collect(),
        };
        Some((kept, self.zones.values().map(|zone| &*zone.data).collect()))
    }

    /// The catalog that was kept, and what of it is not taken any more.
    pub(crate) fn restored(kept: Kept<'_>, zones: Vec<Zone>) -> (Self, Vec<Problem>) {
        let held = zones.into_iter().zip(kept.serials).map(|(zone, serial)| {
            let serial = serial.map_or(Serial::Plan, Serial::Own);
            let data = Arc::new(zone);
            (data.apex().clone(), HeldZone { data, serial })
        });
        let broken = kept.broken.into_iter().filter_map(|(apex, reason)| {
            let apex = zonefile::parse_name(&apex).ok()?;
            Some((apex, reason.into_owned()))
        });
        let mut catalog = Self {
            high_water: Some(kept.stamp.clone().into_owned()),
            stamp: Some(kept.stamp.into_owned()),
            zones: Arc::new(held.collect()),
            broken: broken.collect(),
            ..Self::default()
        };
        let (mut names, mut problems) = (Vec::new(), Vec::new());
        for input in kept.names {
            match check::name(&input).and_then(|name| catalog.fits_zone(name)) {
                Ok(name) => names.push((name.name.clone(), Arc::new(name))),
                Err(problem) => problems.push(problem),
            }
        }
        catalog.hold_all(names);
        (catalog, problems)
    }

    /// The serials that zones of master files are served under.
    pub(crate) fn serials(&self) -> BTreeMap<String, u32> {
        let held = self.zones.iter().map(|(apex, zone)| (apex, own(zone.serial)));
        let served = held.filter_map(|(apex, serial)| Some((apex.to_string(), serial?)));
        let remembered = self.remembered.iter();
        remembered
            .map(|(apex, serial)| (apex.to_string(), *serial))
            .chain(served)
            .collect()
    }

    /// Serves no zone under a serial that is lower than the last before a restart. Where that is higher than the one that
    /// was kept, the zone was another then, and is so again.
    pub(crate) fn remember_serials(&mut self, last: &BTreeMap<String, u32>) {
        for (apex, last) in last {
            let Ok(apex) = zonefile::parse_name(apex) else {
                continue;
            };
            match Arc::make_mut(&mut self.zones).get_mut(&apex) {
                Some(zone) => {
                    if let Serial::Own(own) = &mut zone.serial
                        && serial::is_higher(*last, *own)
                    {
                        *own = last.wrapping_add(1);
                    }
                }
                None => {
                    self.remembered.insert(apex, *last);
                }
            }
        }
    }
}

fn own(serial: Serial) -> Option<u32> {
    match serial {
        Serial::Plan => None,
        Serial::Own(serial) => Some(serial),
    }
}
