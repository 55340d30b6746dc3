//! HTTP in front of the store: routing, content negotiation, faults, streams.

use std::net::SocketAddr;
use std::sync::Arc;

use super::store::Store;
use super::switches::Switches;

/// What every request handler has at hand.
#[derive(Debug)]
pub(crate) struct Context {
    pub store: Store,
    pub switches: Arc<Switches>,
    pub addr: SocketAddr,
}

impl Context {
    pub(crate) fn new(store: Store, switches: Arc<Switches>, addr: SocketAddr) -> Context {
        Context {
            store,
            switches,
            addr,
        }
    }
}
pub(crate) async fn handle(
    _c: Arc<Context>,
    _r: hyper::Request<hyper::body::Incoming>,
) -> hyper::Response<http_body_util::Full<bytes::Bytes>> {
    hyper::Response::new(http_body_util::Full::default())
}
