//! What the planner would have done about a fleet's past: which clusters it would have given up, and which of them FREEZE would
//! have kept. It takes the planner's own steps; only bindings, budget and operators are left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use lifeboat_health::MonoTime;

use super::{
    brakes,
    budget::Tokens,
    output::HoldReason,
    state::State,
    world::{ClusterHealth, Settings, World},
};
use crate::schedule::ClusterView;

/// A cluster whose hold ran out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// Its replicas would have been evicted, as far as there was room for them elsewhere.
    Lost { cluster: String },
    /// It would have been lost, but for FREEZE; in the words of that.
    Frozen { cluster: String, why: String },
}

/// The planner's brakes with their memory, and what was told of them.
pub struct Hindsight {
    settings: Settings,
    clusters: Vec<ClusterView>,
    state: State,
    health: BTreeMap<String, ClusterHealth>,
    /// Clusters with the number of a loss that is told.
    lost: BTreeSet<(String, u64)>,
    frozen: BTreeSet<String>,
    /// Clusters that were once Up on both paths.
    ever_up: BTreeSet<String>,
}

impl Hindsight {
    /// Over a fleet of these clusters, with defaults in everything but the hold.
    pub fn new(clusters: BTreeSet<String>, hold: Duration) -> Self {
        let view = |name| ClusterView {
            name,
            ..ClusterView::default()
        };
        Self {
            settings: Settings {
                hold,
                ..Settings::default()
            },
            clusters: clusters.into_iter().map(view).collect(),
            state: State::default(),
            health: BTreeMap::new(),
            lost: BTreeSet::new(),
            frozen: BTreeSet::new(),
            ever_up: BTreeSet::new(),
        }
    }

    /// What is believed of the clusters from now on.
    pub fn look(&mut self, health: BTreeMap<String, ClusterHealth>) {
        let up = health.iter().filter(|(_, health)| health.is_up());
        self.ever_up.extend(up.map(|(cluster, _)| cluster.clone()));
        self.health = health;
    }

    /// Whose hold has run out by now; each loss is told once, and each time that FREEZE prevents one. Call it after every look, and
    /// while time passes.
    pub fn step(&mut self, now: MonoTime) -> Vec<Judged> {
        let world = World {
            now,
            wall: jiff::Timestamp::UNIX_EPOCH,
            health: &self.health,
            clusters: &self.clusters,
            bindings: &[],
            settings: &self.settings,
            budget: Tokens(0),
            epoch: 0,
        };
        let braked = brakes::step(&mut self.state, &world);
        let freeze = braked
            .notices
            .iter()
            .find(|notice| notice.reason == HoldReason::Freeze);
        let why = freeze.map_or_else(String::new, |notice| notice.message.clone());
        let newly = braked.frozen.difference(&self.frozen);
        let mut judged: Vec<Judged> = newly
            .map(|cluster| Judged::Frozen {
                cluster: cluster.clone(),
                why: why.clone(),
            })
            .collect();
        self.frozen = braked.frozen;
        for (cluster, number) in braked.lost {
            if self.lost.insert((cluster.clone(), number)) {
                judged.push(Judged::Lost { cluster });
            }
        }
        judged
    }

    /// A timer runs: time alone may change what is judged.
    pub fn is_waiting(&self) -> bool {
        !self.state.down_since.is_empty() || self.state.freeze.is_some()
    }

    /// Whether the cluster was ever seen Up on both paths. If not, it may have been down for longer than is known.
    pub fn was_up(&self, cluster: &str) -> bool {
        self.ever_up.contains(cluster)
    }
}
