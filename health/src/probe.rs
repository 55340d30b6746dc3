//! Probers: they ask a target each T and fold the answers into its [`Detector`].
//!
//! ```text
//! drive (one task a target) ── each T ──> a task a probe: connect? → request → first byte ──Outcome──> Detector
//!                                                └─ idle connections of the target <─┘
//! ```
//! No probe waits for another: one target's silence costs the others nothing.

mod error;
mod http;
mod remote;
mod tcp;
mod wait;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use crate::check::Probe;
use crate::clock::MonoClock;
use crate::detector::{Detector, Outcome, Series};
use crate::evidence::{Hard, Row};
use crate::metrics::{ObserverMetrics, ObserverResultLabel};
use crate::profile::Profile;
use crate::schedule::Schedule;
use crate::selfcheck::SelfCheck;
use crate::target::{Family, TargetId};
use crate::time::MonoTime;

use http::HttpTarget;

/// What all probers of one observer share: clock, profile, self-check, counters.
pub struct Surroundings {
    pub clock: MonoClock,
    pub profile: Profile,
    pub check: Mutex<SelfCheck>,
    good: Counter,
    missed: Counter,
    late: Counter,
    skipped: Counter,
    discarded: Counter,
    local: Counter,
}

/// One target under probing.
pub struct Prober {
    id: TargetId,
    detector: Mutex<Detector>,
    kind: Kind,
    under_way: AtomicUsize,
    around: Arc<Surroundings>,
}

enum Kind {
    Http(Box<HttpTarget>),
    Tcp(std::net::SocketAddr),
}

/// How one probe, or one phase of it, failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// The target's fault, with what hard evidence there is.
    Miss(Hard),
    /// Ours: no descriptor, no port, no memory.
    Local,
    /// The loop was too late to tell.
    Lag(Duration),
    /// Already recorded as a miss when its timeout passed.
    Recorded,
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
        Surroundings {
            clock: MonoClock::new(),
            check: Mutex::new(SelfCheck::new(&profile)),
            profile,
            good: count("good"),
            missed: count("missed"),
            late: count("late"),
            skipped: count("skipped"),
            discarded: count("discarded"),
            local: count("local"),
        }
    }
}

impl Prober {
    /// `control`: a 5xx answer is hard evidence, as of a control path's `readyz`.
    pub fn new(
        id: TargetId,
        probe: Probe,
        family: Family,
        control: bool,
        around: Arc<Surroundings>,
    ) -> Prober {
        let kind = match probe {
            Probe::Http {
                at,
                host,
                path,
                expect,
            } => Kind::Http(Box::new(HttpTarget::new(
                at, family, &host, &path, expect, control,
            ))),
            Probe::Tcp { at } => Kind::Tcp(at),
        };
        let detector = Mutex::new(Detector::new(&around.profile));
        Prober {
            id,
            detector,
            kind,
            under_way: AtomicUsize::new(0),
            around,
        }
    }

    /// The facts as of `now`.
    pub fn row(&self, now: MonoTime) -> Row {
        self.detector.lock().row(self.id, now)
    }

    /// See [`Detector::forgive`].
    pub(crate) fn forgive(&self) {
        self.detector.lock().forgive();
    }

    /// Probe until `stop`. `seed` decides the phase and the jitter.
    pub async fn drive(self: Arc<Self>, seed: u64, stop: CancellationToken) {
        let around = &self.around;
        let most = around.profile.connections();
        let mut draw = seed;
        let mut schedule = Schedule::new(&around.profile, around.clock.now(), draw);
        loop {
            let due = schedule.due();
            tokio::select! {
                () = sleep_until(around.clock.instant(due).into()) => {}
                () = stop.cancelled() => return,
            }
            let now = around.clock.now();
            draw = crate::target::mix(draw.wrapping_add(0x9e37_79b9_7f4a_7c15));
            let fresh = schedule.advance(now, draw);
            around.check.lock().record_lag(now.saturating_since(due), now);
            self.launch(Series::Warm, most, now, &stop);
            if fresh && matches!(self.kind, Kind::Http(_)) {
                self.launch(Series::Fresh, most + 1, now, &stop);
            }
        }
    }

    fn launch(self: &Arc<Self>, series: Series, most: usize, now: MonoTime, stop: &CancellationToken) {
        if self.under_way.load(Ordering::Relaxed) >= most {
            self.around.skipped.inc();
            return;
        }
        self.under_way.fetch_add(1, Ordering::Relaxed);
        let (prober, stop) = (Arc::clone(self), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = prober.probe(series, now) => {}
                () = stop.cancelled() => {}
            }
            prober.under_way.fetch_sub(1, Ordering::Relaxed);
        });
    }

    async fn probe(&self, series: Series, started: MonoTime) {
        let ended = match &self.kind {
            Kind::Http(target) => target.probe(self, series, started).await,
            Kind::Tcp(at) => tcp::probe(self, *at, started).await,
        };
        if let Err(failure) = ended {
            self.fail(series, started, failure);
        }
    }

    fn fail(&self, series: Series, started: MonoTime, failure: Failure) {
        let now = self.around.clock.now();
        match failure {
            Failure::Miss(hard) => self.miss(series, started, hard),
            Failure::Local => {
                self.around.local.inc();
                self.around.check.lock().record_local_failure(now);
            }
            Failure::Lag(lag) => {
                self.around.discarded.inc();
                self.around.check.lock().record_lag(lag, now);
            }
            Failure::Recorded => {}
        }
    }

    fn miss(&self, series: Series, started: MonoTime, hard: Hard) {
        self.around.missed.inc();
        self.record(&Outcome {
            series,
            started,
            connect: None,
            first_byte: None,
            miss: Some(hard),
        });
    }

    fn good(&self, series: Series, started: MonoTime, connect: Option<Duration>, first_byte: Duration) {
        self.around.good.inc();
        self.record(&Outcome {
            series,
            started,
            connect,
            first_byte: Some(first_byte),
            miss: None,
        });
    }

    fn record(&self, outcome: &Outcome) {
        self.detector.lock().record(outcome, self.around.clock.now());
    }
}

#[cfg(test)]
mod tests;
