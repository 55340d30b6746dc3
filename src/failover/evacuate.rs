//! A lost cluster's replicas are placed elsewhere: the whole batch at once, most important first,
//! capacity deducted as it goes.

use std::collections::BTreeSet;

use super::{
    PRODUCER,
    brakes::Braked,
    budget::Tokens,
    companions::Led,
    intents,
    ledger::Ledger,
    output::{Eviction, HoldNotice, HoldReason, NoFeasibleTarget},
    place::{self, Assignment, NoRoom},
    world::{BindingView, World},
};
use crate::api::work::GracefulEvictionTask;

/// What becomes of the lost clusters' bindings.
#[derive(Default)]
pub(crate) struct Evacuation {
    pub(crate) evictions: Vec<Eviction>,
    pub(crate) no_target: Vec<NoFeasibleTarget>,
    pub(crate) notices: Vec<HoldNotice>,
}

/// Higher priority first, then by name; workloads before the objects that follow them.
pub(crate) fn in_order(bindings: &[BindingView]) -> Vec<&BindingView> {
    let mut order: Vec<&BindingView> = bindings.iter().collect();
    order.sort_by(|a, b| {
        (!a.workload, -i64::from(a.priority), &a.id).cmp(&(!b.workload, -i64::from(b.priority), &b.id))
    });
    order
}

/// Decides for every binding on a lost cluster.
pub(crate) fn decide(world: &World<'_>, braked: &Braked, ledger: &mut Ledger) -> Evacuation {
    let mut evacuation = Evacuation::default();
    if braked.lost.is_empty() {
        return evacuation;
    }
    let led = Led::new(world);
    let mut tokens = world.budget;
    let mut waiting = 0_usize;
    for binding in in_order(world.bindings) {
        let current = place::assignment(&binding.clusters);
        let gone: BTreeSet<String> = current
            .keys()
            .filter(|c| braked.lost.contains_key(*c))
            .cloned()
            .collect();
        if gone.is_empty() || led.covers(binding) {
            continue;
        }
        if let Some(held) = world.settings.held_binding(&binding.id, world.now) {
            evacuation.notices.push(HoldNotice {
                subject: binding.id.to_string(),
                reason: HoldReason::OperatorHold,
                message: format!("held by {}: {}", held.author, held.reason),
                remaining: held.until.map(|until| until.saturating_since(world.now)),
            });
            continue;
        }
        match relocate(world, braked, ledger, binding, &current, &gone) {
            Ok(None) => {}
            Ok(Some(next)) => {
                // Priority counts here too: once one has to wait, all behind it wait.
                let cost = Tokens(u32::try_from(gone.len()).unwrap_or(u32::MAX));
                if waiting > 0 || tokens < cost {
                    waiting += 1;
                    ledger.restore(&binding.id);
                    continue;
                }
                tokens = Tokens(tokens.0 - cost.0);
                evacuation
                    .evictions
                    .push(eviction(world, braked, binding, &current, &gone, &next));
            }
            Err(no_room) => evacuation.no_target.push(NoFeasibleTarget {
                binding: binding.id.clone(),
                clusters: gone.into_iter().collect(),
                short_replicas: no_room.short,
                message: no_room.message,
            }),
        }
    }
    if waiting > 0 {
        evacuation.notices.push(HoldNotice {
            subject: "fleet".to_owned(),
            reason: HoldReason::Budget,
            message: format!("{waiting} bindings wait for the eviction budget"),
            remaining: None,
        });
    }
    evacuation
}

/// The binding's new clusters, or nothing where nothing has to be placed.
///
/// An object without replicas that belongs to no workload leaves a lost cluster only when another cluster
/// receives it: as long as some cluster holds it, taking it off a dead one gains nothing and would have to be
/// undone on return. The same holds for a duplicated workload that has no further candidate.
fn relocate(
    world: &World<'_>,
    braked: &Braked,
    ledger: &mut Ledger,
    binding: &BindingView,
    current: &Assignment,
    gone: &BTreeSet<String>,
) -> Result<Option<Assignment>, NoRoom> {
    let survivors: Assignment = current
        .iter()
        .filter(|(c, _)| !gone.contains(*c))
        .map(|(c, n)| (c.clone(), *n))
        .collect();
    let placed = place::relocate(world, ledger, &braked.eligible, binding, &survivors);
    if binding.workload && place::is_divided(&binding.placement) {
        return placed.map(Some);
    }
    let next = match placed {
        Ok(next) => next,
        // Nothing further to be had, and it still runs elsewhere.
        Err(_) if !survivors.is_empty() && !binding.workload => survivors.clone(),
        Err(no_room) => return Err(no_room),
    };
    Ok((next != survivors).then_some(next))
}

fn eviction(
    world: &World<'_>,
    braked: &Braked,
    binding: &BindingView,
    current: &Assignment,
    gone: &BTreeSet<String>,
    next: &Assignment,
) -> Eviction {
    let health_epoch = |cluster: &String| braked.lost.get(cluster).copied().unwrap_or(0);
    let from = gone.iter().cloned().collect::<Vec<_>>();
    let reason = format!("{} lost: both paths Down for the hold", from.join(", "));
    Eviction {
        binding: binding.id.clone(),
        uid: binding.uid.clone(),
        resource_version: binding.resource_version.clone(),
        priority: binding.priority,
        clusters: place::targets(next, &binding.clusters),
        tasks: from
            .iter()
            .map(|cluster| GracefulEvictionTask {
                from_cluster: cluster.clone(),
                replicas: current.get(cluster).copied().filter(|replicas| *replicas > 0),
                reason: "ClusterLost".to_owned(),
                message: reason.clone(),
                producer: PRODUCER.to_owned(),
                creation_timestamp: Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(world.wall)),
                clusters_before_failover: current.keys().cloned().collect(),
                ..GracefulEvictionTask::default()
            })
            .collect(),
        home: place::home(binding),
        intents: from
            .iter()
            .map(|cluster| intents::intent(binding, cluster, health_epoch(cluster)))
            .collect(),
        from,
        reason,
    }
}
