//! Webster's method (Sainte-Laguë): seats to parties by the greatest `votes / (2 · seats + 1)`.
//!
//! Priorities are doubles, and two are equal only as doubles: that is what Karmada does
//! (`pkg/util/helper/webstermethod.go`), and a rational comparison would give other answers.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

use crate::api::TargetCluster;

/// A party, its votes, and the seats it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Party {
    /// Name of the party: a cluster.
    pub name: String,
    /// Its votes: the cluster's weight.
    pub votes: i64,
    /// Its seats: the cluster's replicas.
    pub seats: i64,
}

/// Who is first among parties of the same priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TieBreaker {
    /// By name alone, ascending or descending.
    Name {
        /// Greatest name first.
        descending: bool,
    },
    /// Fewer seats first, then by name.
    SeatsThenName {
        /// Greatest name first.
        descending: bool,
    },
}

impl TieBreaker {
    /// Fewer seats, then the name, in a direction that differs from workload to workload but never for one.
    pub fn for_uid(uid: &str) -> Self {
        Self::SeatsThenName {
            descending: !uid.is_empty() && fnv1a_32(uid.as_bytes()) & 1 == 1,
        }
    }

    fn first(self, left: &Party, right: &Party) -> Ordering {
        let by_name = |descending: bool| {
            let ascending = left.name.as_bytes().cmp(right.name.as_bytes());
            if descending {
                ascending.reverse()
            } else {
                ascending
            }
        };
        match self {
            Self::Name { descending } => by_name(descending),
            Self::SeatsThenName { descending } => {
                left.seats.cmp(&right.seats).then_with(|| by_name(descending))
            }
        }
    }
}

/// Hands out `new_seats` one after the other on top of `initial`; the result is sorted by name.
pub fn allocate_seats(
    new_seats: i64,
    votes: &BTreeMap<String, i64>,
    initial: &BTreeMap<String, i64>,
    tie: TieBreaker,
) -> Vec<Party> {
    let mut parties: BTreeMap<&str, Party> = BTreeMap::new();
    for (name, count) in votes {
        parties.insert(
            name,
            Party {
                name: name.clone(),
                votes: *count,
                seats: 0,
            },
        );
    }
    for (name, seats) in initial {
        parties
            .entry(name)
            .or_insert_with(|| Party {
                name: name.clone(),
                ..Party::default()
            })
            .seats = *seats;
    }
    let mut parties: Vec<Party> = parties.into_values().collect();
    if parties.is_empty() {
        return parties;
    }
    let given = jump(&mut parties, new_seats);
    let mut queue: BinaryHeap<Ranked> = parties.into_iter().map(|party| Ranked { party, tie }).collect();
    for _ in given..new_seats {
        let Some(mut top) = queue.pop() else { break };
        top.party.seats += 1;
        queue.push(top);
    }
    let mut parties: Vec<Party> = queue.into_iter().map(|ranked| ranked.party).collect();
    parties.sort_by(|left, right| left.name.as_bytes().cmp(right.name.as_bytes()));
    parties
}

/// Adds `replicas` to `initial` in proportion to `weights`; nothing happens when no weight is above 0, or when
/// there is nothing to add to something. The result is sorted by name, and what could not be placed is second.
pub fn dispense(
    replicas: i32,
    weights: &[(String, i64)],
    initial: &[TargetCluster],
    uid: &str,
) -> (Vec<TargetCluster>, i32) {
    let done = replicas == 0 && !initial.is_empty();
    if done
        || weights
            .iter()
            .map(|(_, weight)| *weight)
            .fold(0, i64::saturating_add)
            == 0
    {
        return (initial.to_vec(), replicas);
    }
    let votes = weights.iter().cloned().collect();
    let seats = initial
        .iter()
        .map(|target| (target.name.clone(), i64::from(target.replicas)))
        .collect();
    let parties = allocate_seats(i64::from(replicas), &votes, &seats, TieBreaker::for_uid(uid));
    let clusters = parties
        .into_iter()
        .map(|party| TargetCluster::new(party.name, i32::try_from(party.seats).unwrap_or(i32::MAX)))
        .collect();
    (clusters, 0)
}

/// 32-bit FNV-1a.
pub(crate) fn fnv1a_32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

#[allow(clippy::cast_precision_loss)]
fn priority(votes: i64, seats: i64) -> f64 {
    votes as f64 / (2 * seats + 1) as f64
}

