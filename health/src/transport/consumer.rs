//! Listens for evidence and turns it into verdicts, on a thread of its own.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use quinn::{Connection, Endpoint, EndpointConfig, ServerConfig, TokioRuntime, VarInt};
use rustls::pki_types::CertificateDer;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::thread::OwnThread;
use super::{Identity, TlsError, tls};
use crate::clock::MonoClock;
use crate::evidence::{DecodeError, decode};
use crate::metrics::{ConsumerLabel, ConsumerMetrics, ConsumerResultLabel, TransitionLabel, VoteLabel};
use crate::profile::{Profile, ProfileError};
use crate::quorum::{Quorum, Rejected};
use crate::target::{Target, TargetError, check_targets};
use crate::verdict::Transition;
use crate::view::{FleetView, VerdictSink};

/// How often the quorum decides and the sink is called.
const POLL: Duration = Duration::from_millis(10);
/// A view is no older than this, even when nothing but ages has changed.
const VIEW_WITHIN: Duration = Duration::from_millis(100);
const MAX_CONNECTIONS: usize = 256;

/// What a consumer needs.
pub struct ConsumerConfig {
    /// For metrics and logs.
    pub name: String,
    /// UDP address; port 0 picks one.
    pub listen: SocketAddr,
    pub tls: Identity,
    pub targets: Vec<Target>,
    pub profile: Profile,
    /// `ConsumerMetrics::default()` where nobody looks.
    pub metrics: ConsumerMetrics,
}

/// Why a consumer did not start, or did not take its new targets.
#[derive(Debug, thiserror::Error)]
pub enum ConsumerError {
    #[error("consumer {name}: listen on udp {listen}: {source}")]
    Listen {
        name: String,
        listen: SocketAddr,
        source: io::Error,
    },
    #[error("consumer {name}: {source}")]
    Tls { name: String, source: TlsError },
    #[error("consumer {name}: {source}")]
    Profile { name: String, source: ProfileError },
    #[error("consumer {name}: {source}")]
    Target { name: String, source: TargetError },
    #[error("consumer {name}: start its thread: {source}")]
    Thread { name: String, source: io::Error },
}

/// A running consumer. It stops when dropped.
pub struct Consumer {
    name: String,
    local_addr: SocketAddr,
    view: Arc<ArcSwap<FleetView>>,
    quorum: Arc<Mutex<Quorum>>,
    _thread: OwnThread,
}

impl Consumer {
    /// # Errors
    /// What was wrong with the configuration, by field, or what could not be opened.
    pub fn spawn(config: ConsumerConfig, sink: Box<dyn VerdictSink>) -> Result<Consumer, ConsumerError> {
        let ConsumerConfig {
            name,
            listen,
            tls,
            targets,
            profile,
            metrics,
        } = config;
        profile.validate().map_err(|source| ConsumerError::Profile {
            name: name.clone(),
            source,
        })?;
        check_targets(&targets).map_err(|source| ConsumerError::Target {
            name: name.clone(),
            source,
        })?;
        let server = tls::server(&tls, &profile).map_err(|source| ConsumerError::Tls {
            name: name.clone(),
            source,
        })?;
        let wrong = |source| ConsumerError::Listen {
            name: name.clone(),
            listen,
            source,
        };
        let socket = UdpSocket::bind(listen).map_err(wrong)?;
        let local_addr = socket.local_addr().map_err(wrong)?;

        let clock = MonoClock::new();
        let quorum = Quorum::new(targets, profile);
        let view = Arc::new(ArcSwap::from_pointee(quorum.view(clock.now())));
        let quorum = Arc::new(Mutex::new(quorum));
        let inside = Inside {
            clock,
            counters: Counters::new(&name, &metrics),
            name: name.clone(),
            metrics,
            quorum: Arc::clone(&quorum),
            view: Arc::clone(&view),
        };
        let thread = OwnThread::spawn(&format!("verdict-{name}"), move |stop| {
            inside.run(server, socket, sink, stop)
        })
        .map_err(|source| ConsumerError::Thread {
            name: name.clone(),
            source,
        })?;
        Ok(Consumer {
            name,
            local_addr,
            view,
            quorum,
            _thread: thread,
        })
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// What the consumer believes; at most 100 ms old, and as of the last poll for everything but ages.
    pub fn view(&self) -> Arc<FleetView> {
        self.view.load_full()
    }

    /// Replace the targets while running. Verdicts of clusters that stay are kept.
    ///
    /// # Errors
    /// The first target at fault; then nothing is changed.
    pub fn set_targets(&self, targets: Vec<Target>) -> Result<(), ConsumerError> {
        check_targets(&targets).map_err(|source| ConsumerError::Target {
            name: self.name.clone(),
            source,
        })?;
        self.quorum.lock().set_targets(targets);
        Ok(())
    }

    /// Close and join, within two seconds.
    pub fn stop(self) {}
}

struct Inside {
    name: String,
    clock: MonoClock,
    quorum: Arc<Mutex<Quorum>>,
    view: Arc<ArcSwap<FleetView>>,
    metrics: ConsumerMetrics,
    counters: Arc<Counters>,
}

impl Inside {
    async fn run(
        self,
        server: ServerConfig,
        socket: UdpSocket,
        sink: Box<dyn VerdictSink>,
        stop: CancellationToken,
    ) {
        let endpoint = match Endpoint::new(
            EndpointConfig::default(),
            Some(server),
            socket,
            Arc::new(TokioRuntime),
        ) {
            Ok(endpoint) => endpoint,
            Err(error) => {
                tracing::error!(consumer.name = %self.name, %error, "cannot listen for evidence");
                return;
            }
        };
        tokio::select! {
            () = self.accept(&endpoint) => {}
            () = self.decide(sink) => {}
            () = stop.cancelled() => {}
        }
        endpoint.close(VarInt::from_u32(0), b"the consumer stops");
        let _ = timeout(Duration::from_millis(200), endpoint.wait_idle()).await;
    }

