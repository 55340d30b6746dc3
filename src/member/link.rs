//! One member cluster's loop: apply its works, collect their statuses and the cluster's own.
//!
//! ```text
//! works ── resolve ──> Wanted ──┬── staying ── apply ───> settled, or a status for its Work
//!                               └── leaving ── remove ──> the finalizer goes
//! ```

#![allow(
    clippy::disallowed_methods,
    reason = "the shell of IO: it waits, times its own requests and stamps what it writes"
)]

mod apply;
mod remove;
mod resolve;
mod status;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kube::Client;
use serde_json::Value;
use tokio::time::Instant;

use self::{
    remove::deleting,
    resolve::{Wanted, WantedManifest},
};
use super::apply::Applied;
use crate::{
    propagate::names::execution_namespace,
    store::{Backoff, Discovery, Index, Key, Kind, PatientWriter, Watches, Writer},
};

/// Everything is looked at anew at least this often, events or not.
const RESYNC: Duration = Duration::from_secs(10);
/// Events within this time are handled together.
const GATHER: Duration = Duration::from_millis(30);
/// The least time between two rounds that no event asked for.
const RETRY: Duration = Duration::from_millis(250);

/// The control plane as seen by a link.
#[derive(Clone)]
pub(super) struct ControlPlane {
    pub(super) index: Index,
    pub(super) writer: Writer,
    pub(super) works: Kind,
    pub(super) clusters: Kind,
}

pub(super) struct Link {
    cluster: String,
    control: ControlPlane,
    reports: PatientWriter,
    client: Client,
    /// The member's objects that we manage, and its nodes and pods.
    held: Index,
    writer: Writer,
    managed: Watches,
    /// On nodes and pods; held so that it goes on.
    _capacity: Watches,
    discovery: Discovery,
    applied: Applied,
    /// Objects that could not be applied or removed, with the generation of their work.
    failures: Backoff<Object, i64>,
    /// Works that are as they should be, and so is their status.
    settled: BTreeMap<Key, Settled>,
    /// Namespaces that the member has.
    namespaces: BTreeSet<String>,
    discovered: Option<(Instant, Value)>,
    /// The version of nodes and pods that was reported.
    summarized: Option<u64>,
    /// Set once the statuses of all works were read over this link.
    fresh: Arc<AtomicBool>,
}

/// An object of the member.
type Object = (Kind, Key);

/// A work with what the member held for it: as long as all of it is the same, there is nothing to do.
struct Settled {
    work: Arc<Value>,
    objects: Vec<(Object, Arc<Value>)>,
}

impl Link {
    pub(super) fn new(
        cluster: String,
        control: ControlPlane,
        client: Client,
        fresh: Arc<AtomicBool>,
    ) -> Self {
        let held = Index::default();
        let managed = Watches::new(client.clone(), held.clone()).with_labels("karmada.io/managed=true");
        let capacity = Watches::new(client.clone(), held.clone());
        capacity.start(&nodes());
        capacity.start(&pods());
        Self {
            writer: Writer::new(client.clone(), held.clone()),
            cluster,
            reports: PatientWriter::new(control.writer.clone()),
            control,
            discovery: Discovery::new(client.clone()),
            client,
            held,
            managed,
            _capacity: capacity,
            applied: Applied::new(),
            failures: Backoff::default(),
            settled: BTreeMap::new(),
            namespaces: BTreeSet::new(),
            discovered: None,
            summarized: None,
            fresh,
        }
    }

