//! What happens while the demo runs: faults on time and a report, or a standing show until a signal.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use lifeboat_chaos::{
    drill::{
        self, Drill, DrillConfig, DrillError, DrillReport, EventLog, Limits, LiveStats, MemberEndpoint,
        Outcome, Prober, ProberConfig, Progress, Recorder, Users, UsersConfig,
    },
    fault::{Faults, ScheduledFault},
};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{Options, fleet::DemoFleet, output::Printer};
use crate::timeline::Timeline;

/// TTL of the samples' names, in seconds; `deploy/samples/` has it.
const TTL: Duration = Duration::from_secs(5);
/// Longest wait for every sample to be served and ready.
const PREFLIGHT: Duration = Duration::from_secs(60);
/// How often it is looked whether the names are served.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Synthetic users in all, and how often each makes a request.
const USERS: usize = 20;
const USER_INTERVAL: Duration = Duration::from_millis(500);
/// Steps of a drill that may wait to be printed.
const PROGRESS: usize = 64;

/// What was asked for on the command line.
pub struct Script {
    /// Until a signal where absent.
    pub duration: Option<Duration>,
    pub faults: Vec<ScheduledFault>,
    pub clear: Option<Duration>,
    pub report: Option<PathBuf>,
}

/// The parts a script touches.
pub(super) struct Stage<'a> {
    pub(super) options: &'a Options,
    pub(super) fleet: &'a DemoFleet,
    pub(super) timeline: &'a Timeline,
    pub(super) faults: &'a Faults,
    pub(super) live: &'a LiveStats,
    pub(super) printer: &'a Printer,
    pub(super) stop: &'a CancellationToken,
}

/// Runs to the end of the duration or to a signal.
pub(super) async fn run(stage: &Stage<'_>) -> anyhow::Result<ExitCode> {
    let telling = tell(stage.timeline, stage.printer);
    let playing = async {
        match stage.options.script.duration {
            Some(duration) => run_drill(stage, duration).await,
            None => show(stage).await,
        }
    };
    tokio::select! {
        result = playing => result,
        () = telling => Ok(ExitCode::SUCCESS),
    }
}

async fn run_drill(stage: &Stage<'_>, duration: Duration) -> anyhow::Result<ExitCode> {
    let Stage {
        options,
        fleet,
        timeline: _,
        faults,
        live,
        printer,
        stop,
    } = stage;
    let config = DrillConfig {
        seed: options.seed,
        duration,
        faults: options.script.faults.clone(),
        clear_at: options.script.clear,
        dns: options.dns.clone(),
        names: fleet.names(),
        vip_port: options.vip_port,
        members: fleet
            .members()
            .members()
            .iter()
            .map(|member| MemberEndpoint {
                name: member.name().to_owned(),
                api: member.api_addr(),
                vips: vec![member.vip_addr().ip()],
            })
            .collect(),
        control_plane: fleet.api(),
        console: options.console_from_here(),
        token: options.token.clone(),
        workloads: fleet.workloads(),
        users: USERS,
        user_interval: USER_INTERVAL,
        preflight: PREFLIGHT,
        limits: limits(options),
    };
    let (progress, mut steps) = mpsc::channel(PROGRESS);
    let printing = async {
        while let Some(step) = steps.recv().await {
            match step {
                Progress::Waiting(what) => printer.line(&format!("waiting: {what}")),
                Progress::Started => printer.line("users are served, the clock of the drill runs"),
                Progress::Fault(_) | Progress::Finished => {}
            }
        }
    };
    let running = async {
        let result = Drill::run(&config, faults, live, Some(&progress), stop).await;
        drop(progress);
        result
    };
    let (result, ()) = tokio::join!(running, printing);
    match result {
        Ok(report) => conclude(stage, &report),
        Err(DrillError::Stopped) => {
            printer.line("stopped before the drill began");
            Ok(ExitCode::FAILURE)
        }
        Err(error) => {
            let error = anyhow::Error::new(error).context("the drill did not begin");
            write(options, &aborted(options, &format!("{error:#}")))?;
            Err(error)
        }
    }
}

fn limits(options: &Options) -> Limits {
    Limits::new(TTL, options.hold, options.pod_start)
}

/// Writes a report that says `aborted`, which stands until there is a better one: whatever ends the demo early, and a
/// file that cannot be written is found before the measuring.
pub(super) fn promise(options: &Options) -> anyhow::Result<()> {
    write(options, &aborted(options, "ended before the drill began"))
}

