//! Who may ask, and how: every request names a known host; a request that changes something is JSON and
//! comes from our own page or from no page at all; beyond loopback a token is needed, but for the console's files,
//! which hold nothing of the fleet and ask for the token themselves.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::{ConnectInfo, Request, State, connect_info::Connected},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    serve::IncomingStream,
};
use tokio::net::TcpListener;

use super::console::{self, CONTENT_SECURITY_POLICY};

/// The address by which a connection reached the listener: of a wildcard listener, one of the machine's own.
#[derive(Clone, Copy, Debug)]
pub struct Reached(Option<SocketAddr>);

impl Connected<IncomingStream<'_, TcpListener>> for Reached {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        let address = stream.io().local_addr().ok();
        Self(address.map(|address| SocketAddr::new(address.ip().to_canonical(), address.port())))
    }
}

/// The rules for one listener.
#[derive(Clone, Debug)]
pub struct Guard {
    hosts: Arc<Vec<String>>,
    /// The listener has every address of the machine.
    wildcard: bool,
    /// The setting that adds hosts.
    named_by: &'static str,
    token: Option<Arc<str>>,
}

#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    #[error("listening on {0}, beyond loopback, needs a token (--token or LIFEBOAT_TOKEN)")]
    TokenNeeded(SocketAddr),
    #[error("a token is made of letters, digits and signs of ASCII, without spaces")]
    TokenText,
}

impl Guard {
    /// Known hosts are the listener's own address, `localhost` for loopback and wildcard listeners, for a wildcard
    /// listener also the address a connection came to. `extra` adds names, `NAME` or `NAME:PORT`, such as a proxy's.
    ///
    /// # Errors
    /// A listener beyond loopback without a token; a token that no header can carry.
    pub fn new(listen: SocketAddr, extra: &[String], token: Option<String>) -> Result<Self, GuardError> {
        let token = token.filter(|token| !token.is_empty());
        if !listen.ip().is_loopback() && token.is_none() {
            return Err(GuardError::TokenNeeded(listen));
        }
        if token
            .iter()
            .any(|token| !token.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return Err(GuardError::TokenText);
        }
        let (port, wildcard) = (listen.port(), listen.ip().is_unspecified());
        let mut hosts = vec![listen.to_string()];
        if listen.ip().is_loopback() || wildcard {
            hosts.extend(["localhost", "127.0.0.1", "[::1]"].map(|host| format!("{host}:{port}")));
        }
        for host in extra {
            let host = host.to_ascii_lowercase();
            hosts.extend([format!("{host}:{port}"), host]);
        }
        hosts.sort();
        hosts.dedup();
        Ok(Self {
            hosts: Arc::new(hosts),
            wildcard,
            named_by: "--host",
            token: token.map(Arc::from),
        })
    }

    /// With the setting that adds hosts, where that is not `--host`.
    pub fn named_by(self, setting: &'static str) -> Self {
        Self {
            named_by: setting,
            ..self
        }
    }

    /// Only what passes it reaches these routes.
    pub fn around(self, routes: Router) -> Router {
        routes.layer(middleware::from_fn_with_state(self, enforce))
    }

    fn knows(&self, host: &str, reached: Reached) -> bool {
        self.hosts.iter().any(|known| known == host)
            || self.wildcard && reached.0.is_some_and(|address| address.to_string() == host)
    }

