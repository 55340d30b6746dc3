//! What the planner says: an immutable list of writes, and for all that is not written the reason.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::world::{BindingId, Phase};
use crate::api::work::{GracefulEvictionTask, TargetCluster};

/// Everything one step decides. The lists are in the order in which they are to be carried out:
/// extensions before evictions, so that what a workload needs is there first. A binding is in at most one of
/// `extensions`, `evictions` and `movements`, and in `task_ends` only when it is in none of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FailoverPlan {
    pub epoch: u64,
    /// Rises with every plan that changes something.
    pub seq: u64,
    /// The brake of the eviction tier is on.
    pub freeze: bool,
    pub extensions: Vec<Extension>,
    pub evictions: Vec<Eviction>,
    pub movements: Vec<MovementStep>,
    pub task_ends: Vec<TaskEnd>,
    pub holds: Vec<HoldNotice>,
    pub no_target: Vec<NoFeasibleTarget>,
}

impl FailoverPlan {
    /// Nothing is to be written.
    pub fn changes_nothing(&self) -> bool {
        self.extensions.is_empty()
            && self.evictions.is_empty()
            && self.movements.is_empty()
            && self.task_ends.is_empty()
    }
}

/// Adds clusters to an object without replicas that follows a workload there; takes none away.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Extension {
    pub binding: BindingId,
    pub uid: String,
    /// Precondition of the write.
    pub resource_version: String,
    /// The whole new `spec.clusters`.
    pub clusters: Vec<TargetCluster>,
    /// To store as the binding's home.
    pub home: Vec<TargetCluster>,
    pub reason: String,
}

/// Takes a binding off its lost clusters and places it elsewhere, in one write.
/// It ends any movement of the binding.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Eviction {
    pub binding: BindingId,
    pub uid: String,
    /// Precondition of the write.
    pub resource_version: String,
    pub priority: i32,
    /// The lost clusters; each costs one token of the budget.
    pub from: Vec<String>,
    /// The whole new `spec.clusters`.
    pub clusters: Vec<TargetCluster>,
    /// To append to `gracefulEvictionTasks`, one for each cluster of `from`.
    pub tasks: Vec<GracefulEvictionTask>,
    /// To store as the binding's home.
    pub home: Vec<TargetCluster>,
    /// One for each cluster of `from`.
    pub intents: Vec<Intent>,
    pub reason: String,
}

/// Stands for "this binding leaves this cluster because of this loss"; without it nothing is evicted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Deterministic, the same whoever leads.
    pub name: String,
    pub cluster: String,
    /// Which loss of the cluster this is.
    pub health_epoch: u64,
}

/// One step of a planned move.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MovementStep {
    pub binding: BindingId,
    pub uid: String,
    /// Precondition of the write.
    pub resource_version: String,
    /// The phase the binding is in after this write.
    pub phase: Phase,
    /// The whole new `spec.clusters`.
    pub clusters: Vec<TargetCluster>,
    /// Where the move leads.
    pub target: Vec<TargetCluster>,
    /// Eviction tasks that end in the same write: these clusters are scheduled again.
    pub ends_tasks: Vec<String>,
    /// The move is over: the stored movement is removed.
    pub finished: bool,
    /// To store as the binding's home; empty removes it.
    pub home: Vec<TargetCluster>,
    pub reason: String,
}

/// Removes an entry of `gracefulEvictionTasks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskEnd {
    pub binding: BindingId,
    pub uid: String,
    pub resource_version: String,
    pub cluster: String,
    pub reason: TaskEndReason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum TaskEndReason {
    /// The cluster is Up on both paths and scheduled again: nothing is deleted.
    ClusterReturned,
    /// The cluster is Up on both paths and all that is needed is ready elsewhere: the old copy goes.
    ReplacementReady,
    /// The cluster is no longer registered.
    ClusterRemoved,
}

/// Why something was not done, or not yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HoldNotice {
    /// A cluster, a binding, or `fleet`.
    pub subject: String,
    pub reason: HoldReason,
    pub message: String,
    /// How much longer, where that is known.
    #[serde(rename = "remainingMs", serialize_with = "as_millis")]
    pub remaining: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum HoldReason {
    /// Both paths are Down, the hold has not passed.
    HoldTimer,
    /// Too many clusters look down.
    Freeze,
    OperatorHold,
    /// DNS withdraws, replicas stay.
    TrafficPathOnly,
    /// Users are served, the cluster is frozen.
    ControlPathOnly,
    /// Too few observers: nothing is concluded.
    Unknown,
    Budget,
    /// The returned cluster has not been Up for long enough.
    Settle,
    /// The returned cluster has no room, or may not be used, for what was there.
    NoRoomAtHome,
    /// Raised replicas are not ready yet.
    WaitingForReady,
    /// Resolvers may still hold the old answer.
    WaitingForTtl,
    /// A cluster the move needs is not Up on both paths.
    MovementPaused,
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A lost cluster's replicas have nowhere to go. Nothing is changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NoFeasibleTarget {
    pub binding: BindingId,
    /// The lost clusters it stays on.
    pub clusters: Vec<String>,
    /// Replicas that found no place.
    pub short_replicas: i64,
    pub message: String,
}

#[expect(clippy::ref_option, reason = "serde passes the field by reference")]
fn as_millis<S: serde::Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => serializer.serialize_some(&u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)),
        None => serializer.serialize_none(),
    }
}
