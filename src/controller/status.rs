//! What the controller tells the console and the command line.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use lifeboat_health::MonoTime;

use crate::{
    failover::{
        BindingView, ClusterHealth, HoldNotice, NoFeasibleTarget, Settings, Standing, World, budget::Tokens,
        if_lost,
    },
    schedule::ClusterView,
};

#[derive(Clone, Default)]
pub struct Status {
    pub running: bool,
    pub epoch: u64,
    pub fleet_uid: String,
    /// The brake of the eviction tier is on.
    pub freeze: bool,
    pub hold: Duration,
    pub holds: Vec<HoldNotice>,
    pub no_target: Vec<NoFeasibleTarget>,
    /// Members whose statuses were read since their control path came back; of all others an old report is held.
    pub fresh: Arc<BTreeSet<String>>,
    /// The standing plan for the loss of each cluster.
    pub standing: Arc<Vec<(String, Standing)>>,
    /// What the last plan was made from.
    pub inputs: Option<Arc<Inputs>>,
}

/// The failover planner's inputs, kept so that "what if" is answered from the same picture.
pub struct Inputs {
    pub now: MonoTime,
    pub wall: jiff::Timestamp,
    pub health: BTreeMap<String, ClusterHealth>,
    pub clusters: Arc<Vec<ClusterView>>,
    pub bindings: Arc<Vec<BindingView>>,
    pub settings: Arc<Settings>,
    pub budget: Tokens,
    pub epoch: u64,
    pub pod_start: Duration,
}

impl Inputs {
    pub fn world(&self) -> World<'_> {
        World {
            now: self.now,
            wall: self.wall,
            health: &self.health,
            clusters: &self.clusters,
            bindings: &self.bindings,
            settings: &self.settings,
            budget: self.budget,
            epoch: self.epoch,
        }
    }

    /// The plan for the loss of `clusters` now.
    pub fn if_lost(&self, clusters: &[String]) -> Standing {
        if_lost(&self.world(), clusters, self.pod_start)
    }
}
