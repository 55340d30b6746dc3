//! The observer's thread: probers, anchors, the self-check, and the table that goes to every consumer.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prometheus_client::metrics::counter::Counter;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, interval_at};
use tokio_util::sync::CancellationToken;

use super::super::dialler::Dialler;
use super::super::{Identity, expiry, tls};
use super::Wanted;
use crate::check::Probe;
use crate::detector::Detector;
use crate::evidence::{Header, Row, encode_table, table_bytes};
use crate::metrics::{ObserverLabel, ObserverMetrics, ObserverResultLabel};
use crate::passive::Counted;
use crate::probe::{Prober, ProberKey, Surroundings, raise_descriptor_limit};
use crate::profile::{Probing, Profile};
use crate::selfcheck::AbstainReason;
use crate::target::{Path, Target, TargetId, mix};
use crate::time::MonoTime;

/// How often the loop measures its own lag.
const LAG_EACH: Duration = Duration::from_millis(10);

pub(super) struct Inside {
    pub(super) name: String,
    pub(super) region: String,
    pub(super) seed: u64,
    pub(super) metrics: ObserverMetrics,
    pub(super) around: Arc<Surroundings>,
    pub(super) wanted: Arc<Wanted>,
}

/// A prober, the token that ends it, and the targets that it probes.
struct Running {
    prober: Arc<Prober>,
    stop: CancellationToken,
    probing: Probing,
    /// With the cluster whose users may tell something of it, where it is a traffic path.
    targets: Vec<(TargetId, Option<String>)>,
}

