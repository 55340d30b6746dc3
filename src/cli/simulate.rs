//! `lifeboat simulate`: the real cores in virtual time, many seeds or one.

use std::io::{IsTerminal, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use lifeboat_health::Preset;
use serde_json::json;

use super::{Format, Usage, output};
use crate::simulate::detection::{
    Exam, FalseAlarms, MOST_SECONDS, Report, Scenario, Settings, Swarm, examine, loss_seconds, timed,
};

#[derive(Args)]
pub(super) struct Simulate {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Failure detection: observers, evidence, quorums and gates under random faults, against the truth.
    Detection(Box<Detection>),
}

#[derive(Args)]
#[command(
    after_help = "Ends with 1 if an invariant was broken; the seed replays it and its faults are shrunk to those that suffice."
)]
struct Detection {
    /// How many seeds to run; 1 replays the first and prints its trace. 100, or 1 where --seed is given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    seeds: Option<u64>,
    /// The first seed.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// The detection profile, instead of the one each seed draws.
    #[arg(long, value_parser = preset())]
    profile: Option<Preset>,
    /// Virtual seconds of lost probes for each seed, from which false alarms are counted; 0 leaves them out. As many as a comparison
    /// with the closed formula takes by default, which is made from a thousand seeds on.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=MOST_SECONDS))]
    loss_seconds: Option<u64>,
    /// Run this scenario instead of seeds, and print its timeline.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seeds", "seed", "profile"])]
    scenario: Option<PathBuf>,
    /// Seeds that run at once; as many as there are cores by default.
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

fn preset() -> impl TypedValueParser<Value = Preset> {
    PossibleValuesParser::new(Preset::ALL.map(Preset::name)).try_map(|name| name.parse())
}

impl Simulate {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let What::Detection(detection) = self.what;
        detection.run()
    }
}

impl Detection {
    fn run(self) -> anyhow::Result<ExitCode> {
        let Self {
            seeds,
            seed,
            profile,
            loss_seconds: wanted_loss_seconds,
            scenario,
            threads,
            output,
        } = self;
        if let Some(path) = scenario {
            return timeline(&path, output);
        }
        let seeds = seeds.unwrap_or_else(|| if seed.is_some() { 1 } else { 100 });
        let first_seed = seed.unwrap_or(0);
        if seeds == 1 {
            return Ok(replay(&examine(first_seed, profile, true), output));
        }
        let settings = Settings {
            first_seed,
            seeds,
            preset: profile,
            loss_seconds: wanted_loss_seconds
                .unwrap_or_else(|| loss_seconds(profile.unwrap_or_default(), seeds)),
            threads,
        };
        let swarm = Swarm::run(settings, progress(seeds));
        let report = Report::of(&swarm);
        match output {
            Format::Json => output::json(&json!(report)),
            Format::Table => print(&report),
        }
        Ok(code(report.holds()))
    }
}

fn code(holds: bool) -> ExitCode {
    if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    }
}

/// Says how far it is, on a terminal alone.
fn progress(seeds: u64) -> impl Fn(u64) + Sync {
    let shown = std::io::stderr().is_terminal();
    let each = (seeds / 200).max(1);
    move |done| {
        if shown && (done.is_multiple_of(each) || done == seeds) {
            let end = if done == seeds { "\r\x1b[K" } else { "" };
            let _closed = write!(std::io::stderr().lock(), "\r{done} of {seeds} seeds{end}");
        }
    }
}

fn timeline(path: &PathBuf, format: Format) -> anyhow::Result<ExitCode> {
    let yaml = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let scenario =
        Scenario::parse(&yaml).map_err(|error| Usage(format!("--scenario {}: {error}", path.display())))?;
    let outcome = scenario.run();
    let finding = outcome.finding.as_ref();
    match format {
        Format::Json => output::json(&json!({
            "title": scenario.title, "fault": scenario.fault, "timeline": outcome.lines, "finding": finding,
            "traceHash": format!("{:016x}", outcome.hash),
        })),
        Format::Table => {
            output::line(format!("fault {}: {}", scenario.fault, scenario.title));
            outcome.lines.iter().for_each(output::line);
            output::line(format!("trace hash: {:016x}", outcome.hash));
            output::line(match finding {
                Some(finding) => format!("{} broken: {}", finding.invariant, finding.detail),
                None => "no invariant broken".to_owned(),
            });
        }
    }
    Ok(code(outcome.finding.is_none()))
}

fn replay(exam: &Exam, format: Format) -> ExitCode {
    let outcome = &exam.outcome;
    let shrunk: Vec<String> = exam.shrunk.iter().flatten().map(timed).collect();
    match format {
        Format::Json => output::json(&json!({
            "seed": exam.seed,
            "faults": exam.faults.iter().map(timed).collect::<Vec<_>>(),
            "timeline": outcome.lines,
            "finding": outcome.finding,
            "shrunk": shrunk,
            "events": outcome.events,
            "probeOutcomes": outcome.probes,
            "traceHash": format!("{:016x}", outcome.hash),
        })),
        Format::Table => {
            output::line(format!("seed {}: {}", exam.seed, exam.fleet.describe()));
            outcome.lines.iter().for_each(output::line);
            output::line(format!("trace hash: {:016x}", outcome.hash));
            if let Some(finding) = &outcome.finding {
                output::line(format!(
                    "{} broken at {:.3} s: {}",
                    finding.invariant,
                    finding.at_us as f64 / 1e6,
                    finding.detail
                ));
                output::line("these faults suffice:");
                shrunk.iter().for_each(|fault| output::line(format!("  {fault}")));
            }
            output::line(format!(
                "seed {}: {} faults, {} events, {:.1} s of virtual time, {}",
                exam.seed,
                exam.faults.len(),
                outcome.events,
                outcome.ended_us as f64 / 1e6,
                if outcome.finding.is_some() {
                    "FAILED"
                } else {
                    "no invariant broken"
                }
            ));
        }
    }
    code(outcome.finding.is_none())
}

