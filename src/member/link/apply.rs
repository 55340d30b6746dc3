//! What differs is applied, and the namespaces it needs are made.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Link, Object, Wanted, WantedManifest};
use crate::{
    member::apply,
    store::{CONCURRENCY, Key, Kind, Op, Outcome, Write, generation},
};

/// A manifest that is to be applied now.
struct Due {
    object: Object,
    manifest: Value,
    observed: Option<Arc<Value>>,
    generation: i64,
}

impl Link {
    /// Applies what differs, several objects at a time; returns those that need nothing.
    pub(super) async fn apply(&mut self, wanted: &[&Wanted]) -> BTreeSet<Object> {
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
}
