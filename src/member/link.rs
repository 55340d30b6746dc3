//! One member cluster's loop: apply its works, collect their statuses and the cluster's own.

#![allow(
    clippy::disallowed_methods,
    reason = "the shell of IO: it waits, times its own requests and stamps what it writes"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt, stream};
use jiff::Timestamp;
use kube::{Client, discovery};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    apply::{self, Applied},
    collect::{self, Manifest},
    summary,
};
use crate::{
    propagate::names::execution_namespace,
    store::{
        Backoff, CONCURRENCY, Discovery, Index, Key, Kind, Op, Outcome, PatientWriter, Served, Watches,
        Write, Writer, generation, merge,
    },
};

/// Everything is looked at anew at least this often, events or not.
const RESYNC: Duration = Duration::from_secs(10);
/// Events within this time are handled together.
const GATHER: Duration = Duration::from_millis(30);
/// The least time between two rounds that no event asked for.
const RETRY: Duration = Duration::from_millis(250);
/// The list of kinds a member serves is asked for this often.
const DISCOVERY: Duration = Duration::from_secs(60);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The finalizer that keeps a Work until its objects are gone from the member; as in Karmada.
const FINALIZER: &str = "karmada.io/execution-controller";

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

/// A work, and those of its manifests whose kind the member serves.
struct Wanted {
    work: Arc<Value>,
    manifests: Vec<WantedManifest>,
    /// A manifest whose kind the member does not serve, or does not say so.
    unserved: Option<String>,
    /// Of some manifest it is not known whether the member holds it.
    unanswered: bool,
}

struct WantedManifest {
    /// Its place in the work.
    ordinal: usize,
    object: Object,
    manifest: Value,
}

/// A manifest that is to be applied now.
struct Due {
    object: Object,
    manifest: Value,
    observed: Option<Arc<Value>>,
    generation: i64,
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

    /// Finds the kind of each manifest.
    async fn resolve(&mut self, work: Arc<Value>) -> Wanted {
        let list = work
            .pointer("/spec/workload/manifests")
            .and_then(Value::as_array)
            .cloned();
        let mut wanted = Wanted {
            work,
            manifests: Vec::new(),
            unserved: None,
            unanswered: false,
        };
        for (ordinal, manifest) in list.unwrap_or_default().into_iter().enumerate() {
            let text = |field: &str| manifest[field].as_str().unwrap_or_default();
            let (version, kind) = (text("apiVersion"), text("kind"));
            match self.discovery.ask(version, kind).await {
                Served::Yes(kind) => wanted.manifests.push(WantedManifest {
                    ordinal,
                    object: (kind, Key::of(&manifest)),
                    manifest,
                }),
                Served::No => {
                    let unserved = format!("{version} {kind} is not served by {}", self.cluster);
                    wanted.unserved.get_or_insert(unserved);
                }
                Served::Unanswered => {
                    let unserved =
                        format!("{} does not say whether it serves {version} {kind}", self.cluster);
                    wanted.unserved.get_or_insert(unserved);
                    wanted.unanswered = true;
                }
            }
        }
        wanted
    }

    /// Applies what differs, several objects at a time; returns those that need nothing.
    async fn apply(&mut self, wanted: &[&Wanted]) -> BTreeSet<Object> {
        let mut good = BTreeSet::new();
        let mut due = Vec::new();
        let now = Instant::now();
        for wanted in wanted {
            if wanted.work.pointer("/spec/suspendDispatching") == Some(&Value::Bool(true)) {
                continue;
            }
            let generation = generation(&wanted.work);
            for WantedManifest { object, manifest, .. } in &wanted.manifests {
                let (kind, key) = object;
                if !self.held.synced([kind]) || self.failures.waits(object, &generation, now) {
                    continue;
                }
                let observed = self.held.get(kind, key);
                if let Some(observed) = &observed
                    && apply::refusal(&self.cluster, kind, manifest, observed).is_none()
                    && apply::write(kind, manifest, Some(observed), &self.applied).is_none()
                {
                    self.failures.done(object);
                    good.insert(object.clone());
                    continue;
                }
                due.push(Due {
                    object: object.clone(),
                    manifest: manifest.clone(),
                    observed,
                    generation,
                });
            }
        }
        let unmade = self.ensure_namespaces(&due).await;
        let link = &*self;
        let outcomes: Vec<(Due, Result<bool, String>)> = stream::iter(due)
            .map(|due| link.put(due, &unmade))
            .buffer_unordered(CONCURRENCY)
            .collect()
            .await;
        for (due, outcome) in outcomes {
            let Due {
                object,
                manifest,
                generation,
                observed: _,
            } = due;
            match outcome {
                Ok(true) => {
                    self.failures.done(&object);
                    if let Some(held) = self.held.get(&object.0, &object.1) {
                        let memory = (manifest, apply::version(&held));
                        self.applied.insert(object, memory);
                    }
                }
                Ok(false) => {}
                Err(message) => {
                    // If it was made for nothing, it is made again.
                    self.namespaces.remove(&object.1.namespace);
                    self.failed(object, generation, message);
                }
            }
        }
        good
    }

