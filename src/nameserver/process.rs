//! The server as a process of its own, as its configuration file says, for as long as it runs.

use std::{
    mem,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use arc_swap::ArcSwap;
use bytes::Bytes;
use lifeboat_dns::{EcsFrom, GateSink, GeoSources, GeoTable, Listen, Server, ServerConfig};
use lifeboat_health::{
    ConsumerMetrics, FleetView, MonoClock, MonoTime, ObserverMetrics, VerdictSink, recording::Preamble,
};
use parking_lot::{Mutex, RwLock};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::broadcast::Receiver,
};
use tokio_util::sync::CancellationToken;

use super::{
    admin,
    config::{DnsFile, ListenEntry, ObserverEntry, default_state},
    control,
    entries::{Entries, entries},
    hearing::{self, Hearing},
    last::Good,
    metrics::ReloadMetrics,
    overrides::Overrides,
    plan::{FLEET, plan},
    privileges::Account,
    status::{self, Configuration, Status},
    targets,
    zones::{ZoneRead, Zones},
};
use crate::{
    observe::files::Files,
    serve::{evidence::Evidence, view},
    timeline::{Entry, Timeline},
};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long answers wait for the first verdicts.
const GRACE: Duration = Duration::from_secs(2);
/// Names the server in metrics and its threads.
const NAME: &str = "dns";

/// What the admin listener reads.
pub(super) struct Running {
    pub(super) server: Server,
    clock: MonoClock,
    pub(super) timeline: Timeline,
    hearing: RwLock<Option<Hearing>>,
    /// Brings orders into force where there are no verdicts to bring it into force with.
    idle: Mutex<Option<GateSink>>,
    told: ArcSwap<Told>,
}

/// What the last look at the files came to.
#[derive(Default)]
struct Told {
    configuration: Configuration,
    entries: Entries,
    zones: Vec<ZoneRead>,
    /// The observers whose evidence counts, where they are named.
    named: Vec<ObserverEntry>,
    min_fresh: u32,
}

impl Running {
    fn view(&self) -> Arc<FleetView> {
        let hearing = self.hearing.read();
        hearing
            .as_ref()
            .map_or_else(Arc::default, |hearing| hearing.consumer.view())
    }

    /// A cluster's verdicts as `lifeboat explain cluster` prints them; `None` for one that the configuration does not have.
    pub(super) fn explain_cluster(&self, name: &str) -> Option<Value> {
        let told = self.told.load();
        let cluster = told
            .entries
            .clusters
            .iter()
            .find(|cluster| cluster.name == name)?;
        let verdicts = self.view();
        let (traffic, control) = view::paths(&verdicts, &view::held_back(&self.server.gates()), name);
        let history: Vec<Entry> = self.timeline.since(0).0;
        let history = history
            .into_iter()
            .filter(|entry| entry.cluster.as_deref() == Some(name));
        let cluster = json!({
            "name": name, "provider": "", "region": cluster.region, "traffic": traffic, "control": control,
            "detection": view::detection(&verdicts, name),
        });
        Some(json!({
            "cluster": cluster, "holds": [], "noTarget": [], "history": history.collect::<Vec<_>>(),
        }))
    }

    pub(super) fn cluster_names(&self) -> Vec<String> {
        let told = self.told.load();
        told.entries
            .clusters
            .iter()
            .map(|cluster| cluster.name.clone())
            .collect()
    }

    /// Brings orders that were just given into force, or that have ended out of it, where no verdict loop does.
    pub(super) fn tick(&self) {
        if self.hearing.read().is_some() {
            return;
        }
        let mut idle = self.idle.lock();
        let sink = idle.get_or_insert_with(|| self.server.verdict_sink());
        sink.tick(self.clock.now(), &[], &FleetView::default());
    }

    pub(super) fn status(&self) -> Status {
        let told = self.told.load();
        let view = self.view();
        Status {
            version: env!("CARGO_PKG_VERSION"),
            configuration: told.configuration.clone(),
            zones: status::zones(&told.zones, &self.server.held()),
            clusters: status::clusters(&told.entries.clusters, &view, &self.server, told.min_fresh),
            observers: status::observers(&view, &told.named),
            server: self.server.status(),
        }
    }
}

