//! What a consumer makes of one observer's row. Observers send raw facts; thresholds are the consumer's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::Row;
use crate::profile::Profile;

/// One observer's vote on one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Vote {
    /// At least `clearSuccesses` in a row.
    Clear,
    /// At least `suspectMisses` in a row, answered late or with an error or not at all.
    Suspect,
    /// At least `deadMisses` in a row, or `hardMisses` with hard evidence, without any answer in between: what answers
    /// late or with errors is gray ([`crate::Gray`]), not dead.
    Dead,
    /// Neither streak is long enough to say anything.
    Abstain,
}

/// The vote a row makes by itself.
pub fn vote(row: &Row, profile: &Profile) -> Vote {
    let (misses, successes) = (u32::from(row.miss_streak), u32::from(row.success_streak));
    let silence = u32::from(row.silence());
    if silence >= profile.dead_misses || (silence >= profile.hard_misses && !row.hard.is_empty()) {
        Vote::Dead
    } else if misses >= profile.suspect_misses {
        Vote::Suspect
    } else if successes >= profile.clear_successes {
        Vote::Clear
    } else {
        Vote::Abstain
    }
}

/// The vote that stands after a row: one that says nothing by itself leaves the one before.
///
/// So a Clear outlives one or two misses, and a Dead is cleared only by `clearSuccesses` in a row.
pub fn standing(before: Vote, row: &Row, profile: &Profile) -> Vote {
    match vote(row, profile) {
        Vote::Abstain => before,
        said @ (Vote::Clear | Vote::Suspect | Vote::Dead) => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Hard;

    #[track_caller]
    fn check(miss_streak: u16, success_streak: u16, hard: Hard, expected: Vote) {
        let row = Row {
            miss_streak,
            success_streak,
            hard,
            ..Row::default()
        };
        assert_eq!(vote(&row, &Profile::fast()), expected, "{row:?}");
    }

    #[test]
    fn thresholds_of_the_fast_profile() {
        check(0, 0, Hard::NONE, Vote::Abstain);
        check(0, 2, Hard::NONE, Vote::Abstain);
        check(0, 3, Hard::NONE, Vote::Clear);
        check(2, 0, Hard::NONE, Vote::Abstain);
        check(2, 0, Hard::REFUSED, Vote::Abstain);
        check(3, 0, Hard::NONE, Vote::Suspect);
        check(4, 0, Hard::NONE, Vote::Suspect);
        check(5, 0, Hard::NONE, Vote::Dead);
        for hard in [
            Hard::REFUSED,
            Hard::RESET,
            Hard::TLS_ALERT,
            Hard::SERVER_ERROR,
            Hard::STOPPING,
        ] {
            check(3, 0, hard, Vote::Dead);
        }
        check(u16::MAX, 0, Hard::NONE, Vote::Dead);
    }

    #[test]
    fn what_answers_late_or_with_errors_is_not_dead() {
        let check = |miss_streak, heard_at, hard, expected| {
            let row = Row {
                miss_streak,
                heard_at,
                hard,
                ..Row::default()
            };
            assert_eq!(vote(&row, &Profile::fast()), expected, "{row:?}");
        };
        check(900, 900, Hard::NONE, Vote::Suspect);
        check(900, 896, Hard::NONE, Vote::Suspect);
        check(900, 895, Hard::NONE, Vote::Dead);
        check(5, 3, Hard::REFUSED, Vote::Suspect);
        check(6, 3, Hard::REFUSED, Vote::Dead);
    }

    #[test]
    fn a_row_without_an_opinion_leaves_the_standing_vote() {
        let profile = Profile::fast();
        let one_miss = Row {
            miss_streak: 1,
            ..Row::default()
        };
        let two_good = Row {
            success_streak: 2,
            ..Row::default()
        };
        let three_good = Row {
            success_streak: 3,
            ..Row::default()
        };
        assert_eq!(standing(Vote::Clear, &one_miss, &profile), Vote::Clear);
        assert_eq!(standing(Vote::Dead, &two_good, &profile), Vote::Dead);
        assert_eq!(standing(Vote::Dead, &three_good, &profile), Vote::Clear);
        assert_eq!(standing(Vote::Abstain, &two_good, &profile), Vote::Abstain);
    }
}
