//! Sums over many runs, beside the closed formulas.

use std::collections::BTreeMap;
use std::time::Duration;

use lifeboat_health::{Preset, false_alarms_per_second};
use serde::Serialize;

use super::chamber::Stay;
use super::exam::Exam;
use super::false_alarms::{FalseAlarms, Losses, MANY};
use super::formula;
use super::outcome::{Finding, Sometimes};
use super::setting::Setting;
use super::swarm::{MOST_SHOWN, Swarm};

const YEAR_S: f64 = 365.25 * 86_400.0;
/// Observers of the fleet for which a rate is extrapolated.
const MANY_OBSERVERS: u32 = 5;
/// So many seeds must have met everything that is met sometimes, and enough false Downs to compare with the formula.
pub(super) const ENOUGH_SEEDS: u64 = 1_000;

/// Counts over seeds; adding is commutative, so that threads do not matter.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    pub seeds: u64,
    pub failed: u64,
    pub events: u64,
    pub probes: u64,
    pub virtual_us: u64,
    pub faults: u64,
    pub sometimes: Sometimes,
    /// By preset: what a Down took, and what the formula's mean is for that many observers, in microseconds.
    detections: BTreeMap<&'static str, Vec<(u64, u64)>>,
    losses: Losses,
    /// What losses alone broke, by seed; the first of them.
    broken_by_losses: BTreeMap<u64, Finding>,
}

/// The whole result, as it is printed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub first_seed: u64,
    pub seeds: u64,
    pub failed_seeds: u64,
    pub faults: u64,
    pub events: u64,
    pub probe_outcomes: u64,
    pub virtual_seconds: f64,
    pub wall_seconds: f64,
    pub detection: Vec<Detection>,
    pub false_alarms: Vec<FalseAlarms>,
    pub extrapolation: Option<Extrapolation>,
    pub sometimes: Sometimes,
    /// Points that this many seeds must have reached and have not; fewer than a thousand need not.
    pub never_reached: Vec<&'static str>,
    pub failures: Vec<Failure>,
    pub trace_hash: String,
}

/// How long a power-off took to be Down.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Detection {
    pub profile: &'static str,
    pub count: usize,
    pub mean_ms: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub worst_ms: f64,
    pub formula_mean_ms: f64,
    pub formula_worst_ms: f64,
}

/// The mean time between false Downs of one target at 0.1 % loss.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Extrapolation {
    pub loss_percent: f64,
    /// Mean length of a burst, in probes.
    pub burst: u64,
    pub observers: u32,
    pub votes: u32,
    pub formula_years: f64,
    /// The worst ratio that was seen.
    pub worst_ratio: f64,
    pub years: f64,
    /// A run with less fails: a thousand times the profile's `mistakeRecurrenceH`, which is a thousand years with `fast` and `wan`.
    pub least_years: f64,
}

/// A seed that broke an invariant.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    pub seed: u64,
    pub invariant: &'static str,
    pub detail: String,
    pub at_seconds: f64,
    pub faults: usize,
    pub shrunk: Vec<String>,
}

impl Totals {
    pub(super) fn add(&mut self, exam: &Exam, stay: Option<&Stay>) {
        let outcome = &exam.outcome;
        self.seeds += 1;
        self.failed +=
            u64::from(outcome.finding.is_some() || stay.is_some_and(|stay| stay.finding.is_some()));
        self.events += outcome.events;
        self.probes += outcome.probes;
        self.virtual_us += outcome.ended_us;
        self.faults += exam.faults.len() as u64;
        self.sometimes.add(&outcome.sometimes);
        let observers = u32::try_from(exam.fleet.observers).unwrap_or(u32::MAX);
        let formula = micros(formula::mean_down(&exam.fleet.profile, observers));
        self.detections
            .entry(exam.fleet.preset.name())
            .or_default()
            .extend(outcome.detections_us.iter().map(|took| (*took, formula)));
        if let Some(stay) = stay {
            if let Some(finding) = &stay.finding {
                self.broken_by_losses.insert(exam.seed, finding.clone());
                if self.broken_by_losses.len() > MOST_SHOWN {
                    self.broken_by_losses.pop_last();
                }
            }
            self.probes += stay.probes;
            self.losses.add(stay);
        }
    }

    pub(super) fn settle(&mut self) {
        for detections in self.detections.values_mut() {
            detections.sort_unstable();
        }
    }

