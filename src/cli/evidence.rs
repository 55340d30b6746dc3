//! `lifeboat evidence`: record what observers report, and decide it again under another profile.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use clap::{Args, Subcommand};
use http_body_util::BodyExt;
use lifeboat_health::{
    MonoTime, Preset, Profile, Transition, Verdict, check_overrides,
    recording::{Recording, Replayed},
};
use serde_json::json;

use super::{Format, ServerArgs, Usage, output, values::duration};

#[derive(Args)]
pub(super) struct Evidence {
    #[command(flatten)]
    server: ServerArgs,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Write what observers report to the server, from now on, to a file.
    Record {
        /// The recording; it must not exist yet.
        file: PathBuf,
        /// How long, e.g. `10m`; until interrupted without it.
        #[arg(long = "for", value_name = "DURATION", value_parser = duration, allow_hyphen_values = true)]
        for_: Option<Duration>,
    },
    /// Decide a recording again: would we have failed over?
    Replay {
        /// The recording.
        file: PathBuf,
        /// `fast`, `wan`, `single`, `karmada`, or a YAML file with a profile; as recorded without it. How often was
        /// probed, and when an observer abstained, stays as recorded.
        #[arg(long, value_name = "PROFILE")]
        profile: Option<String>,
        /// Judge every cluster by the one profile. Without it clusters keep the overrides that were recorded.
        #[arg(long)]
        without_overrides: bool,
        /// How long both paths must be Down before replicas would have moved.
        #[arg(long, default_value = "30s", value_name = "DURATION", value_parser = duration, allow_hyphen_values = true)]
        hold: Duration,
    },
}

impl Evidence {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let Self { server, action } = self;
        match action {
            Action::Record { file, for_ } => record(&server, &file, for_).await,
            Action::Replay {
                file,
                profile,
                without_overrides,
                hold,
            } => {
                let judging = (profile.as_deref(), without_overrides);
                replay(&file, judging, hold, server.output)
            }
        }
    }
}

async fn record(server: &ServerArgs, path: &Path, length: Option<Duration>) -> anyhow::Result<ExitCode> {
    let mut body = server.client()?.stream("/api/evidence").await?;
    let file = File::create_new(path).with_context(|| format!("creating {}", path.display()))?;
    let mut file = BufWriter::new(file);
    let mut bytes: u64 = 0;
    let mut end = std::pin::pin!(async {
        match length {
            Some(length) => tokio::time::sleep(length).await,
            None => std::future::pending().await,
        }
    });
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        let frame = tokio::select! {
            () = &mut end => break,
            _ = &mut interrupted => break,
            frame = body.frame() => frame,
        };
        let Some(frame) = frame else {
            output::error("the server ended the stream");
            break;
        };
        if let Ok(data) = frame.context("the stream broke off")?.into_data() {
            file.write_all(&data)
                .with_context(|| format!("writing {}", path.display()))?;
            bytes += data.len() as u64;
        }
    }
    file.flush()
        .with_context(|| format!("writing {}", path.display()))?;
    output::line(format!("{}: {bytes} bytes", path.display()));
    Ok(ExitCode::SUCCESS)
}

/// What a replay found out.
#[derive(Default)]
struct Findings {
    transitions: Vec<Transition>,
    /// Since when a (cluster, path) is Down.
    down: BTreeMap<(String, String), MonoTime>,
    /// When a cluster would have been evacuated.
    failovers: Vec<(String, MonoTime)>,
}

impl Findings {
    fn take(&mut self, transition: &Transition, hold: Duration) {
        self.pass(transition.at, hold);
        let key = (transition.cluster.clone(), transition.path.to_string());
        if transition.to == Verdict::Down {
            self.down.entry(key).or_insert(transition.at);
        } else {
            self.down.remove(&key);
        }
        self.transitions.push(transition.clone());
    }

    /// Notes the clusters whose hold is over by `now`.
    fn pass(&mut self, now: MonoTime, hold: Duration) {
        for ((cluster, path), since) in &self.down {
            if path != "traffic" || self.failovers.iter().any(|(failed, _)| failed == cluster) {
                continue;
            }
            let Some(control) = self.down.get(&(cluster.clone(), "control".to_owned())) else {
                continue;
            };
            let over = (*since).max(*control) + hold;
            if over <= now {
                self.failovers.push((cluster.clone(), over));
            }
        }
    }
}

