//! Probes every target and sends its evidence to every consumer, on a thread of its own.

mod inside;

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use parking_lot::Mutex;
use time::OffsetDateTime;
use tokio::sync::{Notify, watch};

use super::thread::OwnThread;
use super::{Identity, Role, TlsError, tls};
use crate::check::{Check, CheckError, Probe};
use crate::clock::MonoClock;
use crate::evidence::MAX_NAME_BYTES;
use crate::metrics::{ObserverMetrics, ObserverResultLabel};
use crate::passive::{Passive, Report, ReportError};
use crate::probe::{ProberKey, Surroundings};
use crate::profile::{Profile, ProfileError};
use crate::target::{Family, Path, Target, TargetError, check_overrides, check_targets};

use inside::Inside;

/// What an observer needs.
pub struct ObserverConfig {
    /// Must be a name in the certificate.
    pub name: String,
    pub region: String,
    /// With the clusters' overrides of the profile.
    pub targets: Vec<Target>,
    /// What an observer can reach whenever its own links are up; it abstains when none of them answers.
    pub anchors: Vec<Check>,
    pub consumers: Vec<SocketAddr>,
    pub tls: Identity,
    pub profile: Profile,
    /// Decides phases and jitter.
    pub seed: u64,
    /// `ObserverMetrics::default()` where nobody looks.
    pub metrics: ObserverMetrics,
}

/// Why an observer did not start, or did not take its new targets.
#[derive(Debug, thiserror::Error)]
pub enum ObserverError {
    #[error("observer {field} {given:?}: allowed are {allowed}")]
    Name {
        field: &'static str,
        given: String,
        allowed: &'static str,
    },
    #[error("observer {name}: {source}")]
    Tls { name: String, source: TlsError },
    #[error("observer {name}: {source}")]
    Profile { name: String, source: ProfileError },
    #[error("observer {name}: {source}")]
    Target { name: String, source: TargetError },
    #[error("observer {name}: anchor {index}: {source}")]
    Anchor {
        name: String,
        index: usize,
        source: CheckError,
    },
    #[error("observer {name}: start its thread: {source}")]
    Thread { name: String, source: io::Error },
}

/// A running observer. It stops when dropped.
pub struct Observer {
    name: String,
    profile: Profile,
    clock: MonoClock,
    metrics: ObserverMetrics,
    wanted: Arc<Wanted>,
    _thread: OwnThread,
}

/// What to probe and whom to tell, as set from outside.
struct Wanted {
    targets: Mutex<Vec<(Target, Probe)>>,
    consumers: Mutex<BTreeSet<SocketAddr>>,
    /// What is reported of users' requests.
    passive: Mutex<Passive>,
    /// Sockets to hear heartbeats on from now on.
    heartbeats: Mutex<Vec<UdpSocket>>,
    changed: Notify,
    identity: watch::Sender<Identity>,
}

impl Observer {
    /// # Errors
    /// What was wrong with the configuration, by field.
    pub fn spawn(config: ObserverConfig) -> Result<Observer, ObserverError> {
        let ObserverConfig {
            name,
            region,
            targets,
            anchors,
            consumers,
            tls,
            profile,
            seed,
            metrics,
        } = config;
        Observer::check_names(&name, &region)?;
        profile.validate().map_err(|source| ObserverError::Profile {
            name: name.clone(),
            source,
        })?;
        Observer::check_identity(&name, &tls, &profile)?;
        let anchors: Vec<(ProberKey, Probe)> = anchors
            .iter()
            .enumerate()
            .map(|(index, check)| {
                let family = check.family().unwrap_or(Family::V4);
                let probe = check.parse(family);
                let probe = probe.map_err(|source| ObserverError::Anchor {
                    name: name.clone(),
                    index,
                    source,
                })?;
                Ok((ProberKey::anchor(check.clone(), family), probe))
            })
            .collect::<Result<_, ObserverError>>()?;
        let targets = parsed(&name, &profile, targets)?;
        let mut passive = Passive::new(profile.gray_window());
        passive.know(with_traffic(&targets));
        let wanted = Arc::new(Wanted {
            passive: Mutex::new(passive),
            targets: Mutex::new(targets),
            consumers: Mutex::new(consumers.into_iter().collect()),
            heartbeats: Mutex::default(),
            changed: Notify::new(),
            identity: watch::channel(tls).0,
        });
        let around = Arc::new(Surroundings::new(&name, profile.clone(), &metrics));
        let clock = around.clock;
        let counted = metrics.clone();
        let inside = Inside {
            around,
            name: name.clone(),
            region,
            seed,
            metrics,
            wanted: Arc::clone(&wanted),
        };
        let thread = OwnThread::spawn(&format!("observe-{name}"), move |stop| inside.run(anchors, stop))
            .map_err(|source| ObserverError::Thread {
                name: name.clone(),
                source,
            })?;
        Ok(Observer {
            name,
            profile,
            clock,
            metrics: counted,
            wanted,
            _thread: thread,
        })
    }

    /// # Errors
    /// The name or the region that cannot be.
    pub fn check_names(name: &str, region: &str) -> Result<(), ObserverError> {
        check_name("name", name, 1)?;
        check_name("region", region, 0)
    }