/// A party in the queue, greatest first.
struct Ranked {
    party: Party,
    tie: TieBreaker,
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        let (left, right) = (&self.party, &other.party);
        priority(left.votes, left.seats)
            .total_cmp(&priority(right.votes, right.seats))
            .then_with(|| self.tie.first(right, left))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranked {}

/// Fewer seats than this are handed out one by one.
const JUMP_FROM_SEATS: i64 = 10_000;

/// Hands out at once all seats whose priority is strictly above a level that they do not exhaust, so that a
/// workload of two thousand million replicas costs no more than one of ten thousand. Returns how many.
fn jump(parties: &mut [Party], new_seats: i64) -> i64 {
    if new_seats < JUMP_FROM_SEATS {
        return 0;
    }
    let best = parties
        .iter()
        .map(|party| priority(party.votes, party.seats))
        .fold(0.0, f64::max);
    let (mut too_low, mut low_enough) = (0.0, best);
    for _ in 0..200 {
        let middle = f64::midpoint(too_low, low_enough);
        let wanted = parties
            .iter()
            .map(|party| seats_above(party, middle))
            .fold(0, i64::saturating_add);
        if wanted > new_seats {
            too_low = middle;
        } else {
            low_enough = middle;
        }
    }
    let mut given = 0;
    for party in parties {
        let seats = seats_above(party, low_enough);
        party.seats += seats;
        given += seats;
    }
    given
}

/// How many more seats a party takes while its priority is strictly above `level`.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
fn seats_above(party: &Party, level: f64) -> i64 {
    if party.votes <= 0 || level <= 0.0 {
        return if party.votes > 0 { i64::MAX / 1024 } else { 0 };
    }
    let estimate = ((party.votes as f64 / level - 1.0) / 2.0).ceil();
    let mut seats = (estimate.clamp(0.0, 9e15) as i64).max(party.seats);
    while seats > party.seats && priority(party.votes, seats - 1) <= level {
        seats -= 1;
    }
    while priority(party.votes, seats) > level {
        seats += 1;
    }
    seats - party.seats
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(new_seats: i64, votes: &[(&str, i64)], tie: TieBreaker, expected: &[i64]) {
        let votes = votes
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect();
        let parties = allocate_seats(new_seats, &votes, &BTreeMap::new(), tie);
        assert_eq!(
            parties.iter().map(|party| party.seats).collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn ties_follow_the_uid() {
        let ascending = TieBreaker::SeatsThenName { descending: false };
        let descending = TieBreaker::SeatsThenName { descending: true };
        check(2, &[("a", 1), ("b", 1), ("c", 1)], ascending, &[1, 1, 0]);
        check(2, &[("a", 1), ("b", 1), ("c", 1)], descending, &[0, 1, 1]);
        assert_eq!(TieBreaker::for_uid(""), ascending);
    }

    #[test]
    fn many_seats_are_what_one_by_one_gives() {
        let votes: BTreeMap<String, i64> = [("a", 7), ("b", 11), ("c", 11), ("d", 0), ("e", 123_456)]
            .map(|(n, v)| (n.to_owned(), v))
            .into();
        let initial: BTreeMap<String, i64> = [("b".to_owned(), 900), ("f".to_owned(), 3)].into();
        let tie = TieBreaker::for_uid("27d3ac71-d464-4fc0-bcd5-ddee2f3d3adc");
        for seats in [JUMP_FROM_SEATS, 33_333, 250_001] {
            let fast = allocate_seats(seats, &votes, &initial, tie);
            let mut slow = allocate_seats(0, &votes, &initial, tie);
            for _ in 0..seats {
                let Some(next) = (0..slow.len()).max_by(|left, right| {
                    let ranked = |index: usize| Ranked {
                        party: slow[index].clone(),
                        tie,
                    };
                    ranked(*left).cmp(&ranked(*right))
                }) else {
                    break;
                };
                slow[next].seats += 1;
            }
            assert_eq!(fast, slow, "{seats}");
        }
    }

    #[test]
    fn two_thousand_million_seats_are_quick() {
        let votes = [("a".to_owned(), 1), ("b".to_owned(), 2)].into();
        let parties = allocate_seats(
            i64::from(i32::MAX),
            &votes,
            &BTreeMap::new(),
            TieBreaker::for_uid(""),
        );
        assert_eq!(
            parties.iter().map(|party| party.seats).sum::<i64>(),
            i64::from(i32::MAX)
        );
    }
}
