//! What makes a profile one that cannot work: a field out of its range, or against another field. All rules that are broken are
//! told at once.

use std::time::Duration;

use super::{Profile, ProfileError};

impl Profile {
    /// Check every field's range, and the rules between fields, of a whole fleet's profile.
    ///
    /// # Errors
    /// The first field out of its range, or every rule that is broken; with the bound.
    pub fn validate(&self) -> Result<(), ProfileError> {
        self.check_ranges(|_| true)?;
        let mut rules = self.own_rules();
        self.fleet_rules(&mut rules);
        rules.at_least(
            "abstainHoldMs",
            self.abstain_hold_ms,
            self.timeout_max_ms.into(),
            "timeoutMaxMs, or misses of the observer's own stall count on its return",
        );
        rules.told()
    }

    /// The same of what decides evidence that is there: how observers went about it is past, and only what it comes to for whoever
    /// decides is asked.
    ///
    /// # Errors
    /// As of [`Profile::validate`].
    pub fn validate_judging(&self) -> Result<(), ProfileError> {
        self.check_ranges(|scope| !scope.is_by_observers())?;
        let mut rules = Rules::default();
        self.judging_rules(&mut rules);
        self.fleet_rules(&mut rules);
        rules.told()
    }

    /// What holds of a cluster's own profile too.
    pub(super) fn validate_own(&self) -> Result<(), ProfileError> {
        self.check_ranges(|_| true)?;
        self.own_rules().told()
    }

    fn own_rules(&self) -> Rules {
        let mut rules = Rules::default();
        rules.at_least(
            "timeoutMaxMs",
            self.timeout_max_ms,
            self.timeout_min_ms.into(),
            "timeoutMinMs",
        );
        rules.at_least(
            "lateMs",
            self.late_ms,
            self.longest_timeout_ms().into(),
            "the longer of timeoutMaxMs and phaseTimeoutMs, or nothing could be late",
        );
        self.judging_rules(&mut rules);
        rules
    }

    fn fleet_rules(&self, rules: &mut Rules) {
        if self.min_fresh == 2 {
            rules.broken.push(ProfileError::Rule {
                field: "minFresh",
                given: self.min_fresh,
                relation: "1, where there is but one observer, or at least",
                bound: 3,
                rule: "since of two observers neither outvotes the other",
            });
        }
        rules.at_most(
            "cutVotes",
            self.cut_votes,
            self.min_fresh.max(2).into(),
            "the greater of 2 and minFresh, or nothing is ever on its way down",
        );
        rules.at_most(
            "cutWaitMs",
            self.cut_wait_ms,
            self.fresh_ms.into(),
            "freshMs, or the votes are stale before the wait is over",
        );
    }

