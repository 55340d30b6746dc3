//! The steering chain of a `TrafficPolicy`. By hand: Kubernetes wants one object with every key where the types have one
//! alternative a filter.

use lifeboat_dns::{Geo, Latency, Sticky};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::{fields_of, weight, with};

/// The keys of a step.
const STEPS: &str = "health, geo, latency, failover, capacity, weighted, sticky, all, rotation or max";

/// One step of a steering chain: an object with exactly one of the known keys.
pub(in crate::api) fn steer_chain(generator: &mut SchemaGenerator) -> Schema {
    let cluster = json!({ "type": "string", "minLength": 1, "maxLength": 253 });
    let clusters = json!({ "type": "array", "minItems": 1, "maxItems": 256, "items": cluster });
    let permille = json!({ "type": "integer", "format": "int32", "minimum": 0, "maximum": 999 });
    let addresses = json!({ "type": "integer", "format": "int32", "minimum": 1, "maximum": 64 });
    let about = |schema: &Value, description: &str| {
        let mut schema = schema.clone();
        schema["description"] = description.into();
        schema
    };
    json_schema!({
        "description": "Steps from candidates to answer, in the order health, geo, latency, failover, capacity, weighted, sticky or \
                        all, rotation, max. Where none chooses, one cluster is drawn by weight.",
        "type": "array",
        "minItems": 1,
        "maxItems": 10,
        "items": {
            "description": format!("Exactly one of {STEPS}."),
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "properties": {
                "health": { "description": "Leave out clusters that are Down. Always enforced.", "type": "object" },
                "geo": with(fields_of::<Geo>(generator), "The clusters that the client's whereabouts speak for."),
                "latency": with(fields_of::<Latency>(generator), "The clusters nearest to the client by round-trip time."),
                "failover": {
                    "description": "The first tier with a cluster that may answer.",
                    "type": "object",
                    "properties": {
                        "order": about(&clusters, "Names of member clusters, most wanted first: each a tier of its own."),
                        "tiers": {
                            "description": "Names of member clusters by tier, the most wanted first; in place of `order`.",
                            "type": "array", "minItems": 1, "maxItems": 64, "items": clusters,
                        },
                        "trickle": about(&permille, "Thousandths of the answers that go to the next tier all the same."),
                    },
                },
                "capacity": {
                    "description": "No cluster gets more than its ready replicas can take while others have room.",
                    "type": "object",
                    "properties": {
                        "headroom": about(&permille, "Thousandths of the ready replicas to be left free."),
                        "demand": {
                            "description": "What all clients ask for, in the load that one replica can take. Without it, as much as \
                                            all clusters can take.",
                            "type": "integer", "format": "int64", "minimum": 1, "maximum": u32::MAX,
                        },
                    },
                },
                "weighted": {
                    "description": "One cluster an answer, drawn anew for every query in proportion to these weights; clusters that are \
                                    not listed get nothing. Without any, in proportion to ready replicas times spec.weights.",
                    "type": "object",
                    "additionalProperties": weight(),
                },
                "sticky": with(fields_of::<Sticky>(generator), "One cluster an answer, the same for the same client network."),
                "all": {
                    "description": "Every cluster that may answer, another address first each time.",
                    "type": "object",
                    "properties": { "max": about(&addresses, "At most so many addresses.") },
                },
                "rotation": { "description": "Begins each answer at another address.", "type": "object" },
                "max": about(&addresses, "At most so many addresses an answer."),
            },
        },
    })
}
