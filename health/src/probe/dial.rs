//! New connections: TCP, and TLS where the check wants it, each phase with its own timeout.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::attempt::Attempt;
use super::certificate;
use super::error::{classify, tls_error};
use super::remote::Address;
use super::trust::{Alpn, Secure};
use super::wait::Waited;
use super::{Failure, Surroundings, Took};
use crate::check::{Remote, TlsProbe};
use crate::detector::{Phase, Series};
use crate::target::Family;

/// Either kind of connection.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Where connections go.
pub(super) struct Dial {
    address: Address,
    secure: Option<Secure>,
}

/// A connection that was made.
pub(super) struct Dialled {
    pub(super) stream: Box<dyn Io>,
    pub(super) took: Took,
    /// The miss has been recorded: the connection may be kept, but this probe is over.
    pub(super) late: bool,
}

impl Dial {
    pub(super) fn new(
        at: Remote,
        family: Family,
        tls: Option<(TlsProbe, Alpn)>,
        around: &Surroundings,
    ) -> Dial {
        Dial {
            address: Address::new(at, family, Arc::clone(&around.names)),
            secure: tls.map(|(tls, alpn)| around.trust.secure(tls, alpn)),
        }
    }

    pub(super) fn is_secure(&self) -> bool {
        self.secure.is_some()
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.address.known()
    }

    pub(super) async fn dial(&self, attempt: &Attempt) -> Result<Dialled, Failure> {
        let clock = attempt.prober().around.clock;
        let secure = match &self.secure {
            None => None,
            Some(secure) => {
                let unusable = |problem: String| {
                    attempt.tell(format!("tls.roots: {problem}"));
                    Failure::Unusable
                };
                let (config, name) = secure.get(clock).await.map_err(unusable)?;
                Some((TlsConnector::from(config), name, secure.expiry_warning_days))
            }
        };
        let (stream, connect, late) = self.connect(attempt).await?;
        let took = Took {
            connect: (!late).then_some(connect),
            ..Took::default()
        };
        let Some((connector, name, warn_days)) = secure else {
            return Ok(Dialled {
                stream: Box::new(stream),
                took,
                late,
            });
        };
        let handshake = connector.connect(name, stream);
        if late {
            let made = timeout(attempt.most(Phase::Tls), handshake).await;
            let made = made.ok().and_then(Result::ok).ok_or(Failure::Recorded)?;
            return Ok(Dialled {
                stream: Box::new(made),
                took,
                late,
            });
        }
        match attempt.wait(Phase::Tls, handshake).await? {
            Waited::InTime(Ok(stream), tls) => {
                certify(attempt, &stream, warn_days);
                Ok(Dialled {
                    stream: Box::new(stream),
                    took: Took {
                        tls: Some(tls),
                        ..took
                    },
                    late,
                })
            }
            Waited::InTime(Err(error), _) => {
                if let Some(error) = tls_error(&error) {
                    certificate::look_at_refused(attempt.prober(), error);
                    attempt.tell(format!("TLS: {error}"));
                }
                Err(classify(&error))
            }
            Waited::Late(Ok(stream), tls) => {
                attempt.learn_late(Phase::Tls, tls);
                Ok(Dialled {
                    stream: Box::new(stream),
                    took,
                    late: true,
                })
            }
            Waited::Late(Err(_), _) => Err(Failure::Recorded),
        }
    }

    async fn connect(&self, attempt: &Attempt) -> Result<(TcpStream, Duration, bool), Failure> {
        let address = self.address.get(attempt.prober().around.clock);
        let address = address.map_err(|problem| {
            if let Some(problem) = problem {
                attempt.tell(problem);
            }
            Failure::Unusable
        })?;
        let connect = async {
            let stream = TcpStream::connect(address)
                .await
                .map_err(|error| classify(&error))?;
            // Nagle's algorithm would only matter for a second small write; failing to turn it off is harmless.
            let _ = stream.set_nodelay(true);
            Ok::<_, Failure>(stream)
        };
        match attempt.wait(Phase::Connect, connect).await? {
            Waited::InTime(stream, took) => Ok((stream?, took, false)),
            Waited::Late(Ok(stream), took) => {
                attempt.learn_late(Phase::Connect, took);
                if attempt.series == Series::Fresh {
                    return Err(Failure::Recorded);
                }
                Ok((stream, took, true))
            }
            Waited::Late(Err(_), _) => Err(Failure::Recorded),
        }
    }
}

/// Look at the end of the certificate's life.
fn certify(attempt: &Attempt, stream: &TlsStream<TcpStream>, warn_days: u16) {
    let (_, connection) = stream.get_ref();
    if let Some(first) = connection.peer_certificates().and_then(<[_]>::first) {
        certificate::look(attempt.prober(), first, warn_days);
    }
}
