//! A zone that is served.

use std::sync::Arc;

use crate::stamp::Stamp;
use crate::zone::Zone;

/// A zone's data, and what its serial is.
#[derive(Clone, Debug)]
pub(crate) struct HeldZone {
    pub(crate) data: Arc<Zone>,
    pub(crate) serial: Serial,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serial {
    /// That of the plan: the zone is a part of one.
    Plan,
    /// Its own, or one that it was raised to: the zone is a master file.
    Own(u32),
}

impl HeldZone {
    /// The serial under a plan.
    pub(crate) fn serial(&self, stamp: &Stamp) -> u32 {
        match self.serial {
            Serial::Plan => stamp.serial(),
            Serial::Own(serial) => serial,
        }
    }
}
