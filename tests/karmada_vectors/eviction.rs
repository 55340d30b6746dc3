//! Graceful eviction.

use jiff::{SignedDuration, Timestamp};
use lifeboat::{
    api::{
        TargetCluster,
        work::{AggregatedStatusItem, GracefulEvictionTask},
    },
    propagate::eviction::{self, Assessed, Assessment},
};
use serde_json::{Value, json};

use super::{compare, read, text};

fn now(input: &Value) -> Timestamp {
    text(&input["now"]).parse().unwrap()
}

fn seconds(value: &Value) -> SignedDuration {
    SignedDuration::from_secs(value.as_i64().unwrap())
}

fn assess(tasks: &[GracefulEvictionTask], now: Timestamp, option: &Value) -> Assessment {
    let clusters: Vec<TargetCluster> = read(&option["scheduleResult"]);
    let observed: Vec<AggregatedStatusItem> = read(&option["observedStatus"]);
    let assessed = Assessed {
        timeout: seconds(&option["timeout_seconds"]),
        scheduled: option["hasScheduled"] == true,
        clusters: &clusters,
        observed: &observed,
    };
    eviction::assess(tasks, now, assessed)
}

/// As they are in the vectors: `reason` and `producer` are written even when they are empty.
fn tasks(tasks: &[GracefulEvictionTask]) -> Value {
    let full = |task: &GracefulEvictionTask| {
        let mut task = json!(task);
        for field in ["reason", "producer"] {
            if task.get(field).is_none() {
                task[field] = json!("");
            }
        }
        task
    };
    tasks.iter().map(full).collect()
}

fn ended(assessment: &Assessment) -> Vec<&str> {
    assessment
        .ended
        .iter()
        .map(|task| task.from_cluster.as_str())
        .collect()
}

#[test]
fn random_tasks() {
    compare("random/graceful-eviction.json", |input, expect| {
        let given: Vec<GracefulEvictionTask> = read(&input["tasks"]);
        let assessment = assess(&given, now(input), input);
        let retry = eviction::next_retry(&assessment.kept, now(input), seconds(&input["timeout_seconds"]));
        let ours = json!({
            "tasks": tasks(&assessment.kept), "evictedClusters": ended(&assessment),
            "nextRetry_seconds": retry.unwrap_or_default().as_secs(),
        });
        Some((expect.clone(), ours))
    });
}

#[test]
fn assessments() {
    compare(
        "go-tables/graceful-eviction.assessEvictionTasks.json",
        |input, expect| {
            let assessment = assess(&read::<Vec<_>>(&input["tasks"]), now(input), &input["option"]);
            Some((
                expect.clone(),
                json!({ "tasks": tasks(&assessment.kept), "evictedClusters": ended(&assessment) }),
            ))
        },
    );
    compare(
        "go-tables/graceful-eviction.assessSingleTask.json",
        |input, expect| {
            let assessment = assess(
                &read::<Vec<_>>(&json!([input["task"]])),
                now(input),
                &input["option"],
            );
            Some((
                json!([expect["kept"], expect["task"]]),
                json!([!assessment.kept.is_empty(), tasks(&assessment.kept)[0]]),
            ))
        },
    );
    compare("go-tables/graceful-eviction.nextRetry.json", |input, expect| {
        let given: Vec<GracefulEvictionTask> = read(&input["tasks"]);
        let retry = eviction::next_retry(&given, now(input), seconds(&input["timeout_seconds"]));
        Some((
            expect.clone(),
            json!({ "seconds": retry.unwrap_or_default().as_secs() }),
        ))
    });
}

#[test]
fn clusters_leave_the_schedule() {
    compare("go-tables/binding.GracefulEvictCluster.json", |input, expect| {
        let mut clusters: Vec<TargetCluster> = read(&input["spec"]["clusters"]);
        let mut held: Vec<GracefulEvictionTask> = read(&input["spec"]["gracefulEvictionTasks"]);
        eviction::evict(&mut clusters, &mut held, read(&input["task"]));
        Some((
            expect.clone(),
            json!({ "clusters": clusters, "gracefulEvictionTasks": tasks(&held) }),
        ))
    });
    compare("go-tables/binding.RemoveCluster.json", |input, expect| {
        let mut clusters: Vec<TargetCluster> = read(&input["spec"]["clusters"]);
        eviction::remove_cluster(&mut clusters, text(&input["cluster"]));
        Some((expect.clone(), json!({ "clusters": clusters })))
    });
}
