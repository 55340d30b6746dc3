//! Whether a report keeps its limits: one sentence for each that is broken.

use std::time::Duration;

use super::{
    config::Limits,
    log::EventLog,
    report::{DrillReport, Incident},
};
use crate::fault::FaultKind;

/// Above this share of the fleet, with three clusters or more, nothing is evicted.
const FREEZE_PERCENT: usize = 55;

pub(super) fn judge(
    report: &DrillReport,
    log: &EventLog,
    incident: Option<&Incident>,
    limits: &Limits,
) -> Vec<String> {
    let mut reasons = always(report, log);
    if let Some(incident) = incident {
        let expected = Expected::of(log, incident, limits);
        reasons.extend(expected.judge(report, limits));
    }
    reasons
}

fn always(report: &DrillReport, log: &EventLog) -> Vec<String> {
    let mut reasons = Vec::new();
    for (what, count) in [
        ("DNS queries got no answer", report.dns.no_answer),
        ("DNS answers had no address", report.dns.empty_answers),
        ("DNS answers were SERVFAIL", report.dns.servfail),
        (
            "DNS answers gave the faulted cluster again",
            report.dns.down_cluster_answers_after_all_changed,
        ),
        (
            "user requests failed after the recovery",
            report.users.failed_after_recovery,
        ),
        (
            "records found no room in the log, so that the figures are incomplete",
            log.dropped,
        ),
    ] {
        if count > 0 {
            reasons.push(format!("{count} {what}, allowed: 0"));
        }
    }
    if report.dns.queries == 0 {
        reasons.push("no DNS query was made".to_owned());
    }
    if report.users.requests == 0 {
        reasons.push("no user request was made".to_owned());
    }
    if log.injections.is_empty() && report.users.failed > 0 {
        reasons.push(format!(
            "{} user requests failed without any fault",
            report.users.failed
        ));
    }
    reasons
}

/// What ought to happen after the faults that were injected.
struct Expected {
    dns_moves: bool,
    dns_stays: bool,
    evicts: bool,
    keeps_bindings: bool,
    replicas_ready: bool,
    traffic_returns: bool,
    all_ready_at_end: bool,
}

impl Expected {
    fn of(log: &EventLog, incident: &Incident, limits: &Limits) -> Self {
        let fleet = log.clusters.len();
        let dead = incident.no_traffic.0 & incident.no_control.0;
        let dead_count = usize::try_from(dead.count_ones()).unwrap_or(fleet);
        let no_traffic = usize::try_from(incident.no_traffic.count()).unwrap_or(fleet);
        let fault_us = incident.end_us(log) - incident.start_us;
        let after_us = incident
            .cleared_us
            .map(|cleared| log.end_us.saturating_sub(cleared));
        let lasted = |limit: Duration| u128::from(fault_us) >= limit.as_micros();
        let watched = |limit: Duration| after_us.is_some_and(|after| u128::from(after) >= limit.as_micros());

        let whole_fleet = no_traffic >= fleet;
        let frozen = dead_count >= fleet || (dead_count >= 3 && dead_count * 100 > FREEZE_PERCENT * fleet);
        let controller_down = log
            .injections
            .iter()
            .any(|one| one.kind == FaultKind::ControllerDown);
        let dns_moves = no_traffic > 0 && !whole_fleet;
        let evicts = dead_count > 0 && !frozen && !controller_down;
        Self {
            dns_moves: dns_moves && lasted(limits.all_dns_changed + Duration::from_secs(2)),
            dns_stays: no_traffic == 0 || whole_fleet,
            evicts: evicts && lasted(limits.replicas_ready),
            keeps_bindings: dead_count == 0 || frozen,
            replicas_ready: evicts && lasted(limits.replicas_ready),
            traffic_returns: dns_moves && watched(limits.traffic_returned),
            all_ready_at_end: watched(limits.settled_after_clear)
                || (evicts && incident.cleared_us.is_none() && lasted(limits.replicas_ready)),
        }
    }

    fn judge(&self, report: &DrillReport, limits: &Limits) -> Vec<String> {
        let timings = &report.timings_ms;
        let mut reasons = Vec::new();
        let mut within = |expected: bool, name: &str, got: Option<u64>, limit: Duration| {
            let limit_ms = limit.as_millis();
            match got {
                _ if !expected => {}
                None => reasons.push(format!("{name} was not reached, allowed: {limit_ms} ms")),
                Some(ms) if u128::from(ms) > limit_ms => {
                    reasons.push(format!("{name} took {ms} ms, allowed: {limit_ms} ms"));
                }
                Some(_) => {}
            }
        };
        within(
            self.dns_moves,
            "all_dns_changed",
            timings.all_dns_changed,
            limits.all_dns_changed,
        );
        within(
            self.dns_moves,
            "users_recovered",
            timings.users_recovered,
            limits.users_recovered,
        );
        within(
            self.replicas_ready,
            "replicas_ready",
            timings.replicas_ready,
            limits.replicas_ready,
        );
        within(
            self.traffic_returns,
            "traffic_returned",
            timings.traffic_returned,
            limits.traffic_returned,
        );
        if self.dns_stays && timings.all_dns_changed.is_some() {
            reasons.push("DNS withdrew the faulted clusters and was to keep them".to_owned());
        }
        if self.evicts && timings.evictions_done.is_none() {
            reasons.push("evictions_done was not reached".to_owned());
        }
        if self.keeps_bindings && timings.evictions_done.is_some() {
            reasons.push("the faulted clusters lost their bindings and were to keep them".to_owned());
        }
        if self.all_ready_at_end && report.workloads.ready_end != report.workloads.desired {
            reasons.push(format!(
                "{} replicas were ready at the end, desired: {}",
                report.workloads.ready_end, report.workloads.desired
            ));
        }
        reasons
    }
}
