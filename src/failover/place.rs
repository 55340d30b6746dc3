//! Where lost replicas go: the scheduler's answer, held to what the planner promises on top of it.
//!
//! - What survives is never reduced and never moved.
//! - Only clusters that are Up on both paths grow, and only within their capacity; weights are a preference,
//!   so what one of the chosen clusters cannot take goes to the others.
//! - All of it or nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ledger::Ledger,
    world::{BindingView, World},
};
use crate::{
    api::{Placement, TargetCluster, policy::SchedulingType},
    schedule::{ClusterView, Request, Resources, schedule},
};

/// Replicas by cluster; 0 for an object without replicas.
pub(crate) type Assignment = BTreeMap<String, i32>;

/// There is no place for all of it.
#[derive(Debug)]
pub(crate) struct NoRoom {
    pub(crate) short: i64,
    pub(crate) message: String,
}

pub(crate) fn assignment(targets: &[TargetCluster]) -> Assignment {
    targets
        .iter()
        .map(|target| (target.name.clone(), target.replicas))
        .collect()
}

/// As `spec.clusters`; an entry that stays as it is keeps the fields that are not ours.
pub(crate) fn targets(assignment: &Assignment, before: &[TargetCluster]) -> Vec<TargetCluster> {
    assignment
        .iter()
        .map(|(name, replicas)| {
            let same = before
                .iter()
                .find(|old| old.name == *name && old.replicas == *replicas);
            same.cloned()
                .unwrap_or_else(|| TargetCluster::new(name, *replicas))
        })
        .collect()
}

/// What counts as the binding's home from now on: where it was before it first had to leave.
pub(crate) fn home(binding: &BindingView) -> Vec<TargetCluster> {
    if binding.home.is_empty() {
        binding.clusters.clone()
    } else {
        binding.home.clone()
    }
}

pub(crate) fn union_max(a: &Assignment, b: &Assignment) -> Assignment {
    let mut union = a.clone();
    for (cluster, replicas) in b {
        let entry = union.entry(cluster.clone()).or_insert(*replicas);
        *entry = (*entry).max(*replicas);
    }
    union
}

/// Replicas are shared out over the clusters; otherwise each gets all of them.
pub(crate) fn is_divided(placement: &Placement) -> bool {
    placement.scheduling_type() == SchedulingType::Divided
}

/// What `ready` must reach in a cluster that is wanted to have `replicas`.
pub(crate) fn ready_wanted(binding: &BindingView, replicas: i32) -> i32 {
    if binding.workload { replicas } else { 1 }
}

/// Replicas that have to be started: what runs on as an eviction task's old copy is there already.
pub(crate) fn grown_beyond_copies(
    binding: &BindingView,
    current: &Assignment,
    raised: &Assignment,
) -> Assignment {
    let copies = |cluster: &str| {
        binding
            .tasks
            .iter()
            .filter(|task| task.cluster == cluster)
            .map(|task| task.replicas)
            .sum::<i32>()
    };
    let grown = raised.iter().map(|(cluster, replicas)| {
        let has = current.get(cluster).copied().unwrap_or(0).max(copies(cluster));
        (cluster.clone(), replicas - has)
    });
    grown.filter(|(_, more)| *more > 0).collect()
}

/// The target no longer says what the workload wants, or names a cluster that is gone.
pub(crate) fn is_stale(world: &World<'_>, binding: &BindingView, target: &Assignment) -> bool {
    let members = world.members();
    let wanted = i64::from(binding.replicas);
    let scaled = if !binding.workload {
        false
    } else if is_divided(&binding.placement) {
        total(target) != wanted
    } else {
        target.values().any(|replicas| i64::from(*replicas) != wanted)
    };
    scaled || target.keys().any(|cluster| !members.contains(cluster.as_str()))
}

/// Whether the placement lets the binding onto a cluster at all.
pub(crate) fn allowed(world: &World<'_>, binding: &BindingView, cluster: &str) -> Result<(), String> {
    let clusters: Vec<ClusterView> = world
        .clusters
        .iter()
        .filter(|c| c.name == cluster)
        .cloned()
        .collect();
    let alone = Placement {
        replica_scheduling: None,
        spread_constraints: Vec::new(),
        ..binding.placement.clone()
    };
    ask(world, binding, &alone, 0, &Assignment::new(), &clusters).map(drop)
}

