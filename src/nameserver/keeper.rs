//! Keeps what is served what the files say: looks for changes, reads what has changed, and puts in force what can be.

use std::{
    mem,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use lifeboat_dns::{GeoSources, GeoTable};
use lifeboat_health::{FleetView, Quorum, Target};

use super::{
    background,
    config::{ClusterEntry, DnsFile, Observers, Probing},
    entries::{Entries, entries},
    hearing::{self, Hearing},
    kubernetes,
    last::Good,
    metrics::ReloadMetrics,
    plan::plan,
    protocol::protocol,
    running::{NAME, Running, Told},
    start::folder,
    status::Configuration,
    targets,
    unchecked::unchecked,
    zones::{ZoneRead, Zones},
};
use crate::observe::files::Files;

/// Keeps what is served what the files say.
pub(super) struct Keeper {
    pub(super) path: PathBuf,
    pub(super) override_state: Option<PathBuf>,
    /// In force and not yet kept as the last good one.
    pub(super) good: Option<Good>,
    /// What relative paths of zones hang on.
    pub(super) base: PathBuf,
    pub(super) configuration: Configuration,
    pub(super) files: Files,
    /// Databases of networks.
    pub(super) geo: Files,
    pub(super) geo_in_force: GeoSources,
    pub(super) geo_problem: Option<String>,
    pub(super) hearing_problem: Option<String>,
    pub(super) protocol_problems: Vec<String>,
    pub(super) zones: Zones,
    pub(super) entries: Entries,
    pub(super) file: DnsFile,
    pub(super) metrics: ReloadMetrics,
    pub(super) hearing_metrics: hearing::Metrics,
    pub(super) running: Arc<Running>,
}

impl Keeper {
    pub(super) async fn look(&mut self, force: bool) {
        // It has served for a look's time.
        if let Some(good) = self.good.take()
            && let Err(error) = good.save(&self.file.state)
        {
            tracing::error!(%error, "the configuration is not kept as the last good one");
        }
        let paths = [self.path.as_path()]
            .into_iter()
            .chain(tls(&self.file))
            .chain(self.file.cookies.iter().map(|cookies| &*cookies.secrets_file));
        let changed = self.files.changed(paths) || force;
        if changed {
            self.reload();
        }
        let told = !changed && self.hearing_problem.is_some() && self.hear();
        let located = self.locate(force).await;
        self.apply(changed || located || told).await;
    }

    /// Brings databases of networks into force where they have changed; whether they have.
    pub(super) async fn locate(&mut self, force: bool) -> bool {
        let sources = self.file.geo.sources();
        let changed = self.geo.changed(self.file.geo.paths());
        if !changed && !force && sources == self.geo_in_force {
            return false;
        }
        self.geo_in_force.clone_from(&sources);
        let (running, serving) = (self.running.clone(), self.serving());
        let loaded = background::run(serving, move || {
            let table = GeoTable::load(&sources)?;
            anyhow::Ok(running.server.set_geo(table)?)
        });
        let result = loaded.await.context("reading it failed").flatten();
        self.geo_problem = result.err().map(|told| format!("geo: {told:#}"));
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
        self.entries = entries(&file, &self.base, &self.entries);
        self.file = file;
        self.good = Some(good);
        self.metrics.reloaded(true);
        self.speak();
    }

    /// Brings the settings of the protocol, and of samples, into force.
    pub(super) fn speak(&mut self) {
        let server = &self.running.server;
        let (protocol, problem) = protocol(&self.file, &server.protocol());
        server.set_protocol(protocol);
        let sampling = self
            .file
            .sampling
            .as_ref()
            .and_then(|entry| entry.sampling().ok());
        let sampled = server.set_sampling(sampling.as_ref());
        let refused = sampled.err().zip(sampling.as_ref());
        let refused =
            refused.map(|(error, sampling)| format!("sampling.file: {}: {error}", sampling.file.display()));
        self.protocol_problems = problem.into_iter().chain(refused).collect();
    }

    /// What is to be probed, and what is wrong with checks.
    pub(super) fn targets(&self) -> (Vec<Target>, Vec<String>) {
        let held = self.running.hearing.read().as_ref().map(Hearing::targets);
        let held = held.unwrap_or_default();
        if let Some(plane) = &self.running.plane {
            return (self.followed_targets(plane, &held), Vec::new());
        }
        let profile = self.file.observers.profile();
        targets::targets(self.entries.probed(), &profile, &held)
    }

    /// Brings targets, and what else of observers can change, into force. What cannot be observed at the start is answered as it was
    /// when the server ended.
    fn try_to_hear(&self) -> anyhow::Result<()> {
        let (targets, _) = self.targets();
        let observers = self.observers();
        let plane = self.running.plane.as_ref();
        let unknown = plane.is_some_and(|plane| !plane.known());
        let mut hearing = self.running.hearing.write();
        let result = match &*hearing {
            Some(hearing) => {
                // A certificate that cannot be used keeps no target from being taken.
                let adopted = hearing.adopt(&observers);
                hearing.set_targets(&targets).and(adopted)
            }
            None if unknown || targets.is_empty() && observers.listen.is_none() => Ok(()),
            None => Hearing::start(
                &self.running.server,
                NAME,
                &observers,
                &targets,
                &self.hearing_metrics,
                &self.running.timeline,
            )
            .map(|started| *hearing = started),
        };
        let unheard = if unknown {
            kubernetes::nothing_known(&self.running.server.clusters())
        } else if hearing.is_none() && result.is_err() {
            let quorum = Quorum::new(targets, self.file.observers.profile());
            quorum.view(self.running.clock.now())
        } else {
            FleetView::default()
        };
        self.running.unheard.store(Arc::new(unheard));
        result
    }

    /// The same, where a mistake is told, and tried again at every look. Whether something else is told than before.
    pub(super) fn hear(&mut self) -> bool {
        let told = self.try_to_hear().err();
        let told = told.map(|error| format!("observers: {error:#}; tried again every second"));
        self.metrics.observed(told.is_none());
        let differs = told != self.hearing_problem;
        if differs {
            match &told {
                Some(told) => tracing::error!(error = told, "observing: what was in force stays"),
                None => tracing::info!("observing as the configuration says"),
            }
        }
        self.hearing_problem = told;
        differs
    }

    /// Brings what is probed into force after what is answered: the gate of a cluster opens when nobody observes it any more, so a
    /// dead one is to be out of the names by then. One that names are still answered with is probed as it was.
    fn hear_after_plan(&mut self, changed: bool) {
        let departed = self.entries.departed.len();
        if departed > 0 {
            let answered = self.running.server.clusters();
            let departed = &mut self.entries.departed;
            departed.retain(|cluster| answered.contains(&cluster.name));
        }
        if changed || self.entries.departed.len() != departed {
            self.hear();
        }
    }

    /// Whether there is anything that is answered from.
    fn serving(&self) -> bool {
        self.running.server.serves()
    }

    /// Reads zones that have changed, and makes and applies a plan where anything is new.
    pub(super) async fn apply(&mut self, changed: bool) {
        if let Some(plane) = self.running.plane.clone() {
            return self.settle(&plane, changed);
        }
        let (mut zones, asked) = (mem::take(&mut self.zones), self.entries.zones.clone());
        let (running, serving) = (self.running.clone(), self.serving());
        let read = background::run(serving, move || {
            running.server.release();
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
        let warnings = match self.file.observers.probing() {
            Ok(Probing::Nobody) => Vec::new(),
            Ok(Probing::Builtin | Probing::Remote { .. }) | Err(_) => {
                unchecked(&planned.plan.names, &self.targets().0)
            }
        };
        let running = self.running.clone();
        let applied = background::run(serving, move || running.server.apply(planned.plan)).await;
        let rejected = match applied.context("building what is served") {
            Ok(Ok(applied)) => applied.rejected.iter().map(ToString::to_string).collect(),
            Ok(Err(refused)) => vec![refused.to_string()],
            Err(error) => vec![format!("{error:#}")],
        };
        self.hear_after_plan(changed);
        let mut problems = self.entries.problems.clone();
        problems.extend(self.entries.departed.iter().map(departed));
        problems.extend(self.targets().1);
        problems.extend(planned.problems);
        problems.extend(self.settings_problems());
        problems.extend(rejected);
        self.tell(all, problems, warnings);
    }

    /// What is wrong with settings beside zones, clusters and names.
    pub(super) fn settings_problems(&self) -> Vec<String> {
        let single = [&self.geo_problem, &self.hearing_problem];
        let single = single.into_iter().flatten();
        single.chain(&self.protocol_problems).cloned().collect()
    }

    /// Logs what is new of problems and warnings, and shows all in metrics and status.
    pub(super) fn tell(&mut self, all: Vec<ZoneRead>, problems: Vec<String>, warnings: Vec<String>) {
        for problem in problems
            .iter()
            .filter(|problem| !self.configuration.problems.contains(problem))
        {
            tracing::error!(problem, "a part of the configuration is not in force");
        }
        for warning in warnings
            .iter()
            .filter(|warning| !self.configuration.warnings.contains(warning))
        {
            tracing::warn!(warning, "in the configuration");
        }
        self.configuration.problems = problems;
        self.configuration.warnings = warnings;
        self.metrics
            .looked(&self.configuration, &all, &self.running.server.held());
        self.running.told.store(Arc::new(Told {
            configuration: self.configuration.clone(),
            entries: self.entries.clone(),
            zones: all,
            named: self.observers().names,
            min_fresh: self.file.observers.profile().min_fresh,
        }));
    }
}

fn departed(cluster: &ClusterEntry) -> String {
    format!(
        "cluster {}: has no entry any more, and names are still answered with it: it is probed as it was",
        cluster.name
    )
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
        kubernetes,
        zones,
        clusters,
        names,
        observers,
        overrides,
        geo,
        ecs,
        cookies,
        rate_limit,
        identity,
        tcp_keepalive_seconds,
        sampling,
    } = read;
    let before = &held.observers;
    let kept = [
        ("listen", listen != held.listen),
        ("admin", admin != held.admin),
        ("adminTokenFile", admin_token_file != held.admin_token_file),
        ("adminHosts", admin_hosts != held.admin_hosts),
        ("state", state != held.state),
        ("user", user != held.user),
        ("kubernetes", kubernetes != held.kubernetes),
        ("observers.builtin", observers.builtin != before.builtin),
        ("observers.listen", observers.listen != before.listen),
        ("observers.anchors", observers.anchors != before.anchors),
        ("observers.profile", observers.profile != before.profile),
        ("overrides", overrides != held.overrides),
        ("ecs", ecs != held.ecs),
    ];
    // Until the restart, the mode and what is served in it stay.
    let (zones, clusters, names) = if kubernetes.is_some() == held.kubernetes.is_some() {
        (zones, clusters, names)
    } else {
        (held.zones.clone(), held.clusters.clone(), held.names.clone())
    };
    let taken = DnsFile {
        zones,
        clusters,
        names,
        geo,
        cookies,
        rate_limit,
        identity,
        tcp_keepalive_seconds,
        sampling,
        observers: Observers {
            tls: observers.tls,
            names: observers.names,
            ..before.clone()
        },
        ..held.clone()
    };
    let kept = kept.into_iter().filter(|(_, differs)| *differs);
    (taken, kept.map(|(field, _)| field).collect())
}
