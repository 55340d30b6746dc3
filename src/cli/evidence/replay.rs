//! `lifeboat evidence replay`: a recording decided again, and what would have come of it.

mod findings;

use std::{
    fs::File,
    io::{BufReader, Read},
    path::Path as FilePath,
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use lifeboat_health::{
    Preset, Profile, check_overrides,
    recording::{Damaged, Preamble, Recording, Replayed},
};
use serde_json::{Value, json};

use crate::cli::{Format, Usage, output};
use findings::Findings;

/// What a recording is decided by.
struct Judging<'a> {
    /// As it was named; `None`: as recorded.
    name: Option<&'a str>,
    profile: Profile,
    /// How often the named profile itself would probe.
    own_interval_ms: u32,
    hold: Duration,
}

pub(super) fn replay(
    path: &FilePath,
    (profile, without_overrides): (Option<&str>, bool),
    hold: Duration,
    format: Format,
) -> anyhow::Result<ExitCode> {
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut recording = Recording::open(BufReader::new(file)).with_context(|| path.display().to_string())?;
    let judging = Judging::by(profile, &recording.preamble.profile, hold)?;
    let targets = &mut recording.preamble.targets;
    if without_overrides {
        targets.iter_mut().for_each(|target| target.detection = None);
    }
    check_overrides(targets, &judging.profile).context(
        "a recorded override does not go with the profile to judge by; --without-overrides leaves them out",
    )?;
    let (findings, replayed, result) = judging.decide(&mut recording);
    match format {
        Format::Json => output::json(&judging.as_json(&findings, replayed, &recording.preamble)),
        Format::Table => {
            for line in judging.lines(&findings, replayed, &recording.preamble) {
                output::line(line);
            }
        }
    }
    result.with_context(|| path.display().to_string())?;
    Ok(ExitCode::SUCCESS)
}

impl<'a> Judging<'a> {
    /// By the profile of this name, or as recorded. What belongs to the observer was fixed when the recording was made.
    fn by(name: Option<&'a str>, recorded: &Profile, hold: Duration) -> anyhow::Result<Self> {
        let wanted = name.map_or_else(|| Ok(recorded.clone()), named)?;
        let own_interval_ms = wanted.interval_ms;
        let profile = Profile {
            interval_ms: recorded.interval_ms,
            jitter_percent: recorded.jitter_percent,
            fresh_every: recorded.fresh_every,
            timeout_min_ms: recorded.timeout_min_ms,
            timeout_max_ms: recorded.timeout_max_ms,
            phase_timeout_ms: recorded.phase_timeout_ms,
            late_ms: recorded.late_ms,
            send_ms: recorded.send_ms,
            gray_window_ms: recorded.gray_window_ms,
            loop_lag_ms: recorded.loop_lag_ms,
            abstain_hold_ms: recorded.abstain_hold_ms,
            anchor_misses: recorded.anchor_misses,
            ..wanted
        };
        if let Err(error) = profile.validate() {
            let name = name.unwrap_or("as recorded");
            return Err(Usage(format!(
                "--profile {name} cannot judge what was probed as recorded: {error}"
            ))
            .into());
        }
        Ok(Self {
            name,
            profile,
            own_interval_ms,
            hold,
        })
    }

    fn decide<R: Read>(&self, recording: &mut Recording<R>) -> (Findings, Replayed, Result<(), Damaged>) {
        let mut findings = Findings::new(&recording.preamble.targets, self.hold);
        let (replayed, result) = recording.replay(self.profile.clone(), |now, transitions, quorum| {
            findings.poll(now, transitions, quorum);
        });
        if let Some(last) = replayed.last {
            findings.judge(last);
        }
        (findings, replayed, result)
    }

    /// What must be known to read the rest.
    fn remarks(&self, observers: usize) -> Vec<String> {
        let mut remarks = Vec::new();
        let (name, profile) = (self.name.unwrap_or("the recorded profile"), &self.profile);
        if profile.interval_ms != self.own_interval_ms {
            remarks.push(format!(
                "{name} counts misses in probes each {} ms; here it counts them in probes each {} ms, as recorded, so the times are \
                 not those that {name} would have taken",
                self.own_interval_ms, profile.interval_ms
            ));
        }
        let votes = u32::try_from(observers).unwrap_or(u32::MAX);
        if votes < profile.min_fresh {
            remarks.push(format!(
                "{name} decides with {} observers or more; the recording has {votes}, so nothing is decided",
                profile.min_fresh
            ));
        } else if self.name.is_some() {
            remarks.push(format!(
                "the votes are those of the recording's observers: {votes}, of whom {} decide",
                profile.q(votes)
            ));
        }
        remarks
    }

    fn lines(&self, findings: &Findings, replayed: Replayed, preamble: &Preamble) -> Vec<String> {
        let mut lines = self.remarks(findings.observers());
        for (since, told) in findings.told() {
            lines.push(format!("{:>10.3} s  {told}", since.as_secs_f64()));
        }
        lines.push(format!(
            "{} datagrams over {:.3} s, recorded from {}; {}",
            replayed.datagrams,
            length(replayed).as_secs_f64(),
            preamble.started,
            findings.counts()
        ));
        lines.extend(findings.answers(self.hold));
        lines
    }

    fn as_json(&self, findings: &Findings, replayed: Replayed, preamble: &Preamble) -> Value {
        let millis = |length: Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        let mut found = findings.to_json();
        let judged = json!({
            "recording": {
                "consumer": preamble.consumer,
                "started": preamble.started,
                "lengthMs": millis(length(replayed)),
                "datagrams": replayed.datagrams,
                "rejected": replayed.rejected,
                "observers": findings.observers(),
            },
            "profileName": self.name,
            "profile": self.profile,
            "ownIntervalMs": self.own_interval_ms,
            "holdMs": millis(self.hold),
            "remarks": self.remarks(findings.observers()),
        });
        if let (Some(found), Value::Object(judged)) = (found.as_object_mut(), judged) {
            found.extend(judged);
        }
        found
    }
}

fn length(replayed: Replayed) -> Duration {
    let first = replayed.first.unwrap_or_default();
    replayed.last.unwrap_or(first).saturating_since(first)
}

/// A preset, or a file with a profile.
fn named(name: &str) -> anyhow::Result<Profile> {
    match name.parse::<Preset>() {
        Ok(preset) => Ok(preset.profile()),
        Err(_) if FilePath::new(name).exists() => {
            let text = std::fs::read_to_string(name).with_context(|| format!("reading {name}"))?;
            serde_saphyr::from_str(&text).with_context(|| format!("--profile {name}"))
        }
        Err(_) => {
            let presets = Preset::ALL.map(Preset::name).join(", ");
            Err(Usage(format!("--profile {name}: allowed are {presets}, or a YAML file")).into())
        }
    }
}

#[cfg(test)]
mod tests;
