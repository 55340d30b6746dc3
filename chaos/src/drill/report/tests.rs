//! Reports of logs written by hand.

use std::time::Duration;

use super::*;
use crate::{
    drill::log::{
        BindingSample, DnsOutcome, DnsSample, Injection, UserRequest, VerdictChange, WorkloadSample,
    },
    fault::FaultKind,
};

const SECOND: u64 = 1_000_000;
const MS: u64 = 1_000;
/// The injection and the clearing of the logs below.
const T0: u64 = 10 * SECOND;
const CLEAR: u64 = 40 * SECOND;
const END: u64 = 90 * SECOND;
/// Cluster `a`, which the faults below hit.
const A: ClusterMask = ClusterMask(1);
const B: ClusterMask = ClusterMask(2);

fn limits() -> Limits {
    Limits::new(
        Duration::from_secs(5),
        Duration::from_secs(3),
        Duration::from_secs(2),
    )
}

/// Two servers and one name; `down(t)` says whether the answers of that time avoid cluster `a`.
fn probes(log: &mut EventLog, down: impl Fn(u16, u64) -> bool) {
    for tick in 0..END / (10 * MS) {
        for server in 0..2 {
            let at_us = tick * 10 * MS + u64::from(server);
            let held = if tick % 2 == 0 && !down(server, at_us) {
                A
            } else {
                B
            };
            log.dns.push(DnsSample {
                at_us,
                server,
                name: 0,
                outcome: DnsOutcome::Answer(held),
            });
        }
    }
}

/// Ten users, twice a second; `fails(user, t)` says which requests fail, after a second.
fn visits(log: &mut EventLog, fails: impl Fn(u32, u64) -> bool) {
    for start_us in (0..END - 2 * SECOND).step_by(500_000) {
        for user in 0..10 {
            let ok = !fails(user, start_us);
            let end_us = start_us + if ok { 2 * MS } else { SECOND };
            log.requests.push(UserRequest {
                user,
                start_us,
                end_us,
                ok,
            });
        }
    }
    log.requests.sort_by_key(|request| request.end_us);
}

fn replicas(log: &mut EventLog, ready: impl Fn(u64) -> u32) {
    for at_us in (0..END).step_by(250_000) {
        log.workload_samples.push(WorkloadSample {
            at_us,
            ready: vec![ready(at_us)],
        });
    }
}

fn bindings(log: &mut EventLog, held: impl Fn(u64) -> ClusterMask) {
    for at_us in (0..END).step_by(250_000) {
        let holders = vec![
            ("default/shop".to_owned(), held(at_us)),
            ("default/other".to_owned(), B),
        ];
        log.binding_samples.push(BindingSample { at_us, holders });
    }
}

fn log(kind: FaultKind, clusters: ClusterMask) -> EventLog {
    EventLog {
        clusters: ["a", "b", "c"].map(str::to_owned).to_vec(),
        servers: vec!["s1".to_owned(), "s2".to_owned()],
        names: vec!["shop.demo.example".to_owned()],
        workloads: vec![("default/shop".to_owned(), 12)],
        injections: vec![Injection {
            at_us: T0,
            kind,
            clusters,
            cleared_us: Some(CLEAR),
        }],
        end_us: END,
        ..EventLog::default()
    }
}

/// A power-off as it should go: 700 ms and 800 ms to DNS, users well after the TTL, replicas after 5.5 s.
fn good_power_off() -> EventLog {
    let mut log = log(FaultKind::PowerOff, A);
    probes(&mut log, |server, at| {
        (T0 + (700 + 100 * u64::from(server)) * MS..CLEAR + 2 * SECOND).contains(&at)
    });
    visits(&mut log, |user, at| {
        user < 4 && (T0..T0 + 4 * SECOND).contains(&at)
    });
    replicas(&mut log, |at| {
        if (T0..T0 + 5_500 * MS).contains(&at) {
            6
        } else {
            12
        }
    });
    bindings(&mut log, |at| {
        if (T0 + 3_500 * MS..CLEAR + 20 * SECOND).contains(&at) {
            B
        } else {
            A.union(B)
        }
    });
    for (at_us, kind) in [
        (T0 + 400 * MS, "cluster.suspect"),
        (T0 + 650 * MS, "cluster.down"),
    ] {
        let (kind, cluster, detail) = (kind.to_owned(), "a".to_owned(), "5 of 5".to_owned());
        log.verdicts.push(VerdictChange {
            at_us,
            kind,
            cluster,
            detail,
        });
    }
    log
}

fn judged(log: &EventLog) -> DrillReport {
    report(log, &limits(), 7, None)
}

