//! The gRPC check: `grpc.health.v1.Health/Check` (the protocol of the gRPC project's `health-checking.md`), over HTTP/2.
//!
//! The two messages have one field each, so they are written and read by hand:
//! `HealthCheckRequest { string service = 1 }`, `HealthCheckResponse { ServingStatus status = 1 }`.

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, TE, USER_AGENT};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;

use super::attempt::Attempt;
use super::dial::Dial;
use super::error::Broken;
use super::trust::Alpn;
use super::{Failure, Surroundings, Took};
use crate::check::{Remote, TlsProbe};
use crate::detector::Series;
use crate::evidence::Hard;
use crate::target::Family;

/// A longer answer is not read.
const MOST_ANSWER_BYTES: usize = 4 * 1024;
const OK: u32 = 0;
const NOT_FOUND: u32 = 5;
const UNIMPLEMENTED: u32 = 12;
const SERVING: u64 = 1;
const NOT_SERVING: u64 = 2;

type Connection = SendRequest<Full<Bytes>>;

pub(super) struct GrpcTarget {
    dial: Dial,
    uri: Option<Uri>,
    question: Bytes,
    /// A service that does not serve is hard evidence.
    control: bool,
    /// Requests share one connection; the number tells a connection from its successor.
    kept: Mutex<(u64, Option<Connection>)>,
}

/// What the server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Status(u64),
    Grpc(u32),
    Http(StatusCode),
    Nonsense,
}

impl GrpcTarget {
    pub(super) fn new(
        (at, family): (Remote, Family),
        authority: &str,
        service: &str,
        tls: Option<TlsProbe>,
        control: bool,
        around: &Surroundings,
    ) -> GrpcTarget {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let uri = format!("{scheme}://{authority}/grpc.health.v1.Health/Check");
        GrpcTarget {
            dial: Dial::new(at, family, tls.map(|tls| (tls, Alpn::Http2)), around),
            uri: uri.parse().ok(),
            question: question(service),
            control,
            kept: Mutex::default(),
        }
    }

    pub(super) fn is_secure(&self) -> bool {
        self.dial.is_secure()
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.dial.address()
    }

