//! The way home is a planned move: raise what was there, shift the traffic, release the rest.
//!
//! ```text
//! displaced ── settled ──> Raise ── target ready, soaked ──> Shift ── TTL passed ──> Lower ──> home
//!     ▲                      ▲                                 │
//!     └──── a new eviction ──┴──── target no longer ready ─────┘
//! ```
//! Until Lower nothing is taken away, so the move can stop at any point and nobody notices.
//! A cluster that returns in the middle of its own evacuation is raised at once: it may hold the only copies.

mod target;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use lifeboat_health::Verdict;

use super::{
    brakes::{self, Braked},
    evacuate::in_order,
    ledger::Ledger,
    output::{HoldNotice, HoldReason, MovementStep},
    place::{self, Assignment},
    state::{MovementTimer, State},
    tasks,
    world::{BindingId, BindingView, Movement, Phase, TaskView, World},
};
use crate::api::work::TargetCluster;
use target::{displaced, still_needed, target};

/// How long released replicas may take to disappear before the move counts as over.
const LOWER_AT_MOST: Duration = Duration::from_secs(60);

/// Whether a returned cluster gets its replicas back, so that its old copy is better kept.
pub(crate) fn brings_back(world: &World<'_>, binding: &BindingView, cluster: &str) -> bool {
    world.settings.failback.enabled
        && binding.home.iter().any(|target| target.name == cluster)
        && place::allowed(world, binding, cluster).is_ok()
}

/// Starts and advances planned moves of bindings that nothing else in this plan writes to.
pub(crate) fn decide(
    state: &mut State,
    world: &World<'_>,
    braked: &Braked,
    ledger: &mut Ledger,
    touched: &BTreeSet<BindingId>,
) -> (Vec<MovementStep>, Vec<HoldNotice>) {
    let moving: BTreeMap<&BindingId, Phase> = world
        .bindings
        .iter()
        .filter_map(|b| Some((&b.id, b.movement.as_ref()?.phase)))
        .collect();
    state
        .movements
        .retain(|id, timer| moving.get(id) == Some(&timer.phase));
    let mut round = Round {
        state,
        world,
        braked,
        ledger,
        steps: Vec::new(),
        notices: Vec::new(),
    };
    for binding in in_order(world.bindings)
        .into_iter()
        .filter(|binding| !touched.contains(&binding.id))
    {
        if binding.movement.is_none() && binding.home.is_empty() {
            continue;
        }
        if let Some(held) = world.settings.held_binding(&binding.id, world.now) {
            let message = format!("held by {}: {}", held.author, held.reason);
            let remaining = held.until.map(|until| until.saturating_since(world.now));
            round.notice(binding, HoldReason::OperatorHold, message, remaining);
            continue;
        }
        match &binding.movement {
            None => round.start(binding),
            Some(movement) => round.advance(binding, movement),
        }
    }
    (round.steps, round.notices)
}

struct Round<'a, 'w> {
    state: &'a mut State,
    world: &'a World<'w>,
    braked: &'a Braked,
    ledger: &'a mut Ledger,
    steps: Vec<MovementStep>,
    notices: Vec<HoldNotice>,
}

impl Round<'_, '_> {
    fn start(&mut self, binding: &BindingView) {
        let current = place::assignment(&binding.clusters);
        let home = place::assignment(&binding.home);
        let displaced = displaced(binding, &current, &home);
        // It came back before its replacement was complete.
        let needed: BTreeSet<String> = displaced
            .iter()
            .filter(|cluster| {
                self.braked.eligible.contains(*cluster)
                    && binding.tasks.iter().any(|task| task.cluster == **cluster)
                    && !tasks::ready_elsewhere(self.world, binding, cluster)
            })
            .cloned()
            .collect();
        let emergency = current.keys().any(|c| self.world.health_of(c).is_lost());
        let quiet = self.world.settings.failback.enabled && !self.braked.freeze && !emergency;
        if displaced.is_empty() {
            self.tidy(binding, &current, &home, quiet);
            return;
        }
        let returned = if quiet {
            self.settled(binding, &displaced, needed)
        } else {
            needed
        };
        if returned.is_empty() {
            return;
        }
        for cluster in &returned {
            if let Err(why) = place::allowed(self.world, binding, cluster) {
                self.notice(
                    binding,
                    HoldReason::NoRoomAtHome,
                    format!("{cluster}: {why}"),
                    None,
                );
                return;
            }
        }
        match target(self.world, binding, &current, &home, &returned) {
            Ok(target) => {
                let names = returned.iter().cloned().collect::<Vec<_>>().join(", ");
                self.raise(binding, &current, &target, format!("{names} returned"));
            }
            Err(why) => self.notice(binding, HoldReason::NoRoomAtHome, why, None),
        }
    }

