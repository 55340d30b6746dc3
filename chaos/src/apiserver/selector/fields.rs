//! `fieldSelector`: equality on the fields a kind offers.

use serde_json::Value;

use crate::apiserver::kinds::Kind;
use crate::apiserver::stored::Stored;

/// A conjunction of equalities.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FieldSelector(Vec<(String, bool, String)>);

/// Selectable fields by group resource, beyond `metadata.name` and `metadata.namespace`.
fn offered(kind: &Kind) -> &'static [&'static str] {
    match (kind.group.as_str(), kind.resource.as_str()) {
        ("", "pods") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        ("", "events") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("events.k8s.io", "events") => &[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "reason",
            "type",
        ],
        ("", "nodes") => &["spec.unschedulable"],
        ("", "namespaces") => &["status.phase"],
        ("", "secrets") => &["type"],
        ("", "services") => &["spec.clusterIP", "spec.type"],
        ("", "replicationcontrollers") | ("apps", "replicasets") => &["status.replicas"],
        ("batch", "jobs") => &["status.successful"],
        _ => &[],
    }
}

/// Takes the selectable values out of an object, in storage form.
pub(crate) fn extract(kind: &Kind, object: &Value) -> Box<[(Box<str>, Box<str>)]> {
    let offered: &[&str] = if &*kind.storage == "events" {
        &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ]
    } else {
        offered(kind)
    };
    offered
        .iter()
        .filter_map(|path| Some(((*path).into(), read(object, path)?.into())))
        .collect()
}

fn read(object: &Value, path: &str) -> Option<String> {
    let path = match path {
        "source" => "source.component",
        "status.successful" => "status.succeeded",
        other => other,
    };
    match path.split('.').try_fold(object, |value, name| value.get(name))? {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

impl FieldSelector {
    pub(crate) fn parse(text: &str, kind: &Kind) -> Result<FieldSelector, String> {
        let mut terms = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (field, equal, value) = if let Some((field, value)) = part.split_once("!=") {
                (field, false, value)
            } else if let Some((field, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
                (field, true, value)
            } else {
                return Err(format!(
                    "invalid selector: {part:?}; can't understand: expected FIELD=VALUE or FIELD!=VALUE"
                ));
            };
            let known =
                matches!(field, "metadata.name" | "metadata.namespace") || offered(kind).contains(&field);
            if !known {
                return Err(format!(
                    "\"{field}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"{}",
                    listed(kind)
                ));
            }
            let stored = field.replace("regarding.", "involvedObject.");
            terms.push((stored, equal, value.replace("\\,", ",").replace("\\=", "=")));
        }
        Ok(FieldSelector(terms))
    }

    pub(crate) fn matches(&self, stored: &Stored) -> bool {
        self.0.iter().all(|(field, equal, value)| {
            let found = match field.as_str() {
                "metadata.name" => &*stored.name,
                "metadata.namespace" => &*stored.namespace,
                other => stored.fields.iter().find(|(key, _)| **key == *other).map_or_else(
                    || {
                        if other == "spec.unschedulable" || other == "spec.hostNetwork" {
                            "false"
                        } else {
                            ""
                        }
                    },
                    |(_, value)| value,
                ),
            };
            (found == value) == *equal
        })
    }
}

fn listed(kind: &Kind) -> String {
    offered(kind)
        .iter()
        .map(|field| format!(", \"{field}\""))
        .collect()
}
