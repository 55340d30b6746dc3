//! An in-memory index of API objects: `apply`, `delete`, `reset` behind one lock with no await inside.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::RwLock;
use serde_json::Value;
use tokio::sync::watch;

use super::{
    Kind,
    objects::{name, namespace, resource_version},
};

/// Where an object stands within its kind; `namespace` is empty for cluster-scoped objects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Key {
    pub namespace: String,
    pub name: String,
}

impl Key {
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    pub fn of(object: &Value) -> Self {
        Self::new(namespace(object), name(object))
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}

/// The objects of every watched kind, as last seen. Cheap to clone; all clones share one state.
#[derive(Clone)]
pub struct Index {
    state: Arc<RwLock<State>>,
    changes: watch::Sender<u64>,
}

#[derive(Clone, Default)]
struct State {
    kinds: BTreeMap<Kind, Arc<Objects>>,
    /// How many changes there were.
    changes: u64,
}

/// Objects of one kind. A change is known by its number among the changes of the whole index.
#[derive(Clone, Default)]
struct Objects {
    by_key: BTreeMap<Key, Arc<Value>>,
    synced: bool,
    /// Its last change.
    changed: u64,
    /// The last time it was listed anew.
    listed: u64,
    /// The last change of each namespace since then.
    changed_in: BTreeMap<String, u64>,
}

impl Objects {
    fn changed(&mut self, namespace: &str, number: u64) {
        self.changed = number;
        match self.changed_in.get_mut(namespace) {
            Some(held) => *held = number,
            None => {
                self.changed_in.insert(namespace.to_owned(), number);
            }
        }
    }
}

impl Default for Index {
    fn default() -> Self {
        Self {
            state: Arc::default(),
            changes: watch::channel(0).0,
        }
    }
}

impl Index {
    /// Takes an object as the API gave it. An older version than the one held is ignored, so that a
    /// late watch event does not undo what the writer has just stored.
    pub fn apply(&self, kind: &Kind, object: Value) {
        let key = Key::of(&object);
        self.change(|state, number| {
            let objects = state.kinds.entry(kind.clone()).or_default();
            if objects.by_key.get(&key).is_some_and(|held| !newer(&object, held)) {
                return false;
            }
            let objects = Arc::make_mut(objects);
            objects.changed(&key.namespace, number);
            objects.by_key.insert(key, Arc::new(object));
            true
        });
    }

    pub fn delete(&self, kind: &Kind, key: &Key) {
        self.change(|state, number| {
            let Some(objects) = state.kinds.get_mut(kind) else {
                return false;
            };
            if !objects.by_key.contains_key(key) {
                return false;
            }
            let objects = Arc::make_mut(objects);
            objects.changed(&key.namespace, number);
            objects.by_key.remove(key).is_some()
        });
    }

    /// Replaces all objects of a kind by a fresh list.
    pub fn reset(&self, kind: &Kind, objects: Vec<Value>) {
        let by_key = objects
            .into_iter()
            .map(|object| (Key::of(&object), Arc::new(object)))
            .collect();
        self.change(|state, number| {
            let objects = Objects {
                by_key,
                synced: true,
                changed: number,
                listed: number,
                changed_in: BTreeMap::new(),
            };
            state.kinds.insert(kind.clone(), Arc::new(objects));
            true
        });
    }

    /// Forgets a kind that is no longer watched.
    pub fn forget(&self, kind: &Kind) {
        self.change(|state, _| state.kinds.remove(kind).is_some());
    }

    pub fn get(&self, kind: &Kind, key: &Key) -> Option<Arc<Value>> {
        self.state.read().kinds.get(kind)?.by_key.get(key).cloned()
    }

    /// All objects of a kind, ordered by namespace and name.
    pub fn list(&self, kind: &Kind) -> Vec<Arc<Value>> {
        self.state
            .read()
            .kinds
            .get(kind)
            .map(|o| o.by_key.values().cloned().collect())
            .unwrap_or_default()
    }

    pub fn list_namespace(&self, kind: &Kind, namespace: &str) -> Vec<Arc<Value>> {
        let state = self.state.read();
        let Some(objects) = state.kinds.get(kind) else {
            return Vec::new();
        };
        objects
            .by_key
            .range(Key::new(namespace, "")..)
            .take_while(|(key, _)| key.namespace == namespace)
            .map(|(_, object)| object.clone())
            .collect()
    }

    /// Whether each of `kinds` has been listed at least once.
    pub fn synced<'a>(&self, kinds: impl IntoIterator<Item = &'a Kind>) -> bool {
        let state = self.state.read();
        kinds
            .into_iter()
            .all(|kind| state.kinds.get(kind).is_some_and(|objects| objects.synced))
    }