/// The scheduler's division over `candidates`, starting from `before`.
pub(crate) fn redivide(
    world: &World<'_>,
    binding: &BindingView,
    before: &Assignment,
    candidates: &BTreeSet<String>,
) -> Result<Assignment, String> {
    let clusters: Vec<ClusterView> = world
        .clusters
        .iter()
        .filter(|c| candidates.contains(&c.name))
        .cloned()
        .collect();
    let replicas = if binding.workload { binding.replicas } else { 0 };
    ask(world, binding, &binding.placement, replicas, before, &clusters)
}

/// The binding's new clusters after it has left some: `survivors`, and what was lost placed on `eligible`
/// clusters. Takes the room from the ledger.
pub(crate) fn relocate(
    world: &World<'_>,
    ledger: &mut Ledger,
    eligible: &BTreeSet<String>,
    binding: &BindingView,
    survivors: &Assignment,
) -> Result<Assignment, NoRoom> {
    ledger.forget(&binding.id);
    let divided = binding.workload && is_divided(&binding.placement);
    let replicas = if binding.workload { binding.replicas } else { 0 };
    if divided && total(survivors) >= i64::from(replicas) && !survivors.is_empty() {
        return Ok(survivors.clone());
    }
    let mut excluded = BTreeSet::new();
    let mut first: Option<NoRoom> = None;
    loop {
        let mut views = ledger.views(|cluster| {
            !excluded.contains(cluster) && (eligible.contains(cluster) || survivors.contains_key(cluster))
        });
        for view in views.iter_mut().filter(|view| !eligible.contains(&view.name)) {
            view.free = Resources::default();
        }
        let chosen = match ask(world, binding, &binding.placement, replicas, survivors, &views) {
            Ok(chosen) => chosen,
            Err(message) => {
                let lost = if divided {
                    i64::from(replicas) - total(survivors)
                } else {
                    i64::from(replicas)
                };
                return Err(first.unwrap_or(NoRoom { short: lost, message }));
            }
        };
        let attempt = Attempt {
            ledger,
            binding,
            eligible,
            survivors,
            chosen: &chosen,
        };
        let filled = if divided {
            attempt.share_out()
        } else {
            attempt.duplicate()
        };
        match filled {
            Ok(next) => {
                for (cluster, count) in &next {
                    let more = count - survivors.get(cluster).copied().unwrap_or(0);
                    if more > 0 {
                        ledger.take(&binding.id, cluster, &binding.requirements, i64::from(more));
                    }
                }
                return Ok(next);
            }
            Err(misfit) => {
                let no_room = first.get_or_insert(misfit.no_room);
                let Some(drop) = misfit.drop else {
                    return Err(NoRoom {
                        short: no_room.short,
                        message: no_room.message.clone(),
                    });
                };
                excluded.insert(drop);
            }
        }
    }
}

struct Misfit {
    no_room: NoRoom,
    /// Trying without this cluster may help.
    drop: Option<String>,
}

struct Attempt<'a> {
    ledger: &'a Ledger,
    binding: &'a BindingView,
    eligible: &'a BTreeSet<String>,
    survivors: &'a Assignment,
    chosen: &'a Assignment,
}

impl Attempt<'_> {
    /// Every chosen cluster gets all replicas.
    fn duplicate(&self) -> Result<Assignment, Misfit> {
        let mut next = self.survivors.clone();
        for (cluster, replicas) in self
            .chosen
            .iter()
            .filter(|(c, _)| !self.survivors.contains_key(*c))
        {
            let room = self.room(cluster);
            let short = i64::from(*replicas) - room;
            if short > 0 {
                let message = format!("{cluster} has room for {room} of {replicas} replicas");
                return Err(Misfit {
                    no_room: NoRoom { short, message },
                    drop: Some(cluster.clone()),
                });
            }
            next.insert(cluster.clone(), *replicas);
        }
        Ok(next)
    }

    /// What was lost is shared out as the scheduler would, then moved to where there is room.
    fn share_out(&self) -> Result<Assignment, Misfit> {
        let growable: Vec<(&String, i64)> = self
            .chosen
            .iter()
            .filter(|(cluster, _)| self.eligible.contains(*cluster))
            .map(|(cluster, wanted)| (cluster, i64::from(wanted - self.had(cluster)).max(0)))
            .collect();
        let lost = i64::from(self.binding.replicas) - total(self.survivors);
        let mut grants: Vec<i64> = growable.iter().map(|(_, more)| *more).collect();
        trim(&mut grants, lost);
        let rooms: Vec<i64> = growable.iter().map(|(cluster, _)| self.room(cluster)).collect();
        for (grant, room) in grants.iter_mut().zip(&rooms) {
            *grant = (*grant).min(*room);
        }
        let ungranted = lost - grants.iter().sum::<i64>();
        let left = spread(&mut grants, &rooms, ungranted);
        if left > 0 {
            let rooms_told: Vec<String> = growable
                .iter()
                .zip(&rooms)
                .map(|((cluster, _), room)| format!("{cluster} {room}"))
                .collect();
            let message = format!(
                "{lost} replicas need a place, {left} find none; room by cluster: {}",
                if rooms_told.is_empty() {
                    "none".to_owned()
                } else {
                    rooms_told.join(", ")
                }
            );
            let newcomers = growable
                .iter()
                .zip(&rooms)
                .filter(|((c, _), _)| !self.survivors.contains_key(*c));
            let drop = newcomers
                .min_by_key(|(_, room)| **room)
                .map(|((cluster, _), _)| (*cluster).clone());
            return Err(Misfit {
                no_room: NoRoom { short: left, message },
                drop,
            });
        }
        let mut next = self.survivors.clone();
        for ((cluster, _), grant) in growable.iter().zip(grants).filter(|(_, grant)| *grant > 0) {
            *next.entry((*cluster).clone()).or_insert(0) += i32::try_from(grant).unwrap_or(i32::MAX);
        }
        Ok(next)
    }

    fn had(&self, cluster: &str) -> i32 {
        self.survivors.get(cluster).copied().unwrap_or(0)
    }

    fn room(&self, cluster: &str) -> i64 {
        if self.binding.workload {
            self.ledger.fits(cluster, &self.binding.requirements)
        } else {
            i64::from(self.eligible.contains(cluster))
        }
    }
}