/// Runs until `stop`. `state` overrides the configuration's.
///
/// # Errors
/// What keeps it from starting. A change that cannot be used later is reported, and what was in force stays.
pub async fn run(path: &Path, state: Option<PathBuf>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup()).context("listening for SIGHUP")?;
    let files = Files::look([path]);
    let Start {
        mut good,
        refused,
        mut file,
    } = start(path, state.as_deref())?;
    if let Some(state) = &state {
        file.state.clone_from(state);
    }
    let account = file.user.as_deref().map(Account::find).transpose()?;
    let found = entries(&file, folder(&good.path));
    let probed = found.clusters.iter().any(|cluster| !cluster.checks.is_empty());
    let server = Server::start(ServerConfig {
        start_grace: if probed { GRACE } else { Duration::ZERO },
        wait_for_plan: true,
        min_active_clusters: file.overrides.min_active,
        ecs: EcsFrom::from(&file.ecs),
        ..ServerConfig::new(NAME, file.listen.iter().map(listen), &file.state)
    })?;
    if let Some(held) = server.held().stamp.filter(|stamp| stamp.fleet_uid != FLEET) {
        anyhow::bail!(
            "state: {} holds plans of the control plane {}; a server of its own needs a folder of its own",
            file.state.display(),
            held.fleet_uid
        );
    }
    let mut registry = Registry::default();
    server.register(&mut registry);
    let metrics = ReloadMetrics::register(&mut registry);
    let hearing_metrics = hearing::Metrics {
        consumer: ConsumerMetrics::register(&mut registry),
        observer: ObserverMetrics::register(&mut registry),
    };
    let clock = MonoClock::new();
    let running = Arc::new(Running {
        server,
        clock,
        timeline: Timeline::new(clock),
        hearing: RwLock::new(None),
        idle: Mutex::new(None),
        told: ArcSwap::default(),
    });
    let admin = admin::listen(&file, running.clone(), registry).await?;
    if let Some(account) = &account {
        account.become_it(&file.state)?;
    }
    if refused.is_some() {
        // What is on disk is not what is in force.
        good.text.clear();
    }
    let mut held = Keeper {
        path: path.to_owned(),
        override_state: state,
        good: (refused.is_none()).then_some(good.clone()),
        base: folder(&good.path).to_owned(),
        configuration: Configuration {
            path: path.to_owned(),
            last_known_good: refused.is_some(),
            refused,
            ..Configuration::default()
        },
        files,
        geo: Files::look([]),
        geo_in_force: GeoSources::default(),
        geo_problem: None,
        hearing_problem: None,
        zones: Zones::default(),
        entries: found,
        file,
        metrics,
        hearing_metrics,
        running: running.clone(),
    };
    held.hear()?;
    let state = held.file.state.clone();
    let overrides = Arc::new(Overrides::new(state.clone()));
    let ended = async {
        held.locate(false).await;
        held.apply(true).await;
        overrides.restore(&running.server, today());
        running.tick();
        let _control = control::listen(&state, running.clone(), overrides)?;
        loop {
            let force = tokio::select! {
                () = tokio::time::sleep(LOOK) => false,
                _ = hangup.recv() => {
                    tracing::warn!("SIGHUP: the configuration and the zones are read again");
                    true
                }
            };
            held.look(force).await;
            running.tick();
        }
    };
    let ended: anyhow::Result<()> = tokio::select! {
        () = stop.cancelled() => Ok(()),
        ended = ended => ended,
    };
    drop((admin, held));
    end(running).await.and(ended)
}

#[expect(clippy::disallowed_methods, reason = "orders end at a time of day")]
fn today() -> SystemTime {
    SystemTime::now()
}

/// Threads are joined off the runtime.
async fn end(running: Arc<Running>) -> anyhow::Result<()> {
    let stopping = tokio::task::spawn_blocking(move || {
        let hearing = running.hearing.write().take();
        if let Some(hearing) = hearing {
            hearing.stop();
        }
        // A request that is being answered may still hold it; the server's end ends its threads all the same.
        if let Some(running) = Arc::into_inner(running) {
            running.server.stop();
        }
    });
    stopping.await.context("stopping")
}

/// What the process starts with.
struct Start {
    good: Good,
    /// Why the file itself is not in force.
    refused: Option<String>,
    file: DnsFile,
}

/// The configuration, or the last good one where it cannot be read.
fn start(path: &Path, state: Option<&Path>) -> anyhow::Result<Start> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()));
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let read = text
        .as_ref()
        .map_err(|error| anyhow::anyhow!("{error:#}"))
        .and_then(|text| DnsFile::parse(text, &absolute));
    let error = match read {
        Ok(file) => {
            let text = text.unwrap_or_default();
            let good = Good { path: absolute, text };
            return Ok(Start {
                good,
                refused: None,
                file,
            });
        }
        Err(error) => error,
    };
    let state = state.map_or_else(
        || stated(text.as_deref().unwrap_or_default(), &absolute),
        Path::to_owned,
    );
    let Ok(Some(good)) = Good::load(&state) else {
        return Err(error);
    };
    let file = DnsFile::parse(&good.text, &good.path)
        .with_context(|| format!("the last good configuration, in {}", state.display()))?;
    let refused = format!("{error:#}");
    tracing::error!(error = refused, state = %state.display(), "the configuration is bad; the last good one is in force");
    Ok(Start {
        good,
        refused: Some(refused),
        file,
    })
}

