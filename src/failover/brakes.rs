//! Which clusters are lost for good enough: hold timers, FREEZE, operators' holds.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use lifeboat_health::{DownShare, MonoTime, Quadrant, Verdict};

use super::{
    output::{HoldNotice, HoldReason},
    state::{Freeze, LOSSES_KEPT, State},
    world::World,
};

/// What this step may touch.
pub(crate) struct Braked {
    pub(crate) freeze: bool,
    /// Both paths Down for the whole hold, no brake on; with the number of this loss.
    pub(crate) lost: BTreeMap<String, u64>,
    /// Both paths Down for the whole hold, and nothing but FREEZE says no.
    pub(crate) frozen: BTreeSet<String>,
    /// Up on both paths and not held: replicas may be placed here.
    pub(crate) eligible: BTreeSet<String>,
    pub(crate) notices: Vec<HoldNotice>,
}

/// Advances every timer to `world.now` and says which clusters are lost.
pub(crate) fn step(state: &mut State, world: &World<'_>) -> Braked {
    let members: BTreeSet<String> = world.members().into_iter().map(str::to_owned).collect();
    state.down_since.retain(|cluster, _| members.contains(cluster));
    state.up_since.retain(|cluster, _| members.contains(cluster));
    state.returned.retain(|cluster| members.contains(cluster));
    state.health_epochs.retain(|cluster, _| members.contains(cluster));
    let freeze = step_freeze(state, world, &members);

    let mut braked = Braked {
        freeze,
        lost: BTreeMap::new(),
        frozen: BTreeSet::new(),
        eligible: BTreeSet::new(),
        notices: Vec::new(),
    };
    for cluster in &members {
        step_cluster(state, world, cluster, &mut braked);
    }
    if let Some(frozen) = &state.freeze {
        let remaining = frozen.calm_since.map(|calm| {
            world
                .settings
                .freeze_calm
                .saturating_sub(world.now.saturating_since(calm))
        });
        braked.notices.push(HoldNotice {
            subject: "fleet".to_owned(),
            reason: HoldReason::Freeze,
            message: format!(
                "{} of {} clusters look down: nothing is evicted until it is at most {} % for {} s",
                frozen.down.len(),
                members.len(),
                world.settings.freeze_above_percent,
                world.settings.freeze_calm.as_secs()
            ),
            remaining,
        });
    }
    remember_losses(state, world, &mut braked.lost);
    braked
}

/// How long a returned cluster must have been Up before something is moved back to it.
pub(crate) fn settle_for(state: &State, world: &World<'_>, cluster: &str) -> Duration {
    let failback = &world.settings.failback;
    let recent = state.losses.get(cluster).map_or(0, |losses| {
        losses
            .iter()
            .filter(|at| world.now.saturating_since(**at) < failback.memory)
            .count()
    });
    let doublings = u32::try_from(recent.saturating_sub(1))
        .unwrap_or(u32::MAX)
        .min(20);
    failback
        .settle
        .saturating_mul(1 << doublings)
        .min(failback.settle_max)
}

/// Since when both paths are Up, as told or as this planner has seen it.
pub(crate) fn up_since(state: &State, world: &World<'_>, cluster: &str) -> Option<MonoTime> {
    world
        .health_of(cluster)
        .returned_since
        .or_else(|| state.up_since.get(cluster).copied())
}

pub(crate) fn share(down: usize, all: usize) -> DownShare {
    let count = |n| u32::try_from(n).unwrap_or(u32::MAX);
    DownShare {
        down: count(down),
        all: count(all),
    }
}

/// Members that look down. Under FREEZE one that looked down stays so while nothing is known of it: an end of the evidence is no
/// calm.
fn looking_down(state: &State, world: &World<'_>, members: &BTreeSet<String>) -> BTreeSet<String> {
    let before = state.freeze.as_ref().map(|freeze| &freeze.down);
    let down = |cluster: &&String| {
        let health = world.health_of(cluster);
        let unseen = health.is_unknown() && before.is_some_and(|before| before.contains(*cluster));
        health.looks_down() || unseen
    };
    members.iter().filter(down).cloned().collect()
}

