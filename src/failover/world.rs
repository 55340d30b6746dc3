//! What the planner looks at: one consistent picture of the fleet, its bindings and the operators' wishes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use lifeboat_health::{MonoTime, Quadrant, Verdict};
use serde::{Deserialize, Serialize};

use super::budget::{Rate, Tokens};
use crate::{
    api::{policy::Placement, work::TargetCluster},
    schedule::{ClusterView, Resources},
};

/// Both paths of one cluster, each by its better address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ClusterHealth {
    pub traffic: Verdict,
    pub control: Verdict,
    /// Since when both paths are Up without a break; the planner's own memory stands in where this is absent.
    #[serde(skip)]
    pub returned_since: Option<MonoTime>,
}

impl ClusterHealth {
    /// What is assumed of a cluster that has no verdict.
    pub const UNKNOWN: Self = Self {
        traffic: Verdict::Unknown,
        control: Verdict::Unknown,
        returned_since: None,
    };

    pub fn quadrant(&self) -> Quadrant {
        Quadrant::of(self.traffic, self.control)
    }

    /// Both paths are Down: evicted after the hold, if there is somewhere to go.
    pub fn is_lost(&self) -> bool {
        self.quadrant() == Quadrant::BothDown
    }

    /// Both paths are Up, not merely not Down: replicas may be placed here.
    pub fn is_up(&self) -> bool {
        self.traffic == Verdict::Up && self.control == Verdict::Up
    }

    /// Nothing is known of either path.
    pub fn is_unknown(&self) -> bool {
        self.traffic == Verdict::Unknown && self.control == Verdict::Unknown
    }

    /// At least one path looks down.
    pub fn looks_down(&self) -> bool {
        self.traffic == Verdict::Down || self.control == Verdict::Down
    }
}

/// Name of a `ResourceBinding`, or of a `ClusterResourceBinding` where there is no namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct BindingId {
    pub namespace: Option<String>,
    pub name: String,
}

impl fmt::Display for BindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// An entry of the binding's `gracefulEvictionTasks`, as far as the planner needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskView {
    pub cluster: String,
    /// Replicas that were taken off the cluster; 0 for an object without replicas.
    pub replicas: i32,
    /// Tasks of other producers are left to the graceful eviction controller.
    pub producer: String,
    /// `suppressDeletion: true`: the copy stays until somebody decides.
    pub suppressed: bool,
}

/// Where a planned move stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// The target's replicas are added, nothing is taken away.
    Raise,
    /// Weights follow the target, all replicas still run.
    Shift,
    /// What the target does not want is released.
    Lower,
}

/// A planned move of a binding back to where it was; stored with the binding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Movement {
    pub phase: Phase,
    pub target: Vec<TargetCluster>,
}

/// One binding as the planner sees it.
#[derive(Clone, Debug)]
pub struct BindingView {
    pub id: BindingId,
    pub uid: String,
    pub resource_version: String,
    /// Of the workload; a binding without replicas has neither (Service, ConfigMap, …).
    pub api_version: String,
    pub kind: String,
    /// Higher goes first.
    pub priority: i32,
    /// Karmada's `spec.replicas`: all of them for a divided workload, those of each cluster for a duplicated one.
    pub replicas: i32,
    /// The object has replicas of its own.
    pub workload: bool,
    /// What one replica asks for.
    pub requirements: Resources,
    pub placement: Placement,
    /// What places several objects together, such as the policy's name: they follow one another.
    pub group: Option<String>,
    /// `spec.clusters`.
    pub clusters: Vec<TargetCluster>,
    /// Ready replicas last reported by cluster; for an object without replicas 1 where it is applied.
    pub ready: BTreeMap<String, i32>,
    pub tasks: Vec<TaskView>,
    /// `spec.clusters` before the first eviction since the binding was last at home; empty when it is at home.
    /// The executor stores what plans say here and drops it when the scheduler places the binding anew.
    pub home: Vec<TargetCluster>,
    pub movement: Option<Movement>,
    /// The longest TTL of the names that lead to this workload.
    pub traffic_ttl: Option<Duration>,
}

/// What an operator's hold covers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum HoldSubject {
    /// Every automatic change of placement.
    Fleet,
    /// Nothing is evicted from this cluster and nothing placed on it.
    Cluster(String),
    /// This binding stays as it is.
    Binding(BindingId),
}

