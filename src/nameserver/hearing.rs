//! Who observes, and what is heard of it: the consumer that moves the server's gates, and the builtin observer.

use std::{collections::BTreeSet, net::SocketAddr};

use anyhow::Context;
use lifeboat_dns::Server;
use lifeboat_health::{
    Consumer, ConsumerConfig, ConsumerMetrics, Identity, Listed, Observer, ObserverConfig, ObserverMetrics,
    Target,
};
use parking_lot::Mutex;

use super::config::{Observers, Probing};
use crate::observe::anchors;
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
        let anchors = match observer {
            Some(_) => anchors::in_force("observers.anchors", &config.anchors)?,
            None => Vec::new(),
        };
        let gates = (server.verdict_sink(), Notices::new(timeline.clone()));
        let recorder = Recorder::new(name, timeline, Some(gates));
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
            Box::new(recorder),
        )
        .context("observers")?;
        let builtin = observer.map(|tls| {
            Observer::spawn(ObserverConfig {
                name: BUILTIN.to_owned(),
                region: String::new(),
                targets: targets.to_vec(),
                anchors,
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

/// How many observers are named, each counted once.
pub(super) fn once(config: &Observers) -> usize {
    let names: BTreeSet<&str> = config
        .names
        .iter()
        .map(|observer| observer.name.as_str())
        .collect();
    names.len()
}

/// Names that are given twice.
pub(super) fn twice(config: &Observers) -> BTreeSet<&str> {
    let mut seen = BTreeSet::new();
    let names = config.names.iter().map(|observer| observer.name.as_str());
    names.filter(|name| !seen.insert(*name)).collect()
}
