//! Whether a report keeps its limits: one sentence for each that is broken.

use std::{collections::BTreeSet, time::Duration};

use super::{
    config::Limits,
    log::{ClusterMask, EventLog},
    report::{DrillReport, Incident, SAME_INSTANT_US},
};
use crate::fault::FaultKind;

/// With more than this share of a fleet of three or more looking down nothing is evicted: `failover.freeze` of the
/// planner by default.
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
        let moved = moved_bindings(log, incident);
        reasons.extend(expected.judge(report, limits, &moved));
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

/// Bindings whose clusters were others at some moment of the incident than just before it: lost, gained or gone. What
/// follows a later fault is that fault's.
fn moved_bindings<'a>(log: &'a EventLog, incident: &Incident) -> BTreeSet<&'a str> {
    let looks = &log.binding_samples;
    let Some(before) = looks.iter().rev().find(|look| look.at_us <= incident.start_us) else {
        return BTreeSet::new();
    };
    let later = log.injections.iter().map(|one| one.at_us);
    let end_us = later
        .filter(|at_us| *at_us > incident.start_us + SAME_INSTANT_US)
        .min()
        .unwrap_or(log.end_us);
    let during = looks
        .iter()
        .filter(|look| (incident.start_us..=end_us).contains(&look.at_us));
    let mut moved = BTreeSet::new();
    for look in during {
        moved.extend(before.holders.iter().filter_map(|(key, held_by)| {
            let now = look.holders.iter().find(|(other, _)| other == key);
            (now.map(|(_, now)| now) != Some(held_by)).then_some(key.as_str())
        }));
    }
    moved
}

/// What ought to happen after the faults that were injected.
struct Expected {
    dns_moves: bool,
    dns_stays: bool,
    /// The console says Down of every cluster that users are cut off from.
    down: bool,
    /// No faulted cluster is cut off from users, and none is so slow that it may look dead.
    no_verdict: bool,
    evicts: bool,
    keeps_bindings: bool,
    replicas_ready: bool,
    traffic_returns: bool,
    all_ready_at_end: bool,
}

impl Expected {
    fn of(log: &EventLog, incident: &Incident, limits: &Limits) -> Self {
        let fleet = log.clusters.len();
        let count = |clusters: ClusterMask| usize::try_from(clusters.count()).unwrap_or(fleet);
        let dead_count = count(incident.dead());
        let no_traffic = count(incident.no_traffic);
        // A cluster whose API alone is silent may serve, but nobody can count what is ready there.
        let uncounted = incident.no_control.0 != incident.dead().0;
        // As the planner has it: a path that is Down counts, be it one or both.
        let looks_down = count(incident.no_traffic.union(incident.no_control));
        let fault_us = incident.end_us(log) - incident.start_us;
        let after_us = incident
            .cleared_us
            .map(|cleared| log.end_us.saturating_sub(cleared));
        let lasted = |limit: Duration| u128::from(fault_us) >= limit.as_micros();
        let watched = |limit: Duration| after_us.is_some_and(|after| u128::from(after) >= limit.as_micros());

        let whole_fleet = no_traffic >= fleet;
        let frozen = looks_down >= fleet || (fleet >= 3 && looks_down * 100 > FREEZE_PERCENT * fleet);
        let controller_down = log
            .injections
            .iter()
            .any(|one| one.kind == FaultKind::ControllerDown);
        let dns_moves = no_traffic > 0 && !whole_fleet;
        let evicts = dead_count > 0 && !frozen && !controller_down;
        let slow = log.injections.iter().any(|one| one.kind == FaultKind::Slow);
        Self {
            dns_moves: dns_moves && lasted(limits.all_dns_changed + Duration::from_secs(2)),
            dns_stays: no_traffic == 0 || whole_fleet,
            down: dns_moves && lasted(limits.all_dns_changed),
            no_verdict: no_traffic == 0 && !slow,
            evicts: evicts && lasted(limits.replicas_ready),
            keeps_bindings: dead_count == 0 || frozen,
            replicas_ready: evicts && !uncounted && lasted(limits.replicas_ready),
            traffic_returns: dns_moves && watched(limits.traffic_returned),
            all_ready_at_end: watched(limits.settled_after_clear)
                || (evicts && !uncounted && incident.cleared_us.is_none() && lasted(limits.replicas_ready)),
        }
    }

    fn judge(&self, report: &DrillReport, limits: &Limits, moved_bindings: &BTreeSet<&str>) -> Vec<String> {
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
        // A verdict of hard evidence goes to Down without Suspect.
        within(
            self.down && timings.suspect.is_some(),
            "suspect",
            timings.suspect,
            limits.all_dns_changed,
        );
        within(self.down, "down", timings.down, limits.all_dns_changed);
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
        for (name, got) in [("suspect", timings.suspect), ("down", timings.down)] {
            if let (true, Some(ms)) = (self.no_verdict, got) {
                reasons.push(format!(
                    "{name} came after {ms} ms and was to be null: users reached the faulted clusters"
                ));
            }
        }
        if let (true, Some(ms)) = (self.dns_stays, timings.first_dns_change) {
            reasons.push(format!(
                "first_dns_change came after {ms} ms and was to be null: DNS was to keep the faulted clusters"
            ));
        }
        if self.evicts && timings.evictions_done.is_none() {
            reasons.push("evictions_done was not reached".to_owned());
        }
        if self.keeps_bindings {
            reasons.extend(
                moved_bindings
                    .iter()
                    .map(|binding| format!("binding {binding} changed its clusters and was to keep them")),
            );
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
