//! DNS figures from the probes.
//!
//! A pair is one server and one name. A pair that gave a faulted address within ten seconds before the injection is
//! *exposed*. It has *changed* with its first answer after the last one that held a faulted address and was followed
//! by two seconds, or the rest of the fault, without one. Faulted addresses that come after that are counted as
//! answers that should not have been.

use std::collections::BTreeMap;

use super::{DnsFigures, Incident};
use crate::drill::log::{DnsOutcome, EventLog};

/// How far back an answer makes a pair exposed.
const EXPOSED_US: u64 = 10_000_000;
/// Without a faulted address for this long a pair has changed.
const SILENCE_US: u64 = 2_000_000;

pub(super) struct Dns {
    pub(super) figures: DnsFigures,
    pub(super) first_change: Option<u64>,
    pub(super) all_changed: Option<u64>,
    pub(super) traffic_returned: Option<u64>,
}

/// The answers of one pair during the fault.
#[derive(Default)]
struct Pair {
    exposed: bool,
    /// When each answer came, and whether it held a faulted address.
    answers: Vec<(u64, bool)>,
}

enum Change {
    At(u64),
    /// No faulted address came since the injection: the change cannot be placed more exactly than the first answer.
    Unseen(u64),
    Never,
}

pub(super) fn figures(log: &EventLog, incident: Option<&Incident>) -> Dns {
    let count = |wanted: DnsOutcome| log.dns.iter().filter(|sample| sample.outcome == wanted).count() as u64;
    let mut figures = DnsFigures {
        queries: log.dns.len() as u64,
        no_answer: count(DnsOutcome::NoAnswer),
        empty_answers: count(DnsOutcome::Empty),
        servfail: count(DnsOutcome::ServFail),
        down_cluster_answers_after_all_changed: 0,
    };
    let Some(incident) = incident else {
        return Dns {
            figures,
            first_change: None,
            all_changed: None,
            traffic_returned: None,
        };
    };
    let end_us = incident.end_us(log);
    let pairs = pairs(log, incident, end_us);
    let changes: Vec<_> = pairs
        .values()
        .filter(|pair| pair.exposed)
        .map(|pair| pair.change(end_us))
        .collect();
    let at: Vec<u64> = changes
        .iter()
        .filter_map(|(change, _)| match change {
            Change::At(at) | Change::Unseen(at) => Some(*at),
            Change::Never => None,
        })
        .collect();
    let seen = changes.iter().filter_map(|(change, _)| match change {
        Change::At(at) => Some(*at),
        Change::Unseen(_) | Change::Never => None,
    });
    let first = seen.min().or_else(|| at.iter().copied().min());
    let all = if at.len() == changes.len() {
        at.iter().copied().max()
    } else {
        None
    };

    let late: u64 = changes.iter().map(|(_, late)| *late).sum();
    let strangers = pairs
        .values()
        .filter(|pair| !pair.exposed)
        .flat_map(|pair| &pair.answers);
    let strangers = strangers
        .filter(|(at, faulted)| *faulted && all.is_some_and(|all| *at > all))
        .count() as u64;
    figures.down_cluster_answers_after_all_changed = late + strangers;

    let returned = incident.cleared_us.and_then(|cleared| {
        let back = log
            .dns
            .iter()
            .find(|sample| sample.at_us >= cleared && holds(sample.outcome, incident));
        // Before a withdrawal nothing can return.
        back.filter(|_| !at.is_empty())
            .map(|sample| (sample.at_us - cleared) / 1000)
    });
    Dns {
        figures,
        first_change: first.map(|at| incident.since(at)),
        all_changed: all.map(|at| incident.since(at)),
        traffic_returned: returned,
    }
}

fn holds(outcome: DnsOutcome, incident: &Incident) -> bool {
    matches!(outcome, DnsOutcome::Answer(clusters) if clusters.meets(incident.left_by_dns()))
}

fn pairs(log: &EventLog, incident: &Incident, end_us: u64) -> BTreeMap<(u16, u16), Pair> {
    let mut pairs: BTreeMap<(u16, u16), Pair> = BTreeMap::new();
    for sample in &log.dns {
        if !matches!(sample.outcome, DnsOutcome::Answer(_)) || sample.at_us >= end_us {
            continue;
        }
        let pair = pairs.entry((sample.server, sample.name)).or_default();
        let faulted = holds(sample.outcome, incident);
        if sample.at_us >= incident.start_us {
            pair.answers.push((sample.at_us, faulted));
        } else if incident.start_us - sample.at_us <= EXPOSED_US {
            pair.exposed |= faulted;
        }
    }
    pairs
}

impl Pair {
    /// When the pair changed, and how many faulted addresses it gave after that.
    fn change(&self, end_us: u64) -> (Change, u64) {
        let faulted: Vec<u64> = self
            .answers
            .iter()
            .filter(|(_, faulted)| *faulted)
            .map(|(at, _)| *at)
            .collect();
        if faulted.is_empty() {
            let change = self
                .answers
                .first()
                .map_or(Change::Never, |(at, _)| Change::Unseen(*at));
            return (change, 0);
        }
        let next = faulted.iter().skip(1).copied().chain([end_us]);
        let last = faulted
            .iter()
            .zip(next)
            .position(|(at, next)| next - at >= SILENCE_US);
        let Some(last) = last else {
            return (Change::Never, 0);
        };
        let late = (faulted.len() - last - 1) as u64;
        let change = self.answers.iter().find(|(at, _)| *at > faulted[last]);
        (change.map_or(Change::Never, |(at, _)| Change::At(*at)), late)
    }
}
