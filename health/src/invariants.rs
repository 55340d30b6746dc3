//! What must hold of detection, each invariant a plain function under its number in the reliability notes
//! (S: safety, L: liveness). Tests, the simulator and `debug_assert!` call the same functions. Standard
//! library only.

use std::collections::{BTreeSet, hash_map::DefaultHasher};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use crate::profile::Profile;
use crate::region::{PartialOutage, Reach};
use crate::target::Family;
use crate::time::MonoTime;
use crate::verdict::{Transition, Verdict};
use crate::view::{Cell, FleetView};
use crate::vote::Vote;

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub invariant: &'static str,
    pub detail: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} broken: {}", self.invariant, self.detail)
    }
}

/// What every invariant answers.
pub type Holds = Result<(), Broken>;

fn hold(invariant: &'static str, holds: bool, detail: impl FnOnce() -> String) -> Holds {
    if holds {
        Ok(())
    } else {
        Err(Broken {
            invariant,
            detail: detail(),
        })
    }
}

/// S1, as far as gates go: of the clusters of one address family at least one stays in the answers.
pub fn s1_something_is_served(served: usize) -> Holds {
    hold("S1", served > 0, || "every cluster is withdrawn".to_owned())
}

/// S6: a Down has at least q distinct, fresh, non-abstaining observers whose vote Dead was cast within the window, and the
/// transition shows them.
pub fn s6_down_has_quorum(transition: &Transition, profile: &Profile) -> Holds {
    if transition.to != Verdict::Down {
        return Ok(());
    }
    let dead: BTreeSet<&str> = transition
        .evidence
        .iter()
        .filter(|w| {
            w.counted && w.vote == Vote::Dead && w.dead_ms.is_some_and(|ms| ms <= profile.down_window_ms)
        })
        .map(|w| w.observer.as_str())
        .collect();
    let counted = transition.evidence.iter().filter(|w| w.counted).count();
    let enough = u32::try_from(dead.len()).is_ok_and(|votes| votes >= transition.q);
    let honest =
        transition.q == profile.q(transition.fresh) && u32::try_from(counted) == Ok(transition.fresh);
    hold("S6", enough && honest, || {
        format!(
            "{} went Down with the votes of {dead:?}, q {} of {}",
            transition.cluster, transition.q, transition.fresh
        )
    })
}

/// S6 against the truth: at least q of the observers that counted had really missed enough probes, by their links'
/// or the target's fault and not by their own, no longer ago than evidence can live. `missing` are those observers.
pub fn s6_down_was_seen(transition: &Transition, missing: &BTreeSet<&str>) -> Holds {
    if transition.to != Verdict::Down {
        return Ok(());
    }
    // Written out again: a profile that is wrong about q must not judge itself.
    let q = 2 * transition.fresh / 3 + 1;
    let seen = transition
        .evidence
        .iter()
        .filter(|w| w.counted && missing.contains(w.observer.as_str()))
        .count();
    hold("S6", u32::try_from(seen).is_ok_and(|seen| seen >= q), || {
        format!(
            "{}/{}/{} went Down, and of {} observers only {missing:?} had missed probes; {q} are needed",
            transition.cluster, transition.path, transition.family, transition.fresh
        )
    })
}

/// Gray failure alone makes no cluster Down: each vote that did is of an observer that got no answer at all to its last
/// `hardMisses` probes, not even a late or a wrong one.
pub fn gray_is_not_down(transition: &Transition, profile: &Profile) -> Holds {
    let answered = transition.evidence.iter().find(|w| {
        transition.to == Verdict::Down
            && w.counted
            && w.vote == Vote::Dead
            // A vote that stands outlives one or two answers; what they may not do is make it.
            && w.miss_streak >= profile.suspect_misses
            && w.silence < profile.hard_misses
    });
    hold("gray", answered.is_none(), || {
        format!(
            "{} went Down by a vote of {:?}, which it had answered",
            transition.cluster,
            answered.map(|w| &w.observer)
        )
    })
}

/// The brake on gray failure: of the clusters that serve a family, by the factors of their weights in thousandths, none
/// is at 0 and at least `grayKeepPercent` of the sum is left.
pub fn gray_leaves_enough(factors: &[u32], profile: &Profile) -> Holds {
    let sum: u64 = factors.iter().map(|factor| u64::from(*factor)).sum();
    let wanted = factors.len() as u64 * 10 * u64::from(profile.gray_keep_percent);
    let holds = sum >= wanted && factors.iter().all(|factor| (1..=1_000).contains(factor));
    hold("gray", holds, || {
        format!(
            "weights are lowered to {factors:?} thousandths; {} percent must stay",
            profile.gray_keep_percent
        )
    })
}

/// A partial outage, when it begins or changes, is one: what newly counts as cut off does not reach the target, another region
/// does, and none is both.
pub fn partial_outage_is_seen(before: Option<&PartialOutage>, now: &Cell) -> Holds {
    let Some(outage) = now.partial.as_ref().filter(|outage| before != Some(*outage)) else {
        return Ok(());
    };
    let sees = |region: &String, reach| {
        now.regions
            .iter()
            .any(|view| view.region == *region && view.reach == reach)
    };
    let new = |region: &&String| before.is_none_or(|before| !before.not_reached.contains(region));
    let mut cut_off = outage.not_reached.iter().filter(new);
    let holds = !outage.not_reached.is_empty()
        && !outage.reached.is_empty()
        && cut_off.all(|region| sees(region, Reach::NotReached))
        && outage.reached.iter().all(|region| sees(region, Reach::Reached))
        && !outage
            .reached
            .iter()
            .any(|region| outage.not_reached.contains(region));
    hold("partial outage", holds, || {
        format!("it is told as {outage}, and the regions see {:?}", now.regions)
    })
}

