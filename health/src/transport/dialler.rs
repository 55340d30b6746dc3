//! Keeps one connection to one consumer, and makes another as soon as that one is dead.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, EndpointConfig, TokioRuntime, VarInt};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{CONSUMER_NAME, Identity, TlsError};

/// A handshake that takes longer is given up; its packets were probably lost.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Dialler {
    consumer: SocketAddr,
    endpoint: Endpoint,
    current: Mutex<Option<Connection>>,
    reconnects: Counter,
}

impl Dialler {
    /// Must be called within the runtime.
    pub(super) fn new(consumer: SocketAddr, reconnects: Counter) -> io::Result<Dialler> {
        let unspecified: SocketAddr = match consumer {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(unspecified)?;
        let endpoint = Endpoint::new(EndpointConfig::default(), None, socket, Arc::new(TokioRuntime))?;
        Ok(Dialler {
            consumer,
            endpoint,
            current: Mutex::new(None),
            reconnects,
        })
    }

    /// Send if there is a connection with room; whether there was.
    pub(super) fn send(&self, datagram: Bytes) -> bool {
        self.current
            .lock()
            .as_ref()
            .is_some_and(|connection| connection.send_datagram(datagram).is_ok())
    }

    /// Stay connected until `stop`, as whoever `identity` says. The configuration is made anew for each connection.
    pub(super) async fn keep(
        &self,
        config: impl Fn(&Identity) -> Result<ClientConfig, TlsError>,
        mut identity: watch::Receiver<Identity>,
        stop: CancellationToken,
    ) {
        let mut pause = FIRST_PAUSE;
        let mut said = false;
        loop {
            let config_now = config(&identity.borrow_and_update());
            let attempt = tokio::select! {
                attempt = self.dial(config_now) => attempt,
                () = stop.cancelled() => break,
            };
            match attempt {
                Ok(connection) => {
                    tracing::info!(consumer.addr = %self.consumer, "connected to the consumer");
                    *self.current.lock() = Some(connection.clone());
                    let ended = tokio::select! {
                        ended = self.stay(connection, &config, &mut identity) => ended,
                        () = stop.cancelled() => break,
                    };
                    *self.current.lock() = None;
                    tracing::warn!(consumer.addr = %self.consumer, error = %ended, "lost the consumer");
                    (pause, said) = (FIRST_PAUSE, false);
                }
                Err(error) => {
                    if !said {
                        tracing::warn!(consumer.addr = %self.consumer, %error, "cannot reach the consumer, trying on");
                        said = true;
                    }
                    tokio::select! {
                        () = sleep(pause) => {}
                        () = stop.cancelled() => break,
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
            self.reconnects.inc();
        }
        self.endpoint.close(VarInt::from_u32(0), b"the observer stops");
        let _ = timeout(Duration::from_millis(30), self.endpoint.wait_idle()).await;
    }

    /// Until the connection is lost. When the identity changes, another one takes its place first.
    async fn stay(
        &self,
        mut connection: Connection,
        config: &impl Fn(&Identity) -> Result<ClientConfig, TlsError>,
        identity: &mut watch::Receiver<Identity>,
    ) -> ConnectionError {
        let mut outdated = false;
        loop {
            let due = async {
                if outdated {
                    sleep(LONGEST_PAUSE).await;
                } else if identity.changed().await.is_err() {
                    // The observer is being dropped; whoever stops it says so.
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                ended = connection.closed() => return ended,
                () = due => {}
            }
            let config_now = config(&identity.borrow_and_update());
            match self.dial(config_now).await {
                Ok(next) => {
                    *self.current.lock() = Some(next.clone());
                    let before = std::mem::replace(&mut connection, next);
                    before.close(VarInt::from_u32(0), b"the observer has another certificate");
                    tracing::info!(consumer.addr = %self.consumer, "connected with the new certificate");
                    outdated = false;
                }
                Err(error) => {
                    if !outdated {
                        tracing::warn!(
                            consumer.addr = %self.consumer, %error,
                            "cannot connect with the new certificate, the old connection goes on"
                        );
                    }
                    outdated = true;
                }
            }
        }
    }

    async fn dial(&self, config: Result<ClientConfig, TlsError>) -> Result<Connection, DialError> {
        let connecting = self
            .endpoint
            .connect_with(config?, self.consumer, CONSUMER_NAME)?;
        Ok(timeout(HANDSHAKE_WITHIN, connecting)
            .await
            .map_err(|_| DialError::Slow)??)
    }
}

#[derive(Debug, thiserror::Error)]
enum DialError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("dial: {0}")]
    Connect(#[from] quinn::ConnectError),
    #[error("shake hands: {0}")]
    Connection(#[from] ConnectionError),
    #[error("no answer to the handshake within {HANDSHAKE_WITHIN:?}")]
    Slow,
}