    pub(super) async fn probe(&self, attempt: &Attempt) -> Result<(), Failure> {
        let request = self.request().ok_or(Failure::Unusable)?;
        let (number, kept) = self.kept.lock().clone();
        if attempt.series == Series::Warm
            && let Some(kept) = kept.filter(|kept| !kept.is_closed())
        {
            match self.ask(attempt, kept, request.clone(), Took::default()).await {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    self.drop_kept(number);
                    return Ok(());
                }
                // Closed while idle, or broken: a new connection tells.
                Err(Broken::Closed | Broken::Failed(Failure::Miss(_))) => self.drop_kept(number),
                Err(Broken::Failed(failure)) => {
                    self.drop_kept(number);
                    return Err(failure);
                }
            }
        }
        let dialled = self.dial.dial(attempt).await?;
        let (connection, driver) = handshake(TokioExecutor::new(), TokioIo::new(dialled.stream))
            .await
            .map_err(|_| Failure::Miss(Hard::NONE))?;
        tokio::spawn(async move {
            // The requests that it breaks report the error.
            let _ = driver.await;
        });
        if dialled.late {
            self.keep(attempt, connection);
            return Ok(());
        }
        if self
            .ask(attempt, connection.clone(), request, dialled.took)
            .await?
        {
            self.keep(attempt, connection);
        }
        Ok(())
    }

    fn keep(&self, attempt: &Attempt, connection: Connection) {
        let mut kept = self.kept.lock();
        if attempt.series == Series::Warm && kept.1.as_ref().is_none_or(Connection::is_closed) {
            *kept = (kept.0 + 1, Some(connection));
        }
    }

    /// A connection that broke or timed out; its successor stays.
    fn drop_kept(&self, number: u64) {
        let mut kept = self.kept.lock();
        if kept.0 == number {
            kept.1 = None;
        }
    }

    /// Whether the connection may be used again.
    async fn ask(
        &self,
        attempt: &Attempt,
        mut connection: Connection,
        request: Request<Full<Bytes>>,
        took: Took,
    ) -> Result<bool, Broken> {
        let answer = async {
            let response = connection.send_request(request).await?;
            listen(response).await
        };
        let Some((said, first_byte)) = attempt.answer(answer).await? else {
            return Ok(false);
        };
        let took = Took {
            first_byte: Some(first_byte),
            ..took
        };
        self.judge(attempt, said, took);
        Ok(true)
    }

    fn judge(&self, attempt: &Attempt, said: Said, took: Took) {
        let problem = match said {
            Said::Status(SERVING) => return attempt.good(took),
            Said::Status(NOT_SERVING) => "the service says that it does not serve".to_owned(),
            Said::Status(status) => format!("the service's health is unknown (status {status})"),
            Said::Grpc(NOT_FOUND) => "the server does not know the service".to_owned(),
            Said::Grpc(UNIMPLEMENTED) => "the server has no grpc.health.v1.Health".to_owned(),
            Said::Grpc(code) => format!("gRPC status {code}"),
            Said::Http(status) => format!("HTTP status {status}"),
            Said::Nonsense => "the answer is not a HealthCheckResponse".to_owned(),
        };
        attempt.tell(problem);
        let broken = match said {
            Said::Status(status) => status == NOT_SERVING,
            Said::Http(status) => status.is_server_error(),
            Said::Grpc(_) | Said::Nonsense => false,
        };
        let hard = if self.control && broken {
            Hard::SERVER_ERROR
        } else {
            Hard::NONE
        };
        attempt.miss_after(
            Took {
                first_byte: None,
                ..took
            },
            hard,
        );
    }

    fn request(&self) -> Option<Request<Full<Bytes>>> {
        let mut request = Request::new(Full::new(self.question.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone()?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(USER_AGENT, HeaderValue::from_static("lifeboat-observer"));
        Some(request)
    }
}

/// Read the whole answer: gRPC's own status comes after the message, or instead of it.
async fn listen(response: http::Response<hyper::body::Incoming>) -> Result<Said, hyper::Error> {
    let (head, mut body) = response.into_parts();
    if head.status != StatusCode::OK {
        return Ok(Said::Http(head.status));
    }
    let mut message = BytesMut::new();
    let mut status = grpc_status(&head.headers);
    while let Some(frame) = body.frame().await {
        let frame = frame?;
        if let Some(trailers) = frame.trailers_ref() {
            status = status.or_else(|| grpc_status(trailers));
        }
        if let Some(data) = frame.data_ref() {
            if message.len() + data.len() > MOST_ANSWER_BYTES {
                return Ok(Said::Nonsense);
            }
            message.extend_from_slice(data);
        }
    }
    Ok(match status {
        Some(OK) => answer(&message).map_or(Said::Nonsense, Said::Status),
        Some(code) => Said::Grpc(code),
        None => Said::Nonsense,
    })
}

fn grpc_status(headers: &HeaderMap) -> Option<u32> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

/// A length-prefixed request. `service` has at most 255 bytes.
fn question(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        message.put_u8(0x0a);
        put_varint(&mut message, service.len() as u64);
        message.put_slice(service.as_bytes());
    }
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or_default());
    framed.extend_from_slice(&message);
    framed.freeze()
}

/// The status in a length-prefixed response; fields of later versions are passed over.
fn answer(framed: &[u8]) -> Option<u64> {
    let (prefix, mut message) = framed.split_at_checked(5)?;
    let (compressed, length) = prefix.split_first()?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    if *compressed != 0 || message.len() as u64 != u64::from(length) {
        return None;
    }
    // A field that has its default is not sent: UNKNOWN is 0.
    let mut status = 0;
    while !message.is_empty() {
        let key = varint(&mut message)?;
        match (key >> 3, key & 7) {
            (1, 0) => status = varint(&mut message)?,
            (_, 0) => drop(varint(&mut message)?),
            (_, 1) => message = message.get(8..)?,
            (_, 2) => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                message = message.get(length..)?;
            }
            (_, 5) => message = message.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

fn put_varint(to: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        to.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    to.put_u8((value & 0x7f) as u8);
}

fn varint(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages() {
        assert_eq!(question(""), Bytes::from_static(&[0, 0, 0, 0, 0]));
        assert_eq!(
            question("ab"),
            Bytes::from_static(&[0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b'])
        );
        assert_eq!(question(&"x".repeat(200)).len(), 5 + 3 + 200);
        assert_eq!(answer(&[0, 0, 0, 0, 2, 8, 1]), Some(SERVING));
        assert_eq!(answer(&[0, 0, 0, 0, 0]), Some(0));
        assert_eq!(answer(&[0, 0, 0, 0, 5, 0x12, 1, 9, 8, 2]), Some(NOT_SERVING));
        for bad in [
            &[][..],
            &[0, 0, 0, 0, 3, 8, 1],
            &[1, 0, 0, 0, 2, 8, 1],
            &[0, 0, 0, 0, 1, 8],
        ] {
            assert_eq!(answer(bad), None);
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_survived(mut bytes in proptest::collection::vec(any::<u8>(), 0..60), framed: bool) {
            if framed {
                let length = u8::try_from(bytes.len()).unwrap();
                bytes.splice(0..0, [0, 0, 0, 0, length]);
            }
            let _ = answer(&bytes);
        }
    }
}