/// The cut rule: no cluster goes Down, having waited less than `cutWaitMs`, while others are `dying`: at least `cutVotes`
/// votes Dead, too few for a Down, and only since `downWindowMs`.
pub fn cut_waits_for_the_dying(
    transition: &Transition,
    waited: Duration,
    dying: &BTreeSet<&str>,
    profile: &Profile,
) -> Holds {
    let alone = transition.to == Verdict::Down && waited < profile.cut_wait() && !dying.is_empty();
    hold("cut rule", !alone, || {
        format!(
            "{}/{} went Down after a wait of {waited:?} while {dying:?} were on their way",
            transition.cluster, transition.path
        )
    })
}

/// S7: with fewer fresh observers than `minFresh` there is no automatic transition.
pub fn s7_frozen_decides_nothing(transition: &Transition, profile: &Profile) -> Holds {
    hold("S7", transition.fresh >= profile.min_fresh, || {
        format!(
            "{} turned {} with {} fresh observers",
            transition.cluster, transition.to, transition.fresh
        )
    })
}

/// S7, between two views: a frozen cell keeps its verdict.
pub fn s7_frozen_stands_still(before: &FleetView, after: &FleetView) -> Holds {
    let moved = after.cells.iter().find(|(key, cell)| {
        cell.frozen
            && before
                .cells
                .get(key)
                .is_some_and(|was| was.frozen && was.verdict != cell.verdict)
    });
    hold("S7", moved.is_none(), || {
        format!("{moved:?} changed while frozen")
    })
}

/// S8a: clusters are withdrawn only while one that stays is positively healthy; otherwise the last good set is
/// served.
pub fn s8a_withdrawal_leaves_a_survivor(
    withdrawn: &BTreeSet<&str>,
    view: &FleetView,
    family: Family,
    serves_last_good_set: bool,
) -> Holds {
    let holds = withdrawn.is_empty() || serves_last_good_set || !view.survivors(family, withdrawn).is_empty();
    hold("S8a", holds, || {
        format!("{withdrawn:?} withdrawn, and no survivor is positively healthy")
    })
}

/// S14: a suppressed target is not let in while its penalty is above the release, unless it is the last usable one.
pub fn s14_suppressed_stays_out(before: &Cell, after: &Cell, last_usable: bool, profile: &Profile) -> Holds {
    let released = before.suppressed && !after.suppressed;
    hold(
        "S14",
        !released || last_usable || after.penalty < f64::from(profile.flap_release),
        || format!("let in with a penalty of {}", after.penalty),
    )
}

/// S14: what returns gains at most one step of its ramp at a time. All three in millionths of its weight.
pub fn s14_ramp_within_step(before: u32, after: u32, step: u32) -> Holds {
    hold("S14", after.saturating_sub(before) <= step, || {
        format!("a weight rose from {before} to {after} millionths, by more than {step}")
    })
}

/// S19: clocks that are off or run at other rates change no decision: both runs tell the same [`story`].
pub fn s19_clocks_change_nothing(one: &[String], other: &[String]) -> Holds {
    hold("S19", one == other, || {
        let mut pairs = one.iter().zip(other);
        let (here, there) = (one.len(), other.len());
        let apart = pairs.find(|(one, other)| one != other);
        format!("with other clocks {there} transitions against {here}, first apart: {apart:?}")
    })
}

/// S20: the same seed gives the same log or trace, by its hash.
pub fn s20_same_seed_same_log(one: u64, other: u64) -> Holds {
    hold("S20", one == other, || {
        format!("trace hash {one:016x} against {other:016x}")
    })
}

/// What a log decides, without times and evidence.
pub fn story(log: &[Transition]) -> Vec<String> {
    log.iter()
        .map(|t| format!("{}/{}/{} {}>{}", t.cluster, t.path, t.family, t.from, t.to))
        .collect()
}

/// A hash of everything a log says, equal from run to run of one binary.
pub fn log_hash(log: &[Transition]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for transition in log {
        format!("{transition:?}").hash(&mut hasher);
    }
    hasher.finish()
}

/// L1: a cluster that has died, for a second or more, is Down within 1.0 s of its death.
pub fn l1_down_in_time(died: MonoTime, down: Option<MonoTime>) -> Holds {
    within("L1", died, down, Duration::from_secs(1))
}

/// L1 for profiles that are slower than the default: Down within what the profile's own settings add up to.
pub fn l1_down_within(died: MonoTime, down: Option<MonoTime>, limit: Duration) -> Holds {
    within("L1", died, down, limit)
}

/// L2: every reachable DNS server stops answering a cluster within 300 ms of its Down.
pub fn l2_withdrawn_in_time(down: MonoTime, withdrawn: Option<MonoTime>) -> Holds {
    within("L2", down, withdrawn, Duration::from_millis(300))
}

/// L9: a recovered cluster regains its weight within the recovery time, the ramp, and what is left of its penalty.
pub fn l9_weight_returns(
    recovered: MonoTime,
    full_weight: Option<MonoTime>,
    ramp: Duration,
    penalty: Duration,
    profile: &Profile,
) -> Holds {
    let detection = profile.slowest_interval() * profile.clear_successes + profile.fresh();
    within(
        "L9",
        recovered,
        full_weight,
        profile.recover_hold() + detection + ramp + penalty,
    )
}

fn within(invariant: &'static str, from: MonoTime, to: Option<MonoTime>, limit: Duration) -> Holds {
    let took = to.map(|to| to.saturating_since(from));
    hold(invariant, took.is_some_and(|took| took <= limit), || {
        took.map_or_else(
            || "never happened".to_owned(),
            |took| format!("took {took:?}, allowed is {limit:?}"),
        )
    })
}

#[cfg(test)]
mod tests;
