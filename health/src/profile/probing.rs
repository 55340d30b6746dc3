//! How an observer says that it probes, and whether a consumer can count what it finds.
//!
//! Misses are counted by the observer and judged by the consumer, so both must mean the same by one. An observer may be slower and more
//! patient than the consumer's profile, as long as its rows are fresh when they vote: then a Down comes later. One that is faster or
//! less patient would make a Down of what the profile takes for a blip, and is not counted.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Profile, ms};

/// The constants of a profile that say what a miss is, and how old a row may be: as every datagram has them. Milliseconds but for the
/// jitter; bounds are those of the profile, which fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Probing {
    /// T.
    pub interval_ms: u16,
    pub jitter_percent: u8,
    pub timeout_min_ms: u16,
    pub timeout_max_ms: u16,
    pub phase_timeout_ms: u16,
    pub late_ms: u16,
    pub send_ms: u16,
    pub loop_lag_ms: u16,
}

/// An observer's probing that is not the consumer's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbesOtherwise {
    /// What it finds is counted all the same.
    pub counts: bool,
    /// Each field at fault with its value, the consumer's and what is allowed; where it counts, each that differs.
    pub why: String,
}

impl Probing {
    /// Of an observer with this profile.
    pub fn of(profile: &Profile) -> Probing {
        let short = |value: u32| u16::try_from(value).unwrap_or(u16::MAX);
        Probing {
            interval_ms: short(profile.interval_ms),
            jitter_percent: u8::try_from(profile.jitter_percent).unwrap_or(u8::MAX),
            timeout_min_ms: short(profile.timeout_min_ms),
            timeout_max_ms: short(profile.timeout_max_ms),
            phase_timeout_ms: short(profile.phase_timeout_ms),
            late_ms: short(profile.late_ms),
            send_ms: short(profile.send_ms),
            loop_lag_ms: short(profile.loop_lag_ms),
        }
    }

    /// By their names in a profile.
    fn fields(&self) -> [(&'static str, u32); 8] {
        let Probing {
            interval_ms,
            jitter_percent,
            timeout_min_ms,
            timeout_max_ms,
            phase_timeout_ms,
            late_ms,
            send_ms,
            loop_lag_ms,
        } = *self;
        [
            ("intervalMs", interval_ms.into()),
            ("jitterPercent", jitter_percent.into()),
            ("timeoutMinMs", timeout_min_ms.into()),
            ("timeoutMaxMs", timeout_max_ms.into()),
            ("phaseTimeoutMs", phase_timeout_ms.into()),
            ("lateMs", late_ms.into()),
            ("sendMs", send_ms.into()),
            ("loopLagMs", loop_lag_ms.into()),
        ]
    }
}

impl Profile {
    /// This profile, of whoever probes so.
    #[must_use]
    pub fn probed_as(&self, probing: &Probing) -> Profile {
        Profile {
            interval_ms: probing.interval_ms.into(),
            jitter_percent: probing.jitter_percent.into(),
            timeout_min_ms: probing.timeout_min_ms.into(),
            timeout_max_ms: probing.timeout_max_ms.into(),
            phase_timeout_ms: probing.phase_timeout_ms.into(),
            late_ms: probing.late_ms.into(),
            send_ms: probing.send_ms.into(),
            loop_lag_ms: probing.loop_lag_ms.into(),
            ..self.clone()
        }
    }

    /// Whether this profile can judge what an observer finds that probes so; `None` where it probes as this profile says.
    pub fn judges(&self, probing: &Probing) -> Option<ProbesOtherwise> {
        let here = Probing::of(self);
        if here == *probing {
            return None;
        }
        let misfits = self.misfits(probing, &here);
        Some(if misfits.is_empty() {
            ProbesOtherwise {
                counts: true,
                why: differences(probing, &here),
            }
        } else {
            ProbesOtherwise {
                counts: false,
                why: joined(&misfits),
            }
        })
    }

