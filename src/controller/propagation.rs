//! The loop from templates and policies to works, and from collected statuses back to templates.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{Context, complaints::Complaints};
use crate::{
    propagate::{policy::selected_kinds, reconcile},
    schedule,
    store::{Index, Kind, Watches, discover},
};

/// Everything is looked at anew at least this often, events or not.
const RESYNC: Duration = Duration::from_secs(10);
/// Events within this time are handled together.
const GATHER: Duration = Duration::from_millis(20);
/// A kind that was not there is asked for again after this time.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Runs until dropped.
pub(super) async fn run(context: &Arc<Context>) {
    let templates = Watches::new(context.client.clone(), context.index.clone());
    let mut known = TemplateKinds::default();
    let mut complaints = Complaints::default();
    let mut changes = context.index.subscribe();
    loop {
        let kinds = known.selected(context).await;
        let watched = context.kinds.watched();
        let own: Vec<Kind> = kinds
            .iter()
            .filter(|kind| !watched.contains(kind))
            .cloned()
            .collect();
        templates.set(&own);
        if context.index.synced(&kinds) {
            round(&context.index, context, &kinds, &mut complaints).await;
        }
        tokio::select! {
            _ = changes.changed() => {}
            () = tokio::time::sleep(RESYNC) => {}
        }
        tokio::time::sleep(GATHER).await;
        changes.mark_unchanged();
    }
}

async fn round(index: &Index, context: &Context, kinds: &[Kind], complaints: &mut Complaints) {
    let reconcile::Round {
        mut writes,
        complaints: found,
    } = reconcile::reconcile(index, &context.kinds, kinds);
    writes.extend(schedule::reconcile::reconcile(index, &context.kinds, wall()));
    writes.extend(complaints.tell(found, context.clock.now(), &context.kinds, index));
    context.writer.all(writes).await;
}

/// The date for conditions, and what Karmada measures tolerations by.
pub(super) fn wall() -> Timestamp {
    Timestamp::now()
}

/// Kinds that policies select, with what discovery said of them.
#[derive(Default)]
struct TemplateKinds {
    found: BTreeMap<(String, String), Kind>,
    missing: BTreeMap<(String, String), tokio::time::Instant>,
}

impl TemplateKinds {
    async fn selected(&mut self, context: &Context) -> Vec<Kind> {
        let mut unreadable = reconcile::Round::default();
        let policies = reconcile::policies(&context.index, &context.kinds, &mut unreadable);
        let mut kinds = Vec::new();
        for wanted in selected_kinds(&policies) {
            let asked = self
                .missing
                .get(&wanted)
                .is_some_and(|at| at.elapsed() < ASK_AGAIN);
            if !self.found.contains_key(&wanted) && !asked {
                match discover(&context.client, &wanted.0, &wanted.1).await {
                    Some(kind) => {
                        self.missing.remove(&wanted);
                        self.found.insert(wanted.clone(), kind);
                    }
                    None => {
                        self.missing.insert(wanted.clone(), tokio::time::Instant::now());
                    }
                }
            }
            kinds.extend(self.found.get(&wanted).cloned());
        }
        kinds
    }
}