fn replay(
    path: &Path,
    (profile, without_overrides): (Option<&str>, bool),
    hold: Duration,
    format: Format,
) -> anyhow::Result<ExitCode> {
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut recording = Recording::open(BufReader::new(file)).with_context(|| path.display().to_string())?;
    let profile = match profile {
        None => recording.preamble.profile.clone(),
        Some(name) => judged_by(name, &recording.preamble.profile)?,
    };
    let targets = &mut recording.preamble.targets;
    if without_overrides {
        targets.iter_mut().for_each(|target| target.detection = None);
    }
    check_overrides(targets, &profile).context(
        "a recorded override does not go with the profile to judge by; --without-overrides leaves them out",
    )?;
    let mut findings = Findings::default();
    let result = recording.replay(profile, |transition| findings.take(transition, hold));
    let replayed = result.with_context(|| path.display().to_string())?;
    if let Some(last) = replayed.last {
        findings.pass(last, hold);
    }
    match format {
        Format::Json => output::json(&as_json(&findings, replayed)),
        Format::Table => print(&findings, replayed, &recording.preamble.started, hold),
    }
    Ok(ExitCode::SUCCESS)
}

/// A profile to judge by. What belongs to the observer was fixed when the recording was made.
fn judged_by(name: &str, recorded: &Profile) -> anyhow::Result<Profile> {
    let wanted = match name.parse::<Preset>() {
        Ok(preset) => preset.profile(),
        Err(_) if Path::new(name).exists() => {
            let text = std::fs::read_to_string(name).with_context(|| format!("reading {name}"))?;
            serde_saphyr::from_str(&text).with_context(|| format!("--profile {name}"))?
        }
        Err(_) => {
            let presets = Preset::ALL.map(Preset::name).join(", ");
            return Err(Usage(format!("--profile {name}: allowed are {presets}, or a YAML file")).into());
        }
    };
    Ok(Profile {
        interval_ms: recorded.interval_ms,
        jitter_percent: recorded.jitter_percent,
        fresh_every: recorded.fresh_every,
        timeout_min_ms: recorded.timeout_min_ms,
        timeout_max_ms: recorded.timeout_max_ms,
        phase_timeout_ms: recorded.phase_timeout_ms,
        send_ms: recorded.send_ms,
        loop_lag_ms: recorded.loop_lag_ms,
        abstain_hold_ms: recorded.abstain_hold_ms,
        anchor_misses: recorded.anchor_misses,
        ..wanted
    })
}

fn as_json(findings: &Findings, replayed: Replayed) -> serde_json::Value {
    let failovers: Vec<_> = findings
        .failovers
        .iter()
        .map(|(cluster, at)| json!({ "cluster": cluster, "at": at }))
        .collect();
    json!({ "replayed": replayed, "transitions": findings.transitions, "failovers": failovers })
}

fn print(findings: &Findings, replayed: Replayed, started: &str, hold: Duration) {
    let first = replayed.first.unwrap_or_default();
    let since = |at: MonoTime| format!("{:.3} s", at.saturating_since(first).as_secs_f64());
    for transition in &findings.transitions {
        let Transition {
            cluster,
            path,
            family,
            from,
            to,
            at,
            reason,
            ..
        } = transition;
        output::line(format!(
            "{:>12}  {cluster} {path} {family}: {from} to {to}: {reason}",
            since(*at)
        ));
    }
    let length = replayed.last.map_or_else(|| since(first), since);
    output::line(format!(
        "{} datagrams over {length}, recorded from {started}; {} transitions",
        replayed.datagrams,
        findings.transitions.len()
    ));
    let hold = hold.as_secs_f64();
    if findings.failovers.is_empty() {
        output::line(format!("nothing would have failed over with a hold of {hold} s"));
    }
    for (cluster, at) in &findings.failovers {
        output::line(format!(
            "{cluster} would have failed over after {}, with a hold of {hold} s",
            since(*at)
        ));
    }
}