fn broken(log: &EventLog, expected: &[&str]) {
    let report = judged(log);
    let outcome = if expected.is_empty() {
        Outcome::Passed
    } else {
        Outcome::Failed
    };
    assert_eq!(
        (report.outcome, report.reasons.len()),
        (outcome, expected.len()),
        "{:#?}",
        report.reasons
    );
    for part in expected {
        assert!(
            report.reasons.iter().any(|reason| reason.contains(part)),
            "{part}: {:?}",
            report.reasons
        );
    }
}

#[test]
fn a_good_power_off_passes_with_these_figures() {
    let report = judged(&good_power_off());
    assert_eq!(
        (report.outcome, report.reasons.as_slice()),
        (Outcome::Passed, &[] as &[String])
    );
    insta::assert_json_snapshot!(report);
}

/// Cluster `b` serves on, but its API is silent and nobody can count its replicas.
fn with_api_down(mut log: EventLog) -> EventLog {
    log.injections.push(Injection {
        at_us: T0 + MS,
        kind: FaultKind::ApiDown,
        clusters: B,
        cleared_us: Some(CLEAR),
    });
    for sample in &mut log.workload_samples {
        if (T0..CLEAR).contains(&sample.at_us) {
            sample.ready = vec![6];
        }
    }
    log
}

#[test]
fn each_cluster_is_judged_by_its_own_fault() {
    let mut log = with_api_down(good_power_off());
    log.clusters = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
    broken(&log, &[]);
    let report = judged(&log);
    assert_eq!(
        report.timings_ms.all_dns_changed,
        judged(&good_power_off()).timings_ms.all_dns_changed
    );
    assert!(report.timings_ms.evictions_done.is_some());
}

#[test]
fn a_path_that_is_down_counts_for_the_freeze() {
    // Two of three look down: nothing may be evicted.
    let log = with_api_down(good_power_off());
    broken(&log, &["binding default/shop changed its clusters"]);
}

#[test]
fn slow_dns_fails() {
    let mut log = good_power_off();
    log.dns.clear();
    probes(&mut log, |_, at| (T0 + 1_500 * MS..CLEAR).contains(&at));
    broken(&log, &["all_dns_changed took 1490 ms, allowed: 1000 ms"]);
}

#[test]
fn an_answer_that_comes_back_is_counted_and_does_not_move_the_change() {
    let mut log = good_power_off();
    let late = log
        .dns
        .iter_mut()
        .find(|sample| sample.at_us > T0 + 15 * SECOND)
        .unwrap();
    late.outcome = DnsOutcome::Answer(A.union(B));
    let report = judged(&log);
    assert_eq!(report.dns.down_cluster_answers_after_all_changed, 1);
    assert_eq!(report.timings_ms.all_dns_changed, Some(790));
    broken(&log, &["1 DNS answers gave the faulted cluster again"]);
}

#[test]
fn a_cluster_that_is_never_withdrawn_leaves_nulls() {
    let mut log = good_power_off();
    log.dns.clear();
    probes(&mut log, |_, _| false);
    let timings = judged(&log).timings_ms;
    assert_eq!(
        (
            timings.first_dns_change,
            timings.all_dns_changed,
            timings.traffic_returned
        ),
        (None, None, None)
    );
    broken(
        &log,
        &[
            "all_dns_changed was not reached",
            "traffic_returned was not reached",
        ],
    );
}

#[test]
fn a_failure_after_recovery_is_told_from_the_outage() {
    let mut log = good_power_off();
    log.requests.clear();
    visits(&mut log, |user, at| {
        user < 4 && (T0..T0 + 4 * SECOND).contains(&at) || user == 7 && at == T0 + 20 * SECOND
    });
    let report = judged(&log);
    assert_eq!(report.users.failed_after_recovery, 1);
    assert_eq!(report.timings_ms.users_recovered, Some(4_500));
    broken(&log, &["1 user requests failed after the recovery"]);
}

#[test]
fn users_that_never_recover_leave_a_null() {
    let mut log = good_power_off();
    log.requests.clear();
    visits(&mut log, |user, at| user == 1 && at >= T0);
    let report = judged(&log);
    assert_eq!(report.timings_ms.users_recovered, None);
    assert_eq!(report.users.longest_outage_ms, (END - T0) / 1000);
}

#[test]
fn nobody_hurt_is_recovered_at_once() {
    let mut log = good_power_off();
    log.requests.clear();
    visits(&mut log, |_, _| false);
    assert_eq!(judged(&log).timings_ms.users_recovered, Some(0));
    broken(&log, &[]);
}

