//! Watch responses: one JSON event a line, for as long as the client listens.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::Response;
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Context;
use super::negotiate::Form;
use super::params::Params;
use super::respond::{self, Body};
use crate::apiserver::convert;
use crate::apiserver::error::ApiError;
use crate::apiserver::kinds::Kind;
use crate::apiserver::store::ListQuery;
use crate::apiserver::stored::{Change, Stored};
use crate::apiserver::watch::WatchStream;

/// Watches open at a time on one server.
const MAX_WATCHES: usize = 4_096;
/// How often an idle watch tells how far it is.
const BOOKMARK_EVERY: Duration = Duration::from_secs(30);
const BOOKMARK_SPREAD_MS: u64 = 10_000;

/// Counts an open watch for as long as it lives.
struct Slot(Arc<Context>);

impl Slot {
    fn take(context: &Arc<Context>) -> Result<Slot, ApiError> {
        if context.watches.fetch_add(1, Ordering::Relaxed) >= MAX_WATCHES {
            context.watches.fetch_sub(1, Ordering::Relaxed);
            let message = format!("too many watches: at most {MAX_WATCHES} are open at a time");
            return Err(ApiError::new(429, "TooManyRequests", message).retry_after(1));
        }
        Ok(Slot(context.clone()))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.watches.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Watch {
    _slot: Slot,
    kind: Arc<Kind>,
    form: Form,
    first: bool,
    initial: VecDeque<Arc<Stored>>,
    /// Owed once the initial objects are out: the end mark of `sendInitialEvents`.
    initial_end: bool,
    events: WatchStream,
    bookmarks: bool,
    next_bookmark: Instant,
    deadline: Instant,
    drops: tokio::sync::watch::Receiver<u64>,
    over: bool,
}

pub(super) fn watch(
    context: &Arc<Context>,
    kind: &Arc<Kind>,
    mut query: ListQuery,
    form: Form,
    params: &Params,
) -> Result<Response<Body>, ApiError> {
    let slot = Slot::take(context)?;
    let streaming_list = params.get("sendInitialEvents").is_some() && params.flag("sendInitialEvents");
    if params.get("sendInitialEvents").is_some()
        && params.text("resourceVersionMatch") != Some("NotOlderThan")
    {
        return Err(ApiError::bad_request(
            "sendInitialEvents: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ));
    }
    let from = query.resource_version.unwrap_or(0);
    let namespace = query.namespace.clone();
    let selector = query.selector.clone();
    let quiet_start = params.get("sendInitialEvents").is_some() && !streaming_list;
    let (initial, start) = if from == 0 && !quiet_start || streaming_list {
        query.limit = 0;
        query.continue_token = None;
        let page = context.store.list_page(kind, &query)?;
        (page.items.into(), page.rv)
    } else if quiet_start && from == 0 {
        (VecDeque::new(), context.store.resource_version())
    } else {
        (VecDeque::new(), from)
    };
    let timeout = match params.number::<u64>("timeoutSeconds")? {
        Some(seconds) if seconds > 0 => Duration::from_secs(seconds.min(86_400)),
        Some(_) | None => Duration::from_secs(fastrand::u64(1_800..3_600)),
    };
    // As the real server: once the request itself is in order, what goes wrong is an event of the stream.
    // Clients (kube-rs among them) list again upon a 410 event, and only upon that.
    let events = match WatchStream::open(context.store.clone(), kind.clone(), namespace, selector, start) {
        Ok(events) => events,
        Err(error) => {
            let failed = line("ERROR", error.to_status().to_string().as_bytes());
            let frames = stream::iter([Ok::<_, std::io::Error>(failed)]);
            return Ok(respond::response(
                200,
                "application/json",
                StreamBody::new(frames).boxed_unsync(),
            ));
        }
    };
    let now = Instant::now();
    let watch = Watch {
        _slot: slot,
        kind: kind.clone(),
        form,
        first: true,
        initial,
        initial_end: streaming_list,
        events,
        bookmarks: params.get("allowWatchBookmarks").is_some() && params.flag("allowWatchBookmarks"),
        next_bookmark: now + bookmark_interval(),
        deadline: now + timeout,
        drops: context.switches.watch_drops(),
        over: false,
    };
    let frames = stream::unfold(watch, |mut watch| async move {
        let frame = watch.next().await?;
        Some((frame, watch))
    });
    Ok(respond::response(
        200,
        "application/json",
        StreamBody::new(frames).boxed_unsync(),
    ))
}

fn bookmark_interval() -> Duration {
    BOOKMARK_EVERY + Duration::from_millis(fastrand::u64(..BOOKMARK_SPREAD_MS))
}

impl Watch {
    async fn next(&mut self) -> Option<Result<Frame<Bytes>, std::io::Error>> {
        if self.over {
            return None;
        }
        if self.drops.has_changed().unwrap_or(true) {
            return self.dropped();
        }
        if let Some(stored) = self.initial.pop_front() {
            let bytes = convert::bytes(&self.kind, &stored);
            return Some(Ok(self.event("ADDED", &bytes)));
        }
        if std::mem::take(&mut self.initial_end) {
            let rv = self.events.position();
            return Some(Ok(self.bookmark(rv, true)));
        }
        tokio::select! {
            biased;
            changed = self.drops.changed() => {
                let _ = changed;
                self.dropped()
            }
            next = self.events.next_bytes() => match next {
                Some(Ok((change, bytes))) => {
                    let name = match change {
                        Change::Added => "ADDED",
                        Change::Modified => "MODIFIED",
                        Change::Deleted => "DELETED",
                    };
                    Some(Ok(self.event(name, &bytes)))
                }
                Some(Err(error)) => {
                    self.over = true;
                    Some(Ok(line("ERROR", error.to_status().to_string().as_bytes())))
                }
                None => None,
            },
            () = tokio::time::sleep_until(self.deadline) => {
                self.over = true;
                let rv = self.events.position();
                self.bookmarks.then(|| Ok(self.bookmark(rv, false)))
            }
            () = tokio::time::sleep_until(self.next_bookmark), if self.bookmarks => {
                self.next_bookmark = Instant::now() + bookmark_interval();
                let rv = self.events.idle_position();
                Some(Ok(self.bookmark(rv, false)))
            }
        }
    }

    /// Breaks the response off, as a lost connection would.
    fn dropped(&mut self) -> Option<Result<Frame<Bytes>, std::io::Error>> {
        self.over = true;
        Some(Err(std::io::Error::new(
            std::io::ErrorKind::ConnectionReset,
            "watch dropped by a fault switch",
        )))
    }

    fn event(&mut self, name: &str, object: &Bytes) -> Frame<Bytes> {
        let object = self
            .form
            .event(&self.kind, object, std::mem::take(&mut self.first));
        line(name, &object)
    }

    fn bookmark(&self, rv: u64, initial_end: bool) -> Frame<Bytes> {
        let mut metadata = json!({"resourceVersion": rv.to_string(), "creationTimestamp": null});
        if initial_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object =
            json!({"kind": self.kind.kind, "apiVersion": self.kind.api_version(), "metadata": metadata});
        let object: Value = match self.form {
            Form::Object => object,
            Form::Partial => super::negotiate::partial(&object),
            Form::Table(_) => json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1",
                "metadata": {"resourceVersion": rv.to_string()}, "columnDefinitions": [],
                "rows": [{"cells": [], "object": super::negotiate::partial(&object)}]}),
        };
        line("BOOKMARK", object.to_string().as_bytes())
    }
}

fn line(name: &str, object: &[u8]) -> Frame<Bytes> {
    let mut text = Vec::with_capacity(object.len() + 40);
    text.extend_from_slice(b"{\"type\":\"");
    text.extend_from_slice(name.as_bytes());
    text.extend_from_slice(b"\",\"object\":");
    text.extend_from_slice(object);
    text.extend_from_slice(b"}\n");
    Frame::data(Bytes::from(text))
}
