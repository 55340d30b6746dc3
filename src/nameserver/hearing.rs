//! Who observes, and what is heard of it: the consumer that moves the server's gates, and the builtin observer.

use std::{collections::BTreeSet, net::SocketAddr};

use anyhow::Context;
use lifeboat_dns::Server;
use lifeboat_health::{
    Consumer, ConsumerConfig, ConsumerMetrics, FleetView, Identity, Listed, MonoTime, Observer,
    ObserverConfig, ObserverMetrics, Target, Transition, VerdictSink, Witness,
};

use parking_lot::Mutex;

use super::config::{Observers, Probing};
use crate::timeline::{Notices, Recorder, Timeline};

/// The builtin observer's name in status and metrics.
const BUILTIN: &str = "builtin";

/// Metrics of what runs inside.
#[derive(Clone)]
pub(super) struct Metrics {
    pub(super) consumer: ConsumerMetrics,
    pub(super) observer: ObserverMetrics,
}

pub(super) struct Hearing {
    /// First, so that it ends first: it would call for a consumer that is gone.
    builtin: Option<Observer>,
    pub(super) consumer: Consumer,
    targets: Mutex<Vec<Target>>,
}

impl Hearing {
    /// `None` where nobody probes.
    pub(super) fn start(
        server: &Server,
        name: &str,
        config: &Observers,
        targets: &[Target],
        metrics: &Metrics,
        timeline: &Timeline,
    ) -> anyhow::Result<Option<Hearing>> {
        let profile = config.profile();
        let (listen, tls, observer) = match config.probing().map_err(anyhow::Error::msg)? {
            Probing::Nobody => return Ok(None),
            Probing::Remote { listen, tls } => (listen, tls.identity().context("observers.tls")?, None),
            Probing::Builtin => {
                let mut fleet =
                    Identity::generate_fleet(&[BUILTIN], &[name]).context("making certificates")?;
                let mut own = |name: &str| fleet.remove(name).context("making certificates");
                (
                    SocketAddr::from(([127, 0, 0, 1], 0)),
                    own(name)?,
                    Some(own(BUILTIN)?),
                )
            }
        };
        let sink = Sink {
            recorder: Recorder {
                name: name.to_owned(),
                timeline: timeline.clone(),
                inner: Some((server.verdict_sink(), Notices::new(timeline.clone()))),
            },
            timeline: timeline.clone(),
            frozen: false,
        };
        let consumer = Consumer::spawn(
            ConsumerConfig {
                name: name.to_owned(),
                listen,
                tls,
                targets: targets.to_vec(),
                observers: listed(config),
                profile: profile.clone(),
                metrics: metrics.consumer.clone(),
            },
            Box::new(sink),
        )
        .context("observers")?;
        let builtin = observer.map(|tls| {
            Observer::spawn(ObserverConfig {
                name: BUILTIN.to_owned(),
                region: String::new(),
                targets: targets.to_vec(),
                anchors: config.anchors.clone(),
                consumers: vec![consumer.local_addr()],
                tls,
                profile,
                seed: fastrand::u64(..),
                metrics: metrics.observer.clone(),
            })
        });
        Ok(Some(Hearing {
            builtin: builtin.transpose().context("observers: the builtin one")?,
            consumer,
            targets: Mutex::new(targets.to_vec()),
        }))
    }

    /// Everybody probes, and decides about, these targets from now on.
    pub(super) fn set_targets(&self, targets: &[Target]) -> anyhow::Result<()> {
        self.consumer.set_targets(targets.to_vec())?;
        if let Some(builtin) = &self.builtin {
            builtin.set_targets(targets.to_vec())?;
        }
        *self.targets.lock() = targets.to_vec();
        Ok(())
    }

    pub(super) fn targets(&self) -> Vec<Target> {
        self.targets.lock().clone()
    }

    /// Takes what of a changed configuration takes effect without a restart.
    pub(super) fn adopt(&self, config: &Observers) -> anyhow::Result<()> {
        if let Some(tls) = &config.tls {
            self.consumer
                .set_identity(&tls.identity().context("observers.tls")?)?;
        }
        self.consumer.set_observers(listed(config));
        Ok(())
    }

    /// Ends its threads, each of which is joined.
    pub(super) fn stop(self) {
        let Self {
            builtin,
            consumer,
            targets: _,
        } = self;
        if let Some(builtin) = builtin {
            builtin.stop();
        }
        consumer.stop();
    }
}

fn listed(config: &Observers) -> Option<Listed> {
    let named = config
        .names
        .iter()
        .map(|observer| (observer.name.clone(), observer.region.clone()));
    (!config.names.is_empty()).then(|| named.collect())
}

/// Names that are given twice.
pub(super) fn twice(config: &Observers) -> BTreeSet<&str> {
    let mut seen = BTreeSet::new();
    let names = config.names.iter().map(|observer| observer.name.as_str());
    names.filter(|name| !seen.insert(*name)).collect()
}

/// Moves the gates, then tells in the timeline and the log what became of it.
struct Sink {
    recorder: Recorder,
    timeline: Timeline,
    frozen: bool,
}

impl VerdictSink for Sink {
    fn tick(&mut self, now: MonoTime, transitions: &[Transition], view: &FleetView) {
        self.recorder.tick(now, transitions, view);
        for transition in transitions {
            let seen: Vec<String> = transition.evidence.iter().map(seen).collect();
            tracing::warn!(
                cluster = transition.cluster, family = %transition.family, from = ?transition.from,
                to = ?transition.to, reason = transition.reason, evidence = seen.join("; "), "verdict"
            );
        }
        let frozen = !view.cells.is_empty() && view.cells.values().all(|cell| cell.frozen);
        if frozen == self.frozen {
            return;
        }
        self.frozen = frozen;
        let fresh = view
            .observers
            .iter()
            .filter(|observer| observer.fresh && !observer.abstaining)
            .count();
        let (kind, told) = if frozen {
            let told =
                format!("only {fresh} observers are fresh: too few to decide anything; every verdict stands");
            ("evidence.frozen", told)
        } else {
            (
                "evidence.decides",
                format!("{fresh} observers are fresh: verdicts move again"),
            )
        };
        tracing::warn!("{told}");
        self.timeline.push(kind, None, told);
    }
}

/// What one observer had seen, in short.
fn seen(witness: &Witness) -> String {
    let Witness {
        observer,
        vote,
        miss_streak,
        success_streak,
        ..
    } = witness;
    format!("{observer} {vote:?}, {miss_streak} misses, {success_streak} good")
}
