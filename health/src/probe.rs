//! Probers: they ask a target each T and fold the answers into its [`Detector`].
//!
//! ```text
//! drive (one task a target) ── each T ──> a task a probe: connect? → TLS? → request → first byte ──Outcome──> Detector
//!                                                └─ idle connections of the target <─┘
//! ```
//! No probe waits for another: one target's silence costs the others nothing.

mod attempt;
mod certificate;
mod dial;
mod dns;
mod error;
mod file;
mod grpc;
pub mod heartbeat;
mod http;
mod icmp;
mod leftovers;
mod limits;
mod program;
mod remote;
mod tcp;
mod tls;
mod told;
mod trust;
mod wait;
mod way;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use crate::check::{Check, Probe};
use crate::clock::MonoClock;
use crate::detector::{Detector, Outcome, Phase, Series};
use crate::evidence::{Hard, Row};
use crate::metrics::{ObserverMetrics, ObserverPhaseLabel, ObserverResultLabel, ObserverTargetLabel};
#[cfg(feature = "transport")]
use crate::profile::Probing;
use crate::profile::Profile;
use crate::schedule::Schedule;
use crate::selfcheck::{Anchor, SelfCheck};
use crate::target::{Family, Path, Target, TargetId};
use crate::time::MonoTime;

pub use limits::raise_descriptor_limit;
pub use remote::look_up;

use attempt::{Attempt, Slot};
use dns::DnsTarget;
use grpc::GrpcTarget;
use heartbeat::{Agent, Heartbeats};
use http::HttpTarget;
use program::Program;
use remote::Names;
use tls::TlsTarget;
use told::Told;
use trust::Trust;

/// What all probers of one observer share: clock, profile, self-check, counters.
pub struct Surroundings {
    pub clock: MonoClock,
    /// The fleet's.
    pub profile: Profile,
    pub check: Mutex<SelfCheck>,
    pub heartbeats: Arc<Heartbeats>,
    trust: Trust,
    names: Arc<Names>,
    observer: String,
    metrics: ObserverMetrics,
    tap: Option<Tap>,
    good: Counter,
    missed: Counter,
    error: Counter,
    late: Counter,
    skipped: Counter,
    discarded: Counter,
    local: Counter,
    unusable: Counter,
    phases: [(Phase, Histogram); 4],
}

/// Sees every outcome, with how long after it was due its probe was sent. For measurements.
pub type Tap = Box<dyn Fn(&Outcome, Duration) + Send + Sync>;

/// Targets of one address and one check, probed in one way: they are asked once, whatever they are called.
pub struct Prober {
    /// As far as logs and metrics need them.
    names: Mutex<Vec<String>>,
    detector: Mutex<Detector>,
    /// Where it is not the observer's.
    own_profile: Option<Arc<Profile>>,
    kind: Kind,
    /// Probes whose outcome is open.
    under_way: AtomicUsize,
    /// Probes that were missed and are listened to, to learn how late they come.
    lingering: AtomicUsize,
    told: Mutex<Told>,
    /// Of a certificate that is good and ends soon.
    certificate_told: Mutex<Told>,
    around: Arc<Surroundings>,
}

/// What makes two targets one to a prober.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProberKey {
    check: Check,
    family: Family,
    control: bool,
    /// Where clusters' overrides have them probed otherwise.
    own_profile: Option<Arc<Profile>>,
}

enum Kind {
    Http(Box<HttpTarget>),
    Tcp(SocketAddr),
    Tls(Box<TlsTarget>),
    Grpc(Box<GrpcTarget>),
    Dns(Box<DnsTarget>),
    Icmp(IpAddr),
    Program(Box<Program>),
    Heartbeat(Arc<Agent>),
}

/// How one probe, or one phase of it, failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// The target's fault, with what hard evidence there is.
    Miss(Hard),
    /// Ours: no descriptor, no port, no memory.
    Local,
    /// Ours, and about this target: the system does not let it be sent, by this error.
    Forbidden(i32),
    /// The loop was too late to tell.
    Lag(Duration),
    /// Already recorded as a miss when its timeout passed.
    Recorded,
    /// The probe cannot be made: a file, a permission, a program or a way to the target is missing here. It says nothing
    /// about the target.
    Unusable,
}

