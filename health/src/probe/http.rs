//! The HTTP, HTTPS and `readyz` checks: GET over HTTP/1.1, warm on kept connections and now and then on a fresh one.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST, HeaderValue, USER_AGENT};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::time::timeout;

use super::attempt::Attempt;
use super::dial::Dial;
use super::error::Broken;
use super::file::{Reloaded, Source};
use super::trust::Alpn;
use super::{Failure, Surroundings, Took};
use crate::check::{HttpProbe, StatusRange};
use crate::detector::{Phase, Series};
use crate::evidence::Hard;
use crate::target::Family;

/// A longer body is not read to its end; its connection is dropped.
const MOST_BODY_BYTES: usize = 64 * 1024;

type Connection = SendRequest<Empty<Bytes>>;

pub(super) struct HttpTarget {
    dial: Dial,
    uri: Uri,
    host: HeaderValue,
    expect: StatusRange,
    token: Option<Arc<Reloaded<HeaderValue>>>,
    /// A 5xx is hard evidence.
    control: bool,
    readyz: bool,
    /// Connections without a request under way; the one that waited longest is used first.
    idle: Mutex<VecDeque<Connection>>,
}

impl HttpTarget {
    /// `probe` has been checked by [`crate::Check::parse`].
    pub(super) fn new(probe: HttpProbe, family: Family, control: bool, around: &Surroundings) -> HttpTarget {
        let HttpProbe {
            at,
            host,
            path,
            expect,
            tls,
            token_file,
            readyz,
        } = probe;
        HttpTarget {
            dial: Dial::new(at, family, tls.map(|tls| (tls, Alpn::Http1)), around),
            uri: path.parse().unwrap_or_else(|_| Uri::from_static("/")),
            host: HeaderValue::from_str(&host).unwrap_or_else(|_| HeaderValue::from_static("localhost")),
            expect,
            token: token_file.map(|path| Reloaded::new(Source::File(path), bearer)),
            control: control || readyz,
            readyz,
            idle: Mutex::new(VecDeque::new()),
        }
    }

    pub(super) fn is_secure(&self) -> bool {
        self.dial.is_secure()
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.dial.address()
    }

    pub(super) async fn probe(&self, attempt: &Attempt) -> Result<(), Failure> {
        let request = self.request(attempt).await?;
        if attempt.series == Series::Warm
            && let Some(kept) = self.take_idle()
        {
            match self.ask(attempt, kept, request.clone(), Took::default()).await {
                // A server that closes an idle connection just then resets it. One that is broken does so again below.
                Err(Broken::Closed | Broken::Failed(Failure::Miss(Hard::RESET))) => {}
                Err(Broken::Failed(failure)) => return Err(failure),
                Ok(()) => return Ok(()),
            }
        }
        let dialled = self.dial.dial(attempt).await?;
        let (connection, driver) = handshake(TokioIo::new(dialled.stream))
            .await
            .map_err(|_| Failure::Miss(Hard::NONE))?;
        tokio::spawn(async move {
            // The request that it breaks reports the error; between requests it is an idle connection that ended.
            let _ = driver.await;
        });
        if dialled.late {
            self.keep(attempt, connection);
            return Ok(());
        }
        Ok(self.ask(attempt, connection, request, dialled.took).await?)
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock();
        loop {
            let connection = idle.pop_front()?;
            if !connection.is_closed() && connection.is_ready() {
                return Some(connection);
            }
        }
    }

    async fn ask(
        &self,
        attempt: &Attempt,
        mut connection: Connection,
        request: Request<Empty<Bytes>>,
        took: Took,
    ) -> Result<(), Broken> {
        let Some((response, first_byte)) = attempt.answer(connection.send_request(request)).await? else {
            return Ok(());
        };
        let took = Took {
            first_byte: Some(first_byte),
            ..took
        };
        self.judge(attempt, response.status(), took);
        if attempt.series == Series::Warm && drain(response, attempt.most(Phase::Warm)).await {
            self.keep(attempt, connection);
        }
        Ok(())
    }

    fn judge(&self, attempt: &Attempt, status: StatusCode, took: Took) {
        if self.expect.contains(status.as_u16()) {
            attempt.good(took);
            return;
        }
        // An API server that turns somebody away is alive: an expired token must not look like a death, least of all
        // that of every cluster at once.
        if self.readyz && [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status) {
            let whose = if self.token.is_some() {
                "the token is not accepted"
            } else {
                "it wants a token"
            };
            attempt.tell(format!(
                "{whose}: {status}; it is alive, and whether it is ready is not known"
            ));
            attempt.good(took);
            return;
        }
        let took = Took {
            first_byte: None,
            ..took
        };
        match (status.is_server_error(), self.control) {
            (true, true) => attempt.miss_after(took, Hard::SERVER_ERROR),
            (true, false) => attempt.error(took),
            (false, _) => attempt.miss_after(took, Hard::NONE),
        }
    }

    fn keep(&self, attempt: &Attempt, connection: Connection) {
        let mut idle = self.idle.lock();
        if attempt.series == Series::Warm && idle.len() < attempt.prober().profile().connections() {
            idle.push_back(connection);
        }
    }

    async fn request(&self, attempt: &Attempt) -> Result<Request<Empty<Bytes>>, Failure> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(USER_AGENT, HeaderValue::from_static("lifeboat-observer"));
        if let Some(token) = &self.token {
            let token = token.get(attempt.prober().around.clock).await;
            let token = token.map_err(|problem| {
                attempt.tell(format!("tokenFile: {problem}"));
                Failure::Unusable
            })?;
            headers.insert(AUTHORIZATION, token);
        }
        Ok(request)
    }
}

/// The header of a token, which never shows in a log.
fn bearer(file: &[u8]) -> Result<HeaderValue, String> {
    let token = file.trim_ascii();
    if token.is_empty() {
        return Err("no token in the file".to_owned());
    }
    let header = [b"Bearer ", token].concat();
    let mut header =
        HeaderValue::from_bytes(&header).map_err(|_| "the token is not visible ASCII".to_owned())?;
    header.set_sensitive(true);
    Ok(header)
}

/// Read the body to its end, so that the connection can be used again; whether it can.
async fn drain(response: Response<Incoming>, within: Duration) -> bool {
    let mut body = response.into_body();
    let read = async {
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > MOST_BODY_BYTES {
                return false;
            }
        }
        true
    };
    timeout(within, read).await.unwrap_or(false)
}
