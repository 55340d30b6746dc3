//! Lifeboat's own parts: five observers, the DNS servers with their verdict loops, the controller.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use axum::{Router, routing::get};
use bytes::Bytes;
use lifeboat_chaos::fault::ControllerSwitch;
use lifeboat_dns::{Ramp, Server, ServerConfig};
use lifeboat_health::{
    Check, Consumer, ConsumerConfig, ConsumerError, ConsumerMetrics, FleetView, Identity, Listed, MonoClock,
    MonoTime, Observer, ObserverConfig, ObserverMetrics, Profile, Report, ReportError, StatusRange, Target,
    recording::Preamble,
};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use tokio::{sync::broadcast::Receiver, task::JoinHandle};

use super::{Options, feeder::Feeder, fleet::DemoFleet, forget::forget};
use crate::{
    controller::{Controller, ControllerConfig, ControllerMetrics, Status},
    failover::{Settings, world::Failback},
    observe,
    timeline::{Notices, Recorder, Timeline},
};

/// Where the observers stand, as far as names go; all of them probe over loopback.
pub(super) const OBSERVERS: [(&str, &str); 5] = [
    ("observer-1", "eu-west-3"),
    ("observer-2", "eu-south-1"),
    ("observer-3", "europe-west4"),
    ("observer-4", "us-east4"),
    ("observer-5", "northamerica-northeast1"),
];
const CONTROLLER: &str = "controller";
/// Explains the verdicts that follow in the timeline, which are news only to the controller.
const RESTARTED: &str =
    "the controller starts again without verdicts: it finds every cluster anew, from Unknown";
/// The demo ramps a returned cluster by a quarter a TTL, so that a return can be watched.
const RAMP: Ramp = Ramp {
    step_permille: 250,
    per: Duration::ZERO,
    at_least_ttl: true,
};

pub(super) struct Plane {
    /// First, so that they end first: they would call for consumers that are gone.
    observers: Vec<Observer>,
    pub(super) timeline: Timeline,
    pub(super) dns: Vec<DnsRole>,
    controller: Arc<ControllerRole>,
    anchors: Vec<JoinHandle<()>>,
}

/// One DNS server: its answering threads, its verdict loop and its feed of steering plans.
pub(super) struct DnsRole {
    pub(super) name: String,
    pub(super) address: SocketAddr,
    pub(super) server: Arc<Server>,
    pub(super) consumer: Consumer,
    /// As the consumer has them.
    targets: Mutex<Vec<Target>>,
    _feeder: Feeder,
}

/// The fleet's.
pub(super) fn profile() -> Profile {
    Profile::fast()
}