/// What the phases of a probe took, where it had them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Took {
    connect: Option<Duration>,
    tls: Option<Duration>,
    first_byte: Option<Duration>,
}

impl Surroundings {
    /// `observer` labels the metrics.
    pub fn new(observer: &str, profile: Profile, metrics: &ObserverMetrics) -> Surroundings {
        let count = |result| {
            metrics.probes.get_or_create_owned(&ObserverResultLabel {
                observer: observer.to_owned(),
                result,
            })
        };
        let phase = |phase: Phase| {
            let label = ObserverPhaseLabel {
                observer: observer.to_owned(),
                phase: phase.name(),
            };
            (phase, metrics.phases.get_or_create_owned(&label))
        };
        Surroundings {
            clock: MonoClock::new(),
            check: Mutex::new(SelfCheck::new(&profile)),
            heartbeats: Arc::new(Heartbeats::new(observer, metrics)),
            trust: Trust::default(),
            names: Arc::default(),
            profile,
            observer: observer.to_owned(),
            metrics: metrics.clone(),
            tap: None,
            good: count("good"),
            missed: count("missed"),
            error: count("error"),
            late: count("late"),
            skipped: count("skipped"),
            discarded: count("discarded"),
            local: count("local"),
            unusable: count("unusable"),
            phases: Phase::ALL.map(phase),
        }
    }

    #[must_use]
    pub fn with_tap(self, tap: Tap) -> Surroundings {
        Surroundings {
            tap: Some(tap),
            ..self
        }
    }
}

/// How many TLS handshakes can be under way, one each T.
fn tls_handshakes(profile: &Profile) -> usize {
    let each = Phase::Tls.most_ms(profile).div_ceil(profile.interval_ms.max(1));
    usize::try_from(each).unwrap_or(usize::MAX)
}

impl Kind {
    /// Where probes are sent, as far as it is known.
    fn address(&self) -> Option<SocketAddr> {
        match self {
            Kind::Http(target) => target.address(),
            Kind::Tcp(at) => Some(*at),
            Kind::Tls(target) => target.address(),
            Kind::Grpc(target) => target.address(),
            Kind::Dns(target) => Some(target.address()),
            Kind::Icmp(ip) => Some(SocketAddr::new(*ip, 0)),
            Kind::Program(_) | Kind::Heartbeat(_) => None,
        }
    }
}

impl ProberKey {
    /// In a fleet of the profile `fleet`. An override that changes nothing of how a target is probed keeps it with the others;
    /// one that cannot be is none ([`crate::check_overrides`] finds it).
    pub fn of(target: &Target, fleet: &Profile) -> ProberKey {
        let own = target.own_profile(fleet).ok().flatten();
        let probing = own.map(|own| fleet.probing(&own));
        ProberKey {
            own_profile: probing.filter(|own| own != fleet).map(Arc::new),
            check: target.check.clone(),
            family: target.family,
            control: target.check.minds_path() && target.path == Path::Control,
        }
    }

    /// The largest timeout on a kept connection, where it is not the fleet's.
    pub(crate) fn own_timeout(&self) -> Option<Duration> {
        let own = self.own_profile.as_ref()?;
        Some(Duration::from_millis(own.timeout_max_ms.into()))
    }

    /// How it is probed in a fleet of the profile `fleet`.
    #[cfg(feature = "transport")]
    pub(crate) fn probing(&self, fleet: &Profile) -> Probing {
        Probing::of(self.own_profile.as_deref().unwrap_or(fleet))
    }

    /// An anchor belongs to no path.
    pub fn anchor(check: Check, family: Family) -> ProberKey {
        ProberKey {
            check,
            family,
            control: false,
            own_profile: None,
        }
    }
}

