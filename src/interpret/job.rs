//! Job and CronJob: a divided Job is done when it is done in every member, and failed when it is in any.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Item,
    counts::{self, number, optional, statuses},
};

const COUNTS: &[counts::Count] = &[optional("active"), optional("succeeded"), optional("failed")];

/// Pods at a time; there are never more than completions.
pub(super) fn replicas(spec: &Value) -> i64 {
    let parallelism = spec["parallelism"].as_i64().unwrap_or(1);
    spec["completions"]
        .as_i64()
        .map_or(parallelism, |completions| completions.min(parallelism))
}

pub(super) fn reflect(status: &Value) -> Value {
    let mut reflected = Map::new();
    counts::write(&mut reflected, COUNTS, |name| number(status, name));
    for field in ["conditions", "startTime", "completionTime"] {
        if let Some(value) = status.get(field).filter(|value| !value.is_null()) {
            reflected.insert(field.to_owned(), value.clone());
        }
    }
    Value::Object(reflected)
}

/// `None` once the template is finished: a finished Job never changes.
pub(super) fn aggregate(template: &Value, items: &[Item]) -> Option<Value> {
    let current = template.get("status").unwrap_or(&Value::Null);
    if finished(current).is_some() {
        return None;
    }
    let mut status = Map::new();
    counts::write(&mut status, COUNTS, |name| counts::sum(items, name));
    let conditions = conditions(items);
    if !conditions.is_empty() {
        status.insert("conditions".to_owned(), Value::Array(conditions));
    }
    let all_report = |field| !items.is_empty() && times(items, field).count() == items.len();
    let started = current.get("startTime").filter(|time| !time.is_null()).cloned();
    let started = started.or_else(|| {
        all_report("startTime").then(|| earliest_or_latest(items, "startTime", true).unwrap_or_default())
    });
    if let Some(started) = started {
        status.insert("startTime".to_owned(), started);
    }
    if let Some(completed) =
        earliest_or_latest(items, "completionTime", false).filter(|_| all_report("completionTime"))
    {
        status.insert("completionTime".to_owned(), completed);
    }
    Some(Value::Object(status))
}

fn conditions(items: &[Item]) -> Vec<Value> {
    let finished_as = |item: &&Item, kind| item.status.as_ref().and_then(finished) == Some(kind);
    let failed: Vec<&str> = items
        .iter()
        .filter(|item| finished_as(item, "Failed"))
        .map(|item| item.cluster.as_str())
        .collect();
    let complete = items.iter().filter(|item| finished_as(item, "Complete")).count();
    let reporting = |kind| statuses(items).filter(|status| holds(status, kind)).count();
    let stamp = last_transition(items);
    let condition = |kind: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": "True", "reason": reason, "message": message,
            "lastProbeTime": stamp, "lastTransitionTime": stamp,
        })
    };
    let mut conditions = Vec::new();
    if !failed.is_empty() {
        let message = format!("Job executed failed in member clusters {}", failed.join(","));
        // Kubernetes 1.31 and later refuses Failed without FailureTarget.
        if reporting("FailureTarget") > 0 {
            conditions.push(condition("FailureTarget", "JobFailed", &message));
        }
        conditions.push(condition("Failed", "JobFailed", &message));
    }
    if complete == items.len() && complete > 0 {
        conditions.push(condition("Complete", "Completed", "Job completed"));
        if reporting("SuccessCriteriaMet") == items.len() {
            let message = "All member clusters have met success criteria";
            conditions.push(condition("SuccessCriteriaMet", "CompletionsReached", message));
        }
    }
    conditions
}

/// How the Job ended, if it did.
fn finished(status: &Value) -> Option<&'static str> {
    ["Complete", "Failed"]
        .into_iter()
        .find(|kind| holds(status, kind))
}

fn holds(status: &Value, kind: &str) -> bool {
    let conditions = status.get("conditions").and_then(Value::as_array);
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == kind && condition["status"] == "True")
}

/// When the last member changed its mind: the time of what is concluded from all of them.
fn last_transition(items: &[Item]) -> Value {
    let conditions = statuses(items)
        .filter_map(|status| status["conditions"].as_array())
        .flatten();
    let stamps = conditions.filter_map(|condition| condition["lastTransitionTime"].as_str());
    let completions = statuses(items).filter_map(|status| status["completionTime"].as_str());
    stamps
        .chain(completions)
        .max_by_key(|text| text.parse::<Timestamp>().ok())
        .map_or(Value::Null, Value::from)
}

fn times<'a>(items: &'a [Item], field: &'a str) -> impl Iterator<Item = (Timestamp, &'a Value)> {
    statuses(items).filter_map(move |status| {
        let value = status.get(field)?;
        Some((value.as_str()?.parse().ok()?, value))
    })
}

fn earliest_or_latest(items: &[Item], field: &str, earliest: bool) -> Option<Value> {
    let times = times(items, field);
    let found = if earliest {
        times.min_by_key(|(time, _)| *time)
    } else {
        times.max_by_key(|(time, _)| *time)
    };
    found.map(|(_, value)| value.clone())
}

/// All running Jobs, and when the last one of any member was started and succeeded.
pub(super) fn aggregate_cron(template: &Value, items: &[Item]) -> Value {
    let mut status = counts::current(template);
    let active: Vec<Value> = statuses(items)
        .filter_map(|status| status["active"].as_array())
        .flatten()
        .cloned()
        .collect();
    put(
        &mut status,
        "active",
        (!active.is_empty()).then_some(Value::Array(active)),
    );
    for field in ["lastScheduleTime", "lastSuccessfulTime"] {
        put(&mut status, field, earliest_or_latest(items, field, false));
    }
    Value::Object(status)
}

fn put(status: &mut Map<String, Value>, field: &str, value: Option<Value>) {
    match value {
        Some(value) => status.insert(field.to_owned(), value),
        None => status.remove(field),
    };
}