/// The state folder that a file names which is otherwise not a configuration.
fn stated(text: &str, path: &Path) -> PathBuf {
    let value: Value = crate::yaml::read(text).unwrap_or_default();
    let named = value.get("state").and_then(Value::as_str);
    folder(path).join(named.map_or_else(default_state, PathBuf::from))
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new(""))
}

fn listen(entry: &ListenEntry) -> Listen {
    let ListenEntry {
        address,
        udp_threads,
        tcp,
    } = *entry;
    Listen {
        address,
        udp_threads,
        tcp,
    }
}

/// Keeps what is served what the files say.
struct Keeper {
    path: PathBuf,
    override_state: Option<PathBuf>,
    /// In force and not yet kept as the last good one.
    good: Option<Good>,
    /// What relative paths of zones hang on.
    base: PathBuf,
    configuration: Configuration,
    files: Files,
    /// Databases of networks.
    geo: Files,
    geo_in_force: GeoSources,
    geo_problem: Option<String>,
    hearing_problem: Option<String>,
    zones: Zones,
    entries: Entries,
    file: DnsFile,
    metrics: ReloadMetrics,
    hearing_metrics: hearing::Metrics,
    running: Arc<Running>,
}

impl Keeper {
    async fn look(&mut self, force: bool) {
        // It has served for a look's time.
        if let Some(good) = self.good.take()
            && let Err(error) = good.save(&self.file.state)
        {
            tracing::error!(%error, "the configuration is not kept as the last good one");
        }
        let paths = [self.path.as_path()].into_iter().chain(tls(&self.file));
        let changed = self.files.changed(paths) || force;
        if changed {
            self.reload();
        }
        let before = self.hearing_problem.clone();
        if before.is_some() {
            self.hear_again();
        }
        let told = self.hearing_problem != before;
        let located = self.locate(force).await;
        self.apply(changed || located || told).await;
    }