impl Prober {
    /// `probe` is the parsed form of the key's check.
    pub fn new(key: &ProberKey, probe: Probe, around: Arc<Surroundings>) -> Prober {
        let ProberKey {
            family,
            control,
            own_profile,
            check: _,
        } = key.clone();
        let kind = match probe {
            Probe::Http(probe) => Kind::Http(Box::new(HttpTarget::new(probe, family, control, &around))),
            Probe::Tcp { at } => Kind::Tcp(at),
            Probe::Tls { at, tls } => Kind::Tls(Box::new(TlsTarget::new(at, tls, family, &around))),
            Probe::Grpc {
                at,
                authority,
                service,
                tls,
            } => Kind::Grpc(Box::new(GrpcTarget::new(
                (at, family),
                &authority,
                &service,
                tls,
                control,
                &around,
            ))),
            Probe::Dns {
                at,
                name,
                record_type,
                rcode,
                answer,
            } => Kind::Dns(Box::new(DnsTarget::new(at, &name, record_type, rcode, answer))),
            Probe::Icmp { ip } => Kind::Icmp(ip),
            Probe::Program {
                program,
                arguments,
                env,
            } => Kind::Program(Box::new(Program::new(program, arguments, env))),
            Probe::Heartbeat { agent, key_file } => Kind::Heartbeat(around.heartbeats.agent(
                &agent,
                family,
                key_file,
                around.clock.now(),
            )),
        };
        let detector = Mutex::new(Detector::new(own_profile.as_deref().unwrap_or(&around.profile)));
        Prober {
            names: Mutex::default(),
            detector,
            own_profile,
            kind,
            under_way: AtomicUsize::new(0),
            lingering: AtomicUsize::new(0),
            told: Mutex::default(),
            certificate_told: Mutex::default(),
            around,
        }
    }

    /// By which its targets are probed.
    fn profile(&self) -> &Profile {
        self.own_profile.as_deref().unwrap_or(&self.around.profile)
    }

    /// What the prober's targets are called in logs and metrics.
    pub fn set_names(&self, names: Vec<String>) {
        let before = std::mem::replace(&mut *self.names.lock(), names.clone());
        for gone in before.into_iter().filter(|name| !names.contains(name)) {
            self.forget_certificate(gone);
        }
    }

    /// The facts as of `now`, as a target's row.
    pub fn row(&self, target: TargetId, now: MonoTime) -> Row {
        self.detector.lock().row(target, now)
    }

    /// The smoothed time of a phase.
    pub fn smoothed(&self, phase: Phase) -> Option<Duration> {
        self.detector.lock().smoothed(phase)
    }

    /// How it stands as an anchor: one that never answered may still do so before `asked_until`.
    pub(crate) fn anchor(&self, asked_until: MonoTime, now: MonoTime) -> Anchor {
        let anchor = self
            .detector
            .lock()
            .anchor(self.around.profile.fresh(), asked_until, now);
        match anchor {
            Anchor::Asked if self.told.lock().keeps().is_some() => Anchor::Silent,
            Anchor::Asked | Anchor::Answered(_) | Anchor::Silent => anchor,
        }
    }

    /// Why it does not answer, for the log.
    pub(crate) fn silent_because(&self, now: MonoTime) -> String {
        let label = self.label();
        if let Some(problem) = self.told.lock().keeps() {
            return format!("{label} cannot be probed: {problem}");
        }
        let detector = self.detector.lock();
        let misses = detector.row(TargetId(0), now).miss_streak;
        let since = match detector.anchor(self.around.profile.fresh(), MonoTime::ZERO, now) {
            Anchor::Answered(_) => "",
            Anchor::Silent | Anchor::Asked if detector.was_good() => ", and its last answer is stale",
            Anchor::Silent | Anchor::Asked => ", and never answered",
        };
        format!("{label} missed {misses} in a row{since}")
    }

    /// See [`Detector::forgive`].
    pub(crate) fn forgive(&self) {
        self.detector.lock().forgive();
    }

