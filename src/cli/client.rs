//! A small JSON client for a Lifeboat server.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
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
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::NotJson { .. } => 3,
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

    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ClientError> {
        let unreachable = |source: anyhow::Error| ClientError::Unreachable {
            server: self.server.clone(),
            source,
        };
        let base = self.server.to_string();
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", base.trim_end_matches('/')))
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let request = request
            .body(Full::new(body))
            .map_err(|error| unreachable(error.into()))?;
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
            .map_err(|error| unreachable(anyhow::anyhow!("{}", error.root_cause())))?;
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
        let told = answer
            .ok()
            .and_then(|answer| answer.get("error")?.as_str().map(str::to_owned));
        let message = told.unwrap_or_else(|| format!("{} answered {status} to {path}", self.server));
        Err(ClientError::Refused { status, message })
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
