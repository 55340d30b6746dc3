//! The report of a drill and how it is computed from the log.
//!
//! # Schema
//! `docs/drill-report.md` describes the JSON field by field; the types here are its source.

mod dns;
mod events;
#[cfg(test)]
mod tests;
mod users;
mod workloads;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    config::Limits,
    judge::judge,
    log::{ClusterMask, EventLog},
};

/// `apiVersion` of the report.
const API_VERSION: &str = "lifeboat.dev/v1alpha1";
/// Injections this close together are one instant.
pub(super) const SAME_INSTANT_US: u64 = 100_000;

/// What a drill found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillReport {
    /// `lifeboat.dev/v1alpha1`.
    #[serde(rename = "apiVersion")]
    pub api_version: String,
    /// `DrillReport`.
    pub kind: String,
    /// The seed of every draw the drill made.
    pub seed: u64,
    /// Whether every figure kept its limit.
    pub outcome: Outcome,
    /// Why not: one sentence a broken limit, or why it was aborted; empty when passed.
    pub reasons: Vec<String>,
    /// What happened, in order.
    pub events: Vec<ReportEvent>,
    /// Milliseconds from the injection.
    pub timings_ms: Timings,
    /// What users saw.
    pub users: UserFigures,
    /// What the DNS servers answered.
    pub dns: DnsFigures,
    /// Ready replicas.
    pub workloads: WorkloadFigures,
}

/// How a drill ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every limit was kept.
    Passed,
    /// Some limit was broken.
    Failed,
    /// The drill was stopped before its end; the figures are those up to then.
    Aborted,
}

impl fmt::Display for Outcome {
    /// As in the JSON.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
        })
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportEvent {
    /// Milliseconds from the start of the drill.
    pub at_ms: u64,
    /// Such as `fault.injected`, `cluster.down`, `dns.all_changed`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The cluster concerned; empty when none is.
    pub cluster: String,
    /// In words.
    pub detail: String,
}

/// When things were reached, in milliseconds from the injection (`traffic_returned`: from the clearing); null where
/// they were not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timings {
    /// The console said of every cluster that DNS is to leave that it is suspect.
    pub suspect: Option<u64>,
    /// The console said of every cluster that DNS is to leave that it is down.
    pub down: Option<u64>,
    /// The first server and name stopped giving a faulted cluster.
    pub first_dns_change: Option<u64>,
    /// The last server and name did.
    pub all_dns_changed: Option<u64>,
    /// The last user request of the outage had failed; 0 when none failed.
    pub users_recovered: Option<u64>,
    /// No binding that a faulted cluster held is held by it any more.
    pub evictions_done: Option<u64>,
    /// As many replicas were ready as are desired, after fewer were.
    pub replicas_ready: Option<u64>,
    /// The first answer gave a faulted cluster again after the clearing.
    pub traffic_returned: Option<u64>,
}

/// What the synthetic users saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserFigures {
    /// Requests made.
    pub requests: u64,
    /// Of these not answered with 200.
    pub failed: u64,
    /// Of these after `users_recovered`.
    pub failed_after_recovery: u64,
    /// The longest time any one user went from a first failed request to the next success.
    pub longest_outage_ms: u64,
}

/// What the DNS servers answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsFigures {
    /// Queries made.
    pub queries: u64,
    /// Of these without an answer within 200 ms.
    pub no_answer: u64,
    /// Of these answered without an address.
    pub empty_answers: u64,
    /// Of these answered by SERVFAIL or REFUSED.
    pub servfail: u64,
    /// Answers with a faulted cluster after it had been gone from that server and name for two seconds.
    pub down_cluster_answers_after_all_changed: u64,
}

/// Ready replicas of the sample workloads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadFigures {
    /// What the templates ask for, over the fleet.
    pub desired: u64,
    /// The fewest ready at any moment after the injection.
    pub ready_lowest: u64,
    /// Ready at the end.
    pub ready_end: u64,
}