    fn check(
        &self,
        method: &Method,
        headers: &HeaderMap,
        path: &str,
        reached: Reached,
    ) -> Result<(), (StatusCode, String)> {
        let host = text(headers, header::HOST)
            .unwrap_or_default()
            .to_ascii_lowercase();
        if !self.knows(&host, reached) {
            let allowed = self.hosts.join(", ");
            return Err((
                StatusCode::MISDIRECTED_REQUEST,
                format!(
                    "host {host:?} is not known; allowed: {allowed}, and what {} names",
                    self.named_by
                ),
            ));
        }
        let reads = matches!(*method, Method::GET | Method::HEAD);
        if reads && console::file(path).is_some() {
            return Ok(());
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
        if reads {
            return Ok(());
        }
        if let Some(origin) = text(headers, header::ORIGIN)
            && !["http://", "https://"]
                .iter()
                .filter_map(|scheme| origin.strip_prefix(scheme))
                .any(|host| self.knows(host, reached))
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
    let reached = request.extensions().get::<ConnectInfo<Reached>>();
    let reached = reached.map_or(Reached(None), |ConnectInfo(reached)| *reached);
    let verdict = guard.check(request.method(), request.headers(), request.uri().path(), reached);
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
            .check(&method, &map, "/api/x", Reached(None))
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
    fn a_stranger_is_told_the_setting_that_adds_hosts() {
        let guard = Guard::new("127.0.0.1:8080".parse().unwrap(), &[], None).unwrap();
        let told = |guard: &Guard| {
            let refused = guard.check(&Method::GET, &HeaderMap::new(), "/", Reached(None));
            refused.unwrap_err().1
        };
        assert!(told(&guard).ends_with("what --host names"), "{}", told(&guard));
        let guard = guard.named_by("adminHosts");
        assert!(
            told(&guard).ends_with("what adminHosts names"),
            "{}",
            told(&guard)
        );
    }

    #[test]
    fn beyond_loopback_a_token_is_needed() {
        assert!(Guard::new("192.0.2.1:8080".parse().unwrap(), &[], None).is_err());
        assert!(Guard::new("192.0.2.1:8080".parse().unwrap(), &[], Some(String::new())).is_err());
        let guard = Guard::new("192.0.2.1:8080".parse().unwrap(), &[], Some("secret".into())).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("host", "192.0.2.1:8080".parse().unwrap());
        let status = |method: Method, headers: &HeaderMap, path: &str| {
            guard
                .check(&method, headers, path, Reached(None))
                .map_err(|(status, _)| status)
        };
        let refused = Err(StatusCode::UNAUTHORIZED);
        for path in ["/api/state", "/api/stream", "/metrics", "/nowhere"] {
            assert_eq!(status(Method::GET, &headers, path), refused, "{path}");
        }
        for file in ["/", "/console/js/main.js"] {
            assert_eq!(status(Method::GET, &headers, file), Ok(()), "{file}");
            assert_eq!(status(Method::POST, &headers, file), refused, "{file}");
        }
        headers.insert("authorization", "Bearer secret".parse().unwrap());
        assert_eq!(status(Method::GET, &headers, "/api/state"), Ok(()));
        headers.insert("host", "evil.example".parse().unwrap());
        let misdirected = Err(StatusCode::MISDIRECTED_REQUEST);
        assert_eq!(status(Method::GET, &headers, "/api/state"), misdirected);
    }

    #[test]
    fn a_wildcard_listener_is_known_by_the_address_it_was_reached_at_and_by_its_names() {
        let extra = ["Console.Example".to_owned(), "proxy.example:443".to_owned()];
        let guard = Guard::new("0.0.0.0:8180".parse().unwrap(), &extra, Some("secret".into())).unwrap();
        let here = Reached(Some("192.0.2.7:8180".parse().unwrap()));
        let known = |host: &str| guard.knows(host, here);
        for host in [
            "192.0.2.7:8180",
            "localhost:8180",
            "127.0.0.1:8180",
            "console.example",
            "console.example:8180",
            "proxy.example:443",
        ] {
            assert!(known(host), "{host}");
        }
        for host in ["192.0.2.8:8180", "192.0.2.7:81", "evil.example:8180", ""] {
            assert!(!known(host), "{host}");
        }
        let bound = Guard::new("192.0.2.1:8180".parse().unwrap(), &[], Some("secret".into())).unwrap();
        assert!(!bound.knows("192.0.2.7:8180", here));
    }
}