    async fn put(&self, due: Due, unmade: &BTreeMap<String, String>) -> (Due, Result<bool, String>) {
        let outcome = match unmade.get(&due.object.1.namespace) {
            Some(error) if due.observed.is_none() => Err(error.clone()),
            Some(_) | None => self.apply_one(&due).await,
        };
        (due, outcome)
    }

    /// Applies one manifest; false where somebody else was first, whose change wakes this link.
    async fn apply_one(&self, due: &Due) -> Result<bool, String> {
        let Due {
            object: (kind, key),
            manifest,
            observed,
            generation: _,
        } = due;
        let observed = match observed {
            Some(observed) => Some(observed.clone()),
            // Only what is ours is watched: what is there may be somebody else's.
            None => {
                let read = self.writer.read(kind, key).await;
                read.map_err(|error| error.to_string())?.map(Arc::new)
            }
        };
        if let Some(observed) = &observed
            && let Some(refusal) = apply::refusal(&self.cluster, kind, manifest, observed)
        {
            return Err(refusal);
        }
        let Some(write) = apply::write(kind, manifest, observed.as_deref(), &self.applied) else {
            return Ok(true);
        };
        match self.writer.one(&write).await {
            Ok(Outcome::Done) => Ok(true),
            Ok(Outcome::Conflict) => Ok(false),
            Ok(Outcome::Moot) => Err(format!(
                "apply {} {key}: {} has no such namespace or kind any more",
                kind.kind, self.cluster
            )),
            Err(error) => Err(error.to_string()),
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

    /// A namespaced object needs its namespace; a member that lacks it gets it, as from Karmada. Returns why
    /// it could not have one, by namespace.
    async fn ensure_namespaces(&mut self, due: &[Due]) -> BTreeMap<String, String> {
        let new = due.iter().filter(|due| due.observed.is_none());
        let namespaces: BTreeSet<&str> = new
            .map(|due| due.object.1.namespace.as_str())
            .filter(|namespace| !namespace.is_empty() && !self.namespaces.contains(*namespace))
            .collect();
        let create = |namespace: &str| {
            let object = json!({
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": { "name": namespace, "labels": { "karmada.io/managed": "true" } },
            });
            Write {
                kind: Kind::new("v1", "Namespace", "namespaces", false),
                key: Key::new("", namespace),
                op: Op::Create(object),
            }
        };
        let writes = namespaces.into_iter().map(create).collect();
        let mut unmade = BTreeMap::new();
        for (write, outcome) in self.writer.each(writes).await {
            match outcome {
                Ok(Outcome::Done | Outcome::Moot | Outcome::Conflict) => {
                    self.namespaces.insert(write.key.name);
                }
                Err(error) => {
                    unmade.insert(write.key.name, error.to_string());
                }
            }
        }
        unmade
    }

    fn work_status(&self, wanted: &Wanted) -> Option<Write> {
        let manifests: Vec<Manifest<'_>> = wanted
            .manifests
            .iter()
            .map(|WantedManifest { ordinal, object, .. }| Manifest {
                ordinal: *ordinal,
                kind: &object.0,
                observed: self.held.get(&object.0, &object.1),
                failure: self.failures.message(object).map(str::to_owned),
            })
            .collect();
        let unserved = wanted.unserved.as_deref();
        let patch = collect::status_patch(&wanted.work, &manifests, unserved, &stamp())?;
        Some(Write {
            kind: self.control.works.clone(),
            key: Key::of(&wanted.work),
            op: Op::MergeStatus(patch),
        })
    }

    /// Removes the objects of works; the finalizer of a work goes only when all of them are gone.
    async fn remove(&mut self, wanted: &[&Wanted]) -> Vec<Write> {
        let mut deletes = Vec::new();
        let mut generations = BTreeMap::new();
        let mut releases = Vec::new();
        let now = Instant::now();
        for wanted in wanted {
            let finalizers = wanted
                .work
                .pointer("/metadata/finalizers")
                .and_then(Value::as_array);
            let Some(finalizers) = finalizers.filter(|f| f.iter().any(|f| f == FINALIZER)) else {
                continue;
            };
            let preserved =
                wanted.work.pointer("/spec/preserveResourcesOnDeletion") == Some(&Value::Bool(true));
            let mut remaining = usize::from(wanted.unanswered && !preserved);
            for WantedManifest { object, manifest, .. } in wanted.manifests.iter().filter(|_| !preserved) {
                let (kind, key) = object;
                if !self.held.synced([kind]) {
                    remaining += 1;
                    continue;
                }
                self.applied.remove(object);
                let held = self.held.get(kind, key);
                let Some(observed) = held.filter(|held| apply::ours(manifest, held)) else {
                    continue;
                };
                remaining += 1;
                let generation = generation(&wanted.work);
                if !self.failures.waits(object, &generation, now) {
                    deletes.extend(apply::removal(kind, &observed));
                    generations.insert(object, generation);
                }
            }
            if remaining == 0 {
                let kept: Vec<&Value> = finalizers.iter().filter(|f| *f != FINALIZER).collect();
                releases.push(Write {
                    kind: self.control.works.clone(),
                    key: Key::of(&wanted.work),
                    op: Op::Merge(json!({ "metadata": { "finalizers": kept } })),
                });
            }
        }
        for (write, outcome) in self.writer.each(deletes).await {
            let object = (write.kind, write.key);
            match outcome {
                Ok(Outcome::Done | Outcome::Moot | Outcome::Conflict) => self.failures.done(&object),
                Err(error) => {
                    let generation = generations.get(&object).copied().unwrap_or_default();
                    self.failed(object, generation, error.to_string());
                }
            }
        }
        releases
    }

    /// What the member is and has, for the status of its Cluster object.
    async fn cluster_status(&mut self) -> Option<Write> {
        if !self.held.synced([&nodes(), &pods()]) {
            return None;
        }
        let due = self
            .discovered
            .as_ref()
            .is_none_or(|(at, _)| at.elapsed() >= DISCOVERY);
        if due && let Some(served) = served(&self.client).await {
            self.discovered = Some((Instant::now(), served));
            self.summarized = None;
        }
        let (_, served) = self.discovered.as_ref()?;
        let version = self.held.version_of([&nodes(), &pods()]);
        if self.summarized == Some(version) {
            return None;
        }
        let mut status = summary::summary(&self.held.list(&nodes()), &self.held.list(&pods()));
        for (field, value) in served.as_object().into_iter().flatten() {
            status[field] = value.clone();
        }
        let key = Key::new("", &self.cluster);
        let cluster = self.control.index.get(&self.control.clusters, &key)?;
        let held = cluster.get("status").unwrap_or(&Value::Null);
        let own = Value::Object(
            held.as_object()
                .into_iter()
                .flatten()
                .filter(|(field, _)| status.get(field.as_str()).is_some())
                .map(|(field, value)| (field.clone(), value.clone()))
                .collect(),
        );
        // A merge patch keeps what it does not name: a resource that nobody wants any more is taken away.
        let Some(patch) = merge::diff(&own, &status) else {
            self.summarized = Some(version);
            return None;
        };
        Some(Write {
            kind: self.control.clusters.clone(),
            key,
            op: Op::MergeStatus(json!({ "status": patch })),
        })
    }
}

fn deleting(work: &Value) -> bool {
    work.pointer("/metadata/deletionTimestamp").is_some()
}

fn nodes() -> Kind {
    Kind::new("v1", "Node", "nodes", false)
}

fn pods() -> Kind {
    Kind::new("v1", "Pod", "pods", true)
}

/// `kubernetesVersion` and `apiEnablements` of `Cluster.status`.
async fn served(client: &Client) -> Option<Value> {
    let asked = async {
        let version = client.apiserver_version().await.ok()?;
        let discovery = discovery::Discovery::new(client.clone()).run().await.ok()?;
        let mut enablements: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for group in discovery.groups() {
            for version in group.versions() {
                for (resource, _) in group.versioned_resources(version) {
                    let entry = json!({ "kind": resource.kind, "name": resource.plural });
                    enablements.entry(resource.api_version).or_default().push(entry);
                }
            }
        }
        let enablements: Vec<Value> = enablements
            .into_iter()
            .map(|(version, resources)| json!({ "groupVersion": version, "resources": resources }))
            .collect();
        Some(json!({ "kubernetesVersion": version.git_version, "apiEnablements": enablements }))
    };
    tokio::time::timeout(REQUEST_TIMEOUT, asked).await.ok()?
}

/// The date for a condition; no decision reads it.
#[expect(
    clippy::disallowed_methods,
    reason = "stamps what it writes and times its own discovery"
)]
pub(super) fn stamp() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
