//! The consumer's thread: accept observers, poll the quorum, call the sink.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use quinn::{Endpoint, EndpointConfig, ServerConfig, TokioRuntime, VarInt};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::super::{Identity, expiry};
use super::door::{Door, Knock};
use super::hearing::{Counters, Hearing};
use super::measuring::Measuring;
use super::{Listed, Tap};
use crate::clock::MonoClock;
use crate::gray::Gray;
use crate::metrics::{ConsumerLabel, ConsumerMetrics, TransitionLabel, VoteLabel};
use crate::profile::Profile;
use crate::quorum::Quorum;
use crate::verdict::Transition;
use crate::view::{FleetView, VerdictSink, Votes};

/// How often the quorum decides and the sink is called.
const POLL: Duration = Duration::from_millis(10);
/// A view is no older than this, even when nothing but ages has changed.
const VIEW_WITHIN: Duration = Duration::from_millis(100);

pub(super) struct Inside {
    pub(super) name: String,
    pub(super) clock: MonoClock,
    pub(super) quorum: Arc<Mutex<Quorum>>,
    pub(super) view: Arc<ArcSwap<FleetView>>,
    pub(super) metrics: ConsumerMetrics,
    pub(super) counters: Arc<Counters>,
    pub(super) observers: Arc<ArcSwap<Option<Listed>>>,
    pub(super) min_fresh: u32,
    pub(super) tap: Tap,
}

impl Inside {
    pub(super) async fn run(
        self,
        (identity, mut server): (watch::Receiver<Identity>, watch::Receiver<ServerConfig>),
        socket: UdpSocket,
        sink: Box<dyn VerdictSink>,
        stop: CancellationToken,
    ) {
        let first = server.borrow_and_update().clone();
        let endpoint = match Endpoint::new(
            EndpointConfig::default(),
            Some(first),
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
            () = renew(&endpoint, server) => {}
            () = self.watch(identity) => {}
            () = stop.cancelled() => {}
        }
        endpoint.close(VarInt::from_u32(0), b"the consumer stops");
        let _ = timeout(Duration::from_millis(30), endpoint.wait_idle()).await;
    }

    async fn accept(&self, endpoint: &Endpoint) {
        let door = Arc::new(Door::new());
        while let Some(incoming) = endpoint.accept().await {
            let from = incoming.remote_address();
            let handshake = match door.knock(from.ip(), incoming.remote_address_validated()) {
                Knock::In(handshake) => handshake,
                Knock::Prove => {
                    self.counters.retried.inc();
                    if let Err(error) = incoming.retry() {
                        error.into_incoming().refuse();
                    }
                    continue;
                }
                Knock::Full => {
                    self.counters.refused.inc();
                    incoming.refuse();
                    continue;
                }
            };
            let door = Arc::clone(&door);
            let hearing = Hearing {
                clock: self.clock,
                quorum: Arc::clone(&self.quorum),
                counters: Arc::clone(&self.counters),
                observers: Arc::clone(&self.observers),
                tap: self.tap.clone(),
            };
            tokio::spawn(async move {
                let connected = incoming.await;
                drop(handshake);
                match connected {
                    Ok(connection) => match door.stay() {
                        Some(_place) => hearing.listen(&connection).await,
                        None => {
                            hearing.counters.refused.inc();
                            connection.close(VarInt::from_u32(0), b"too many connections");
                        }
                    },
                    Err(error) => hearing.counters.failed(from, &error),
                }
            });
        }
    }

    async fn watch(&self, identity: watch::Receiver<Identity>) {
        expiry::watch(identity, self.name.clone(), self.metrics.own_certificates.clone()).await;
        // The consumer is being dropped; whoever stops it says so.
        std::future::pending().await
    }

    async fn decide(&self, mut sink: Box<dyn VerdictSink>) {
        let mut ticks = interval(POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut view = self.view.load_full();
        let mut revision = None;
        let mut measuring = Measuring::new(&self.name, &self.metrics);
        loop {
            ticks.tick().await;
            let now = self.clock.now();
            let (transitions, profiles, renewed) = {
                let mut quorum = self.quorum.lock();
                let transitions = quorum.poll(now);
                let profiles = transitions
                    .iter()
                    .map(|transition| quorum.profile_of(transition).clone());
                let profiles: Vec<Profile> = profiles.collect();
                let old = revision != Some(quorum.revision()) || now.saturating_since(view.at) >= VIEW_WITHIN;
                revision = Some(quorum.revision());
                (transitions, profiles, old.then(|| quorum.view(now)))
            };
            if let Some(renewed) = renewed {
                view = Arc::new(renewed);
                self.view.store(Arc::clone(&view));
                self.gauge(&view);
                measuring.gauge(&view);
            }
            for (transition, profile) in transitions.iter().zip(&profiles) {
                self.tell(transition);
                measuring.record(transition, profile);
            }
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
        let count = |of: fn(&Votes) -> u32| {
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
        let counting = self
            .observers
            .load()
            .as_ref()
            .as_ref()
            .map_or(view.observers.len(), Listed::len);
        let wanted = usize::try_from(self.min_fresh).unwrap_or(usize::MAX);
        self.metrics
            .lacking
            .get_or_create(&label)
            .set(length(wanted.saturating_sub(counting)));
        let frozen = view.cells.values().filter(|cell| cell.frozen).count();
        self.metrics.frozen.get_or_create(&label).set(length(frozen));
        let gray = view
            .cells
            .values()
            .filter(|cell| cell.gray.degree > Gray::None)
            .count();
        self.metrics.gray.get_or_create(&label).set(length(gray));
        let partial = view.cells.values().filter(|cell| cell.partial.is_some()).count();
        self.metrics.partial.get_or_create(&label).set(length(partial));
    }
}

/// Connections made after a change of identity are made with the new one.
async fn renew(endpoint: &Endpoint, mut server: watch::Receiver<ServerConfig>) {
    while server.changed().await.is_ok() {
        endpoint.set_server_config(Some(server.borrow_and_update().clone()));
    }
    // The consumer is being dropped; whoever stops it says so.
    std::future::pending().await
}
