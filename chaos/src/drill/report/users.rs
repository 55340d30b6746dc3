//! User figures from the requests.
//!
//! The outage begins with the first failure within ten seconds of the injection and ends with a failure that is
//! followed by three seconds in which no request that fails begins. Every later failure is one after recovery.

use std::collections::BTreeMap;

use super::{Incident, UserFigures};
use crate::drill::log::{EventLog, UserRequest};

/// Later failures do not belong to the outage of the injection.
const BEGINS_WITHIN_US: u64 = 10_000_000;
/// An outage is over when nobody fails for this long.
const QUIET_US: u64 = 3_000_000;

pub(super) struct Users {
    pub(super) figures: UserFigures,
    pub(super) recovered: Option<u64>,
}

pub(super) fn figures(log: &EventLog, incident: Option<&Incident>) -> Users {
    let mut figures = UserFigures {
        requests: log.requests.len() as u64,
        failed: log.requests.iter().filter(|request| !request.ok).count() as u64,
        failed_after_recovery: 0,
        longest_outage_ms: longest_outage_us(log) / 1000,
    };
    let Some(incident) = incident else {
        return Users {
            figures,
            recovered: None,
        };
    };
    let mut failures: Vec<&UserRequest> = log
        .requests
        .iter()
        .filter(|request| !request.ok && request.end_us >= incident.start_us)
        .collect();
    failures.sort_by_key(|request| request.end_us);
    let begins = |request: &UserRequest| request.end_us - incident.start_us <= BEGINS_WITHIN_US;
    if !failures.first().is_some_and(|first| begins(first)) {
        figures.failed_after_recovery = failures.len() as u64;
        let watched = log
            .requests
            .iter()
            .any(|request| request.start_us >= incident.start_us);
        return Users {
            figures,
            recovered: watched.then_some(0),
        };
    }
    let mut end = 0;
    let mut last = 0;
    for (index, failure) in failures.iter().enumerate() {
        if index > 0 && failure.start_us > end + QUIET_US {
            break;
        }
        end = end.max(failure.end_us);
        last = index;
    }
    let (outage, after) = failures.split_at(last + 1);
    figures.failed_after_recovery = after.len() as u64;
    let recovered = outage.iter().all(|failure| succeeds_after(log, failure));
    Users {
        figures,
        recovered: recovered.then(|| incident.since(end)),
    }
}

fn succeeds_after(log: &EventLog, failure: &UserRequest) -> bool {
    log.requests
        .iter()
        .rev()
        .any(|request| request.ok && request.user == failure.user && request.start_us >= failure.end_us)
}

/// Over all users, the longest time from the start of a failed request to the end of the next good one.
fn longest_outage_us(log: &EventLog) -> u64 {
    let mut failing_since: BTreeMap<u32, u64> = BTreeMap::new();
    let mut longest = 0;
    for request in &log.requests {
        if !request.ok {
            failing_since.entry(request.user).or_insert(request.start_us);
        } else if let Some(since) = failing_since.remove(&request.user) {
            longest = longest.max(request.end_us.saturating_sub(since));
        }
    }
    failing_since
        .values()
        .map(|since| log.end_us.saturating_sub(*since))
        .fold(longest, u64::max)
}