    /// # Errors
    /// The certificate lacks the name, is a consumer's, is not valid now, is not the key's, or cannot be used otherwise.
    pub fn check_identity(name: &str, identity: &Identity, profile: &Profile) -> Result<(), ObserverError> {
        check_identity(name, identity, profile)?;
        check_dates(name, identity)
    }

    /// Replace the targets while running. Probing of those that stay goes on undisturbed; one whose override changes how it is
    /// probed is begun anew.
    ///
    /// # Errors
    /// The first target at fault; then nothing is changed.
    pub fn set_targets(&self, targets: Vec<Target>) -> Result<(), ObserverError> {
        let targets = parsed(&self.name, &self.profile, targets)?;
        self.wanted.passive.lock().know(with_traffic(&targets));
        *self.wanted.targets.lock() = targets;
        self.wanted.changed.notify_one();
        Ok(())
    }

    /// Count requests of users, as whoever serves them reports. They travel in the rows of the cluster's traffic path
    /// until the profile's `grayWindowMs` is over.
    ///
    /// # Errors
    /// The first report that cannot be; then none is counted.
    pub fn report(&self, reports: &[Report]) -> Result<(), ReportError> {
        let added = self.wanted.passive.lock().add(reports, self.clock.now());
        let label = ObserverResultLabel {
            observer: self.name.clone(),
            result: if added.is_ok() { "counted" } else { "refused" },
        };
        let count = u64::try_from(reports.len()).unwrap_or(u64::MAX);
        self.metrics.reports.get_or_create(&label).inc_by(count);
        added
    }

    /// Send to exactly these consumers from now on. Connections to those that stay go on undisturbed.
    pub fn set_consumers(&self, consumers: impl IntoIterator<Item = SocketAddr>) {
        *self.wanted.consumers.lock() = consumers.into_iter().collect();
        self.wanted.changed.notify_one();
    }

    /// Use another certificate. To each consumer a second connection is made with it before the first is closed.
    ///
    /// # Errors
    /// The identity cannot be used; then nothing is changed. The certificate in force is no error when it has expired
    /// meanwhile: refusing it would keep what else has changed from being taken.
    pub fn set_identity(&self, identity: Identity) -> Result<(), ObserverError> {
        check_identity(&self.name, &identity, &self.profile)?;
        let in_force = self.wanted.identity.borrow().cert_chain == identity.cert_chain;
        if !in_force {
            check_dates(&self.name, &identity)?;
        }
        self.wanted.identity.send_replace(identity);
        Ok(())
    }

    /// Hear the heartbeats of agents on a UDP address, beside those heard already; with the address, whose port may have
    /// been 0. Heartbeat checks say nothing until then.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub fn listen_for_heartbeats(&self, address: SocketAddr) -> io::Result<SocketAddr> {
        let socket = UdpSocket::bind(address)?;
        let bound = socket.local_addr()?;
        self.wanted.heartbeats.lock().push(socket);
        self.wanted.changed.notify_one();
        Ok(bound)
    }

    /// Stop and join, within two seconds.
    pub fn stop(self) {}
}

/// The clusters with a traffic path.
fn with_traffic(targets: &[(Target, Probe)]) -> impl Iterator<Item = &str> {
    let traffic = targets.iter().filter(|(target, _)| target.path == Path::Traffic);
    traffic.map(|(target, _)| target.cluster.as_str())
}

fn check_identity(name: &str, identity: &Identity, profile: &Profile) -> Result<(), ObserverError> {
    let wrong = |source| ObserverError::Tls {
        name: name.to_owned(),
        source,
    };
    let named = identity
        .cert_chain
        .first()
        .is_some_and(|certificate| tls::has_name(certificate, name));
    if !named {
        return Err(wrong(TlsError::Name {
            name: name.to_owned(),
        }));
    }
    Role::Observer.check(identity).map_err(wrong)?;
    tls::client(identity, profile, 0).map_err(wrong)?;
    Ok(())
}

fn check_dates(name: &str, identity: &Identity) -> Result<(), ObserverError> {
    let dates = identity.check_dates(OffsetDateTime::now_utc());
    dates.map_err(|source| ObserverError::Tls {
        name: name.to_owned(),
        source,
    })
}

fn check_name(field: &'static str, given: &str, least: usize) -> Result<(), ObserverError> {
    let fits = (least..=MAX_NAME_BYTES).contains(&given.len()) && given.bytes().all(|b| b.is_ascii_graphic());
    if fits {
        return Ok(());
    }
    let allowed = if least == 0 {
        "0 to 63 visible ASCII characters"
    } else {
        "1 to 63 visible ASCII characters"
    };
    Err(ObserverError::Name {
        field,
        given: given.to_owned(),
        allowed,
    })
}

fn parsed(
    name: &str,
    profile: &Profile,
    targets: Vec<Target>,
) -> Result<Vec<(Target, Probe)>, ObserverError> {
    let wrong = |source| ObserverError::Target {
        name: name.to_owned(),
        source,
    };
    check_targets(&targets)
        .and_then(|()| check_overrides(&targets, profile))
        .map_err(wrong)?;
    let parse = |target: Target| {
        let probe = target.parse().map_err(wrong)?;
        Ok((target, probe))
    };
    targets.into_iter().map(parse).collect()
}
