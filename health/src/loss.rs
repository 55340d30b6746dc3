//! What probes of one target lose while it is up, estimated as it goes: the share, the bursts, how far observers lose together,
//! and how often that alone would make a wrong Down under the profile in force. Pure.
//!
//! ```text
//! every sendMs: how many fresh observers are silent ──Meter::sample──> a spell of losses ──it ended, without a Down──> Sums
//! Sums, halved each 30 min ──Meter::estimate──> share, burst, correlation ──recurrence──> seconds between mistakes
//! ```
//! Memory is a dozen numbers a target. The window is an exponential one: a half-life of 30 minutes.

use std::time::Duration;

use serde::Serialize;

use crate::profile::Profile;
use crate::recurrence::{Bursts, mistakes_per_second, usual_timeout};
use crate::time::MonoTime;

/// In this time the weight of what was seen halves.
const HALF_LIFE: Duration = Duration::from_secs(1_800);
/// Spells of losses that overlap are cut here, for fleets in which somebody always loses something.
const LONGEST_SPELL: Duration = Duration::from_secs(30);
/// An observer silent for this many times `deadMisses` is cut off, and does not lose packets.
pub(crate) const CUT_OFF: u32 = 10;
/// Bursts that must weigh in before they are believed.
const ENOUGH_BURSTS: f64 = 10.0;
/// A correlation below this many standard errors is chance.
const ERRORS: f64 = 2.0;

/// What the fresh observers of a target saw of it in one sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sighting {
    /// Observers that are fresh, do not abstain and are not cut off.
    pub(crate) fresh: u32,
    /// Of those, silent now.
    pub(crate) silent: u32,
    /// Fresh ones that are cut off.
    pub(crate) cut_off: u32,
    /// Silences that began since the last sample.
    pub(crate) bursts: u32,
}

/// Seconds, each times the observers, or pairs of observers, that spent them.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    seen: f64,
    silent: f64,
    bursts: f64,
    pairs: f64,
    /// Both silent.
    both: f64,
}

/// Follows the losses of one target.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    sums: Sums,
    /// When `sums` were right.
    at: MonoTime,
    /// The spell of losses under way.
    spell: Sums,
    spell_since: Option<MonoTime>,
    /// The spell is an outage, of the target or of one observer's way to it.
    outage: bool,
    cut_off: u32,
}

/// Losses of one target while it is up, and what follows from them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LossEstimate {
    /// Share of probes lost, 0 to 1.
    pub share: f64,
    /// Mean length of a burst, in probes.
    pub burst: f64,
    /// Correlation of two observers' losses, 0 to 1; 0 where it may be chance.
    pub correlation: f64,
    /// Bursts that weigh in, halved each 30 minutes; with fewer than 10 nothing is concluded.
    pub bursts: f64,
    /// Mean seconds from one wrong Down of this target to the next under the profile; `None` where too little is lost to say,
    /// or none is to be expected.
    pub recurrence_s: Option<f64>,
    /// The least that the profile asks for: `mistakeRecurrenceH`, in seconds.
    pub wanted_s: f64,
}

impl LossEstimate {
    /// Wrong Downs are to be expected more often than the profile allows.
    pub fn infeasible(&self) -> bool {
        self.recurrence_s.is_some_and(|seconds| seconds < self.wanted_s)
    }
}

impl Meter {
    /// Take in one sample, which stands for the time `lasted` up to `now`. `up`: the target is Up or Suspect, and not frozen.
    pub(crate) fn sample(&mut self, sighting: Sighting, up: bool, lasted: Duration, now: MonoTime) {
        let Sighting {
            fresh,
            silent,
            cut_off,
            bursts,
        } = sighting;
        self.outage |= !up || cut_off > self.cut_off;
        self.cut_off = cut_off;
        let seconds = lasted.as_secs_f64();
        let pairs = |of: u32| f64::from(of) * (f64::from(of) - 1.0) / 2.0 * seconds;
        let sample = Sums {
            seen: f64::from(fresh) * seconds,
            silent: f64::from(silent) * seconds,
            bursts: bursts.into(),
            pairs: pairs(fresh),
            both: pairs(silent),
        };
        self.spell.add(sample);
        let since = *self.spell_since.get_or_insert(now);
        let over = silent == 0;
        if over || now.saturating_since(since) >= LONGEST_SPELL {
            if !self.outage {
                let half_lives = now.saturating_since(self.at).as_secs_f64() / HALF_LIFE.as_secs_f64();
                self.sums.scale((-half_lives).exp2());
                self.sums.add(self.spell);
                self.at = now;
            }
            (self.spell, self.spell_since) = (Sums::default(), None);
            // An outage that is cut into pieces is one until all have an answer.
            self.outage &= !over || !up;
        }
    }

