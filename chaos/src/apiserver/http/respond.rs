//! Building responses.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WARNING};
use serde_json::Value;

use crate::apiserver::error::ApiError;

pub(crate) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

pub(super) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

pub(super) fn response(code: u16, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() =
        hyper::StatusCode::from_u16(code).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

pub(super) fn text(text: &'static str) -> Response<Body> {
    response(200, "text/plain; charset=utf-8", whole(text))
}

pub(super) fn json(value: &Value) -> Response<Body> {
    json_code(200, value)
}

pub(super) fn json_code(code: u16, value: &Value) -> Response<Body> {
    response(code, "application/json", whole(value.to_string()))
}

pub(super) fn json_bytes(bytes: Bytes) -> Response<Body> {
    response(200, "application/json", whole(bytes))
}

pub(super) fn error(error: &ApiError) -> Response<Body> {
    let mut response = json_code(error.code(), &error.to_status());
    if let Some(seconds) = error.retry_after_s() {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

/// Longest warning and most warnings sent, as the real server bounds them.
const MAX_WARNING_CHARS: usize = 256;
const MAX_WARNINGS: usize = 16;

/// Adds `Warning: 299 - "…"` headers, which kubectl prints.
pub(super) fn warn(response: &mut Response<Body>, warnings: &[String]) {
    for warning in warnings.iter().take(MAX_WARNINGS) {
        let text: String = warning
            .chars()
            .filter(|c| !c.is_control())
            .take(MAX_WARNING_CHARS)
            .collect();
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append(WARNING, value);
        }
    }
}