    /// All of the home is there; what came in addition is released like the rest of any move.
    fn tidy(&mut self, binding: &BindingView, current: &Assignment, home: &Assignment, quiet: bool) {
        let scaled = place::is_stale(self.world, binding, home);
        match target(self.world, binding, current, home, &BTreeSet::new()) {
            Ok(target) if target != *current && !scaled && self.world.settings.failback.enabled => {
                if quiet {
                    self.raise(binding, current, &target, "all of the home is there".to_owned());
                }
            }
            Ok(_) | Err(_) => self.finish(binding, current, "at home again"),
        }
    }

    /// Displaced clusters that are Up for long enough, and those that are needed at once.
    fn settled(
        &mut self,
        binding: &BindingView,
        displaced: &BTreeSet<String>,
        needed: BTreeSet<String>,
    ) -> BTreeSet<String> {
        let mut returned = needed;
        for cluster in displaced
            .iter()
            .filter(|cluster| self.braked.eligible.contains(*cluster))
        {
            let settle = brakes::settle_for(self.state, self.world, cluster);
            let up_for = brakes::up_since(self.state, self.world, cluster)
                .map_or(Duration::ZERO, |since| self.world.now.saturating_since(since));
            if up_for >= settle {
                returned.insert(cluster.clone());
            } else if !returned.contains(cluster) {
                let message = format!(
                    "{cluster} is Up for {} s of {} s",
                    up_for.as_secs(),
                    settle.as_secs()
                );
                self.notice(binding, HoldReason::Settle, message, Some(settle - up_for));
            }
        }
        returned
    }

    fn raise(&mut self, binding: &BindingView, current: &Assignment, target: &Assignment, reason: String) {
        let mut raised = place::union_max(current, target);
        self.keep_needed_copies(binding, &mut raised);
        let grown = place::grown_beyond_copies(binding, current, &raised);
        if let Err(no_room) = self.ledger.take_all(&binding.id, &binding.requirements, &grown) {
            self.notice(binding, HoldReason::NoRoomAtHome, no_room, None);
            return;
        }
        if raised == *target {
            self.finish(binding, target, &reason);
        } else {
            self.step(binding, Phase::Raise, &raised, target, reason);
        }
    }

    /// An old copy that is scheduled again keeps all it runs while its replacements are not ready, also where it will have
    /// less at the move's end.
    fn keep_needed_copies(&self, binding: &BindingView, raised: &mut Assignment) {
        let needed = |task: &&TaskView| {
            binding.workload && !tasks::ready_elsewhere(self.world, binding, &task.cluster)
        };
        for task in binding.tasks.iter().filter(needed) {
            if let Some(replicas) = raised.get_mut(&task.cluster) {
                *replicas = (*replicas).max(task.replicas);
            }
        }
    }

    fn advance(&mut self, binding: &BindingView, movement: &Movement) {
        let now = self.world.now;
        let fresh = MovementTimer {
            phase: movement.phase,
            since: now,
            ready_since: None,
        };
        let mut timer = *self.state.movements.entry(binding.id.clone()).or_insert(fresh);
        if self.braked.freeze {
            return;
        }
        let current = place::assignment(&binding.clusters);
        let target = place::assignment(&movement.target);
        let away = target
            .keys()
            .find(|cluster| !self.braked.eligible.contains(*cluster));
        let unready = target.iter().find(|(cluster, wanted)| {
            binding.ready.get(*cluster).copied().unwrap_or(0) < place::ready_wanted(binding, **wanted)
        });
        let unready = unready.map(|(cluster, _)| cluster.clone());
        timer.ready_since = if away.is_none() && unready.is_none() {
            timer.ready_since.or(Some(now))
        } else {
            None
        };
        self.state.movements.insert(binding.id.clone(), timer);

        match movement.phase {
            Phase::Raise => {
                if place::is_stale(self.world, binding, &target) {
                    self.aim_again(binding, &current, &target);
                } else if let Some(away) = away {
                    let message = format!("{away} is not Up on both paths, or held");
                    self.notice(binding, HoldReason::MovementPaused, message, None);
                } else if let Some(cluster) = unready {
                    let message = format!("not all replicas are ready in {cluster}");
                    self.notice(binding, HoldReason::WaitingForReady, message, None);
                } else {
                    let soaked = timer
                        .ready_since
                        .map_or(Duration::ZERO, |since| now.saturating_since(since));
                    let soak = self.world.settings.failback.soak;
                    if soaked >= soak {
                        let all = place::union_max(&current, &target);
                        self.step(
                            binding,
                            Phase::Shift,
                            &all,
                            &target,
                            "the target is ready".to_owned(),
                        );
                    } else {
                        let message = "ready replicas soak".to_owned();
                        self.notice(binding, HoldReason::WaitingForReady, message, Some(soak - soaked));
                    }
                }
            }
            Phase::Shift => {
                if place::is_stale(self.world, binding, &target) {
                    self.aim_again(binding, &current, &target);
                } else if away.is_some() || unready.is_some() {
                    let cluster = away.cloned().or(unready).unwrap_or_default();
                    let all = place::union_max(&current, &target);
                    let reason = format!("{cluster} is not ready any more: back to all replicas");
                    self.step(binding, Phase::Raise, &all, &target, reason);
                } else {
                    self.lower_when_drained(binding, &target, now.saturating_since(timer.since));
                }
            }
            Phase::Lower => {
                // An old copy is its eviction task's, not this move's.
                let copy = |cluster: &str| binding.tasks.iter().any(|task| task.cluster == cluster);
                let shrinking = current == target
                    && binding.workload
                    && now.saturating_since(timer.since) < LOWER_AT_MOST
                    && binding.ready.iter().any(|(cluster, ready)| {
                        *ready > target.get(cluster).copied().unwrap_or(0)
                            && !copy(cluster)
                            && self.world.health_of(cluster).control == Verdict::Up
                    });
                if !shrinking {
                    self.finish(binding, &current, "what moved away is released");
                }
            }
        }
    }