    fn judging_rules(&self, rules: &mut Rules) {
        let streak = |misses: u32| u64::from(misses) * u64::from(self.interval_ms);
        for (field, timeout) in [
            ("timeoutMaxMs", self.timeout_max_ms),
            ("phaseTimeoutMs", self.phase_timeout_ms),
        ] {
            rules.at_most(
                field,
                timeout,
                streak(self.dead_misses),
                "deadMisses x intervalMs, or the timeout alone outlasts the streak it is part of",
            );
        }
        rules.at_most(
            "loopLagMs",
            self.loop_lag_ms,
            streak(self.suspect_misses).saturating_sub(1),
            "less than suspectMisses x intervalMs, or a stall of the observer's own makes a vote before it abstains",
        );
        rules.at_least(
            "deadMisses",
            self.dead_misses,
            self.suspect_misses.into(),
            "suspectMisses",
        );
        rules.at_most(
            "hardMisses",
            self.hard_misses,
            self.dead_misses.into(),
            "deadMisses",
        );
        rules.at_least(
            "freshMs",
            self.fresh_ms,
            self.least_fresh_ms(),
            "the slowest interval + the longer of timeoutMaxMs and phaseTimeoutMs, or a silent target's rows turn stale before they vote",
        );
        rules.at_least(
            "freshMs",
            self.fresh_ms,
            2 * u64::from(self.send_ms),
            "2 x sendMs",
        );
        rules.at_least(
            "downWindowMs",
            self.down_window_ms,
            self.fresh_ms.into(),
            "freshMs",
        );
        rules.at_least(
            "partialAfterMs",
            self.partial_after_ms,
            self.down_window_ms.into(),
            "downWindowMs, or a region that is the first to see a death is taken for cut off",
        );
        rules.at_most(
            "flapRelease",
            self.flap_release,
            self.flap_suppress.into(),
            "flapSuppress",
        );
        if self.flap_penalty > 0 {
            rules.at_least(
                "flapMaxS",
                self.flap_max_s,
                self.least_flap_max_s(),
                "more than flapHalfLifeS x log2(flapSuppress / flapRelease), or no penalty can rise above flapSuppress",
            );
        }
        rules.at_most(
            "grayMildOf100",
            self.gray_mild_of_100,
            self.gray_severe_of_100.into(),
            "graySevereOf100",
        );
        rules.at_most(
            "grayMildErrorsPermille",
            self.gray_mild_errors_permille,
            self.gray_severe_errors_permille.into(),
            "graySevereErrorsPermille",
        );
        rules.at_least(
            "grayMisses",
            self.gray_misses,
            self.suspect_misses.into(),
            "suspectMisses",
        );
        rules.at_least(
            "grayMildPercent",
            self.gray_mild_percent,
            self.gray_severe_percent.into(),
            "graySeverePercent",
        );
        rules.at_least(
            "graySeverePercent",
            self.gray_severe_percent,
            self.gray_failing_percent.into(),
            "grayFailingPercent",
        );
    }

    /// The least `freshMs` with which a silent target's rows are still counted when they vote.
    pub fn least_fresh_ms(&self) -> u64 {
        micros_to_ms(self.slowest_interval()) + u64::from(self.longest_timeout_ms())
    }

    /// Of one phase of a probe, warm or fresh.
    fn longest_timeout_ms(&self) -> u32 {
        self.timeout_max_ms.max(self.phase_timeout_ms)
    }

    /// The penalty is bounded at release · 2^(max / half-life), and must be able to rise above suppress.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and at most 86,400 x 20"
    )]
    fn least_flap_max_s(&self) -> u64 {
        let doublings = (f64::from(self.flap_suppress) / f64::from(self.flap_release)).log2();
        (f64::from(self.flap_half_life_s) * doublings.max(0.0)).floor() as u64 + 1
    }
}

/// The rules between fields that a profile breaks.
#[derive(Default)]
pub(super) struct Rules {
    broken: Vec<ProfileError>,
}

impl Rules {
    pub(super) fn at_least(&mut self, field: &'static str, given: u32, bound: u64, rule: &'static str) {
        if u64::from(given) < bound {
            self.breaks(field, given, "at least", bound, rule);
        }
    }

    pub(super) fn at_most(&mut self, field: &'static str, given: u32, bound: u64, rule: &'static str) {
        if u64::from(given) > bound {
            self.breaks(field, given, "at most", bound, rule);
        }
    }

    fn breaks(
        &mut self,
        field: &'static str,
        given: u32,
        relation: &'static str,
        bound: u64,
        rule: &'static str,
    ) {
        self.broken.push(ProfileError::Rule {
            field,
            given,
            relation,
            bound,
            rule,
        });
    }

    pub(super) fn told(mut self) -> Result<(), ProfileError> {
        match (self.broken.pop(), self.broken.is_empty()) {
            (None, _) => Ok(()),
            (Some(only), true) => Err(only),
            (Some(last), false) => {
                self.broken.push(last);
                Err(ProfileError::Several(self.broken))
            }
        }
    }
}

fn micros_to_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX)
}
