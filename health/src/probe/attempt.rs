//! One probe under way: its place among the target's probes, its phases' timeouts, and how its end is recorded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::error::{Broken, classify_http};
use super::wait::{Waited, wait};
use super::{Failure, Kind, Prober, Took, dns, icmp, tcp, way};
use crate::detector::{Outcome, Phase, Series};
use crate::evidence::Hard;
use crate::time::MonoTime;

/// A place among the probes of a target. Those that are decided and only listened to have places of their own, so that
/// they do not keep the next probe from being sent.
pub(super) struct Slot {
    prober: Arc<Prober>,
    lingering: AtomicBool,
}

impl Slot {
    /// `None` where `most` probes are open already.
    pub(super) fn take(prober: &Arc<Prober>, most: usize) -> Option<Slot> {
        enter(&prober.under_way, most).then(|| Slot {
            prober: Arc::clone(prober),
            lingering: AtomicBool::new(false),
        })
    }

    /// Whether the decided probe may be listened to.
    fn linger(&self) -> bool {
        let prober = &self.prober;
        if self.lingering.load(Ordering::Relaxed) {
            return true;
        }
        if !enter(&prober.lingering, prober.profile().listened()) {
            return false;
        }
        prober.under_way.fetch_sub(1, Ordering::Relaxed);
        self.lingering.store(true, Ordering::Relaxed);
        true
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let of = if self.lingering.load(Ordering::Relaxed) {
            &self.prober.lingering
        } else {
            &self.prober.under_way
        };
        of.fetch_sub(1, Ordering::Relaxed);
    }
}

fn enter(count: &AtomicUsize, most: usize) -> bool {
    let next = |now| (now < most).then_some(now + 1);
    count
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
        .is_ok()
}

/// One probe under way.
pub(super) struct Attempt {
    slot: Slot,
    pub(super) series: Series,
    started: MonoTime,
    /// How long after it was due the probe was sent.
    pub(super) late: Duration,
}

impl Attempt {
    pub(super) fn new(slot: Slot, series: Series, started: MonoTime, late: Duration) -> Attempt {
        Attempt {
            slot,
            series,
            started,
            late,
        }
    }

    pub(super) fn prober(&self) -> &Prober {
        &self.slot.prober
    }

    pub(super) async fn run(&self) {
        let ended = match &self.prober().kind {
            Kind::Http(target) => target.probe(self).await,
            Kind::Tcp(at) => tcp::probe(self, *at).await,
            Kind::Tls(target) => target.probe(self).await,
            Kind::Grpc(target) => target.probe(self).await,
            Kind::Dns(target) => dns::probe(target, self).await,
            Kind::Icmp(ip) => icmp::probe(self, *ip).await,
            Kind::Program(program) => program.probe(self).await,
            Kind::Heartbeat(agent) => agent.probe(self).await,
        };
        if let Err(failure) = ended {
            self.fail(failure);
        }
    }

    /// Await a phase for its timeout now; then record a miss and listen on: to a connection until its largest timeout,
    /// so that a dead host keeps few sockets, to an answer over HTTP for `lateMs`, so that a slow one is not taken for
    /// a dead one.
    ///
    /// # Errors
    /// The loop was too late to tell, or nothing came.
    pub(super) async fn wait<T>(
        &self,
        phase: Phase,
        work: impl Future<Output = T>,
    ) -> Result<Waited<T>, Failure> {
        let prober = self.prober();
        let profile = prober.profile();
        let soft = prober.detector.lock().timeout(phase);
        let missed = || self.fail(Failure::Miss(Hard::NONE)) && self.slot.linger();
        let listened = match (&prober.kind, phase) {
            (Kind::Http(_) | Kind::Grpc(_), Phase::Warm | Phase::FirstByte) => profile.late(),
            _ => most(profile, phase),
        };
        let waited = wait(
            prober.around.clock,
            work,
            (soft, listened),
            prober.around.profile.loop_lag(),
            missed,
        )
        .await?;
        let (Waited::InTime(_, took) | Waited::Late(_, took)) = &waited;
        for (of, histogram) in &prober.around.phases {
            if *of == phase {
                histogram.observe(took.as_secs_f64());
            }
        }
        Ok(waited)
    }

