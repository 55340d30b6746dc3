//! What is wrong with an object, told once, as an Event of it: Karmada's policies have no status, and of a binding
//! whose works cannot be written nothing else says so.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use lifeboat_health::MonoTime;
use serde_json::json;

use super::{Kinds, propagation::wall};
use crate::store::{Index, Key, Kind, Op, Write, conditions, uid};

/// A complaint must stand this long: objects applied together come one after the other.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is being complained about, since when, and whether it was told.
#[derive(Default)]
pub(super) struct Complaints {
    standing: BTreeMap<(Kind, Key, String), (MonoTime, bool)>,
}

impl Complaints {
    /// Events for the complaints among `found` that have stood long enough and were not told yet.
    pub(super) fn tell(
        &mut self,
        found: Vec<(Kind, Key, String)>,
        now: MonoTime,
        kinds: &Kinds,
        index: &Index,
    ) -> Vec<Write> {
        self.standing.retain(|complaint, _| found.contains(complaint));
        let mut writes = Vec::new();
        for complaint in found {
            let (since, told) = self.standing.entry(complaint.clone()).or_insert((now, false));
            if *told || now.saturating_since(*since) < PATIENCE {
                continue;
            }
            *told = true;
            let (kind, key, message) = complaint;
            let policy = kind == kinds.policy || kind == kinds.cluster_policy;
            let reason = if policy { "ApplyPolicyFailed" } else { "SyncFailed" };
            tracing::warn!(kind = kind.kind, object = %key, reason, message, "told as an Event");
            writes.extend(event(kinds, index, (&kind, &key), reason, &message));
        }
        writes
    }
}

fn event(
    kinds: &Kinds,
    index: &Index,
    (kind, key): (&Kind, &Key),
    reason: &str,
    message: &str,
) -> Option<Write> {
    let object = index.get(kind, key)?;
    let namespace = if key.namespace.is_empty() {
        "default"
    } else {
        key.namespace.as_str()
    };
    let stamp = conditions::stamp(wall());
    // Each complaint of an object has an Event of its own.
    let mut hasher = DefaultHasher::new();
    message.hash(&mut hasher);
    let name = format!("{}.{}.{:016x}", key.name, reason.to_lowercase(), hasher.finish());
    let event = json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": { "name": name, "namespace": namespace },
        "involvedObject": {
            "apiVersion": kind.api_version(), "kind": kind.kind, "name": key.name, "namespace": key.namespace,
            "uid": uid(&object),
        },
        "type": "Warning", "reason": reason, "message": message,
        "source": { "component": "lifeboat-controller" },
        "firstTimestamp": stamp, "lastTimestamp": stamp, "count": 1,
    });
    Some(Write {
        kind: kinds.event.clone(),
        key: Key::new(namespace, &name),
        op: Op::Create(event),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn each_complaint_of_an_object_is_told_once_by_an_event_of_its_own() {
        let (index, kinds) = (Index::default(), Kinds::default());
        let policy = json!({
            "apiVersion": kinds.policy.api_version(), "kind": kinds.policy.kind,
            "metadata": { "name": "shop", "namespace": "default", "uid": "u", "resourceVersion": "1" },
        });
        index.apply(&kinds.policy, policy);
        let complaint = |message: &str| {
            let key = Key::new("default", "shop");
            (kinds.policy.clone(), key, message.to_owned())
        };
        let (one, other) = (complaint("selects nothing"), complaint("knows no cluster \"x\""));
        let both = || vec![one.clone(), other.clone()];
        let mut complaints = Complaints::default();
        let mut told = |found: Vec<_>, seconds: u64| -> Vec<(String, Value)> {
            let now = MonoTime::ZERO + Duration::from_secs(seconds);
            let writes = complaints.tell(found, now, &kinds, &index).into_iter();
            let told = writes.filter_map(|write| match write.op {
                Op::Create(event) => Some((write.key.name, event["message"].clone())),
                Op::Merge(_) | Op::MergeStatus(_) | Op::Apply(_) | Op::Delete { .. } => None,
            });
            told.collect()
        };
        assert_eq!(told(both(), 0), []);
        assert_eq!(told(both(), 4), []);
        let events = told(both(), 5);
        assert_eq!(
            events.iter().map(|(_, message)| message).collect::<Vec<_>>(),
            ["selects nothing", "knows no cluster \"x\""]
        );
        assert_ne!(events[0].0, events[1].0);
        assert_eq!(told(both(), 60), []);
        // One that went and came back is told again.
        assert_eq!(told(vec![one.clone()], 61), []);
        assert_eq!(told(both(), 62), []);
        assert_eq!(told(both(), 70), [events[1].clone()]);
    }
}
