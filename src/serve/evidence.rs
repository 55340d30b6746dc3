//! Evidence as it arrives, as a recording that grows for as long as somebody reads it.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use futures::stream;
use lifeboat_health::{
    MonoTime,
    recording::{Preamble, Recorder},
};
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// Where evidence comes from: what stands before it, and the datagrams as they arrive.
pub trait Evidence: Send + Sync {
    /// `None` while no consumer runs.
    fn tap(&self) -> Option<(Preamble, Receiver<(MonoTime, Bytes)>)>;
}

/// `GET /api/evidence`.
pub fn router(source: Arc<dyn Evidence>) -> Router {
    Router::new().route("/api/evidence", get(async move || record(&*source)))
}

fn record(source: &dyn Evidence) -> Response {
    let Some((preamble, datagrams)) = source.tap() else {
        let message = serde_json::json!({ "error": "no consumer of evidence runs now" }).to_string();
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            [(header::CONTENT_TYPE, "application/json")],
            message,
        )
            .into_response();
    };
    let entries = stream::unfold(Some((Some(preamble), datagrams)), async |state| {
        let (first, mut datagrams) = state?;
        if let Some(preamble) = first {
            let mut bytes = Vec::new();
            let written = Recorder::start(&mut bytes, &preamble).map(drop);
            return Some((written.map(|()| Bytes::from(bytes)), Some((None, datagrams))));
        }
        loop {
            match datagrams.recv().await {
                Ok((at, datagram)) => {
                    let mut bytes = Vec::new();
                    let written = Recorder::resume(&mut bytes).record(at, &datagram);
                    return Some((written.map(|()| Bytes::from(bytes)), Some((None, datagrams))));
                }
                // The reader is too slow; what it missed is a gap, as of a lossy link.
                Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "a recording has a gap"),
                Err(RecvError::Closed) => return None,
            }
        }
    });
    (
        [(header::CONTENT_TYPE, "application/vnd.lifeboat.evidence")],
        Body::from_stream(entries),
    )
        .into_response()
}
