//! The table of constants. One line of it makes the field, its four presets, its bounds, its YAML name, and whose it is.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::given::Given;
use super::scope::Scope;
use super::{Preset, ProfileError};

macro_rules! constants {
    ($( $(#[doc = $doc:literal])+ $field:ident / $yaml:literal : $fast:literal, $wan:literal, $single:literal, $karmada:literal; $least:literal ..= $most:literal, $scope:ident )+) => {
        /// Every constant of detection. Made by a preset, or read from YAML as a preset and its changes.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "ProfilePatch", rename_all = "camelCase")]
        pub struct Profile {
            $( $(#[doc = $doc])+ pub $field: u32, )+
        }

        /// A profile as it is written: a preset, and the constants that differ from it. A cluster's override of the fleet's
        /// profile is written in the same way; there the preset, too, stands only for what is a cluster's.
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
        #[serde(default, rename_all = "camelCase", deny_unknown_fields)]
        pub struct ProfilePatch {
            /// The preset to start from: `fast` where none is named, or the fleet's profile in a cluster's override.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub preset: Option<Preset>,
            $( $(#[doc = $doc])+ #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<u32>, )+
        }

        /// What stands in a file, with numbers that may be none of a constant's.
        #[derive(Default, Deserialize)]
        #[serde(default, rename_all = "camelCase", deny_unknown_fields)]
        struct Written {
            preset: Option<Preset>,
            $( $field: Option<Given>, )+
        }

        /// What stands in a recording: constants that have come or gone since are no fault of it, nor are bounds that are newer.
        #[derive(Default, Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        struct Recorded {
            preset: Option<Preset>,
            $( $field: Option<u32>, )+
        }

        impl ProfilePatch {
            /// As it was when it was recorded; nothing says that it may still be.
            pub(crate) fn recorded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ProfilePatch, D::Error> {
                let Recorded { preset, $( $field, )+ } = Recorded::deserialize(deserializer)?;
                Ok(ProfilePatch { preset, $( $field, )+ })
            }

            /// Of a cluster's override only what its observers go by, each constant by its name.
            pub fn probed(&self) -> ProfilePatch {
                let preset = self.preset.map(Preset::profile);
                let mut probed = ProfilePatch::default();
                $( if Scope::$scope == Scope::Probed {
                    probed.$field = self.$field.or(preset.as_ref().map(|preset| preset.$field));
                } )+
                probed
            }

            /// The preset, with what differs from it; nobody has checked it.
            fn applied(self) -> Profile {
                let ProfilePatch { preset, $( $field, )+ } = self;
                let mut profile = preset.unwrap_or_default().profile();
                $( if let Some(value) = $field { profile.$field = value; } )+
                profile
            }
        }

        impl<'de> Deserialize<'de> for ProfilePatch {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ProfilePatch, D::Error> {
                let Written { preset, $( $field, )+ } = Written::deserialize(deserializer)?;
                $( let $field = within($field, $yaml, $least, $most).map_err(D::Error::custom)?; )+
                Ok(ProfilePatch { preset, $( $field, )+ })
            }
        }

        /// Every constant, in the order of the table.
        pub(super) const CONSTANTS: &[Constant] = &[ $( Constant {
            yaml: $yaml,
            scope: Scope::$scope,
            #[cfg(test)]
            presets: [$fast, $wan, $single, $karmada],
            #[cfg(test)]
            allowed: [$least, $most],
            #[cfg(test)]
            meaning: &[$($doc),+],
        }, )+ ];

        impl Profile {
            /// The default: sub-second detection by three or more observers.
            pub const fn fast() -> Profile {
                Profile { $( $field: $fast, )+ }
            }

            /// For links that are long or lossy.
            pub const fn wan() -> Profile {
                Profile { $( $field: $wan, )+ }
            }

            /// One observer inside the process that consumes its evidence: slower, and weaker.
            pub const fn single() -> Profile {
                Profile { $( $field: $single, )+ }
            }

            /// Karmada's timings.
            pub const fn karmada() -> Profile {
                Profile { $( $field: $karmada, )+ }
            }

            /// The profile of one cluster in a fleet of this profile.
            ///
            /// # Errors
            /// The first field that is the fleet's alone, or at fault in what results.
            pub fn for_cluster(&self, patch: &ProfilePatch) -> Result<Profile, ProfileError> {
                let mut own = self.clone();
                let ProfilePatch { preset, $( $field, )+ } = patch;
                if let Some(preset) = preset.map(Preset::profile) {
                    $( if Scope::$scope.is_by_cluster() { own.$field = preset.$field; } )+
                }
                $( if let Some(value) = $field {
                    if !Scope::$scope.is_by_cluster() {
                        return Err(ProfileError::Fleet { field: $yaml });
                    }
                    own.$field = *value;
                } )+
                own.validate_own()?;
                Ok(own)
            }

            /// This profile as far as its clusters' observers go, probing one cluster of the profile `own`: two targets
            /// for which it is the same can be probed as one.
            #[cfg(feature = "probe")]
            pub(crate) fn probing(&self, own: &Profile) -> Profile {
                let mut probing = self.clone();
                $( if Scope::$scope == Scope::Probed { probing.$field = own.$field; } )+
                probing
            }

            /// As it was when it was recorded; nothing says that it may still be.
            pub(crate) fn recorded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Profile, D::Error> {
                ProfilePatch::recorded(deserializer).map(ProfilePatch::applied)
            }

            /// This profile for evidence that is there: what observers go by is as in `recorded`, by which they went.
            #[must_use]
            pub fn observed_as(&self, recorded: &Profile) -> Profile {
                let mut fitted = self.clone();
                $( if Scope::$scope.is_by_observers() { fitted.$field = recorded.$field; } )+
                fitted
            }

            /// The range of each field whose scope is `asked` for.
            pub(super) fn check_ranges(&self, asked: fn(Scope) -> bool) -> Result<(), ProfileError> {
                let Profile { $( $field, )+ } = self;
                $( if asked(Scope::$scope) {
                    within(Some(Given::Whole((*$field).into())), $yaml, $least, $most)?;
                } )+
                Ok(())
            }
        }

        impl TryFrom<ProfilePatch> for Profile {
            type Error = ProfileError;

            fn try_from(patch: ProfilePatch) -> Result<Profile, ProfileError> {
                let profile = patch.applied();
                profile.validate()?;
                Ok(profile)
            }
        }
    };
}

constants! {
    /// T: milliseconds between two probes of a target. Design: 100 ms; Karmada
    /// `--cluster-status-update-frequency` 10 s.
    interval_ms / "intervalMs": 100, 200, 200, 10_000; 20..=60_000, Probed
    /// How far each interval strays from T, in percent to either side, so that observers do not march in step.
    jitter_percent / "jitterPercent": 10, 10, 10, 10; 0..=50, Probed
    /// Warm probes to one probe on a fresh connection.
    fresh_every / "freshEvery": 10, 10, 10, 10; 1..=1_000, Probed
    /// Least timeout of a probe in milliseconds, whatever SRTT + 4·RTTVAR says (RFC 6298 names the estimators).
    timeout_min_ms / "timeoutMinMs": 60, 150, 100, 1_000; 10..=10_000, Probed
    /// Largest timeout of a probe in milliseconds.
    timeout_max_ms / "timeoutMaxMs": 300, 800, 500, 5_000; 20..=30_000, Probed
    /// Largest timeout in milliseconds of each phase on a fresh connection: connect, first byte.
    phase_timeout_ms / "phaseTimeoutMs": 300, 800, 500, 5_000; 20..=30_000, Probed
    /// How long an answer over HTTP is listened to, in milliseconds: one that comes within it is late and makes a
    /// cluster gray, one that does not is silence.
    late_ms / "lateMs": 1_000, 2_000, 1_500, 10_000; 20..=60_000, Probed
    /// k: misses in a row after which an observer votes Suspect.
    suspect_misses / "suspectMisses": 3, 3, 5, 2; 1..=1_000, Judged
    /// Misses in a row after which an observer votes Dead. Karmada `--cluster-failure-threshold` 30 s = 4 probes.
    dead_misses / "deadMisses": 5, 5, 10, 4; 1..=1_000, Judged
    /// The same with hard evidence: refused, reset, TLS alert, 5xx of a control path, an agent that says it stops.
    hard_misses / "hardMisses": 3, 3, 5, 4; 1..=1_000, Judged
    /// Successes in a row after which an observer votes Clear.
    clear_successes / "clearSuccesses": 3, 3, 3, 1; 1..=1_000, Judged
    /// Milliseconds between two sends of the whole table.
    send_ms / "sendMs": 100, 100, 100, 1_000; 20..=10_000, Observed
    /// A row older than this many milliseconds does not count.
    fresh_ms / "freshMs": 500, 1_500, 1_000, 40_000; 100..=300_000, Judged
    /// Fewest fresh observers that may decide; with fewer the verdict is frozen. 1 is for one observer alone, as in `single` and `karmada`: nobody outvotes its mistakes.
    min_fresh / "minFresh": 3, 3, 1, 1; 1..=64, Fleet
    /// Votes Dead must have been cast within this many milliseconds of each other.
    down_window_ms / "downWindowMs": 1_500, 3_000, 3_000, 60_000; 100..=600_000, Judged
    /// How long a Down waits for another cluster on its way down, in milliseconds (the cut of Rapid, ATC 2018).
    cut_wait_ms / "cutWaitMs": 100, 200, 100, 0; 0..=5_000, Fleet
    /// Fewest votes Dead that make another cluster one on its way down.
    cut_votes / "cutVotes": 2, 2, 2, 2; 1..=64, Fleet
    /// How long a cluster must be good before it is Up after a Down, in milliseconds. Karmada's success
    /// threshold is 30 s.
    recover_hold_ms / "recoverHoldMs": 10_000, 20_000, 20_000, 30_000; 0..=3_600_000, Judged
    /// Of the last 100 probes, how many must be good for that. Karmada knows no such rule.
    recover_good / "recoverGood": 90, 90, 90, 1; 1..=100, Judged
    /// Added to the flap penalty by each Down (RFC 2439 damps routes in the same way).
    flap_penalty / "flapPenalty": 1_000, 1_000, 1_000, 0; 0..=100_000, Judged
    /// Seconds in which the flap penalty halves.
    flap_half_life_s / "flapHalfLifeS": 300, 300, 300, 300; 1..=86_400, Judged
    /// A cluster is kept out above this penalty.
    flap_suppress / "flapSuppress": 2_500, 2_500, 2_500, 2_500; 1..=1_000_000, Judged
    /// And let in again below this one.
    flap_release / "flapRelease": 750, 750, 750, 750; 1..=1_000_000, Judged
    /// Longest suppression in seconds; it bounds the penalty at release · 2^(max / half-life).
    flap_max_s / "flapMaxS": 1_200, 1_200, 1_200, 1_200; 1..=86_400, Judged
    /// A round-trip time is slow, and a cluster mildly gray, from this percentage of the usual one on (the least of the
    /// last half hour to an hour), if it also is `graySlowMs` above it.
    gray_slow_percent / "graySlowPercent": 400, 300, 400, 400; 101..=10_000, Judged
    /// A round-trip time less than this many milliseconds above the usual one is not slow.
    gray_slow_ms / "graySlowMs": 50, 100, 50, 1_000; 1..=60_000, Judged
    /// Of the last 100 probes, how many answered late or with 5xx make a cluster mildly gray.
    gray_mild_of_100 / "grayMildOf100": 10, 10, 10, 10; 1..=100, Judged
    /// Of the last 100 probes, how many answered late or with 5xx make a cluster severely gray.
    gray_severe_of_100 / "graySevereOf100": 50, 50, 50, 50; 1..=100, Judged
    /// So many misses in a row that were all answered are severely gray at once, and failing where all were 5xx.
    gray_misses / "grayMisses": 10, 10, 10, 4; 1..=255, Judged
    /// Users' requests answered 5xx, in thousandths of those within `grayWindowMs`, that are mildly gray.
    gray_mild_errors_permille / "grayMildErrorsPermille": 50, 50, 50, 50; 1..=1_000, Judged
    /// Users' requests answered 5xx, in thousandths of those within `grayWindowMs`, that are severely gray.
    gray_severe_errors_permille / "graySevereErrorsPermille": 250, 250, 250, 250; 1..=1_000, Judged
    /// Fewest requests of users that say anything.
    gray_min_requests / "grayMinRequests": 50, 50, 50, 50; 1..=65_535, Judged
    /// How long an observer counts the requests that are reported to it, in milliseconds.
    gray_window_ms / "grayWindowMs": 10_000, 10_000, 10_000, 60_000; 1_000..=600_000, Observed
    /// An observer finds a degree of gray until what made it is below this percentage of its threshold.
    gray_release_percent / "grayReleasePercent": 50, 50, 50, 50; 1..=100, Judged
    /// How long a quorum must find a higher degree before it is in force, in milliseconds.
    gray_after_ms / "grayAfterMs": 1_000, 2_000, 2_000, 20_000; 0..=600_000, Judged
    /// How long a quorum must have found less before the degree falls by one, in milliseconds: longer than the answers
    /// of DNS are cached, or what relief brings is taken for recovery.
    gray_hold_ms / "grayHoldMs": 10_000, 20_000, 20_000, 60_000; 0..=3_600_000, Judged
    /// What is left of a mildly gray cluster's traffic weight, in percent. Karmada steers no traffic.
    gray_mild_percent / "grayMildPercent": 50, 50, 50, 100; 1..=100, Fleet
    /// What is left of a severely gray cluster's traffic weight, in percent.
    gray_severe_percent / "graySeverePercent": 25, 25, 25, 100; 1..=100, Fleet
    /// What is left of the weight of a cluster that answers probes with nothing but 5xx, in percent.
    gray_failing_percent / "grayFailingPercent": 1, 1, 1, 100; 1..=100, Fleet
    /// The brake: at least this percentage of the sum of all weights stays. At 50, and with equal weights, no cluster
    /// gets more than twice its share because others are gray.
    gray_keep_percent / "grayKeepPercent": 50, 50, 50, 50; 1..=100, Fleet
    /// How long an observer region must not reach what another reaches, in milliseconds, before that is a partial outage; and
    /// how long that must have ceased before it is none (half of it where another region's change is due). At least `downWindowMs`, within which a Down would have come.
    partial_after_ms / "partialAfterMs": 3_000, 6_000, 6_000, 60_000; 0..=3_600_000, Judged
    /// Hours that should pass at least from one wrong Down of a target to the next; a year. Consumers estimate from the losses they
    /// see whether they will, and say where not.
    mistake_recurrence_h / "mistakeRecurrenceH": 8_766, 8_766, 24, 24; 1..=87_660_000, Fleet
    /// An observer whose loop wakes later than this many milliseconds abstains.
    loop_lag_ms / "loopLagMs": 50, 50, 50, 1_000; 5..=10_000, Observed
    /// And goes on abstaining for this many milliseconds, until every probe that was under way is over.
    abstain_hold_ms / "abstainHoldMs": 300, 800, 500, 5_000; 0..=60_000, Observed
    /// Misses in a row that make an anchor one that fails; an observer abstains when all its anchors fail.
    anchor_misses / "anchorMisses": 2, 2, 3, 2; 1..=1_000, Observed
    /// An observer connects anew to a consumer that acknowledged nothing for this many milliseconds.
    ack_timeout_ms / "ackTimeoutMs": 500, 1_500, 1_000, 10_000; 200..=60_000, Observed
}

/// One line of the table.
pub(super) struct Constant {
    /// As YAML names it.
    pub(super) yaml: &'static str,
    pub(super) scope: Scope,
    /// `fast`, `wan`, `single`, `karmada`.
    #[cfg(test)]
    pub(super) presets: [u32; 4],
    #[cfg(test)]
    pub(super) allowed: [u32; 2],
    #[cfg(test)]
    pub(super) meaning: &'static [&'static str],
}

fn within(
    given: Option<Given>,
    field: &'static str,
    least: u32,
    most: u32,
) -> Result<Option<u32>, ProfileError> {
    let Some(given) = given else { return Ok(None) };
    let found = given.whole().filter(|value| (least..=most).contains(value));
    let range = ProfileError::Range {
        field,
        given: given.to_string(),
        least,
        most,
    };
    found.map(Some).ok_or(range)
}

/// What a cluster's override may name.
pub(super) fn by_cluster() -> String {
    let own = CONSTANTS.iter().filter(|constant| constant.scope.is_by_cluster());
    std::iter::once("preset")
        .chain(own.map(|constant| constant.yaml))
        .collect::<Vec<_>>()
        .join(", ")
}

impl JsonSchema for Profile {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        ProfilePatch::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        ProfilePatch::json_schema(generator)
    }
}
