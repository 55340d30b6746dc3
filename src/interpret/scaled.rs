//! Deployment, StatefulSet, ReplicaSet, DaemonSet: their status is how many of how many.

use serde_json::{Map, Value, json};

use super::{
    Item, TEMPLATE_GENERATION,
    counts::{self, Count, number, optional, required},
};
use crate::store::{annotation, generation};

pub(super) const DEPLOYMENT: &[Count] = &[
    optional("replicas"),
    optional("updatedReplicas"),
    optional("readyReplicas"),
    optional("availableReplicas"),
    optional("unavailableReplicas"),
];
pub(super) const STATEFUL_SET: &[Count] = &[
    required("availableReplicas"),
    required("replicas"),
    optional("currentReplicas"),
    optional("readyReplicas"),
    optional("updatedReplicas"),
];
pub(super) const REPLICA_SET: &[Count] = &[
    required("replicas"),
    optional("readyReplicas"),
    optional("availableReplicas"),
];
pub(super) const DAEMON_SET: &[Count] = &[
    required("currentNumberScheduled"),
    required("desiredNumberScheduled"),
    required("numberMisscheduled"),
    required("numberReady"),
    optional("numberAvailable"),
    optional("updatedNumberScheduled"),
    optional("numberUnavailable"),
];

/// The numbers, with the generations that tell which spec they are about.
pub(super) fn reflect(observed: &Value, status: &Value, counts: &[Count]) -> Value {
    let mut reflected = Map::new();
    counts::write(&mut reflected, counts, |name| number(status, name));
    let of_template = annotation(observed, TEMPLATE_GENERATION).and_then(|text| text.parse::<i64>().ok());
    let generations = [
        ("generation", generation(observed)),
        ("observedGeneration", number(status, "observedGeneration")),
        ("resourceTemplateGeneration", of_template.unwrap_or(0)),
    ];
    for (name, generation) in generations {
        if generation != 0 {
            reflected.insert(name.to_owned(), json!(generation));
        }
    }
    Value::Object(reflected)
}

/// The sums. `observedGeneration` rises once every member has seen the newest template, as Argo CD and
/// `kubectl rollout status` expect of it.
pub(super) fn aggregate(template: &Value, items: &[Item], counts: &[Count]) -> Value {
    let mut status = counts::current(template);
    counts::write(&mut status, counts, |name| counts::sum(items, name));
    let wanted = generation(template);
    let seen = |item: &Item| {
        item.status.as_ref().is_some_and(|status| {
            number(status, "resourceTemplateGeneration") >= wanted
                && number(status, "observedGeneration") >= number(status, "generation")
        })
    };
    if wanted != 0 && items.iter().all(seen) {
        status.insert("observedGeneration".to_owned(), json!(wanted));
    }
    Value::Object(status)
}

pub(super) fn deployment_is_healthy(observed: &Value, status: &Value) -> bool {
    let updated = number(status, "updatedReplicas");
    observes_newest(observed, status)
        && wanted(observed).is_none_or(|wanted| updated >= wanted)
        && number(status, "availableReplicas") >= updated
}

/// A partitioned rolling update is complete once the pods at and above the partition are updated.
pub(super) fn stateful_set_is_healthy(observed: &Value, status: &Value) -> bool {
    let (updated, available) = (
        number(status, "updatedReplicas"),
        number(status, "availableReplicas"),
    );
    let partition = observed
        .pointer("/spec/updateStrategy/rollingUpdate/partition")
        .and_then(Value::as_i64);
    observes_newest(observed, status)
        && wanted(observed)
            .is_none_or(|wanted| updated >= wanted - partition.unwrap_or(0) && available >= wanted)
        && available >= updated
}

pub(super) fn replica_set_is_healthy(observed: &Value, status: &Value) -> bool {
    observes_newest(observed, status)
        && wanted(observed).is_none_or(|wanted| number(status, "availableReplicas") >= wanted)
}

pub(super) fn daemon_set_is_healthy(observed: &Value, status: &Value) -> bool {
    let updated = number(status, "updatedNumberScheduled");
    observes_newest(observed, status)
        && updated >= number(status, "desiredNumberScheduled")
        && number(status, "numberAvailable") >= updated
}

fn observes_newest(observed: &Value, status: &Value) -> bool {
    number(status, "observedGeneration") == generation(observed)
}

fn wanted(observed: &Value) -> Option<i64> {
    observed.pointer("/spec/replicas").and_then(Value::as_i64)
}