    async fn accept(&self, endpoint: &Endpoint) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        while let Some(incoming) = endpoint.accept().await {
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                self.counters.refused.inc();
                incoming.refuse();
                continue;
            };
            let hearing = Hearing {
                clock: self.clock,
                quorum: Arc::clone(&self.quorum),
                counters: Arc::clone(&self.counters),
            };
            tokio::spawn(async move {
                let _place = place;
                let from = incoming.remote_address();
                match incoming.await {
                    Ok(connection) => hearing.listen(&connection).await,
                    Err(error) => {
                        hearing.counters.handshake.inc();
                        tracing::debug!(peer.addr = %from, %error, "an observer's handshake failed");
                    }
                }
            });
        }
    }

    async fn decide(&self, mut sink: Box<dyn VerdictSink>) {
        let mut ticks = interval(POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut view = self.view.load_full();
        let mut revision = None;
        loop {
            ticks.tick().await;
            let now = self.clock.now();
            let (transitions, renewed) = {
                let mut quorum = self.quorum.lock();
                let transitions = quorum.poll(now);
                let old = revision != Some(quorum.revision()) || now.saturating_since(view.at) >= VIEW_WITHIN;
                revision = Some(quorum.revision());
                (transitions, old.then(|| quorum.view(now)))
            };
            if let Some(renewed) = renewed {
                view = Arc::new(renewed);
                self.view.store(Arc::clone(&view));
                self.gauge(&view);
            }
            transitions.iter().for_each(|transition| self.tell(transition));
            sink.tick(now, &transitions, &view);
        }
    }

    fn tell(&self, transition: &Transition) {
        let Transition {
            cluster,
            path,
            family,
            from,
            to,
            reason,
            ..
        } = transition;
        tracing::info!(
            consumer.name = %self.name, cluster.name = %cluster, %path, %family, %from, %to, %reason, "verdict"
        );
        let label = TransitionLabel {
            consumer: self.name.clone(),
            cluster: cluster.clone(),
            path: path.to_string(),
            family: family.to_string(),
            to: to.to_string(),
        };
        self.metrics.transitions.get_or_create(&label).inc();
    }

    fn gauge(&self, view: &FleetView) {
        let count = |of: fn(&crate::view::Votes) -> u32| {
            view.cells
                .values()
                .map(|cell| i64::from(of(&cell.votes)))
                .sum::<i64>()
        };
        let votes = [
            ("clear", count(|votes| votes.clear)),
            ("suspect", count(|votes| votes.suspect)),
            ("dead", count(|votes| votes.dead)),
            ("abstain", count(|votes| votes.abstain)),
        ];
        for (vote, standing) in votes {
            self.metrics
                .votes
                .get_or_create(&VoteLabel {
                    consumer: self.name.clone(),
                    vote,
                })
                .set(standing);
        }
        let label = ConsumerLabel {
            consumer: self.name.clone(),
        };
        let length = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let abstaining = view
            .observers
            .iter()
            .filter(|observer| observer.abstaining)
            .count();
        self.metrics
            .abstaining
            .get_or_create(&label)
            .set(length(abstaining));
        let frozen = view.cells.values().filter(|cell| cell.frozen).count();
        self.metrics.frozen.get_or_create(&label).set(length(frozen));
    }
}

