//! One observer's connection: decode, check the name, hand the rows to the quorum, count the rest.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use quinn::{Connection, ConnectionError};
use rustls::pki_types::CertificateDer;

use super::super::role::{Granted, Role, lacks_role};
use super::super::tls;
use super::{Listed, Tap};
use crate::clock::MonoClock;
use crate::evidence::{DecodeError, decode, in_region};
use crate::metrics::{ConsumerLabel, ConsumerMetrics, ConsumerResultLabel};
use crate::quorum::{Quorum, Rejected};

/// One observer's connection.
pub(super) struct Hearing {
    pub(super) clock: MonoClock,
    pub(super) quorum: Arc<Mutex<Quorum>>,
    pub(super) counters: Arc<Counters>,
    pub(super) observers: Arc<ArcSwap<Option<Listed>>>,
    pub(super) tap: Tap,
}

impl Hearing {
    pub(super) async fn listen(&self, connection: &Connection) {
        let identity = connection
            .peer_identity()
            .and_then(|any| any.downcast::<Vec<CertificateDer<'static>>>().ok());
        let Some(certificate) = identity.and_then(|chain| chain.first().cloned()) else {
            return;
        };
        if Role::Observer.granted_by(&certificate) == Granted::Unsaid {
            tracing::warn!(
                peer.addr = %connection.remote_address(),
                "an observer's certificate has no extended key usage: it could consume as well; issue it anew"
            );
        }
        let mut known: Option<String> = None;
        let mut said = false;
        while let Ok(bytes) = connection.read_datagram().await {
            let now = self.clock.now();
            let mut datagram = match decode(&bytes) {
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
            let mut quorum = self.quorum.lock();
            let mut listed_region = None;
            if let Some(listed) = self.observers.load().as_ref() {
                let Some(region) = listed.get(name) else {
                    if seldom(&self.counters.unlisted, 1) {
                        tracing::warn!(observer.name = %name, "its evidence is discarded: it is not among the observers that count");
                    }
                    continue;
                };
                if !region.is_empty() {
                    datagram.header.region.clone_from(region);
                    listed_region = Some(region.clone());
                }
            }
            if self.tap.receiver_count() > 0 {
                let decided_by = listed_region.map(|region| in_region(&bytes, &region).into());
                // Nobody listening any more is no error.
                let _ = self.tap.send((now, decided_by.unwrap_or_else(|| bytes.clone())));
            }
            let ingested = quorum.ingest(&datagram, now);
            drop(quorum);
            match ingested {
                Ok(ingested) => {
                    self.counters.accepted.inc();
                    self.counters.rows.inc_by((ingested.rows - ingested.stale).into());
                    self.counters.stale.inc_by(ingested.stale.into());
                    if seldom(&self.counters.unknown, ingested.unknown.into()) {
                        tracing::warn!(
                            observer.name = %datagram.header.observer, rows = ingested.unknown,
                            "rows are discarded: they are of targets that this consumer does not have; both need the same list"
                        );
                    }
                    if seldom(&self.counters.otherwise, ingested.otherwise.into())
                        && let Some(told) = &ingested.probes_otherwise
                    {
                        tracing::warn!(
                            observer.name = %datagram.header.observer, rows = ingested.otherwise, because = %told.why,
                            "rows are discarded: the observer probes otherwise than this consumer's profile can judge"
                        );
                    }
                }
                Err(rejected) => self.counters.rejected(rejected, &datagram.header.observer),
            }
        }
    }
}

/// The hot path's counters, looked up once.
pub(super) struct Counters {
    accepted: Counter,
    foreign: Counter,
    unlisted: Counter,
    malformed: Counter,
    version: Counter,
    boot: Counter,
    sequence: Counter,
    delayed: Counter,
    too_many: Counter,
    handshake: Counter,
    wrong_role: Counter,
    rows: Counter,
    stale: Counter,
    unknown: Counter,
    otherwise: Counter,
    pub(super) refused: Counter,
    pub(super) retried: Counter,
}

impl Counters {
    pub(super) fn new(name: &str, metrics: &ConsumerMetrics) -> Arc<Counters> {
        let label = |result| ConsumerResultLabel {
            consumer: name.to_owned(),
            result,
        };
        let datagrams = |result| metrics.datagrams.get_or_create_owned(&label(result));
        let rows = |result| metrics.rows.get_or_create_owned(&label(result));
        Arc::new(Counters {
            accepted: datagrams("accepted"),
            foreign: datagrams("foreign-name"),
            unlisted: datagrams("unlisted-name"),
            malformed: datagrams("malformed"),
            version: datagrams("version"),
            boot: datagrams("boot"),
            sequence: datagrams("sequence"),
            delayed: datagrams("delayed"),
            too_many: datagrams("too-many-observers"),
            handshake: datagrams("handshake"),
            wrong_role: datagrams("wrong-role"),
            rows: rows("accepted"),
            stale: rows("stale"),
            unknown: rows("unknown"),
            otherwise: rows("probed-otherwise"),
            retried: metrics.retried_connections.get_or_create_owned(&ConsumerLabel {
                consumer: name.to_owned(),
            }),
            refused: metrics.refused_connections.get_or_create_owned(&ConsumerLabel {
                consumer: name.to_owned(),
            }),
        })
    }

    /// A handshake that did not end well.
    pub(super) fn failed(&self, from: SocketAddr, error: &ConnectionError) {
        if lacks_role(error) {
            // It comes back twice a second.
            if seldom(&self.wrong_role, 1) {
                tracing::warn!(
                    peer.addr = %from, %error,
                    "refused: whoever sends evidence needs clientAuth in the extended key usage of its certificate"
                );
            }
        } else {
            self.handshake.inc();
            tracing::debug!(peer.addr = %from, %error, "an observer's handshake failed");
        }
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
            | DecodeError::Probing { .. }
            | DecodeError::Share(_)
            | DecodeError::Heard(_)
            | DecodeError::Users(_)
            | DecodeError::Streaks => self.malformed.inc(),
        };
    }

    fn rejected(&self, rejected: Rejected, name: &str) {
        let (counter, cause) = match rejected {
            Rejected::Boot => (
                &self.boot,
                "a second process sends under this name, or its machine's clock was set back",
            ),
            Rejected::TooMany => (&self.too_many, "list those that count"),
            // Networks do that.
            Rejected::Sequence => {
                self.sequence.inc();
                return;
            }
            Rejected::Delayed => {
                self.delayed.inc();
                return;
            }
        };
        if seldom(counter, 1) {
            tracing::warn!(observer.name = %name, error = %rejected, cause, "its evidence is discarded");
        }
    }
}

/// Counts `more`, and whether the count reached another power of two: what comes many times a second is told seldom.
fn seldom(counter: &Counter, more: u64) -> bool {
    let before = counter.inc_by(more);
    more > 0 && before.checked_ilog2() < (before + more).checked_ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_often_is_told_seldom() {
        let counter = Counter::default();
        let told: Vec<u64> = (1..=100).filter(|_| seldom(&counter, 1)).collect();
        assert_eq!(told, [1, 2, 4, 8, 16, 32, 64]);
        assert!(!seldom(&counter, 0));
        assert!(seldom(&counter, 1_000));
        assert!(!seldom(&counter, 900));
    }
}
