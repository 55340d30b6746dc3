//! The accept loop: one task a connection, HTTP/1.1 or HTTP/2 with prior knowledge.

use std::sync::Arc;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::http::{self, Context};
use crate::fault::GatedListener;

/// Connections served at a time; further ones wait in the listener's backlog.
const MAX_CONNECTIONS: usize = 1_024;
/// Streams of one HTTP/2 connection: kube-rs puts all its watches on one.
const MAX_STREAMS: u32 = 512;

/// Serves until told to stop.
pub(crate) async fn run(listener: GatedListener, context: Arc<Context>, stop: CancellationToken) {
    let connections = TaskTracker::new();
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else {
            break;
        };
        let (stream, _peer) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        if context.switches.refuses() {
            continue;
        }
        let (context, stop) = (context.clone(), stop.clone());
        connections.spawn(async move {
            let _permit = permit;
            let service = service_fn(move |request| {
                let context = context.clone();
                async move { Ok::<_, std::convert::Infallible>(http::handle(context, request).await) }
            });
            let mut builder = auto::Builder::new(TokioExecutor::new());
            builder.http1().timer(TokioTimer::new());
            builder
                .http2()
                .timer(TokioTimer::new())
                .max_concurrent_streams(MAX_STREAMS);
            let serving = builder.serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                () = stop.cancelled() => {}
                outcome = serving => if let Err(error) = outcome {
                    tracing::trace!(%error, "connection ended");
                },
            }
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}