    /// Runs until dropped.
    pub(super) async fn run(mut self) {
        let namespace = execution_namespace(&self.cluster);
        let works = self.control.works.clone();
        let mut control_changes = self.control.index.subscribe();
        let mut member_changes = self.held.subscribe();
        let mut resync = Instant::now();
        loop {
            if resync <= Instant::now() {
                resync = Instant::now() + RESYNC;
                self.trust_nothing();
            }
            let version = self.control.index.version_in(&works, &namespace);
            self.round(&namespace).await;
            let retry = [self.failures.next(), self.reports.next()];
            let due = retry
                .into_iter()
                .flatten()
                .fold(resync, Instant::min)
                .max(Instant::now() + RETRY);
            loop {
                tokio::select! {
                    _ = control_changes.changed() => {
                        // Other clusters' works and other kinds are no business of this one.
                        if self.control.index.version_in(&works, &namespace) == version {
                            continue;
                        }
                    }
                    _ = member_changes.changed() => {}
                    () = tokio::time::sleep_until(due) => {}
                }
                break;
            }
            tokio::time::sleep(GATHER).await;
            control_changes.mark_unchanged();
            member_changes.mark_unchanged();
        }
    }

    /// Lets the next round look at everything anew.
    fn trust_nothing(&mut self) {
        self.settled.clear();
        self.namespaces.clear();
        self.summarized = None;
    }

    async fn round(&mut self, namespace: &str) {
        let works = self.control.index.list_namespace(&self.control.works, namespace);
        let mut wanted = Vec::new();
        for work in &works {
            if !self.is_settled(work) {
                wanted.push(self.resolve(work.clone()).await);
            }
        }
        let objects: BTreeSet<&Object> = wanted
            .iter()
            .flat_map(|wanted| wanted.manifests.iter().map(|manifest| &manifest.object))
            .collect();
        let kinds: BTreeSet<&Kind> = objects.iter().map(|(kind, _)| kind).collect();
        for kind in &kinds {
            // Pods and nodes are watched whole already.
            if **kind != pods() && **kind != nodes() {
                self.managed.start(kind);
            }
        }
        self.failures.retain(|object| objects.contains(object));
        if self.settled.is_empty() {
            self.applied.retain(|object, _| objects.contains(object));
        }
        let (leaving, staying): (Vec<&Wanted>, Vec<&Wanted>) =
            wanted.iter().partition(|wanted| deleting(&wanted.work));
        let good = self.apply(&staying).await;
        let mut reports = self.remove(&leaving).await;
        for wanted in staying {
            match self.work_status(wanted) {
                Some(report) => reports.push(report),
                None => self.settle(wanted, &good),
            }
        }
        reports.extend(self.cluster_status().await);
        self.reports.all(reports).await;
        if self.held.synced(kinds) {
            self.fresh.store(true, Ordering::Release);
        }
    }

    fn is_settled(&self, work: &Arc<Value>) -> bool {
        let same = |((kind, key), object): &(Object, Arc<Value>)| {
            self.held
                .get(kind, key)
                .is_some_and(|held| Arc::ptr_eq(&held, object))
        };
        self.settled
            .get(&Key::of(work))
            .is_some_and(|settled| Arc::ptr_eq(&settled.work, work) && settled.objects.iter().all(same))
    }

    /// Remembers a work whose objects are all `good`.
    fn settle(&mut self, wanted: &Wanted, good: &BTreeSet<Object>) {
        let objects: Option<Vec<(Object, Arc<Value>)>> = wanted
            .manifests
            .iter()
            .map(|manifest| good.get(&manifest.object))
            .map(|object| {
                let (kind, key) = object?;
                Some(((kind.clone(), key.clone()), self.held.get(kind, key)?))
            })
            .collect();
        let key = Key::of(&wanted.work);
        match objects.filter(|_| wanted.unserved.is_none()) {
            Some(objects) => {
                let work = wanted.work.clone();
                self.settled.insert(key, Settled { work, objects });
            }
            None => {
                self.settled.remove(&key);
            }
        }
    }

    fn failed(&mut self, object: Object, generation: i64, message: String) {
        if self
            .failures
            .failed(object, generation, message.clone(), Instant::now())
        {
            tracing::warn!(error = message, "not as its work says");
        }
    }
}

fn nodes() -> Kind {
    Kind::new("v1", "Node", "nodes", false)
}

fn pods() -> Kind {
    Kind::new("v1", "Pod", "pods", true)
}
