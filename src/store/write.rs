//! The one place that changes API objects. It makes no choices: it carries out [`Write`]s.

use std::time::Duration;

use futures::{StreamExt, stream};
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions},
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};
use serde_json::Value;

use super::{Index, Key, Kind, watch::raw};

/// Longest wait for one request; a hanging API server must not stall the loop that called.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Requests under way at once.
pub const CONCURRENCY: usize = 16;

/// One change to one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    pub kind: Kind,
    pub key: Key,
    pub op: Op,
}

/// What to do. A patch that carries `metadata.resourceVersion` is refused with a conflict when the
/// object has moved on; the caller's next round decides again from what is there then.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    Create(Value),
    Merge(Value),
    MergeStatus(Value),
    /// Server-side apply as field manager `lifeboat`, taking over contested fields.
    Apply(Value),
    Delete {
        uid: String,
    },
}

impl Op {
    /// As it is written in messages.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Merge(_) => "patch",
            Self::MergeStatus(_) => "patch status of",
            Self::Apply(_) => "apply",
            Self::Delete { .. } => "delete",
        }
    }
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// The object exists already (create) or is gone already (delete, patch).
    Moot,
    /// Somebody else changed the object first.
    Conflict,
}

#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("{verb} {kind} {key}: {reason}")]
    Api {
        verb: &'static str,
        kind: String,
        key: Key,
        reason: String,
    },
    #[error("{verb} {kind} {key}: no answer within {} s", REQUEST_TIMEOUT.as_secs())]
    Timeout {
        verb: &'static str,
        kind: String,
        key: Key,
    },
}

impl WriteError {
    /// None for an error where no answer came in time.
    fn new(verb: &'static str, kind: &Kind, key: &Key, error: Option<&kube::Error>) -> Self {
        let (kind, key) = (kind.kind.clone(), key.clone());
        match error.map(reason) {
            Some(reason) => Self::Api {
                verb,
                kind,
                key,
                reason,
            },
            None => Self::Timeout { verb, kind, key },
        }
    }
}

/// What the API server said, or what kept it from saying anything.
pub fn reason(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return status.message.clone();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// `{outcome}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WriteLabel {
    pub outcome: &'static str,
}

/// Writes by how they ended: done, moot, conflict, failed.
pub type Writes = Family<WriteLabel, Counter>;

#[derive(Clone)]
pub struct Writer {
    client: Client,
    index: Index,
    writes: Writes,
}

impl Writer {
    pub fn new(client: Client, index: Index) -> Self {
        Self {
            client,
            index,
            writes: Writes::default(),
        }
    }

    /// Counts its writes there.
    #[must_use]
    pub fn counted(self, writes: Writes) -> Self {
        Self { writes, ..self }
    }

    /// Carries out all writes, several at a time; one failure stops no other. Failures are logged here,
    /// where they are handled: the next round computes anew. Returns how many changed something.
    pub async fn all(&self, writes: Vec<Write>) -> usize {
        let mut done = 0;
        for (_, outcome) in self.each(writes).await {
            match outcome {
                Ok(Outcome::Done) => done += 1,
                Ok(Outcome::Moot | Outcome::Conflict) => {}
                Err(error) => tracing::warn!(error = %error, "write failed"),
            }
        }
        done
    }

    /// The same for a caller that handles failures itself. The order of what is returned is that of the answers.
    pub async fn each(&self, writes: Vec<Write>) -> Vec<(Write, Result<Outcome, WriteError>)> {
        stream::iter(writes)
            .map(|write| async move {
                let outcome = self.one(&write).await;
                (write, outcome)
            })
            .buffer_unordered(CONCURRENCY)
            .collect()
            .await
    }

    /// Whether the write changed something; a failure is logged.
    pub async fn done(&self, write: &Write) -> bool {
        match self.one(write).await {
            Ok(outcome) => outcome == Outcome::Done,
            Err(error) => {
                tracing::warn!(error = %error, "write failed");
                false
            }
        }
    }

