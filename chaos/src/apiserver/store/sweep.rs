//! What a deletion sets off: dependents, foreground owners, namespaces and definitions that end.
//!
//! A queue of jobs instead of recursion: an owner chain of any length needs no stack.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Value, json};

use super::options::Propagation;
use crate::apiserver::kinds::Kind;
use crate::apiserver::state::State;
use crate::apiserver::stored::{Key, Stored};
use crate::apiserver::{clock, meta};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";
const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";
const POD_GRACE_S: i64 = 30;

/// What became of an object that was to be deleted.
#[derive(Debug)]
pub(super) enum Outcome {
    Gone(Arc<Stored>),
    /// It carries a deletionTimestamp and waits for a finalizer, a kubelet or its content.
    Marked,
    Absent,
}

#[derive(Debug)]
enum Job {
    /// The owner of that UID is gone: its dependents follow or let go of it.
    OwnerGone(Box<str>),
    /// A dependent of that UID is gone: a foreground deletion may now be complete.
    DependentGone(Box<str>),
    /// An object of that namespace is gone.
    NamespaceContent(Box<str>),
    /// An object of that table is gone.
    TableContent(Arc<str>),
}

pub(super) struct Sweep<'a> {
    state: &'a mut State,
    kubelet: bool,
    jobs: VecDeque<Job>,
}

