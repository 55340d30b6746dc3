//! Questions over a server's control socket.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use crate::cli::client::ClientError;

const TIMEOUT: Duration = Duration::from_secs(15);

/// Sends one request and returns the answer.
///
/// # Errors
/// The socket, and why it cannot be reached; or the server's refusal in its words.
pub(super) async fn ask(
    socket: &Path,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, ClientError> {
    let unreachable = |source: anyhow::Error| ClientError::Socket {
        path: socket.to_owned(),
        source,
    };
    let exchange = async {
        let stream = UnixStream::connect(socket).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        connection.abort();
        anyhow::Ok((status, body))
    };
    let (status, body) = tokio::time::timeout(TIMEOUT, exchange)
        .await
        .map_err(|_elapsed| unreachable(anyhow::anyhow!("no answer within {} s", TIMEOUT.as_secs())))?
        .map_err(unreachable)?;
    let answer: Value = serde_json::from_slice(&body).map_err(|error| unreachable(error.into()))?;
    if status.is_success() {
        return Ok(answer);
    }
    let message = answer["error"].as_str().unwrap_or_default().to_owned();
    Err(ClientError::Refused { status, message })
}
