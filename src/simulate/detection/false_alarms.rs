//! Downs that losses alone made, beside as many as the closed formula says.

use std::collections::BTreeMap;

use lifeboat_health::Preset;
use serde::Serialize;

use super::chamber::Stay;
use super::setting::Setting;

/// Fewer Downs than this are too few to compare with a formula.
const ENOUGH: f64 = 30.0;
/// Of so many, half or twice as many is no chance.
pub(super) const MANY: f64 = 100.0;

/// What stays in the chamber came to, by setting and share of losses in thousandths.
#[derive(Clone, Debug, Default)]
pub(super) struct Losses {
    by: BTreeMap<(Setting, u64), Tally>,
}

#[derive(Clone, Debug, Default)]
struct Tally {
    target_seconds: f64,
    downs: u64,
}

/// Downs that losses alone made.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FalseAlarms {
    /// All shares that were tried, together, where there is none.
    pub loss_percent: Option<f64>,
    /// Mean length of a burst, in probes.
    pub burst: u64,
    pub misses: u32,
    /// Milliseconds between two sends of the evidence.
    pub send_ms: u32,
    pub observers: u32,
    pub votes: u32,
    pub target_days: f64,
    /// The quorum's own transitions to Down.
    pub downs: u64,
    /// By the formula.
    pub expected: f64,
    /// Downs by expected ones, where enough were expected to tell.
    pub ratio: Option<f64>,
    /// All that was tried of its setting: where it is compared, there must be enough of it.
    pub whole: bool,
    /// Whether a run fails where it is far from the formula.
    pub compared: bool,
    /// What its setting alters of the profile, and why.
    pub altered: &'static str,
}

impl FalseAlarms {
    /// More than twice or less than half of what the formula says, where that is no chance.
    pub(super) fn is_far_off(&self) -> bool {
        let ratio = self.ratio.filter(|_| self.compared && self.expected >= MANY);
        ratio.is_some_and(|ratio| !(0.5..=2.0).contains(&ratio))
    }

    /// Nothing can be said of a setting that is to be compared.
    pub(super) fn is_too_few(&self) -> bool {
        self.compared && self.whole && self.expected < MANY
    }
}

impl Losses {
    pub(super) fn add(&mut self, stay: &Stay) {
        self.note(stay.setting, stay.permille, stay.target_seconds, stay.downs);
    }

    pub(super) fn note(&mut self, setting: Setting, permille: u64, target_seconds: f64, downs: u64) {
        let tally = self.by.entry((setting, permille)).or_default();
        tally.target_seconds += target_seconds;
        tally.downs += downs;
    }

    /// By setting and share of losses, and for each setting all together. A setting of which nothing was tried is among them; without
    /// losses there is none.
    pub(super) fn beside_the_formula(&self, preset: Preset) -> Vec<FalseAlarms> {
        let mut all = Vec::new();
        for setting in Setting::ALL {
            let profile = setting.profile(preset);
            let row = |loss_percent, whole, target_seconds: f64, downs: u64, expected: f64| FalseAlarms {
                loss_percent,
                burst: setting.burst(),
                misses: profile.dead_misses,
                send_ms: profile.send_ms,
                observers: setting.observers(),
                votes: profile.q(setting.observers()),
                target_days: target_seconds / 86_400.0,
                downs,
                expected,
                ratio: (expected >= ENOUGH).then(|| downs as f64 / expected),
                whole,
                compared: setting.is_compared(),
                altered: setting.altered(),
            };
            let (mut seconds, mut downs, mut expected) = (0.0, 0, 0.0);
            let tried: Vec<_> = self.by.range((setting, 0)..=(setting, u64::MAX)).collect();
            for ((_, permille), tally) in &tried {
                let its = setting.expected_per_second(preset, *permille) * tally.target_seconds;
                let percent = Some(*permille as f64 / 10.0);
                let only = tried.len() == 1;
                all.push(row(percent, only, tally.target_seconds, tally.downs, its));
                seconds += tally.target_seconds;
                downs += tally.downs;
                expected += its;
            }
            if tried.len() != 1 && !self.by.is_empty() {
                all.push(row(None, true, seconds, downs, expected));
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(expected: f64, downs: u64) -> FalseAlarms {
        let rate = Setting::AsItIs.expected_per_second(Preset::Fast, 40);
        let mut losses = Losses::default();
        losses.note(Setting::AsItIs, 40, expected / rate, downs);
        let rows = losses.beside_the_formula(Preset::Fast);
        let row = rows.into_iter().find(|row| row.target_days > 0.0).unwrap();
        FalseAlarms { expected, ..row }
    }

    #[test]
    fn half_to_twice_as_many_are_allowed_where_many_were_expected() {
        let check = |expected, downs, far_off| {
            assert_eq!(
                row(expected, downs).is_far_off(),
                far_off,
                "{downs} of {expected}"
            );
        };
        check(120.0, 59, true);
        check(120.0, 61, false);
        check(120.0, 239, false);
        check(120.0, 241, true);
        check(99.0, 0, false);
        check(99.0, 999, false);
        let uncompared = FalseAlarms {
            compared: false,
            ..row(120.0, 10)
        };
        assert!(!uncompared.is_far_off());
    }

    #[test]
    fn too_few_are_a_whole_settings_that_is_compared() {
        let few = row(99.0, 99);
        assert!(few.whole && few.compared && few.is_too_few());
        assert!(!row(100.0, 0).is_too_few());
        assert!(
            !FalseAlarms {
                whole: false,
                ..few.clone()
            }
            .is_too_few()
        );
        assert!(
            !FalseAlarms {
                compared: false,
                ..few
            }
            .is_too_few()
        );
    }

    #[test]
    fn shares_are_summed_up_and_a_setting_that_was_not_tried_is_missed() {
        let mut losses = Losses::default();
        assert!(
            losses.beside_the_formula(Preset::Fast).is_empty(),
            "nothing was lost"
        );
        losses.note(Setting::Short, 20, 1e6, 7);
        losses.note(Setting::Short, 40, 1e6, 90);
        losses.note(Setting::Short, 40, 1e6, 20);
        let rows = losses.beside_the_formula(Preset::Fast);
        let told: Vec<(Option<f64>, u64, bool)> = rows
            .iter()
            .filter(|row| row.altered == Setting::Short.altered())
            .map(|row| (row.loss_percent, row.downs, row.whole))
            .collect();
        assert_eq!(
            told,
            [(Some(2.0), 7, false), (Some(4.0), 110, false), (None, 117, true)]
        );
        let missed = |setting: Setting| {
            let row = rows.iter().find(|row| row.altered == setting.altered());
            row.is_some_and(FalseAlarms::is_too_few)
        };
        assert!(missed(Setting::AsItIs) && missed(Setting::Five));
    }
}
