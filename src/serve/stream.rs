//! Server-sent events: the history of rates once, the state about twice a second, and each timeline entry as it
//! happens.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, StreamExt, stream};
use serde_json::Value;
use tokio::sync::watch;
use tokio_stream::wrappers::{BroadcastStream, WatchStream};

use crate::timeline::{Entry, Timeline};

/// Replays the entries after `last_id`, then continues live. A reader too slow for the live channel
/// misses entries; the ids show the gap, and a reconnect with Last-Event-ID fills it.
pub(super) fn events(
    state: watch::Receiver<Arc<str>>,
    timeline: &Timeline,
    last_id: u64,
    history: &Value,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let (past, live) = timeline.since(last_id);
    let newest = past.last().map_or(last_id, |entry| entry.id);
    let live = BroadcastStream::new(live)
        .filter_map(move |entry| async move { entry.ok().filter(|entry| entry.id > newest) });
    let entries = stream::iter(past)
        .chain(live)
        .filter_map(|entry| async move { timeline_event(&entry) });
    let states =
        WatchStream::new(state).map(|document| Event::default().event("state").data(document.as_ref()));
    let first = Event::default().event("history").data(history.to_string());
    let events = stream::iter([first]).chain(stream::select(entries, states));
    Sse::new(events.map(Ok)).keep_alive(KeepAlive::new().interval(Duration::from_secs(10)))
}

fn timeline_event(entry: &Entry) -> Option<Event> {
    Event::default()
        .event("timeline")
        .id(entry.id.to_string())
        .json_data(entry)
        .ok()
}
