//! The planner's explicit memory between steps. A new leader starts with an empty one: every timer
//! starts again, so a restart can delay an eviction but never hasten it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use lifeboat_health::MonoTime;

use super::world::{BindingId, Phase};

/// Losses of one cluster that are remembered at most.
pub(crate) const LOSSES_KEPT: usize = 16;

/// Memory of [`super::plan`].
#[derive(Clone, Debug, Default)]
pub struct State {
    pub(crate) epoch: u64,
    pub(crate) seq: u64,
    /// Since when both paths of a cluster are Down, or since the last FREEZE ended.
    pub(crate) down_since: BTreeMap<String, MonoTime>,
    /// Since when both paths are Up.
    pub(crate) up_since: BTreeMap<String, MonoTime>,
    pub(crate) freeze: Option<Freeze>,
    /// Clusters whose hold has passed.
    pub(crate) lost: BTreeSet<String>,
    /// How often each cluster was lost.
    pub(crate) health_epochs: BTreeMap<String, u64>,
    /// Clusters that this leader has seen Up since they were last lost.
    pub(crate) returned: BTreeSet<String>,
    /// When clusters were lost, newest last: a cluster that keeps dying settles longer.
    pub(crate) losses: BTreeMap<String, VecDeque<MonoTime>>,
    pub(crate) movements: BTreeMap<BindingId, MovementTimer>,
    /// Replicas sent to a cluster that its reported capacity may not show yet.
    pub(crate) reserved: BTreeMap<(BindingId, String), Reservation>,
}

impl State {
    /// Goes on counting the losses of clusters from `health_epochs`, the highest that intents hold: a cluster that
    /// is Down when this leader begins was lost under an earlier one.
    pub fn resume(health_epochs: BTreeMap<String, u64>) -> Self {
        Self {
            health_epochs,
            ..Self::default()
        }
    }

    /// The highest epoch this memory has planned for.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The brake of the eviction tier is on, and since when.
    pub fn frozen_since(&self) -> Option<MonoTime> {
        self.freeze.as_ref().map(|freeze| freeze.since)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Freeze {
    pub(crate) since: MonoTime,
    /// Members that looked down, and of which nothing was seen since.
    pub(crate) down: BTreeSet<String>,
    /// Since when the share is no longer above the limit.
    pub(crate) calm_since: Option<MonoTime>,
}

/// When a binding's movement was first seen in its present phase.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MovementTimer {
    pub(crate) phase: Phase,
    pub(crate) since: MonoTime,
    /// Since when all of the target is ready.
    pub(crate) ready_since: Option<MonoTime>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Reservation {
    pub(crate) replicas: i32,
    pub(crate) since: MonoTime,
}
