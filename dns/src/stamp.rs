//! The stamp that orders steering plans: which fleet, which leader's epoch, which plan of that epoch.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `(fleetUid, epoch, seq)`. Inside one fleet a plan is newer when `(epoch, seq)` is greater.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stamp {
    /// Names the control plane that made the plan; plans of another fleet are refused.
    pub fleet_uid: String,
    /// Rises with every change of leader.
    pub epoch: u64,
    /// Rises with every plan.
    pub seq: u64,
}

impl Stamp {
    /// The part of the stamp that orders plans of one fleet.
    #[must_use]
    pub fn order(&self) -> (u64, u64) {
        (self.epoch, self.seq)
    }

    /// The SOA serial of the zones that the plan states (RFC 1982 arithmetic applies to the low 32 bits).
    #[must_use]
    pub fn serial(&self) -> u32 {
        u32::try_from(self.seq & u64::from(u32::MAX)).unwrap_or(u32::MAX)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.fleet_uid, self.epoch, self.seq)
    }
}
