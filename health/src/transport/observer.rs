//! Probes every target and sends its evidence to every consumer, on a thread of its own.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, interval_at};
use tokio_util::sync::CancellationToken;

use super::dialler::Dialler;
use super::thread::OwnThread;
use super::{Identity, TlsError, tls};
use crate::check::{Check, CheckError, Probe};
use crate::evidence::{Header, MAX_NAME_BYTES, Row, encode_table, table_bytes};
use crate::metrics::{ObserverLabel, ObserverMetrics, ObserverResultLabel};
use crate::probe::{Prober, Surroundings};
use crate::profile::{Profile, ProfileError};
use crate::selfcheck::AbstainReason;
use crate::target::{Family, Path, Target, TargetError, TargetId, check_targets, mix};

/// How often the loop measures its own lag.
const LAG_EACH: Duration = Duration::from_millis(10);

/// What an observer needs.
pub struct ObserverConfig {
    /// Must be a name in the certificate.
    pub name: String,
    pub region: String,
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
    wanted: Arc<Wanted>,
    _thread: OwnThread,
}

/// The targets to probe, as set from outside.
struct Wanted {
    targets: Mutex<Vec<(Target, Probe)>>,
    changed: Notify,
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
        check_name("name", &name, 1)?;
        check_name("region", &region, 0)?;
        profile.validate().map_err(|source| ObserverError::Profile {
            name: name.clone(),
            source,
        })?;
        let tls_error = |source| ObserverError::Tls {
            name: name.clone(),
            source,
        };
        if !tls
            .cert_chain
            .first()
            .is_some_and(|certificate| tls::has_name(certificate, &name))
        {
            return Err(tls_error(TlsError::Name { name: name.clone() }));
        }
        tls::client(&tls, &profile, 0).map_err(tls_error)?;
        let anchors: Vec<(Probe, Family)> = anchors
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
                Ok((probe, family))
            })
            .collect::<Result<_, ObserverError>>()?;
        let targets = parsed(&name, targets)?;
        let wanted = Arc::new(Wanted {
            targets: Mutex::new(targets),
            changed: Notify::new(),
        });
        let inside = Inside {
            around: Arc::new(Surroundings::new(&name, profile, &metrics)),
            name: name.clone(),
            region,
            tls,
            seed,
            metrics,
            wanted: Arc::clone(&wanted),
        };
        let thread = OwnThread::spawn(&format!("observe-{name}"), move |stop| {
            inside.run(anchors, consumers, stop)
        })
        .map_err(|source| ObserverError::Thread {
            name: name.clone(),
            source,
        })?;
        Ok(Observer {
            name,
            wanted,
            _thread: thread,
        })
    }

    /// Replace the targets while running. Probing of those that stay goes on undisturbed.
    ///
    /// # Errors
    /// The first target at fault; then nothing is changed.
    pub fn set_targets(&self, targets: Vec<Target>) -> Result<(), ObserverError> {
        *self.wanted.targets.lock() = parsed(&self.name, targets)?;
        self.wanted.changed.notify_one();
        Ok(())
    }

    /// Stop and join, within two seconds.
    pub fn stop(self) {}
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

fn parsed(name: &str, targets: Vec<Target>) -> Result<Vec<(Target, Probe)>, ObserverError> {
    let wrong = |source| ObserverError::Target {
        name: name.to_owned(),
        source,
    };
    check_targets(&targets).map_err(wrong)?;
    let parse = |target: Target| {
        let probe = target.parse().map_err(wrong)?;
        Ok((target, probe))
    };
    targets.into_iter().map(parse).collect()
}

struct Inside {
    name: String,
    region: String,
    tls: Identity,
    seed: u64,
    metrics: ObserverMetrics,
    around: Arc<Surroundings>,
    wanted: Arc<Wanted>,
}

/// A target's prober and the token that ends it.
struct Running {
    prober: Arc<Prober>,
    stop: CancellationToken,
}

impl Inside {
    async fn run(self, anchors: Vec<(Probe, Family)>, consumers: Vec<SocketAddr>, stop: CancellationToken) {
        let anchors: Vec<Arc<Prober>> = anchors
            .into_iter()
            .enumerate()
            .map(|(index, (probe, family))| {
                let id = TargetId(index as u64);
                let prober = Arc::new(Prober::new(id, probe, family, false, Arc::clone(&self.around)));
                tokio::spawn(
                    Arc::clone(&prober).drive(mix(self.seed ^ (index as u64 + 1)), stop.child_token()),
                );
                prober
            })
            .collect();
        let diallers = self.dial(consumers, &stop);
        tokio::spawn(watch_lag(
            Arc::clone(&self.around),
            self.metrics.clone(),
            self.name.clone(),
            stop.child_token(),
        ));
        self.send(&anchors, &diallers, &stop).await;
        stop.cancelled().await;
        // Let the diallers say goodbye, so that consumers need not wait for a timeout.
        tokio::task::yield_now().await;
        let _ = tokio::time::timeout(Duration::from_millis(150), async {
            for (_, task) in diallers {
                let _ = task.await;
            }
        })
        .await;
    }

