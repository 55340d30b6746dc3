//! One member cluster's loop: apply its works, collect their statuses and the cluster's own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use kube::{Client, discovery};
use serde_json::{Value, json};

use super::{
    apply::{self, Applied},
    collect::{self, Manifest},
    summary,
};
use crate::{
    propagate::names::execution_namespace,
    store::{Discovery, Index, Key, Kind, Op, Outcome, Served, Watches, Write, Writer, merge},
};

/// Everything is looked at anew at least this often, events or not.
const RESYNC: Duration = Duration::from_secs(10);
/// Events within this time are handled together.
const GATHER: Duration = Duration::from_millis(30);
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
    client: Client,
    /// The member's objects that we manage, and its nodes and pods.
    held: Index,
    writer: Writer,
    managed: Watches,
    /// On nodes and pods; held so that it goes on.
    _capacity: Watches,
    discovery: Discovery,
    applied: Applied,
    failures: BTreeMap<(Kind, Key), String>,
    discovered: Option<(tokio::time::Instant, Value)>,
    /// Set once the statuses of all works were read over this link.
    fresh: Arc<AtomicBool>,
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
    kind: Kind,
    manifest: Value,
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
            control,
            discovery: Discovery::new(client.clone()),
            client,
            held,
            managed,
            _capacity: capacity,
            applied: Applied::new(),
            failures: BTreeMap::new(),
            discovered: None,
            fresh,
        }
    }

    /// Runs until dropped.
    pub(super) async fn run(mut self) {
        let mut control_changes = self.control.index.subscribe();
        let mut member_changes = self.held.subscribe();
        loop {
            self.round().await;
            tokio::select! {
                _ = control_changes.changed() => {}
                _ = member_changes.changed() => {}
                () = tokio::time::sleep(RESYNC) => {}
            }
            tokio::time::sleep(GATHER).await;
            control_changes.mark_unchanged();
            member_changes.mark_unchanged();
        }
    }

    async fn round(&mut self) {
        let works = self
            .control
            .index
            .list_namespace(&self.control.works, &execution_namespace(&self.cluster));
        let mut wanted = Vec::new();
        for work in works {
            wanted.push(self.resolve(work).await);
        }
        let kinds: BTreeSet<Kind> = wanted
            .iter()
            .flat_map(|w| w.manifests.iter().map(|manifest| manifest.kind.clone()))
            .collect();
        for kind in &kinds {
            // Pods and nodes are watched whole already.
            if *kind != pods() && *kind != nodes() {
                self.managed.start(kind);
            }
        }
        for work in &wanted {
            if work.work.pointer("/metadata/deletionTimestamp").is_some() {
                self.remove(work).await;
            } else {
                self.apply(work).await;
            }
        }
        self.report_cluster().await;
        if self.held.synced(&kinds) {
            self.fresh.store(true, Ordering::Release);
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
                    kind,
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

    async fn apply(&mut self, wanted: &Wanted) {
        let suspended = wanted.work.pointer("/spec/suspendDispatching") == Some(&Value::Bool(true));
        for WantedManifest { kind, manifest, .. } in &wanted.manifests {
            if suspended || !self.held.synced([kind]) {
                continue;
            }
            let key = Key::of(manifest);
            let observed = self.held.get(kind, &key);
            let Some(write) = apply::write(kind, manifest, observed.as_deref(), &self.applied) else {
                self.failures.remove(&(kind.clone(), key));
                continue;
            };
            self.ensure_namespace(&write).await;
            match self.writer.one(&write).await {
                Ok(Outcome::Done) => {
                    if let Some(object) = self.held.get(kind, &key) {
                        let memory = (manifest.clone(), apply::version(&object));
                        self.applied.insert((kind.clone(), key.clone()), memory);
                    }
                    self.failures.remove(&(kind.clone(), key));
                }
                Ok(Outcome::Moot | Outcome::Conflict) => {}
                Err(error) => {
                    tracing::warn!(error = %error, "applying a manifest failed");
                    self.failures.insert((kind.clone(), key), error.to_string());
                }
            }
        }
        self.report_work(wanted).await;
    }

    /// A namespaced object needs its namespace; a member that lacks it gets it, as from Karmada.
    async fn ensure_namespace(&self, write: &Write) {
        if write.key.namespace.is_empty() {
            return;
        }
        let kind = Kind::new("v1", "Namespace", "namespaces", false);
        let key = Key::new("", &write.key.namespace);
        if self.applied.contains_key(&(kind.clone(), key.clone())) {
            return;
        }
        let object = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": write.key.namespace, "labels": { "karmada.io/managed": "true" } },
        });
        if let Err(error) = self
            .writer
            .one(&Write {
                kind,
                key,
                op: Op::Create(object),
            })
            .await
        {
            tracing::warn!(error = %error, "creating a namespace failed");
        }
    }

    async fn report_work(&self, wanted: &Wanted) {
        let manifests: Vec<Manifest<'_>> = wanted
            .manifests
            .iter()
            .map(|manifest| {
                let key = Key::of(&manifest.manifest);
                Manifest {
                    ordinal: manifest.ordinal,
                    kind: &manifest.kind,
                    observed: self.held.get(&manifest.kind, &key),
                    failure: self.failures.get(&(manifest.kind.clone(), key)).cloned(),
                }
            })
            .collect();
        let unserved = wanted.unserved.as_deref();
        if let Some(patch) = collect::status_patch(&wanted.work, &manifests, unserved, &stamp()) {
            self.write(
                self.control.works.clone(),
                Key::of(&wanted.work),
                Op::MergeStatus(patch),
            )
            .await;
        }
    }

    /// Removes a work's objects; the finalizer goes only when all of them are gone.
    async fn remove(&mut self, wanted: &Wanted) {
        let finalizers = wanted
            .work
            .pointer("/metadata/finalizers")
            .and_then(Value::as_array);
        let Some(finalizers) = finalizers.filter(|f| f.iter().any(|f| f == FINALIZER)) else {
            return;
        };
        let preserved = wanted.work.pointer("/spec/preserveResourcesOnDeletion") == Some(&Value::Bool(true));
        let mut remaining = usize::from(wanted.unanswered && !preserved);
        for WantedManifest { kind, manifest, .. } in wanted.manifests.iter().filter(|_| !preserved) {
            if !self.held.synced([kind]) {
                remaining += 1;
                continue;
            }
            let key = Key::of(manifest);
            self.applied.remove(&(kind.clone(), key.clone()));
            if let Some(write) = apply::removal(kind, self.held.get(kind, &key).as_deref()) {
                remaining += 1;
                if let Err(error) = self.writer.one(&write).await {
                    tracing::warn!(error = %error, "removing an object failed");
                }
            }
        }
        if remaining == 0 {
            let kept: Vec<&Value> = finalizers.iter().filter(|f| *f != FINALIZER).collect();
            let patch = json!({ "metadata": { "finalizers": kept } });
            self.write(
                self.control.works.clone(),
                Key::of(&wanted.work),
                Op::Merge(patch),
            )
            .await;
        }
    }

    /// Writes what the member is and has into the status of its Cluster object.
    #[expect(
        clippy::disallowed_methods,
        reason = "stamps what it writes and times its own discovery"
    )]
    async fn report_cluster(&mut self) {
        if !self.held.synced([&nodes(), &pods()]) {
            return;
        }
        let due = self
            .discovered
            .as_ref()
            .is_none_or(|(at, _)| at.elapsed() >= DISCOVERY);
        if due && let Some(served) = served(&self.client).await {
            self.discovered = Some((tokio::time::Instant::now(), served));
        }
        let Some((_, served)) = &self.discovered else {
            return;
        };
        let mut status = summary::summary(&self.held.list(&nodes()), &self.held.list(&pods()));
        for (field, value) in served.as_object().into_iter().flatten() {
            status[field] = value.clone();
        }
        let key = Key::new("", &self.cluster);
        let Some(cluster) = self.control.index.get(&self.control.clusters, &key) else {
            return;
        };
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
        if let Some(patch) = merge::diff(&own, &status) {
            let patch = json!({ "status": patch });
            self.write(self.control.clusters.clone(), key, Op::MergeStatus(patch))
                .await;
        }
    }

    async fn write(&self, kind: Kind, key: Key, op: Op) {
        self.control.writer.all(vec![Write { kind, key, op }]).await;
    }
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