    fn misfits(&self, probing: &Probing, here: &Probing) -> Vec<Misfit> {
        let theirs = self.probed_as(probing);
        let mut misfits = Vec::new();
        // No sooner, and no less patient.
        for ((field, its), (_, own)) in probing.fields().into_iter().zip(here.fields()) {
            let why = match field {
                "intervalMs" => "or its misses in a row are a Down sooner than this profile has one",
                "timeoutMinMs" | "timeoutMaxMs" | "phaseTimeoutMs" => "or it takes slow answers for misses",
                "lateMs" => "or it takes late answers for silence",
                _ => continue,
            };
            if its < own {
                misfits.push(Misfit {
                    field,
                    its,
                    own,
                    allowed: Allowed::AtLeast(own.into()),
                    why,
                });
            }
        }
        let mut at_most = |field: &'static str, bound: u64, why| {
            let of = |probing: &Probing| probing.fields().into_iter().find(|(name, _)| *name == field);
            if let (Some((_, its)), Some((_, own))) = (of(probing), of(here))
                && u64::from(its) > bound
            {
                misfits.push(Misfit {
                    field,
                    its,
                    own,
                    allowed: Allowed::AtMost(bound),
                    why,
                });
            }
        };
        let streak = |misses: u32| u64::from(misses) * u64::from(theirs.interval_ms);
        for field in ["timeoutMaxMs", "phaseTimeoutMs"] {
            let why = "deadMisses x its intervalMs, or the timeout alone outlasts the streak it is part of";
            at_most(field, streak(self.dead_misses), why);
        }
        let why = "less than suspectMisses x its intervalMs, or a stall of its own makes a vote";
        at_most("loopLagMs", streak(self.suspect_misses).saturating_sub(1), why);
        at_most(
            "sendMs",
            u64::from(self.fresh_ms / 2),
            "half of freshMs, or its rows are old before the next",
        );
        if theirs.least_fresh_ms() > self.fresh_ms.into() {
            let timeout = theirs.timeout_max_ms.max(theirs.phase_timeout_ms);
            let left = self.fresh().saturating_sub(ms(timeout)) * 100 / (100 + theirs.jitter_percent);
            let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
            if left >= self.interval_ms.into() {
                at_most("intervalMs", left, FRESH);
            } else {
                let slowest = Profile {
                    jitter_percent: theirs.jitter_percent,
                    ..self.clone()
                }
                .slowest_interval();
                let left = self.fresh().saturating_sub(slowest);
                let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
                at_most("timeoutMaxMs", left, FRESH);
                at_most("phaseTimeoutMs", left, FRESH);
            }
        }
        misfits
    }
}

const FRESH: &str = "so that its slowest interval and longest timeout are within freshMs, or its rows are stale before they vote";

/// A field that keeps an observer from being counted.
#[derive(Clone, Copy, Debug)]
struct Misfit {
    field: &'static str,
    its: u32,
    own: u32,
    allowed: Allowed,
    why: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum Allowed {
    AtLeast(u64),
    AtMost(u64),
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Misfit {
            field,
            its,
            own,
            allowed,
            why,
        } = self;
        let (relation, bound) = match allowed {
            Allowed::AtLeast(bound) => ("at least", bound),
            Allowed::AtMost(bound) => ("at most", bound),
        };
        write!(
            f,
            "its {field} is {its}, here it is {own}: allowed is {relation} {bound}, {why}"
        )
    }
}

fn differences(probing: &Probing, here: &Probing) -> String {
    let both = probing.fields().into_iter().zip(here.fields());
    let differ = both.filter(|((_, its), (_, own))| its != own);
    let told: Vec<String> = differ
        .map(|((field, its), (_, own))| format!("its {field} is {its}, here it is {own}"))
        .collect();
    joined(&told)
}

