//! The observer's thread: probers, anchors, the self-check, and the table that goes to every consumer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prometheus_client::metrics::counter::Counter;
use tokio::time::{MissedTickBehavior, interval, interval_at};
use tokio_util::sync::CancellationToken;

use super::super::dialler::Dialler;
use super::super::{Identity, tls};
use super::Wanted;
use crate::check::Probe;
use crate::evidence::{Header, Row, encode_table, table_bytes};
use crate::metrics::{ObserverLabel, ObserverMetrics, ObserverResultLabel};
use crate::probe::{Prober, Surroundings};
use crate::selfcheck::AbstainReason;
use crate::target::{Family, Path, TargetId, mix};

/// How often the loop measures its own lag.
const LAG_EACH: Duration = Duration::from_millis(10);

pub(super) struct Inside {
    pub(super) name: String,
    pub(super) region: String,
    pub(super) tls: Identity,
    pub(super) seed: u64,
    pub(super) metrics: ObserverMetrics,
    pub(super) around: Arc<Surroundings>,
    pub(super) wanted: Arc<Wanted>,
}

/// A target's prober and the token that ends it.
struct Running {
    prober: Arc<Prober>,
    stop: CancellationToken,
}

impl Inside {
    pub(super) async fn run(
        self,
        anchors: Vec<(Probe, Family)>,
        consumers: Vec<SocketAddr>,
        stop: CancellationToken,
    ) {
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
            if header.abstain {
                running.values().for_each(|target| target.prober.forgive());
            }
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
