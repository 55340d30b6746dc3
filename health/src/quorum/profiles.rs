//! By which profile each target is judged: the fleet's, or its cluster's own.

use std::collections::BTreeMap;

use super::subject::Subject;
use crate::profile::{Profile, ProfilePatch};
use crate::target::Target;

#[derive(Clone, Debug)]
pub(super) struct Profiles {
    pub(super) fleet: Profile,
    /// One for each override, however many targets have it.
    own: Vec<Profile>,
}

impl Profiles {
    pub(super) fn new(fleet: Profile) -> Profiles {
        Profiles {
            fleet,
            own: Vec::new(),
        }
    }

    /// Hold the profiles of exactly these targets; for each target, its place among them if it has one of its own.
    pub(super) fn replace(&mut self, targets: &[Target]) -> Vec<Option<usize>> {
        self.own.clear();
        let mut places: BTreeMap<&ProfilePatch, Option<usize>> = BTreeMap::new();
        targets
            .iter()
            .map(|target| {
                *places.entry(target.detection.as_deref()?).or_insert_with(|| {
                    let own = target.own_profile(&self.fleet).ok().flatten()?;
                    self.own.push(own);
                    Some(self.own.len() - 1)
                })
            })
            .collect()
    }

    pub(super) fn of(&self, subject: &Subject) -> &Profile {
        let own = subject.own_profile.and_then(|place| self.own.get(place));
        own.unwrap_or(&self.fleet)
    }
}
