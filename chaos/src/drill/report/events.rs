//! The story of a drill in order of time: what was done, what the console said, what was measured.

use super::{Incident, ReportEvent, Timings};
use crate::drill::log::{ClusterMask, EventLog};

/// When the console had said `cluster.<suffix>` of every faulted cluster, in milliseconds from the injection.
pub(super) fn verdict(log: &EventLog, incident: &Incident, suffix: &str) -> Option<u64> {
    let faulted = log.cluster_names(incident.left_by_dns());
    let first = |cluster: &&str| {
        let said = log.verdicts.iter().find(|one| {
            one.at_us >= incident.start_us
                && one.cluster == **cluster
                && one.kind.strip_prefix("cluster.") == Some(suffix)
        });
        said.map(|one| one.at_us)
    };
    let all: Option<Vec<u64>> = faulted.iter().map(first).collect();
    all?.into_iter().max().map(|at| incident.since(at))
}

pub(super) fn all(log: &EventLog, incident: Option<&Incident>, timings: &Timings) -> Vec<ReportEvent> {
    let mut events: Vec<(u64, ReportEvent)> = Vec::new();
    let mut push = |at_us: u64, kind: &str, cluster: String, detail: String| {
        events.push((
            at_us,
            ReportEvent {
                at_ms: at_us / 1000,
                kind: kind.to_owned(),
                cluster,
                detail,
            },
        ));
    };
    let names = |mask: ClusterMask| log.cluster_names(mask).join(",");
    for fault in &log.injections {
        push(
            fault.at_us,
            "fault.injected",
            names(fault.clusters),
            fault.kind.to_string(),
        );
        if let Some(cleared) = fault.cleared_us {
            push(
                cleared,
                "fault.cleared",
                names(fault.clusters),
                fault.kind.to_string(),
            );
        }
    }
    // The drill's own note of a fault is the one above.
    let told = log
        .verdicts
        .iter()
        .filter(|said| !said.kind.starts_with("fault."));
    for said in told {
        push(said.at_us, &said.kind, said.cluster.clone(), said.detail.clone());
    }
    if let Some(incident) = incident {
        let Timings {
            suspect: _,
            down: _,
            first_dns_change,
            all_dns_changed,
            users_recovered,
            evictions_done,
            replicas_ready,
            traffic_returned,
        } = timings;
        let clusters = names(incident.clusters);
        let mut measured = |from_us: u64, ms: &Option<u64>, kind: &str, detail: &str| {
            if let Some(ms) = ms {
                push(from_us + ms * 1000, kind, clusters.clone(), detail.to_owned());
            }
        };
        let start = incident.start_us;
        measured(
            start,
            first_dns_change,
            "dns.first_change",
            "a DNS server no longer gives the cluster for a name",
        );
        measured(
            start,
            all_dns_changed,
            "dns.all_changed",
            "no DNS server gives the cluster for any name",
        );
        measured(
            start,
            users_recovered,
            "users.recovered",
            "the last user request of the outage had failed",
        );
        measured(
            start,
            evictions_done,
            "evictions.done",
            "no binding is held by the cluster any more",
        );
        measured(
            start,
            replicas_ready,
            "replicas.ready",
            "as many replicas are ready as desired",
        );
        if let Some(cleared) = incident.cleared_us {
            measured(
                cleared,
                traffic_returned,
                "traffic.returned",
                "a DNS server gives the cluster again",
            );
        }
    }
    events.sort_by_key(|(at_us, _)| *at_us);
    events.into_iter().map(|(_, event)| event).collect()
}
