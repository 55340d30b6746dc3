//! The server as a process of its own, as its configuration file says, for as long as it runs.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use arc_swap::ArcSwap;
use lifeboat_dns::{EcsFrom, GeoSources, Listen, ProxyFrom, Server, ServerConfig};
use lifeboat_health::{ConsumerMetrics, MonoClock, ObserverMetrics};
use parking_lot::{Mutex, RwLock};
use prometheus_client::registry::Registry;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{
    admin,
    config::ListenEntry,
    control,
    entries::{Entries, entries},
    hearing,
    keeper::Keeper,
    metrics::ReloadMetrics,
    overrides::{Overrides, today},
    plan::FLEET,
    privileges::Account,
    running::{NAME, Running, end},
    start::{Start, folder, start},
    status::Configuration,
    zones::Zones,
};
use crate::{observe::files::Files, timeline::Timeline};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long answers wait for the first verdicts.
const GRACE: Duration = Duration::from_secs(2);

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
    let found = entries(&file, folder(&good.path), &Entries::default());
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
        unheard: ArcSwap::default(),
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
        protocol_problems: Vec::new(),
        zones: Zones::default(),
        entries: found,
        file,
        metrics,
        hearing_metrics,
        running: running.clone(),
    };
    held.speak();
    held.hear();
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

fn listen(entry: &ListenEntry) -> Listen {
    let ListenEntry {
        address,
        udp_threads,
        tcp,
        ref proxy,
    } = *entry;
    Listen {
        address,
        udp_threads,
        tcp,
        proxy: proxy.as_ref().map(|proxy| ProxyFrom(proxy.from.clone())),
    }
}