    /// Probe until `stop`. `seed` decides the phase and the jitter.
    pub async fn drive(self: Arc<Self>, seed: u64, stop: CancellationToken) {
        let around = &self.around;
        let most = self.most();
        let mut draw = seed;
        let mut schedule = Schedule::new(self.profile(), around.clock.now(), draw);
        loop {
            let due = schedule.due();
            tokio::select! {
                () = sleep_until(around.clock.instant(due).into()) => {}
                () = stop.cancelled() => return,
            }
            let now = around.clock.now();
            draw = crate::target::mix(draw.wrapping_add(0x9e37_79b9_7f4a_7c15));
            let fresh = schedule.advance(now, draw);
            let late = now.saturating_since(due);
            around.check.lock().record_lag(late, now);
            self.launch(Series::Warm, most, (now, late), &stop);
            if fresh && matches!(self.kind, Kind::Http(_) | Kind::Grpc(_)) {
                self.launch(Series::Fresh, most + 1, (now, late), &stop);
            }
        }
    }

    /// Most probes whose outcome is open: as many as there can be while each is within its timeouts.
    fn most(&self) -> usize {
        let profile = self.profile();
        let secure = match &self.kind {
            Kind::Http(target) => target.is_secure(),
            Kind::Grpc(target) => target.is_secure(),
            Kind::Tls(_) => true,
            Kind::Tcp(_) | Kind::Dns(_) | Kind::Icmp(_) | Kind::Program(_) | Kind::Heartbeat(_) => false,
        };
        profile.connections() + if secure { tls_handshakes(profile) } else { 0 }
    }

    fn launch(
        self: &Arc<Self>,
        series: Series,
        most: usize,
        (now, late): (MonoTime, Duration),
        stop: &CancellationToken,
    ) {
        let Some(slot) = Slot::take(self, most) else {
            self.around.skipped.inc();
            return;
        };
        let stop = stop.clone();
        tokio::spawn(async move {
            let attempt = Attempt::new(slot, series, now, late);
            tokio::select! {
                () = attempt.run() => {}
                () = stop.cancelled() => {}
            }
        });
    }

    fn record(&self, outcome: &Outcome, late: Duration) {
        self.detector.lock().record(outcome, self.around.clock.now());
        self.told.lock().made(outcome.miss.is_none());
        self.show(outcome, late);
    }

    fn record_error(&self, outcome: &Outcome, late: Duration) {
        self.detector
            .lock()
            .record_error(outcome, self.around.clock.now());
        self.told.lock().made(false);
        self.show(outcome, late);
    }

    fn show(&self, outcome: &Outcome, late: Duration) {
        if let Some(tap) = &self.around.tap {
            tap(outcome, late);
        }
    }

    /// Say once what is wrong, and again only when it changes or after a while.
    fn tell(&self, what: impl Into<String>) {
        let what = what.into();
        if self.told.lock().is_due(&what, self.around.clock.now()) {
            tracing::warn!(observer.name = %self.around.observer, targets = %self.label(), problem = %what, "a probe failed");
        }
    }

    fn warn_of_certificate(&self, what: &str) {
        if self.certificate_told.lock().is_due(what, self.around.clock.now()) {
            tracing::warn!(observer.name = %self.around.observer, targets = %self.label(), certificate = %what, "a certificate ends soon");
        }
    }

    /// The first names, in one text.
    fn label(&self) -> String {
        let names = self.names.lock();
        let mut label = names.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
        if names.len() > 3 {
            label.push_str(", …");
        }
        label
    }

    fn certificate_label(&self, target: String) -> ObserverTargetLabel {
        ObserverTargetLabel {
            observer: self.around.observer.clone(),
            target,
        }
    }

    fn forget_certificate(&self, target: String) {
        let label = self.certificate_label(target);
        self.around.metrics.certificate_expiry.remove(&label);
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        for name in std::mem::take(self.names.get_mut()) {
            self.forget_certificate(name);
        }
    }
}

#[cfg(test)]
mod tests;