/// Of losses; of all that were tried where it is none.
fn share(percent: Option<f64>) -> String {
    percent.map_or_else(|| "any".to_owned(), |percent| format!("{percent:.0} %"))
}

fn print(report: &Report) {
    output::line("time from a power-off to Down, in the liveness phase:");
    let ms = |value: f64| format!("{value:.0}");
    let rows: Vec<Vec<String>> = report
        .detection
        .iter()
        .map(|d| {
            vec![
                d.profile.to_owned(),
                d.count.to_string(),
                ms(d.mean_ms),
                ms(d.formula_mean_ms),
                ms(d.p50_ms),
                ms(d.p99_ms),
                ms(d.worst_ms),
                ms(d.formula_worst_ms),
            ]
        })
        .collect();
    output::table(
        &[
            "PROFILE", "DOWNS", "MEAN MS", "FORMULA", "P50", "P99", "WORST", "LIMIT",
        ],
        &rows,
    );
    print_false_alarms(report);
    output::line("");
    let reached: Vec<String> = report
        .sometimes
        .all()
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    output::line(format!("reached: {}", reached.join(", ")));
    if !report.never_reached.is_empty() {
        output::line(format!("never reached: {}", report.never_reached.join(", ")));
    }
    for failure in &report.failures {
        output::line("");
        output::line(format!(
            "seed {}: {} broken at {:.3} s: {}",
            failure.seed, failure.invariant, failure.at_seconds, failure.detail
        ));
        output::line(format!(
            "  {} of its {} faults suffice; --seed {} replays it:",
            failure.shrunk.len(),
            failure.faults,
            failure.seed
        ));
        failure
            .shrunk
            .iter()
            .for_each(|fault| output::line(format!("  {fault}")));
    }
    output::line(format!("trace hash: {}", report.trace_hash));
    output::line(format!(
        "{} seeds, {} failed: {} faults, {:.0} virtual seconds, {:.1} million probe outcomes in {:.1} s",
        report.seeds,
        report.failed_seeds,
        report.faults,
        report.virtual_seconds,
        report.probe_outcomes as f64 / 1e6,
        report.wall_seconds
    ));
}

/// Downs that losses alone made beside the formula, and what a comparison comes to.
fn print_false_alarms(report: &Report) {
    output::line("");
    if report.false_alarms.is_empty() {
        output::line(
            "Downs that losses alone make were left out: no comparison with the formula, no extrapolation",
        );
        return;
    }
    output::line("Downs that losses alone made, and how many the formula says:");
    let rows: Vec<Vec<String>> = report.false_alarms.iter().map(cells).collect();
    output::table(
        &[
            "LOSS",
            "BURST",
            "MISSES",
            "SENT EACH",
            "VOTES",
            "TARGET DAYS",
            "DOWNS",
            "FORMULA",
            "RATIO",
        ],
        &rows,
    );
    for row in report.false_alarms.iter().filter(|row| row.whole) {
        output::line(format!("{}: {}", named(row), row.altered));
    }
    if let Some(e) = &report.extrapolation {
        output::line(format!(
            "at {} % loss in bursts of {}, {} of {} votes: a false Down of one target in {:.0} years by the formula, {:.0} by its worst ratio of {:.2}",
            e.loss_percent, e.burst, e.votes, e.observers, e.formula_years, e.years, e.worst_ratio
        ));
    }
    let must = report.must_compare();
    for row in report.too_few() {
        output::line(format!(
            "{}: {} to compare with the formula, {:.1} Downs were expected and {} are needed: {}",
            named(row),
            if must { "FAILED, too few" } else { "too few" },
            row.expected,
            Report::NEEDED,
            if must {
                "--loss-seconds gives each seed more of them"
            } else {
                "a thousand seeds or more have them"
            }
        ));
    }
    for row in report.far_off() {
        output::line(format!(
            "{}: FAILED, far from the formula: {} Downs, {:.1} expected; allowed is half to twice as many",
            named(row),
            row.downs,
            row.expected
        ));
    }
}

fn cells(row: &FalseAlarms) -> Vec<String> {
    vec![
        share(row.loss_percent),
        row.burst.to_string(),
        row.misses.to_string(),
        format!("{} ms", row.send_ms),
        format!("{} of {}", row.votes, row.observers),
        format!("{:.2}", row.target_days),
        row.downs.to_string(),
        format!("{:.1}", row.expected),
        row.ratio
            .map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
    ]
}

/// Which row is meant.
fn named(row: &FalseAlarms) -> String {
    let FalseAlarms {
        loss_percent,
        burst,
        misses,
        send_ms,
        observers,
        votes,
        ..
    } = row;
    format!(
        "{} loss, bursts of {burst}, {misses} misses, sent each {send_ms} ms, {votes} of {observers} votes",
        share(*loss_percent)
    )
}
