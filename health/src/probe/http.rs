//! The HTTP check: GET over HTTP/1.1, warm on kept connections and now and then on a fresh one.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderValue, USER_AGENT};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::error::{Broken, classify, classify_http};
use super::remote::Address;
use super::wait::{Waited, wait};
use super::{Failure, Prober};
use crate::check::{Remote, StatusRange};
use crate::detector::Series;
use crate::evidence::Hard;
use crate::target::Family;
use crate::time::MonoTime;

/// A longer body is not read to its end; its connection is dropped.
const MOST_BODY_BYTES: usize = 64 * 1024;

type Connection = SendRequest<Empty<Bytes>>;

pub(super) struct HttpTarget {
    address: Address,
    uri: Uri,
    host: HeaderValue,
    expect: StatusRange,
    control: bool,
    /// Connections without a request under way; the one that waited longest is used first.
    idle: Mutex<VecDeque<Connection>>,
}

impl HttpTarget {
    /// `host` and `path` have been checked by [`crate::Check::parse`].
    pub(super) fn new(
        at: Remote,
        family: Family,
        host: &str,
        path: &str,
        expect: StatusRange,
        control: bool,
    ) -> HttpTarget {
        HttpTarget {
            address: Address::new(at, family),
            uri: path.parse().unwrap_or_else(|_| Uri::from_static("/")),
            host: HeaderValue::from_str(host).unwrap_or_else(|_| HeaderValue::from_static("localhost")),
            expect,
            control,
            idle: Mutex::new(VecDeque::new()),
        }
    }

    pub(super) async fn probe(
        &self,
        prober: &Prober,
        series: Series,
        started: MonoTime,
    ) -> Result<(), Failure> {
        if series == Series::Warm
            && let Some(kept) = self.take_idle()
        {
            match self.ask(prober, series, started, kept, None).await {
                // A server that closes an idle connection just then resets it. One that is broken does so again below.
                Err(Broken::Closed | Broken::Failed(Failure::Miss(Hard::RESET))) => {}
                Err(Broken::Failed(failure)) => return Err(failure),
                Ok(()) => return Ok(()),
            }
        }
        let (connection, connect) = self.connect(prober, series, started).await?;
        match self.ask(prober, series, started, connection, Some(connect)).await {
            Ok(()) => Ok(()),
            Err(Broken::Closed) => Err(Failure::Miss(Hard::NONE)),
            Err(Broken::Failed(failure)) => Err(failure),
        }
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

    async fn connect(
        &self,
        prober: &Prober,
        series: Series,
        started: MonoTime,
    ) -> Result<(Connection, Duration), Failure> {
        let around = &prober.around;
        let soft = prober.detector.lock().timeouts().connect;
        let hard = Duration::from_millis(around.profile.phase_timeout_ms.into());
        let missed = || prober.miss(series, started, Hard::NONE);
        let dial = async {
            let address = self
                .address
                .get(around.clock)
                .await
                .ok_or(Failure::Miss(Hard::NONE))?;
            let stream = TcpStream::connect(address)
                .await
                .map_err(|error| classify(&error))?;
            // Nagle's algorithm would only matter for a second small write; failing to turn it off is harmless.
            let _ = stream.set_nodelay(true);
            let (sender, connection) = handshake(TokioIo::new(stream))
                .await
                .map_err(|_| Failure::Miss(Hard::NONE))?;
            tokio::spawn(async move {
                // The request that it breaks reports the error; between requests it is an idle connection that
                // ended.
                let _ = connection.await;
            });
            Ok(sender)
        };
        match wait(
            around.clock,
            dial,
            (soft, hard),
            around.profile.loop_lag(),
            missed,
        )
        .await?
        {
            Waited::InTime(dialled, took) => Ok((dialled?, took)),
            Waited::Late(dialled, took) => {
                if let Ok(connection) = dialled {
                    around.late.inc();
                    prober.detector.lock().record_late_connect(took);
                    if series == Series::Warm {
                        self.keep(prober, connection);
                    }
                }
                Err(Failure::Recorded)
            }
        }
    }

    async fn ask(
        &self,
        prober: &Prober,
        series: Series,
        started: MonoTime,
        mut connection: Connection,
        connect: Option<Duration>,
    ) -> Result<(), Broken> {
        let around = &prober.around;
        let timeouts = prober.detector.lock().timeouts();
        let (soft, most_ms) = match series {
            Series::Warm => (timeouts.warm, around.profile.timeout_max_ms),
            Series::Fresh => (timeouts.first_byte, around.profile.phase_timeout_ms),
        };
        let hard = Duration::from_millis(most_ms.into());
        let missed = || prober.miss(series, started, Hard::NONE);
        let answer = connection.send_request(self.request());
        let waited = wait(
            around.clock,
            answer,
            (soft, hard),
            around.profile.loop_lag(),
            missed,
        )
        .await;
        match waited.map_err(Broken::Failed)? {
            Waited::InTime(Ok(response), took) => {
                self.judge(prober, series, started, connect, took, &response);
                if series == Series::Warm && drain(response, hard).await {
                    self.keep(prober, connection);
                }
                Ok(())
            }
            Waited::InTime(Err(error), _) => Err(classify_http(&error)),
            // A connection that timed out is dropped, whatever came later.
            Waited::Late(answer, took) => {
                if answer.is_ok() {
                    around.late.inc();
                    prober.detector.lock().record_late(series, took);
                }
                Ok(())
            }
        }
    }

    fn judge(
        &self,
        prober: &Prober,
        series: Series,
        started: MonoTime,
        connect: Option<Duration>,
        took: Duration,
        response: &Response<Incoming>,
    ) {
        let status = response.status();
        if self.expect.contains(status.as_u16()) {
            prober.good(series, started, connect, took);
        } else {
            let hard = if self.control && status.is_server_error() {
                Hard::SERVER_ERROR
            } else {
                Hard::NONE
            };
            prober.miss(series, started, hard);
        }
    }

    fn keep(&self, prober: &Prober, connection: Connection) {
        let mut idle = self.idle.lock();
        if idle.len() < prober.around.profile.connections() {
            idle.push_back(connection);
        }
    }

    fn request(&self) -> Request<Empty<Bytes>> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.uri.clone();
        request.headers_mut().insert(HOST, self.host.clone());
        request
            .headers_mut()
            .insert(USER_AGENT, HeaderValue::from_static("lifeboat-observer"));
        request
    }
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
