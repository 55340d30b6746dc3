//! Listens for evidence and turns it into verdicts, on a thread of its own.

mod door;
mod hearing;
mod inside;
mod measuring;

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use parking_lot::Mutex;
use quinn::ServerConfig;
use time::OffsetDateTime;
use tokio::sync::{broadcast, watch};

use super::thread::OwnThread;
use super::{Identity, Role, TlsError, tls};
use crate::clock::MonoClock;
use crate::metrics::ConsumerMetrics;
use crate::profile::{Profile, ProfileError};
use crate::quorum::Quorum;
use crate::target::{Family, Path, Target, TargetError, check_overrides, check_targets};
use crate::time::MonoTime;
use crate::verdict::Witness;
use crate::view::{FleetView, VerdictSink};

use hearing::Counters;
use inside::Inside;

/// What a consumer needs.
pub struct ConsumerConfig {
    /// For metrics and logs.
    pub name: String,
    /// UDP address; port 0 picks one.
    pub listen: SocketAddr,
    pub tls: Identity,
    /// With the clusters' overrides of the profile.
    pub targets: Vec<Target>,
    /// Whose evidence counts; every holder of a certificate of the fleet where `None`.
    pub observers: Option<Listed>,
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
    clock: MonoClock,
    local_addr: SocketAddr,
    view: Arc<ArcSwap<FleetView>>,
    quorum: Arc<Mutex<Quorum>>,
    profile: Profile,
    observers: Arc<ArcSwap<Option<Listed>>>,
    identity: watch::Sender<Identity>,
    server: watch::Sender<ServerConfig>,
    tap: Tap,
    _thread: OwnThread,
}

/// By the names of the observers whose evidence counts, their regions; what an observer says itself where empty.
pub type Listed = BTreeMap<String, String>;

/// Datagrams as they arrive from observers whose name is theirs, for recordings.
pub(super) type Tap = broadcast::Sender<(MonoTime, Bytes)>;

/// Datagrams a recording may fall behind before it loses some.
const TAP_DATAGRAMS: usize = 4_096;

impl Consumer {
    /// # Errors
    /// What was wrong with the configuration, by field, or what could not be opened.
    pub fn spawn(config: ConsumerConfig, sink: Box<dyn VerdictSink>) -> Result<Consumer, ConsumerError> {
        let ConsumerConfig {
            name,
            listen,
            tls,
            targets,
            observers,
            profile,
            metrics,
        } = config;
        profile.validate().map_err(|source| ConsumerError::Profile {
            name: name.clone(),
            source,
        })?;
        let checked = check_targets(&targets).and_then(|()| check_overrides(&targets, &profile));
        checked.map_err(|source| ConsumerError::Target {
            name: name.clone(),
            source,
        })?;
        let server = server(&name, &tls, &profile)?;
        check_dates(&name, &tls)?;
        let wrong = |source| ConsumerError::Listen {
            name: name.clone(),
            listen,
            source,
        };
        let socket = UdpSocket::bind(listen).map_err(wrong)?;
        let local_addr = socket.local_addr().map_err(wrong)?;

        let clock = MonoClock::new();
        let quorum = Quorum::new(targets, profile.clone());
        warn_of_too_few(&name, observers.as_ref(), &profile);
        let observers = Arc::new(ArcSwap::from_pointee(observers));
        let (server, served) = watch::channel(server);
        let (identity, held) = watch::channel(tls);
        let (tap, _) = broadcast::channel(TAP_DATAGRAMS);
        let view = Arc::new(ArcSwap::from_pointee(quorum.view(clock.now())));
        let quorum = Arc::new(Mutex::new(quorum));
        let inside = Inside {
            clock,
            counters: Counters::new(&name, &metrics),
            name: name.clone(),
            metrics,
            quorum: Arc::clone(&quorum),
            view: Arc::clone(&view),
            observers: Arc::clone(&observers),
            min_fresh: profile.min_fresh,
            tap: tap.clone(),
        };
        let thread = OwnThread::spawn(&format!("verdict-{name}"), move |stop| {
            inside.run((held, served), socket, sink, stop)
        })
        .map_err(|source| ConsumerError::Thread {
            name: name.clone(),
            source,
        })?;
        Ok(Consumer {
            name,
            clock,
            local_addr,
            view,
            quorum,
            profile,
            observers,
            identity,
            server,
            tap,
            _thread: thread,
        })
    }

