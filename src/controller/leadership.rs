//! The fleet's identity, this controller's epoch and the eviction budget: one object, changed only by
//! compare-and-swap, so that a controller that is no longer the leader cannot spend or act.

use std::time::Duration;

use kube::{
    Api, Client,
    api::{DynamicObject, Patch, PatchParams, PostParams},
};
use lifeboat_health::MonoTime;
use serde_json::{Value, json};

use crate::{
    failover::budget::{Bucket, Rate, Stored, Tokens},
    store::{self, Kind, annotation},
};

const NAME: &str = "lifeboat";
/// What is left of the eviction budget, as JSON.
const BUDGET: &str = "lifeboat.dev/budget";
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum LeadershipError {
    #[error("{verb} FailoverEpoch {NAME}: {}", store::reason(source))]
    Api {
        verb: &'static str,
        source: Box<kube::Error>,
    },
    #[error("{verb} FailoverEpoch {NAME}: no answer within {} s", REQUEST_TIMEOUT.as_secs())]
    Timeout { verb: &'static str },
    #[error("epoch {ours} is over: epoch {theirs} was taken by {holder}")]
    Lost { ours: u64, theirs: u64, holder: String },
    #[error("another controller changed FailoverEpoch {NAME} at the same time")]
    Contended,
}

/// A taken epoch.
pub(super) struct Leadership {
    api: Api<DynamicObject>,
    held: Value,
    bucket: Bucket,
    pub(super) epoch: u64,
    /// Who we are: the UID of the FailoverEpoch object, which outlives every controller.
    pub(super) fleet_uid: String,
}

impl Leadership {
    /// Takes the next epoch.
    pub(super) async fn take(
        client: Client,
        kind: &Kind,
        holder: &str,
        rate: Rate,
        now: MonoTime,
    ) -> Result<Self, LeadershipError> {
        let api: Api<DynamicObject> = Api::all_with(client, &kind.resource());
        let held = match bounded("reading", api.get_opt(NAME)).await? {
            Some(held) => value(held),
            None => {
                let first = json!({
                    "apiVersion": kind.api_version(), "kind": kind.kind, "metadata": { "name": NAME },
                    "spec": { "epoch": 0, "holder": holder },
                });
                let first = serde_json::from_value(first).map_err(|source| LeadershipError::Api {
                    verb: "building",
                    source: Box::new(kube::Error::SerdeError(source)),
                })?;
                value(bounded("creating", api.create(&PostParams::default(), &first)).await?)
            }
        };
        let epoch = stored_epoch(&held) + 1;
        let stored = annotation(&held, BUDGET).and_then(|text| serde_json::from_str::<Stored>(text).ok());
        let bucket = stored.map_or_else(
            || Bucket::full(rate, now),
            |stored| Bucket::resume(rate, stored, now),
        );
        let fleet_uid = store::uid(&held).to_owned();
        let mut leadership = Self {
            api,
            held,
            bucket,
            epoch,
            fleet_uid,
        };
        leadership
            .swap(&json!({ "spec": { "epoch": epoch, "holder": holder } }))
            .await?;
        Ok(leadership)
    }

    /// Evictions that may be started now, at that rate from now on.
    pub(super) fn tokens(&mut self, rate: Rate, now: MonoTime) -> Tokens {
        self.bucket.set_rate(rate, now);
        self.bucket.tokens(now)
    }

    /// Proves that the epoch is still ours, and spends `evictions` from the shared budget in the same write.
    pub(super) async fn spend(&mut self, evictions: u32, now: MonoTime) -> Result<bool, LeadershipError> {
        let mut bucket = self.bucket;
        if !bucket.take(evictions, now) {
            return Ok(false);
        }
        let stored = json!(bucket.stored()).to_string();
        match self
            .swap(&json!({ "metadata": { "annotations": { BUDGET: stored } } }))
            .await
        {
            Ok(()) => {
                self.bucket = bucket;
                Ok(true)
            }
            Err(LeadershipError::Contended) => {
                self.refresh().await?;
                Err(LeadershipError::Contended)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the object anew; an epoch above ours ends our leadership.
    pub(super) async fn refresh(&mut self) -> Result<(), LeadershipError> {
        let held = value(bounded("reading", self.api.get(NAME)).await?);
        let theirs = stored_epoch(&held);
        if theirs != self.epoch {
            let holder = held
                .pointer("/spec/holder")
                .and_then(Value::as_str)
                .unwrap_or("somebody")
                .to_owned();
            return Err(LeadershipError::Lost {
                ours: self.epoch,
                theirs,
                holder,
            });
        }
        self.held = held;
        Ok(())
    }

    async fn swap(&mut self, patch: &Value) -> Result<(), LeadershipError> {
        let mut patch = patch.clone();
        patch["metadata"]["resourceVersion"] = json!(store::resource_version(&self.held));
        let params = PatchParams {
            field_manager: Some("lifeboat".to_owned()),
            ..PatchParams::default()
        };
        match bounded("changing", self.api.patch(NAME, &params, &Patch::Merge(&patch))).await {
            Ok(object) => {
                self.held = value(object);
                Ok(())
            }
            Err(LeadershipError::Api { source, .. }) if matches!(&*source, kube::Error::Api(status) if status.code == 409) => {
                Err(LeadershipError::Contended)
            }
            Err(error) => Err(error),
        }
    }
}

async fn bounded<T>(
    verb: &'static str,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, LeadershipError> {
    tokio::time::timeout(REQUEST_TIMEOUT, request)
        .await
        .map_err(|_elapsed| LeadershipError::Timeout { verb })?
        .map_err(|source| LeadershipError::Api {
            verb,
            source: Box::new(source),
        })
}

fn value(object: DynamicObject) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

fn stored_epoch(held: &Value) -> u64 {
    held.pointer("/spec/epoch").and_then(Value::as_u64).unwrap_or(0)
}
