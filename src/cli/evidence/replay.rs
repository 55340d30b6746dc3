//! `lifeboat evidence replay`: a recording decided again, and what would have come of it.

use std::{
    collections::BTreeMap, fs::File, io::BufReader, path::Path as FilePath, process::ExitCode, time::Duration,
};

use anyhow::Context;
use lifeboat_health::{
    Family, FleetView, Gray, GrayState, MonoTime, PartialOutage, Path, Preset, Profile, Quorum, Transition,
    Verdict, check_overrides,
    recording::{Recording, Replayed},
};
use serde::Serialize;
use serde_json::json;

use crate::cli::{Format, Usage, output};

/// What a replay found out.
#[derive(Default)]
struct Findings {
    transitions: Vec<Transition>,
    /// Degrees of gray failure, as they changed.
    gray: Vec<GrayFound>,
    /// Partial outages as they began, changed and ended.
    partial: Vec<PartialFound>,
    /// The revision of the quorum that was last looked at.
    looked_at: u64,
    cells: BTreeMap<Key, (Gray, Option<PartialOutage>)>,
    /// Since when a (cluster, path) is Down.
    down: BTreeMap<(String, String), MonoTime>,
    /// When a cluster would have been evacuated.
    failovers: Vec<(String, MonoTime)>,
}

type Key = (String, Path, Family);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GrayFound {
    at: MonoTime,
    cluster: String,
    path: Path,
    family: Family,
    #[serde(flatten)]
    gray: GrayState,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PartialFound {
    at: MonoTime,
    cluster: String,
    path: Path,
    family: Family,
    /// `null` where it has ended.
    outage: Option<PartialOutage>,
}

impl Findings {
    fn poll(&mut self, now: MonoTime, transitions: &[Transition], quorum: &Quorum, hold: Duration) {
        for transition in transitions {
            self.take(transition, hold);
        }
        if quorum.revision() != self.looked_at {
            self.looked_at = quorum.revision();
            self.look(now, &quorum.view(now));
        }
    }

    fn look(&mut self, now: MonoTime, view: &FleetView) {
        for (key, cell) in &view.cells {
            let known = self.cells.entry(key.clone()).or_default();
            let (cluster, path, family) = key.clone();
            if known.0 != cell.gray.degree {
                known.0 = cell.gray.degree;
                self.gray.push(GrayFound {
                    at: now,
                    cluster: cluster.clone(),
                    path,
                    family,
                    gray: cell.gray.clone(),
                });
            }
            if known.1 != cell.partial {
                known.1.clone_from(&cell.partial);
                self.partial.push(PartialFound {
                    at: now,
                    cluster,
                    path,
                    family,
                    outage: cell.partial.clone(),
                });
            }
        }
    }

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

    /// All of it in order of time, a line each.
    fn told(&self) -> Vec<(MonoTime, String)> {
        let transitions = self.transitions.iter().map(|transition| {
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
            (
                *at,
                format!("{cluster} {path} {family}: {from} to {to}: {reason}"),
            )
        });
        let gray = self.gray.iter().map(|found| {
            let GrayFound {
                at,
                cluster,
                path,
                family,
                gray,
            } = found;
            let told = match gray.degree {
                Gray::None => "gray no more".to_owned(),
                Gray::Mild | Gray::Severe | Gray::Failing => format!(
                    "gray: {} % of its weight: {}",
                    f64::from(gray.factor_permille) / 10.0,
                    gray.reason
                ),
            };
            (*at, format!("{cluster} {path} {family}: {told}"))
        });
        let partial = self.partial.iter().map(|found| {
            let PartialFound {
                at,
                cluster,
                path,
                family,
                outage,
            } = found;
            let told = outage.as_ref().map_or_else(
                || "no partial outage any more".to_owned(),
                |outage| format!("partial outage: {outage}"),
            );
            (*at, format!("{cluster} {path} {family}: {told}"))
        });
        let mut told: Vec<(MonoTime, String)> = transitions.chain(gray).chain(partial).collect();
        told.sort_by_key(|(at, _)| *at);
        told
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

pub(super) fn replay(
    path: &FilePath,
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
    let (replayed, result) = recording.replay(profile, |now, transitions, quorum| {
        findings.poll(now, transitions, quorum, hold);
    });
    if let Some(last) = replayed.last {
        findings.pass(last, hold);
    }
    match format {
        Format::Json => output::json(&as_json(&findings, replayed)),
        Format::Table => print(&findings, replayed, &recording.preamble.started, hold),
    }
    result.with_context(|| path.display().to_string())?;
    Ok(ExitCode::SUCCESS)
}

/// A profile to judge by. What belongs to the observer was fixed when the recording was made.
fn judged_by(name: &str, recorded: &Profile) -> anyhow::Result<Profile> {
    let wanted = match name.parse::<Preset>() {
        Ok(preset) => preset.profile(),
        Err(_) if FilePath::new(name).exists() => {
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
    json!({
        "replayed": replayed,
        "transitions": findings.transitions,
        "gray": findings.gray,
        "partialOutages": findings.partial,
        "failovers": failovers,
    })
}

fn print(findings: &Findings, replayed: Replayed, started: &str, hold: Duration) {
    let first = replayed.first.unwrap_or_default();
    let since = |at: MonoTime| format!("{:.3} s", at.saturating_since(first).as_secs_f64());
    for (at, told) in findings.told() {
        output::line(format!("{:>12}  {told}", since(at)));
    }
    let length = replayed.last.map_or_else(|| since(first), since);
    output::line(format!(
        "{} datagrams over {length}, recorded from {started}; {} transitions, {} changes of gray failure, {} of partial outages",
        replayed.datagrams,
        findings.transitions.len(),
        findings.gray.len(),
        findings.partial.len()
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