impl Plane {
    pub(super) async fn start(
        options: &Options,
        folder: &Path,
        fleet: &DemoFleet,
        metrics: &mut Registry,
    ) -> anyhow::Result<Self> {
        let consumer_metrics = ConsumerMetrics::register(metrics);
        let observer_metrics = ObserverMetrics {
            own_certificates: consumer_metrics.own_certificates.clone(),
            ..ObserverMetrics::register(metrics)
        };
        let clock = MonoClock::new();
        let timeline = Timeline::new(clock);
        let profile = profile();
        let dns_names: Vec<String> = (1..=options.dns.len()).map(|n| format!("dns-{n}")).collect();
        let names = OBSERVERS.map(|(name, _)| name);
        let consumers: Vec<&str> = dns_names.iter().map(String::as_str).chain([CONTROLLER]).collect();
        let mut identities = Identity::generate_fleet(&names, &consumers).context("making certificates")?;
        let mut identity = |name: &str| {
            identities
                .remove(name)
                .with_context(|| format!("no certificate for {name}"))
        };

        let notices = Notices::new(timeline.clone());
        let mut dns = Vec::new();
        for (name, address) in dns_names.iter().zip(&options.dns) {
            let role = DnsRole::start(
                name,
                *address,
                folder,
                fleet,
                identity(name)?,
                &profile,
                &consumer_metrics,
                &timeline,
                &notices,
            );
            dns.push(role.with_context(|| format!("--dns {address}"))?);
        }
        let controller = Arc::new(ControllerRole {
            evidence: Mutex::new(SocketAddr::from(([127, 0, 0, 1], 0))),
            identity: identity(CONTROLLER)?,
            targets: Mutex::default(),
            observers: Mutex::default(),
            profile: profile.clone(),
            metrics: consumer_metrics,
            config: ControllerConfig {
                holder: CONTROLLER.to_owned(),
                kube: fleet.kube()?,
                settings: settings(options),
                clock,
                timeline: timeline.clone(),
                pod_start: options.pod_start,
                metrics: ControllerMetrics::register(metrics),
            },
            running: Mutex::new(None),
        });
        controller.start()?;
        let (anchors, checks) = anchors().await?;
        let mut consumers: Vec<SocketAddr> = dns.iter().map(|role| role.consumer.local_addr()).collect();
        consumers.push(*controller.evidence.lock());
        let mut observers = Vec::new();
        for (seed, (name, region)) in (options.seed..).zip(OBSERVERS) {
            let config = ObserverConfig {
                name: name.to_owned(),
                region: region.to_owned(),
                targets: Vec::new(),
                anchors: checks.clone(),
                consumers: consumers.clone(),
                tls: identity(name)?,
                profile: profile.clone(),
                seed,
                metrics: observer_metrics.clone(),
            };
            observers.push(Observer::spawn(config).with_context(|| format!("starting {name}"))?);
        }
        Ok(Self {
            timeline,
            dns,
            controller,
            observers,
            anchors,
        })
    }

    /// Each DNS server decides about what is asked for, and about what it still answers with.
    pub(super) fn settle(&self) {
        let asked = self.controller.targets.lock().clone();
        for role in &self.dns {
            role.settle(&asked);
        }
    }

    /// Everybody probes, and decides about, these targets from now on.
    pub(super) fn adopt(&self, targets: &[Target]) {
        let told = |result: Result<(), ConsumerError>| {
            if let Err(error) = result {
                tracing::error!(error = %error, "targets refused");
            }
        };
        *self.controller.targets.lock() = targets.to_vec();
        self.settle();
        if let Some(running) = self.controller.running.lock().as_ref() {
            told(running.consumer.set_targets(targets.to_vec()));
        }
        for observer in &self.observers {
            if let Err(error) = observer.set_targets(targets.to_vec()) {
                tracing::error!(error = %error, "targets refused");
            }
        }
    }

    /// Only the evidence of these observers counts from now on.
    pub(super) fn count(&self, observers: Listed) {
        for role in &self.dns {
            role.consumer.set_observers(Some(observers.clone()));
        }
        *self.controller.observers.lock() = Some(observers.clone());
        if let Some(running) = self.controller.running.lock().as_ref() {
            running.consumer.set_observers(Some(observers));
        }
    }

    /// Every observer counts these requests of users.
    pub(super) fn report(&self, reports: &[Report]) -> Result<(), ReportError> {
        self.observers
            .iter()
            .try_for_each(|observer| observer.report(reports))
    }

    /// What arrives at the controller's consumer from now on; at the first DNS server's while that is down.
    #[expect(clippy::disallowed_methods, reason = "stamps the recording, for people")]
    pub(super) fn tap(&self) -> Option<(Preamble, Receiver<(MonoTime, Bytes)>)> {
        let running = self.controller.running.lock();
        let (consumer, datagrams) = match (running.as_ref(), self.dns.first()) {
            (Some(running), _) => (CONTROLLER, running.consumer.tap()),
            (None, Some(role)) => (role.name.as_str(), role.consumer.tap()),
            (None, None) => return None,
        };
        let preamble = Preamble {
            consumer: consumer.to_owned(),
            started: crate::store::conditions::stamp(jiff::Timestamp::now()),
            profile: self.controller.profile.clone(),
            targets: self.controller.targets.lock().clone(),
        };
        Some((preamble, datagrams))
    }

