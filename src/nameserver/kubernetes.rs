//! Kubernetes mode: the server is fed from a control plane instead of its own file.
//!
//! ```text
//! SteeringPlan, its shards ──steer::follow──> Server ──> answers
//! Cluster objects ──observe::follow──┐
//! Observer objects ──────────────────┴─> Fleet ──settle──> observers, consumer ──> gates
//!                                          └─ fleet.json in the state folder
//! ```
//! What is heard is put in force as it comes and stays in force when the API is gone: nothing that is answered waits for it.

mod contact;
mod fleet;
mod follow;
mod settle;

use std::{collections::BTreeSet, path::Path};

use anyhow::Context;
use jiff::Timestamp;
use lifeboat_dns::{Problem, Server};
use lifeboat_health::{Cell, Family, FleetView, Path as Tested};
use parking_lot::Mutex;
use prometheus_client::{metrics::gauge::Gauge, registry::Registry};
use serde::Serialize;

use self::{contact::Contact, fleet::Fleet};
pub(super) use self::{follow::follow, settle::zones};
use super::config::{KubernetesEntry, ObserverEntry};
use crate::{
    api::ObserverSpec,
    observe::{Roster, targets::Targets},
    store::{access, conditions::stamp},
};

/// What a control plane says, as it was last heard.
pub(super) struct ControlPlane {
    heard: Mutex<Heard>,
    /// What the state folder was last given.
    kept: Mutex<Option<Fleet>>,
    reached: Gauge,
    problems: Gauge,
}

#[derive(Default)]
struct Heard {
    contact: Contact,
    /// Why the plan that is published is not in force as it is.
    plan: Option<String>,
    /// The plan that is served is the one that was last seen published.
    current: bool,
    /// What is wrong with Cluster objects.
    checks: Vec<String>,
    /// Cluster objects were read since the start.
    clusters_read: bool,
    /// It is known what is to be probed, be it from an earlier process.
    known: bool,
    /// The API is the one whose plans are served, as far as is known. Cluster objects of another say nothing about these.
    ours: bool,
    fleet: Fleet,
}

/// `controlPlane` of the status.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ControlPlaneStatus {
    /// Whether its API answers now.
    pub(super) reached: bool,
    /// When it answered last.
    pub(super) last_reached: Option<String>,
    /// Since when it does not.
    pub(super) unreachable_since: Option<String>,
    /// Whether the plan that is served is the one that it has published, as far as is known.
    pub(super) current: bool,
    pub(super) problems: Vec<String>,
}

impl ControlPlane {
    /// Begins with what an earlier process knew.
    pub(super) fn of(state: &Path, registry: &mut Registry) -> Self {
        let fleet = Fleet::load(state).unwrap_or_else(|error| {
            tracing::error!(state = %state.display(), %error, "the fleet of the last run cannot be read; nothing is withdrawn until the control plane tells it");
            None
        });
        let plane = Self {
            kept: Mutex::new(fleet.clone()),
            heard: Mutex::new(Heard {
                plan: Some("the steering plan has not been read since the start".to_owned()),
                known: fleet.is_some(),
                ours: fleet.is_none(),
                fleet: fleet.unwrap_or_default(),
                ..Heard::default()
            }),
            reached: Gauge::default(),
            problems: Gauge::default(),
        };
        registry.register(
            "lifeboat_dns_control_plane_reached",
            "1 while the API of the control plane that feeds the server answers; what is served stays while it does not",
            plane.reached.clone(),
        );
        registry.register(
            "lifeboat_dns_control_plane_problems",
            "What of the control plane's objects is not in force as it says, an API that does not answer included",
            plane.problems.clone(),
        );
        plane
    }

    /// `rejected` are the parts of the plan that the server does not take.
    pub(super) fn status(&self, rejected: &[Problem]) -> ControlPlaneStatus {
        let heard = self.heard.lock();
        let Contact { reached, lost } = &heard.contact;
        ControlPlaneStatus {
            reached: reached.is_some() && lost.is_none(),
            last_reached: reached.map(stamp),
            unreachable_since: lost.as_ref().map(|lost| stamp(lost.since)),
            current: heard.current,
            problems: heard.problems(rejected),
        }
    }

    /// Brings the count of problems up to date.
    fn measure(&self, rejected: &[Problem]) {
        let problems = self.heard.lock().problems(rejected).len();
        self.problems.set(i64::try_from(problems).unwrap_or(i64::MAX));
    }

    /// Whether it is known what is to be probed.
    pub(super) fn known(&self) -> bool {
        self.heard.lock().known
    }

