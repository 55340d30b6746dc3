//! `lifeboat evidence replay`: a recording decided again, and what would have come of it.

mod findings;
mod fit;
mod said;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufReader, Read},
    path::Path as FilePath,
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use lifeboat_health::{
    Datagram, Preset, Profile, Quorum, Target, Transition, check_overrides,
    recording::{Damaged, Preamble, Recording, Replayed},
};
use serde_json::{Value, json};

use crate::cli::{Format, Usage, output};
use findings::Findings;
use said::Said;

/// What a recording is decided by.
struct Judging<'a> {
    /// As it was named; `None`: as recorded.
    name: Option<&'a str>,
    /// Every cluster by the one profile.
    without_overrides: bool,
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
    let judging = Judging::by(profile, without_overrides, &mut recording.preamble, hold)?;
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
    /// By the profile of this name, or as recorded; the targets' overrides are fitted to it. What belongs to the observers was fixed
    /// when the recording was made.
    fn by(
        name: Option<&'a str>,
        without_overrides: bool,
        preamble: &mut Preamble,
        hold: Duration,
    ) -> anyhow::Result<Self> {
        let recorded = &preamble.profile;
        let wanted = name.map_or_else(|| Ok(recorded.clone()), named)?;
        let profile = fit::fleet(&wanted, recorded);
        profile.validate_judging().map_err(|error| {
            Usage(match name {
                Some(name) => format!("--profile {name} cannot judge what was probed as recorded: {error}"),
                None => format!(
                    "the recorded profile is refused: {error}; --profile P judges by another: {}, or a YAML file",
                    presets()
                ),
            })
        })?;
        for target in &mut preamble.targets {
            if let Some(its) = target.detection.take() {
                let own = if without_overrides {
                    fit::left_out(&its, &wanted, &profile)
                } else {
                    Some(fit::kept(&its, &wanted))
                };
                target.detection = own.map(Box::new);
            }
        }
        check_overrides(&preamble.targets, &profile).map_err(|error| {
            Usage(if without_overrides {
                format!("the profile to judge by cannot judge what was probed as recorded: {error}")
            } else {
                format!("a recorded override does not go with the profile to judge by: {error}; --without-overrides judges all by the one profile")
            })
        })?;
        Ok(Self {
            name,
            without_overrides,
            own_interval_ms: wanted.interval_ms,
            profile,
            hold,
        })
    }

    fn decide<R: Read>(&self, recording: &mut Recording<R>) -> (Findings, Replayed, Result<(), Damaged>) {
        let mut findings = Findings::new(&recording.preamble.targets, self.hold);
        let told = |now, transitions: &[Transition], quorum: &Quorum| findings.poll(now, transitions, quorum);
        let (replayed, result) = if self.as_recorded() {
            recording.replay(self.profile.clone(), told)
        } else {
            let mut said = Said::new(&recording.preamble.targets, &self.profile);
            let fit = |datagram: &mut Datagram| said.fit(datagram);
            let replayed = recording.replay_fitted(self.profile.clone(), fit, told);
            findings.otherwise = said.remarks();
            replayed
        };
        if let Some(last) = replayed.last {
            findings.judge(last);
        }
        (findings, replayed, result)
    }

    /// By the profile of the consumer, which counted or refused each observer by how that probed.
    fn as_recorded(&self) -> bool {
        self.name.is_none() && !self.without_overrides
    }

    /// What must be known to read the rest.
    fn remarks(&self, findings: &Findings, targets: &[Target]) -> Vec<String> {
        let mut remarks = Vec::new();
        let observers = findings.observers();
        let (name, profile) = (self.name.unwrap_or("the recorded profile"), &self.profile);
        if profile.interval_ms != self.own_interval_ms {
            remarks.push(format!(
                "{name} probes each {} ms and the recording each {} ms: it is judged by as many of these probes as last as long, {} misses \
                 in a row for dead",
                self.own_interval_ms, profile.interval_ms, profile.dead_misses
            ));
        }
        if !self.as_recorded() {
            remarks.extend(self.probed_otherwise(targets));
        }
        remarks.extend(findings.otherwise.iter().cloned());
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

    /// Which targets were probed at a pace of their own, and what that makes of the profile's misses.
    fn probed_otherwise(&self, targets: &[Target]) -> Vec<String> {
        let mut otherwise: BTreeMap<(u32, u32), usize> = BTreeMap::new();
        for target in targets {
            if let Ok(Some(own)) = target.own_profile(&self.profile)
                && own.interval_ms != self.profile.interval_ms
            {
                *otherwise.entry((own.interval_ms, own.dead_misses)).or_default() += 1;
            }
        }
        let told = |((interval_ms, misses), count): ((u32, u32), usize)| {
            format!(
                "{count} of {} targets were probed each {interval_ms} ms by an override: {misses} misses in a row for dead",
                targets.len()
            )
        };
        otherwise.into_iter().map(told).collect()
    }

    fn lines(&self, findings: &Findings, replayed: Replayed, preamble: &Preamble) -> Vec<String> {
        let mut lines = self.remarks(findings, &preamble.targets);
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
            "withoutOverrides": self.without_overrides,
            "profile": self.profile,
            "ownIntervalMs": self.own_interval_ms,
            "holdMs": millis(self.hold),
            "remarks": self.remarks(findings, &preamble.targets),
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
            let presets = presets();
            Err(Usage(format!("--profile {name}: allowed are {presets}, or a YAML file")).into())
        }
    }
}

fn presets() -> String {
    Preset::ALL.map(Preset::name).join(", ")
}

#[cfg(test)]
mod tests;