/// One observer's connection.
struct Hearing {
    clock: MonoClock,
    quorum: Arc<Mutex<Quorum>>,
    counters: Arc<Counters>,
}

impl Hearing {
    async fn listen(&self, connection: &Connection) {
        let identity = connection
            .peer_identity()
            .and_then(|any| any.downcast::<Vec<CertificateDer<'static>>>().ok());
        let Some(certificate) = identity.and_then(|chain| chain.first().cloned()) else {
            return;
        };
        let mut known: Option<String> = None;
        let mut said = false;
        while let Ok(bytes) = connection.read_datagram().await {
            let now = self.clock.now();
            let datagram = match decode(&bytes) {
                Ok(datagram) => datagram,
                Err(error) => {
                    self.counters.undecodable(error);
                    continue;
                }
            };
            let name = &datagram.header.observer;
            if known.as_ref() != Some(name) {
                if !tls::has_name(&certificate, name) {
                    self.counters.foreign.inc();
                    if !said {
                        said = true;
                        let peer = connection.remote_address();
                        tracing::warn!(peer.addr = %peer, observer.name = %name, "not a name of the sender's certificate");
                    }
                    continue;
                }
                known = Some(name.clone());
            }
            match self.quorum.lock().ingest(&datagram, now) {
                Ok(ingested) => {
                    self.counters.accepted.inc();
                    self.counters.rows.inc_by((ingested.rows - ingested.stale).into());
                    self.counters.stale.inc_by(ingested.stale.into());
                    self.counters.unknown.inc_by(ingested.unknown.into());
                }
                Err(rejected) => self.counters.rejected(rejected),
            }
        }
    }
}

/// The hot path's counters, looked up once.
struct Counters {
    accepted: Counter,
    foreign: Counter,
    malformed: Counter,
    version: Counter,
    boot: Counter,
    sequence: Counter,
    delayed: Counter,
    too_many: Counter,
    handshake: Counter,
    rows: Counter,
    stale: Counter,
    unknown: Counter,
    refused: Counter,
}

impl Counters {
    fn new(name: &str, metrics: &ConsumerMetrics) -> Arc<Counters> {
        let label = |result| ConsumerResultLabel {
            consumer: name.to_owned(),
            result,
        };
        let datagrams = |result| metrics.datagrams.get_or_create_owned(&label(result));
        let rows = |result| metrics.rows.get_or_create_owned(&label(result));
        Arc::new(Counters {
            accepted: datagrams("accepted"),
            foreign: datagrams("foreign-name"),
            malformed: datagrams("malformed"),
            version: datagrams("version"),
            boot: datagrams("boot"),
            sequence: datagrams("sequence"),
            delayed: datagrams("delayed"),
            too_many: datagrams("too-many-observers"),
            handshake: datagrams("handshake"),
            rows: rows("accepted"),
            stale: rows("stale"),
            unknown: rows("unknown"),
            refused: metrics.refused_connections.get_or_create_owned(&ConsumerLabel {
                consumer: name.to_owned(),
            }),
        })
    }

    fn undecodable(&self, error: DecodeError) {
        match error {
            DecodeError::Version(_) => self.version.inc(),
            DecodeError::TooLong
            | DecodeError::Truncated
            | DecodeError::Trailing
            | DecodeError::Magic
            | DecodeError::Flags(_)
            | DecodeError::Name
            | DecodeError::Good(_)
            | DecodeError::Streaks => self.malformed.inc(),
        };
    }

    fn rejected(&self, rejected: Rejected) {
        match rejected {
            Rejected::Boot => self.boot.inc(),
            Rejected::Sequence => self.sequence.inc(),
            Rejected::Delayed => self.delayed.inc(),
            Rejected::TooMany => self.too_many.inc(),
        };
    }
}