impl<'a> Sweep<'a> {
    pub(super) fn new(state: &'a mut State, kubelet: bool) -> Sweep<'a> {
        Sweep {
            state,
            kubelet,
            jobs: VecDeque::new(),
        }
    }

    /// Removes an object whose last finalizer has gone, with all that follows.
    pub(super) fn end(&mut self, kind: &Arc<Kind>, key: &Key, last: Value) {
        self.remove(kind, key, last);
        self.run();
    }

    /// Deletes an object none of whose owners exists.
    pub(super) fn collect_orphan(&mut self, kind: &Arc<Kind>, key: &Key) {
        self.delete(kind, key, Propagation::Background, None);
        self.run();
    }

    /// Looks again whether a namespace or definition that ends has become empty.
    pub(super) fn recheck(&mut self, kind: &Kind, name: &str) {
        self.jobs.push_back(if kind.is_crd() {
            Job::TableContent(name.into())
        } else {
            Job::NamespaceContent(name.into())
        });
        self.run();
    }

    /// Deletes one object or marks it; what follows waits for [`Sweep::run`].
    pub(super) fn delete(
        &mut self,
        kind: &Arc<Kind>,
        key: &Key,
        propagation: Propagation,
        grace_s: Option<i64>,
    ) -> Outcome {
        let Some(stored) = self.state.find(&kind.storage, key).cloned() else {
            return Outcome::Absent;
        };
        let mut object = stored.value();
        match propagation {
            Propagation::Background => {}
            Propagation::Foreground => {
                if self.state.dependents.contains_key(&stored.uid) {
                    meta::set_finalizer(&mut object, FOREGROUND, true);
                }
            }
            Propagation::Orphan => self.release_dependents(&stored.uid),
        }
        let grace = self.grace(kind, &object, grace_s);
        let is_namespace = kind.is_core("namespaces");
        if kind.is_crd() {
            meta::set_finalizer(&mut object, CLEANUP, true);
        }
        let waits = !meta::finalizers(&object).is_empty() || grace > 0 || is_namespace;
        if !waits {
            return self
                .remove(kind, key, object)
                .map_or(Outcome::Absent, Outcome::Gone);
        }
        let first = !stored.deleting;
        if first {
            mark(kind, &mut object, grace);
        } else if grace == 0 && !meta::finalizers(&object).is_empty() {
            meta::set(&mut object, "deletionGracePeriodSeconds", json!(0));
        }
        if object != stored.value() {
            self.state.put(kind, &mut object);
        }
        if first && is_namespace {
            self.empty_namespace(meta::name(&object).to_owned());
        }
        if kind.is_crd() {
            self.empty_definition(&object);
        }
        if meta::finalizers(&object).contains(&FOREGROUND) {
            self.delete_dependents(&stored.uid);
            self.jobs.push_back(Job::DependentGone(stored.uid.clone()));
        }
        Outcome::Marked
    }

    pub(super) fn run(&mut self) {
        while let Some(job) = self.jobs.pop_front() {
            match job {
                Job::OwnerGone(uid) => self.owner_gone(&uid),
                Job::DependentGone(uid) => self.finish_foreground(&uid),
                Job::NamespaceContent(name) => self.finish_namespace(&name),
                Job::TableContent(storage) => self.finish_definition(&storage),
            }
        }
    }

    fn grace(&self, kind: &Kind, object: &Value, asked_s: Option<i64>) -> i64 {
        let bound = object
            .pointer("/spec/nodeName")
            .and_then(Value::as_str)
            .is_some_and(|node| !node.is_empty());
        let phase = object.pointer("/status/phase").and_then(Value::as_str);
        if !self.kubelet || !kind.is_core("pods") || !bound || matches!(phase, Some("Succeeded" | "Failed")) {
            return 0;
        }
        let own = object
            .pointer("/spec/terminationGracePeriodSeconds")
            .and_then(Value::as_i64);
        asked_s.or(own).unwrap_or(POD_GRACE_S).max(0)
    }

    fn remove(&mut self, kind: &Arc<Kind>, key: &Key, last: Value) -> Option<Arc<Stored>> {
        let gone = self.state.take(kind, key, last)?;
        self.jobs.push_back(Job::OwnerGone(gone.uid.clone()));
        for owner in &gone.owners {
            self.jobs.push_back(Job::DependentGone(owner.clone()));
        }
        if kind.namespaced {
            self.jobs.push_back(Job::NamespaceContent(gone.namespace.clone()));
        }
        if kind.is_custom() {
            self.jobs.push_back(Job::TableContent(kind.storage.clone()));
        }
        if kind.is_crd() {
            self.state.registry.replace_custom(&gone.name, Vec::new());
        }
        Some(gone)
    }

    fn dependents(&self, uid: &str) -> Vec<(Arc<Kind>, Key)> {
        let entries = self.state.dependents.get(uid).into_iter().flatten();
        entries
            .filter_map(|(storage, key)| {
                Some((self.state.registry.by_storage(storage)?.clone(), key.clone()))
            })
            .collect()
    }

    fn owner_gone(&mut self, uid: &str) {
        for (kind, key) in self.dependents(uid) {
            let Some(stored) = self.state.find(&kind.storage, &key).cloned() else {
                continue;
            };
            let others = stored
                .owners
                .iter()
                .any(|owner| **owner != *uid && self.state.uids.contains_key(owner));
            if others {
                self.release(&kind, &stored, uid);
            } else if !stored.deleting {
                self.delete(&kind, &key, Propagation::Background, None);
            }
        }
    }

    fn delete_dependents(&mut self, uid: &str) {
        for (kind, key) in self.dependents(uid) {
            let deleting = self
                .state
                .find(&kind.storage, &key)
                .is_none_or(|stored| stored.deleting);
            if !deleting {
                self.delete(&kind, &key, Propagation::Foreground, None);
            }
        }
    }

    fn release_dependents(&mut self, uid: &str) {
        for (kind, key) in self.dependents(uid) {
            if let Some(stored) = self.state.find(&kind.storage, &key).cloned() {
                self.release(&kind, &stored, uid);
            }
        }
    }

    /// Drops one owner from an object.
    fn release(&mut self, kind: &Arc<Kind>, stored: &Stored, uid: &str) {
        let mut object = stored.value();
        let owners = object
            .pointer_mut("/metadata/ownerReferences")
            .and_then(Value::as_array_mut);
        if let Some(owners) = owners {
            owners.retain(|owner| owner.get("uid").and_then(Value::as_str) != Some(uid));
            if owners.is_empty() {
                meta::remove(&mut object, "ownerReferences");
            }
        }
        self.state.put(kind, &mut object);
    }

    /// Ends a foreground deletion once nothing that blocks it is left.
    fn finish_foreground(&mut self, uid: &str) {
        let Some((storage, key)) = self.state.uids.get(uid).cloned() else {
            return;
        };
        let Some(stored) = self
            .state
            .find(&storage, &key)
            .filter(|stored| stored.deleting)
            .cloned()
        else {
            return;
        };
        let Some(kind) = self.state.registry.by_storage(&storage).cloned() else {
            return;
        };
        let mut object = stored.value();
        let waiting = meta::finalizers(&object)
            .iter()
            .any(|name| matches!(*name, FOREGROUND | ORPHAN));
        if !waiting
            || self
                .dependents(uid)
                .iter()
                .any(|(kind, key)| self.blocks(kind, key, uid))
        {
            return;
        }
        meta::set_finalizer(&mut object, FOREGROUND, false);
        meta::set_finalizer(&mut object, ORPHAN, false);
        self.write_or_remove(&kind, &key, object);
    }

    fn blocks(&self, kind: &Kind, key: &Key, uid: &str) -> bool {
        let Some(stored) = self.state.find(&kind.storage, key) else {
            return false;
        };
        let object = stored.value();
        let owners = object
            .pointer("/metadata/ownerReferences")
            .and_then(Value::as_array);
        owners.into_iter().flatten().any(|owner| {
            owner.get("uid").and_then(Value::as_str) == Some(uid)
                && owner.get("blockOwnerDeletion").and_then(Value::as_bool) == Some(true)
        })
    }

    fn write_or_remove(&mut self, kind: &Arc<Kind>, key: &Key, mut object: Value) {
        let content = kind.is_core("namespaces");
        if meta::finalizers(&object).is_empty() && !content {
            self.remove(kind, key, object);
        } else {
            self.state.put(kind, &mut object);
        }
    }

    fn empty_namespace(&mut self, name: String) {
        let range = Key::namespace_range(&name);
        let mut content = Vec::new();
        for (storage, table) in &self.state.tables {
            if let Some(kind) = self
                .state
                .registry
                .by_storage(storage)
                .filter(|kind| kind.namespaced)
            {
                content.extend(
                    table
                        .objects
                        .range(range.clone())
                        .map(|(key, _)| (kind.clone(), key.clone())),
                );
            }
        }
        for (kind, key) in content {
            self.delete(&kind, &key, Propagation::Background, None);
        }
        self.jobs.push_back(Job::NamespaceContent(name.into()));
    }

    fn finish_namespace(&mut self, name: &str) {
        let key = Key::new("", name);
        let Some(stored) = self
            .state
            .find("namespaces", &key)
            .filter(|found| found.deleting)
            .cloned()
        else {
            return;
        };
        let range = Key::namespace_range(name);
        let State { tables, registry, .. } = &*self.state;
        let left = tables.iter().any(|(storage, table)| {
            registry.by_storage(storage).is_some_and(|kind| kind.namespaced)
                && table.objects.range(range.clone()).next().is_some()
        });
        let Some(kind) = self.state.registry.by_storage("namespaces").cloned() else {
            return;
        };
        let mut object = stored.value();
        if !left && meta::finalizers(&object).is_empty() {
            meta::child_mut(&mut object, "spec").remove("finalizers");
            self.remove(&kind, &key, object);
        }
    }

    fn empty_definition(&mut self, definition: &Value) {
        let storage: Arc<str> = meta::name(definition).into();
        let Some(kind) = self.state.registry.by_storage(&storage).cloned() else {
            self.jobs.push_back(Job::TableContent(storage));
            return;
        };
        let keys: Vec<Key> = self
            .state
            .tables
            .get(&storage)
            .map(|table| table.objects.keys().cloned().collect())
            .unwrap_or_default();
        for key in keys {
            self.delete(&kind, &key, Propagation::Background, None);
        }
        self.jobs.push_back(Job::TableContent(storage));
    }

    fn finish_definition(&mut self, storage: &Arc<str>) {
        let key = Key::new("", storage);
        let found = self
            .state
            .find("customresourcedefinitions.apiextensions.k8s.io", &key);
        let Some(stored) = found.filter(|found| found.deleting).cloned() else {
            return;
        };
        if self
            .state
            .tables
            .get(storage)
            .is_some_and(|table| !table.objects.is_empty())
        {
            return;
        }
        let kind = self
            .state
            .registry
            .by_storage("customresourcedefinitions.apiextensions.k8s.io")
            .cloned();
        let Some(kind) = kind else { return };
        let mut object = stored.value();
        meta::set_finalizer(&mut object, CLEANUP, false);
        if meta::finalizers(&object).is_empty() {
            self.remove(&kind, &key, object);
            // Watchers of the resource type learn that it is gone.
            if let Some(table) = self.state.tables.get(storage) {
                table.changed.send_replace(self.state.rv);
            }
        } else if object != stored.value() {
            self.state.put(&kind, &mut object);
        }
    }
}

fn mark(kind: &Kind, object: &mut Value, grace_s: i64) {
    meta::set(object, "deletionTimestamp", clock::after_rfc3339(grace_s).into());
    meta::set(object, "deletionGracePeriodSeconds", json!(grace_s));
    if kind.generation {
        let generation = object
            .pointer("/metadata/generation")
            .and_then(Value::as_i64)
            .unwrap_or(0);
        meta::set(object, "generation", json!(generation.saturating_add(1)));
    }
    if kind.is_core("namespaces") {
        meta::child_mut(object, "status").insert("phase".to_owned(), "Terminating".into());
    }
}
