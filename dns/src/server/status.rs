//! What an operator sees of a server.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use serde::Serialize;

use super::shared::Shared;
use crate::catalog::Problem;
use crate::gate::GateView;
use crate::metrics::{query_counts, sum};
use crate::stamp::Stamp;
use crate::wire::Rcode;

/// Where the plan that is served came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PlanSource {
    /// There is none: every query is refused.
    None,
    LastKnownGood,
    Plan,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    pub name: String,
    pub listen: Vec<SocketAddr>,
    pub ready: bool,
    pub source: PlanSource,
    pub stamp: Option<Stamp>,
    pub zones: Vec<String>,
    pub names: usize,
    /// Names whose every candidate is in doubt.
    pub panic_names: usize,
    pub queries: Vec<QueryCount>,
    pub dropped: u64,
    pub truncated: u64,
    pub panic_answers: u64,
    pub send_failed: u64,
    /// Answers over the rate limit that were not sent.
    pub rate_limited_dropped: u64,
    /// Answers over the rate limit that were sent truncated.
    pub rate_limited_truncated: u64,
    /// Datagrams and connections without a PROXY header that is well-formed and believed, where one is needed.
    pub proxy_refused: u64,
    /// TCP connections over the limit of the server.
    pub connections_refused: u64,
    /// TCP connections over the limit for one client.
    pub client_connections_refused: u64,
    pub plans_applied: u64,
    pub plans_refused: u64,
    pub sets_skipped: u64,
    pub parts_rejected: u64,
    pub last_refusal: Option<String>,
    /// What the last plan held that was not taken.
    pub problems: Vec<Problem>,
    pub last_known_good: LkgStatus,
    pub gates: Vec<GateView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryCount {
    pub transport: String,
    pub kind: String,
    pub rcode: Rcode,
    pub count: u64,
}

/// The state folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LkgStatus {
    pub folder: String,
    /// The newest plan on disk.
    pub saved: Option<Stamp>,
    pub generations: usize,
    pub failures: u64,
    pub last_error: Option<String>,
    /// Files passed over at start, with the reasons.
    pub skipped: Vec<String>,
}

pub(super) fn status(shared: &Shared, listen: &[SocketAddr]) -> Status {
    let told = shared.told();
    let (zones, names) = shared.with_catalog(|catalog| (catalog.zone_names(), catalog.names().count()));
    let kept = shared.keeper.state();
    Status {
        name: shared.name.clone(),
        listen: listen.to_vec(),
        ready: shared.readiness.is_ready(),
        source: told.source,
        stamp: shared.snapshot.load().stamp().cloned(),
        zones,
        names,
        panic_names: shared.panic_names(),
        queries: query_counts(&shared.counters),
        dropped: sum(&shared.counters, |counters| &counters.dropped),
        truncated: sum(&shared.counters, |counters| &counters.truncated),
        panic_answers: sum(&shared.counters, |counters| &counters.panic_answers),
        send_failed: sum(&shared.counters, |counters| &counters.send_failed),
        rate_limited_dropped: sum(&shared.counters, |counters| &counters.limited_dropped),
        rate_limited_truncated: sum(&shared.counters, |counters| &counters.limited_truncated),
        proxy_refused: sum(&shared.counters, |counters| &counters.proxy_refused),
        connections_refused: sum(&shared.counters, |counters| &counters.connections_refused),
        client_connections_refused: sum(&shared.counters, |counters| &counters.client_connections_refused),
        plans_applied: shared.plans.applied.load(Ordering::Relaxed),
        plans_refused: shared.plans.refused.load(Ordering::Relaxed),
        sets_skipped: shared.plans.skipped.load(Ordering::Relaxed),
        parts_rejected: shared.plans.rejected.load(Ordering::Relaxed),
        last_refusal: told.last_refusal,
        problems: told.problems,
        last_known_good: LkgStatus {
            folder: shared.folder.path().display().to_string(),
            saved: kept.saved,
            generations: shared.folder.generations().map_or(0, |names| names.len()),
            failures: kept.failures,
            last_error: kept.last_error,
            skipped: shared.skipped_files.clone(),
        },
        gates: shared.gate_views.load().to_vec(),
    }
}