    pub(super) fn controller_switch(&self) -> Arc<dyn ControllerSwitch> {
        self.controller.clone()
    }

    /// What the controller last reported; `running` is false while it is down.
    pub(super) fn controller(&self) -> Arc<Status> {
        self.controller
            .running
            .lock()
            .as_ref()
            .map_or_else(Arc::default, |running| running.controller.status())
    }

    /// The controller's verdicts; while it is down, those of the first DNS server.
    pub(super) fn verdicts(&self) -> Arc<FleetView> {
        self.hearing(Consumer::view)
    }

    /// Asks the controller's consumer; while it is down, the first DNS server's.
    pub(super) fn hearing<T: Default>(&self, ask: impl Fn(&Consumer) -> T) -> T {
        let running = self.controller.running.lock();
        match (running.as_ref(), self.dns.first()) {
            (Some(running), _) => ask(&running.consumer),
            (None, Some(role)) => ask(&role.consumer),
            (None, None) => T::default(),
        }
    }

    /// Ends every part; they hold threads, which are joined.
    pub(super) async fn stop(self: Arc<Self>) {
        let Some(Self {
            timeline: _,
            dns,
            controller,
            observers,
            anchors,
        }) = Arc::into_inner(self)
        else {
            tracing::warn!("a part of the demo is still in use");
            return;
        };
        for anchor in &anchors {
            anchor.abort();
        }
        // Each of these joins a thread.
        let stopping = tokio::task::spawn_blocking(move || {
            // Observers first: they would call for consumers that are gone.
            for observer in observers {
                observer.stop();
            }
            controller.set_running(false);
            for DnsRole {
                name: _,
                address: _,
                server,
                consumer,
                targets: _,
                _feeder,
            } in dns
            {
                drop(_feeder);
                consumer.stop();
                if let Some(server) = Arc::into_inner(server) {
                    server.stop();
                }
            }
        });
        if stopping.await.is_err() {
            tracing::error!("stopping a part panicked");
        }
    }
}

fn settings(options: &Options) -> Settings {
    Settings {
        hold: options.hold,
        failback: Failback::default(),
        ..Settings::default()
    }
}

impl DnsRole {
    #[expect(clippy::too_many_arguments, reason = "called once")]
    fn start(
        name: &str,
        address: SocketAddr,
        folder: &Path,
        fleet: &DemoFleet,
        tls: Identity,
        profile: &Profile,
        metrics: &ConsumerMetrics,
        timeline: &Timeline,
        notices: &Notices,
    ) -> anyhow::Result<Self> {
        let state = folder.join(name);
        forget(&state)?;
        let server = Arc::new(Server::start(ServerConfig {
            ramp: RAMP,
            ..ServerConfig::new(name, vec![address], state)
        })?);
        let config = ConsumerConfig {
            name: name.to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls,
            targets: Vec::new(),
            observers: None,
            profile: profile.clone(),
            metrics: metrics.clone(),
        };
        let sink = Recorder::new(name, timeline, Some((server.verdict_sink(), notices.clone())));
        let consumer = Consumer::spawn(config, Box::new(sink))?;
        let feeder = Feeder::spawn(name, fleet.kube()?, server.clone())?;
        Ok(Self {
            name: name.to_owned(),
            address,
            server,
            consumer,
            targets: Mutex::default(),
            _feeder: feeder,
        })
    }

    fn settle(&self, asked: &[Target]) {
        let mut held = self.targets.lock();
        let targets = observe::with_departed(asked, &held, &self.server.clusters());
        if targets == *held {
            return;
        }
        match self.consumer.set_targets(targets.clone()) {
            Ok(()) => *held = targets,
            Err(error) => tracing::error!(server = %self.name, error = %error, "targets refused"),
        }
    }
}

/// The controller with its verdict loop; `controller-down` stops both.
struct ControllerRole {
    /// Where its verdict loop listens; the same after every start, because observers know it.
    evidence: Mutex<SocketAddr>,
    identity: Identity,
    /// As they were last set; a restart begins with them.
    targets: Mutex<Vec<Target>>,
    /// Whose evidence counts; as they were last set, too.
    observers: Mutex<Option<Listed>>,
    profile: Profile,
    metrics: ConsumerMetrics,
    config: ControllerConfig,
    running: Mutex<Option<Running>>,
}

