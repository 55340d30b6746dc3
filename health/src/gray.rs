//! Gray failure: a cluster that answers, but late or with errors. It lowers the cluster's traffic weight; it never makes
//! the cluster Down and never evicts (HotOS 2017, "Gray Failure: The Achilles' Heel of Cloud-Scale Systems").
//!
//! ```text
//! Row ──opinion──> each observer's Gray ──q agree, for long enough: Course──> degree ──brake──> factor of the weight
//! ```

mod brake;
mod course;
mod opinion;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::profile::Profile;
use crate::time::MonoTime;

pub(crate) use brake::{FULL_PERMILLE, factors};
pub(crate) use course::Course;
pub use opinion::opinion;
pub(crate) use opinion::told;

/// How gray a cluster is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum Gray {
    /// It is not.
    #[default]
    None,
    /// Slower than usual, or with more late answers and errors than chance explains.
    Mild,
    /// Half of the answers are late or errors.
    Severe,
    /// Probes get nothing but errors.
    Failing,
}

impl Gray {
    /// What is left of the traffic weight, in percent, before the brake.
    pub fn percent(self, profile: &Profile) -> u32 {
        match self {
            Gray::None => 100,
            Gray::Mild => profile.gray_mild_percent,
            Gray::Severe => profile.gray_severe_percent,
            Gray::Failing => profile.gray_failing_percent,
        }
    }

    /// One degree less.
    #[must_use]
    pub fn milder(self) -> Gray {
        match self {
            Gray::None | Gray::Mild => Gray::None,
            Gray::Severe => Gray::Mild,
            Gray::Failing => Gray::Severe,
        }
    }
}

impl fmt::Display for Gray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Gray::None => "none",
            Gray::Mild => "mild",
            Gray::Severe => "severe",
            Gray::Failing => "failing",
        })
    }
}

/// What a consumer makes of the gray failure of one cluster in one address family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GrayState {
    pub degree: Gray,
    /// What is left of the traffic weight, in thousandths, after the brake; never 0.
    pub factor_permille: u32,
    /// Since when the degree stands.
    pub since: MonoTime,
    /// One sentence for people, in the figures of the moment; empty where it is not gray.
    pub reason: String,
}

impl Default for GrayState {
    fn default() -> GrayState {
        GrayState {
            degree: Gray::None,
            factor_permille: FULL_PERMILLE,
            since: MonoTime::ZERO,
            reason: String::new(),
        }
    }
}

#[cfg(test)]
mod tests;
