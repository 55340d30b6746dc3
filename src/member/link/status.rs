//! What the member says of works and of itself, for the control plane.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use kube::{Client, discovery};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Link, Wanted, WantedManifest, nodes, pods};
use crate::{
    member::{
        collect::{self, Manifest},
        summary,
    },
    store::{Key, Op, Write, conditions, merge},
};

/// The list of kinds a member serves is asked for this often.
const DISCOVERY: Duration = Duration::from_secs(60);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

impl Link {
    pub(super) fn work_status(&self, wanted: &Wanted) -> Option<Write> {
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

    /// What the member is and has, for the status of its Cluster object.
    pub(super) async fn cluster_status(&mut self) -> Option<Write> {
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
fn stamp() -> String {
    conditions::stamp(Timestamp::now())
}
