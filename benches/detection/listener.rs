//! A DNS server in this process with its consumer of evidence, and notes of when its gates were set to which verdict.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use lifeboat_dns::{GateSink, Server, ServerConfig};
use lifeboat_health::metrics::ConsumerResultLabel;
use lifeboat_health::{
    Consumer, ConsumerConfig, ConsumerMetrics, Family, FleetView, Identity, MonoClock, MonoTime, Path,
    Profile, Target, Transition, Verdict, VerdictSink,
};
use parking_lot::Mutex;
use tempfile::TempDir;

/// Generous: a machine may be slow to start what is measured.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EACH: Duration = Duration::from_millis(5);

pub(crate) struct Listener {
    pub(crate) name: &'static str,
    pub(crate) consumer: Consumer,
    metrics: ConsumerMetrics,
    told: Told,
    _server: (Server, TempDir),
}

/// Verdicts in the order in which they were told, and when each was in the gates.
type Told = Arc<Mutex<Vec<(MonoTime, Transition)>>>;

struct Notes {
    gates: GateSink,
    clock: MonoClock,
    told: Told,
}

impl VerdictSink for Notes {
    fn tick(&mut self, now: MonoTime, transitions: &[Transition], view: &FleetView) {
        self.gates.tick(now, transitions, view);
        if !transitions.is_empty() {
            let now = self.clock.now();
            let told = transitions.iter().map(|transition| (now, transition.clone()));
            self.told.lock().extend(told);
        }
    }
}

impl Listener {
    pub(crate) fn start(name: &'static str, tls: Identity, targets: Vec<Target>) -> Listener {
        let (told, metrics) = (Told::default(), ConsumerMetrics::default());
        let state = tempfile::tempdir().expect("a temporary folder");
        let listen = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
        let server = Server::start(ServerConfig::new(name, listen, state.path())).expect("a DNS server");
        let config = ConsumerConfig {
            name: name.to_owned(),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            tls,
            targets,
            observers: None,
            profile: Profile::fast(),
            metrics: metrics.clone(),
        };
        let notes = Notes {
            gates: server.verdict_sink(),
            clock: MonoClock::new(),
            told: Arc::clone(&told),
        };
        let consumer = Consumer::spawn(config, Box::new(notes)).expect("a consumer");
        Listener {
            name,
            consumer,
            metrics,
            told,
            _server: (server, state),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.consumer.local_addr()
    }

    /// The verdict that stands, by the word of how many observers.
    pub(crate) fn stands(&self, cluster: &str) -> (Verdict, u32) {
        let view = self.consumer.view();
        let cell = view.cell(cluster, Path::Traffic, Family::V4);
        cell.map_or((Verdict::Unknown, 0), |cell| (cell.verdict, cell.fresh))
    }

    /// When it was told that a cluster is Down, each time.
    pub(crate) fn downs(&self) -> Vec<(MonoTime, String)> {
        let told = self.told.lock();
        let downs = told.iter().filter(|(_, told)| told.to == Verdict::Down);
        downs.map(|(at, told)| (*at, told.cluster.clone())).collect()
    }

    /// How many clusters it has suspected so far.
    pub(crate) fn suspicions(&self) -> usize {
        let told = self.told.lock();
        told.iter()
            .filter(|(_, told)| told.to == Verdict::Suspect)
            .count()
    }

    /// Rows taken in so far.
    pub(crate) fn rows(&self) -> u64 {
        let label = ConsumerResultLabel {
            consumer: self.name.to_owned(),
            result: "accepted",
        };
        self.metrics.rows.get_or_create(&label).get()
    }

    /// Looks again and again.
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Listener) -> bool) {
        let clock = MonoClock::new();
        let begun = clock.now();
        while !holds(self) {
            let waited = clock.now().saturating_since(begun);
            assert!(
                waited < PATIENCE,
                "{}: not within {PATIENCE:?}: {what}",
                self.name
            );
            std::thread::sleep(LOOK_EACH);
        }
    }

    /// Until it counts `observers` on every target, and finds it Up.
    pub(crate) fn until_up(&self, targets: &[Target], observers: usize) {
        self.until("every target is Up by the word of every observer", |listener| {
            let up = |target: &Target| {
                let (verdict, fresh) = listener.stands(&target.cluster);
                verdict == Verdict::Up && fresh as usize == observers
            };
            targets.iter().all(up)
        });
    }
}