    /// What follows, if `observers` are fresh.
    pub(crate) fn estimate(&self, observers: u32, profile: &Profile) -> Option<LossEstimate> {
        let Sums {
            seen,
            silent,
            bursts,
            pairs,
            both,
        } = self.sums;
        if seen <= 0.0 {
            return None;
        }
        let (interval, timeout) = (
            profile.interval().as_secs_f64(),
            usual_timeout(profile).as_secs_f64(),
        );
        // A miss is known a timeout after its probe and a success at once, so silence shows for that much less than it lasts.
        let lost = silent + bursts * timeout.min(interval);
        let share = (lost / seen).clamp(0.0, 0.99);
        // Independent losses have bursts of 1/(1-p).
        let burst = (lost / (bursts.max(f64::MIN_POSITIVE) * interval)).max(1.0 / (1.0 - share));
        let (mean, joint) = (silent / seen, both / pairs.max(f64::MIN_POSITIVE));
        let variance = mean * (1.0 - mean);
        let independent = pairs / (burst * interval);
        let correlation = if pairs > 0.0 && variance > 0.0 {
            (joint - mean * mean) / variance
        } else {
            0.0
        };
        let chance = ERRORS / independent.max(1.0).sqrt();
        let mut estimate = LossEstimate {
            share,
            burst: if bursts > 0.0 { burst } else { 0.0 },
            correlation: if correlation > chance {
                correlation.min(1.0)
            } else {
                0.0
            },
            bursts,
            recurrence_s: None,
            wanted_s: f64::from(profile.mistake_recurrence_h) * 3_600.0,
        };
        if bursts >= ENOUGH_BURSTS && observers > 0 {
            let lost = Bursts { share, mean: burst };
            let rate = mistakes_per_second(profile, lost, estimate.correlation, observers);
            estimate.recurrence_s = (rate > 0.0).then(|| 1.0 / rate);
        }
        Some(estimate)
    }
}

impl Sums {
    fn add(&mut self, other: Sums) {
        self.seen += other.seen;
        self.silent += other.silent;
        self.bursts += other.bursts;
        self.pairs += other.pairs;
        self.both += other.both;
    }

    fn scale(&mut self, by: f64) {
        self.seen *= by;
        self.silent *= by;
        self.bursts *= by;
        self.pairs *= by;
        self.both *= by;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(100);

    fn sighting(silent: u32, bursts: u32) -> Sighting {
        Sighting {
            fresh: 5,
            silent,
            cut_off: 0,
            bursts,
        }
    }

    /// Samples of 100 ms from a script of (how many, what, up); the estimate after it.
    fn metered(script: &[(u64, Sighting, bool)]) -> LossEstimate {
        let (mut meter, mut now) = (Meter::default(), MonoTime::ZERO);
        for (times, sighting, up) in script {
            for _ in 0..*times {
                now = now + STEP;
                meter.sample(*sighting, *up, STEP, now);
            }
        }
        meter.estimate(5, &Profile::fast()).unwrap()
    }

    #[test]
    fn nothing_lost_says_nothing() {
        let found = metered(&[(1_000, sighting(0, 0), true)]);
        assert_eq!((found.share, found.burst, found.recurrence_s), (0.0, 0.0, None));
        assert_eq!(Meter::default().estimate(5, &Profile::fast()), None);
    }

    #[test]
    fn an_outage_is_no_loss() {
        let calm = (1_000, sighting(0, 0), true);
        let (dying, down) = ((4, sighting(5, 1), true), (900, sighting(5, 0), false));
        let found = metered(&[calm, dying, down, (5, sighting(3, 0), true), calm]);
        assert_eq!((found.share, found.bursts), (0.0, 0.0));
        let cut_off = Sighting {
            fresh: 4,
            cut_off: 1,
            ..sighting(0, 0)
        };
        let found = metered(&[calm, (50, sighting(1, 1), true), (9_000, cut_off, true), calm]);
        assert_eq!((found.share, found.bursts), (0.0, 0.0));
    }

    #[test]
    fn losses_together_are_told_from_losses_apart() {
        let spells = |silent: u32, bursts: u32| {
            let (first, rest) = (sighting(silent, bursts), sighting(silent, 0));
            let calm = (97, sighting(0, 0), true);
            let spell = [(1, first, true), (2, rest, true), calm];
            metered(&[spell; 40].concat())
        };
        let (together, apart) = (spells(5, 5), spells(1, 1));
        assert!(
            together.correlation > 0.9 && together.infeasible(),
            "{together:?}"
        );
        assert_eq!(apart.correlation, 0.0, "{apart:?}");
        assert!((2.9..3.7).contains(&together.burst), "{together:?}");
        assert!((0.028..0.04).contains(&together.share), "{together:?}");
    }

    #[test]
    fn what_was_lost_long_ago_weighs_little() {
        let spell = [(3, sighting(1, 1), true), (97, sighting(0, 0), true)];
        let script = [[spell; 40].concat(), vec![(5 * 18_000, sighting(0, 0), true)]].concat();
        let found = metered(&script);
        assert!(found.bursts < 5.0 && found.recurrence_s.is_none(), "{found:?}");
    }
}
