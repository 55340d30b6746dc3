//! Watches that keep an [`Index`] current, one task a kind.

#![allow(
    clippy::disallowed_methods,
    reason = "the shell of IO: it reads the clock for the pure back-off"
)]

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt, pin_mut};
use kube::{
    Api, Client, Config,
    api::DynamicObject,
    runtime::watcher::{self, Event, watcher},
};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::{Index, Key, Kind, failures::Failures};

/// A client whose requests end: connecting takes at most 2 s, a write that makes no progress 5 s.
/// Callers put a deadline of their own on each request; watches live on.
pub fn connect(mut config: Config) -> Result<Client, kube::Error> {
    config.connect_timeout = Some(Duration::from_secs(2));
    config.write_timeout = Some(Duration::from_secs(5));
    config.default_retry = false;
    Client::try_from(config)
}

/// The running watches of one API server. Dropping it ends them.
pub struct Watches {
    client: Client,
    index: Index,
    label_selector: Option<String>,
    running: Mutex<BTreeMap<Kind, AbortOnDropHandle<()>>>,
}

impl Watches {
    pub fn new(client: Client, index: Index) -> Self {
        Self {
            client,
            index,
            label_selector: None,
            running: Mutex::default(),
        }
    }

    /// Only objects with these labels.
    #[must_use]
    pub fn with_labels(mut self, selector: &str) -> Self {
        self.label_selector = Some(selector.to_owned());
        self
    }

    /// Watches `kind` from now on; no effect where it is watched already.
    pub fn start(&self, kind: &Kind) {
        let mut running = self.running.lock();
        if running.contains_key(kind) {
            return;
        }
        let task = watch(
            self.client.clone(),
            self.index.clone(),
            kind.clone(),
            self.label_selector.clone(),
        );
        running.insert(
            kind.clone(),
            AbortOnDropHandle::new(tokio::spawn(task.in_current_span())),
        );
    }

    /// Watches exactly `kinds` from now on.
    pub fn set(&self, kinds: &[Kind]) {
        for kind in kinds {
            self.start(kind);
        }
        let mut running = self.running.lock();
        let gone: Vec<Kind> = running
            .keys()
            .filter(|kind| !kinds.contains(kind))
            .cloned()
            .collect();
        for kind in gone {
            running.remove(&kind);
            self.index.forget(&kind);
        }
    }
}

async fn watch(client: Client, index: Index, kind: Kind, labels: Option<String>) {
    let api: Api<DynamicObject> = Api::all_with(client, &kind.resource());
    let mut config = watcher::Config::default();
    if let Some(labels) = &labels {
        config = config.labels(labels);
    }
    let events = watcher(api, config);
    pin_mut!(events);
    let mut listing: Vec<Value> = Vec::new();
    let mut failures = Failures::default();
    while let Some(event) = events.next().await {
        let now = Instant::now();
        match event {
            Ok(event) => {
                // An attempt to list begins with `Init`, however it ends.
                if !matches!(event, Event::Init) && failures.works(now) {
                    tracing::info!(kind = %kind.kind, "watched again");
                }
                take(&index, &kind, event, &mut listing);
            }
            Err(error) => {
                let (wait, news) = failures.failed(now);
                if news {
                    tracing::warn!(kind = %kind.kind, error = %error, "watch failed, tried again until it works");
                }
                tokio::time::sleep(wait).await;
            }
        }
    }
}

fn take(index: &Index, kind: &Kind, event: Event<DynamicObject>, listing: &mut Vec<Value>) {
    match event {
        Event::Init => listing.clear(),
        Event::InitApply(object) => listing.extend(raw(kind, object)),
        Event::InitDone => index.reset(kind, std::mem::take(listing)),
        Event::Apply(object) => {
            if let Some(object) = raw(kind, object) {
                index.apply(kind, object);
            }
        }
        Event::Delete(object) => {
            let namespace = object.metadata.namespace.unwrap_or_default();
            index.delete(
                kind,
                &Key {
                    namespace,
                    name: object.metadata.name.unwrap_or_default(),
                },
            );
        }
    }
}

/// The object as JSON with its type, which items of a list lack; without managedFields, which nobody
/// here reads and which are often half of an object.
pub(super) fn raw(kind: &Kind, mut object: DynamicObject) -> Option<Value> {
    object.metadata.managed_fields = None;
    let mut value = serde_json::to_value(object)
        .inspect_err(|error| tracing::warn!(kind = %kind.kind, error = %error, "unreadable object skipped"))
        .ok()?;
    let fields = value.as_object_mut()?;
    fields.insert("apiVersion".to_owned(), Value::String(kind.api_version()));
    fields.insert("kind".to_owned(), Value::String(kind.kind.clone()));
    Some(value)
}
