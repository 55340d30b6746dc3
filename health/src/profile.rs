//! Every constant of detection, in one table: its default in each preset, its unit, its bounds, its source.
//!
//! A profile in YAML names a preset and whatever it changes: `{preset: wan, intervalMs: 250}`. It is the fleet's; a cluster may
//! override what is its own ([`Profile::for_cluster`]).

mod scope;
mod table;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::mutant::Mutant;

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
    #[error("profile field {field} is {given}: allowed is {least} to {most}")]
    Range {
        field: &'static str,
        given: i64,
        least: u32,
        most: u32,
    },
    #[error("profile field {field} is {given}: {rule}, here {bound}")]
    Rule {
        field: &'static str,
        given: u32,
        rule: &'static str,
        bound: u64,
    },
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
        at_most(
            "minFresh",
            self.min_fresh,
            "at most the number of observers that count, or nothing is ever decided",
            u64::try_from(counting).unwrap_or(u64::MAX),
        )
    }

    /// Check every field's range, and the rules between fields, of a whole fleet's profile.
    ///
    /// # Errors
    /// The first field at fault, and the bound it breaks.
    pub fn validate(&self) -> Result<(), ProfileError> {
        self.validate_own()?;
        if self.min_fresh == 2 {
            return Err(ProfileError::Rule {
                field: "minFresh",
                given: self.min_fresh,
                rule: "of two observers one alone decides nothing, so it is 1, where there is but one, or at least",
                bound: 3,
            });
        }
        at_most(
            "cutVotes",
            self.cut_votes,
            "at most 2 or minFresh, or nothing is ever on its way down",
            self.min_fresh.max(2).into(),
        )?;
        at_most(
            "cutWaitMs",
            self.cut_wait_ms,
            "at most freshMs, or the votes are stale before the wait is over",
            self.fresh_ms.into(),
        )?;
        at_least(
            "abstainHoldMs",
            self.abstain_hold_ms,
            "at least timeoutMaxMs, or misses of the observer's own stall count on its return",
            self.timeout_max_ms.into(),
        )
    }

    /// What holds of a cluster's own profile too.
    fn validate_own(&self) -> Result<(), ProfileError> {
        self.check_ranges()?;
        let slowest_interval = micros_to_ms(self.slowest_interval());
        at_least(
            "timeoutMaxMs",
            self.timeout_max_ms,
            "at least timeoutMinMs",
            self.timeout_min_ms.into(),
        )?;
        at_most(
            "timeoutMaxMs",
            self.timeout_max_ms,
            "at most deadMisses x intervalMs, or the timeout alone outlasts the streak it is part of",
            u64::from(self.dead_misses) * u64::from(self.interval_ms),
        )?;
        at_least(
            "deadMisses",
            self.dead_misses,
            "at least suspectMisses",
            self.suspect_misses.into(),
        )?;
        at_most(
            "hardMisses",
            self.hard_misses,
            "at most deadMisses",
            self.dead_misses.into(),
        )?;
        at_least(
            "freshMs",
            self.fresh_ms,
            "at least the slowest interval + timeoutMaxMs, or a silent target's rows turn stale before they vote",
            slowest_interval + u64::from(self.timeout_max_ms),
        )?;
        at_least(
            "freshMs",
            self.fresh_ms,
            "at least 2 x sendMs",
            2 * u64::from(self.send_ms),
        )?;
        at_least(
            "downWindowMs",
            self.down_window_ms,
            "at least freshMs",
            self.fresh_ms.into(),
        )?;
        at_least(
            "partialAfterMs",
            self.partial_after_ms,
            "at least downWindowMs, or a region that is the first to see a death is taken for cut off",
            self.down_window_ms.into(),
        )?;
        at_most(
            "flapRelease",
            self.flap_release,
            "at most flapSuppress",
            self.flap_suppress.into(),
        )?;
        if self.flap_penalty > 0 {
            at_least(
                "flapMaxS",
                self.flap_max_s,
                "at least flapHalfLifeS x log2(flapSuppress / flapRelease), or no penalty can reach flapSuppress",
                self.least_flap_max_s(),
            )?;
        }
        at_least(
            "lateMs",
            self.late_ms,
            "at least timeoutMaxMs and phaseTimeoutMs, or nothing could be late",
            self.timeout_max_ms.max(self.phase_timeout_ms).into(),
        )?;
        at_most(
            "grayMildOf100",
            self.gray_mild_of_100,
            "at most graySevereOf100",
            self.gray_severe_of_100.into(),
        )?;
        at_most(
            "grayMildErrorsPermille",
            self.gray_mild_errors_permille,
            "at most graySevereErrorsPermille",
            self.gray_severe_errors_permille.into(),
        )?;
        at_least(
            "grayMisses",
            self.gray_misses,
            "at least suspectMisses",
            self.suspect_misses.into(),
        )?;
        at_least(
            "grayMildPercent",
            self.gray_mild_percent,
            "at least graySeverePercent",
            self.gray_severe_percent.into(),
        )?;
        at_least(
            "graySeverePercent",
            self.gray_severe_percent,
            "at least grayFailingPercent",
            self.gray_failing_percent.into(),
        )
    }

    /// The penalty is bounded at release · 2^(max / half-life), and must be able to reach suppress.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and at most 86,400 x 20"
    )]
    fn least_flap_max_s(&self) -> u64 {
        let doublings = (f64::from(self.flap_suppress) / f64::from(self.flap_release)).log2();
        (f64::from(self.flap_half_life_s) * doublings.max(0.0)).ceil() as u64
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
        self.interval() * (100 + self.jitter_percent) / 100
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

fn at_least(field: &'static str, given: u32, rule: &'static str, bound: u64) -> Result<(), ProfileError> {
    hold(u64::from(given) >= bound, field, given, rule, bound)
}

fn at_most(field: &'static str, given: u32, rule: &'static str, bound: u64) -> Result<(), ProfileError> {
    hold(u64::from(given) <= bound, field, given, rule, bound)
}

fn hold(
    holds: bool,
    field: &'static str,
    given: u32,
    rule: &'static str,
    bound: u64,
) -> Result<(), ProfileError> {
    let broken = ProfileError::Rule {
        field,
        given,
        rule,
        bound,
    };
    holds.then_some(()).ok_or(broken)
}

fn ms(value: u32) -> Duration {
    Duration::from_millis(value.into())
}

fn micros_to_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
