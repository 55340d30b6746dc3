//! The loop that compiles and publishes the steering plan, and tells each policy and zone how it fares.

use std::{sync::Arc, time::Duration};

use lifeboat_dns::SnapshotInput;
use serde_json::{Map, Value, json};

use super::{Context, propagation::wall, reader};
use crate::{
    steer::{
        assembler,
        compile::{self, Input, ObjectCondition, ObjectKey, Reason},
        publisher, read,
    },
    store::{Key, Kind, Op, Outcome, Write, conditions},
};

/// Everything is looked at anew at least this often, events or not.
const RESYNC: Duration = Duration::from_secs(1);
/// Events within this time are handled together.
const GATHER: Duration = Duration::from_millis(20);

/// Runs until dropped.
pub(super) async fn run(context: &Arc<Context>, epoch: u64, fleet_uid: &str) {
    let mut previous = match assembler::published(&context.index, &context.kinds) {
        Ok(previous) => previous,
        Err(error) => {
            tracing::warn!(error = %error, "the published steering plan is unusable, a new one is made");
            None
        }
    };
    let mut changes = context.index.subscribe();
    loop {
        round(context, epoch, fleet_uid, &mut previous).await;
        tokio::select! {
            _ = changes.changed() => {}
            () = tokio::time::sleep(RESYNC) => {}
        }
        tokio::time::sleep(GATHER).await;
        changes.mark_unchanged();
    }
}

async fn round(context: &Context, epoch: u64, fleet_uid: &str, previous: &mut Option<SnapshotInput>) {
    let picture = read::picture(&context.index, &context.kinds, &context.fresh.load());
    let health = reader::health(&context.verdicts());
    let input = Input {
        fleet_uid,
        epoch,
        zones: &picture.zones,
        policies: &picture.policies,
        workloads: &picture.workloads,
        clusters: &picture.clusters,
        health: &health,
        freeze: context.status.load().freeze,
        previous: previous.as_ref(),
    };
    let compile::Output {
        plan,
        changed,
        conditions,
    } = compile::compile(&input);
    if changed && publish(context, &plan).await {
        *previous = Some(plan);
    }
    let served = previous.as_ref();
    let mut reports: Vec<Write> = conditions
        .iter()
        .filter_map(
            |ObjectCondition {
                 object,
                 status,
                 reason,
                 message,
             }| {
                let status = if *status { "True" } else { "False" };
                report(context, object, (status, reason.as_str(), message), served)
            },
        )
        .collect();
    for (object, message) in &picture.unreadable {
        reports.extend(report(context, object, ("False", "Unreadable", message), served));
    }
    context.writer.all(reports).await;
}

/// Whether the plan stands in the API now.
async fn publish(context: &Context, plan: &SnapshotInput) -> bool {
    let before = context
        .index
        .get(&context.kinds.steering_plan, &Key::new("", publisher::HEAD))
        .map(|head| publisher::named(&head))
        .unwrap_or_default();
    let publication = match publisher::publication(plan, &context.index, &context.kinds) {
        Ok(publication) => publication,
        Err(error) => {
            tracing::error!(error = %error, "the steering plan cannot be published");
            return false;
        }
    };
    for shard in &publication.shards {
        if let Err(error) = context.writer.one(shard).await {
            tracing::warn!(error = %error, "a shard of the steering plan was not stored");
            return false;
        }
    }
    match context.writer.one(&publication.head).await {
        Ok(Outcome::Done) => {
            let head = context
                .index
                .get(&context.kinds.steering_plan, &Key::new("", publisher::HEAD));
            let mut keep = head.map(|head| publisher::named(&head)).unwrap_or_default();
            keep.extend(before);
            context
                .writer
                .all(publisher::garbage(&context.index, &context.kinds, &keep))
                .await;
            tracing::debug!(
                epoch = plan.stamp.epoch,
                seq = plan.stamp.seq,
                "steering plan published"
            );
            true
        }
        Ok(outcome @ (Outcome::Conflict | Outcome::Moot)) => {
            tracing::warn!(?outcome, "another controller published a steering plan");
            false
        }
        Err(error) => {
            tracing::warn!(error = %error, "the head of the steering plan was not stored");
            false
        }
    }
}

/// The status of a policy or a zone: its condition, and what of it the published plan serves.
fn report(
    context: &Context,
    object: &ObjectKey,
    ready: (&str, &str, &str),
    plan: Option<&SnapshotInput>,
) -> Option<Write> {
    let kind: &Kind = match object.kind.as_str() {
        "Zone" => &context.kinds.zone,
        "TrafficPolicy" => &context.kinds.traffic_policy,
        // A cluster's conditions are the failover loop's.
        _ => return None,
    };
    let key = Key::new(object.namespace.as_deref().unwrap_or(""), &object.name);
    let held = context.index.get(kind, &key)?;
    let (field, mut served) = served(&held, &object.name, *kind == context.kinds.zone, plan);
    if ready.1 == Reason::NameTaken.as_str() {
        // What is served under the name is another's.
        served = json!("");
    }
    let stamp = conditions::stamp(wall());
    let wanted = conditions::condition(&held, "Ready", ready, &stamp);
    let conditions = conditions::with(&held, [conditions::observed(&held, wanted)]);
    let mut status = Map::new();
    if let Some(conditions) = conditions {
        status.insert("conditions".to_owned(), json!(conditions));
    }
    if held.pointer(&format!("/status/{field}")) != Some(&served) {
        status.insert(field.to_owned(), served);
    }
    if status.is_empty() {
        return None;
    }
    let patch = json!({ "status": status });
    Some(Write {
        kind: kind.clone(),
        key,
        op: Op::MergeStatus(patch),
    })
}

/// A zone's number of steered names; a policy's clusters in the plan.
fn served(held: &Value, name: &str, zone: bool, plan: Option<&SnapshotInput>) -> (&'static str, Value) {
    let names = plan.map(|plan| plan.names.as_slice()).unwrap_or_default();
    let same = |a: &str, b: &str| {
        a.trim_end_matches('.')
            .eq_ignore_ascii_case(b.trim_end_matches('.'))
    };
    if zone {
        return (
            "names",
            json!(names.iter().filter(|entry| same(&entry.zone, name)).count()),
        );
    }
    let global = held
        .pointer("/spec/name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let clusters: Vec<&str> = names
        .iter()
        .filter(|entry| same(&entry.name, global))
        .flat_map(|entry| entry.endpoints.iter().map(|endpoint| endpoint.cluster.as_str()))
        .collect();
    ("clusters", json!(clusters.join(",")))
}
