//! What holds for every step of the planner, whatever the world. Tests, the simulator and `debug_assert!`
//! call these; each is told from the world and the plan alone, without the planner's own helpers.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_health::Verdict;

use super::{
    output::{Eviction, FailoverPlan, MovementStep, TaskEndReason},
    state::State,
    world::{BindingId, BindingView, Phase, World},
};
use crate::api::{policy::SchedulingType, work::TargetCluster};

/// One step: what was known, and what was decided.
#[derive(Clone, Copy)]
pub struct Step<'a> {
    pub before: &'a State,
    pub after: &'a State,
    pub world: &'a World<'a>,
    pub plan: &'a FailoverPlan,
}

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub invariant: &'static str,
    pub message: String,
}

type Check = fn(&Step<'_>) -> Result<(), Broken>;

/// Every invariant that does not hold for this step.
pub fn all(step: &Step<'_>) -> Vec<Broken> {
    const CHECKS: [Check; 11] = [
        s4_past_epochs_decide_nothing,
        s5_one_intent_within_budget,
        s7_only_the_lost_are_evicted,
        s8_freeze_evicts_nothing,
        s9_feasible_or_untouched,
        s10_nothing_ready_is_taken_away,
        s12_a_returned_copy_stays_while_needed,
        s15_operators_win,
        o1_drained_before_released,
        o8_failback_is_planned,
        one_write_a_binding,
    ];
    CHECKS.into_iter().filter_map(|check| check(step).err()).collect()
}

/// S4: a leader whose epoch is past decides nothing.
pub fn s4_past_epochs_decide_nothing(step: &Step<'_>) -> Result<(), Broken> {
    require(
        "S4",
        step.world.epoch >= step.before.epoch() || step.plan.changes_nothing(),
        || format!("epoch {} decided after {}", step.world.epoch, step.before.epoch()),
    )
}

/// S5: an intent stands once in a plan, and evictions cost no more than the budget has.
pub fn s5_one_intent_within_budget(step: &Step<'_>) -> Result<(), Broken> {
    let plan = step.plan;
    let mut intents = BTreeSet::new();
    let shared = plan
        .evictions
        .iter()
        .flat_map(|eviction| &eviction.intents)
        .find(|intent| !intents.insert(&intent.name));
    require("S5", shared.is_none(), || {
        format!("two evictions share {shared:?}")
    })?;
    let without = evicted(step).find(|(eviction, from)| {
        let mut intents = eviction.intents.iter();
        !intents.any(|intent| intent.cluster == **from && intent.health_epoch > 0)
    });
    require("S5", without.is_none(), || {
        format!("an eviction without an intent: {without:?}")
    })?;
    let cost: u64 = plan
        .evictions
        .iter()
        .map(|e| u64::try_from(e.from.len()).unwrap_or(u64::MAX))
        .sum();
    let budget = u64::from(step.world.budget.0);
    require("S5", cost <= budget, || {
        format!("{cost} evictions with a budget of {budget}")
    })
}

/// S7, O6: only a cluster whose both paths are Down, for its whole hold as this planner has seen it, is evicted from.
pub fn s7_only_the_lost_are_evicted(step: &Step<'_>) -> Result<(), Broken> {
    let Step { world, after, .. } = step;
    for (eviction, from) in evicted(step) {
        let health = world.health_of(from);
        require(
            "S7",
            health.traffic == Verdict::Down && health.control == Verdict::Down,
            || {
                format!(
                    "{} evicted from {from}, which is {}/{}",
                    eviction.binding, health.traffic, health.control
                )
            },
        )?;
        let since = after.down_since.get(from);
        let held =
            since.is_some_and(|since| world.now.saturating_since(*since) >= world.settings.hold_for(from));
        require("S7", held, || {
            format!(
                "{} evicted from {from} before its hold has passed",
                eviction.binding
            )
        })?;
    }
    Ok(())
}

/// S8b: with too many clusters down nothing is evicted and nothing released.
pub fn s8_freeze_evicts_nothing(step: &Step<'_>) -> Result<(), Broken> {
    let world = step.world;
    let members = world.members();
    let both = |cluster: &&&str| {
        let health = world.health_of(cluster);
        health.traffic == Verdict::Down && health.control == Verdict::Down
    };
    let down = members.iter().filter(both).count();
    let limit = usize::try_from(world.settings.freeze_above_percent).unwrap_or(usize::MAX);
    let many = members.len() >= 3 && down * 100 > limit.saturating_mul(members.len());
    let braked = step.plan.freeze || many || (down > 0 && down == members.len());
    require("S8b", !braked || step.plan.evictions.is_empty(), || {
        format!(
            "{} evictions with {down} of {} clusters down",
            step.plan.evictions.len(),
            members.len()
        )
    })?;
    let released = step
        .plan
        .movements
        .iter()
        .find(|movement| is_lowering(step, movement));
    require("S8b", !braked || released.is_none(), || {
        "replicas released under FREEZE".to_owned()
    })
}

/// S9: an eviction places all that is needed, on clusters that are Up on both paths, within what they have left.
pub fn s9_feasible_or_untouched(step: &Step<'_>) -> Result<(), Broken> {
    let world = step.world;
    let mut demand: BTreeMap<&str, crate::schedule::Resources> = world
        .clusters
        .iter()
        .map(|cluster| (cluster.name.as_str(), cluster.free.clone()))
        .collect();
    for eviction in &step.plan.evictions {
        let Some(binding) = find(world, &eviction.binding) else {
            return require("S9", false, || {
                format!("{} is not in the world", eviction.binding)
            });
        };
        require("S9", !eviction.clusters.is_empty(), || {
            format!("{} is emptied", binding.id)
        })?;
        let stays = eviction
            .clusters
            .iter()
            .find(|target| eviction.from.contains(&target.name));
        require("S9", stays.is_none(), || {
            format!("{} stays where it was evicted from", binding.id)
        })?;
        let after: i64 = eviction
            .clusters
            .iter()
            .map(|target| i64::from(target.replicas))
            .sum();
        if divided(binding) {
            require("S9", after >= i64::from(binding.replicas), || {
                format!(
                    "{} has {after} of {} replicas after its eviction",
                    binding.id, binding.replicas
                )
            })?;
        }
        for target in &eviction.clusters {
            let had = of(&binding.clusters, &target.name);
            let more = i64::from(target.replicas - had.unwrap_or(0));
            require("S9", had.is_none() || more >= 0, || {
                format!("{} shrinks in {}", binding.id, target.name)
            })?;
            if more == 0 && had.is_some() {
                continue;
            }
            let health = world.health_of(&target.name);
            require(
                "S9",
                health.traffic == Verdict::Up && health.control == Verdict::Up,
                || {
                    format!(
                        "{} placed on {}, which is {}/{}",
                        binding.id, target.name, health.traffic, health.control
                    )
                },
            )?;
            if let Some(free) = demand.get_mut(target.name.as_str()).filter(|_| more > 0) {
                free.subtract(&binding.requirements, more);
                let over = binding
                    .requirements
                    .positive()
                    .find(|(name, _)| free.get(name) < 0);
                require("S9", over.is_none() && free.pods >= 0, || {
                    format!("{} is given more than it has left", target.name)
                })?;
            }
        }
    }
    let untouched: BTreeSet<&BindingId> = written(step).collect();
    let both = step.plan.no_target.iter().find(|stays| {
        untouched.contains(&stays.binding) && step.plan.evictions.iter().any(|e| e.binding == stays.binding)
    });
    require("S9", both.is_none(), || {
        "a binding without a target was changed".to_owned()
    })
}

/// S10: outside a release after a shift, no cluster that is not lost ever gets less.
pub fn s10_nothing_ready_is_taken_away(step: &Step<'_>) -> Result<(), Broken> {
    let kept = |binding: &BindingView, next: &[TargetCluster], except: &[String]| {
        binding
            .clusters
            .iter()
            .filter(|target| !except.contains(&target.name))
            .all(|target| of(next, &target.name).is_some_and(|replicas| replicas >= target.replicas))
    };
    let broken = |id: &BindingId| format!("{id} loses replicas in a cluster that is not lost");
    let world = step.world;
    for eviction in &step.plan.evictions {
        let fine = find(world, &eviction.binding).is_none_or(|b| kept(b, &eviction.clusters, &eviction.from));
        require("S10", fine, || broken(&eviction.binding))?;
    }
    for extension in &step.plan.extensions {
        let fine = find(world, &extension.binding).is_none_or(|b| kept(b, &extension.clusters, &[]));
        require("S10", fine, || broken(&extension.binding))?;
    }
    for movement in step
        .plan
        .movements
        .iter()
        .filter(|movement| !is_lowering(step, movement))
    {
        let fine = find(world, &movement.binding).is_none_or(|b| kept(b, &movement.clusters, &[]));
        require("S10", fine, || broken(&movement.binding))?;
    }
    Ok(())
}

/// S12: an eviction task ends only with its cluster in sight, and only when the copy there is scheduled again
/// or enough is ready elsewhere.
pub fn s12_a_returned_copy_stays_while_needed(step: &Step<'_>) -> Result<(), Broken> {
    let world = step.world;
    for end in &step.plan.task_ends {
        let Some(binding) = find(world, &end.binding) else {
            continue;
        };
        let health = world.health_of(&end.cluster);
        let in_sight = health.traffic == Verdict::Up && health.control == Verdict::Up;
        let scheduled = of(&binding.clusters, &end.cluster).is_some();
        let elsewhere: i64 = binding
            .clusters
            .iter()
            .filter(|target| {
                target.name != end.cluster && world.health_of(&target.name).control == Verdict::Up
            })
            .map(|target| i64::from(binding.ready.get(&target.name).copied().unwrap_or(0)))
            .sum();
        let needed = if binding.workload {
            i64::from(binding.replicas)
        } else {
            1
        };
        let fine = match end.reason {
            TaskEndReason::ClusterReturned => in_sight && scheduled,
            TaskEndReason::ReplacementReady => in_sight && elsewhere >= needed,
            TaskEndReason::ClusterRemoved => !world.members().contains(end.cluster.as_str()),
        };
        require("S12", fine, || {
            format!(
                "{}: the task of {} ends with {elsewhere} of {needed} ready elsewhere",
                binding.id, end.cluster
            )
        })?;
    }
    for movement in &step.plan.movements {
        let dropped = movement
            .ends_tasks
            .iter()
            .find(|cluster| of(&movement.clusters, cluster).is_none());
        require("S12", dropped.is_none(), || {
            format!(
                "{}: a task ends without its cluster being scheduled",
                movement.binding
            )
        })?;
    }
    Ok(())
}

/// S15: an operator's hold in force on the fleet, a cluster or a binding wins over all automation.
pub fn s15_operators_win(step: &Step<'_>) -> Result<(), Broken> {
    let Step { world, plan, .. } = step;
    let held = |id: &BindingId| world.settings.held_binding(id, world.now).is_some();
    let moved = plan
        .evictions
        .iter()
        .map(|e| &e.binding)
        .chain(plan.movements.iter().map(|m| &m.binding));
    let mut moved = moved.filter(|id| held(id));
    require("S15", moved.next().is_none(), || {
        "a held binding was moved".to_owned()
    })?;
    let mut from = evicted(step).filter(|(_, from)| world.settings.held_cluster(from, world.now).is_some());
    require("S15", from.next().is_none(), || {
        "a held cluster was evicted from".to_owned()
    })?;
    let placed = plan.evictions.iter().flat_map(|eviction| {
        let before = find(world, &eviction.binding)
            .map(|b| b.clusters.as_slice())
            .unwrap_or_default();
        eviction
            .clusters
            .iter()
            .filter(move |t| of(before, &t.name).is_none_or(|had| t.replicas > had))
    });
    let mut placed = placed.filter(|target| world.settings.held_cluster(&target.name, world.now).is_some());
    require("S15", placed.next().is_none(), || {
        "something was placed on a held cluster".to_owned()
    })
}

/// O1: replicas of a planned move are released only when the target is all ready, traffic was shifted for the
/// TTL and the margin, and the cluster that releases them hears of it now.
pub fn o1_drained_before_released(step: &Step<'_>) -> Result<(), Broken> {
    let Step { world, before, .. } = step;
    for movement in step
        .plan
        .movements
        .iter()
        .filter(|movement| is_lowering(step, movement))
    {
        let Some(binding) = find(world, &movement.binding) else {
            continue;
        };
        let ready = movement.clusters.iter().all(|target| {
            let wanted = if binding.workload { target.replicas } else { 1 };
            binding.ready.get(&target.name).copied().unwrap_or(0) >= wanted
        });
        require("O1", ready, || {
            format!("{} released before its target is ready", binding.id)
        })?;
        let hidden = binding.clusters.iter().find(|target| {
            of(&movement.clusters, &target.name).is_none_or(|next| next < target.replicas)
                && world.health_of(&target.name).control != Verdict::Up
        });
        require("O1", hidden.is_none(), || {
            format!(
                "{} releases replicas in {hidden:?}, which cannot be told",
                binding.id
            )
        })?;
        let Some(ttl) = binding.traffic_ttl else { continue };
        let wait = ttl.saturating_add(world.settings.failback.shift_margin);
        let shifted = before
            .movements
            .get(&binding.id)
            .filter(|timer| timer.phase == Phase::Shift)
            .map(|timer| world.now.saturating_since(timer.since));
        require("O1", shifted.is_some_and(|shifted| shifted >= wait), || {
            format!(
                "{} released {shifted:?} after the shift, {wait:?} are needed",
                binding.id
            )
        })?;
    }
    Ok(())
}

/// O8: a move begins only for a binding that is away from home, towards clusters that are Up on both paths,
/// and its phases follow one another.
pub fn o8_failback_is_planned(step: &Step<'_>) -> Result<(), Broken> {
    let world = step.world;
    for movement in &step.plan.movements {
        let Some(binding) = find(world, &movement.binding) else {
            continue;
        };
        let from = binding.movement.as_ref().map(|movement| movement.phase);
        let fine = match (from, movement.phase, movement.finished) {
            (None, Phase::Raise, false) | (None, Phase::Lower, true) => !binding.home.is_empty(),
            (Some(Phase::Raise), Phase::Raise | Phase::Shift, false)
            | (Some(Phase::Shift), Phase::Raise | Phase::Lower, false)
            | (Some(_), Phase::Lower, true) => true,
            (None, Phase::Raise, true)
            | (None, Phase::Lower, false)
            | (None | Some(_), Phase::Shift, _)
            | (Some(_), Phase::Raise | Phase::Lower, _) => false,
        };
        require("O8", fine, || {
            format!(
                "{} goes from {from:?} to {:?}, finished: {}",
                binding.id, movement.phase, movement.finished
            )
        })?;
        let grown = movement.clusters.iter().find(|target| {
            let health = world.health_of(&target.name);
            of(&binding.clusters, &target.name).is_none_or(|had| target.replicas > had)
                && !(health.traffic == Verdict::Up && health.control == Verdict::Up)
        });
        require("O8", grown.is_none(), || {
            format!("{} raised in a cluster that is not Up", binding.id)
        })?;
    }
    Ok(())
}

/// A plan writes to a binding at most once: every write carries the version it was decided from.
pub fn one_write_a_binding(step: &Step<'_>) -> Result<(), Broken> {
    let mut seen = BTreeSet::new();
    let twice = written(step).find(|id| !seen.insert(*id));
    require("one write", twice.is_none(), || {
        format!("{twice:?} is written to twice")
    })
}

fn written<'a>(step: &'a Step<'_>) -> impl Iterator<Item = &'a BindingId> {
    let plan = step.plan;
    let evictions = plan.evictions.iter().map(|eviction| &eviction.binding);
    evictions
        .chain(plan.extensions.iter().map(|extension| &extension.binding))
        .chain(plan.movements.iter().map(|movement| &movement.binding))
        .chain(plan.task_ends.iter().map(|end| &end.binding))
}

fn evicted<'a>(step: &'a Step<'_>) -> impl Iterator<Item = (&'a Eviction, &'a String)> {
    step.plan
        .evictions
        .iter()
        .flat_map(|eviction| eviction.from.iter().map(move |from| (eviction, from)))
}

/// The step that takes replicas away.
fn is_lowering(step: &Step<'_>, movement: &MovementStep) -> bool {
    let binding = find(step.world, &movement.binding);
    binding.is_some_and(|binding| {
        movement.phase == Phase::Lower
            && binding
                .clusters
                .iter()
                .any(|target| of(&movement.clusters, &target.name).is_none_or(|next| next < target.replicas))
    })
}

fn find<'a>(world: &World<'a>, id: &BindingId) -> Option<&'a BindingView> {
    world.bindings.iter().find(|binding| binding.id == *id)
}

fn of(clusters: &[TargetCluster], name: &str) -> Option<i32> {
    clusters
        .iter()
        .find(|target| target.name == name)
        .map(|target| target.replicas)
}

fn divided(binding: &BindingView) -> bool {
    binding.workload && binding.placement.scheduling_type() == SchedulingType::Divided
}

fn require(invariant: &'static str, holds: bool, message: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds {
        Ok(())
    } else {
        Err(Broken {
            invariant,
            message: message(),
        })
    }
}