    /// The object as the API server holds it now, watched or not; none if there is none.
    ///
    /// # Errors
    /// The API server did not say.
    pub async fn read(&self, kind: &Kind, key: &Key) -> Result<Option<Value>, WriteError> {
        let verb = "read";
        let api = self.api(kind, key);
        match tokio::time::timeout(REQUEST_TIMEOUT, api.get_opt(&key.name)).await {
            Ok(Ok(object)) => Ok(object.and_then(|object| raw(kind, object))),
            Ok(Err(error)) => Err(WriteError::new(verb, kind, key, Some(&error))),
            Err(_elapsed) => Err(WriteError::new(verb, kind, key, None)),
        }
    }

    pub async fn one(&self, write: &Write) -> Result<Outcome, WriteError> {
        let ended = self.attempt(write).await;
        let outcome = match &ended {
            Ok(Outcome::Done) => "done",
            Ok(Outcome::Moot) => "moot",
            Ok(Outcome::Conflict) => "conflict",
            Err(_) => "failed",
        };
        self.writes.get_or_create(&WriteLabel { outcome }).inc();
        ended
    }

    async fn attempt(&self, write: &Write) -> Result<Outcome, WriteError> {
        let Write { kind, key, op } = write;
        let verb = op.verb();
        let request = tokio::time::timeout(REQUEST_TIMEOUT, self.send(kind, key, op));
        match request.await {
            Ok(Ok(object)) => {
                if let Some(object) = object.and_then(|object| raw(kind, object)) {
                    // A patched object that is no longer held was deleted meanwhile: it must not come back.
                    let created = matches!(op, Op::Create(_) | Op::Apply(_));
                    if created || self.index.get(kind, key).is_some() {
                        self.index.apply(kind, object);
                    }
                }
                Ok(Outcome::Done)
            }
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => match op {
                Op::Create(_) => Ok(Outcome::Moot),
                Op::Merge(_) | Op::MergeStatus(_) | Op::Apply(_) | Op::Delete { .. } => Ok(Outcome::Conflict),
            },
            Ok(Err(kube::Error::Api(status))) if status.code == 404 && !matches!(op, Op::Create(_)) => {
                self.index.delete(kind, key);
                Ok(Outcome::Moot)
            }
            Ok(Err(error)) => Err(WriteError::new(verb, kind, key, Some(&error))),
            Err(_elapsed) => Err(WriteError::new(verb, kind, key, None)),
        }
    }

    fn api(&self, kind: &Kind, key: &Key) -> Api<DynamicObject> {
        let resource = kind.resource();
        if kind.namespaced {
            Api::namespaced_with(self.client.clone(), &key.namespace, &resource)
        } else {
            Api::all_with(self.client.clone(), &resource)
        }
    }

    async fn send(&self, kind: &Kind, key: &Key, op: &Op) -> Result<Option<DynamicObject>, kube::Error> {
        let api = self.api(kind, key);
        let merge = PatchParams {
            field_manager: Some("lifeboat".to_owned()),
            ..PatchParams::default()
        };
        match op {
            Op::Create(object) => {
                let object: DynamicObject =
                    serde_json::from_value(object.clone()).map_err(kube::Error::SerdeError)?;
                api.create(
                    &PostParams {
                        field_manager: merge.field_manager,
                        ..PostParams::default()
                    },
                    &object,
                )
                .await
                .map(Some)
            }
            Op::Merge(patch) => api.patch(&key.name, &merge, &Patch::Merge(patch)).await.map(Some),
            Op::MergeStatus(patch) => api
                .patch_status(&key.name, &merge, &Patch::Merge(patch))
                .await
                .map(Some),
            Op::Apply(object) => {
                let params = PatchParams::apply("lifeboat").force();
                api.patch(&key.name, &params, &Patch::Apply(object))
                    .await
                    .map(Some)
            }
            Op::Delete { uid } => {
                let preconditions = Preconditions {
                    uid: Some(uid.clone()),
                    resource_version: None,
                };
                let params = DeleteParams::background().preconditions(preconditions);
                api.delete(&key.name, &params).await.map(|deleted| deleted.left())
            }
        }
    }
}
