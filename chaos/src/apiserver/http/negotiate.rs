//! In which form the client wants its objects.

use bytes::Bytes;
use serde_json::{Value, json};

use super::params::Params;
use crate::apiserver::convert;
use crate::apiserver::error::ApiError;
use crate::apiserver::kinds::Kind;
use crate::apiserver::stored::Stored;
use crate::apiserver::{clock, meta, table};

/// The form of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Object,
    /// `as=Table`, each row with this much of its object.
    Table(Include),
    /// `as=PartialObjectMetadata` or its list.
    Partial,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Include {
    None,
    Metadata,
    Object,
}

impl Form {
    /// Reads `Accept`; the first form we can serve wins.
    pub(super) fn choose(accept: &str, params: &Params) -> Result<Form, ApiError> {
        if accept.trim().is_empty() {
            return Ok(Form::Object);
        }
        for offer in accept.split(',') {
            let mut words = offer.split(';').map(str::trim);
            let media = words.next().unwrap_or_default();
            if !matches!(
                media,
                "application/json" | "*/*" | "application/*" | "application/yaml" | "text/html"
            ) {
                continue;
            }
            let wanted = words.filter_map(|word| word.strip_prefix("as=")).next();
            return match wanted {
                None => Ok(Form::Object),
                Some("Table") => Ok(Form::Table(match params.text("includeObject") {
                    Some("None") => Include::None,
                    Some("Object") => Include::Object,
                    Some(_) | None => Include::Metadata,
                })),
                Some("PartialObjectMetadata" | "PartialObjectMetadataList") => Ok(Form::Partial),
                Some(_) => continue,
            };
        }
        Err(ApiError::new(
            406,
            "NotAcceptable",
            "only the following media types are accepted: application/json",
        ))
    }

    /// One object.
    pub(super) fn object(self, kind: &Kind, object: Value, rv: u64) -> Value {
        match self {
            Form::Object => object,
            Form::Partial => partial(&object),
            Form::Table(include) => table_of(
                kind,
                std::iter::once(object),
                include,
                true,
                json!({"resourceVersion": rv.to_string()}),
            ),
        }
    }

    /// One object of a watch event; only the first table of a stream carries the columns.
    pub(super) fn event(self, kind: &Kind, bytes: &Bytes, first: bool) -> Bytes {
        if self == Form::Object {
            return bytes.clone();
        }
        let object: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let shaped = match self {
            Form::Object => return bytes.clone(),
            Form::Partial => partial(&object),
            Form::Table(include) => table_of(kind, std::iter::once(object), include, first, json!({})),
        };
        Bytes::from(shaped.to_string().into_bytes())
    }

    /// A page of a list.
    pub(super) fn list(self, kind: &Kind, items: &[std::sync::Arc<Stored>], metadata: Value) -> Bytes {
        match self {
            Form::Object => object_list(kind, items, &metadata),
            Form::Partial => {
                let items: Vec<Value> = items.iter().map(|stored| partial(&stored.value())).collect();
                let list = json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                    "metadata": metadata, "items": items});
                Bytes::from(list.to_string().into_bytes())
            }
            Form::Table(include) => {
                let objects = items.iter().map(|stored| convert::value(kind, stored));
                Bytes::from(
                    table_of(kind, objects, include, true, metadata)
                        .to_string()
                        .into_bytes(),
                )
            }
        }
    }
}

/// The stored texts side by side: a list costs no decoding.
fn object_list(kind: &Kind, items: &[std::sync::Arc<Stored>], metadata: &Value) -> Bytes {
    let head = format!(
        "{{\"kind\":{},\"apiVersion\":{},\"metadata\":{metadata},\"items\":[",
        json!(kind.list_kind),
        json!(kind.api_version())
    );
    let size: usize = items.iter().map(|stored| stored.bytes.len() + 1).sum();
    let mut text = Vec::with_capacity(head.len() + size + 2);
    text.extend_from_slice(head.as_bytes());
    for (index, stored) in items.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        text.extend_from_slice(&convert::bytes(kind, stored));
    }
    text.extend_from_slice(b"]}");
    Bytes::from(text)
}

pub(super) fn partial(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": object.get("metadata").cloned().unwrap_or_else(|| json!({}))})
}

fn table_of(
    kind: &Kind,
    objects: impl Iterator<Item = Value>,
    include: Include,
    columns: bool,
    mut metadata: Value,
) -> Value {
    let now = clock::now();
    let rows: Vec<Value> = objects
        .map(|object| {
            if metadata.as_object().is_some_and(serde_json::Map::is_empty) {
                metadata =
                    json!({"resourceVersion": meta::text(&object, "resourceVersion").unwrap_or_default()});
            }
            let cells = table::row(kind, &object, now);
            match include {
                Include::None => json!({"cells": cells, "object": null}),
                Include::Metadata => json!({"cells": cells, "object": partial(&object)}),
                Include::Object => json!({"cells": cells, "object": object}),
            }
        })
        .collect();
    let columns = if columns { table::columns(kind) } else { Vec::new() };
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "columnDefinitions": columns, "rows": rows})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(accept: &str, expected: Option<Form>) {
        assert_eq!(
            Form::choose(accept, &Params::default()).ok(),
            expected,
            "{accept}"
        );
    }

    #[test]
    fn accept_headers() {
        check("", Some(Form::Object));
        check("application/json", Some(Form::Object));
        check("*/*", Some(Form::Object));
        check(
            "application/vnd.kubernetes.protobuf,application/json",
            Some(Form::Object),
        );
        check(
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
            Some(Form::Table(Include::Metadata)),
        );
        check(
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
            Some(Form::Partial),
        );
        check("application/json;as=Bogus, application/json", Some(Form::Object));
        check("application/vnd.kubernetes.protobuf", None);
    }
}
