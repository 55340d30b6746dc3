//! What a work that goes leaves behind.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Link, Wanted, WantedManifest};
use crate::{
    member::apply,
    store::{Key, Op, Outcome, Write, generation},
};

/// The finalizer that keeps a Work until its objects are gone from the member; as in Karmada.
const FINALIZER: &str = "karmada.io/execution-controller";

pub(super) fn deleting(work: &Value) -> bool {
    work.pointer("/metadata/deletionTimestamp").is_some()
}

impl Link {
    /// Removes the objects of works; the finalizer of a work goes only when all of them are gone.
    pub(super) async fn remove(&mut self, wanted: &[&Wanted]) -> Vec<Write> {
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
}
