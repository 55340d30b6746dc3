//! Job → pods that run to completion.

use serde_json::{Value, json};

use super::pods;
use crate::member::{
    json::{self, Saying, condition_is_true, conditions, deleting, stamp, text},
    world::{Kind, World, Write},
};

pub(crate) fn wants(world: &World, draw: &mut fastrand::Rng) -> Vec<Write> {
    let mut writes = Vec::new();
    for job in world.jobs.iter().filter(|job| !deleting(job)) {
        if !condition_is_true(job, "Complete") && !condition_is_true(job, "Failed") {
            reconcile(world, job, draw, &mut writes);
        }
    }
    writes
}

fn reconcile(world: &World, job: &Value, draw: &mut fastrand::Rng, writes: &mut Vec<Write>) {
    let count = |pointer: &str| usize::try_from(json::count(job, pointer, 1)).unwrap_or(0);
    let (completions, parallelism) = (count("/spec/completions"), count("/spec/parallelism"));
    let owned: Vec<&Value> = world.pods_of(json::uid(job)).collect();
    let in_phase = |phase: &str| {
        owned
            .iter()
            .filter(|pod| text(pod, "/status/phase") == phase)
            .count()
    };
    let (succeeded, failed) = (in_phase("Succeeded"), in_phase("Failed"));
    let active = owned.iter().filter(|pod| pods::active(pod)).count();
    let suspended = job["spec"]["suspend"] == true;
    let limit = usize::try_from(json::count(job, "/spec/backoffLimit", 6)).unwrap_or(0);

    let wanted = if suspended {
        0
    } else {
        completions.saturating_sub(succeeded).min(parallelism)
    };
    for _ in 0..wanted.saturating_sub(active).min(pods::room(world)) {
        let name = pods::drawn_name(json::name(job), draw);
        let owner = json::owner_reference("batch/v1", "Job", job);
        let mut pod = pods::from_template(&job["spec"]["template"], json::namespace(job), &name, owner);
        for label in ["job-name", "batch.kubernetes.io/job-name"] {
            json::put(&mut pod, &["metadata", "labels", label], json!(json::name(job)));
        }
        writes.push(Write::Create {
            kind: Kind::Pod,
            object: pod,
        });
    }
    let mut status = json!({
        "active": active,
        "ready": owned.iter().filter(|pod| pods::ready(pod)).count(),
        "succeeded": succeeded,
        "failed": failed,
    });
    if job["status"]["startTime"].is_null() && !suspended {
        status["startTime"] = json!(stamp(world.now));
    }
    let end = |kind, reason, message| Saying {
        kind,
        status: true,
        reason,
        message,
    };
    if succeeded >= completions {
        let said = [end(
            "Complete",
            "CompletionsReached",
            "Reached expected number of succeeded pods",
        )];
        status["conditions"] = conditions(job, &said, world.now);
        status["completionTime"] = json!(stamp(world.now));
    } else if failed > limit {
        let said = [end(
            "Failed",
            "BackoffLimitExceeded",
            "Job has reached the specified backoff limit",
        )];
        status["conditions"] = conditions(job, &said, world.now);
    }
    writes.extend(Write::status(Kind::Job, job, status));
}
