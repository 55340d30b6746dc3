//! Every constant of detection, in one table: its default in each preset, its unit, its bounds, its source.
//!
//! A profile in YAML names a preset and whatever it changes: `{preset: wan, intervalMs: 250}`. It is the fleet's; a cluster may
//! override what is its own ([`Profile::for_cluster`]).

mod given;
mod probing;
mod rules;
mod scope;
mod table;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::mutant::Mutant;
use rules::Rules;

pub use probing::{ProbesOtherwise, Probing};
pub use table::{Profile, ProfilePatch};

/// A named set of constants to start from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// A hundred milliseconds between probes, five observers or more: Down in 0.81 s.
    #[default]
    Fast,
    /// For observers oceans away, or links that lose more than one packet in a hundred.
    Wan,
    /// One observer built into a standalone server. Weaker: its own broken link looks like a broken fleet.
    Single,
    /// Karmada's own timings, to compare against: one observer, a probe every 10 s, 30 s of failure.
    Karmada,
}

impl Preset {
    pub const ALL: [Preset; 4] = [Preset::Fast, Preset::Wan, Preset::Single, Preset::Karmada];

    /// As profiles name it.
    pub const fn name(self) -> &'static str {
        match self {
            Preset::Fast => "fast",
            Preset::Wan => "wan",
            Preset::Single => "single",
            Preset::Karmada => "karmada",
        }
    }

    pub fn profile(self) -> Profile {
        match self {
            Preset::Fast => Profile::fast(),
            Preset::Wan => Profile::wan(),
            Preset::Single => Profile::single(),
            Preset::Karmada => Profile::karmada(),
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that no preset has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("preset {given:?}: allowed are {}", Preset::ALL.map(Preset::name).join(", "))]
pub struct UnknownPreset {
    given: String,
}

impl FromStr for Preset {
    type Err = UnknownPreset;

    fn from_str(given: &str) -> Result<Preset, UnknownPreset> {
        let found = Preset::ALL.into_iter().find(|preset| preset.name() == given);
        found.ok_or_else(|| UnknownPreset {
            given: given.to_owned(),
        })
    }
}

/// A profile that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    #[error("profile field {field} is {given}: allowed is a whole number from {least} to {most}")]
    Range {
        field: &'static str,
        given: String,
        least: u32,
        most: u32,
    },
    #[error("profile field {field} is {given}: it must be {relation} {bound}, {rule}")]
    Rule {
        field: &'static str,
        given: u32,
        relation: &'static str,
        bound: u64,
        /// What the bound is, and what came of a field beyond it.
        rule: &'static str,
    },
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Several(Vec<ProfileError>),
    #[error(
        "profile field {field} is the fleet's alone: a cluster may override {}",
        table::by_cluster()
    )]
    Fleet { field: &'static str },
}

impl Profile {
    /// Whether so many observers can decide anything.
    ///
    /// # Errors
    /// They are fewer than `minFresh`: every verdict is frozen until there are more.
    pub fn check_observers(&self, counting: usize) -> Result<(), ProfileError> {
        let mut rules = Rules::default();
        rules.at_most(
            "minFresh",
            self.min_fresh,
            u64::try_from(counting).unwrap_or(u64::MAX),
            "the number of observers that count, or nothing is ever decided",
        );
        rules.told()
    }

    /// Votes that a decision needs among `fresh` observers: ⌊2·V/3⌋ + 1.
    pub fn q(&self, fresh: u32) -> u32 {
        if Mutant::QuorumOfOne.is_on() {
            return 1;
        }
        2 * fresh / 3 + 1
    }

    /// T, without jitter.
    pub fn interval(&self) -> Duration {
        ms(self.interval_ms)
    }

    /// T with the largest jitter.
    pub fn slowest_interval(&self) -> Duration {
        self.interval() * self.jitter_percent.saturating_add(100) / 100
    }

    /// Connections to one target that may be busy at once: a probe starts every T and may take a connect and a
    /// request, each up to its timeout.
    pub fn connections(&self) -> usize {
        let longest = u64::from(self.timeout_max_ms) + u64::from(self.phase_timeout_ms);
        usize::try_from(longest.div_ceil(u64::from(self.interval_ms.max(1))))
            .unwrap_or(usize::MAX)
            .max(1)
    }

    /// Missed probes of one target that may be listened to at once.
    pub fn listened(&self) -> usize {
        let each = usize::try_from(self.late_ms.div_ceil(self.interval_ms.max(1))).unwrap_or(usize::MAX);
        each.max(self.connections())
    }

    pub fn late(&self) -> Duration {
        ms(self.late_ms)
    }

    pub fn gray_window(&self) -> Duration {
        ms(self.gray_window_ms)
    }

    pub fn gray_after(&self) -> Duration {
        ms(self.gray_after_ms)
    }

    pub fn gray_hold(&self) -> Duration {
        ms(self.gray_hold_ms)
    }

    pub fn fresh(&self) -> Duration {
        ms(self.fresh_ms)
    }

    pub fn send(&self) -> Duration {
        ms(self.send_ms)
    }

    pub fn down_window(&self) -> Duration {
        ms(self.down_window_ms)
    }

    pub fn partial_after(&self) -> Duration {
        ms(self.partial_after_ms)
    }

    pub fn cut_wait(&self) -> Duration {
        ms(self.cut_wait_ms)
    }

    pub fn recover_hold(&self) -> Duration {
        ms(self.recover_hold_ms)
    }

    pub fn loop_lag(&self) -> Duration {
        ms(self.loop_lag_ms)
    }

    pub fn abstain_hold(&self) -> Duration {
        ms(self.abstain_hold_ms)
    }

    pub fn ack_timeout(&self) -> Duration {
        ms(self.ack_timeout_ms)
    }
}

impl Default for Profile {
    fn default() -> Profile {
        Profile::fast()
    }
}

fn ms(value: u32) -> Duration {
    Duration::from_millis(value.into())
}

#[cfg(test)]
mod tests;