    /// The observers whose evidence counts; none where nobody is named.
    fn observers(&self) -> Vec<ObserverEntry> {
        let roster = self.fleet().observers;
        let entry = |(name, spec): (&String, &ObserverSpec)| ObserverEntry {
            name: name.clone(),
            region: spec.region.clone(),
        };
        roster.iter().map(entry).collect()
    }

    fn fleet(&self) -> Fleet {
        let heard = self.heard.lock();
        match &*self.kept.lock() {
            Some(kept) if !heard.ours => kept.clone(),
            Some(_) | None => heard.fleet.clone(),
        }
    }

    /// What was probed, for whoever follows the objects from here on.
    fn held(&self) -> Targets {
        let Fleet { targets, regions, .. } = self.fleet();
        Targets {
            targets,
            regions,
            ..Targets::default()
        }
    }

    fn reached(&self, now: Timestamp) {
        self.reached.set(1);
        if self.heard.lock().contact.reached(now) {
            tracing::info!("the control plane is reached");
        }
    }

    fn failed(&self, now: Timestamp, why: String) {
        self.reached.set(0);
        if self.heard.lock().contact.failed(now, why.clone()) {
            tracing::error!(
                error = why,
                "the control plane is not reached; what is served stays, trying on"
            );
        }
    }

    /// Whether the plan that it publishes is one of those that are served.
    fn is_ours(&self, ours: bool) {
        self.heard.lock().ours = ours;
    }

    /// What became of the published plan: why it is not in force, where it is not.
    fn planned(&self, problem: Option<String>) {
        let mut heard = self.heard.lock();
        heard.current = problem.is_none();
        heard.plan = problem;
    }

    fn adopt_clusters(&self, found: &Targets) {
        let Targets {
            targets,
            regions,
            problems,
            overrides,
        } = found.clone();
        let mut heard = self.heard.lock();
        // The other path decides nothing about answers.
        let traffic = problems
            .into_iter()
            .filter(|(_, path, _)| *path == Tested::Traffic);
        let checks = traffic.map(|(cluster, _, why)| format!("cluster {cluster}: {why}"));
        let overrides = overrides
            .into_iter()
            .map(|(cluster, why)| format!("cluster {cluster}: {why}"));
        heard.checks = checks.chain(overrides).collect();
        (heard.clusters_read, heard.known) = (true, true);
        (heard.fleet.targets, heard.fleet.regions) = (targets, regions);
    }

    fn adopt_observers(&self, roster: &Roster) {
        self.heard.lock().fleet.observers.clone_from(roster);
    }
}

impl Heard {
    fn problems(&self, rejected: &[Problem]) -> Vec<String> {
        let lost = self.contact.problem();
        let reached = self.contact.reached.is_some();
        let unread = reached && lost.is_none() && !self.clusters_read;
        let unread = unread.then(|| {
            "Cluster objects have not been read since the start; what was probed before is probed".to_owned()
        });
        lost.into_iter()
            .chain(self.plan.clone().filter(|_| reached))
            .chain(rejected.iter().map(|problem| format!("steering plan: {problem}")))
            .chain(unread)
            .chain(self.checks.iter().cloned())
            .collect()
    }
}

/// Whether there is a way to the API, or something to serve without it.
///
/// # Errors
/// There is no way to the API, and nothing to serve meanwhile.
pub(super) async fn may_start(entry: &KubernetesEntry, server: &Server) -> anyhow::Result<()> {
    match reach(entry).await {
        Err(error) if !server.serves() => Err(error),
        // Whoever follows the control plane finds the same, and tells it.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// How the API is reached.
///
/// # Errors
/// Names the field and the file.
pub(super) async fn reach(entry: &KubernetesEntry) -> anyhow::Result<kube::Config> {
    let KubernetesEntry { kubeconfig, context } = entry;
    let reached = access(kubeconfig.as_deref(), context.as_deref()).await;
    reached.context(match (kubeconfig, context) {
        (Some(_), None) => "kubernetes.kubeconfig",
        (Some(_), Some(_)) => "kubernetes.kubeconfig, kubernetes.context",
        (None, Some(_)) => "kubernetes.context",
        (None, None) => "kubernetes: no kubeconfig is given, and none is found: neither by KUBECONFIG, nor in the home folder, nor a pod's service account",
    })
}

/// While it is not known what to probe, nothing is known of these clusters, and no gate moves.
pub(super) fn nothing_known(clusters: &BTreeSet<String>) -> FleetView {
    let frozen = Cell {
        frozen: true,
        ..Cell::default()
    };
    let both = |cluster: &String| {
        [Family::V4, Family::V6].map(|family| ((cluster.clone(), Tested::Traffic, family), frozen.clone()))
    };
    FleetView {
        cells: clusters.iter().flat_map(both).collect(),
        ..FleetView::default()
    }
}
