//! What the chamber is set to: who watches, by which profile, and how probes are lost.
//!
//! The closed formula is compared with what can be counted, so a setting may alter the profile where too few Downs would come of it
//! as it is; what it alters stands beside its figures.

use std::time::Duration;

use lifeboat_health::{Bursts, Preset, Profile, false_alarms_per_second};

use super::chamber::TARGETS;
use super::report::ENOUGH_SEEDS;

/// So many Downs are meant to be expected of each setting, by the formula.
const WANTED: f64 = 115.0;
/// Shorter runs have as much of each setting as belongs to so many seeds.
const FULL_RUN: u64 = 10_000;

/// Most virtual seconds of lost probes for one seed.
pub const MOST_SECONDS: u64 = 1_000_000;

/// How long bursts are, who detects, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Setting {
    /// Bursts of ten probes, and the profile as it is.
    AsItIs,
    /// Bursts of three probes, Dead after three misses, and evidence sent as often as may be.
    Short,
    /// The same with evidence sent as the profile says.
    Seldom,
    /// Four of five votes, which a Down of the whole fleet takes; Dead after two misses.
    Five,
}

impl Setting {
    pub(super) const ALL: [Setting; 4] = [Setting::AsItIs, Setting::Short, Setting::Seldom, Setting::Five];

    /// Mean length of a burst, in probes.
    pub(super) fn burst(self) -> u64 {
        match self {
            Setting::AsItIs | Setting::Five => 10,
            Setting::Short | Setting::Seldom => 3,
        }
    }

    /// Of three all must be wrong at once, of five four.
    pub(super) fn observers(self) -> u32 {
        match self {
            Setting::AsItIs | Setting::Short | Setting::Seldom => 3,
            Setting::Five => 5,
        }
    }

    pub(super) fn profile(self, preset: Preset) -> Profile {
        let profile = preset.profile();
        match self {
            Setting::AsItIs => profile,
            Setting::Short => Profile {
                send_ms: 20,
                ..hasty(profile, 3)
            },
            Setting::Seldom => hasty(profile, 3),
            Setting::Five => hasty(profile, 2),
        }
    }

    /// What it alters, and why.
    pub(super) fn altered(self) -> &'static str {
        match self {
            Setting::AsItIs => "the profile as it is",
            Setting::Short => {
                "deadMisses 3, or too few Downs come to be counted; sendMs 20, since the formula has it that a vote is told as it is cast"
            }
            Setting::Seldom => {
                "deadMisses 3, and sendMs as it is: a vote that ends before it is sent is never told, so fewer Downs come; not compared"
            }
            Setting::Five => "deadMisses 2, or too few Downs come to be counted",
        }
    }

    /// Whether its Downs must be as many as the formula says: where evidence is sent as seldom as short bursts end, fewer come, which
    /// errs on the safe side.
    pub(super) fn is_compared(self) -> bool {
        match self {
            Setting::AsItIs | Setting::Short | Setting::Five => true,
            Setting::Seldom => false,
        }
    }

    /// Downs of one target in a second, by the formula.
    pub(super) fn expected_per_second(self, preset: Preset, permille: u64) -> f64 {
        let profile = self.profile(preset);
        let (misses, votes) = (profile.dead_misses, profile.q(self.observers()));
        false_alarms_per_second(&profile, self.bursts(permille), misses, self.observers(), votes)
    }

    pub(super) fn bursts(self, permille: u64) -> Bursts {
        Bursts {
            share: permille as f64 / 1_000.0,
            mean: self.burst() as f64,
        }
    }
}

/// A profile that finds Dead after so many misses, with timeouts that leave room for it.
fn hasty(profile: Profile, misses: u32) -> Profile {
    let most_ms = misses * profile.interval_ms;
    Profile {
        dead_misses: misses,
        suspect_misses: misses,
        hard_misses: misses,
        timeout_max_ms: profile.timeout_max_ms.min(most_ms),
        phase_timeout_ms: profile.phase_timeout_ms.min(most_ms),
        ..profile
    }
}