/// The fault that the timings are about: the first injection that names clusters, and those at the same instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Incident {
    pub(super) start_us: u64,
    /// When the last of its faults ended.
    pub(super) cleared_us: Option<u64>,
    pub(super) clusters: ClusterMask,
    /// Of these, the ones whose users cannot reach them.
    pub(super) no_traffic: ClusterMask,
    /// Of these, the ones whose API cannot be reached.
    pub(super) no_control: ClusterMask,
}

impl Incident {
    pub(super) fn of(log: &EventLog) -> Option<Self> {
        let first = log.injections.iter().find(|one| !one.clusters.is_empty())?;
        let start_us = first.at_us;
        let parts = log.injections.iter().filter(|one| {
            !one.clusters.is_empty() && one.at_us >= start_us && one.at_us - start_us <= SAME_INSTANT_US
        });
        let nothing = ClusterMask::default();
        let mut incident = Self {
            start_us,
            cleared_us: Some(0),
            clusters: nothing,
            no_traffic: nothing,
            no_control: nothing,
        };
        for part in parts {
            incident.clusters = incident.clusters.union(part.clusters);
            if part.kind.stops_traffic() {
                incident.no_traffic = incident.no_traffic.union(part.clusters);
            }
            if part.kind.stops_control() {
                incident.no_control = incident.no_control.union(part.clusters);
            }
            incident.cleared_us = incident
                .cleared_us
                .zip(part.cleared_us)
                .map(|(one, other)| one.max(other));
        }
        Some(incident)
    }

    /// The clusters that DNS is to leave: those cut off from users; all faulted ones where none is.
    pub(super) fn left_by_dns(&self) -> ClusterMask {
        self.narrowed(self.no_traffic)
    }

    /// The clusters that replicas are to leave: those dead on both paths; all faulted ones where none is.
    pub(super) fn left_by_replicas(&self) -> ClusterMask {
        self.narrowed(self.dead())
    }

    pub(super) fn dead(&self) -> ClusterMask {
        ClusterMask(self.no_traffic.0 & self.no_control.0)
    }

    fn narrowed(&self, concerned: ClusterMask) -> ClusterMask {
        if concerned.count() == 0 {
            self.clusters
        } else {
            concerned
        }
    }

    /// Until when the faults were in force.
    pub(super) fn end_us(&self, log: &EventLog) -> u64 {
        self.cleared_us.unwrap_or(log.end_us)
    }

    /// Milliseconds from the injection.
    fn since(&self, at_us: u64) -> u64 {
        at_us.saturating_sub(self.start_us) / 1000
    }
}

/// The report of what `log` holds; `aborted` says why the drill ended before its time.
pub fn report(log: &EventLog, limits: &Limits, seed: u64, aborted: Option<&str>) -> DrillReport {
    let incident = Incident::of(log);
    let dns = dns::figures(log, incident.as_ref());
    let users = users::figures(log, incident.as_ref());
    let workloads = workloads::figures(log, incident.as_ref());
    let verdict = |suffix: &str| events::verdict(log, incident.as_ref()?, suffix);
    let mut report = DrillReport {
        api_version: API_VERSION.to_owned(),
        kind: "DrillReport".to_owned(),
        seed,
        outcome: Outcome::Passed,
        reasons: Vec::new(),
        events: Vec::new(),
        timings_ms: Timings {
            suspect: verdict("suspect"),
            down: verdict("down"),
            first_dns_change: dns.first_change,
            all_dns_changed: dns.all_changed,
            users_recovered: users.recovered,
            evictions_done: workloads.evictions_done,
            replicas_ready: workloads.replicas_ready,
            traffic_returned: dns.traffic_returned,
        },
        users: users.figures,
        dns: dns.figures,
        workloads: workloads.figures,
    };
    report.events = events::all(log, incident.as_ref(), &report.timings_ms);
    if let Some(reason) = aborted {
        report.outcome = Outcome::Aborted;
        report.reasons.push(reason.to_owned());
        return report;
    }
    report.reasons = judge(&report, log, incident.as_ref(), limits);
    if !report.reasons.is_empty() {
        report.outcome = Outcome::Failed;
    }
    report
}
