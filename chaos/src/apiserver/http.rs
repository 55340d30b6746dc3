//! HTTP in front of the store: routing, content negotiation, faults, streams.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Method, Request, Response};

use super::error::ApiError;
use super::store::Store;
use super::switches::Switches;

mod body;
mod discovery;
mod negotiate;
mod openapi;
mod params;
mod pods;
mod resource;
mod respond;
mod reviews;
mod route;
mod stream;
mod write;

use respond::Body;
use route::Route;

/// What every request handler has at hand.
#[derive(Debug)]
pub(crate) struct Context {
    pub store: Store,
    pub switches: Arc<Switches>,
    pub addr: SocketAddr,
    /// Open watches.
    pub watches: AtomicUsize,
}

impl Context {
    pub(crate) fn new(store: Store, switches: Arc<Switches>, addr: SocketAddr) -> Context {
        Context {
            store,
            switches,
            addr,
            watches: AtomicUsize::new(0),
        }
    }
}

/// A request, taken apart as far as every handler needs it.
pub(crate) struct Call {
    pub method: Method,
    pub params: params::Params,
    pub accept: String,
    pub content_type: String,
    pub user_agent: String,
    pub body: Option<Incoming>,
}

/// Answers one request. Every failure is a `Status`.
pub(crate) async fn handle(context: Arc<Context>, request: Request<Incoming>) -> Response<Body> {
    let injection = context.switches.inject(fastrand::f64());
    if !injection.latency.is_zero() {
        tokio::time::sleep(injection.latency).await;
    }
    context.switches.pass().await;
    if let Some(code) = injection.error {
        return respond::error(&injected(code));
    }
    match dispatch(&context, request).await {
        Ok(response) => response,
        Err(error) => respond::error(&error),
    }
}

async fn dispatch(context: &Arc<Context>, request: Request<Incoming>) -> Result<Response<Body>, ApiError> {
    let (parts, body) = request.into_parts();
    let header = |name: &str| -> String {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let params = params::Params::parse(parts.uri.query().unwrap_or_default());
    let call = Call {
        accept: header("accept"),
        content_type: header("content-type"),
        user_agent: header("user-agent"),
        method: parts.method,
        params,
        body: Some(body),
    };
    let route = route::parse(parts.uri.path())?;
    if let Route::Resource(target) = route {
        return resource::handle(context, target, call).await;
    }
    if call.method != Method::GET && call.method != Method::HEAD {
        return Err(ApiError::not_allowed(
            "the server does not allow this method on the requested resource",
        ));
    }
    match route {
        Route::Health => Ok(respond::text("ok")),
        Route::Version => Ok(respond::json(&discovery::version())),
        Route::Root => Ok(respond::json(&discovery::root(&context.store))),
        Route::Api => Ok(discovery::api(&context.store, &call.accept, context.addr)),
        Route::Apis => Ok(discovery::apis(&context.store, &call.accept)),
        Route::Group(group) => discovery::group(&context.store, &group),
        Route::GroupVersion(group, version) => discovery::group_version(&context.store, &group, &version),
        Route::OpenApiV2 => Ok(openapi::v2::document(&context.store, &call.accept)),
        Route::OpenApiV3Index => Ok(respond::json(&openapi::v3::index(&context.store))),
        Route::OpenApiV3(group, version) => openapi::v3::document(&context.store, &group, &version),
        Route::Resource(_) => Err(ApiError::no_such_path()),
    }
}

impl Call {
    /// The whole body, bounded.
    async fn read_body(&mut self) -> Result<bytes::Bytes, ApiError> {
        let Some(body) = self.body.take() else {
            return Ok(bytes::Bytes::new());
        };
        let limited = http_body_util::Limited::new(body, body::MAX_BODY_BYTES);
        match limited.collect().await {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                Err(ApiError::too_large(format!(
                    "the request body is too large: at most {} bytes are read",
                    body::MAX_BODY_BYTES
                )))
            }
            Err(error) => Err(ApiError::bad_request(format!(
                "the request body could not be read: {error}"
            ))),
        }
    }
}

fn injected(code: u16) -> ApiError {
    let (reason, message) = match code {
        429 => (
            "TooManyRequests",
            "the server has received too many requests and has asked us to try again later",
        ),
        500 => ("InternalError", "Internal error occurred: injected fault"),
        503 => (
            "ServiceUnavailable",
            "the server is currently unable to handle the request",
        ),
        504 => (
            "Timeout",
            "the server was unable to return a response in the time allotted",
        ),
        401 => ("Unauthorized", "Unauthorized"),
        403 => ("Forbidden", "forbidden: injected fault"),
        _ => ("Unknown", "injected fault"),
    };
    let error = ApiError::new(code, reason, message);
    if code == 429 { error.retry_after(1) } else { error }
}