struct Running {
    consumer: Arc<Consumer>,
    controller: Controller,
}

impl ControllerRole {
    fn start(&self) -> anyhow::Result<()> {
        let mut running = self.running.lock();
        if running.is_some() {
            return Ok(());
        }
        let mut evidence = self.evidence.lock();
        // It has an address once it was started before.
        if evidence.port() != 0 {
            self.config
                .timeline
                .push("controlplane.restarted", None, RESTARTED);
        }
        let config = ConsumerConfig {
            name: CONTROLLER.to_owned(),
            listen: *evidence,
            tls: self.identity.clone(),
            targets: self.targets.lock().clone(),
            observers: self.observers.lock().clone(),
            profile: self.profile.clone(),
            metrics: self.metrics.clone(),
        };
        let recorder = Recorder::new(CONTROLLER, &self.config.timeline, None);
        let consumer =
            Arc::new(Consumer::spawn(config, Box::new(recorder)).context("starting the controller")?);
        *evidence = consumer.local_addr();
        let controller = Controller::spawn(self.config.clone(), consumer.clone())?;
        *running = Some(Running { consumer, controller });
        Ok(())
    }

    fn stop(&self) {
        if let Some(Running { consumer, controller }) = self.running.lock().take() {
            controller.stop();
            if let Some(consumer) = Arc::into_inner(consumer) {
                consumer.stop();
            }
        }
    }
}

impl ControllerSwitch for ControllerRole {
    fn set_running(&self, running: bool) {
        if !running {
            return self.stop();
        }
        if let Err(error) = self.start() {
            tracing::error!(error = %format!("{error:#}"), "the controller does not start");
        }
    }
}

/// Two servers that no fault touches: an observer that cannot reach them blames itself.
async fn anchors() -> anyhow::Result<(Vec<JoinHandle<()>>, Vec<Check>)> {
    let (mut tasks, mut checks) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("starting an anchor")?;
        let address = listener.local_addr().context("an anchor's address")?;
        let app = Router::new().route("/healthz", get(async || "ok"));
        tasks.push(tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                tracing::error!(error = %error, "an anchor stopped");
            }
        }));
        checks.push(http(format!("http://{address}/healthz")));
    }
    Ok((tasks, checks))
}

/// A check that wants any answer from 200 to 399.
pub(super) fn http(url: String) -> Check {
    Check::Http {
        url,
        host: None,
        expect: StatusRange::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restarted_controller_says_so_before_its_verdicts() {
        let timeline = Timeline::new(MonoClock::new());
        let mut identities = Identity::generate_fleet(&[], &[CONTROLLER]).unwrap();
        let role = ControllerRole {
            evidence: Mutex::new(SocketAddr::from(([127, 0, 0, 1], 0))),
            identity: identities.remove(CONTROLLER).unwrap(),
            targets: Mutex::default(),
            observers: Mutex::default(),
            profile: Profile::fast(),
            metrics: ConsumerMetrics::register(&mut Registry::default()),
            config: ControllerConfig {
                holder: CONTROLLER.to_owned(),
                // Nobody listens there: it never leads.
                kube: kube::Config::new("http://127.0.0.1:1".parse().unwrap()),
                settings: Settings::default(),
                clock: MonoClock::new(),
                timeline: timeline.clone(),
                pod_start: Duration::ZERO,
                metrics: ControllerMetrics::default(),
            },
            running: Mutex::new(None),
        };
        let told = || -> Vec<String> { timeline.since(0).0.into_iter().map(|entry| entry.kind).collect() };
        role.start().unwrap();
        assert!(told().is_empty());
        role.stop();
        role.start().unwrap();
        role.start().unwrap();
        role.stop();
        assert_eq!(told(), ["controlplane.restarted"]);
    }
}
