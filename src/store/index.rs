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
    kinds: Arc<RwLock<BTreeMap<Kind, Objects>>>,
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct Objects {
    by_key: BTreeMap<Key, Arc<Value>>,
    synced: bool,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            kinds: Arc::default(),
            changes: watch::channel(0).0,
        }
    }
}

impl Index {
    /// Takes an object as the API gave it. An older version than the one held is ignored, so that a
    /// late watch event does not undo what the writer has just stored.
    pub fn apply(&self, kind: &Kind, object: Value) {
        let key = Key::of(&object);
        {
            let mut kinds = self.kinds.write();
            let objects = kinds.entry(kind.clone()).or_default();
            if objects.by_key.get(&key).is_some_and(|held| !newer(&object, held)) {
                return;
            }
            objects.by_key.insert(key, Arc::new(object));
        }
        self.changed();
    }

    pub fn delete(&self, kind: &Kind, key: &Key) {
        if self
            .kinds
            .write()
            .entry(kind.clone())
            .or_default()
            .by_key
            .remove(key)
            .is_some()
        {
            self.changed();
        }
    }

    /// Replaces all objects of a kind by a fresh list.
    pub fn reset(&self, kind: &Kind, objects: Vec<Value>) {
        let by_key = objects
            .into_iter()
            .map(|object| (Key::of(&object), Arc::new(object)))
            .collect();
        self.kinds
            .write()
            .insert(kind.clone(), Objects { by_key, synced: true });
        self.changed();
    }

    /// Forgets a kind that is no longer watched.
    pub fn forget(&self, kind: &Kind) {
        self.kinds.write().remove(kind);
        self.changed();
    }

    pub fn get(&self, kind: &Kind, key: &Key) -> Option<Arc<Value>> {
        self.kinds.read().get(kind)?.by_key.get(key).cloned()
    }

    /// All objects of a kind, ordered by namespace and name.
    pub fn list(&self, kind: &Kind) -> Vec<Arc<Value>> {
        self.kinds
            .read()
            .get(kind)
            .map(|o| o.by_key.values().cloned().collect())
            .unwrap_or_default()
    }

    pub fn list_namespace(&self, kind: &Kind, namespace: &str) -> Vec<Arc<Value>> {
        let kinds = self.kinds.read();
        let Some(objects) = kinds.get(kind) else {
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
        let held = self.kinds.read();
        kinds
            .into_iter()
            .all(|kind| held.get(kind).is_some_and(|objects| objects.synced))
    }

    /// A hint that something changed; never data.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Grows with every change: what was computed from the index stands while this does.
    pub fn version(&self) -> u64 {
        *self.changes.borrow()
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
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
}
