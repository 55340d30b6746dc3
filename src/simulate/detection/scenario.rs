//! Scenarios: a fleet and its faults in a text file. The trace of one is a timeline that people can review.

use std::time::Duration;

use lifeboat_chaos::simulate::{Phases, Timed, Trace};
use lifeboat_health::{Family, Preset};
use serde::Deserialize;

use super::fault::Fault;
use super::fleet::{Clock, Fleet, apart};
use super::outcome::Outcome;
use super::world::{Plan, simulate};

/// One scenario file.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// Its number in the list of faults.
    pub fault: u32,
    pub title: String,
    /// What must come of it, for people.
    pub expected: String,
    #[serde(default)]
    pub fleet: FleetSettings,
    #[serde(default)]
    pub seed: u64,
    /// How long it runs.
    pub seconds: u64,
    pub faults: Vec<Step>,
}

/// What differs from five observers and one consumer.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct FleetSettings {
    pub profile: Preset,
    pub observers: usize,
    pub consumers: usize,
    pub clusters: usize,
    pub families: Vec<Family>,
    pub rtt_ms: u64,
    /// By observer; the rest are right.
    pub clocks: Vec<ClockSettings>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClockSettings {
    #[serde(default)]
    pub offset_seconds: i64,
    #[serde(default = "true_rate")]
    pub rate_permille: u64,
}

/// A fault and when it is in force.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    pub at_ms: u64,
    /// To the end where it is left out.
    #[serde(default)]
    pub for_ms: Option<u64>,
    pub fault: Fault,
}

/// A file that is no scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    #[error("scenario: {0}")]
    Syntax(String),
    #[error("scenario field {field} is {given}: allowed is {allowed}")]
    Range {
        field: &'static str,
        given: u64,
        allowed: &'static str,
    },
    #[error("scenario fault {fault}: {field} names {given}: allowed are 0 to {last}")]
    Unknown {
        fault: String,
        field: &'static str,
        given: usize,
        last: usize,
    },
}

impl Default for FleetSettings {
    fn default() -> FleetSettings {
        FleetSettings {
            profile: Preset::Fast,
            observers: 5,
            consumers: 1,
            clusters: 3,
            families: vec![Family::V4],
            rtt_ms: 4,
            clocks: Vec::new(),
        }
    }
}

fn true_rate() -> u64 {
    1_000
}

impl Scenario {
    /// # Errors
    /// The field at fault and what is allowed.
    pub fn parse(yaml: &str) -> Result<Scenario, ScenarioError> {
        let scenario: Scenario =
            serde_saphyr::from_str(yaml).map_err(|error| ScenarioError::Syntax(error.to_string()))?;
        scenario.check()?;
        Ok(scenario)
    }

    fn check(&self) -> Result<(), ScenarioError> {
        let range = |field, given: u64, holds: bool, allowed| {
            if holds {
                Ok(())
            } else {
                Err(ScenarioError::Range {
                    field,
                    given,
                    allowed,
                })
            }
        };
        let FleetSettings {
            observers,
            consumers,
            clusters,
            families,
            rtt_ms,
            clocks,
            profile: _,
        } = &self.fleet;
        range(
            "fleet.observers",
            *observers as u64,
            (1..=15).contains(observers),
            "1 to 15",
        )?;
        range(
            "fleet.consumers",
            *consumers as u64,
            (1..=8).contains(consumers),
            "1 to 8",
        )?;
        range(
            "fleet.clusters",
            *clusters as u64,
            (1..=12).contains(clusters),
            "1 to 12",
        )?;
        range(
            "fleet.families",
            families.len() as u64,
            (1..=2).contains(&families.len()),
            "1 or 2 of them",
        )?;
        range("fleet.rttMs", *rtt_ms, *rtt_ms <= 10_000, "0 to 10000")?;
        range(
            "fleet.clocks",
            clocks.len() as u64,
            clocks.len() <= *observers,
            "at most one an observer",
        )?;
        for clock in clocks {
            let offset = clock.offset_seconds.unsigned_abs();
            range("offsetSeconds", offset, offset <= 3_600, "-3600 to 3600")?;
            let rate = clock.rate_permille;
            range("ratePermille", rate, (500..=2_000).contains(&rate), "500 to 2000")?;
        }
        for step in &self.faults {
            let [of_observers, of_clusters, of_consumers] = step.fault.whom();
            for (field, named, count) in [
                ("observers", of_observers, *observers),
                ("clusters", of_clusters, *clusters),
                ("consumers", of_consumers, *consumers),
            ] {
                if let Some(unknown) = named.iter().find(|index| **index >= count) {
                    let fault = step.fault.to_string();
                    return Err(ScenarioError::Unknown {
                        fault,
                        field,
                        given: *unknown,
                        last: count - 1,
                    });
                }
            }
        }
        range(
            "seconds",
            self.seconds,
            (1..=3_600).contains(&self.seconds),
            "1 to 3600",
        )
    }

    /// Run it; the outcome's lines are the timeline.
    pub fn run(&self) -> Outcome {
        let fleet = self.fleet();
        let end_us = self.seconds * 1_000_000;
        let faults: Vec<Timed<Fault>> = self
            .faults
            .iter()
            .map(|step| Timed {
                from_us: step.at_ms * 1_000,
                until_us: step.for_ms.map_or(u64::MAX, |ms| (step.at_ms + ms) * 1_000),
                fault: step.fault.clone(),
            })
            .collect();
        let plan = Plan {
            phases: Phases {
                calm_us: end_us + 1,
                end_us,
            },
            liveness: false,
            keep_story: true,
        };
        simulate(&fleet, &faults, self.seed, plan, Trace::with_text())
    }

    fn fleet(&self) -> Fleet {
        let settings = &self.fleet;
        let mut fleet = Fleet::plain(settings.profile, settings.clusters);
        fleet.observers = settings.observers;
        fleet.consumers = settings.consumers;
        fleet.families.clone_from(&settings.families);
        fleet.rtt_us = vec![vec![settings.rtt_ms * 1_000; settings.clusters + 1]; settings.observers];
        fleet.clocks = vec![Clock::TRUE; settings.observers];
        fleet.regions = apart(settings.observers);
        for (clock, wanted) in fleet.clocks.iter_mut().zip(&settings.clocks) {
            *clock = Clock {
                offset_s: wanted.offset_seconds,
                rate_permille: wanted.rate_permille,
            };
        }
        fleet.ramp.per = Duration::from_secs(5);
        fleet
    }
}
