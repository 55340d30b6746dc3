//! One drill from preflight to report.

use std::{net::SocketAddr, time::Duration};

use http::StatusCode;
use tokio::{
    sync::{broadcast::error::RecvError, mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    bindings,
    client::HttpError,
    config::DrillConfig,
    live::LiveStats,
    log::{ClusterMask, EventLog},
    prober::{Prober, ProberConfig, ProberError},
    recorder::Recorder,
    report::{DrillReport, report},
    users::{Users, UsersConfig, UsersError},
    verdicts, workloads,
};
use crate::fault::{FaultError, FaultEvent, FaultEventKind, Faults};

/// How often the preflight looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The drill engine.
pub struct Drill;

/// How a drill proceeds; sent as it happens, dropped when nobody keeps up.
#[derive(Clone, Debug)]
pub enum Progress {
    /// Waiting for what is named.
    Waiting(String),
    /// Everything was ready; the clock of the drill runs.
    Started,
    /// A fault was injected, cleared or expired.
    Fault(FaultEvent),
    /// The drill is over.
    Finished,
}

/// Why a drill did not run; nothing was injected.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// What it was to do makes no sense.
    #[error("{0}")]
    Config(String),
    /// A scheduled fault cannot be injected.
    #[error("fault `{fault}`")]
    Fault {
        /// As scheduled.
        fault: String,
        /// Why not.
        source: FaultError,
    },
    /// The prober did not start.
    #[error(transparent)]
    Prober(#[from] ProberError),
    /// The users did not start.
    #[error(transparent)]
    Users(#[from] UsersError),
    /// The console refuses its stream of verdicts.
    #[error("the event stream of the console at {console}: {reason}")]
    Console {
        /// Where it was asked for.
        console: SocketAddr,
        /// What it answered.
        reason: String,
    },
    /// The preflight saw no healthy start.
    #[error("not ready within {within:?}: {missing}")]
    NotReady {
        /// How long was waited.
        within: Duration,
        /// What was missing at the end.
        missing: String,
    },
    /// Stopped before it began.
    #[error("stopped before the drill began")]
    Stopped,
}

impl Drill {
    /// Waits until everything is well, injects the faults on schedule, clears them, and reports what was measured.
    ///
    /// The clock starts when every DNS server has given an address for every name and every workload has all its
    /// replicas ready. When `stop` fires, all faults are cleared and the report says `aborted`.
    ///
    /// # Errors
    /// When it could not begin. Once begun it always reports.
    pub async fn run(
        config: &DrillConfig,
        faults: &Faults,
        live: &LiveStats,
        progress: Option<&mpsc::Sender<Progress>>,
        stop: &CancellationToken,
    ) -> Result<DrillReport, DrillError> {
        let tell = |step: Progress| {
            if let Some(progress) = progress
                && progress.try_send(step).is_err()
            {
                tracing::debug!("a step of the drill was not shown");
            }
        };
        check(config, faults)?;
        let stream = verdicts::Stream::open(config.console, config.token.clone()).await;
        let stream = stream.map_err(|error| DrillError::Console {
            console: config.console,
            reason: if matches!(error, HttpError::Status(StatusCode::UNAUTHORIZED)) {
                "it refuses the drill's token".to_owned()
            } else {
                error.to_string()
            },
        })?;
        let recorder = recorder(config);
        let probes = ProberConfig {
            servers: config.dns.clone(),
            names: config.names.clone(),
        };
        let prober = Prober::spawn(&probes, live.clone(), Some(recorder.clone()))?;
        let users = Users::spawn(&users(config), live, Some(&recorder))?;
        let (latest, mut ready) = watch::channel(Vec::new());
        let apis: Vec<SocketAddr> = config.members.iter().map(|member| member.api).collect();
        let clusters = config.members.iter().map(|member| member.name.clone()).collect();
        let mut watches = JoinSet::new();
        watches.spawn(workloads::watch(
            apis,
            config.workloads.clone(),
            recorder.clone(),
            latest,
        ));
        watches.spawn(bindings::watch(config.control_plane, clusters, recorder.clone()));
        watches.spawn(stream.watch(recorder.clone()));

        tokio::select! {
            result = preflight(config, &recorder, &mut ready, &tell) => result?,
            () = stop.cancelled() => return Err(DrillError::Stopped),
        }
        let mut events = faults.subscribe();
        let started = recorder.begin();
        tell(Progress::Started);
        let note = |event: FaultEvent| {
            match event.what {
                FaultEventKind::Injected => recorder.injected(&event.fault),
                FaultEventKind::Cleared | FaultEventKind::Expired => recorder.ended(&event.fault, event.at),
            }
            tell(Progress::Fault(event));
        };
        let schedule = schedule(config, faults, started);
        let listen = async {
            loop {
                match events.recv().await {
                    Ok(event) => note(event),
                    Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "fault events missed"),
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        let aborted = tokio::select! {
            failed = schedule => failed,
            () = listen => None,
            () = stop.cancelled() => Some("stopped before its end".to_owned()),
        };
        // The events of the last moments, those of the schedule included.
        while let Ok(event) = events.try_recv() {
            note(event);
        }
        watches.shutdown().await;
        users.stop().await;
        prober.stop();
        let log = recorder.finish();
        // After the log is closed: the end of a fault at the end of the drill is no part of what was measured.
        faults.clear_all();
        tell(Progress::Finished);
        Ok(report(&log, &config.limits, config.seed, aborted.as_deref()))
    }
}

fn check(config: &DrillConfig, faults: &Faults) -> Result<(), DrillError> {
    let bad = |message: String| Err(DrillError::Config(message));
    if config.names.is_empty() || config.dns.is_empty() {
        return bad("a drill needs at least one DNS server and one name".to_owned());
    }
    if config.users == 0 || config.user_interval.is_zero() {
        return bad("a drill needs at least one synthetic user and an interval above 0".to_owned());
    }
    if config.members.len() > ClusterMask::CLUSTERS_MAX {
        let (given, most) = (config.members.len(), ClusterMask::CLUSTERS_MAX);
        return bad(format!("{given} clusters, allowed: at most {most}"));
    }
    let known = faults.clusters();
    for fault in &config.faults {
        let wrap = |source: FaultError| DrillError::Fault {
            fault: fault.spec.to_string(),
            source,
        };
        fault.spec.check().map_err(|error| wrap(error.into()))?;
        if let Some(cluster) = fault
            .spec
            .clusters
            .iter()
            .find(|cluster| !known.contains(cluster))
        {
            return Err(wrap(FaultError::UnknownCluster {
                cluster: cluster.clone(),
                known,
            }));
        }
        if fault.at >= config.duration {
            let (at, duration) = (fault.at, config.duration);
            return bad(format!(
                "fault `{}` at {at:?} is not before the end of the drill at {duration:?}",
                fault.spec
            ));
        }
    }
    match config.clear_at {
        Some(at) if at > config.duration => bad(format!(
            "the clearing at {at:?} is after the end of the drill at {:?}",
            config.duration
        )),
        _ => Ok(()),
    }
}

fn recorder(config: &DrillConfig) -> Recorder {
    let log = EventLog {
        clusters: config.members.iter().map(|member| member.name.clone()).collect(),
        servers: config.dns.iter().map(SocketAddr::to_string).collect(),
        names: config.names.clone(),
        workloads: config
            .workloads
            .iter()
            .map(|one| (format!("{}/{}", one.namespace, one.name), 0))
            .collect(),
        ..EventLog::default()
    };
    let members = config.members.iter().enumerate();
    Recorder::new(
        log,
        members.flat_map(|(index, member)| member.vips.iter().map(move |vip| (*vip, index))),
    )
}

fn users(config: &DrillConfig) -> UsersConfig {
    UsersConfig {
        dns: config.dns.clone(),
        names: config.names.clone(),
        port: config.vip_port,
        users: config.users,
        interval: config.user_interval,
        seed: config.seed,
    }
}

/// Waits for an answer to every probe and for every replica.
async fn preflight(
    config: &DrillConfig,
    recorder: &Recorder,
    ready: &mut watch::Receiver<Vec<u32>>,
    tell: &impl Fn(Progress),
) -> Result<(), DrillError> {
    let give_up = Instant::now() + config.preflight;
    let mut told = String::new();
    loop {
        let count = ready.borrow_and_update().clone();
        let missing = missing(config, recorder, &count).await;
        let Some(missing) = missing else { return Ok(()) };
        if Instant::now() >= give_up {
            return Err(DrillError::NotReady {
                within: config.preflight,
                missing,
            });
        }
        if missing != told {
            told.clone_from(&missing);
            tell(Progress::Waiting(missing));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// What is not ready yet.
async fn missing(config: &DrillConfig, recorder: &Recorder, ready: &[u32]) -> Option<String> {
    let desired = match bindings::desired(config.control_plane, &config.workloads).await {
        Ok(Some(desired)) => desired,
        Ok(None) => return Some("a workload is not placed".to_owned()),
        Err(error) => return Some(format!("the control plane at {}: {error}", config.control_plane)),
    };
    recorder.set_desired(&desired);
    let short = config
        .workloads
        .iter()
        .zip(&desired)
        .enumerate()
        .find_map(|(index, (workload, desired))| {
            let ready = ready.get(index).copied().unwrap_or(0);
            (ready < *desired).then(|| format!("{} has {ready} of {desired} replicas ready", workload.name))
        });
    short.or_else(|| {
        let unanswered = recorder.unanswered();
        (!unanswered.is_empty()).then(|| format!("no address of {}", unanswered.join(", ")))
    })
}

/// Injects and clears in time; answers why it had to stop early, if so.
async fn schedule(config: &DrillConfig, faults: &Faults, started: Instant) -> Option<String> {
    let mut steps: Vec<_> = config.faults.iter().collect();
    steps.sort_by_key(|fault| fault.at);
    let mut clear_at = config.clear_at;
    for fault in steps {
        if let Some(at) = clear_at.filter(|at| *at <= fault.at) {
            sleep_until(started + at).await;
            faults.clear_all();
            clear_at = None;
        }
        sleep_until(started + fault.at).await;
        if let Err(error) = faults.inject(&fault.spec) {
            return Some(format!("fault `{}` was not injected: {error}", fault.spec));
        }
    }
    if let Some(at) = clear_at {
        sleep_until(started + at).await;
        faults.clear_all();
    }
    sleep_until(started + config.duration).await;
    None
}
