//! A zone that is served, by where it came from.

use std::sync::Arc;

use super::check::CheckedZone;
use crate::input::ZoneInput;
use crate::name::Name;
use crate::zonefile::Zone;

#[derive(Clone, Debug)]
pub(crate) enum HeldZone {
    /// A part of a plan.
    Object(Arc<CheckedZone>),
    /// A master file.
    File(Arc<Zone>),
}

impl HeldZone {
    pub(crate) fn apex(&self) -> &Name {
        match self {
            Self::Object(zone) => &zone.apex,
            Self::File(zone) => zone.apex(),
        }
    }

    /// What of the zone's own records leaves no room for a steered name, as the middle of a sentence.
    pub(crate) fn obstacle(&self, name: &Name) -> Option<&'static str> {
        match self {
            _ if !name.is_within(self.apex()) => None,
            Self::Object(zone) => zone.obstacle(name),
            Self::File(zone) => zone.obstacle(name),
        }
    }

    pub(crate) fn input(&self) -> Option<ZoneInput> {
        match self {
            Self::Object(zone) => Some(zone.input.clone()),
            Self::File(_) => None,
        }
    }
}

impl PartialEq for HeldZone {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Object(mine), Self::Object(theirs)) => mine.input == theirs.input,
            (Self::File(mine), Self::File(theirs)) => mine == theirs,
            (Self::Object(_), Self::File(_)) | (Self::File(_), Self::Object(_)) => false,
        }
    }
}