fn joined(told: &[impl fmt::Display]) -> String {
    told.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fast() -> Probing {
        Probing::of(&Profile::fast())
    }

    #[track_caller]
    fn check(profile: &Profile, probing: Probing, expected: Option<(bool, &str)>) {
        let told = profile.judges(&probing);
        let told = told.as_ref().map(|told| (told.counts, told.why.as_str()));
        assert_eq!(told, expected);
    }

    #[test]
    fn an_equal_one_counts_and_a_slower_one_as_long_as_it_is_fresh() {
        for preset in super::super::Preset::ALL {
            check(&preset.profile(), Probing::of(&preset.profile()), None);
        }
        check(
            &Profile::fast(),
            Probing {
                interval_ms: 150,
                ..fast()
            },
            Some((true, "its intervalMs is 150, here it is 100")),
        );
        check(
            &Profile::fast(),
            Probing {
                interval_ms: 1_000,
                ..fast()
            },
            Some((
                false,
                "its intervalMs is 1000, here it is 100: allowed is at most 181, so that its slowest interval and longest timeout are \
                 within freshMs, or its rows are stale before they vote",
            )),
        );
    }

    #[test]
    fn a_faster_or_less_patient_one_does_not_count() {
        check(
            &Profile::fast(),
            Probing {
                interval_ms: 99,
                ..fast()
            },
            Some((
                false,
                "its intervalMs is 99, here it is 100: allowed is at least 100, or its misses in a row are a Down sooner than this \
                 profile has one",
            )),
        );
        let refused = |probing: Probing, fields: &[&str]| {
            let told = Profile::fast().judges(&probing).unwrap();
            assert!(!told.counts);
            for field in fields {
                assert!(
                    told.why.contains(&format!("its {field} is ")),
                    "{field}: {}",
                    told.why
                );
            }
        };
        refused(
            Probing {
                timeout_min_ms: 59,
                ..fast()
            },
            &["timeoutMinMs"],
        );
        refused(
            Probing {
                timeout_max_ms: 299,
                ..fast()
            },
            &["timeoutMaxMs"],
        );
        refused(
            Probing {
                phase_timeout_ms: 299,
                ..fast()
            },
            &["phaseTimeoutMs"],
        );
        refused(
            Probing {
                late_ms: 999,
                ..fast()
            },
            &["lateMs"],
        );
        refused(
            Probing {
                send_ms: 251,
                ..fast()
            },
            &["sendMs"],
        );
        refused(
            Probing {
                loop_lag_ms: 300,
                ..fast()
            },
            &["loopLagMs"],
        );
        refused(
            Probing {
                interval_ms: 20,
                timeout_max_ms: 101,
                ..fast()
            },
            &["intervalMs", "timeoutMaxMs"],
        );
        refused(
            Probing::of(&Profile::karmada()),
            &["sendMs", "timeoutMaxMs", "phaseTimeoutMs"],
        );
    }

    fn any_probing() -> impl Strategy<Value = Probing> {
        let near = |value: u32| {
            let value = u16::try_from(value).unwrap();
            prop_oneof![Just(value), 1..=2 * value, 1..=u16::MAX]
        };
        let profile = Profile::wan();
        (
            (near(profile.interval_ms), 0..=50_u8, near(profile.timeout_min_ms)),
            (near(profile.timeout_max_ms), near(profile.phase_timeout_ms)),
            (
                near(profile.late_ms),
                near(profile.send_ms),
                near(profile.loop_lag_ms),
            ),
        )
            .prop_map(
                |(
                    (interval_ms, jitter_percent, timeout_min_ms),
                    (timeout_max_ms, phase_timeout_ms),
                    (late_ms, send_ms, loop_lag_ms),
                )| {
                    Probing {
                        interval_ms,
                        jitter_percent,
                        timeout_min_ms,
                        timeout_max_ms,
                        phase_timeout_ms,
                        late_ms,
                        send_ms,
                        loop_lag_ms,
                    }
                },
            )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        /// What is counted breaks no rule that a profile has for judging, and is no sooner and no less patient than the profile.
        #[test]
        fn what_is_counted_could_be_a_profile(probing in any_probing()) {
            let wan = Profile::wan();
            let counts = wan.judges(&probing).is_none_or(|told| told.counts);
            let theirs = wan.probed_as(&probing);
            let patient = theirs.interval_ms >= wan.interval_ms
                && theirs.timeout_min_ms >= wan.timeout_min_ms
                && theirs.timeout_max_ms >= wan.timeout_max_ms
                && theirs.phase_timeout_ms >= wan.phase_timeout_ms
                && theirs.late_ms >= wan.late_ms;
            prop_assert_eq!(counts, patient && theirs.validate_judging().is_ok());
        }
    }
}
