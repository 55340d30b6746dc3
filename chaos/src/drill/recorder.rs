//! The log of a running drill: many writers, one clock, a bound on everything.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::log::{
    BindingSample, ClusterMask, DnsOutcome, DnsSample, EventLog, Injection, UserRequest, VerdictChange,
    WorkloadSample,
};

/// Probes kept: an hour of two servers and three names.
const DNS_MAX: usize = 2_500_000;
/// Requests kept.
const REQUESTS_MAX: usize = 1_000_000;
/// Samples and verdicts kept, of each kind.
const SAMPLES_MAX: usize = 100_000;

/// Shared by everything that measures; clones share the log.
///
/// Before [`Recorder::begin`] nothing is kept but which servers have answered for which names.
#[derive(Clone)]
pub struct Recorder {
    clusters_by_address: Arc<BTreeMap<IpAddr, ClusterMask>>,
    state: Arc<Mutex<State>>,
}

struct State {
    origin: Option<Instant>,
    answered: BTreeSet<(u16, u16)>,
    /// Who held the bindings when last seen before the beginning.
    holders: Vec<(String, ClusterMask)>,
    log: EventLog,
}

impl Recorder {
    /// An empty log; `addresses` says which cluster (by index in `log.clusters`) an address belongs to.
    pub fn new(log: EventLog, addresses: impl IntoIterator<Item = (IpAddr, usize)>) -> Self {
        let addresses = addresses
            .into_iter()
            .map(|(address, index)| (address, ClusterMask::of(index)))
            .collect();
        Self {
            clusters_by_address: Arc::new(addresses),
            state: Arc::new(Mutex::new(State {
                origin: None,
                answered: BTreeSet::new(),
                holders: Vec::new(),
                log,
            })),
        }
    }

    /// Starts the clock of the drill; what was seen before is forgotten, but who held the bindings last.
    pub fn begin(&self) -> Instant {
        let now = Instant::now();
        let mut state = self.state.lock();
        state.origin = Some(now);
        let holders = std::mem::take(&mut state.holders);
        state
            .log
            .binding_samples
            .push(BindingSample { at_us: 0, holders });
        now
    }

    /// The clusters that these addresses belong to.
    pub(super) fn clusters(&self, addresses: impl IntoIterator<Item = IpAddr>) -> ClusterMask {
        let of = |address: IpAddr| {
            self.clusters_by_address
                .get(&address)
                .copied()
                .unwrap_or(ClusterMask::FOREIGN)
        };
        addresses
            .into_iter()
            .map(of)
            .fold(ClusterMask::default(), ClusterMask::union)
    }

    /// Servers and names that never gave an address yet, as `name at server`.
    pub fn unanswered(&self) -> Vec<String> {
        let state = self.state.lock();
        let mut missing = Vec::new();
        for (server, server_name) in (0..).zip(&state.log.servers) {
            for (index, name) in (0..).zip(&state.log.names) {
                if !state.answered.contains(&(server, index)) {
                    missing.push(format!("{name} at {server_name}"));
                }
            }
        }
        missing
    }

    pub(super) fn probe(&self, at: Instant, server: u16, name: u16, outcome: DnsOutcome) {
        let mut state = self.state.lock();
        if matches!(outcome, DnsOutcome::Answer(_)) && state.origin.is_none() {
            state.answered.insert((server, name));
        }
        state.push(
            at,
            DNS_MAX,
            |log| &mut log.dns,
            |at_us| DnsSample {
                at_us,
                server,
                name,
                outcome,
            },
        );
    }

    pub(super) fn request(&self, user: u32, start: Instant, end: Instant, ok: bool) {
        let mut state = self.state.lock();
        let Some(start_us) = state.micros(start) else {
            return;
        };
        state.push(
            end,
            REQUESTS_MAX,
            |log| &mut log.requests,
            |end_us| UserRequest {
                user,
                start_us,
                end_us,
                ok,
            },
        );
    }

    pub(super) fn verdict(&self, at: Instant, kind: &str, cluster: &str, detail: &str) {
        let (kind, cluster, detail) = (kind.to_owned(), cluster.to_owned(), detail.to_owned());
        let verdict = |at_us| VerdictChange {
            at_us,
            kind,
            cluster,
            detail,
        };
        self.state
            .lock()
            .push(at, SAMPLES_MAX, |log| &mut log.verdicts, verdict);
    }

    pub(super) fn ready(&self, at: Instant, ready: Vec<u32>) {
        let sample = |at_us| WorkloadSample { at_us, ready };
        self.state
            .lock()
            .push(at, SAMPLES_MAX, |log| &mut log.workload_samples, sample);
    }

    pub(super) fn bindings(&self, at: Instant, holders: Vec<(String, ClusterMask)>) {
        let mut state = self.state.lock();
        if state.origin.is_none() {
            state.holders = holders;
            return;
        }
        let sample = |at_us| BindingSample { at_us, holders };
        state.push(at, SAMPLES_MAX, |log| &mut log.binding_samples, sample);
    }

    pub(super) fn set_desired(&self, desired: &[u32]) {
        let mut state = self.state.lock();
        for (workload, desired) in state.log.workloads.iter_mut().zip(desired) {
            workload.1 = *desired;
        }
    }

    pub(super) fn injected(&self, fault: &crate::fault::ActiveFault) {
        let mut state = self.state.lock();
        let Some(at_us) = state.micros(fault.injected_at) else {
            return;
        };
        let clusters = state.log.mask(fault.clusters.iter().map(String::as_str));
        state.log.injections.push(Injection {
            at_us,
            kind: fault.kind,
            clusters,
            cleared_us: None,
        });
    }

    /// The end of a fault, found by when it began.
    pub(super) fn ended(&self, fault: &crate::fault::ActiveFault, at: Instant) {
        let mut state = self.state.lock();
        let (began_us, cleared_us) = (state.micros(fault.injected_at), state.micros(at));
        let open =
            state.log.injections.iter_mut().find(|one| {
                Some(one.at_us) == began_us && one.kind == fault.kind && one.cleared_us.is_none()
            });
        if let Some(injection) = open {
            injection.cleared_us = cleared_us;
        }
    }

    /// The log as it stands, ended now.
    pub(super) fn finish(&self) -> EventLog {
        let mut state = self.state.lock();
        let end_us = state.micros(Instant::now()).unwrap_or(0);
        let mut log = std::mem::take(&mut state.log);
        state.origin = None;
        log.end_us = end_us;
        log
    }
}

impl State {
    fn micros(&self, at: Instant) -> Option<u64> {
        let since = at.checked_duration_since(self.origin?)?;
        u64::try_from(since.as_micros()).ok()
    }

    fn push<T>(
        &mut self,
        at: Instant,
        most: usize,
        list: impl FnOnce(&mut EventLog) -> &mut Vec<T>,
        record: impl FnOnce(u64) -> T,
    ) {
        let Some(at_us) = self.micros(at) else { return };
        let list = list(&mut self.log);
        if list.len() < most {
            list.push(record(at_us));
        } else {
            self.log.dropped += 1;
        }
    }
}