    /// What is held at this moment, as an index of its own that nothing changes any more.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        let state = self.state.read().clone();
        Self {
            changes: watch::channel(state.changes).0,
            state: Arc::new(RwLock::new(state)),
        }
    }

    /// A hint that something changed; never data.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Grows with every change: what was computed from the index stands while this does.
    pub fn version(&self) -> u64 {
        *self.changes.borrow()
    }

    /// The same for what was computed from these kinds alone.
    pub fn version_of<'a>(&self, kinds: impl IntoIterator<Item = &'a Kind>) -> u64 {
        let state = self.state.read();
        let changed = kinds.into_iter().filter_map(|kind| state.kinds.get(kind));
        changed.map(|objects| objects.changed).max().unwrap_or(0)
    }

    /// The same for what was computed from one namespace of one kind alone.
    pub fn version_in(&self, kind: &Kind, namespace: &str) -> u64 {
        let state = self.state.read();
        state.kinds.get(kind).map_or(0, |objects| {
            let changed = objects.changed_in.get(namespace).copied();
            changed.unwrap_or(0).max(objects.listed)
        })
    }

    /// Makes a change, which is told its number and says whether it was one.
    fn change(&self, make: impl FnOnce(&mut State, u64) -> bool) {
        let mut state = self.state.write();
        let number = state.changes + 1;
        if !make(&mut state, number) {
            return;
        }
        state.changes = number;
        drop(state);
        self.changes.send_modify(|count| *count = (*count).max(number));
    }
}

/// Resource versions of one resource are comparable since Kubernetes 1.35 (KEP-5504). Where they are
/// not numbers, or the object was created anew, the event wins.
fn newer(candidate: &Value, held: &Value) -> bool {
    if super::objects::uid(candidate) != super::objects::uid(held) {
        return true;
    }
    match (
        resource_version(candidate).parse::<u64>(),
        resource_version(held).parse::<u64>(),
    ) {
        (Ok(candidate), Ok(held)) => candidate > held,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(name: &str, version: &str) -> Value {
        json!({"metadata": {"namespace": "a", "name": name, "uid": "u", "resourceVersion": version}})
    }

    #[test]
    fn a_late_event_does_not_undo_a_newer_write() {
        let (index, kind) = (Index::default(), Kind::new("v1", "Pod", "pods", true));
        index.apply(&kind, object("x", "10"));
        index.apply(&kind, object("x", "9"));
        let held = index.get(&kind, &Key::new("a", "x")).unwrap();
        assert_eq!(resource_version(&held), "10");
    }

    #[test]
    fn reset_replaces_the_whole_kind() {
        let (index, kind) = (Index::default(), Kind::new("v1", "Pod", "pods", true));
        index.apply(&kind, object("gone", "1"));
        assert!(!index.synced([&kind]));
        index.reset(&kind, vec![object("x", "2"), object("y", "3")]);
        assert!(index.synced([&kind]));
        assert_eq!(index.list(&kind).len(), 2);
        assert_eq!(index.list_namespace(&kind, "a").len(), 2);
        assert!(index.list_namespace(&kind, "b").is_empty());
    }

    #[test]
    fn a_change_is_told_from_those_of_other_kinds_and_namespaces() {
        let (index, pods) = (Index::default(), Kind::new("v1", "Pod", "pods", true));
        let others = Kind::new("v1", "Secret", "secrets", true);
        index.reset(&pods, vec![object("x", "2")]);
        let before = (index.version_of([&pods]), index.version_in(&pods, "a"));
        index.apply(&others, object("x", "3"));
        let elsewhere = json!({"metadata": {"namespace": "b", "name": "x", "resourceVersion": "4"}});
        index.apply(&pods, elsewhere);
        assert_eq!(index.version_in(&pods, "a"), before.1);
        assert!(index.version_of([&pods]) > before.0);
        index.delete(&pods, &Key::new("a", "x"));
        assert!(index.version_in(&pods, "a") > before.1);
    }

    #[test]
    fn a_snapshot_stays_as_it_is() {
        let (index, kind) = (Index::default(), Kind::new("v1", "Pod", "pods", true));
        index.apply(&kind, object("x", "1"));
        let snapshot = index.snapshot();
        index.apply(&kind, object("y", "2"));
        assert_eq!((snapshot.list(&kind).len(), index.list(&kind).len()), (1, 2));
        assert!(snapshot.version() < index.version());
    }
}
