//! How many replicas of the sample workloads are ready, asked of the members themselves.
//!
//! A member that does not answer in time counts nothing.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::time::{Instant, MissedTickBehavior};

use super::{client::Client, config::WorkloadRef, recorder::Recorder};

const EVERY: Duration = Duration::from_millis(250);
const WITHIN: Duration = Duration::from_millis(300);
const DEPLOYMENTS: &str = "/apis/apps/v1/deployments";

/// Counts until dropped; the latest count is also shown to `latest`.
pub(super) async fn watch(
    members: Vec<SocketAddr>,
    workloads: Vec<WorkloadRef>,
    recorder: Recorder,
    latest: tokio::sync::watch::Sender<Vec<u32>>,
) {
    let mut clients: Vec<Client> = members.into_iter().map(Client::new).collect();
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let answers = clients.iter_mut().map(|client| client.json(DEPLOYMENTS, WITHIN));
        let answers: Vec<Value> = futures::future::join_all(answers)
            .await
            .into_iter()
            .filter_map(Result::ok)
            .collect();
        let ready: Vec<u32> = workloads
            .iter()
            .map(|workload| answers.iter().map(|answer| ready(answer, workload)).sum())
            .collect();
        latest.send_replace(ready.clone());
        recorder.ready(Instant::now(), ready);
    }
}

fn ready(deployments: &Value, workload: &WorkloadRef) -> u32 {
    let items = deployments["items"].as_array().map_or(&[][..], Vec::as_slice);
    let found = items.iter().find(|item| {
        item["metadata"]["namespace"] == workload.namespace.as_str()
            && item["metadata"]["name"] == workload.name.as_str()
    });
    let ready = found
        .and_then(|item| item["status"]["readyReplicas"].as_u64())
        .unwrap_or(0);
    u32::try_from(ready).unwrap_or(u32::MAX)
}
