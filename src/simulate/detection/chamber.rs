//! False alarms: a healthy fleet whose probes are lost in bursts, and how often that alone makes a quorum find Down.

use lifeboat_chaos::simulate::{Phases, Timed, Trace};
use lifeboat_health::Preset;

use super::fault::Fault;
use super::fleet::Fleet;
use super::outcome::Finding;
use super::setting::{Setting, turn};
use super::world::{Plan, simulate};

/// Clusters of the fleet; each has two targets.
const CLUSTERS: usize = 6;
/// Targets of the fleet.
pub(super) const TARGETS: u64 = 2 * CLUSTERS as u64;

/// One stay in the chamber.
pub(super) struct Stay {
    pub(super) setting: Setting,
    pub(super) permille: u64,
    pub(super) target_seconds: f64,
    pub(super) downs: u64,
    pub(super) probes: u64,
    pub(super) hash: u64,
    pub(super) finding: Option<Finding>,
    /// By target.
    #[cfg(test)]
    losses: Vec<lifeboat_health::LossEstimate>,
}

/// Lose probes for `seconds` of virtual time, as it is this seed's turn.
pub(super) fn stay(seed: u64, preset: Preset, seconds: u64) -> Stay {
    let (setting, permille) = turn(seed);
    lose(seed, preset, setting, permille, seconds)
}

fn lose(seed: u64, preset: Preset, setting: Setting, permille: u64, seconds: u64) -> Stay {
    let mut fleet = Fleet::near(preset, setting.observers() as usize, CLUSTERS);
    fleet.profile = setting.profile(preset);
    let warm_us = 3 * fleet.unit_us();
    let end_us = warm_us + seconds * 1_000_000;
    let loss = Timed {
        from_us: warm_us,
        until_us: end_us,
        fault: Fault::Loss {
            observers: Vec::new(),
            clusters: Vec::new(),
            permille,
            burst: setting.burst(),
        },
    };
    let plan = Plan {
        phases: Phases {
            calm_us: end_us,
            end_us,
        },
        liveness: false,
        keep_story: false,
    };
    let outcome = simulate(&fleet, &[loss], seed, plan, Trace::default());
    Stay {
        setting,
        permille,
        target_seconds: (seconds * TARGETS) as f64,
        downs: outcome.downs,
        probes: outcome.probes,
        hash: outcome.hash,
        finding: outcome.finding,
        #[cfg(test)]
        losses: outcome.losses,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What consumers estimate of the links' losses is within a third of what the links were made with, over all targets, and
    /// within a half for each.
    #[test]
    fn losses_are_estimated_as_they_are_made() {
        for (seed, permille) in [(0, 20), (3, 30), (12, 40)] {
            let Stay { losses, .. } = lose(seed, Preset::Fast, Setting::Short, permille, 480);
            let (made, count) = (permille as f64 / 1_000.0, losses.len() as f64);
            assert_eq!(losses.len(), 2 * CLUSTERS);
            let mean =
                |of: fn(&lifeboat_health::LossEstimate) -> f64| losses.iter().map(of).sum::<f64>() / count;
            let near = |found: f64, made: f64, factor: f64| {
                assert!(
                    (1.0 / factor..factor).contains(&(found / made)),
                    "seed {seed}: {found} of {made}; {losses:?}"
                );
            };
            near(mean(|estimate| estimate.share), made, 4.0 / 3.0);
            near(
                mean(|estimate| estimate.burst),
                Setting::Short.burst() as f64,
                4.0 / 3.0,
            );
            for estimate in &losses {
                near(estimate.share, made, 1.5);
                near(estimate.burst, Setting::Short.burst() as f64, 1.5);
                assert!(estimate.correlation < 0.1, "seed {seed}: {estimate:?}");
            }
        }
    }
}
