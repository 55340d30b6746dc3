//! The standing plan: what would move if clusters were lost now. It is made by the very planner that would
//! move it, so the disaster's path is the everyday path.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::Serialize;

use super::{
    brakes::{self, Braked},
    budget::{Rate, Tokens},
    evacuate,
    ledger::Ledger,
    place,
    state::State,
    world::World,
};
use crate::api::work::TargetCluster;

/// What the loss of some clusters would mean.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    pub clusters: Vec<String>,
    /// Names of `clusters` that are not registered; the plan is made without them.
    pub unknown: Vec<String>,
    /// What moves, or would if `freeze` did not forbid it.
    pub bindings_moved: usize,
    pub replicas_moved: i64,
    /// Replicas that would find no place.
    pub short_replicas: i64,
    /// Thousandths of a core these ask for.
    pub short_cpu_millis: i64,
    /// Everything would find a place, and the brake would not forbid it.
    pub feasible: bool,
    /// So many clusters down would stop every eviction.
    pub freeze: bool,
    /// From the loss to the last replica ready: detection, hold, budget, start of the pods. 0 when nothing moves.
    pub estimated_seconds: f64,
    pub by_binding: Vec<StandingMove>,
}

/// What would become of one binding.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StandingMove {
    pub binding: String,
    /// What it has in the lost clusters.
    pub from: Vec<TargetCluster>,
    /// What other clusters would have more; nothing where it would stay as it is.
    pub to: Vec<TargetCluster>,
    pub message: String,
}

/// From a loss to its verdict, rounded up from the worst case of the default profile.
const DETECTION: Duration = Duration::from_secs(1);

/// What would move if `clusters` were lost now and their holds had passed. `pod_start` is how long a new
/// replica takes to be ready.
pub fn if_lost(world: &World<'_>, clusters: &[String], pod_start: Duration) -> Standing {
    let members = world.members();
    let asked: BTreeSet<String> = clusters.iter().cloned().collect();
    let (lost, unknown): (BTreeSet<String>, BTreeSet<String>) = asked
        .into_iter()
        .partition(|cluster| members.contains(cluster.as_str()));
    let eligible = members
        .iter()
        .filter(|cluster| {
            world.health_of(cluster).is_up()
                && world.settings.held_cluster(cluster, world.now).is_none()
                && !lost.contains(**cluster)
        })
        .map(|cluster| (*cluster).to_owned())
        .collect();
    let down = members
        .iter()
        .filter(|c| lost.contains(**c) || world.health_of(c).looks_down())
        .count();
    let freeze = brakes::share(down, members.len()).exceeds(world.settings.freeze_above_percent);

    let braked = Braked {
        freeze: false,
        lost: lost.iter().map(|cluster| (cluster.clone(), 0)).collect(),
        frozen: BTreeSet::new(),
        eligible,
        notices: Vec::new(),
    };
    let unbounded = World {
        budget: Tokens(u32::MAX),
        ..*world
    };
    let mut ledger = Ledger::new(&mut State::default(), &unbounded);
    let evacuation = evacuate::decide(&unbounded, &braked, &mut ledger);

    let bindings: BTreeMap<_, _> = world.bindings.iter().map(|b| (&b.id, b)).collect();
    let mut standing = Standing {
        clusters: lost.iter().cloned().collect(),
        unknown: unknown.into_iter().collect(),
        bindings_moved: 0,
        replicas_moved: 0,
        short_replicas: 0,
        short_cpu_millis: 0,
        feasible: !freeze && evacuation.no_target.is_empty(),
        freeze,
        estimated_seconds: 0.0,
        by_binding: Vec::new(),
    };
    let mut evictions = 0_u32;
    for eviction in &evacuation.evictions {
        let Some(binding) = bindings.get(&eviction.binding) else {
            continue;
        };
        let before = place::assignment(&binding.clusters);
        let more = eviction.clusters.iter().map(|target| {
            let had = before.get(&target.name).copied();
            (
                target.name.clone(),
                target.replicas - had.unwrap_or(0),
                had.is_none(),
            )
        });
        let to: Vec<TargetCluster> = more
            .filter(|(_, more, new)| *more > 0 || *new)
            .map(|(name, more, _)| TargetCluster::new(name, more))
            .collect();
        standing.bindings_moved += 1;
        standing.replicas_moved += to.iter().map(|target| i64::from(target.replicas)).sum::<i64>();
        evictions = evictions.saturating_add(u32::try_from(eviction.from.len()).unwrap_or(u32::MAX));
        standing.by_binding.push(StandingMove {
            binding: eviction.binding.to_string(),
            from: part(&binding.clusters, &lost),
            to,
            message: if freeze { "would move" } else { "moves" }.to_owned(),
        });
    }
    for stays in &evacuation.no_target {
        let Some(binding) = bindings.get(&stays.binding) else {
            continue;
        };
        standing.short_replicas += stays.short_replicas;
        standing.short_cpu_millis += stays
            .short_replicas
            .saturating_mul(binding.requirements.cpu_millis);
        standing.by_binding.push(StandingMove {
            binding: stays.binding.to_string(),
            from: part(&binding.clusters, &lost),
            to: Vec::new(),
            message: format!("no feasible target: {}", stays.message),
        });
    }
    for notice in &evacuation.notices {
        let held = world
            .bindings
            .iter()
            .find(|binding| binding.id.to_string() == notice.subject);
        standing.by_binding.extend(held.map(|binding| StandingMove {
            binding: notice.subject.clone(),
            from: part(&binding.clusters, &lost),
            to: Vec::new(),
            message: notice.message.clone(),
        }));
    }
    standing.by_binding.sort_by(|a, b| a.binding.cmp(&b.binding));
    if !freeze {
        standing.estimated_seconds = estimated(world, &lost, evictions, pod_start).as_secs_f64();
    }
    standing
}

fn estimated(world: &World<'_>, lost: &BTreeSet<String>, evictions: u32, pod_start: Duration) -> Duration {
    if evictions == 0 {
        return Duration::ZERO;
    }
    let hold = lost
        .iter()
        .map(|cluster| world.settings.hold_for(cluster))
        .max()
        .unwrap_or_default();
    let rate = Rate::default();
    let beyond_burst = evictions.saturating_sub(rate.burst);
    let pacing = Duration::from_millis(u64::from(beyond_burst) * 1000 / u64::from(rate.per_second));
    DETECTION + hold + pacing + pod_start
}

fn part(clusters: &[TargetCluster], lost: &BTreeSet<String>) -> Vec<TargetCluster> {
    clusters
        .iter()
        .filter(|target| lost.contains(&target.name))
        .cloned()
        .collect()
}
