//! A small HTTP client for measuring: one connection, JSON bodies, a time limit on everything.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{
    Request, StatusCode,
    header::{AUTHORIZATION, HOST},
};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, time::timeout};

/// The largest body read.
const BODY_MAX: usize = 16 * 1024 * 1024;

/// Why a request got no answer that is of use.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("connect")]
    Connect(#[source] std::io::Error),
    #[error("exchange")]
    Exchange(#[source] hyper::Error),
    #[error("build the request")]
    Request(#[source] http::Error),
    #[error("status {0}")]
    Status(StatusCode),
    #[error("read the body: {0}")]
    Body(String),
}

/// A connection, made when first needed and again after a failure.
pub(super) struct Client {
    address: SocketAddr,
    sender: Option<http1::SendRequest<Empty<Bytes>>>,
}

impl Client {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            sender: None,
        }
    }

    /// The JSON at `path`.
    pub(super) async fn json(&mut self, path: &str, limit: Duration) -> Result<Value, HttpError> {
        let sender = self.sender.take().filter(|sender| !sender.is_closed());
        let work = async {
            let mut sender = match sender {
                Some(sender) => sender,
                None => connect(self.address).await?,
            };
            let response = send(&mut sender, path, &self.address.to_string(), None).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), BODY_MAX).collect().await;
            let body = body
                .map_err(|error| HttpError::Body(error.to_string()))?
                .to_bytes();
            if status != StatusCode::OK {
                return Err(HttpError::Status(status));
            }
            let value = serde_json::from_slice(&body).map_err(|error| HttpError::Body(error.to_string()))?;
            Ok((sender, value))
        };
        let (sender, value) = timeout(limit, work)
            .await
            .unwrap_or(Err(HttpError::Timeout(limit)))?;
        self.sender = Some(sender);
        Ok(value)
    }
}

/// A new connection, driven by a task of its own until either side ends it.
pub(super) async fn connect(address: SocketAddr) -> Result<http1::SendRequest<Empty<Bytes>>, HttpError> {
    let stream = TcpStream::connect(address).await.map_err(HttpError::Connect)?;
    stream.set_nodelay(true).map_err(HttpError::Connect)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(HttpError::Exchange)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::trace!(%error, "a measuring connection ended");
        }
    });
    Ok(sender)
}

pub(super) async fn send(
    sender: &mut http1::SendRequest<Empty<Bytes>>,
    path: &str,
    host: &str,
    token: Option<&str>,
) -> Result<hyper::Response<Incoming>, HttpError> {
    let mut request = Request::get(path).header(HOST, host);
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Empty::new()).map_err(HttpError::Request)?;
    sender.ready().await.map_err(HttpError::Exchange)?;
    sender.send_request(request).await.map_err(HttpError::Exchange)
}