    fn dial(
        &self,
        consumers: Vec<SocketAddr>,
        stop: &CancellationToken,
    ) -> Vec<(Arc<Dialler>, tokio::task::JoinHandle<()>)> {
        let label = ObserverLabel {
            observer: self.name.clone(),
        };
        let mut diallers = Vec::with_capacity(consumers.len());
        for consumer in consumers {
            let reconnects = self.metrics.reconnects.get_or_create_owned(&label);
            let dialler = match Dialler::new(consumer, reconnects) {
                Ok(dialler) => Arc::new(dialler),
                Err(error) => {
                    tracing::error!(observer.name = %self.name, consumer.addr = %consumer, %error, "cannot open a socket");
                    continue;
                }
            };
            let (tls, around, wanted) = (
                self.tls.clone(),
                Arc::clone(&self.around),
                Arc::clone(&self.wanted),
            );
            let keeper = Arc::clone(&dialler);
            let stop = stop.child_token();
            let task = tokio::spawn(async move {
                let config = || tls::client(&tls, &around.profile, table_bytes(wanted.targets.lock().len()));
                keeper.keep(config, stop).await;
            });
            diallers.push((dialler, task));
        }
        diallers
    }

    /// The table, each `sendMs`, until `stop`.
    async fn send(
        &self,
        anchors: &[Arc<Prober>],
        diallers: &[(Arc<Dialler>, tokio::task::JoinHandle<()>)],
        stop: &CancellationToken,
    ) {
        let around = &self.around;
        let count = |result| {
            let label = ObserverResultLabel {
                observer: self.name.clone(),
                result,
            };
            self.metrics.datagrams.get_or_create_owned(&label)
        };
        let (sent, dropped): (Counter, Counter) = (count("sent"), count("dropped"));
        let phase = around
            .profile
            .send()
            .mul_f64((mix(self.seed) % 1_000) as f64 / 1_000.0);
        let mut ticks = interval_at(tokio::time::Instant::now() + phase, around.profile.send());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut running = BTreeMap::new();
        self.adopt(&mut running, stop);
        let mut header = Header {
            observer: self.name.clone(),
            region: self.region.clone(),
            boot: boot_id(),
            seq: 1,
            ..Header::default()
        };
        let mut abstained = None;
        let mut rows: Vec<Row> = Vec::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.wanted.changed.notified() => {
                    self.adopt(&mut running, stop);
                    continue;
                }
                _ = ticks.tick() => {}
            }
            let now = around.clock.now();
            let reason = {
                let mut check = around.check.lock();
                check.record_anchors(anchors.iter().map(|anchor| anchor.row(now).miss_streak), now);
                check.abstains(now)
            };
            if reason != abstained {
                self.tell_abstention(reason);
                abstained = reason;
            }
            header.sent_at = now;
            header.abstain = reason.is_some();
            rows.clear();
            rows.extend(running.values().map(|target: &Running| target.prober.row(now)));
            header.seq = encode_table(&header, &rows, |bytes| {
                let bytes = Bytes::from(bytes);
                for (dialler, _) in diallers {
                    if dialler.send(bytes.clone()) {
                        sent.inc()
                    } else {
                        dropped.inc()
                    };
                }
            });
        }
    }

    /// Make the running probers those that are wanted.
    fn adopt(&self, running: &mut BTreeMap<TargetId, Running>, stop: &CancellationToken) {
        let wanted = self.wanted.targets.lock().clone();
        let mut before = std::mem::take(running);
        for (target, probe) in wanted {
            let id = target.id();
            let kept = before.remove(&id).unwrap_or_else(|| {
                let control = target.path == Path::Control;
                let prober = Arc::new(Prober::new(
                    id,
                    probe,
                    target.family,
                    control,
                    Arc::clone(&self.around),
                ));
                let stop = stop.child_token();
                tokio::spawn(Arc::clone(&prober).drive(mix(self.seed ^ id.0), stop.clone()));
                Running { prober, stop }
            });
            running.insert(id, kept);
        }
        before.into_values().for_each(|gone| gone.stop.cancel());
    }

    fn tell_abstention(&self, reason: Option<AbstainReason>) {
        let Some(reason) = reason else {
            tracing::info!(observer.name = %self.name, "votes again");
            return;
        };
        tracing::warn!(observer.name = %self.name, ?reason, "abstains");
        let result = match reason {
            AbstainReason::LoopLag => "loop-lag",
            AbstainReason::Anchors => "anchors",
            AbstainReason::Local => "local",
        };
        let label = ObserverResultLabel {
            observer: self.name.clone(),
            result,
        };
        self.metrics.abstentions.get_or_create(&label).inc();
    }
}

/// Measures how late the loop wakes.
async fn watch_lag(
    around: Arc<Surroundings>,
    metrics: ObserverMetrics,
    observer: String,
    stop: CancellationToken,
) {
    let gauge = metrics.loop_lag.get_or_create_owned(&ObserverLabel { observer });
    let mut ticks = interval(LAG_EACH);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut worst = Duration::ZERO;
    let mut beat: u32 = 0;
    loop {
        let due = tokio::select! {
            due = ticks.tick() => due,
            () = stop.cancelled() => return,
        };
        let lag = due.elapsed();
        around.check.lock().record_lag(lag, around.clock.now());
        worst = worst.max(lag);
        beat += 1;
        if beat >= 100 {
            gauge.set(worst.as_secs_f64());
            (worst, beat) = (Duration::ZERO, 0);
        }
    }
}

/// Rises from start to start as long as the wall clock does; a consumer copes with one that was set back.
#[allow(
    clippy::disallowed_methods,
    reason = "a stamp of the start, compared only with stamps of the same observer"
)]
fn boot_id() -> u64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