    /// Await the answer to a request, with what it took. `None` where it came after its timeout: the miss is recorded,
    /// the timeout has learnt, and the connection is to be dropped, whatever came.
    ///
    /// # Errors
    /// The connection broke, or as for [`Self::wait`].
    pub(super) async fn answer<T>(
        &self,
        answer: impl Future<Output = Result<T, hyper::Error>>,
    ) -> Result<Option<(T, Duration)>, Broken> {
        let phase = self.series.answer();
        match self.wait(phase, answer).await? {
            Waited::InTime(Ok(answer), took) => Ok(Some((answer, took))),
            Waited::InTime(Err(error), _) => Err(classify_http(&error)),
            Waited::Late(answer, took) => {
                if answer.is_ok() {
                    self.learn_late(phase, took);
                }
                Ok(None)
            }
        }
    }

    /// The longest that a phase may take.
    pub(super) fn most(&self, phase: Phase) -> Duration {
        most(self.prober().profile(), phase)
    }

    /// A phase that ended well after its probe had been recorded as a miss.
    pub(super) fn learn_late(&self, phase: Phase, took: Duration) {
        let prober = self.prober();
        prober.around.late.inc();
        prober.detector.lock().record_late(phase, took);
    }

    pub(super) fn good(&self, took: Took) {
        self.prober().around.good.inc();
        self.record(took, None);
    }

    pub(super) fn miss(&self, hard: Hard) {
        self.miss_after(Took::default(), hard);
    }

    /// A miss whose connection is known to be good.
    pub(super) fn miss_after(&self, took: Took, hard: Hard) {
        self.prober().around.missed.inc();
        self.record(took, Some(hard));
    }

    /// An error of the server (5xx) on a traffic path: a miss, but no silence.
    pub(super) fn error(&self, took: Took) {
        let prober = self.prober();
        prober.around.error.inc();
        prober.record_error(&self.outcome(took, Some(Hard::NONE)), self.late);
    }

    pub(super) fn tell(&self, what: impl Into<String>) {
        self.prober().tell(what);
    }

    fn record(&self, took: Took, miss: Option<Hard>) {
        self.prober().record(&self.outcome(took, miss), self.late);
    }

    fn outcome(&self, took: Took, miss: Option<Hard>) -> Outcome {
        let Took {
            connect,
            tls,
            first_byte,
        } = took;
        Outcome {
            series: self.series,
            started: self.started,
            connect,
            tls,
            first_byte,
            miss,
        }
    }

    /// Record how it failed; whether it is a miss.
    pub(super) fn fail(&self, failure: Failure) -> bool {
        let around = &self.prober().around;
        let now = around.clock.now();
        let failure = self.whose(failure);
        match failure {
            Failure::Miss(hard) => self.miss(hard),
            Failure::Local => {
                around.local.inc();
                around.check.lock().record_local_failure(now);
            }
            Failure::Lag(lag) => {
                around.discarded.inc();
                around.check.lock().record_lag(lag, now);
            }
            Failure::Unusable | Failure::Forbidden(_) => {
                around.unusable.inc();
                self.prober().told.lock().unusable();
                if self.series == Series::Warm {
                    self.prober().detector.lock().lapse();
                }
            }
            Failure::Recorded => {}
        }
        matches!(failure, Failure::Miss(_))
    }

    /// What nobody answered is held against the target, or taken for a want of ports, only where this host has a way to it.
    fn whose(&self, failure: Failure) -> Failure {
        let unheard = match failure {
            Failure::Miss(hard) => hard.is_empty(),
            Failure::Local | Failure::Forbidden(_) => true,
            Failure::Lag(_) | Failure::Unusable | Failure::Recorded => false,
        };
        let Some(to) = self.prober().kind.address().filter(|_| unheard) else {
            return failure;
        };
        if let Some(lack) = way::lack(to) {
            self.tell(format!("this host has no way to {}: {lack}", to.ip()));
            return Failure::Unusable;
        }
        let Failure::Forbidden(code) = failure else {
            return failure;
        };
        // Over IPv6 a router may say so, too (ICMPv6 type 1 code 1, RFC 4443 §3.1).
        if code == libc::EACCES && to.is_ipv6() {
            return Failure::Miss(Hard::NONE);
        }
        let error = std::io::Error::from_raw_os_error(code);
        self.tell(format!("this host forbids what is sent to {}: {error}", to.ip()));
        Failure::Unusable
    }
}

fn most(profile: &crate::profile::Profile, phase: Phase) -> Duration {
    Duration::from_millis(phase.most_ms(profile).into())
}
