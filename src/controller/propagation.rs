//! The loop from templates and policies to works, and from collected statuses back to templates.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{Context, complaints::Complaints, graceful_eviction};
use crate::{
    propagate::{policy::selected_kinds, reconcile},
    schedule,
    store::{Discovery, Index, Kind, Served, Watches},
};

/// Everything is looked at anew at least this often, events or not.
const RESYNC: Duration = Duration::from_secs(10);
/// Events within this time are handled together.
const GATHER: Duration = Duration::from_millis(20);

/// Runs until dropped.
pub(super) async fn run(context: &Arc<Context>) {
    let templates = Watches::new(context.client.clone(), context.index.clone());
    let mut discovery = Discovery::new(context.client.clone());
    let mut complaints = Complaints::default();
    let mut changes = context.index.subscribe();
    loop {
        let kinds = template_kinds(context, &mut discovery).await;
        let watched = context.kinds.watched();
        let own: Vec<Kind> = kinds
            .iter()
            .filter(|kind| !watched.contains(kind))
            .cloned()
            .collect();
        templates.set(&own);
        let mut wait = RESYNC;
        if context.index.synced(&kinds) {
            wait = wait.min(round(&context.index, context, &kinds, &mut complaints).await);
        }
        tokio::select! {
            _ = changes.changed() => {}
            () = tokio::time::sleep(wait) => {}
        }
        tokio::time::sleep(GATHER).await;
        changes.mark_unchanged();
    }
}

/// Returns when an eviction task runs out of time, if that is what comes next.
async fn round(index: &Index, context: &Context, kinds: &[Kind], complaints: &mut Complaints) -> Duration {
    let reconcile::Round {
        mut writes,
        complaints: found,
    } = reconcile::reconcile(index, &context.kinds, kinds);
    writes.extend(schedule::reconcile::reconcile(index, &context.kinds, wall()));
    writes.extend(complaints.tell(found, context.clock.now(), &context.kinds, index));
    let tasks = graceful_eviction::round(index, &context.kinds, &context.fresh.load(), wall());
    writes.extend(tasks.writes);
    context.writer.all(writes).await;
    let retry = tasks.retry.and_then(|retry| Duration::try_from(retry).ok());
    retry.unwrap_or(RESYNC)
}

/// The date for conditions, and what Karmada measures tolerations by.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that stamps what is written"
)]
pub(super) fn wall() -> Timestamp {
    Timestamp::now()
}

/// Kinds that policies select, as the API server serves them.
async fn template_kinds(context: &Context, discovery: &mut Discovery) -> Vec<Kind> {
    let mut unreadable = reconcile::Round::default();
    let policies = reconcile::policies(&context.index, &context.kinds, &mut unreadable);
    let mut kinds = Vec::new();
    for (api_version, kind) in selected_kinds(&policies) {
        if let Served::Yes(kind) = discovery.ask(&api_version, &kind).await {
            kinds.push(kind);
        }
    }
    kinds
}