    /// The workload was scaled, or a cluster has left, while the move was under way.
    fn aim_again(&mut self, binding: &BindingView, current: &Assignment, old: &Assignment) {
        let candidates: BTreeSet<String> = old
            .keys()
            .chain(current.keys())
            .filter(|c| self.braked.eligible.contains(*c))
            .cloned()
            .collect();
        match place::redivide(self.world, binding, old, &candidates) {
            Ok(target) => self.raise(binding, current, &target, "the workload was scaled".to_owned()),
            Err(why) => self.notice(binding, HoldReason::MovementPaused, why, None),
        }
    }

    fn lower_when_drained(&mut self, binding: &BindingView, target: &Assignment, shifted_for: Duration) {
        let wait = binding.traffic_ttl.map_or(Duration::ZERO, |ttl| {
            ttl.saturating_add(self.world.settings.failback.shift_margin)
        });
        if shifted_for < wait {
            let message = "resolvers may still hold the old answer".to_owned();
            self.notice(
                binding,
                HoldReason::WaitingForTtl,
                message,
                Some(wait - shifted_for),
            );
        } else if let Some(cluster) = self.out_of_sight(binding, target) {
            let message =
                format!("{cluster} cannot be told now, and what it is told later may be wrong by then");
            self.notice(binding, HoldReason::MovementPaused, message, None);
        } else if let Some((workload, cluster)) = still_needed(self.world, binding, target) {
            let message = format!("{workload} still runs in {cluster}");
            self.notice(binding, HoldReason::MovementPaused, message, None);
        } else {
            let reason = "traffic has moved".to_owned();
            self.step(binding, Phase::Lower, target, target, reason);
        }
    }

    /// A cluster that is to release something and whose API does not answer: the release would take effect at
    /// its return, whatever has been lost elsewhere in the meantime.
    fn out_of_sight<'b>(&self, binding: &'b BindingView, target: &Assignment) -> Option<&'b String> {
        let shrinks = |at: &&TargetCluster| target.get(&at.name).is_none_or(|wanted| *wanted < at.replicas);
        let hidden = |at: &&TargetCluster| self.world.health_of(&at.name).control != Verdict::Up;
        binding
            .clusters
            .iter()
            .filter(shrinks)
            .find(hidden)
            .map(|at| &at.name)
    }

    fn finish(&mut self, binding: &BindingView, clusters: &Assignment, reason: &str) {
        self.step(binding, Phase::Lower, clusters, clusters, reason.to_owned());
        let home = place::assignment(&binding.home);
        let still_away = !displaced(binding, clusters, &home).is_empty();
        if let Some(step) = self.steps.last_mut() {
            step.finished = true;
            step.home = if still_away {
                binding.home.clone()
            } else {
                Vec::new()
            };
        }
    }

    fn step(
        &mut self,
        binding: &BindingView,
        phase: Phase,
        clusters: &Assignment,
        target: &Assignment,
        reason: String,
    ) {
        let ends =
            |cluster: &&String| clusters.contains_key(*cluster) && self.world.health_of(cluster).is_up();
        self.steps.push(MovementStep {
            binding: binding.id.clone(),
            uid: binding.uid.clone(),
            resource_version: binding.resource_version.clone(),
            phase,
            clusters: place::targets(clusters, &binding.clusters),
            target: place::targets(target, &binding.clusters),
            ends_tasks: binding
                .tasks
                .iter()
                .filter(|task| !task.suppressed)
                .map(|task| &task.cluster)
                .filter(ends)
                .cloned()
                .collect(),
            finished: false,
            home: binding.home.clone(),
            reason,
        });
    }

    fn notice(
        &mut self,
        binding: &BindingView,
        reason: HoldReason,
        message: String,
        remaining: Option<Duration>,
    ) {
        self.notices.push(HoldNotice {
            subject: binding.id.to_string(),
            reason,
            message,
            remaining,
        });
    }
}