/// Seeds take turns: a setting, and a share of losses in thousandths. Downs rise with the third power of that, so a smaller one gets
/// more turns; four of five votes are the rarest.
const TURNS: [(Setting, u64); 24] = [
    (Setting::AsItIs, 40),
    (Setting::Five, 40),
    (Setting::Short, 40),
    (Setting::AsItIs, 20),
    (Setting::Five, 40),
    (Setting::Short, 30),
    (Setting::AsItIs, 30),
    (Setting::Five, 40),
    (Setting::Seldom, 40),
    (Setting::AsItIs, 20),
    (Setting::Five, 40),
    (Setting::Short, 20),
    (Setting::AsItIs, 40),
    (Setting::AsItIs, 20),
    (Setting::Five, 40),
    (Setting::Short, 40),
    (Setting::AsItIs, 30),
    (Setting::Five, 40),
    (Setting::AsItIs, 20),
    (Setting::Short, 30),
    (Setting::AsItIs, 40),
    (Setting::Five, 40),
    (Setting::AsItIs, 20),
    (Setting::AsItIs, 30),
];

pub(super) fn turn(seed: u64) -> (Setting, u64) {
    let turn = usize::try_from(seed % TURNS.len() as u64).unwrap_or(0);
    TURNS[turn]
}

/// Virtual seconds of lost probes for each seed, so that enough Downs are expected of each setting that is compared with the formula.
/// Fewer than a thousand seeds have no more of them than ten thousand would: too few, which the report says.
pub fn loss_seconds(preset: Preset, seeds: u64) -> u64 {
    let seeds = if seeds < ENOUGH_SEEDS { FULL_RUN } else { seeds };
    let each = Setting::ALL.into_iter().filter(|setting| setting.is_compared());
    let expected = each.map(|setting| {
        let turns = TURNS.iter().filter(|(its, _)| *its == setting);
        let expected: f64 = turns
            .map(|(_, permille)| setting.expected_per_second(preset, *permille))
            .sum();
        expected * TARGETS as f64 / TURNS.len() as f64
    });
    let scarcest = expected.fold(f64::INFINITY, f64::min);
    let wanted = Duration::try_from_secs_f64(WANTED / (scarcest * seeds as f64));
    wanted.map_or(MOST_SECONDS, |wanted| (wanted.as_secs() + 1).min(MOST_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::detection::false_alarms::MANY;

    #[test]
    fn every_setting_is_a_profile_that_works_and_has_its_turns() {
        for setting in Setting::ALL {
            for preset in Preset::ALL {
                let held = setting.profile(preset).validate();
                assert_eq!(held, Ok(()), "{setting:?} of {preset}");
            }
            assert!(TURNS.iter().any(|(its, _)| *its == setting), "{setting:?}");
        }
        assert_eq!(Setting::AsItIs.profile(Preset::Fast), Profile::fast());
        let five = Setting::Five;
        assert_eq!(five.profile(Preset::Fast).q(five.observers()), 4);
    }

    /// Of each setting that is compared, in so many seeds of so many seconds.
    fn expected(preset: Preset, seeds: u64, seconds: u64) -> Vec<f64> {
        let of = |setting: Setting| {
            (0..seeds)
                .map(turn)
                .filter(|(its, _)| *its == setting)
                .map(|(_, permille)| setting.expected_per_second(preset, permille))
                .sum::<f64>()
                * (seconds * TARGETS) as f64
        };
        let compared = Setting::ALL.into_iter().filter(|setting| setting.is_compared());
        compared.map(of).collect()
    }

    #[test]
    fn a_thousand_seeds_or_more_have_enough_to_compare_whatever_the_profile() {
        for preset in Preset::ALL {
            for seeds in [1_000, 1_024, 10_000, 100_000] {
                let all = expected(preset, seeds, loss_seconds(preset, seeds));
                assert!(
                    all.iter().all(|expected| *expected >= MANY),
                    "{preset}, {seeds}: {all:?}"
                );
            }
        }
        let each = loss_seconds(Preset::Fast, FULL_RUN);
        assert_eq!(loss_seconds(Preset::Fast, 100), each, "a short run has its part");
        assert!(
            (40..=80).contains(&each),
            "{each} s a seed are what ten thousand seeds have time for"
        );
    }
}
