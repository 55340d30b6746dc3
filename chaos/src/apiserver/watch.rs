//! Following the changes of one resource type. A watch holds a cursor, no queue: it reads the shared history
//! when it is ready for more, and ends with 410 Gone when the history has moved past it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::watch;

use super::convert;
use super::error::ApiError;
use super::kinds::Kind;
use super::meta;
use super::selector::Selector;
use super::store::Store;
use super::stored::{Change, Event, Stored};

/// One change, with the object as it is after it (for a deletion: as it was last).
#[derive(Clone, Debug, PartialEq)]
pub enum WatchEvent {
    Added(Value),
    Modified(Value),
    Deleted(Value),
}

/// Changes of one resource type, in order. Cheap while nothing happens.
#[derive(Debug)]
pub struct WatchStream {
    store: Store,
    kind: Arc<Kind>,
    namespace: Option<String>,
    selector: Selector,
    /// Everything up to here has been taken from the history.
    cursor: u64,
    /// Everything up to here has been handed out.
    handed_out: u64,
    changed: watch::Receiver<u64>,
    ready: VecDeque<(u64, Change, Bytes)>,
}

/// How many changes are taken from the history under one lock.
const BATCH: usize = 128;

impl WatchStream {
    pub(crate) fn open(
        store: Store,
        kind: Arc<Kind>,
        namespace: Option<String>,
        selector: Selector,
        from_rv: u64,
    ) -> Result<WatchStream, ApiError> {
        let (cursor, changed) = {
            let mut state = store.inner.state.write();
            if from_rv > state.rv {
                return Err(super::store::too_new(from_rv, state.rv));
            }
            let table = state.table_mut(&kind.storage);
            if from_rv < table.forgotten_rv {
                return Err(too_old(from_rv, table.forgotten_rv));
            }
            (from_rv, table.changed.subscribe())
        };
        Ok(WatchStream {
            store,
            kind,
            namespace,
            selector,
            cursor,
            handed_out: cursor,
            changed,
            ready: VecDeque::new(),
        })
    }

    /// The next change, waiting for it. `None` once the server or the resource type is gone.
    pub async fn next(&mut self) -> Option<Result<WatchEvent, ApiError>> {
        let (change, bytes) = match self.next_bytes().await? {
            Ok(next) => next,
            Err(error) => return Some(Err(error)),
        };
        let value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Some(Ok(match change {
            Change::Added => WatchEvent::Added(value),
            Change::Modified => WatchEvent::Modified(value),
            Change::Deleted => WatchEvent::Deleted(value),
        }))
    }

    /// As [`WatchStream::next`], as JSON text. Cancel safe.
    pub(crate) async fn next_bytes(&mut self) -> Option<Result<(Change, Bytes), ApiError>> {
        loop {
            if let Some((rv, change, bytes)) = self.ready.pop_front() {
                self.handed_out = rv;
                return Some(Ok((change, bytes)));
            }
            self.changed.borrow_and_update();
            match self.fill() {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => return Some(Err(error)),
            }
            if self.store.kind(&self.kind.gvr()).is_err() {
                return None;
            }
            self.changed.changed().await.ok()?;
        }
    }

    /// The resource version everything up to which has been handed out; for bookmarks.
    pub(crate) fn position(&self) -> u64 {
        if self.ready.is_empty() {
            self.cursor
        } else {
            self.handed_out
        }
    }

    /// As [`WatchStream::position`], moved up to now where nothing waits to be handed out.
    pub(crate) fn idle_position(&mut self) -> u64 {
        if self.ready.is_empty() {
            let state = self.store.inner.state.read();
            if state
                .history
                .since(&self.kind.storage, self.cursor)
                .next()
                .is_none()
            {
                let forgotten = state
                    .tables
                    .get(&self.kind.storage)
                    .map_or(0, |table| table.forgotten_rv);
                if self.cursor >= forgotten {
                    self.cursor = state.rv;
                }
            }
        }
        self.position()
    }

    /// Takes what is new; says whether anything matched.
    fn fill(&mut self) -> Result<bool, ApiError> {
        let state = self.store.inner.state.read();
        let forgotten = state
            .tables
            .get(&self.kind.storage)
            .map_or(0, |table| table.forgotten_rv);
        if self.cursor < forgotten {
            self.store.inner.slow_watchers.fetch_add(1, Ordering::Relaxed);
            return Err(too_old(self.cursor, forgotten));
        }
        let storage = self.kind.storage.clone();
        let mut reached = state.rv;
        let mut taken = Vec::new();
        for event in state.history.since(&storage, self.cursor) {
            if taken.len() == BATCH {
                reached = taken.last().map_or(reached, |event: &Event| event.rv);
                break;
            }
            taken.push(event.clone());
        }
        drop(state);
        self.cursor = reached;
        for event in taken {
            if let Some((change, bytes)) = self.translate(&event) {
                self.ready.push_back((event.rv, change, bytes));
            }
        }
        Ok(!self.ready.is_empty() || reached < self.changed.borrow().to_owned())
    }

    /// What a change means to somebody who sees only what the selector matches.
    fn translate(&self, event: &Event) -> Option<(Change, Bytes)> {
        if self
            .namespace
            .as_ref()
            .is_some_and(|namespace| **namespace != *event.object.namespace)
        {
            return None;
        }
        let before = event
            .previous
            .as_ref()
            .is_some_and(|previous| self.selector.matches(previous));
        let after = event.change != Change::Deleted && self.selector.matches(&event.object);
        match (before, after) {
            (false, true) => Some((Change::Added, convert::bytes(&self.kind, &event.object))),
            (true, true) => Some((Change::Modified, convert::bytes(&self.kind, &event.object))),
            (true, false) => Some((Change::Deleted, self.gone(event))),
            (false, false) => None,
        }
    }

    fn gone(&self, event: &Event) -> Bytes {
        match (&event.previous, event.change) {
            (Some(previous), Change::Modified) => stamped(&self.kind, previous, event.rv),
            _ => convert::bytes(&self.kind, &event.object),
        }
    }
}

/// An earlier state of an object under a later resource version.
fn stamped(kind: &Kind, stored: &Stored, rv: u64) -> Bytes {
    let mut value = convert::value(kind, stored);
    meta::set(&mut value, "resourceVersion", Value::String(rv.to_string()));
    Bytes::from(value.to_string().into_bytes())
}

fn too_old(asked: u64, oldest: u64) -> ApiError {
    ApiError::expired(format!("too old resource version: {asked} ({oldest})"))
}
