//! The loop from templates and policies to works, and from collected statuses back to templates.

#![allow(
    clippy::disallowed_methods,
    reason = "the shell of IO: it waits and times its own rounds"
)]

use std::{panic::resume_unwind, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{task::spawn_blocking, time::Instant};

use super::{Context, Kinds, complaints::Complaints, graceful_eviction};
use crate::{
    propagate::{dependencies, policy::selected_kinds, reconcile, works},
    schedule,
    store::{Discovery, Index, Key, Kind, Op, PatientWriter, Served, Watches, Write},
};

/// Everything is looked at anew at least this often, events or not.
const RESYNC: Duration = Duration::from_secs(10);
/// Events within this time are handled together.
const GATHER: Duration = Duration::from_millis(20);
/// Events are gathered for at least this many times as long as the last round took: a storm of them leaves most
/// of a core to others.
const REST: u32 = 3;
/// The longest time events are gathered for.
const LONGEST_GATHER: Duration = Duration::from_secs(2);
/// The least time between two rounds that no event asked for.
const RETRY: Duration = Duration::from_millis(250);

/// Runs until dropped.
pub(super) async fn run(context: &Arc<Context>) {
    let templates = Watches::new(context.client.clone(), context.index.clone());
    let mut discovery = Discovery::new(context.client.clone());
    let mut complaints = Complaints::default();
    let mut writer = PatientWriter::new(context.writer.clone());
    let mut changes = context.index.subscribe();
    let own = own_kinds(&context.kinds);
    loop {
        let kinds = template_kinds(context, &mut discovery).await;
        let watched = context.kinds.watched();
        let unwatched: Vec<Kind> = kinds
            .iter()
            .filter(|kind| !watched.contains(kind))
            .cloned()
            .collect();
        templates.set(&unwatched);
        // The steering plan and others change all the time, and nothing follows from them here.
        let version = || context.index.version_of(own.iter().chain(&kinds));
        let read = version();
        let mut ended = Ended::default();
        if context.index.synced(&kinds) {
            ended = round(context, &kinds, &mut complaints, &mut writer).await;
        }
        let resync = Instant::now() + ended.retry.map_or(RESYNC, |retry| retry.min(RESYNC));
        let retry = writer.next().unwrap_or(resync);
        let due = resync.min(retry).max(Instant::now() + RETRY);
        loop {
            tokio::select! {
                _ = changes.changed() => if version() == read { continue },
                () = tokio::time::sleep_until(due) => {}
            }
            break;
        }
        tokio::time::sleep((ended.took * REST).clamp(GATHER, LONGEST_GATHER)).await;
        changes.mark_unchanged();
    }
}

/// What a round reads besides templates.
fn own_kinds(kinds: &Kinds) -> Vec<Kind> {
    let own = [
        &kinds.cluster,
        &kinds.policy,
        &kinds.cluster_policy,
        &kinds.binding,
        &kinds.cluster_binding,
        &kinds.work,
        &kinds.namespace,
    ];
    own.into_iter().cloned().collect()
}

/// How a round ended.
#[derive(Default)]
struct Ended {
    /// How long the computation took.
    took: Duration,
    /// When an eviction task runs out of time.
    retry: Option<Duration>,
}

/// Computes from one moment's state, off this thread, so that no other loop waits for it.
async fn round(
    context: &Context,
    templates: &[Kind],
    complaints: &mut Complaints,
    writer: &mut PatientWriter,
) -> Ended {
    let began = Instant::now();
    let (index, kinds, templates) = (
        context.index.snapshot(),
        context.kinds.clone(),
        templates.to_vec(),
    );
    let fresh = context.fresh.load_full();
    let computed = spawn_blocking(move || {
        let mut round = reconcile::reconcile(&index, &kinds, &templates);
        round
            .writes
            .extend(schedule::reconcile::reconcile(&index, &kinds, wall()));
        let tasks = graceful_eviction::round(&index, &kinds, &fresh, wall());
        round.writes.extend(tasks.writes);
        (round, tasks.retry)
    });
    let (round, retry) = match computed.await {
        Ok(computed) => computed,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_cancelled) => return Ended::default(),
        },
    };
    let took = began.elapsed();
    let reconcile::Round {
        mut writes,
        complaints: mut found,
    } = round;
    found.extend(unwritten(&writes, writer, &context.kinds, &context.index));
    writes.extend(complaints.tell(found, context.clock.now(), &context.kinds, &context.index));
    writer.all(writes).await;
    let retry = retry.and_then(|retry| Duration::try_from(retry).ok());
    Ended { took, retry }
}

/// Complaints about writes that fail, each told of the object it is made for: of a work, the binding.
fn unwritten(
    writes: &[Write],
    writer: &PatientWriter,
    kinds: &Kinds,
    index: &Index,
) -> Vec<(Kind, Key, String)> {
    let about = |write: &Write| {
        if write.kind != kinds.work {
            return Some((write.kind.clone(), write.key.clone()));
        }
        let (namespace, name) = match &write.op {
            Op::Create(work) => works::binding(work),
            Op::Merge(_) | Op::MergeStatus(_) | Op::Apply(_) | Op::Delete { .. } => {
                works::binding(&*index.get(&write.kind, &write.key)?)
            }
        }?;
        let kind = if namespace.is_empty() {
            &kinds.cluster_binding
        } else {
            &kinds.binding
        };
        Some((kind.clone(), Key::new(&namespace, &name)))
    };
    let complaint = |write: &Write| {
        let message = writer.failure(write)?;
        let (kind, key) = about(write)?;
        Some((kind, key, message.to_owned()))
    };
    writes.iter().filter_map(complaint).collect()
}

/// The date for conditions, and what Karmada measures tolerations by.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that stamps what is written"
)]
pub(super) fn wall() -> Timestamp {
    Timestamp::now()
}

/// Kinds that policies select, and those of what follows what they select, as the API server serves them.
async fn template_kinds(context: &Context, discovery: &mut Discovery) -> Vec<Kind> {
    let mut unreadable = reconcile::Round::default();
    let policies = reconcile::policies(&context.index, &context.kinds, &mut unreadable);
    let mut names = selected_kinds(&policies);
    let bindings = context.index.list(&context.kinds.binding);
    if policies.iter().any(|policy| policy.spec.propagate_deps)
        || bindings.iter().any(|binding| dependencies::is_attached(binding))
    {
        names.extend(dependencies::KINDS.map(|(version, kind)| (version.to_owned(), kind.to_owned())));
    }
    let mut kinds = Vec::new();
    for (api_version, kind) in names {
        if let Served::Yes(kind) = discovery.ask(&api_version, &kind).await {
            kinds.push(kind);
        }
    }
    kinds
}
