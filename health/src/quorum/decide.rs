//! From votes to the next verdict.

use super::subject::Tally;
use crate::mutant::Mutant;
use crate::profile::Profile;
use crate::verdict::Verdict;

/// The verdict that follows, if it is another one. `down`: the cut rule lets a Down through.
pub(super) fn decide(verdict: Verdict, tally: &Tally, down: bool, suppressed: bool) -> Option<Verdict> {
    if tally.frozen {
        return None;
    }
    let damped = suppressed && Mutant::DampedWithdrawal.is_on();
    if down && verdict != Verdict::Down && !damped {
        return Some(Verdict::Down);
    }
    let healthy = tally.is_positively_healthy();
    let doubted = tally.votes.suspect + tally.votes.dead >= tally.q;
    match verdict {
        Verdict::Unknown if healthy => Some(Verdict::Up),
        Verdict::Up if doubted => Some(Verdict::Suspect),
        Verdict::Suspect if healthy => Some(Verdict::Up),
        // What answers too late for a vote Clear was never dead, and no longer looks so.
        Verdict::Down if healthy || tally.answers() => Some(Verdict::Recovering),
        Verdict::Recovering if tally.steady >= tally.q && !suppressed => Some(Verdict::Up),
        Verdict::Unknown | Verdict::Up | Verdict::Suspect | Verdict::Down | Verdict::Recovering => None,
    }
}

/// Why, for people. `group`: how many targets went Down in the same poll.
pub(super) fn reason(from: Verdict, to: Verdict, tally: &Tally, group: usize, profile: &Profile) -> String {
    let Tally {
        votes,
        fresh,
        q,
        dead,
        steady,
        ..
    } = tally;
    let needed = format!("of {fresh} fresh observers, {q} needed");
    match to {
        Verdict::Down if group > 1 => format!(
            "{dead} votes Dead {needed}; decided together with {} more",
            group - 1
        ),
        Verdict::Down => format!("{dead} votes Dead {needed}"),
        Verdict::Suspect => format!("{} votes Suspect or Dead {needed}", votes.suspect + votes.dead),
        Verdict::Up if from == Verdict::Recovering => {
            let seconds = profile.recover_hold().as_secs_f64();
            let misses = profile.suspect_misses;
            let good = profile.recover_good;
            format!(
                "{steady} observers {needed} had no {misses} misses in a row for {seconds} s and {good} of the last \
                 100 probes good"
            )
        }
        Verdict::Recovering if !tally.is_positively_healthy() => {
            format!("{} get answers, late ones counted, {needed}", tally.answering)
        }
        Verdict::Up | Verdict::Recovering | Verdict::Unknown => {
            format!("{} votes Clear {needed}", votes.clear)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Votes;
    use Verdict::{Down, Recovering, Suspect, Unknown, Up};

    /// `votes`: clear, suspect, dead; of five fresh observers.
    fn tally(votes: [u32; 3], steady: u32) -> Tally {
        let [clear, suspect, dead] = votes;
        let votes = Votes {
            clear,
            suspect,
            dead,
            abstain: 0,
        };
        Tally {
            votes,
            fresh: 5,
            q: 4,
            frozen: false,
            dead,
            steady,
            answering: clear,
        }
    }

    #[track_caller]
    fn check(verdict: Verdict, votes: [u32; 3], expected: Option<Verdict>) {
        let tally = tally(votes, 0);
        assert_eq!(
            decide(verdict, &tally, tally.dead >= tally.q, false),
            expected,
            "{verdict} {votes:?}"
        );
    }

    #[test]
    fn every_step() {
        check(Unknown, [3, 0, 0], None);
        check(Unknown, [4, 0, 0], Some(Up));
        check(Unknown, [0, 5, 0], None);
        check(Unknown, [0, 0, 4], Some(Down));
        check(Up, [0, 3, 0], None);
        check(Up, [1, 2, 2], Some(Suspect));
        check(Up, [1, 0, 4], Some(Down));
        check(Suspect, [3, 2, 0], None);
        check(Suspect, [4, 1, 0], Some(Up));
        check(Suspect, [0, 1, 4], Some(Down));
        check(Down, [0, 0, 5], None);
        check(Down, [3, 0, 2], None);
        check(Down, [4, 0, 1], Some(Recovering));
        check(Recovering, [5, 0, 0], None);
        check(Recovering, [0, 5, 0], None);
        check(Recovering, [1, 0, 4], Some(Down));
    }

    #[test]
    fn one_that_answers_late_is_no_longer_down() {
        let late = |answering| Tally {
            answering,
            ..tally([1, 4, 0], 0)
        };
        assert_eq!(decide(Down, &late(3), false, false), None);
        assert_eq!(decide(Down, &late(4), false, false), Some(Recovering));
        assert_eq!(decide(Recovering, &late(4), false, false), None);
        assert_eq!(decide(Unknown, &late(4), false, false), None);
        let told = reason(Down, Recovering, &late(4), 1, &Profile::fast());
        assert_eq!(
            told,
            "4 get answers, late ones counted, of 5 fresh observers, 4 needed"
        );
    }

    #[test]
    fn recovery_ends_when_enough_are_steady_and_it_is_not_suppressed() {
        assert_eq!(decide(Recovering, &tally([5, 0, 0], 3), false, false), None);
        assert_eq!(decide(Recovering, &tally([5, 0, 0], 4), false, false), Some(Up));
        assert_eq!(decide(Recovering, &tally([5, 0, 0], 4), false, true), None);
    }

    #[test]
    fn frozen_decides_nothing() {
        for verdict in [Unknown, Up, Suspect, Down, Recovering] {
            let frozen = Tally {
                frozen: true,
                ..tally([5, 0, 5], 5)
            };
            assert_eq!(decide(verdict, &frozen, true, false), None);
        }
    }
}