/// Takes from the greatest until the sum is at most `sum`.
fn trim(grants: &mut [i64], sum: i64) {
    while grants.iter().sum::<i64>() > sum.max(0) {
        if let Some(greatest) = grants.iter_mut().max() {
            *greatest -= 1;
        }
    }
}

/// Adds `left` in proportion to the room that remains; returns what found none.
fn spread(grants: &mut [i64], rooms: &[i64], left: i64) -> i64 {
    let head: Vec<i64> = grants
        .iter()
        .zip(rooms)
        .map(|(grant, room)| room - grant)
        .collect();
    let all: i64 = head.iter().sum();
    if left <= 0 || all <= 0 {
        return left.max(0);
    }
    let placed = left.min(all);
    let mut rest = placed;
    for (grant, head) in grants.iter_mut().zip(&head) {
        let share = i64::try_from(i128::from(placed) * i128::from(*head) / i128::from(all)).unwrap_or(0);
        *grant += share;
        rest -= share;
    }
    // Rounding leaves less than one a cluster.
    for (grant, room) in grants.iter_mut().zip(rooms) {
        if rest > 0 && *grant < *room {
            *grant += 1;
            rest -= 1;
        }
    }
    left - placed
}

fn total(assignment: &Assignment) -> i64 {
    assignment.values().map(|replicas| i64::from(*replicas)).sum()
}

fn ask(
    world: &World<'_>,
    binding: &BindingView,
    placement: &Placement,
    replicas: i32,
    previous: &Assignment,
    clusters: &[ClusterView],
) -> Result<Assignment, String> {
    let request = Request {
        uid: &binding.uid,
        replicas,
        requirements: &binding.requirements,
        gvk: (&binding.api_version, &binding.kind),
        placement,
        previous: &targets(previous, &binding.clusters),
        evicting: &[],
        fresh: false,
        observed_affinity: None,
        clusters,
        now: world.wall,
    };
    schedule(&request)
        .map(|decision| assignment(&decision.clusters))
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_goes_where_there_is_room() {
        fn check(mut grants: Vec<i64>, rooms: &[i64], left: i64, expected: &[i64], unplaced: i64) {
            assert_eq!(spread(&mut grants, rooms, left), unplaced);
            assert_eq!(grants, expected);
        }
        check(vec![0, 0], &[10, 10], 4, &[2, 2], 0);
        check(vec![2, 0], &[2, 10], 3, &[2, 3], 0);
        check(vec![0, 0, 0], &[1, 1, 1], 2, &[1, 1, 0], 0);
        check(vec![1], &[1], 2, &[1], 2);
        check(vec![], &[], 2, &[], 2);
        check(vec![1, 1], &[5, 5], 0, &[1, 1], 0);
    }

    #[test]
    fn trimming_takes_from_the_greatest() {
        let mut grants = [3, 1, 2];
        trim(&mut grants, 3);
        assert_eq!(grants.iter().sum::<i64>(), 3);
        assert!(grants.iter().all(|grant| (0..=2).contains(grant)));
    }
}
