//! A small JSON client for a Lifeboat server.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client as Http, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

const TIMEOUT: Duration = Duration::from_secs(15);
const LARGEST_ANSWER_BYTES: usize = 64 << 20;

pub(super) struct Client {
    http: Http<HttpConnector, Full<Bytes>>,
    server: Uri,
    token: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error("--server {0}: only http://HOST:PORT is understood")]
    Server(Uri),
    #[error("cannot reach {server}: {source}; is it running? (--server or LIFEBOAT_SERVER says where)")]
    Unreachable { server: Uri, source: anyhow::Error },
    #[error("cannot reach {path}: {source}; is the server running, and may you open it? (--state or --config says where)", path = path.display())]
    Socket { path: PathBuf, source: anyhow::Error },
    #[error("{server} gave no answer within {} s", TIMEOUT.as_secs())]
    Timeout { server: Uri },
    #[error("{message}")]
    Refused { status: StatusCode, message: String },
    #[error("nothing is named {name:?}; known: {known}")]
    NoSuch { name: String, known: String },
    #[error("{server} answered something that is not JSON: {source}")]
    NotJson { server: Uri, source: serde_json::Error },
}

impl ClientError {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Server(_) => 2,
            Self::Unreachable { .. } | Self::Socket { .. } | Self::Timeout { .. } | Self::NotJson { .. } => 3,
            Self::Refused { .. } | Self::NoSuch { .. } => 4,
        }
    }
}

impl Client {
    pub(super) fn new(server: Uri, token: Option<String>) -> Result<Self, ClientError> {
        if server.scheme_str() != Some("http") || server.authority().is_none() {
            return Err(ClientError::Server(server));
        }
        let http = Http::builder(TokioExecutor::new()).build(HttpConnector::new());
        Ok(Self { http, server, token })
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.send(Method::GET, path, None).await
    }

    /// An answer that is read as it comes, without an end in sight.
    pub(super) async fn stream(&self, path: &str) -> Result<Incoming, ClientError> {
        let request = self.request(Method::GET, path, None)?;
        let response = tokio::time::timeout(TIMEOUT, self.http.request(request))
            .await
            .map_err(|_elapsed| ClientError::Timeout {
                server: self.server.clone(),
            })?
            .map_err(|error| self.unreachable(error.into()))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response.into_body());
        }
        let body = Limited::new(response.into_body(), LARGEST_ANSWER_BYTES)
            .collect()
            .await;
        let body = body.map(|body| body.to_bytes()).unwrap_or_default();
        Err(self.refused(status, path, serde_json::from_slice(&body).ok()))
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let base = self.server.to_string();
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", base.trim_end_matches('/')))
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        request
            .body(Full::new(body))
            .map_err(|error| self.unreachable(error.into()))
    }

    fn unreachable(&self, source: anyhow::Error) -> ClientError {
        ClientError::Unreachable {
            server: self.server.clone(),
            source: anyhow::anyhow!("{}", source.root_cause()),
        }
    }

    fn refused(&self, status: StatusCode, path: &str, answer: Option<Value>) -> ClientError {
        let told = answer.and_then(|answer| answer.get("error")?.as_str().map(str::to_owned));
        let message = told.unwrap_or_else(|| format!("{} answered {status} to {path}", self.server));
        ClientError::Refused { status, message }
    }

    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ClientError> {
        let request = self.request(method, path, body)?;
        let exchange = async {
            let response = self.http.request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LARGEST_ANSWER_BYTES)
                .collect()
                .await;
            anyhow::Ok((
                status,
                body.map_err(|error| anyhow::anyhow!("{error}"))?.to_bytes(),
            ))
        };
        let (status, body) = tokio::time::timeout(TIMEOUT, exchange)
            .await
            .map_err(|_elapsed| ClientError::Timeout {
                server: self.server.clone(),
            })?
            .map_err(|error| self.unreachable(error))?;
        let answer = if body.is_empty() {
            Ok(Value::Null)
        } else {
            serde_json::from_slice(&body)
        };
        if status.is_success() {
            return answer.map_err(|source| ClientError::NotJson {
                server: self.server.clone(),
                source,
            });
        }
        Err(self.refused(status, path, answer.ok()))
    }
}

/// Percent-encodes one path segment or query value.
pub(super) fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b',' | b':' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
