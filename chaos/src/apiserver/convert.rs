//! Between the version an object is stored in and the version it is asked in.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::kinds::{Conversion, Kind};
use super::stored::Stored;

/// The object in the version of `kind`.
pub(crate) fn value(kind: &Kind, stored: &Stored) -> Value {
    from_storage(kind, stored.value())
}

/// The object as JSON text in the version of `kind`; no work where it is stored in that version.
pub(crate) fn bytes(kind: &Kind, stored: &Stored) -> Bytes {
    match kind.conversion() {
        Conversion::None => stored.bytes.clone(),
        Conversion::ApiVersion | Conversion::Event => {
            Bytes::from(value(kind, stored).to_string().into_bytes())
        }
    }
}

pub(crate) fn from_storage(kind: &Kind, mut object: Value) -> Value {
    match kind.conversion() {
        Conversion::None => object,
        Conversion::ApiVersion => {
            object["apiVersion"] = kind.api_version().into();
            object
        }
        Conversion::Event => rename(
            object,
            &kind.api_version(),
            EVENT_FIELDS.iter().map(|(a, b)| (*a, *b)),
        ),
    }
}

pub(crate) fn to_storage(kind: &Kind, object: Value) -> Value {
    match kind.conversion() {
        Conversion::None | Conversion::ApiVersion => object,
        Conversion::Event => rename(object, "v1", EVENT_FIELDS.iter().map(|(a, b)| (*b, *a))),
    }
}

/// Core events and `events.k8s.io` events are one object with differently named fields.
const EVENT_FIELDS: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

fn rename<'a>(object: Value, api_version: &str, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    let Value::Object(mut map) = object else {
        return object;
    };
    let mut renamed = Map::new();
    for (from, to) in pairs {
        if let Some(value) = map.remove(from) {
            renamed.insert(to.to_owned(), value);
        }
    }
    map.extend(renamed);
    map.insert("apiVersion".to_owned(), json!(api_version));
    Value::Object(map)
}