/// The report of a drill that measured nothing.
fn aborted(options: &Options, reason: &str) -> DrillReport {
    drill::report(&EventLog::default(), &limits(options), options.seed, Some(reason))
}

/// Writes the report, where one was asked for.
fn write(options: &Options, report: &DrillReport) -> anyhow::Result<()> {
    let Some(path) = &options.script.report else {
        return Ok(());
    };
    let text = serde_json::to_string_pretty(report).context("writing the report as JSON")?;
    std::fs::write(path, text + "\n").with_context(|| format!("--report {}", path.display()))
}

fn conclude(stage: &Stage<'_>, report: &DrillReport) -> anyhow::Result<ExitCode> {
    write(stage.options, report)?;
    if let Some(path) = &stage.options.script.report {
        stage.printer.line(&format!("report          {}", path.display()));
    }
    stage.printer.report(report);
    Ok(match report.outcome {
        Outcome::Passed => ExitCode::SUCCESS,
        Outcome::Failed | Outcome::Aborted => ExitCode::FAILURE,
    })
}

/// Users and prober run, faults come from the command line, the console or another terminal.
async fn show(stage: &Stage<'_>) -> anyhow::Result<ExitCode> {
    let Stage {
        options,
        fleet,
        timeline: _,
        faults,
        live,
        printer,
        stop,
    } = stage;
    let names = fleet.names();
    let mut running = None;
    if !names.is_empty() {
        let probes = ProberConfig {
            servers: options.dns.clone(),
            names: names.clone(),
        };
        // It never begins, so it keeps nothing but which names were answered where.
        let answered = Recorder::new(
            EventLog {
                servers: options.dns.iter().map(ToString::to_string).collect(),
                names: names.clone(),
                ..EventLog::default()
            },
            [],
        );
        let prober =
            Prober::spawn(&probes, (*live).clone(), Some(answered.clone())).context("starting the prober")?;
        if !served(&answered, printer, stop).await {
            prober.stop();
            return Ok(ExitCode::SUCCESS);
        }
        let users = UsersConfig {
            dns: options.dns.clone(),
            names,
            port: options.vip_port,
            users: USERS,
            interval: USER_INTERVAL,
            seed: options.seed,
        };
        running = Some((
            prober,
            Users::spawn(&users, live, None).context("starting the users")?,
        ));
        printer.line("users and prober run");
    }
    tokio::select! {
        () = stop.cancelled() => {}
        result = on_schedule(&options.script, faults) => result?,
    }
    if let Some((prober, users)) = running {
        users.stop().await;
        prober.stop();
    }
    Ok(ExitCode::SUCCESS)
}

/// Waits until each name has been given an address by each server, so that users meet a service that is there; for so
/// long as a drill would. False when told to stop.
async fn served(answered: &Recorder, printer: &Printer, stop: &CancellationToken) -> bool {
    let all = async {
        while !answered.unanswered().is_empty() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => return false,
        within = tokio::time::timeout(PREFLIGHT, all) => if within.is_err() {
            printer.line(&format!("still no address of {}; users start all the same", answered.unanswered().join(", ")));
        },
    }
    true
}

/// Injects and clears in time, then waits for ever.
#[expect(clippy::disallowed_methods, reason = "a script runs by the clock")]
async fn on_schedule(script: &Script, faults: &Faults) -> anyhow::Result<()> {
    let start = Instant::now();
    let mut steps: Vec<(Duration, Option<&ScheduledFault>)> = script
        .faults
        .iter()
        .map(|fault| (fault.at, Some(fault)))
        .chain(script.clear.map(|at| (at, None)))
        .collect();
    steps.sort_by_key(|(at, _)| *at);
    for (at, step) in steps {
        tokio::time::sleep_until(start + at).await;
        match step {
            Some(fault) => {
                faults
                    .inject(&fault.spec)
                    .with_context(|| format!("--fault {}", fault.spec))?;
            }
            None => {
                faults.clear_all();
            }
        }
    }
    std::future::pending().await
}

/// Prints the timeline as it grows.
async fn tell(timeline: &Timeline, printer: &Printer) {
    let (past, mut live) = timeline.since(0);
    for entry in past {
        printer.entry(&entry);
    }
    loop {
        // A lagged receiver goes on with the newer entries.
        if let Ok(entry) = live.recv().await {
            printer.entry(&entry);
        }
    }
}
