//! What the console tells the world: its stream of server-sent events, read as any browser reads it.

use std::{net::SocketAddr, time::Duration};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::time::Instant;

use super::{
    client::{self, HttpError},
    recorder::Recorder,
};

const STREAM: &str = "/api/stream";
const OPEN_WITHIN: Duration = Duration::from_secs(5);
const RECONNECT_AFTER: Duration = Duration::from_millis(200);
/// A line longer than this is no event of ours.
const LINE_MAX: usize = 1024 * 1024;

/// The stream of one console.
pub(super) struct Stream {
    console: SocketAddr,
    token: Option<String>,
    body: Incoming,
}

impl Stream {
    /// Opens the stream: a console that refuses it would leave a drill without verdicts.
    pub(super) async fn open(console: SocketAddr, token: Option<String>) -> Result<Self, HttpError> {
        let body = tokio::time::timeout(OPEN_WITHIN, connect(console, token.as_deref()))
            .await
            .unwrap_or(Err(HttpError::Timeout(OPEN_WITHIN)))?;
        Ok(Self { console, token, body })
    }

    /// Reads until dropped; after a broken stream it connects again.
    pub(super) async fn watch(self, recorder: Recorder) {
        let Self {
            console,
            token,
            mut body,
        } = self;
        loop {
            if let Err(error) = read(&mut body, &recorder).await {
                tracing::debug!(%error, "the console's stream ended");
            }
            body = loop {
                tokio::time::sleep(RECONNECT_AFTER).await;
                match connect(console, token.as_deref()).await {
                    Ok(body) => break body,
                    Err(error) => tracing::debug!(%error, "the console's stream does not open"),
                }
            };
        }
    }
}

async fn connect(console: SocketAddr, token: Option<&str>) -> Result<Incoming, HttpError> {
    let mut sender = client::connect(console).await?;
    let response = client::send(&mut sender, STREAM, &console.to_string(), token).await?;
    if !response.status().is_success() {
        return Err(HttpError::Status(response.status()));
    }
    Ok(response.into_body())
}

async fn read(body: &mut Incoming, recorder: &Recorder) -> Result<(), HttpError> {
    let mut parser = Parser::default();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(HttpError::Exchange)?;
        let Some(data) = frame.data_ref() else { continue };
        let at = Instant::now();
        for line in parser.feed(data) {
            let text = |key: &str| line[key].as_str().unwrap_or("");
            recorder.verdict(at, text("type"), text("cluster"), text("detail"));
        }
    }
    Ok(())
}

/// Cuts a stream of bytes into events and keeps those named `timeline`.
#[derive(Default)]
struct Parser {
    line: Vec<u8>,
    event: String,
    data: String,
}

impl Parser {
    fn feed(&mut self, bytes: &[u8]) -> Vec<Value> {
        let mut events = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                if self.line.len() < LINE_MAX {
                    self.line.push(*byte);
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            events.extend(self.end_of_line(String::from_utf8_lossy(&line).trim_end_matches('\r')));
        }
        events
    }

    fn end_of_line(&mut self, line: &str) -> Option<Value> {
        if line.is_empty() {
            let (event, data) = (std::mem::take(&mut self.event), std::mem::take(&mut self.data));
            return (event == "timeline").then(|| serde_json::from_str(&data).ok())?;
        }
        let (field, value) = line.split_once(':')?;
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event),
            "data" if self.data.len() < LINE_MAX => self.data.push_str(value),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeline_events_are_cut_from_the_stream() {
        let stream = b": hello\n\nevent: stats\ndata: {\"type\":\"no\"}\n\nevent: timeline\r\nid: 4\r\n\
            data: {\"type\":\"cluster.down\",\ndata: \"cluster\":\"eu\"}\r\n\r\nevent: timeline\ndata: {bro";
        for size in 1..stream.len() {
            let mut parser = Parser::default();
            let events: Vec<_> = stream.chunks(size).flat_map(|chunk| parser.feed(chunk)).collect();
            assert_eq!(events.len(), 1, "in pieces of {size}");
            assert_eq!(events[0]["type"], "cluster.down");
            assert_eq!(events[0]["cluster"], "eu");
        }
    }
}