    /// The fleet's; clusters may override it.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// What the consumer believes; at most 100 ms old, and as of the last poll for everything but ages.
    pub fn view(&self) -> Arc<FleetView> {
        self.view.load_full()
    }

    /// What each observer sees of a cluster now.
    pub fn witnesses(&self, cluster: &str) -> Vec<(Path, Family, Vec<Witness>)> {
        let now = self.clock.now();
        self.quorum.lock().witnesses(cluster, now)
    }

    /// Replace the targets while running. Verdicts of clusters that stay are kept.
    ///
    /// # Errors
    /// The first target at fault; then nothing is changed.
    pub fn set_targets(&self, targets: Vec<Target>) -> Result<(), ConsumerError> {
        let checked = check_targets(&targets).and_then(|()| check_overrides(&targets, &self.profile));
        checked.map_err(|source| ConsumerError::Target {
            name: self.name.clone(),
            source,
        })?;
        self.quorum.lock().set_targets(targets);
        Ok(())
    }

    /// Count only the evidence of these observers from now on; of all that have a certificate where `None`.
    /// What the others said is forgotten. Where they are fewer than the profile's `minFresh`, the log says so.
    pub fn set_observers(&self, observers: Option<Listed>) {
        warn_of_too_few(&self.name, observers.as_ref(), &self.profile);
        // Whoever is being heard holds the quorum while its name is looked up.
        let mut quorum = self.quorum.lock();
        if let Some(listed) = &observers {
            quorum.retain_observers(|name| listed.contains_key(name));
        }
        self.observers.store(Arc::new(observers));
    }

    /// Show another certificate, and ask for descent from other roots, on connections made from now on. Those
    /// that stand go on.
    ///
    /// # Errors
    /// The identity cannot be used; then nothing is changed. The certificate in force is no error when it has expired
    /// meanwhile: refusing it would keep what else has changed from being taken.
    pub fn set_identity(&self, identity: &Identity) -> Result<(), ConsumerError> {
        let server = server(&self.name, identity, &self.profile)?;
        let in_force = self.identity.borrow().cert_chain == identity.cert_chain;
        if !in_force {
            check_dates(&self.name, identity)?;
        }
        self.server.send_replace(server);
        self.identity.send_replace(identity.clone());
        Ok(())
    }

    /// The datagrams that arrive from now on, with the consumer's time of their arrival. Who falls more than
    /// a few thousand behind loses the oldest, and is told.
    pub fn tap(&self) -> broadcast::Receiver<(MonoTime, Bytes)> {
        self.tap.subscribe()
    }

    /// # Errors
    /// The certificate is an observer's, is not the key's, or cannot be used otherwise.
    pub fn check_identity(name: &str, identity: &Identity, profile: &Profile) -> Result<(), ConsumerError> {
        server(name, identity, profile).map(drop)
    }

    /// Close and join, within two seconds.
    pub fn stop(self) {}
}

fn warn_of_too_few(name: &str, observers: Option<&Listed>, profile: &Profile) {
    if let Some(listed) = observers
        && let Err(error) = profile.check_observers(listed.len())
    {
        tracing::warn!(consumer.name = %name, %error, "too few observers are listed");
    }
}

fn server(name: &str, identity: &Identity, profile: &Profile) -> Result<ServerConfig, ConsumerError> {
    let config = Role::Consumer
        .check(identity)
        .and_then(|()| tls::server(identity, profile));
    config.map_err(|source| ConsumerError::Tls {
        name: name.to_owned(),
        source,
    })
}

fn check_dates(name: &str, identity: &Identity) -> Result<(), ConsumerError> {
    let dates = identity.check_dates(OffsetDateTime::now_utc());
    dates.map_err(|source| ConsumerError::Tls {
        name: name.to_owned(),
        source,
    })
}
