//! Who may ask, and how: every request names a known host; a request that changes something is JSON and
//! comes from our own page or from no page at all; beyond loopback a token is needed.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::console::CONTENT_SECURITY_POLICY;

/// The rules for one listener.
#[derive(Clone, Debug)]
pub struct Guard {
    hosts: Arc<Vec<String>>,
    token: Option<Arc<str>>,
}

#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    #[error("listening on {0}, beyond loopback, needs a token (--token or LIFEBOAT_TOKEN)")]
    TokenNeeded(SocketAddr),
}

impl Guard {
    /// Known hosts are the listener's own address and, for loopback, `localhost`; `extra` adds names it
    /// is reached by.
    pub fn new(listen: SocketAddr, extra: &[String], token: Option<String>) -> Result<Self, GuardError> {
        if !listen.ip().is_loopback() && token.as_deref().unwrap_or("").is_empty() {
            return Err(GuardError::TokenNeeded(listen));
        }
        let mut hosts = vec![listen.to_string()];
        if listen.ip().is_loopback() {
            hosts.extend(["localhost", "127.0.0.1", "[::1]"].map(|host| format!("{host}:{}", listen.port())));
        }
        hosts.extend(extra.iter().map(|host| host.to_ascii_lowercase()));
        hosts.sort();
        hosts.dedup();
        Ok(Self {
            hosts: Arc::new(hosts),
            token: token.map(Arc::from),
        })
    }

    fn check(&self, method: &Method, headers: &HeaderMap, path: &str) -> Result<(), (StatusCode, String)> {
        let host = text(headers, header::HOST)
            .unwrap_or_default()
            .to_ascii_lowercase();
        if !self.hosts.contains(&host) {
            let allowed = self.hosts.join(", ");
            return Err((
                StatusCode::MISDIRECTED_REQUEST,
                format!("host {host:?} is not known; allowed: {allowed}"),
            ));
        }
        if let Some(token) = &self.token {
            let given = text(headers, header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
            if !given.is_some_and(|given| same(given.as_bytes(), token.as_bytes())) {
                return Err((
                    StatusCode::UNAUTHORIZED,
                    format!("{path} needs Authorization: Bearer TOKEN"),
                ));
            }
        }
        if matches!(*method, Method::GET | Method::HEAD) {
            return Ok(());
        }
        if let Some(origin) = text(headers, header::ORIGIN)
            && !self.hosts.iter().any(|known| {
                origin.strip_prefix("http://") == Some(known.as_str())
                    || origin.strip_prefix("https://") == Some(known.as_str())
            })
        {
            return Err((
                StatusCode::FORBIDDEN,
                format!("origin {origin:?} may not change anything here"),
            ));
        }
        let kind = text(headers, header::CONTENT_TYPE).unwrap_or_default();
        if kind.split(';').next().map(str::trim) != Some("application/json") {
            let message = format!("{method} {path} needs Content-Type: application/json, not {kind:?}");
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        Ok(())
    }
}

/// Middleware around every route of a listener.
pub(super) async fn enforce(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let verdict = guard.check(request.method(), request.headers(), request.uri().path());
    let mut response = match verdict {
        Ok(()) => next.run(request).await,
        Err((status, message)) => (status, Json(serde_json::json!({ "error": message }))).into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Compares without telling by its duration where the first difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: Method, headers: &[(&str, &str)], expected: u16) {
        let guard = Guard::new("127.0.0.1:8080".parse().unwrap(), &[], None).unwrap();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(
                header::HeaderName::from_bytes(name.as_bytes()).unwrap(),
                value.parse().unwrap(),
            );
        }
        let status = guard
            .check(&method, &map, "/api/x")
            .map_or_else(|(status, _)| status.as_u16(), |()| 200);
        assert_eq!(status, expected, "{method} {headers:?}");
    }

    #[test]
    fn requests_are_judged_by_host_origin_and_type() {
        let host = ("host", "127.0.0.1:8080");
        let json = ("content-type", "application/json; charset=utf-8");
        check(Method::GET, &[host], 200);
        check(Method::GET, &[("host", "LOCALHOST:8080")], 200);
        check(Method::GET, &[("host", "evil.example")], 421);
        check(Method::GET, &[], 421);
        check(Method::POST, &[host, json], 200);
        check(
            Method::POST,
            &[host, json, ("origin", "http://127.0.0.1:8080")],
            200,
        );
        check(
            Method::POST,
            &[host, json, ("origin", "http://evil.example")],
            403,
        );
        check(Method::POST, &[host, json, ("origin", "null")], 403);
        check(Method::POST, &[host, ("content-type", "text/plain")], 415);
        check(Method::DELETE, &[host], 415);
    }

    #[test]
    fn beyond_loopback_a_token_is_needed() {
        assert!(Guard::new("192.0.2.1:8080".parse().unwrap(), &[], None).is_err());
        let guard = Guard::new("192.0.2.1:8080".parse().unwrap(), &[], Some("secret".into())).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("host", "192.0.2.1:8080".parse().unwrap());
        assert_eq!(
            guard.check(&Method::GET, &headers, "/").unwrap_err().0,
            StatusCode::UNAUTHORIZED
        );
        headers.insert("authorization", "Bearer secret".parse().unwrap());
        assert!(guard.check(&Method::GET, &headers, "/").is_ok());
    }
}
