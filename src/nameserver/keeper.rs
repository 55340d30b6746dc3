//! Keeps what is served what the files say: looks for changes, reads what has changed, and puts in force what can be.

use std::{
    mem,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use lifeboat_dns::{GeoSources, GeoTable};

use super::{
    config::{DnsFile, Observers},
    entries::{Entries, entries},
    hearing::{self, Hearing},
    last::Good,
    metrics::ReloadMetrics,
    plan::plan,
    running::{NAME, Running, Told},
    start::folder,
    status::Configuration,
    targets,
    zones::Zones,
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
    pub(super) async fn locate(&mut self, force: bool) -> bool {
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
    pub(super) fn hear(&mut self) -> anyhow::Result<()> {
        let (targets, _) = targets::targets(&self.entries.clusters, &self.file.observers.profile());
        let mut hearing = self.running.hearing.write();
        let result = match &*hearing {
            Some(hearing) => {
                // A certificate that cannot be used keeps no target from being taken.
                let adopted = hearing.adopt(&self.file.observers);
                hearing.set_targets(&targets).and(adopted)
            }
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
    pub(super) async fn apply(&mut self, changed: bool) {
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