/// An operator's standing instruction. It wins over automation until it expires by its own clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorHold {
    pub subject: HoldSubject,
    pub author: String,
    pub reason: String,
    /// Without one it stands until it is removed.
    pub until: Option<MonoTime>,
}

impl OperatorHold {
    pub fn in_force(&self, now: MonoTime) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// How a binding gets home again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failback {
    pub enabled: bool,
    /// How long a returned cluster is Up on both paths before replicas are raised there.
    /// Doubles with every further loss of that cluster within `memory`.
    pub settle: Duration,
    pub settle_max: Duration,
    /// How long losses of a cluster are remembered.
    pub memory: Duration,
    /// How long raised replicas are ready before traffic is shifted to them.
    pub soak: Duration,
    /// Waited in addition to the TTL before replicas are released.
    pub shift_margin: Duration,
}

impl Default for Failback {
    fn default() -> Self {
        Self {
            enabled: true,
            settle: Duration::from_secs(2),
            settle_max: Duration::from_secs(600),
            memory: Duration::from_secs(600),
            soak: Duration::from_secs(2),
            shift_margin: Duration::from_secs(5),
        }
    }
}

/// The slow tier's settings, resolved from `FailoverPolicy` and the operators' holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long both paths are Down before replicas are evicted.
    pub hold: Duration,
    pub hold_by_cluster: BTreeMap<String, Duration>,
    /// How fast replicas may be evicted, over the whole fleet.
    pub rate: Rate,
    /// FREEZE above this share of clusters that look down, in percent, with three clusters or more.
    pub freeze_above_percent: u32,
    /// FREEZE ends when the share was not above the limit for this long.
    pub freeze_calm: Duration,
    pub failback: Failback,
    pub operator_holds: Vec<OperatorHold>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hold: Duration::from_secs(30),
            hold_by_cluster: BTreeMap::new(),
            rate: Rate::default(),
            freeze_above_percent: 55,
            freeze_calm: Duration::from_secs(60),
            failback: Failback::default(),
            operator_holds: Vec::new(),
        }
    }
}

impl Settings {
    pub fn hold_for(&self, cluster: &str) -> Duration {
        self.hold_by_cluster.get(cluster).copied().unwrap_or(self.hold)
    }

    /// The hold in force on a cluster, its own or the fleet's.
    pub fn held_cluster(&self, cluster: &str, now: MonoTime) -> Option<&OperatorHold> {
        self.held(
            now,
            |subject| matches!(subject, HoldSubject::Cluster(name) if name == cluster),
        )
    }

    /// The hold in force on a binding, its own or the fleet's.
    pub fn held_binding(&self, binding: &BindingId, now: MonoTime) -> Option<&OperatorHold> {
        self.held(
            now,
            |subject| matches!(subject, HoldSubject::Binding(id) if id == binding),
        )
    }

    fn held(&self, now: MonoTime, covers: impl Fn(&HoldSubject) -> bool) -> Option<&OperatorHold> {
        self.operator_holds
            .iter()
            .filter(|hold| hold.in_force(now))
            .find(|hold| hold.subject == HoldSubject::Fleet || covers(&hold.subject))
    }
}

/// One consistent picture. A cluster without an entry in `health` is Unknown.
#[derive(Clone, Copy)]
pub struct World<'a> {
    pub now: MonoTime,
    /// Only stamps the tasks that are written; no decision reads it.
    pub wall: jiff::Timestamp,
    pub health: &'a BTreeMap<String, ClusterHealth>,
    pub clusters: &'a [ClusterView],
    pub bindings: &'a [BindingView],
    pub settings: &'a Settings,
    /// Evictions that may be started now.
    pub budget: Tokens,
    /// The leader's epoch; a world of a lower epoch than seen before gives an empty plan.
    pub epoch: u64,
}

impl World<'_> {
    pub fn health_of(&self, cluster: &str) -> ClusterHealth {
        self.health
            .get(cluster)
            .copied()
            .unwrap_or(ClusterHealth::UNKNOWN)
    }

    /// Names of the registered clusters.
    pub fn members(&self) -> BTreeSet<&str> {
        self.clusters
            .iter()
            .map(|cluster| cluster.name.as_str())
            .collect()
    }
}
