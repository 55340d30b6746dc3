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
    config::{DnsFile, ListenEntry, Probing},
    control,
    entries::{Entries, entries},
    hearing,
    keeper::Keeper,
    kubernetes::{self, ControlPlane},
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
    let probing = !matches!(file.observers.probing(), Ok(Probing::Nobody));
    let follows = file.kubernetes.is_some() && probing;
    let server = Server::start(ServerConfig {
        start_grace: if probed || follows { GRACE } else { Duration::ZERO },
        wait_for_plan: true,
        min_active_clusters: file.overrides.min_active,
        ecs: EcsFrom::from(&file.ecs),
        ..ServerConfig::new(NAME, file.listen.iter().map(listen), &file.state)
    })?;
    check_fleet(&file, &server)?;
    let mut registry = Registry::default();
    server.register(&mut registry);
    let metrics = ReloadMetrics::register(&mut registry);
    let hearing_metrics = hearing::Metrics {
        consumer: ConsumerMetrics::register(&mut registry),
        observer: ObserverMetrics::register(&mut registry),
    };
    let followed = file.kubernetes.clone();
    let plane = followed
        .as_ref()
        .map(|_| Arc::new(ControlPlane::of(&file.state, &mut registry)));
    let clock = MonoClock::new();
    let running = Arc::new(Running {
        server,
        clock,
        timeline: Timeline::new(clock),
        hearing: RwLock::new(None),
        unheard: ArcSwap::default(),
        idle: Mutex::new(None),
        told: ArcSwap::default(),
        plane: plane.clone(),
    });
    let admin = admin::listen(&file, running.clone(), registry).await?;
    if let Some(account) = &account {
        account.become_it(&file.state)?;
    }
    if let Some(entry) = &followed {
        kubernetes::may_start(entry, &running.server).await?;
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
    let following = plane.zip(followed).map(|(plane, entry)| {
        kubernetes::follow(running.clone(), plane, entry, held.file.observers.profile())
    });
    let state = held.file.state.clone();
    let overrides = Arc::new(Overrides::new(state.clone()));
    let ended = async {
        held.locate(false).await;
        held.apply(true).await;
        let mut control = None;
        loop {
            // Orders are of clusters and names that are served.
            if control.is_none() && (running.plane.is_none() || running.server.serves()) {
                overrides.restore(&running.server, today());
                running.tick();
                control = Some(control::listen(&state, running.clone(), overrides.clone())?);
            }
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
    if let Some(following) = following {
        // It holds the server while it hands over a plan.
        following.abort();
        let _ended = following.await;
    }
    drop((admin, held));
    end(running).await.and(ended)
}

/// # Errors
/// The state folder holds the plans of another mode.
fn check_fleet(file: &DnsFile, server: &Server) -> anyhow::Result<()> {
    let Some(held) = server.held().stamp.map(|stamp| stamp.fleet_uid) else {
        return Ok(());
    };
    let state = file.state.display();
    match (&file.kubernetes, held == FLEET) {
        (None, false) => anyhow::bail!(
            "state: {state} holds plans of the control plane {held}; a server of its own needs a folder of its own"
        ),
        (Some(_), true) => anyhow::bail!(
            "state: {state} holds what a server without `kubernetes` serves; one that is fed from a control plane needs a folder of its own"
        ),
        (None, true) | (Some(_), false) => Ok(()),
    }
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
