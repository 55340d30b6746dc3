//! Everything one server holds, behind one lock: the tables, their history, who owns whom.
//!
//! Only plain bookkeeping happens here; what a request means is decided by [`super::store`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;

use super::history::History;
use super::kinds::{Kind, Registry};
use super::meta;
use super::stored::{Change, Event, Key, Stored};

/// The objects of one resource type.
#[derive(Debug)]
pub(crate) struct Table {
    pub objects: BTreeMap<Key, Arc<Stored>>,
    /// Newest event of this table the history has forgotten: a watch must start here or later.
    pub forgotten_rv: u64,
    /// Carries the resource version of the newest change to whoever watches this table.
    pub changed: watch::Sender<u64>,
}

impl Table {
    fn new() -> Table {
        Table {
            objects: BTreeMap::new(),
            forgotten_rv: 0,
            changed: watch::Sender::new(0),
        }
    }
}

#[derive(Debug)]
pub(crate) struct State {
    pub rv: u64,
    pub registry: Registry,
    pub tables: BTreeMap<Arc<str>, Table>,
    pub history: History,
    /// Owner's UID → the objects that name it as an owner.
    pub dependents: BTreeMap<Box<str>, BTreeSet<(Arc<str>, Key)>>,
    /// UID of every live object.
    pub uids: BTreeMap<Box<str>, (Arc<str>, Key)>,
    /// While set, lists without a resource version answer as of this one (a stale cache).
    pub stale_at: Option<u64>,
    pub changed: watch::Sender<u64>,
    /// Bytes of all live objects.
    pub live_bytes: usize,
}

impl State {
    pub(crate) fn new(history: usize) -> State {
        State {
            rv: 1,
            registry: Registry::new(),
            tables: BTreeMap::new(),
            history: History::new(history),
            dependents: BTreeMap::new(),
            uids: BTreeMap::new(),
            stale_at: None,
            changed: watch::Sender::new(1),
            live_bytes: 0,
        }
    }

    pub(crate) fn table_mut(&mut self, storage: &Arc<str>) -> &mut Table {
        self.tables.entry(storage.clone()).or_insert_with(Table::new)
    }

    pub(crate) fn find(&self, storage: &str, key: &Key) -> Option<&Arc<Stored>> {
        self.tables.get(storage)?.objects.get(key)
    }

    /// Writes an object under the next resource version, which is put into it.
    pub(crate) fn put(&mut self, kind: &Kind, object: &mut Value) -> Arc<Stored> {
        self.rv += 1;
        meta::set(object, "resourceVersion", Value::String(self.rv.to_string()));
        let stored = Arc::new(Stored::new(kind, object, self.rv));
        let key = stored.key();
        let table = self.table_mut(&kind.storage);
        let previous = table.objects.insert(key.clone(), stored.clone());
        self.live_bytes += stored.weight();
        if let Some(previous) = &previous {
            self.live_bytes -= previous.weight();
            self.unlink(&kind.storage, &key, previous);
        }
        for owner in &stored.owners {
            self.dependents
                .entry(owner.clone())
                .or_default()
                .insert((kind.storage.clone(), key.clone()));
        }
        self.uids.insert(stored.uid.clone(), (kind.storage.clone(), key));
        let change = if previous.is_some() {
            Change::Modified
        } else {
            Change::Added
        };
        self.record(kind.storage.clone(), change, stored.clone(), previous);
        stored
    }

    /// Takes an object out; its last state carries the resource version of the deletion.
    pub(crate) fn take(&mut self, kind: &Kind, key: &Key, mut last: Value) -> Option<Arc<Stored>> {
        let previous = self.tables.get_mut(&kind.storage)?.objects.remove(key)?;
        self.unlink(&kind.storage, key, &previous);
        self.uids.remove(&previous.uid);
        self.live_bytes -= previous.weight();
        self.rv += 1;
        meta::set(&mut last, "resourceVersion", Value::String(self.rv.to_string()));
        let stored = Arc::new(Stored::new(kind, &last, self.rv));
        self.record(
            kind.storage.clone(),
            Change::Deleted,
            stored.clone(),
            Some(previous),
        );
        Some(stored)
    }

    fn unlink(&mut self, storage: &Arc<str>, key: &Key, stored: &Stored) {
        for owner in &stored.owners {
            if let Some(entries) = self.dependents.get_mut(owner) {
                entries.remove(&(storage.clone(), key.clone()));
                if entries.is_empty() {
                    self.dependents.remove(owner);
                }
            }
        }
    }

    fn record(
        &mut self,
        table: Arc<str>,
        change: Change,
        object: Arc<Stored>,
        previous: Option<Arc<Stored>>,
    ) {
        let rv = self.rv;
        let event = Event {
            rv,
            table: table.clone(),
            change,
            object,
            previous,
        };
        for forgotten in self.history.push(event) {
            if let Some(table) = self.tables.get_mut(&forgotten.table) {
                table.forgotten_rv = forgotten.rv;
            }
        }
        if let Some(table) = self.tables.get(&table) {
            table.changed.send_replace(rv);
        }
        self.changed.send_replace(rv);
    }

    /// The objects of a table as of `rv`, or `None` if the history does not reach back that far.
    pub(crate) fn as_of(&self, storage: &str, rv: u64) -> Option<BTreeMap<Key, Arc<Stored>>> {
        let Some(table) = self.tables.get(storage) else {
            return Some(BTreeMap::new());
        };
        if rv < table.forgotten_rv {
            return None;
        }
        let mut objects = table.objects.clone();
        for event in self.history.since(storage, rv).rev() {
            let key = event.object.key();
            match &event.previous {
                Some(previous) => objects.insert(key, previous.clone()),
                None => objects.remove(&key),
            };
        }
        Some(objects)
    }
}
