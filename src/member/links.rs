//! Which members have a link, and its beginning and end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::Value;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::{
    endpoint,
    link::{ControlPlane, Link},
};
use crate::store::{Index, Key, Kind, Writer, name};

/// A running link and what it was made from.
struct Member {
    spec: Value,
    /// The link has read the member's statuses.
    fresh: Arc<AtomicBool>,
    _task: AbortOnDropHandle<()>,
}

/// All links of the control plane. Dropping it ends them.
pub struct Links {
    control: ControlPlane,
    secrets: Kind,
    running: BTreeMap<String, Member>,
    refused: BTreeMap<String, String>,
}

impl Links {
    pub fn new(index: Index, writer: Writer, works: Kind, clusters: Kind, secrets: Kind) -> Self {
        let control = ControlPlane {
            index,
            writer,
            works,
            clusters,
        };
        Self {
            control,
            secrets,
            running: BTreeMap::new(),
            refused: BTreeMap::new(),
        }
    }

    /// Begins and ends links so that exactly the push-mode `clusters` that are not in `down` have one. A
    /// link whose cluster's spec changed begins anew. Must be called within a tokio runtime.
    pub fn set(&mut self, clusters: &[Arc<Value>], down: &BTreeSet<String>) {
        let wanted: BTreeMap<&str, &Value> = clusters
            .iter()
            .map(|cluster| (name(cluster), cluster.as_ref()))
            .filter(|(name, cluster)| {
                !down.contains(*name) && cluster.pointer("/spec/syncMode") != Some(&"Pull".into())
            })
            .collect();
        self.running.retain(|name, member| {
            wanted
                .get(name.as_str())
                .is_some_and(|cluster| connection(cluster) == member.spec)
        });
        self.refused.retain(|name, _| wanted.contains_key(name.as_str()));
        for (name, cluster) in wanted {
            if !self.running.contains_key(name) {
                self.begin(name, cluster);
            }
        }
    }

    /// Clusters whose statuses were read over their present link.
    pub fn fresh(&self) -> BTreeSet<String> {
        let fresh = self
            .running
            .iter()
            .filter(|(_, member)| member.fresh.load(Ordering::Acquire));
        fresh.map(|(name, _)| name.clone()).collect()
    }

    /// Why a cluster has no link although it should, by cluster.
    pub fn refused(&self) -> &BTreeMap<String, String> {
        &self.refused
    }

    fn begin(&mut self, name: &str, cluster: &Value) {
        let reference = |field: &str| {
            cluster
                .pointer(&format!("/spec/secretRef/{field}"))
                .and_then(Value::as_str)
        };
        let secret = reference("name").and_then(|secret| {
            let key = Key::new(reference("namespace").unwrap_or(""), secret);
            self.control.index.get(&self.secrets, &key)
        });
        match endpoint::client(cluster, secret.as_deref()) {
            Ok(client) => {
                self.refused.remove(name);
                let fresh = Arc::new(AtomicBool::new(false));
                // Whatever is logged on its behalf, by libraries too, names the cluster.
                let span = tracing::info_span!("member", cluster = name);
                let link =
                    span.in_scope(|| Link::new(name.to_owned(), self.control.clone(), client, fresh.clone()));
                let task = AbortOnDropHandle::new(tokio::spawn(link.run().instrument(span)));
                self.running.insert(
                    name.to_owned(),
                    Member {
                        spec: connection(cluster),
                        fresh,
                        _task: task,
                    },
                );
            }
            Err(error) => {
                let message = error.to_string();
                if self.refused.get(name) != Some(&message) {
                    tracing::warn!(cluster = name, error = message, "no link to the cluster");
                    self.refused.insert(name.to_owned(), message);
                }
            }
        }
    }
}

/// The part of a cluster's spec that a connection is made from.
fn connection(cluster: &Value) -> Value {
    let fields = [
        "apiEndpoint",
        "secretRef",
        "insecureSkipTLSVerification",
        "proxyURL",
    ];
    fields
        .iter()
        .map(|field| cluster["spec"][field].clone())
        .collect()
}