#[test]
fn bad_answers_and_lost_replicas_fail() {
    let mut log = good_power_off();
    for (sample, outcome) in
        log.dns
            .iter_mut()
            .zip([DnsOutcome::NoAnswer, DnsOutcome::Empty, DnsOutcome::ServFail])
    {
        sample.outcome = outcome;
    }
    for sample in log.workload_samples.iter_mut().filter(|sample| sample.at_us > T0) {
        sample.ready = vec![11];
    }
    broken(
        &log,
        &[
            "1 DNS queries got no answer",
            "1 DNS answers had no address",
            "1 DNS answers were SERVFAIL",
            "replicas_ready was not reached",
            "11 replicas were ready at the end, desired: 12",
        ],
    );
}

#[test]
fn surplus_replicas_do_not_count() {
    let mut log = good_power_off();
    for sample in &mut log.workload_samples {
        sample.ready[0] *= 2;
    }
    assert_eq!(
        judged(&log).workloads,
        WorkloadFigures {
            desired: 12,
            ready_lowest: 12,
            ready_end: 12
        }
    );
}

#[test]
fn a_dead_vip_moves_dns_and_no_binding() {
    let mut log = good_power_off();
    log.injections[0].kind = FaultKind::VipDown;
    broken(&log, &["binding default/shop changed its clusters"]);
    log.binding_samples.clear();
    bindings(&mut log, |_| A.union(B));
    broken(&log, &[]);
}

#[test]
fn a_dead_api_moves_nothing() {
    let mut log = good_power_off();
    log.injections[0].kind = FaultKind::ApiDown;
    broken(
        &log,
        &[
            "suspect came after 400 ms",
            "down came after 650 ms",
            "first_dns_change came after 690 ms",
            "binding default/shop changed",
        ],
    );
}

/// An API that is down, and nothing else that changes.
fn good_api_down() -> EventLog {
    let mut log = log(FaultKind::ApiDown, A);
    probes(&mut log, |_, _| false);
    visits(&mut log, |_, _| false);
    replicas(&mut log, |_| 12);
    bindings(&mut log, |_| A.union(B));
    log
}

#[test]
fn one_server_that_moves_where_dns_is_to_stay_fails() {
    let mut log = good_api_down();
    broken(&log, &[]);
    log.dns.clear();
    probes(&mut log, |server, at| {
        server == 1 && (T0 + SECOND..CLEAR).contains(&at)
    });
    assert_eq!(judged(&log).timings_ms.all_dns_changed, None);
    broken(&log, &["first_dns_change came after"]);
}

#[test]
fn one_binding_that_changes_where_all_are_to_stay_fails() {
    for held in [B, A.union(B).union(ClusterMask(4)), ClusterMask(0)] {
        let mut log = good_api_down();
        let look = &mut log.binding_samples[100];
        look.holders[0].1 = held;
        broken(&log, &["binding default/shop changed its clusters"]);
    }
}

#[test]
fn a_verdict_that_is_late_or_missing_fails() {
    let mut log = good_power_off();
    log.verdicts[1].at_us = T0 + 1_200 * MS;
    broken(&log, &["down took 1200 ms, allowed: 1000 ms"]);
    log.verdicts.pop();
    broken(&log, &["down was not reached"]);
}

#[test]
fn a_fault_stands_once_among_the_events() {
    let mut log = good_power_off();
    log.verdicts.push(VerdictChange {
        at_us: T0 + MS,
        kind: "fault.injected".to_owned(),
        cluster: "a".to_owned(),
        detail: "fault 1, power-off: injected".to_owned(),
    });
    let events = judged(&log).events;
    let injected = events.iter().filter(|event| event.kind == "fault.injected");
    assert_eq!(injected.count(), 1);
}

#[test]
fn a_dead_fleet_keeps_everything() {
    let mut log = log(FaultKind::PowerOff, ClusterMask(0b111));
    probes(&mut log, |_, _| false);
    visits(&mut log, |_, at| (T0..CLEAR + 2 * SECOND).contains(&at));
    replicas(&mut log, |at| {
        if (T0..CLEAR + 5 * SECOND).contains(&at) {
            0
        } else {
            12
        }
    });
    bindings(&mut log, |_| A.union(B));
    let report = judged(&log);
    assert_eq!(report.timings_ms.all_dns_changed, None);
    assert_eq!(
        report.timings_ms.users_recovered,
        Some((CLEAR + 2_500 * MS - T0) / 1000)
    );
    broken(&log, &[]);
}

#[test]
fn an_abort_says_why_and_is_not_judged() {
    let report = report(&EventLog::default(), &limits(), 7, Some("stopped"));
    assert_eq!(
        (report.outcome, report.reasons),
        (Outcome::Aborted, vec!["stopped".to_owned()])
    );
}

#[test]
fn a_log_without_faults_or_figures_is_no_success() {
    broken(
        &EventLog::default(),
        &["no DNS query was made", "no user request was made"],
    );
}

#[test]
fn reports_survive_their_own_json() {
    let report = judged(&good_power_off());
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<DrillReport>(&text).unwrap(), report);
}
