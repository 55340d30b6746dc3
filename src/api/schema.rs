//! Schema fragments that the derive macro cannot express, named after the fields that use them.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::policy::ClusterAffinity;

mod dns;
mod observer;
mod service;
mod steer;

pub(super) use dns::{addresses, dns_name, mailbox};
pub(super) use observer::{consumers, region};
pub(super) use service::{https, svcb};
pub(super) use steer::steer_chain;

/// Any JSON object, kept as it is.
pub(super) fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

/// A list of manifests, each kept as it is.
pub(super) fn manifests(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "The objects to be applied in the member cluster, as they are to appear there.",
        "type": "array",
        "items": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
    })
}

/// Go's `int`, which Karmada's schemas leave without a format.
pub(super) fn plain_int(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer" })
}

/// How a workload leaves a cluster that failed as a whole; `Never` is not possible there.
pub(super) fn cluster_purge_mode(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "How the workload leaves a cluster that failed: Directly (removed before it is placed \
                        elsewhere) or Gracefully (kept until its replacement is healthy, or the grace period ends).",
        "type": "string",
        "enum": ["Directly", "Gracefully"],
        "default": "Gracefully",
    })
}

/// How a workload leaves a cluster where the application itself failed.
pub(super) fn application_purge_mode(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "How the workload leaves a cluster where the application failed: Directly, Gracefully or Never.",
        "type": "string",
        "enum": ["Directly", "Gracefully", "Never"],
        "default": "Gracefully",
    })
}

/// What to do when the object exists in the member cluster already.
pub(super) fn conflict_resolution(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "What to do when the object exists in a member cluster already: Abort or Overwrite.",
        "type": "string",
        "enum": ["Abort", "Overwrite"],
        "default": "Abort",
    })
}

/// A string that is one of the given values.
pub(super) fn sync_mode(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "Push: the control plane talks to the member's API. Pull: an agent in the member fetches its works.",
        "type": "string",
        "enum": ["Push", "Pull"],
    })
}

/// Cluster name to a factor for its ready replicas.
pub(super) fn weights(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "Factor by member cluster for its ready replicas; 1 where not named, 0 keeps a cluster out.",
        "type": "object",
        "additionalProperties": weight(),
    })
}

fn weight() -> Value {
    json!({ "type": "integer", "format": "int64", "minimum": 0, "maximum": 1_000_000 })
}

/// Karmada's `ClusterAffinity`, with the operators that its own schema leaves open.
pub(super) fn failover_clusters(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = generator.subschema_for::<ClusterAffinity>();
    schema.insert(
        "description".into(),
        "Clusters this policy is for; all when absent.".into(),
    );
    for (selector, operators) in [
        ("labelSelector", &["In", "NotIn", "Exists", "DoesNotExist"][..]),
        ("fieldSelector", &["In", "NotIn"]),
    ] {
        let operator =
            format!("/properties/{selector}/properties/matchExpressions/items/properties/operator");
        if let Some(Value::Object(operator)) = schema.pointer_mut(&operator) {
            operator.insert("enum".into(), json!(operators));
        }
    }
    schema
}

/// A Go duration that may not be negative.
pub(super) fn duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "maxLength": 32,
        "x-kubernetes-validations": [{
            "rule": "self.matches('^([0-9]+([.][0-9]+)?(ns|us|µs|ms|s|m|h))+$')",
            "message": "must be a duration: numbers with the units h, m, s or ms, such as 30s, 500ms or 1h30m",
        }],
    })
}

/// The time a cluster must have been Down before replicas are moved.
pub(super) fn hold(generator: &mut SchemaGenerator) -> Schema {
    with(
        duration(generator),
        "How long a cluster must be Down on both paths before replicas are moved; 30s where no policy says so.",
    )
}

/// The time a returned cluster must have been Up before replicas move back.
pub(super) fn settle(generator: &mut SchemaGenerator) -> Schema {
    with(
        duration(generator),
        "How long a returned cluster must be Up before replicas move back; 60s where no policy says so.",
    )
}

/// The schema of a type of another crate.
fn fields_of<T: schemars::JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = generator.subschema_for::<T>();
    if let Some(map) = schema.as_object_mut() {
        map.values_mut().for_each(structural);
        map.remove("additionalProperties");
    }
    schema
}

/// A structural schema may not deny unknown fields: API servers drop them.
fn structural(schema: &mut Value) {
    if let Some(map) = schema.as_object_mut() {
        if map.get("additionalProperties") == Some(&Value::Bool(false)) {
            map.remove("additionalProperties");
        }
        map.values_mut().for_each(structural);
    } else if let Some(items) = schema.as_array_mut() {
        items.iter_mut().for_each(structural);
    }
}

fn with(mut schema: Schema, description: &str) -> Schema {
    schema.insert("description".into(), description.into());
    schema
}