    fn never_reached(&self) -> Vec<&'static str> {
        let all = self.sometimes.all().into_iter();
        all.filter(|(_, count)| self.seeds >= ENOUGH_SEEDS && *count == 0)
            .map(|(name, _)| name)
            .collect()
    }

    fn detection(&self) -> Vec<Detection> {
        let ms = |us: u64| us as f64 / 1_000.0;
        self.detections
            .iter()
            .filter(|(_, all)| !all.is_empty())
            .filter_map(|(name, all)| Some((name.parse::<Preset>().ok()?, all)))
            .map(|(preset, all)| {
                let mean =
                    |of: fn(&(u64, u64)) -> u64| ms(all.iter().map(of).sum::<u64>()) / all.len() as f64;
                let at = |share: usize| {
                    all.get((all.len() - 1) * share / 100)
                        .map_or(0.0, |(took, _)| ms(*took))
                };
                Detection {
                    profile: preset.name(),
                    count: all.len(),
                    mean_ms: mean(|(took, _)| *took),
                    p50_ms: at(50),
                    p99_ms: at(99),
                    worst_ms: at(100),
                    formula_mean_ms: mean(|(_, formula)| *formula),
                    formula_worst_ms: ms(micros(formula::worst_down(&preset.profile()))),
                }
            })
            .collect()
    }
}

impl Report {
    /// So many Downs must be expected to compare with the formula.
    pub const NEEDED: f64 = MANY;

    /// Nothing was broken, everything was reached, and false Downs came as often as the formula says.
    pub fn holds(&self) -> bool {
        let enough = !self.must_compare() || self.too_few().next().is_none() && self.extrapolation.is_some();
        let extrapolation = self.extrapolation.as_ref();
        self.failed_seeds == 0
            && self.never_reached.is_empty()
            && self.far_off().next().is_none()
            && enough
            && extrapolation.is_none_or(|found| found.years >= found.least_years)
    }

    /// So many seeds are no run if nothing can be said of false Downs, unless losses were left out.
    pub fn must_compare(&self) -> bool {
        self.seeds >= ENOUGH_SEEDS && !self.false_alarms.is_empty()
    }

    /// What is to be compared with the formula and cannot be, since too few Downs were expected of it.
    pub fn too_few(&self) -> impl Iterator<Item = &FalseAlarms> {
        self.false_alarms.iter().filter(|row| row.is_too_few())
    }

    /// Downs that were more than twice or less than half as many as the formula says, where enough were expected to tell.
    pub fn far_off(&self) -> impl Iterator<Item = &FalseAlarms> {
        self.false_alarms.iter().filter(|row| row.is_far_off())
    }

    pub fn of(swarm: &Swarm) -> Report {
        let totals = &swarm.totals;
        let preset = swarm.settings.preset.unwrap_or_default();
        let profile = preset.profile();
        let false_alarms = totals.losses.beside_the_formula(preset);
        let worst_ratio = false_alarms.iter().filter_map(|row| row.ratio).reduce(f64::max);
        let extrapolation = worst_ratio.map(|worst_ratio| {
            let votes = profile.q(MANY_OBSERVERS);
            let rate = false_alarms_per_second(
                &profile,
                Setting::AsItIs.bursts(1),
                profile.dead_misses,
                MANY_OBSERVERS,
                votes,
            );
            let formula_years = 1.0 / rate / YEAR_S;
            Extrapolation {
                loss_percent: 0.1,
                burst: Setting::AsItIs.burst(),
                observers: MANY_OBSERVERS,
                votes,
                formula_years,
                worst_ratio,
                years: formula_years / worst_ratio.max(1.0),
                least_years: 1_000.0 * f64::from(profile.mistake_recurrence_h) / 8_766.0,
            }
        });
        let failures = swarm.failed.iter().filter_map(|exam| {
            let finding = exam.outcome.finding.as_ref()?;
            Some(Failure {
                seed: exam.seed,
                invariant: finding.invariant,
                detail: finding.detail.clone(),
                at_seconds: finding.at_us as f64 / 1e6,
                faults: exam.faults.len(),
                shrunk: exam.shrunk.iter().flatten().map(super::fault::timed).collect(),
            })
        });
        let by_losses = totals.broken_by_losses.iter().map(|(seed, finding)| Failure {
            seed: *seed,
            invariant: finding.invariant,
            detail: format!("by losses alone: {}", finding.detail),
            at_seconds: finding.at_us as f64 / 1e6,
            faults: 0,
            shrunk: Vec::new(),
        });
        Report {
            first_seed: swarm.settings.first_seed,
            seeds: totals.seeds,
            failed_seeds: totals.failed,
            faults: totals.faults,
            events: totals.events,
            probe_outcomes: totals.probes,
            virtual_seconds: totals.virtual_us as f64 / 1e6,
            wall_seconds: swarm.took.as_secs_f64(),
            detection: totals.detection(),
            false_alarms,
            extrapolation,
            sometimes: totals.sometimes,
            failures: failures.chain(by_losses).collect(),
            // A profile may be without flap penalties, or without a brake of its own.
            never_reached: if swarm.settings.preset.is_none() {
                totals.never_reached()
            } else {
                Vec::new()
            },
            trace_hash: format!("{:016x}", swarm.trace_hash),
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
