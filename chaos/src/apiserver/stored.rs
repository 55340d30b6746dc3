//! One stored object: compact JSON text, and the few facts lists and watches select by, taken out once.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::kinds::Kind;
use super::meta;
use super::selector::fields;

/// An object as it was at one resource version; never changed, only replaced.
#[derive(Debug)]
pub(crate) struct Stored {
    pub bytes: Bytes,
    pub rv: u64,
    pub namespace: Box<str>,
    pub name: Box<str>,
    pub uid: Box<str>,
    pub labels: Box<[(Box<str>, Box<str>)]>,
    /// Values of the kind's selectable fields beyond name and namespace.
    pub fields: Box<[(Box<str>, Box<str>)]>,
    /// UIDs of the owners.
    pub owners: Box<[Box<str>]>,
    pub deleting: bool,
}

impl Stored {
    /// Encodes an object whose resource version is already written in it.
    pub(crate) fn new(kind: &Kind, object: &Value, rv: u64) -> Stored {
        let labels = object.pointer("/metadata/labels").and_then(Value::as_object);
        let labels = labels.into_iter().flatten();
        let owners = object
            .pointer("/metadata/ownerReferences")
            .and_then(Value::as_array);
        let owners = owners
            .into_iter()
            .flatten()
            .filter_map(|owner| owner.get("uid")?.as_str());
        Stored {
            bytes: Bytes::from(object.to_string().into_bytes()),
            rv,
            namespace: meta::namespace(object).into(),
            name: meta::name(object).into(),
            uid: meta::uid(object).into(),
            labels: labels
                .filter_map(|(k, v)| Some((k.as_str().into(), v.as_str()?.into())))
                .collect(),
            fields: fields::extract(kind, object),
            owners: owners.map(Into::into).collect(),
            deleting: meta::is_deleting(object),
        }
    }

    /// Decoded again. What was encoded by us decodes; null if memory itself were damaged.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    pub(crate) fn key(&self) -> Key {
        Key::new(&self.namespace, &self.name)
    }

    /// Bytes this object holds, roughly.
    pub(crate) fn weight(&self) -> usize {
        self.bytes.len() + 256
    }
}

/// `namespace/name`, in the order lists have; cluster-scoped objects have an empty namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(Box<str>);

impl Key {
    pub(crate) fn new(namespace: &str, name: &str) -> Key {
        Key(format!("{namespace}/{name}").into())
    }

    /// The keys of one namespace lie in `first..last`.
    pub(crate) fn namespace_range(namespace: &str) -> std::ops::Range<Key> {
        // '0' follows '/' in byte order.
        Key(format!("{namespace}/").into())..Key(format!("{namespace}0").into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn from_text(text: &str) -> Key {
        Key(text.into())
    }
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Added,
    Modified,
    Deleted,
}

/// One entry of the history.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub rv: u64,
    pub table: Arc<str>,
    pub change: Change,
    /// The object after the change; for a deletion, its last state.
    pub object: Arc<Stored>,
    pub previous: Option<Arc<Stored>>,
}