    /// Brings databases of networks into force where they have changed; whether they have.
    async fn locate(&mut self, force: bool) -> bool {
        let sources = self.file.geo.sources();
        let changed = self.geo.changed(self.file.geo.paths());
        if !changed && !force && sources == self.geo_in_force {
            return false;
        }
        self.geo_in_force.clone_from(&sources);
        let loaded = tokio::task::spawn_blocking(move || GeoTable::load(&sources)).await;
        let result = match loaded {
            Ok(Ok(table)) => self
                .running
                .server
                .set_geo(table)
                .map_err(|error| error.to_string()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("reading it failed".to_owned()),
        };
        self.geo_problem = result.err().map(|told| format!("geo: {told}"));
        if let Some(told) = &self.geo_problem {
            tracing::error!(error = told, "where networks are: what was in force stays");
        }
        true
    }

    fn reload(&mut self) {
        let read = std::fs::read_to_string(&self.path)
            .with_context(|| format!("reading {}", self.path.display()))
            .and_then(|text| {
                let path = std::path::absolute(&self.path)?;
                let mut file = DnsFile::parse(&text, &path)?;
                if let Some(state) = &self.override_state {
                    file.state.clone_from(state);
                }
                Ok((file, Good { path, text }))
            });
        let (file, good) = match read {
            Ok(read) => read,
            Err(error) => {
                let told = format!("{error:#}");
                tracing::error!(
                    error = told,
                    "the configuration is refused; what was in force stays"
                );
                self.configuration.refused = Some(told);
                self.metrics.reloaded(false);
                return;
            }
        };
        let (file, after_restart) = taken(&self.file, file);
        for field in &after_restart {
            tracing::warn!(
                field,
                "changed, which takes effect with a restart; what was in force stays"
            );
        }
        self.configuration.refused = None;
        self.configuration.last_known_good = false;
        self.configuration.after_restart = after_restart.into_iter().map(str::to_owned).collect();
        folder(&good.path).clone_into(&mut self.base);
        self.entries = entries(&file, &self.base);
        self.file = file;
        self.good = Some(good);
        self.metrics.reloaded(true);
        self.hear_again();
    }

    /// Brings targets, and what else of observers can change, into force.
    fn hear(&mut self) -> anyhow::Result<()> {
        let (targets, _) = targets::targets(&self.entries.clusters, &self.file.observers.profile());
        let mut hearing = self.running.hearing.write();
        let result = match &*hearing {
            Some(hearing) => hearing
                .adopt(&self.file.observers)
                .and_then(|()| hearing.set_targets(&targets)),
            None if targets.is_empty() && self.file.observers.listen.is_none() => Ok(()),
            None => Hearing::start(
                &self.running.server,
                NAME,
                &self.file.observers,
                &targets,
                &self.hearing_metrics,
                &self.running.timeline,
            )
            .map(|started| *hearing = started),
        };
        drop(hearing);
        result
    }

    /// The same while the server runs: a mistake is told, and tried again at every look.
    fn hear_again(&mut self) {
        let told = self.hear().err().map(|error| format!("observers: {error:#}"));
        if let Some(told) = told
            .as_ref()
            .filter(|told| self.hearing_problem.as_ref() != Some(told))
        {
            tracing::error!(error = told, "observing: what was in force stays");
        }
        self.hearing_problem = told;
    }

    /// Reads zones that have changed, and makes and applies a plan where anything is new.
    async fn apply(&mut self, changed: bool) {
        let (mut zones, asked) = (mem::take(&mut self.zones), self.entries.zones.clone());
        let read = tokio::task::spawn_blocking(move || {
            let changed = zones.look(&asked);
            (zones, changed)
        });
        let Ok((zones, zones_changed)) = read.await else {
            tracing::error!("reading zones failed; what was in force stays");
            return;
        };
        self.zones = zones;
        if !changed && !zones_changed {
            return;
        }
        let all = self.zones.all();
        let planned = plan(&self.entries, &all, &self.running.server.held());
        let (_, mut checks) = targets::targets(&self.entries.clusters, &self.file.observers.profile());
        let mut problems = self.entries.problems.clone();
        problems.append(&mut checks);
        problems.extend(planned.problems);
        problems.extend(self.geo_problem.clone());
        problems.extend(self.hearing_problem.clone());
        match self.running.server.apply(planned.plan) {
            Ok(applied) => problems.extend(applied.rejected.iter().map(ToString::to_string)),
            Err(refused) => problems.push(refused.to_string()),
        }
        for problem in problems
            .iter()
            .filter(|problem| !self.configuration.problems.contains(problem))
        {
            tracing::error!(problem, "a part of the configuration is not in force");
        }
        self.configuration.problems = problems;
        self.metrics
            .looked(&self.configuration, &all, &self.running.server.held());
        self.running.told.store(Arc::new(Told {
            configuration: self.configuration.clone(),
            entries: self.entries.clone(),
            zones: all,
            named: self.file.observers.names.clone(),
            min_fresh: self.file.observers.profile().min_fresh,
        }));
    }
}

/// The files of a certificate.
fn tls(file: &DnsFile) -> impl Iterator<Item = &Path> {
    let tls = file.observers.tls.iter();
    tls.flat_map(|tls| [tls.certificate.as_path(), &tls.key, &tls.roots])
}

/// What is taken of a file that was read again, with the fields that keep their value until a restart.
fn taken(held: &DnsFile, read: DnsFile) -> (DnsFile, Vec<&'static str>) {
    let DnsFile {
        listen,
        admin,
        admin_token_file,
        admin_hosts,
        state,
        user,
        zones,
        clusters,
        names,
        observers,
        overrides,
        geo,
        ecs,
    } = read;
    let before = &held.observers;
    let kept = [
        ("listen", listen != held.listen),
        ("admin", admin != held.admin),
        ("adminTokenFile", admin_token_file != held.admin_token_file),
        ("adminHosts", admin_hosts != held.admin_hosts),
        ("state", state != held.state),
        ("user", user != held.user),
        ("observers.builtin", observers.builtin != before.builtin),
        ("observers.listen", observers.listen != before.listen),
        ("observers.anchors", observers.anchors != before.anchors),
        ("observers.profile", observers.profile != before.profile),
        ("overrides", overrides != held.overrides),
        ("ecs", ecs != held.ecs),
    ];
    let taken = DnsFile {
        zones,
        clusters,
        names,
        geo,
        observers: super::config::Observers {
            tls: observers.tls,
            names: observers.names,
            ..before.clone()
        },
        ..held.clone()
    };
    let kept = kept.into_iter().filter(|(_, differs)| *differs);
    (taken, kept.map(|(field, _)| field).collect())
}

/// Evidence as this server hears it, for recordings.
impl Evidence for Running {
    #[expect(clippy::disallowed_methods, reason = "stamps the recording, for people")]
    fn tap(&self) -> Option<(Preamble, Receiver<(MonoTime, Bytes)>)> {
        let hearing = self.hearing.read();
        let consumer = &hearing.as_ref()?.consumer;
        let preamble = Preamble {
            consumer: NAME.to_owned(),
            started: crate::store::conditions::stamp(jiff::Timestamp::now()),
            profile: consumer.profile().clone(),
            targets: hearing.as_ref()?.targets(),
        };
        Some((preamble, consumer.tap()))
    }
}
