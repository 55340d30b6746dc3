//! Replica and binding figures from the watches.
//!
//! A workload counts at most the replicas it is to have: surplus copies of one do not make up for another.

use super::{Incident, WorkloadFigures};
use crate::drill::log::{EventLog, WorkloadSample};

pub(super) struct Workloads {
    pub(super) figures: WorkloadFigures,
    pub(super) replicas_ready: Option<u64>,
    pub(super) evictions_done: Option<u64>,
}

pub(super) fn figures(log: &EventLog, incident: Option<&Incident>) -> Workloads {
    let desired: u64 = log.workloads.iter().map(|(_, desired)| u64::from(*desired)).sum();
    let start_us = incident.map_or(0, |incident| incident.start_us);
    let ready = |sample: &WorkloadSample| -> u64 {
        let capped = log
            .workloads
            .iter()
            .zip(&sample.ready)
            .map(|((_, desired), ready)| *desired.min(ready));
        capped.map(u64::from).sum()
    };
    let after: Vec<(u64, u64)> = log
        .workload_samples
        .iter()
        .filter(|sample| sample.at_us >= start_us)
        .map(|sample| (sample.at_us, ready(sample)))
        .collect();
    let replicas_ready = incident.and_then(|incident| {
        let mut after = after.iter();
        after.find(|(_, ready)| *ready < desired)?;
        after
            .find(|(_, ready)| *ready >= desired)
            .map(|(at, _)| incident.since(*at))
    });
    Workloads {
        figures: WorkloadFigures {
            desired,
            ready_lowest: after.iter().map(|(_, ready)| *ready).min().unwrap_or(0),
            ready_end: log.workload_samples.last().map_or(0, ready),
        },
        replicas_ready,
        evictions_done: incident.and_then(|incident| evictions_done(log, incident)),
    }
}

/// Bindings that a faulted cluster held just before the injection.
pub(crate) fn affected<'a>(log: &'a EventLog, incident: &Incident) -> Vec<&'a str> {
    let before = log
        .binding_samples
        .iter()
        .rev()
        .find(|sample| sample.at_us <= incident.start_us);
    let holders = before.into_iter().flat_map(|sample| &sample.holders);
    holders
        .filter(|(_, held_by)| held_by.meets(incident.left_by_replicas()))
        .map(|(key, _)| key.as_str())
        .collect()
}

fn evictions_done(log: &EventLog, incident: &Incident) -> Option<u64> {
    let affected = affected(log, incident);
    if affected.is_empty() {
        return None;
    }
    let done = log.binding_samples.iter().find(|sample| {
        let holder = |key: &str| {
            let found = sample.holders.iter().find(|(other, _)| other == key);
            // A binding that somebody deleted was not evicted, but nobody holds it either.
            found.map(|(_, held_by)| *held_by).unwrap_or_default()
        };
        sample.at_us >= incident.start_us
            && affected
                .iter()
                .all(|key| !holder(key).meets(incident.left_by_replicas()))
    })?;
    Some(incident.since(done.at_us))
}
