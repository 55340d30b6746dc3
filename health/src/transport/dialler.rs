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
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::role::refused_by_tls;
use super::{CONSUMER_NAME, Identity, TlsError};

/// A handshake that takes longer is given up; its packets were probably lost.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(1);
/// Another one is begun meanwhile: a lost packet is sent again only after a second (RFC 9002 §6.2.2), and once the way is
/// good again evidence must flow within half of one.
const ANOTHER_AFTER: Duration = Duration::from_millis(200);
/// What goes on at once at most.
const ATTEMPTS: usize = 5;
/// After a consumer's refusal.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
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
        let mut refused = false;
        loop {
            if refused {
                tokio::select! {
                    () = sleep(LONGEST_PAUSE) => {}
                    () = stop.cancelled() => break,
                }
            }
            let connection = tokio::select! {
                connection = self.connect(&config, &mut identity) => connection,
                () = stop.cancelled() => break,
            };
            *self.current.lock() = Some(connection.clone());
            // With TLS 1.3 a client is done before the server has looked at its certificate.
            if refused && let Ok(_again) = timeout(LONGEST_PAUSE, connection.closed()).await {
                self.reconnects.inc();
                continue;
            }
            tracing::info!(consumer.addr = %self.consumer, "connected to the consumer");
            let ended = tokio::select! {
                ended = self.stay(connection, &config, &mut identity) => ended,
                () = stop.cancelled() => break,
            };
            *self.current.lock() = None;
            self.reconnects.inc();
            refused = refused_by_tls(&ended);
            if refused {
                tracing::warn!(
                    consumer.addr = %self.consumer, error = %ended,
                    "the consumer refuses the observer's certificate, trying on"
                );
            } else {
                tracing::warn!(consumer.addr = %self.consumer, error = %ended, "lost the consumer");
            }
        }
        self.endpoint.close(VarInt::from_u32(0), b"the observer stops");
        let _ = timeout(Duration::from_millis(30), self.endpoint.wait_idle()).await;
    }

    /// Try until there is a connection, several times at once where no answer comes.
    async fn connect(
        &self,
        config: &impl Fn(&Identity) -> Result<ClientConfig, TlsError>,
        identity: &mut watch::Receiver<Identity>,
    ) -> Connection {
        let mut attempts = JoinSet::new();
        let mut next = interval(ANOTHER_AFTER);
        next.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pause = FIRST_PAUSE;
        let mut said = false;
        loop {
            let error = tokio::select! {
                _ = next.tick(), if attempts.len() < ATTEMPTS => {
                    let config = config(&identity.borrow_and_update());
                    attempts.spawn(dial(self.endpoint.clone(), self.consumer, config));
                    continue;
                }
                Some(attempt) = attempts.join_next() => match attempt {
                    Ok(Ok(connection)) => return connection,
                    Ok(Err(error)) => error,
                    Err(_) => continue,
                },
            };
            if !said {
                tracing::warn!(consumer.addr = %self.consumer, %error, "cannot reach the consumer, trying on");
                said = true;
            }
            self.reconnects.inc();
            if !error.is_silence() {
                next.reset_after(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
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
            match dial(self.endpoint.clone(), self.consumer, config_now).await {
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
}

async fn dial(
    endpoint: Endpoint,
    consumer: SocketAddr,
    config: Result<ClientConfig, TlsError>,
) -> Result<Connection, DialError> {
    let connecting = endpoint.connect_with(config?, consumer, CONSUMER_NAME)?;
    Ok(timeout(HANDSHAKE_WITHIN, connecting)
        .await
        .map_err(|_| DialError::Slow)??)
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

impl DialError {
    /// Nobody answered; QUIC gives up after three of its probe timeouts, which may be sooner than we do.
    fn is_silence(&self) -> bool {
        matches!(
            self,
            DialError::Slow | DialError::Connection(ConnectionError::TimedOut)
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tokio::time::Instant;

    use super::super::tls;
    use super::*;
    use crate::profile::Profile;

    /// The connection that a client's first packet is of, by the id that it chose (RFC 9000 §17.2.2).
    fn begun(packet: &[u8]) -> Option<Vec<u8>> {
        let (long_header, length) = (packet.first()? & 0xf0 == 0xc0, usize::from(*packet.get(5)?));
        long_header.then_some(packet.get(6..6 + length)?.to_vec())
    }

    /// So evidence is on its way again within this time and a handshake, whenever a blackout ends. In virtual time: a machine that is busy is
    /// no slower.
    #[tokio::test(start_paused = true)]
    #[expect(clippy::disallowed_methods, reason = "a test measures, in virtual time")]
    async fn while_nobody_answers_a_handshake_begins_each_fifth_of_a_second() {
        let nobody = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .unwrap();
        let fleet = Identity::generate_fleet(&["observer-1"], &["dns-1"]).unwrap();
        let dialler = Dialler::new(nobody.local_addr().unwrap(), Counter::default()).unwrap();
        let (_own, mut identity) = watch::channel(fleet["observer-1"].clone());
        let config = |identity: &Identity| tls::client(identity, &Profile::fast(), 0);
        let mut seen: BTreeMap<Vec<u8>, Instant> = BTreeMap::new();
        let listen = async {
            let mut bytes = [0; 2_048];
            loop {
                let length = nobody.recv(&mut bytes).await.unwrap();
                if let Some(id) = begun(&bytes[..length]) {
                    seen.entry(id).or_insert_with(Instant::now);
                }
            }
        };
        let blackout = timeout(Duration::from_secs(20), async {
            tokio::select! {
                _ = dialler.connect(&config, &mut identity) => panic!("nobody answers"),
                () = listen => {}
            }
        });
        blackout.await.unwrap_err();
        let mut begun: Vec<Instant> = seen.into_values().collect();
        begun.sort_unstable();
        assert!(begun.len() > 90, "{} handshakes in 20 s", begun.len());
        let longest = begun.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(
            longest <= ANOTHER_AFTER + Duration::from_millis(50),
            "{longest:?} between two"
        );
    }
}