/// A path that is Down counts, be it one or both: a fleet whose API servers are all away at once says more
/// about who is looking than about the fleet.
fn step_freeze(state: &mut State, world: &World<'_>, members: &BTreeSet<String>) -> bool {
    let down = looking_down(state, world, members);
    let above = share(down.len(), members.len()).exceeds(world.settings.freeze_above_percent);
    if let Some(freeze) = &mut state.freeze {
        freeze.down.clone_from(&down);
    }
    match &mut state.freeze {
        Some(freeze) if above => freeze.calm_since = None,
        None if above => {
            state.freeze = Some(Freeze {
                since: world.now,
                down,
                calm_since: None,
            })
        }
        Some(freeze) => {
            let calm_since = *freeze.calm_since.get_or_insert(world.now);
            if world.now.saturating_since(calm_since) >= world.settings.freeze_calm {
                state.freeze = None;
                // What was seen while the observer itself was in doubt does not count towards a hold.
                for since in state.down_since.values_mut() {
                    *since = world.now;
                }
            }
        }
        None => {}
    }
    state.freeze.is_some()
}

fn step_cluster(state: &mut State, world: &World<'_>, cluster: &str, braked: &mut Braked) {
    let health = world.health_of(cluster);
    let quadrant = health.quadrant();
    if quadrant != Quadrant::BothDown {
        state.down_since.remove(cluster);
    }
    if !health.is_up() {
        state.up_since.remove(cluster);
    }
    let held = world.settings.held_cluster(cluster, world.now);
    let mut notice = |reason, message: String, remaining| {
        braked.notices.push(HoldNotice {
            subject: cluster.to_owned(),
            reason,
            message,
            remaining,
        });
    };
    match quadrant {
        Quadrant::BothUp if health.is_up() => {
            state.up_since.entry(cluster.to_owned()).or_insert(world.now);
            state.returned.insert(cluster.to_owned());
            if held.is_none() {
                braked.eligible.insert(cluster.to_owned());
            }
        }
        Quadrant::TrafficDown => notice(
            HoldReason::TrafficPathOnly,
            format!(
                "traffic path Down, control path {}: DNS withdraws, replicas stay",
                health.control
            ),
            None,
        ),
        Quadrant::ControlDown => notice(
            HoldReason::ControlPathOnly,
            format!(
                "control path Down, traffic path {}: no new placement, no eviction",
                health.traffic
            ),
            None,
        ),
        Quadrant::BothUp => {
            if health.traffic == Verdict::Unknown || health.control == Verdict::Unknown {
                notice(
                    HoldReason::Unknown,
                    format!(
                        "traffic path {}, control path {}: too little is known to act on",
                        health.traffic, health.control
                    ),
                    None,
                );
            }
        }
        Quadrant::BothDown => {
            let since = *state.down_since.entry(cluster.to_owned()).or_insert(world.now);
            let hold = world.settings.hold_for(cluster);
            let down_for = world.now.saturating_since(since);
            if braked.freeze {
                // Said once, for the fleet.
                if held.is_none() && down_for >= hold {
                    braked.frozen.insert(cluster.to_owned());
                }
            } else if let Some(held) = held {
                notice(
                    HoldReason::OperatorHold,
                    format!("both paths Down; held by {}: {}", held.author, held.reason),
                    held.until.map(|until| until.saturating_since(world.now)),
                );
            } else if down_for < hold {
                notice(
                    HoldReason::HoldTimer,
                    format!(
                        "both paths Down for {} s of {} s",
                        down_for.as_secs(),
                        hold.as_secs()
                    ),
                    Some(hold - down_for),
                );
            } else {
                braked.lost.insert(cluster.to_owned(), 0);
            }
        }
    }
}

/// A loss counts once, when the hold passes; the cluster must come back before it can be lost again.
fn remember_losses(state: &mut State, world: &World<'_>, lost: &mut BTreeMap<String, u64>) {
    for (cluster, number) in lost {
        let count = state.health_epochs.entry(cluster.clone()).or_insert(0);
        if state.lost.insert(cluster.clone()) {
            // A leader that has never seen it Up goes on with the loss its predecessor counted.
            if *count == 0 || state.returned.contains(cluster) {
                *count += 1;
            }
            state.returned.remove(cluster);
            let losses = state.losses.entry(cluster.clone()).or_default();
            if losses.len() == LOSSES_KEPT {
                losses.pop_front();
            }
            losses.push_back(world.now);
        }
        *number = *count;
    }
    state.lost.retain(|cluster| world.health_of(cluster).is_lost());
    let memory = world.settings.failback.memory;
    state
        .losses
        .retain(|_, losses| losses.iter().any(|at| world.now.saturating_since(*at) < memory));
}