/// The way to one consumer.
struct Line {
    dialler: Arc<Dialler>,
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Inside {
    pub(super) async fn run(self, anchors: Vec<(ProberKey, Probe)>, stop: CancellationToken) {
        raise_descriptor_limit();
        let anchors: Vec<Arc<Prober>> = anchors
            .into_iter()
            .enumerate()
            .map(|(index, (key, probe))| {
                let prober = Arc::new(Prober::new(&key, probe, Arc::clone(&self.around)));
                prober.set_names(vec![format!("anchor {index}")]);
                tokio::spawn(
                    Arc::clone(&prober).drive(mix(self.seed ^ (index as u64 + 1)), stop.child_token()),
                );
                prober
            })
            .collect();
        tokio::spawn(watch_lag(
            Arc::clone(&self.around),
            self.metrics.clone(),
            self.name.clone(),
            stop.child_token(),
        ));
        tokio::spawn(expiry::watch(
            self.wanted.identity.subscribe(),
            self.name.clone(),
            self.metrics.own_certificates.clone(),
        ));
        let lines = self.send(&anchors, &stop).await;
        // Let the diallers say goodbye, so that consumers need not wait for a timeout.
        tokio::task::yield_now().await;
        let _ = tokio::time::timeout(Duration::from_millis(150), async {
            for line in lines.into_values() {
                let _ = line.task.await;
            }
        })
        .await;
    }

    /// Make the lines those to the consumers that are wanted.
    fn connect(&self, lines: &mut BTreeMap<SocketAddr, Line>, stop: &CancellationToken) {
        let wanted = self.wanted.consumers.lock().clone();
        lines.retain(|consumer, line| {
            let kept = wanted.contains(consumer);
            if !kept {
                line.stop.cancel();
            }
            kept
        });
        for consumer in wanted {
            if let Entry::Vacant(place) = lines.entry(consumer)
                && let Some(line) = self.dial(consumer, stop.child_token())
            {
                place.insert(line);
            }
        }
    }

    fn dial(&self, consumer: SocketAddr, stop: CancellationToken) -> Option<Line> {
        let label = ObserverLabel {
            observer: self.name.clone(),
        };
        let reconnects = self.metrics.reconnects.get_or_create_owned(&label);
        let dialler = Dialler::new(consumer, reconnects).map(Arc::new);
        let dialler = dialler
            .inspect_err(|error| {
                tracing::error!(observer.name = %self.name, consumer.addr = %consumer, %error, "cannot open a socket");
            })
            .ok()?;
        let (around, wanted) = (Arc::clone(&self.around), Arc::clone(&self.wanted));
        let (keeper, token) = (Arc::clone(&dialler), stop.clone());
        let identity = wanted.identity.subscribe();
        let task = tokio::spawn(async move {
            let config = |identity: &Identity| {
                tls::client(
                    identity,
                    &around.profile,
                    whole_table_bytes(&wanted.targets.lock(), &around.profile),
                )
            };
            keeper.keep(config, identity, token).await;
        });
        Some(Line { dialler, task, stop })
    }

    /// The table, each `sendMs`, until `stop`.
    #[expect(clippy::disallowed_methods, reason = "the phase of its own ticks")]
    async fn send(&self, anchors: &[Arc<Prober>], stop: &CancellationToken) -> BTreeMap<SocketAddr, Line> {
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
        let mut running: BTreeMap<ProberKey, Running> = BTreeMap::new();
        self.listen(stop);
        self.adopt(&mut running, stop);
        let mut lines = BTreeMap::new();
        self.connect(&mut lines, stop);
        let mut header = Header {
            observer: self.name.clone(),
            region: self.region.clone(),
            boot: boot_id(),
            seq: 1,
            ..Header::default()
        };
        let mut abstained = None;
        let asked_until = around.clock.now() + Detector::first_round(&around.profile);
        let mut table = Table::new();
        loop {
            let due = tokio::select! {
                () = stop.cancelled() => return lines,
                () = self.wanted.changed.notified() => {
                    self.listen(stop);
                    self.adopt(&mut running, stop);
                    self.connect(&mut lines, stop);
                    continue;
                }
                due = ticks.tick() => due,
            };
            let now = around.clock.now();
            let reason = {
                let mut check = around.check.lock();
                // `watch_lag` may be woken after this.
                check.record_lag(due.elapsed(), now);
                check.judge_anchors(anchors.iter().map(|anchor| anchor.anchor(asked_until, now)), now);
                check.abstains(now)
            };
            if reason != abstained {
                self.tell_abstention((abstained, reason), anchors, now);
                abstained = reason;
            }
            header.sent_at = now;
            header.abstain = reason.is_some();
            self.fill(&mut table, &running, now);
            if header.abstain {
                running.values().for_each(|running| running.prober.forgive());
            }
            for (probing, rows) in &table {
                header.probing = Some(*probing);
                header.seq = encode_table(&header, rows, |bytes| {
                    let bytes = Bytes::from(bytes);
                    for line in lines.values() {
                        if line.dialler.send(bytes.clone()) {
                            sent.inc()
                        } else {
                            dropped.inc()
                        };
                    }
                });
            }
        }
    }

    /// The facts of every target as of now: what its prober found, and what its users are reported to find.
    fn fill(&self, table: &mut Table, running: &BTreeMap<ProberKey, Running>, now: MonoTime) {
        let passive = &*self.wanted.passive.lock();
        table.retain(|_, rows| {
            let used = !rows.is_empty();
            rows.clear();
            used
        });
        // Without targets it still says how it is.
        if running.is_empty() {
            table.insert(Probing::of(&self.around.profile), Vec::new());
        }
        for running in running.values() {
            let rows = table.entry(running.probing).or_default();
            let row = running.prober.row(TargetId(0), now);
            rows.extend(running.targets.iter().map(|(target, users_of)| {
                let counted = users_of
                    .as_ref()
                    .map_or_else(Counted::default, |cluster| passive.counted(cluster, now));
                let (user_requests, user_errors_permille) = counted.facts();
                Row {
                    target: *target,
                    user_requests,
                    user_errors_permille,
                    ..row
                }
            }));
        }
    }

    /// Hear heartbeats on the sockets that came meanwhile.
    fn listen(&self, stop: &CancellationToken) {
        for socket in std::mem::take(&mut *self.wanted.heartbeats.lock()) {
            let (around, stop, name) = (Arc::clone(&self.around), stop.child_token(), self.name.clone());
            tokio::spawn(async move {
                if let Err(error) = around.heartbeats.listen(socket, stop).await {
                    tracing::error!(observer.name = %name, %error, "heartbeats are not heard");
                }
            });
        }
    }

    /// Make the running probers those that are wanted. Targets of one address and check share one, if they are to be probed
    /// alike.
    fn adopt(&self, running: &mut BTreeMap<ProberKey, Running>, stop: &CancellationToken) {
        let mut wanted: BTreeMap<ProberKey, (Probe, Vec<Target>)> = BTreeMap::new();
        for (target, probe) in self.wanted.targets.lock().clone() {
            let alike = wanted
                .entry(ProberKey::of(&target, &self.around.profile))
                .or_insert_with(|| (probe, Vec::new()));
            alike.1.push(target);
        }
        let mut before = std::mem::take(running);
        let mut targets = 0;
        for (key, (probe, alike)) in wanted {
            let users_of = |target: &Target| (target.path == Path::Traffic).then(|| target.cluster.clone());
            let ids: Vec<(TargetId, Option<String>)> = alike
                .iter()
                .map(|target| (target.id(), users_of(target)))
                .collect();
            targets += ids.len();
            let mut kept = before
                .remove(&key)
                .unwrap_or_else(|| self.start(&key, probe, ids.first().map(|(id, _)| id), stop));
            let name = |target: &Target| format!("{}/{}/{}", target.cluster, target.path, target.family);
            kept.prober.set_names(alike.iter().map(name).collect());
            kept.targets = ids;
            running.insert(key, kept);
        }
        before.into_values().for_each(|gone| gone.stop.cancel());
        let slowest = running.keys().filter_map(ProberKey::own_timeout).max();
        self.around
            .check
            .lock()
            .wait_for_probes(slowest.unwrap_or_default());
        self.count_targets("targets", targets);
        self.count_targets("probers", running.len());
    }

    fn start(
        &self,
        key: &ProberKey,
        probe: Probe,
        first: Option<&TargetId>,
        stop: &CancellationToken,
    ) -> Running {
        let prober = Arc::new(Prober::new(key, probe, Arc::clone(&self.around)));
        let stop = stop.child_token();
        let seed = mix(self.seed ^ first.map_or(0, |id| id.0));
        tokio::spawn(Arc::clone(&prober).drive(seed, stop.clone()));
        Running {
            prober,
            stop,
            probing: key.probing(&self.around.profile),
            targets: Vec::new(),
        }
    }

    fn count_targets(&self, result: &'static str, count: usize) {
        let label = ObserverResultLabel {
            observer: self.name.clone(),
            result,
        };
        let gauge = self.metrics.targets.get_or_create_owned(&label);
        gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    fn lag_because(&self) -> String {
        let limit = self.around.profile.loop_lag().as_millis();
        format!("its loop woke more than loopLagMs, {limit} ms, too late: the machine is busy or was paused")
    }

    fn tell_abstention(
        &self,
        (before, reason): (Option<AbstainReason>, Option<AbstainReason>),
        anchors: &[Arc<Prober>],
        now: MonoTime,
    ) {
        let Some(reason) = reason else {
            if before != Some(AbstainReason::Starting) {
                tracing::info!(observer.name = %self.name, "votes again");
            }
            return;
        };
        let (result, because) = match reason {
            AbstainReason::Starting => {
                tracing::info!(observer.name = %self.name, "votes as soon as one of its anchors answers");
                return;
            }
            AbstainReason::Anchors => {
                let because: Vec<String> = anchors.iter().map(|anchor| anchor.silent_because(now)).collect();
                ("anchors", because.join("; "))
            }
            AbstainReason::LoopLag => ("loop-lag", self.lag_because()),
            AbstainReason::Local => (
                "local",
                "a probe could not be sent: descriptors, ports or memory are lacking".to_owned(),
            ),
        };
        tracing::warn!(observer.name = %self.name, reason = result, because, "abstains");
        let label = ObserverResultLabel {
            observer: self.name.clone(),
            result,
        };
        self.metrics.abstentions.get_or_create(&label).inc();
    }
}

/// Rows by how their targets are probed: what is in one datagram is probed alike.
type Table = BTreeMap<Probing, Vec<Row>>;

/// What one table of these targets takes at most.
fn whole_table_bytes(targets: &[(Target, Probe)], profile: &Profile) -> usize {
    let mut alike: BTreeMap<Probing, usize> = BTreeMap::from([(Probing::of(profile), 0)]);
    for (target, _) in targets {
        *alike
            .entry(ProberKey::of(target, profile).probing(profile))
            .or_default() += 1;
    }
    alike.into_values().map(table_bytes).sum()
}

/// Measures how late the loop wakes.
async fn watch_lag(
    around: Arc<Surroundings>,
    metrics: ObserverMetrics,
    observer: String,
    stop: CancellationToken,
) {
    let label = ObserverLabel { observer };
    let gauge = metrics.loop_lag.get_or_create_owned(&label);
    let delays = metrics.loop_delay.get_or_create_owned(&label);
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
        delays.observe(lag.as_secs_f64());
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
