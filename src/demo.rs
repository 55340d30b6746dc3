//! The whole of Lifeboat in one process, over real loopback sockets, with five simulated clusters.
//!
//! ```text
//! fleet.rs      five members, the control plane's API server, clusters and samples in it
//! plane.rs      observers, DNS servers with their verdict loops, the controller and its switch
//! feeder.rs     a DNS server's watch on the steering plan
//! panorama.rs   everything put together for the console
//! script.rs     faults on time, the report
//! ```
//! Nothing here decides anything: it starts the parts that a real installation runs as processes of their
//! own, each on its own thread where it must not be stalled by the others.
mod feeder;
mod fleet;
mod forget;
mod inquiries;
mod output;
mod panorama;
mod plane;
mod script;
mod tap;

use std::{
    fs::{File, TryLockError},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Weak},
    time::Duration,
};

use anyhow::{Context, bail};
use lifeboat_chaos::{drill::LiveStats, fault::Faults};
use prometheus_client::registry::Registry;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

pub use self::script::Script;
use self::{fleet::DemoFleet, output::Printer, panorama::Console, plane::Plane, script::Stage};
use crate::observe::{self, Roster, targets::Targets};

/// Longest wait for an orderly end; after it the process ends all the same.
const STOP_TIMEOUT: Duration = Duration::from_secs(8);
/// How often it is looked whether DNS servers still answer with clusters whose objects are gone.
const SETTLE: Duration = Duration::from_millis(500);
/// Locked while a demo runs on a state folder.
const LOCK: &str = "demo.lock";

pub struct Options {
    pub headless: bool,
    pub script: Script,
    pub seed: u64,
    pub hold: Duration,
    pub pod_start: Duration,
    pub state: Option<PathBuf>,
    pub dns: Vec<SocketAddr>,
    pub console: SocketAddr,
    /// Further names by which the console is reached.
    pub hosts: Vec<String>,
    pub api: SocketAddr,
    pub member_api_port: u16,
    pub vip_port: u16,
    pub token: Option<String>,
    pub samples: bool,
}

impl Options {
    /// Where this machine reaches the console: loopback, for a wildcard listener.
    fn console_from_here(&self) -> SocketAddr {
        let Self { console, .. } = self;
        let ip = match console.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
        };
        SocketAddr::new(ip, console.port())
    }
}

/// Runs the demo to its end.
///
/// # Errors
/// A part does not start: a port in use, a folder that cannot be written.
pub fn run(options: Options) -> anyhow::Result<ExitCode> {
    script::promise(&options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("demo")
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let result = runtime.block_on(with_state(options));
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// Provides the state folder; a temporary one goes away with the demo.
async fn with_state(options: Options) -> anyhow::Result<ExitCode> {
    let stop = stop_on_signal()?;
    match options.state.clone() {
        Some(folder) => {
            if folder.exists() && !folder.is_dir() {
                bail!("--state {}: is not a folder", folder.display());
            }
            std::fs::create_dir_all(&folder).with_context(|| format!("--state {}", folder.display()))?;
            let folder = folder
                .canonicalize()
                .with_context(|| format!("--state {}", folder.display()))?;
            let _locked = lock(&folder)?;
            start_and_run(&options, &folder, &stop).await
        }
        None => {
            let folder = tempfile::Builder::new()
                .prefix("lifeboat-demo-")
                .tempdir()
                .context("making a temporary state folder")?;
            start_and_run(&options, folder.path(), &stop).await
        }
    }
}

/// Takes a state folder for this process alone, until the file is dropped: two demos would write each other's
/// kubeconfigs.
fn lock(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join(LOCK);
    let file = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .with_context(|| format!("--state: opening {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => anyhow::bail!(
            "--state {}: another demo runs on this folder; stop it or name another folder",
            folder.display()
        ),
        Err(TryLockError::Error(error)) => {
            Err(anyhow::Error::new(error).context(format!("--state: locking {}", path.display())))
        }
    }
}

/// Cancelled by SIGINT or SIGTERM; a second signal ends the process at once.
fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if token.is_cancelled() {
                std::process::exit(130);
            }
            token.cancel();
        }
    });
    Ok(stop)
}

async fn start_and_run(
    options: &Options,
    folder: &Path,
    stop: &CancellationToken,
) -> anyhow::Result<ExitCode> {
    let printer = Printer::new(options.headless);
    let mut metrics = Registry::default();
    let fleet = DemoFleet::start(options, folder).await?;
    printer.kubeconfigs(&fleet);
    fleet.join().await?;
    let plane = Arc::new(Plane::start(options, folder, &fleet, &mut metrics).await?);
    let probed = AbortOnDropHandle::new(tokio::spawn(follow_clusters(
        fleet.kube()?,
        Arc::downgrade(&plane),
    )));
    let counted = AbortOnDropHandle::new(tokio::spawn(follow_observers(
        fleet.kube()?,
        Arc::downgrade(&plane),
    )));
    let faults = Faults::new(fleet.members().fault_targets(), Some(plane.controller_switch()));
    let live = LiveStats::new(&options.dns);
    let console = Console::start(options, &fleet, &plane, &faults, &live, metrics).await?;
    fleet.deploy_samples().await?;
    printer.where_to_look(options, &fleet);
    let stage = Stage {
        options,
        fleet: &fleet,
        timeline: &plane.timeline,
        faults: &faults,
        live: &live,
        printer: &printer,
        stop,
    };
    let result = script::run(&stage).await;
    let stopped = tokio::time::timeout(STOP_TIMEOUT, async {
        // They hold the plane while it hands over targets.
        for following in [probed, counted] {
            following.abort();
            let _ended = following.await;
        }
        faults.clear_all();
        console.stop().await;
        plane.stop().await;
        fleet.stop().await;
    });
    if stopped.await.is_err() {
        tracing::warn!("some part did not stop in time");
    }
    result
}

/// Hands the targets of the registered clusters to everybody who probes or decides.
async fn follow_clusters(kube: kube::Config, plane: Weak<Plane>) {
    let adopt = |found: &Targets| {
        if let Some(plane) = plane.upgrade() {
            plane.adopt(&found.targets);
        }
    };
    let profile = plane::profile();
    // A plan may have come that answers with other clusters.
    let settle = async {
        loop {
            tokio::time::sleep(SETTLE).await;
            if let Some(plane) = plane.upgrade() {
                plane.settle();
            }
        }
    };
    tokio::select! {
        followed = observe::follow(kube, &profile, Targets::default(), adopt) => if let Err(error) = followed {
            tracing::error!(error = %error, "no client for the control plane: nothing is probed");
        },
        () = settle => {}
    }
}

/// Where there are Observer objects, only the evidence of those observers counts.
async fn follow_observers(kube: kube::Config, plane: Weak<Plane>) {
    let count = |roster: &Roster| {
        if let Some(plane) = plane.upgrade() {
            plane.count(observe::listed(roster));
        }
    };
    if let Err(error) = observe::follow_observers(kube, count).await {
        tracing::error!(error = %error, "no client for the control plane: Observer objects are not followed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_folder_is_held_by_one_demo() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock(folder.path()).unwrap();
        let refused = lock(folder.path()).unwrap_err().to_string();
        assert!(
            refused.contains("--state") && refused.contains(&folder.path().display().to_string()),
            "{refused}"
        );
        drop(held);
        lock(folder.path()).unwrap();
    }
}
